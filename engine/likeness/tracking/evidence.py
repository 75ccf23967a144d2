"""What a portrait says about the head in it, as terms for the solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from likeness.contract.arkit import ARKIT_NAMES
from likeness.head.assets import HeadAssets
from likeness.portrait.types import Portrait
from likeness.rendering.mesh import rasterize_mesh
from likeness.tracking.landmarks import (
    FaceEdges,
    embedded_landmarks,
    face_size,
    grazing_oval,
    landmark_weights,
    nearest_outline,
    unbiased,
)
from likeness.tracking.parameters import FitState, LinearPoints, project
from likeness.tracking.people import resting_mouth, usual_identity
from likeness.tracking.silhouette import MatteField, mesh_outline, outline_pull
from likeness.tracking.terms import (
    DistancePrior,
    ExpressionPrior,
    IdentityPrior,
    LandmarkTerm,
    LineTerm,
    SymmetryPrior,
    Term,
)

DISTANCE = 1.0
"""Metres; where portraits are taken from."""
DISTANCE_DEVIATION = 0.08
LANDMARK_DEVIATION = 0.04
"""Interocular distances, for a landmark of weight 1. More than one landmark's noise: neighbours err together."""
HUBER = 1.8
"""Deviations beyond which a landmark counts linearly."""
EDGE_WEIGHT = 0.25
"""Of a landmark on the face's edge."""
CONTOUR_REACH = 0.12
"""How far (interocular distances) from a landmark the head's edge is looked for."""
OUTLINE_DEVIATION = 0.012
"""Of one point where the mesh's edge meets the matte's, interocular distances."""
OUTLINE_POINTS = 160
CONTROL_DEVIATION, CONTROL_SHIFT = 0.45, 0.22
RARE_DEVIATION = 0.15
RARE = (
    "cheekPuff", "jawForward", "jawLeft", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthStretchLeft", "mouthStretchRight", "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip
"""Controls that people seldom use before a camera; identity or another control mostly explains the same better."""
SMILE_DEVIATIONS = {"mouthSmile": 0.9, "mouthStretch": 0.4, "mouthDimple": 0.3}
"""Of what widens a mouth; broad smiles before a camera are common and need all three."""
GAZE_DEVIATION = 0.6
SYMMETRY_DEVIATION = 0.8


@dataclass(frozen=True)
class Evidence:
    """What a portrait says, prepared once. Everything in the square's pixels."""

    assets: HeadAssets
    vertices: LinearPoints
    landmark_points: LinearPoints
    edges: FaceEdges
    detected: Float[np.ndarray, "478 2"]
    observed: Float[np.ndarray, "478 2"]
    """The same with the irises' bias taken off."""
    weights: Float[np.ndarray, "478"]
    unit: float
    """The interocular distance, as if seen from the front."""
    size: int


def make_evidence(
    assets: HeadAssets,
    vertices: LinearPoints,
    observed: Float[np.ndarray, "478 2"],
    size: int,
) -> Evidence:
    """Prepare detected landmarks (pixels of a size x size square) for a head whose vertices move as given."""
    return Evidence(
        assets=assets,
        vertices=vertices,
        landmark_points=embedded_landmarks(vertices, assets),
        edges=FaceEdges(assets),
        detected=observed.astype(np.float64),
        observed=unbiased(observed),
        weights=landmark_weights(assets),
        unit=face_size(observed),
        size=size,
    )


def principal_point(portrait: Portrait) -> Float[np.ndarray, "2"]:
    """Return the photograph's centre in pixels of the square: the photograph is taken to be uncropped."""
    height, width = portrait.photograph.rgb.shape[:2]
    left, top, side = portrait.square
    return (np.array([width, height]) / 2 - (left, top)) * (len(portrait.rgb) / side)


def priors(evidence: Evidence, state: FitState) -> list[Term]:
    """Return what is believed before any picture is seen."""
    names = np.array(ARKIT_NAMES)
    looks = np.char.startswith(names, "eyeLook")
    deviations = np.where(np.isin(names, RARE), RARE_DEVIATION, CONTROL_DEVIATION)
    deviations = np.where(looks, GAZE_DEVIATION, deviations)
    for start, deviation in SMILE_DEVIATIONS.items():
        deviations = np.where(np.char.startswith(names, start), deviation, deviations)
    beliefs = [
        ExpressionPrior(deviations, CONTROL_SHIFT),
        SymmetryPrior(*mirrored_controls(), SYMMETRY_DEVIATION),
        DistancePrior(DISTANCE, DISTANCE_DEVIATION),
    ]
    count = len(state.betas)
    if count:
        points = evidence.landmark_points
        beliefs += [IdentityPrior(1.0, usual_identity(points, count)), resting_mouth(points, count)]
    return beliefs


def mirrored_controls() -> tuple[Int[np.ndarray, "N"], Int[np.ndarray, "N"]]:
    """Return the columns of left controls and of their right twins; gaze and shifts of jaw and mouth have none."""
    alone = ("eyeLook", "jawLeft", "mouthLeft")
    left = [k for k, name in enumerate(ARKIT_NAMES) if name.endswith("Left") and not name.startswith(alone)]
    return np.array(left), np.array([ARKIT_NAMES.index(ARKIT_NAMES[k].replace("Left", "Right")) for k in left])


def landmark_terms(evidence: Evidence, state: FitState) -> list[Term]:
    """Return the landmarks as they stand on the skin, and those of the oval that slide along the face's edge."""
    positions = evidence.vertices.positions(state)
    eye = -state.rotation.T @ state.translation
    sliding = grazing_oval(evidence.assets, positions, eye)
    matched, ends, normals = nearest_outline(
        evidence.vertices,
        state,
        evidence.edges.outline(positions, eye),
        evidence.observed[sliding],
        reach=CONTOUR_REACH * evidence.unit,
    )
    fixed = np.setdiff1d(np.arange(478), sliding)
    standing = LinearPoints(evidence.landmark_points.base[fixed], evidence.landmark_points.directions[fixed])
    distance = np.linalg.norm(project(standing, state) - evidence.observed[fixed], axis=1)
    deviation = LANDMARK_DEVIATION * evidence.unit
    weights = np.sqrt(evidence.weights[fixed] * huber_weights(distance / deviation)) / deviation
    edge = evidence.vertices.at(ends[:, [0, 1, 1]], np.tile([0.5, 0.5, 0.0], (len(ends), 1)))
    edge_weights = np.full(len(ends), np.sqrt(EDGE_WEIGHT) / deviation)
    return [
        LandmarkTerm(standing, evidence.observed[fixed], weights),
        LineTerm(edge, normals, evidence.observed[sliding[matched]], edge_weights),
    ]


def outline_term(evidence: Evidence, field: MatteField, state: FitState) -> Term:
    """Return the mesh's edge in the picture against the matte's."""
    raster = rasterize_mesh(state.camera(evidence.size), evidence.vertices.positions(state), evidence.assets.faces)
    outline = mesh_outline(raster, evidence.assets, OUTLINE_POINTS)
    outside, normals, counts = outline_pull(field, outline, evidence.assets, unit=evidence.unit)
    points = evidence.vertices.at(evidence.assets.faces[outline.triangle[counts]], outline.bary[counts])
    deviation = OUTLINE_DEVIATION * evidence.unit
    weights = np.sqrt(huber_weights(np.abs(outside[counts]) / deviation)) / deviation
    anchors = outline.pixels[counts] - outside[counts, None] * normals[counts]
    return LineTerm(points, normals[counts], anchors, weights)


def huber_weights(distance: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N"]:
    """Return the weights that make squared distances (in deviations) grow linearly beyond HUBER."""
    return np.minimum(1, HUBER / np.maximum(distance, 1e-9))
