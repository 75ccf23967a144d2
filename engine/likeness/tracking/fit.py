"""Fit the head to one portrait: camera, identity and expression, then personal offsets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.progress import Progress, SilentProgress
from likeness.head.assets import HeadAssets
from likeness.head.model import shaped_vertices
from likeness.portrait.types import Portrait
from likeness.tracking.evidence import (
    DISTANCE,
    Evidence,
    landmark_terms,
    make_evidence,
    outline_term,
    principal_point,
    priors,
)
from likeness.tracking.initial import initial_state
from likeness.tracking.parameters import POSE_COLUMNS, FitState, head_points
from likeness.tracking.personal import portrait_vertices, with_offsets
from likeness.tracking.shading import LogImage, log_image, shading_term
from likeness.tracking.silhouette import MatteField, matte_field
from likeness.tracking.solver import minimize
from likeness.tracking.terms import Term
from likeness.tracking.types import HeadFit

POSE_ITERATIONS, LANDMARK_ITERATIONS = 6, 20
PICTURE_ROUNDS, PICTURE_ITERATIONS = 2, 4
BRIGHTNESS_SMOOTHING = 0.02
"""Interocular distances."""
KEPT_SMILE = 0.4
"""Share of the portrait's smile that stays on the neutral face."""


def fit_portrait(assets: HeadAssets, portrait: Portrait, *, progress: Progress | None = None) -> HeadFit:
    """Fit camera, identity, expression and personal offsets to a portrait. Deterministic."""
    progress = progress or SilentProgress()
    evidence = make_evidence(assets, head_points(assets), portrait.landmarks, len(portrait.rgb))
    field = matte_field(portrait, evidence.unit)
    image = log_image(portrait, BRIGHTNESS_SMOOTHING * evidence.unit)
    progress.update("fit", 0.2)
    state = fit_landmarks(evidence, principal_point(portrait))
    progress.update("fit", 0.5)
    state = fit_picture(evidence, field, image, state)
    progress.update("fit", 0.7)
    fit = with_friendly_rest(assets, with_offsets(evidence, field, state))
    progress.update("fit", 1.0)
    return fit


def with_friendly_rest(assets: HeadAssets, fit: HeadFit) -> HeadFit:
    """Leave a part of the portrait's smile to the neutral face; in the portrait next to nothing changes.

    Who laughs for a photograph has lips, cheeks and folds that no shape takes back to what they are at rest: with all
    of the smile gone the lips look pursed.
    """
    smile = [index for index, name in enumerate(assets.expr_names) if name.startswith("mouthSmile")]
    kept = np.zeros_like(fit.controls)
    kept[smile] = KEPT_SMILE * fit.controls[smile]
    controls, offsets = fit.controls - kept, fit.offsets + assets.exprdirs @ kept
    return replace(
        fit,
        controls=controls,
        offsets=offsets,
        v_neutral=shaped_vertices(assets, fit.betas, offsets),
        v_portrait=portrait_vertices(assets, fit.betas, offsets, controls).astype(np.float32),
    )


def fit_landmarks(evidence: Evidence, center: Float[np.ndarray, "2"]) -> FitState:
    """Fit pose, then identity and expression too, to the landmarks alone."""
    state = initial_state(
        evidence.landmark_points,
        evidence.observed,
        evidence.weights,
        center=center,
        distance=DISTANCE,
        identity=evidence.vertices.directions.shape[-1] - len(ARKIT_NAMES),
    )
    pose_only = np.arange(state.size) < POSE_COLUMNS

    def make_terms(state: FitState) -> list[Term]:
        return [*landmark_terms(evidence, state), *priors(evidence, state)]

    state = minimize(make_terms, state, free=pose_only, iterations=POSE_ITERATIONS)
    return minimize(make_terms, state, free=np.ones(state.size, bool), iterations=LANDMARK_ITERATIONS)


def fit_picture(evidence: Evidence, field: MatteField, image: LogImage, state: FitState) -> FitState:
    """Go on from a fit to the landmarks, now with the matte's edge and the skin's brightness too."""
    for _ in range(PICTURE_ROUNDS):
        outline = outline_term(evidence, field, state)
        shading = shading_term(image, evidence.assets, evidence.vertices, state)

        def make_terms(state: FitState, seen: tuple[Term, ...] = (outline, shading)) -> list[Term]:
            return [*landmark_terms(evidence, state), *seen, *priors(evidence, state)]

        state = minimize(make_terms, state, free=np.ones(state.size, bool), iterations=PICTURE_ITERATIONS)
    return state
