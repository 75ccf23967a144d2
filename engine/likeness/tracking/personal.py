"""Personal offsets for a fit: where they should take the head, and the head that comes of it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import JOINT_NAMES
from likeness.geometry.cameras import Camera
from likeness.head.assets import HeadAssets
from likeness.head.model import forward, landmarks, prepare_identity, shaped_vertices
from likeness.rendering.mesh import rasterize_mesh
from likeness.tracking.evidence import Evidence
from likeness.tracking.landmarks import FEATURES, grazing_oval, interocular
from likeness.tracking.offsets import (
    Targets,
    carry_riders,
    clear_eyeballs,
    graph_laplacian,
    lift_plane,
    skin_faces,
    solve_plane,
)
from likeness.tracking.parameters import FitState
from likeness.tracking.silhouette import MatteField, mesh_outline, outline_pull
from likeness.tracking.types import HeadFit

ROUNDS = 3
OUTLINE_POINTS = 400
OUTLINE_WEIGHT = 0.3
GUESS_TRUST = 0.3
"""Of a landmark where the picture shows no feature: following it exactly would only copy the detector's errors."""


def with_offsets(evidence: Evidence, field: MatteField, state: FitState) -> HeadFit:
    """Add personal offsets to a fit, so that the head meets the landmarks and stays within the matte."""
    assets, camera = evidence.assets, state.camera(evidence.size)
    laplacian = graph_laplacian(skin_faces(assets), len(assets.v_template))
    betas = padded(state.betas, assets.shapedirs.shape[-1])
    controls = rig_controls(assets, state)
    bare = shaped_vertices(assets, betas).astype(np.float64)
    plane, offsets = np.zeros((len(bare), 2)), np.zeros_like(bare)
    for _ in range(ROUNDS):
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
    outline = mesh_outline(rasterize_mesh(camera, vertices, assets.faces), assets, OUTLINE_POINTS)
    outside, normals, counts = outline_pull(field, outline, assets, unit=evidence.unit)
    metres = camera.T_camera_head[2, 3] / camera.K[0, 0]
    outline_shift = -outside[counts, None] * normals[counts] * metres
    corners = assets.faces[np.concatenate([assets.landmark_faces[fixed], outline.triangle[counts]])]
    bary = np.concatenate([assets.landmark_bary[fixed], outline.bary[counts]])
    shifts = np.concatenate([landmark_shift, outline_shift])
    shifts += np.einsum("nk,nkc->nc", bary, plane[corners])
    trust = np.where(np.isin(fixed, FEATURES), 1.0, GUESS_TRUST)
    weights = np.concatenate([trust * evidence.weights[fixed], np.full(int(counts.sum()), OUTLINE_WEIGHT)])
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
    error = np.linalg.norm(pixels - evidence.detected, axis=1).mean() / interocular(evidence.detected)
    return HeadFit(
        camera=camera,
        betas=betas,
        controls=controls,
        offsets=offsets.astype(np.float32),
        v_neutral=shaped_vertices(assets, betas, offsets),
        v_portrait=v_portrait,
        landmark_error=float(error),
    )
