"""FLAME's parameters and ARKit's controls, both ways, against scipy and the head's own forward pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from takes import controls_motion, k

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.motion import Motion
from likeness.head.assets import HeadAssets
from likeness.head.flame_arkit import JAW, SOLVED_REGIONS
from likeness.head.flame_map import region_faces
from likeness.head.model import forward, load_open_head, prepare_identity
from likeness.motion.flame_controls import FACE, RIDGE, to_arkit, to_flame

E = 12
KNOWN = ("jawOpen", "mouthSmileLeft", "browInnerUp", "mouthFunnel")


@pytest.fixture(scope="module")
def head() -> HeadAssets:
    """Open Head in the layout of a completed FLAME head: four coefficients are shapes of ARKit's, the rest smooth."""
    open_head = load_open_head()
    rng = np.random.default_rng(0)
    points = open_head.v_template / 0.05
    smooth = [0.002 * np.sin(points @ rng.normal(0, 2, (3, 3)) + rng.uniform(0, 6, 3)) for _ in range(E - len(KNOWN))]
    known = [open_head.exprdirs[:, :, k(name)] for name in KNOWN]
    directions = np.stack([*known, *smooth], -1).astype(np.float32)
    posedirs = rng.normal(0, 3e-4, open_head.posedirs.shape).astype(np.float32)
    return replace(
        open_head,
        name="flame2023",
        content_hash="f" * 64,
        exprdirs=np.concatenate([open_head.exprdirs, directions], -1),
        expr_names=ARKIT_NAMES + tuple(f"expr{n:03d}" for n in range(E)),
        posedirs=posedirs,
        lid_loops=None,
    )


def flame_motion(expr: np.ndarray, jaw: np.ndarray | None = None, eyes: np.ndarray | None = None) -> Motion:
    motion = controls_motion(np.zeros((len(expr), 52)))
    return replace(
        motion,
        expr=expr.astype(np.float32),
        expr_names=tuple(f"expr{n:03d}" for n in range(expr.shape[1])),
        jaw_pose=motion.jaw_pose if jaw is None else jaw.astype(np.float32),
        eyes_pose=motion.eyes_pose if eyes is None else eyes.astype(np.float32),
        head_model="flame",
    )


def face(head: HeadAssets) -> np.ndarray:
    return np.setdiff1d(np.unique(head.faces[region_faces(head, *SOLVED_REGIONS)]), np.flatnonzero(head.hidden))


def displacement(head: HeadAssets, expr: np.ndarray, jaw: np.ndarray) -> np.ndarray:
    """Return what the head's forward pass does to the face's vertices, flat."""
    prepared = prepare_identity(head, np.zeros(head.shapedirs.shape[-1]))
    pose = np.zeros((5, 3))
    pose[JAW] = jaw
    controls = np.concatenate([np.zeros(52), expr])
    return (forward(prepared, controls, pose) - prepared.v_neutral)[face(head)].ravel().astype(np.float64)


def test_coefficients_that_are_shapes_come_back_as_these(head):
    wanted = np.random.default_rng(1).uniform(0, 1, (30, len(KNOWN)))
    motion = to_arkit(flame_motion(wanted), head)
    found = motion.expr[:, [k(name) for name in KNOWN]]
    np.testing.assert_allclose(found, wanted, atol=0.02)
    assert np.delete(motion.expr, [k(name) for name in KNOWN], 1).max() < 0.02
    assert motion.head_model == "open" and motion.expr_names == ARKIT_NAMES


def test_it_is_scipys_bounded_least_squares_on_the_forward_pass(head):
    rng = np.random.default_rng(2)
    expr, jaw = rng.normal(0, 0.7, (2, E)), rng.uniform(-0.1, 0.35, (2, 3)) * [1, 0.3, 0.2]
    motion = to_arkit(flame_motion(expr, jaw), head)
    shapes = head.exprdirs[face(head)][:, :, list(FACE)].reshape(-1, len(FACE)).astype(np.float64)
    system = np.concatenate([shapes, RIDGE * np.eye(len(FACE))])
    for frame in range(2):
        wanted = displacement(head, expr[frame], jaw[frame])
        solved = lsq_linear(system, np.concatenate([wanted, np.zeros(len(FACE))]), (0, 1), tol=1e-12).x
        np.testing.assert_allclose(motion.expr[frame, list(FACE)], solved, atol=3e-3)


def test_an_open_jaw_becomes_jaw_open(head):
    jaw = np.array([[0.0, 0, 0], [0.18, 0, 0], [0.36, 0, 0]])
    head = replace(head, posedirs=np.zeros_like(head.posedirs))
    opened = to_arkit(flame_motion(np.zeros((3, E)), jaw), head).expr[:, k("jawOpen")]
    assert opened[0] == 0 and 0.3 < opened[1] < 0.7 and opened[2] > 0.75


@pytest.mark.parametrize(
    ("turn", "names"),
    [
        ((0.2, 0, 0), ("eyeLookDownLeft", "eyeLookDownRight")),
        ((-0.2, 0, 0), ("eyeLookUpLeft", "eyeLookUpRight")),
        ((0, 0.2, 0), ("eyeLookOutLeft", "eyeLookInRight")),
        ((0, -0.2, 0), ("eyeLookInLeft", "eyeLookOutRight")),
    ],
)
def test_eyes_that_turn_become_looks(head, turn, names):
    motion = to_arkit(flame_motion(np.zeros((2, E)), eyes=np.tile(turn, (2, 2))), head)
    looks = {name: v for name, v in zip(ARKIT_NAMES, motion.expr[0], strict=True) if name.startswith("eyeLook") and v}
    assert set(looks) == set(names) and all(0.3 < value < 0.7 for value in looks.values())
    assert not motion.eyes_pose.any()


def test_controls_follow_the_coefficients_without_jumps(head):
    direction = np.random.default_rng(3).normal(0, 1, E)

    def largest_step(frames: int) -> float:
        motion = to_arkit(flame_motion(np.linspace(0, 1, frames)[:, None] * direction), head)
        return float(np.abs(np.diff(motion.expr, axis=0)).max())

    assert largest_step(801) < 0.4 * largest_step(201)  # a jump would stay as large


def test_there_and_back_moves_the_face_alike(head):
    wanted = np.random.default_rng(4).uniform(0, 0.8, (3, 52)) * np.isin(ARKIT_NAMES, KNOWN)
    flame = to_flame(controls_motion(wanted), head)
    assert flame.expr_names == head.expr_names[52:] and flame.head_model_hash == head.content_hash
    back = to_arkit(flame, head).expr
    shapes = head.exprdirs[face(head), :, :52].reshape(-1, 52)
    for frame in range(3):
        moved, again = shapes @ wanted[frame], shapes @ back[frame]
        assert np.linalg.norm(again - moved) < 0.1 * np.linalg.norm(moved)


def test_looks_turn_flames_eyes(head):
    controls = np.zeros((1, 52))
    controls[0, k("eyeLookOutLeft")] = 1
    flame = to_flame(controls_motion(controls), head)
    assert flame.eyes_pose[0, 1] == pytest.approx(0.45, abs=0.02)
    np.testing.assert_allclose(flame.eyes_pose[0, 3:], 0, atol=1e-6)
