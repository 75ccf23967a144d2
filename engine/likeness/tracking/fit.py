"""Fit the head to one portrait: camera, identity and expression, then personal offsets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import JOINT_NAMES
from likeness.contract.progress import Progress, SilentProgress
from likeness.geometry.cameras import Camera
from likeness.head.assets import HeadAssets
from likeness.head.model import forward, landmarks, prepare_identity, shaped_vertices
from likeness.portrait.types import Portrait
from likeness.rendering.mesh import rasterize_mesh
from likeness.tracking.initial import initial_state
from likeness.tracking.landmarks import (
    CONTOUR_REACH,
    FaceEdges,
    embedded_landmarks,
    face_size,
    grazing_oval,
    interocular,
    landmark_weights,
    nearest_outline,
)
from likeness.tracking.offsets import (
    Targets,
    carry_riders,
    clear_eyeballs,
    graph_laplacian,
    lift_plane,
    skin_faces,
    solve_plane,
)
from likeness.tracking.parameters import (
    POSE_COLUMNS,
    FitState,
    LinearPoints,
    head_points,
    project,
)
from likeness.tracking.silhouette import MatteField, matte_field, mesh_outline, outline_pull
from likeness.tracking.solver import minimize
from likeness.tracking.terms import (
    DistancePrior,
    ExpressionPrior,
    IdentityPrior,
    LandmarkTerm,
    LineTerm,
    SymmetryPrior,
    Term,
)
from likeness.tracking.types import HeadFit

DISTANCE = 1.0
"""Metres; where portraits are taken from."""
DISTANCE_DEVIATION = 0.08
LANDMARK_DEVIATION = 0.02
"""Interocular distances, for a landmark of weight 1. More than one landmark's noise: neighbours err together."""
HUBER = 1.8
"""Deviations beyond which a landmark counts linearly."""
OUTLINE_DEVIATION = 0.03
"""Of one outline point, interocular distances; neighbours err together here too."""
OUTLINE_POINTS = 160
OUTLINE_ROUNDS = 3
OFFSET_ROUNDS = 3
OFFSET_OUTLINE_POINTS = 400
OFFSET_OUTLINE_WEIGHT = 0.3
EDGE_WEIGHT = 0.25
"""Of a landmark on the face's edge."""
OUTLINE_REACH = 0.15
CONTROL_DEVIATION, CONTROL_SHIFT = 0.35, 0.07
GAZE_DEVIATION = 0.35
SYMMETRY_DEVIATION = 0.5


@dataclass(frozen=True)
class Evidence:
    """What a portrait says, prepared once. Everything in the square's pixels."""

    assets: HeadAssets
    vertices: LinearPoints
    landmark_points: LinearPoints
    edges: FaceEdges
    observed: Float[np.ndarray, "478 2"]
    weights: Float[np.ndarray, "478"]
    unit: float
    """The interocular distance, as if seen from the front."""
    size: int


def fit_portrait(assets: HeadAssets, portrait: Portrait, *, progress: Progress | None = None) -> HeadFit:
    """Fit camera, identity, expression and personal offsets to a portrait. Deterministic."""
    progress = progress or SilentProgress()
    evidence = make_evidence(assets, head_points(assets), portrait.landmarks, len(portrait.rgb))
    field = matte_field(portrait, evidence.unit)
    progress.update("fit", 0.2)
    state = fit_landmarks(evidence, principal_point(portrait))
    progress.update("fit", 0.5)
    state = fit_outline(evidence, field, state)
    progress.update("fit", 0.7)
    fit = with_offsets(evidence, field, state)
    progress.update("fit", 1.0)
    return fit


def make_evidence(
    assets: HeadAssets, vertices: LinearPoints, observed: Float[np.ndarray, "478 2"], size: int
) -> Evidence:
    """Prepare detected landmarks (pixels of a size x size square) for a head whose vertices move as given."""
    return Evidence(
        assets=assets,
        vertices=vertices,
        landmark_points=embedded_landmarks(vertices, assets),
        edges=FaceEdges(assets),
        observed=observed.astype(np.float64),
        weights=landmark_weights(assets),
        unit=face_size(observed),
        size=size,
    )


def principal_point(portrait: Portrait) -> Float[np.ndarray, "2"]:
    """Return the photograph's centre in pixels of the square: the photograph is taken to be uncropped."""
    height, width = portrait.photograph.rgb.shape[:2]
    left, top, side = portrait.square
    return (np.array([width, height]) / 2 - (left, top)) * (len(portrait.rgb) / side)


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
        return [*landmark_terms(evidence, state), *priors(state)]

    state = minimize(make_terms, state, free=pose_only, iterations=6)
    return minimize(make_terms, state, free=np.ones(state.size, bool), iterations=20)


def fit_outline(evidence: Evidence, field: MatteField, state: FitState) -> FitState:
    """Go on from a fit to the landmarks, now with the matte's edge against the mesh's."""
    for _ in range(OUTLINE_ROUNDS):
        outline = outline_term(evidence, field, state)

        def make_terms(state: FitState, outline: Term = outline) -> list[Term]:
            return [*landmark_terms(evidence, state), outline, *priors(state)]

        state = minimize(make_terms, state, free=np.ones(state.size, bool), iterations=4)
    return state


def priors(state: FitState) -> list[Term]:
    """Return what is believed before any picture is seen."""
    names = np.array(ARKIT_NAMES)
    looks = np.char.startswith(names, "eyeLook")
    left = np.flatnonzero(np.char.endswith(names, "Left") & ~looks & (names != "jawLeft") & (names != "mouthLeft"))
    right = np.array([ARKIT_NAMES.index(name.replace("Left", "Right")) for name in names[left]])
    deviations = np.where(looks, GAZE_DEVIATION, CONTROL_DEVIATION)
    return [
        IdentityPrior(1.0),
        ExpressionPrior(deviations, CONTROL_SHIFT),
        SymmetryPrior(left, right, SYMMETRY_DEVIATION),
        DistancePrior(DISTANCE, DISTANCE_DEVIATION),
    ]


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
    weights = np.sqrt(evidence.weights[fixed] * huber_weights(distance / (LANDMARK_DEVIATION * evidence.unit)))
    weights = weights / (LANDMARK_DEVIATION * evidence.unit)
    edge = evidence.vertices.at(ends[:, [0, 1, 1]], np.tile([0.5, 0.5, 0.0], (len(ends), 1)))
    edge_weights = np.full(len(ends), np.sqrt(EDGE_WEIGHT) / (LANDMARK_DEVIATION * evidence.unit))
    return [
        LandmarkTerm(standing, evidence.observed[fixed], weights),
        LineTerm(edge, normals, evidence.observed[sliding[matched]], edge_weights),
    ]


def outline_term(evidence: Evidence, field: MatteField, state: FitState) -> Term:
    """Return the mesh's edge in the picture against the matte's."""
    raster = rasterize_mesh(state.camera(evidence.size), evidence.vertices.positions(state), evidence.assets.faces)
    outline = mesh_outline(raster, evidence.assets, OUTLINE_POINTS)
    outside, normals, counts = outline_pull(field, outline, evidence.assets, reach=OUTLINE_REACH * evidence.unit)
    points = evidence.vertices.at(evidence.assets.faces[outline.triangle[counts]], outline.bary[counts])
    deviation = OUTLINE_DEVIATION * evidence.unit
    weights = np.sqrt(huber_weights(np.abs(outside[counts]) / deviation)) / deviation
    anchors = outline.pixels[counts] - outside[counts, None] * normals[counts]
    return LineTerm(points, normals[counts], anchors, weights)


def huber_weights(distance: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N"]:
    """Return the weights that make squared distances (in deviations) grow linearly beyond HUBER."""
    return np.minimum(1, HUBER / np.maximum(distance, 1e-9))


def with_offsets(evidence: Evidence, field: MatteField, state: FitState) -> HeadFit:
    """Add personal offsets to a fit, so that the head meets the landmarks and stays within the matte."""
    assets, camera = evidence.assets, state.camera(evidence.size)
    laplacian = graph_laplacian(skin_faces(assets), len(assets.v_template))
    betas = padded(state.betas, assets.shapedirs.shape[-1])
    controls = rig_controls(assets, state)
    bare = shaped_vertices(assets, betas).astype(np.float64)
    plane, offsets = np.zeros((len(bare), 2)), np.zeros_like(bare)
    for _ in range(OFFSET_ROUNDS):
        vertices = portrait_vertices(assets, betas, offsets, controls)
        targets = offset_targets(evidence, field, camera, vertices, plane)
        plane = solve_plane(assets, laplacian, targets)
        lifted = lift_plane(assets, plane, camera, vertices)
        offsets = clear_eyeballs(assets, bare, carry_riders(assets, lifted))
    return _head_fit(evidence, camera, betas, controls, offsets)


def offset_targets(
    evidence: Evidence, field: MatteField, camera: Camera, vertices: Float[np.ndarray, "V 3"], plane: np.ndarray
) -> Targets:
    """Return where landmarks and outline should go, `vertices` being displaced by `plane` (V, 2) already."""
    assets = evidence.assets
    sliding = grazing_oval(assets, vertices, camera.center)
    fixed = np.setdiff1d(np.arange(468), sliding)
    pixels, depth = camera.project(landmarks(vertices, assets)[fixed])
    landmark_shift = (evidence.observed[fixed] - pixels) * (depth / camera.K[0, 0])[:, None]
    outline = mesh_outline(rasterize_mesh(camera, vertices, assets.faces), assets, OFFSET_OUTLINE_POINTS)
    outside, normals, counts = outline_pull(field, outline, assets, reach=OUTLINE_REACH * evidence.unit)
    metres = camera.T_camera_head[2, 3] / camera.K[0, 0]
    outline_shift = -outside[counts, None] * normals[counts] * metres
    corners = assets.faces[np.concatenate([assets.landmark_faces[fixed], outline.triangle[counts]])]
    bary = np.concatenate([assets.landmark_bary[fixed], outline.bary[counts]])
    shifts = np.concatenate([landmark_shift, outline_shift])
    shifts += np.einsum("nk,nkc->nc", bary, plane[corners])
    weights = np.concatenate([evidence.weights[fixed], np.full(int(counts.sum()), OFFSET_OUTLINE_WEIGHT)])
    return Targets(corners, bary, shifts, weights)


def portrait_vertices(
    assets: HeadAssets, betas: np.ndarray, offsets: np.ndarray, controls: np.ndarray
) -> Float[np.ndarray, "V 3"]:
    """Return the head as the rig will show it: an identity's lids have shapes of their own."""
    prepared = prepare_identity(assets, betas, offsets.astype(np.float32))
    return forward(prepared, controls, np.zeros((len(JOINT_NAMES), 3))).astype(np.float64)


def rig_controls(assets: HeadAssets, state: FitState) -> Float[np.ndarray, "E"]:
    """Return the controls in the rig's order; what is not an ARKit shape stays zero."""
    controls = np.zeros(len(assets.expr_names), np.float32)
    controls[[assets.expr_names.index(name) for name in ARKIT_NAMES]] = state.controls
    return controls


def padded(betas: np.ndarray, count: int) -> Float[np.ndarray, "S"]:
    """Return the betas with zeros for the directions that the fit leaves alone."""
    return np.concatenate([betas, np.zeros(count - len(betas))]).astype(np.float32)


def _head_fit(
    evidence: Evidence, camera: Camera, betas: np.ndarray, controls: np.ndarray, offsets: np.ndarray
) -> HeadFit:
    assets = evidence.assets
    v_portrait = portrait_vertices(assets, betas, offsets, controls).astype(np.float32)
    pixels, _ = camera.project(landmarks(v_portrait, assets).astype(np.float64))
    error = np.linalg.norm(pixels - evidence.observed, axis=1).mean() / interocular(evidence.observed)
    return HeadFit(
        camera=camera,
        betas=betas,
        controls=controls,
        offsets=offsets.astype(np.float32),
        v_neutral=shaped_vertices(assets, betas, offsets),
        v_portrait=v_portrait,
        landmark_error=float(error),
    )
