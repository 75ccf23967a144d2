"""Track a performer through a clip: one identity, then every frame, window by window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.progress import Progress, SilentProgress
from likeness.head.assets import HeadAssets
from likeness.head.model import prepare_identity
from likeness.portrait.performer import Sightings
from likeness.tracking.beliefs import FRAME_BELIEFS, IDENTITY_BELIEFS, OFFSET_BELIEFS
from likeness.tracking.clip_head import CONTROLS, ClipHead, Frames, clip_head, facing, joined
from likeness.tracking.clip_identity import ClipState, Keyframes, fit_clip_identity
from likeness.tracking.gaps import fill_gaps
from likeness.tracking.initial import initial_state
from likeness.tracking.keyframes import draw_frames
from likeness.tracking.landmark_offsets import fit_offsets
from likeness.tracking.landmarks import embedded_landmarks, face_size, unbiased
from likeness.tracking.parameters import MAX_IDENTITY, LinearPoints, head_points
from likeness.tracking.personal import padded
from likeness.tracking.photometric import PoseEvidence
from likeness.tracking.reading import Lids, as_detected, find_lids, openness, with_blinks, with_lids, with_rest
from likeness.tracking.window import Observations, fit_window

KEYFRAMES = 64
WINDOW, MARGIN = 240, 40
"""Frames that are solved together, and how many more on either side, so that joins do not show."""
DEVIATION = 0.015
"""Of a landmark, interocular distances, where the identity is known."""
KEYFRAME_DEVIATION = 0.03
UNIT_FOCAL = 8.7
"""Focal length over interocular distance where a usual head is DISTANCE away; a first guess."""
OFFSET_ROUNDS, OFFSET_ITERATIONS = 3, 5
LID_FRAMES, REST_FRAMES, REST_ITERATIONS = 3000, 240, 8
"""How many frames tell of usual lids, and of a face at rest."""
PICTURE_ITERATIONS = 4
DOUBTED = 0.95
"""How much less a frame counts whose landmarks are in full doubt."""
DOUBTFUL = 0.5
"""Frames in more doubt than this are no keyframes."""


@dataclass(frozen=True)
class KnownHead:
    """A head whose identity is given: an avatar's."""

    assets: HeadAssets
    v_neutral: Float[np.ndarray, "V 3"]
    shapes: Float[np.ndarray, "V 3 52"]
    joints: Float[np.ndarray, "J 3"]
    of_performer: bool = False
    """The performer's own avatar: its shapes are to meet the picture as they are, whatever the detector hides."""
    focal: float | None = None
    """Of the camera that showed this head, pixels of `size`: a clip of the same size is taken to be its."""
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class SequenceFit:
    """What a clip shows."""

    known: KnownHead
    head: ClipHead
    frames: Frames


def track_sightings(
    sightings: Sightings,
    assets: HeadAssets,
    known: KnownHead | None = None,
    *,
    progress: Progress | None = None,
    on_frames: Callable[[np.ndarray, Frames], None] | None = None,
) -> SequenceFit:
    """Fit a clip whose landmarks are known; `known` keeps an identity fixed. Deterministic.

    `on_frames` receives the times and the frames of every window that is done.
    """
    progress = progress or SilentProgress()
    progress.update("identity", 0.0)
    seen = observe(sightings, draw_frames(sightings.landmarks, _usable(sightings), KEYFRAMES))
    focal = known.focal if known and known.size == tuple(sightings.size) else None
    known, head, keys = _fit_head(seen, assets, known, np.array(sightings.size) / 2, focal)
    lids = _lids(sightings)
    if not known.of_performer:
        head = _calibrated(sightings, head, lids, keys, seen.times)
    parts, count = [], len(sightings.times)
    for begin in range(0, count, WINDOW):
        progress.update("frames", begin / count)
        inside = np.arange(begin, min(begin + WINDOW, count))
        fitted = _fit_window(sightings, begin, head, seen.times, keys)
        parts.append(with_blinks(fitted, lids, _openness(sightings, inside)))
        if on_frames:
            on_frames(sightings.times[begin : begin + WINDOW], parts[-1])
    progress.update("frames", 1.0)
    frames = fill_gaps(sightings.times, sightings.seen, sightings.cuts, joined(parts))
    return SequenceFit(known, head, frames)


def with_pictures(sightings: Sightings, fit: SequenceFit, pictured: PoseEvidence) -> SequenceFit:
    """Fit the clip's frames once more, from where they are, with what the pictures say of the head's poses."""
    lids, parts, count = _lids(sightings), [], len(sightings.times)
    for begin in range(0, count, WINDOW):
        first, end = max(begin - MARGIN, 0), min(begin + WINDOW + MARGIN, count)
        seen, start = observe(sightings, np.arange(first, end)), fit.frames[first:end]
        fitted = fit_window(
            fit.head, FRAME_BELIEFS, seen, start, pictured=pictured[first:end], iterations=PICTURE_ITERATIONS
        )[begin - first : begin - first + WINDOW]
        parts.append(with_blinks(fitted, lids, _openness(sightings, np.arange(begin, min(begin + WINDOW, count)))))
    frames = fill_gaps(sightings.times, sightings.seen, sightings.cuts, joined(parts))
    return replace(fit, frames=frames)


def observe(sightings: Sightings, chosen: Int[np.ndarray, "N"]) -> Observations:
    """Take frames out of the sightings, with the weight of their landmarks."""
    landmarks, seen = np.asarray(sightings.landmarks[chosen], np.float64), np.asarray(sightings.seen[chosen])
    weights = np.zeros(len(chosen))
    for t in np.flatnonzero(seen):
        trust = np.sqrt(1 - DOUBTED * sightings.doubt[chosen[t]])
        weights[t] = trust / (DEVIATION * face_size(landmarks[t]))
        landmarks[t] = unbiased(landmarks[t])
    landmarks[~seen] = 0
    shots = np.searchsorted(np.array(sightings.cuts, int), chosen, side="right")
    return Observations(np.asarray(sightings.times[chosen]), landmarks, weights, shots[1:] == shots[:-1])


def rough_poses(head: ClipHead, seen: Observations) -> Frames:
    """Return each frame's pose by scaled orthography, at rest; frames without a face take the nearest one's."""
    points, share = LinearPoints(head.base, head.directions), head.weights / head.weights.sum()
    middle, rotations, translations = share @ head.base, [], []
    with_face = np.flatnonzero(seen.weights > 0)
    for t in with_face:
        rough = initial_state(points, seen.landmarks[t], head.weights, center=head.center, distance=1.0, identity=0)
        distance = head.focal / np.exp(rough.log_focal)
        ahead = np.append((share @ seen.landmarks[t] - head.center) / head.focal, 1.0) * distance
        rotations.append(rough.rotation)
        translations.append(ahead - rough.rotation @ middle)
    nearest = np.abs(np.arange(len(seen))[:, None] - with_face).argmin(1)
    return Frames(np.stack(rotations)[nearest], np.stack(translations)[nearest], np.zeros((len(seen), CONTROLS)))


def identity_head(assets: HeadAssets, betas: Float[np.ndarray, "K"]) -> KnownHead:
    """Return the head of an identity, its own lids included."""
    prepared = prepare_identity(assets, padded(betas, assets.shapedirs.shape[-1]))
    return KnownHead(assets, prepared.v_neutral, arkit_shapes(prepared.shapes, assets.expr_names), prepared.joints)


def _usable(sightings: Sightings) -> Int[np.ndarray, "N"]:
    sure = np.flatnonzero(sightings.seen & (sightings.doubt < DOUBTFUL))
    return sure if len(sure) else np.flatnonzero(sightings.seen)


def _lids(sightings: Sightings) -> Lids:
    return find_lids(_openness(sightings, draw_frames(sightings.landmarks, _usable(sightings), LID_FRAMES)))


def _openness(sightings: Sightings, chosen: Int[np.ndarray, "N"]) -> Float[np.ndarray, "N 2"]:
    """Return the lids' openness, endless where no face is seen."""
    found = openness(np.asarray(sightings.landmarks[chosen], np.float64))
    return np.where(np.asarray(sightings.seen[chosen])[:, None], found, np.inf)


def _fit_head(
    seen: Observations,
    assets: HeadAssets,
    known: KnownHead | None,
    center: Float[np.ndarray, "2"],
    focal: float | None = None,
) -> tuple[KnownHead, ClipHead, Frames]:
    """Return the head with its personal offsets, and the keyframes: focal length (or `focal`), identity, offsets."""
    guess = known or identity_head(assets, np.zeros(0))
    rough = known_clip_head(guess, UNIT_FOCAL / np.median(DEVIATION * seen.weights), center)
    identity = 0 if known else min(MAX_IDENTITY, assets.shapedirs.shape[-1])
    points = LinearPoints(rough.base, rough.directions)
    if not known:
        betas = embedded_landmarks(head_points(assets), assets).directions[:, :, :identity]
        points = replace(points, directions=np.concatenate([betas, rough.directions], 2))
    frames = rough_poses(rough, seen)
    trust = np.sqrt(rough.weights * facing(rough, frames))
    weights = trust * seen.weights[:, None] * (DEVIATION / KEYFRAME_DEVIATION)
    keyframes = Keyframes(points, seen.landmarks, weights, center)
    start = ClipState(float(np.log(rough.focal)), np.zeros(identity), frames)
    state = fit_clip_identity(keyframes, IDENTITY_BELIEFS, start)
    known = known or identity_head(assets, state.betas)
    fitted, frames = float(np.exp(state.log_focal)), state.frames
    if focal:
        frames = replace(frames, translations=frames.translations * [1, 1, focal / fitted])
    return known, *_personal(known_clip_head(known, focal or fitted, center), seen, frames)


def _personal(bare: ClipHead, seen: Observations, frames: Frames) -> tuple[ClipHead, Frames]:
    """Add the performer's own landmark offsets, in turns with the keyframes' poses and controls."""
    apart = replace(seen, linked=np.zeros(len(seen) - 1, bool))
    offsets = np.zeros((*bare.base.shape, 3))
    for _ in range(OFFSET_ROUNDS):
        frames = fit_window(bare.moved_by(offsets), OFFSET_BELIEFS, apart, frames, iterations=OFFSET_ITERATIONS)
        offsets = fit_offsets(bare, offsets, apart, frames)
    head = bare.moved_by(offsets)
    return head, fit_window(head, FRAME_BELIEFS, apart, frames, iterations=OFFSET_ITERATIONS)


def _calibrated(
    sightings: Sightings, head: ClipHead, lids: Lids, keys: Frames, key_times: Float[np.ndarray, "K"]
) -> ClipHead:
    """Fit the blinks to the performer's lids and find his face at rest, from more frames than the keyframes are."""
    head = with_lids(head, lids)
    seen = observe(sightings, draw_frames(sightings.landmarks, _usable(sightings), REST_FRAMES))
    apart = replace(seen, linked=np.zeros(len(seen) - 1, bool))
    nearest = np.abs(seen.times[:, None] - key_times).argmin(1)
    start = replace(rough_poses(head, seen), controls=keys.controls[nearest])
    frames = fit_window(head, FRAME_BELIEFS, apart, start, iterations=REST_ITERATIONS)
    head = head.moved_by(fit_offsets(head, np.zeros((*head.base.shape, 3)), apart, frames))
    frames = fit_window(head, FRAME_BELIEFS, apart, frames, iterations=OFFSET_ITERATIONS)
    return with_rest(head, frames.controls, float(seen.times[-1] - seen.times[0]))


def _fit_window(
    sightings: Sightings, begin: int, head: ClipHead, key_times: Float[np.ndarray, "K"], keys: Frames
) -> Frames:
    """Fit one window with its margins, from rough poses and the nearest keyframes' controls; return it without them."""
    first, end = max(begin - MARGIN, 0), min(begin + WINDOW + MARGIN, len(sightings.times))
    seen = observe(sightings, np.arange(first, end))
    nearest = np.abs(seen.times[:, None] - key_times).argmin(1)
    if not seen.weights.any():
        return keys[nearest][begin - first : begin - first + WINDOW]
    start = replace(rough_poses(head, seen), controls=keys.controls[nearest])
    return fit_window(head, FRAME_BELIEFS, seen, start)[begin - first : begin - first + WINDOW]


def known_clip_head(known: KnownHead, focal: float, center: Float[np.ndarray, "2"]) -> ClipHead:
    """Return a known head's landmarks before a camera, as the detector shows them."""
    head = clip_head(known.assets, known.v_neutral, known.shapes, focal=focal, center=center)
    return head if known.of_performer else as_detected(head)


def arkit_shapes(shapes: Float[np.ndarray, "V 3 E"], names: tuple[str, ...]) -> Float[np.ndarray, "V 3 52"]:
    """Return the directions of the ARKit controls, in `ARKIT_NAMES`' order."""
    return shapes[:, :, [names.index(name) for name in ARKIT_NAMES]]
