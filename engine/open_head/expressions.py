"""The 52 ARKit shapes on the head's own surface: symmetrised, at the mean head's size, with eyes that truly rotate."""

from __future__ import annotations

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.lids import MARGIN, Lids, find_lids, fit_shape
from likeness.head.model import LEFT_EYE_LOOKS
from open_head.edge_loops import lid_faces, neighbour_mean
from open_head.surface import HeadSurface

SMOOTHED = {"mouthSmile": 15, "cheekPuff": 3}
"""Passes of smoothing for shapes whose targets crease the cheek harder than skin does."""


def load_shapes(surface: HeadSurface, scale: float) -> dict[str, np.ndarray]:
    """Return every ARKit shape as (V, 3) metres; left and right shapes are exact mirror images."""
    raw = {
        name: surface.directions(surface.base.target(f"faceunits01/targets/faceunits/{name}.target")) * scale
        for name in ARKIT_NAMES
    }
    shapes = {}
    for name in ARKIT_NAMES:
        shapes[name] = raw[name]
        shapes[name][surface.vertices_of("eye_left", "eye_right")] = 0
    return _symmetrised(surface, shapes)


def smooth_cheeks(surface: HeadSurface, shapes: dict[str, np.ndarray], skin: np.ndarray) -> None:
    """Smooth the displacement of the face's plain skin in the shapes that need it, in place; `skin` is (F,) bool."""
    free = np.ones(len(surface.mirror), bool)
    free[surface.faces[~skin]] = False
    mean_of_neighbours = neighbour_mean(surface.faces, len(free))
    for name, shape in shapes.items():
        for _ in range(SMOOTHED.get(name.removesuffix("Left").removesuffix("Right"), 0)):
            shape[free] = (shape[free] + (mean_of_neighbours @ shape)[free]) / 2


def _symmetrised(surface: HeadSurface, shapes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    twins = {name: shapes[swap_side(name)][surface.mirror] * np.array([-1, 1, 1]) for name in shapes}
    return {name: (shapes[name] + twins[name]) / 2 for name in shapes}


def swap_side(name: str) -> str:
    """Return the mirrored shape's name; shapes without a side mirror onto themselves."""
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    if name.endswith("Right"):
        return name.removesuffix("Right") + "Left"
    return name


def fit_eyes(
    surface: HeadSurface, mean: np.ndarray, shapes: dict[str, np.ndarray], loops: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the shapes with rotating eyeballs, lids that glide over them and lashes that ride on the lids."""
    fitted = {name: shape.copy() for name, shape in shapes.items()}
    _turn_eyeballs(surface, mean, fitted)
    for eye, side in enumerate(("left", "right")):
        lids = find_eye(surface, mean, loops, eye)
        socket = lid_faces(surface, loops[eye])
        behind = np.setdiff1d(surface.faces[socket], loops[eye])
        for name, shape in fitted.items():
            if name.startswith("eyeBlink"):
                shape[behind] = 0
            own = name.removesuffix(side.capitalize())
            fitted[name] = fit_shape(lids, own, shape)
    return _symmetrised(surface, fitted)


def find_eye(surface: HeadSurface, mean: np.ndarray, loops: np.ndarray, eye: int) -> Lids:
    """Return the lids of the left (0) or right (1) eye."""
    side = ("left", "right")[eye]
    return find_lids(
        mean,
        loops=loops[eye],
        ball=surface.vertices_of(f"eye_{side}"),
        center=mean[surface.eye_equators[eye]].mean(0),
        lashes=surface.vertices_of(f"lashes_{side}"),
    )


def carry_lashes(surface: HeadSurface, mean: np.ndarray, shapedirs: np.ndarray, loops: np.ndarray) -> None:
    """Let the lashes follow the lids' margin in every identity direction (V, 3, S), in place."""
    for eye in (0, 1):
        lids = find_eye(surface, mean, loops, eye)
        shapedirs[lids.lashes] = np.tensordot(lids.lash_columns, shapedirs[loops[eye, MARGIN]], 1)


def _turn_eyeballs(surface: HeadSurface, mean: np.ndarray, shapes: dict[str, np.ndarray]) -> None:
    members = surface.vertices_of("eye_left")
    center = mean[surface.eye_equators[0]].mean(0)
    for name, rotvec in LEFT_EYE_LOOKS.items():
        rotation = rotvec_to_rotmat(np.array(rotvec, float))
        shapes[name][members] = (mean[members] - center) @ (rotation.T - np.eye(3))
        shapes[swap_side(name)] = shapes[name][surface.mirror] * np.array([-1, 1, 1])
