"""The matte: how much of each pixel is the person, and the person's own colours there."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from likeness.portrait.closed_form import solve_alpha
from likeness.portrait.clues import ColourClues, measure_clues
from likeness.portrait.foreground import estimate_foreground, without_fringe
from likeness.portrait.person_mask import face_region, person_mask

# Lengths are fractions of the face's width (171 pixels at working size).
BAND_OUT, BAND_OUT_CLEAN = 0.04, 0.30
BAND_IN, BAND_IN_CLEAN = 0.03, 0.09
"""How far the unknown band reaches outside and inside the mask's border: on a busy and on a clean background."""
HOLE_DEPTH = 0.2
HOLE_WIDTH = 0.07
"""Gaps between curls lie at most this deep inside the mask and are at most this wide."""
BUSY_DOUBT = 0.12
"""Where the mask wavers before a busy background, it is more often the background that it took for hair."""
FOREIGN = 0.06
"""A colour this far from any mixture of background and known person is, inside the mask, more of the person."""
FOG = 0.03


def cut_out(
    rgb: Float[np.ndarray, "S S 3"],
    valid: Bool[np.ndarray, "S S"],
    landmarks: Float[np.ndarray, "478 2"],
    file_alpha: Float[np.ndarray, "S S"] | None = None,
) -> tuple[Float[np.ndarray, "S S"], Float[np.ndarray, "S S 3"]]:
    """Separate the person from the background: alpha, 0 outside `valid`, and foreground colours."""
    mask = person_mask(rgb, valid, landmarks)
    if file_alpha is not None and _is_cut_out(file_alpha, mask, valid):
        alpha = np.where(valid, file_alpha, 0.0)
        return alpha.astype(np.float32), estimate_foreground(rgb, alpha).astype(np.float32)
    alpha = np.where(valid, _matte(rgb, valid, landmarks, mask), 0.0)
    alpha, foreground = without_fringe(rgb, valid, alpha, estimate_foreground(rgb, alpha))
    alpha = alpha if file_alpha is None else alpha * file_alpha
    return alpha.astype(np.float32), foreground.astype(np.float32)


def _is_cut_out(
    file_alpha: Float[np.ndarray, "S S"], mask: Float[np.ndarray, "S S"], valid: Bool[np.ndarray, "S S"]
) -> bool:
    """Tell a person cut out from a picture that is merely framed by transparency (a round avatar)."""
    background, person = valid & (mask < 0.1), valid & (mask > 0.9)
    holds_person = file_alpha[person].mean() > 0.9
    return bool(holds_person and (not background.any() or file_alpha[background].mean() < 0.1))


def _matte(
    rgb: Float[np.ndarray, "S S 3"],
    valid: Bool[np.ndarray, "S S"],
    landmarks: Float[np.ndarray, "478 2"],
    mask: Float[np.ndarray, "S S"],
) -> Float[np.ndarray, "S S"]:
    unit = float(np.ptp(landmarks[:, 0]))
    face = face_region(landmarks, rgb.shape[0]) & (mask > 0.5)
    clues = measure_clues(rgb, valid, mask, unit)
    prior, weight = _prior(mask, face, clues, unit)
    alpha = solve_alpha(rgb.astype(np.float64), prior, np.where(valid, weight, np.nan))
    return _without_fog(np.where(face, 1.0, alpha))


def _prior(
    mask: Float[np.ndarray, "S S"], face: Bool[np.ndarray, "S S"], clues: ColourClues, unit: float
) -> tuple[Float[np.ndarray, "S S"], Float[np.ndarray, "S S"]]:
    """What each pixel's alpha should be before the matting Laplacian speaks, and how sure that is (inf: fixed)."""
    gaps = _gaps(clues, unit) & ~face
    background = _plain_background(mask, clues, unit) & ~face
    unknown = (_band(mask, clues, unit) | gaps) & ~face & ~background
    told_apart = np.maximum(clues.cleanness, clues.distinctness * np.clip(mask * 20, 0, 1))
    speaks = told_apart * clues.separation * np.where(gaps | (mask < 0.9), 1.0, 0.3)
    foreign = np.clip((clues.unexplained - FOREIGN) / FOREIGN, 0, 1) * (mask > 0.5)
    by_colour = np.maximum(clues.projected, foreign)
    by_mask = _sharpen(mask, 0.5 + BUSY_DOUBT * (1 - told_apart))
    prior = (1 - speaks) * by_mask + speaks * by_colour
    weight = 0.02 + 0.5 * np.maximum(speaks, 1 - told_apart)
    fixed = np.where((mask > 0.5) & ~background | face, 1.0, 0.0)
    return np.where(unknown, prior, fixed), np.where(unknown, weight, np.inf)


def _band(mask: Float[np.ndarray, "S S"], clues: ColourClues, unit: float) -> Bool[np.ndarray, "S S"]:
    """Mark where alpha may be fractional: along the mask's border, wider on clean ground, and where the mask wavers."""
    near_outside = clues.outside < unit * (BAND_OUT + (BAND_OUT_CLEAN - BAND_OUT) * clues.cleanness)
    near_inside = clues.inside < unit * (BAND_IN + (BAND_IN_CLEAN - BAND_IN) * clues.cleanness)
    return (near_outside & near_inside) | ((mask > 0.05) & (mask < 0.9))


def _plain_background(mask: Float[np.ndarray, "S S"], clues: ColourClues, unit: float) -> Bool[np.ndarray, "S S"]:
    """Mark what looks like the clean background around it, unless the mask knows better."""
    surest_mask = np.where(clues.separation > 0.5, 0.8, 0.65)
    may_be = (clues.outside > 0.012 * unit) | (mask < surest_mask)
    return may_be & (clues.cleanness > 0.3) & (clues.deviation < 2.0)


def _gaps(clues: ColourClues, unit: float) -> Bool[np.ndarray, "S S"]:
    """Find background seen through curls: in a clean background's colour, and small or reached from outside."""
    like_background = (clues.deviation < 4.0) & (clues.cleanness > 0.5)
    candidate = like_background & (clues.separation > 0.5) & (clues.inside < HOLE_DEPTH * unit)
    side = max(round(HOLE_WIDTH * unit), 3)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    wide = _grown(cv2.morphologyEx(candidate.astype(np.uint8), cv2.MORPH_OPEN, ellipse) > 0)
    labels, _ = ndimage.label(candidate)
    reached = np.isin(labels, np.unique(labels[candidate & (clues.outside > 0)]))
    return _grown(candidate & (clues.inside > 0) & (~wide | reached))


def _grown(region: Bool[np.ndarray, "S S"]) -> Bool[np.ndarray, "S S"]:
    return cv2.dilate(region.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)


def _sharpen(mask: Float[np.ndarray, "S S"], middle: Float[np.ndarray, "S S"]) -> Float[np.ndarray, "S S"]:
    return np.clip((mask - middle) * 3 + 0.5, 0, 1)


def _without_fog(alpha: Float[np.ndarray, "S S"]) -> Float[np.ndarray, "S S"]:
    """Clear faint veils and specks that hang together with nothing."""
    alpha = np.clip((alpha - FOG) / (1 - 2 * FOG), 0, 1)
    labels, count = ndimage.label(_grown(alpha > 0.1))
    if count < 2:
        return alpha
    own = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    return alpha * cv2.GaussianBlur(_grown(own).astype(np.float64), (0, 0), 1.0)
