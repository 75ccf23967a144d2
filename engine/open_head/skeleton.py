"""FLAME's five joints on the head: where they sit, what follows them, and the correctives that match the shapes."""

from __future__ import annotations

import numpy as np

from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.model import JAW_OPEN_ANGLE, LEFT_EYE_LOOKS
from open_head.edge_loops import neighbour_mean
from open_head.expressions import swap_side
from open_head.surface import METRES, HeadSurface

ROOT, NECK, JAW, LEFT_EYE, RIGHT_EYE = range(5)
FAINT = 0.002
"""Weights under this are the smoothing's far tail and count as none."""
CONDYLE = np.array([0.0, -0.032, -0.078])
"""The jaw's hinge on MakeHuman's base head, metres in head space: in front of the ear canal."""


def joint_regressor(surface: HeadSurface) -> np.ndarray:
    """Return J_regressor (5, V): affine combinations of nearby surface vertices, exact on MakeHuman's base head."""
    head = surface.points(surface.base.vertices)
    body = surface.vertices_of("body")
    regressor = np.zeros((5, len(head)))
    cube = {n: (surface.base.vertices[surface.base.groups[f"joint-{n}"]].mean(0) - surface.origin) * METRES
            for n in ("neck", "head", "spine-1")}  # fmt: skip
    targets = {ROOT: 0.75 * cube["neck"] + 0.25 * cube["spine-1"], NECK: 0.65 * cube["neck"] + 0.35 * cube["head"]}
    for joint, target in {**targets, JAW: CONDYLE}.items():
        near = body[np.abs(head[body, 1] - target[1]) < 0.012]
        near = near[(np.abs(head[near, 0]) < 0.085) & (np.abs(head[near, 2] - target[2]) < 0.06)]
        regressor[joint, near] = _affine_weights(head[near], target)
    for joint, ring in zip((LEFT_EYE, RIGHT_EYE), surface.eye_equators, strict=True):
        regressor[joint, ring] = 1 / len(ring)
    return regressor


def _affine_weights(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the smallest weights with sum 1 that combine the points (K, 3) to the target."""
    system = np.concatenate([points.T, np.ones((1, len(points)))])
    return np.linalg.lstsq(system, np.append(target, 1), rcond=None)[0]


def skinning_weights(surface: HeadSurface, mean: np.ndarray, joints: np.ndarray, jaw_open: np.ndarray) -> np.ndarray:
    """Return lbs_weights (V, 5), rows summing to one."""
    neck = _smoothstep(neck_height(mean))
    neck[surface.vertices_of("teeth_upper", "teeth_lower", "tongue")] = 1
    jaw = _jaw_follow(surface, mean, joints[JAW], jaw_open)
    weights = np.zeros((len(mean), 5))
    weights[:, ROOT] = 1 - neck
    weights[:, NECK] = neck * (1 - jaw)
    weights[:, JAW] = neck * jaw
    for joint, group in ((LEFT_EYE, "eye_left"), (RIGHT_EYE, "eye_right")):
        weights[surface.vertices_of(group)] = np.eye(5)[joint]
    return weights


def neck_height(points: np.ndarray) -> np.ndarray:
    """Return where points (K, 3) lie along the neck: 0 where it leaves the torso, 1 where the skull takes over.

    The planes lean forward like a neck, and the shoulders count as torso however high they are.
    """
    shoulder = 0.8 * np.maximum(np.abs(points[:, 0]) - 0.06, 0) * np.clip((-0.08 - points[:, 1]) / 0.03, 0, 1)
    return (points[:, 1] + 0.385 * points[:, 2] - shoulder + 0.225) / (0.225 - 0.137)


def _jaw_follow(surface: HeadSurface, mean: np.ndarray, hinge: np.ndarray, jaw_open: np.ndarray) -> np.ndarray:
    """Return how far (0..1) each vertex follows the jaw: jawOpen's field measured in units of the hinge's rotation."""
    turned = (mean - hinge) @ (rotvec_to_rotmat(np.array([JAW_OPEN_ANGLE, 0, 0])).T - np.eye(3))
    follow = (jaw_open * turned).sum(1) / np.maximum((turned**2).sum(1), 1e-8)
    follow = np.clip(follow, 0, 1)
    laplace = neighbour_mean(surface.faces, len(mean))
    for _ in range(6):
        follow = 0.5 * follow + 0.5 * (laplace @ follow)
    follow[follow < FAINT] = 0
    follow[surface.vertices_of("teeth_lower", "tongue")] = 1
    follow[surface.vertices_of("teeth_upper")] = 0
    return (follow + follow[surface.mirror]) / 2


def _smoothstep(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def pose_correctives(
    mean: np.ndarray, joints: np.ndarray, weights: np.ndarray, shapes: dict[str, np.ndarray]
) -> np.ndarray:
    """Return posedirs (V, 3, 36) with which a posed bone alone gives exactly what its ARKit shape gives at 1.

    The jaw's corrective is linear in sin (entry R[2, 1]). Up and down (or in and out) need two entries, the odd sin
    and the even cos - 1, solved so that both ends meet their shape.
    """
    posedirs = np.zeros((*mean.shape, 36))
    bone = rotvec_to_rotmat(np.array([JAW_OPEN_ANGLE, 0, 0]))
    opened = _corrective(mean, joints[JAW], weights[:, JAW], bone, shapes["jawOpen"])
    posedirs[:, :, 9 * (JAW - 1) + 7] = opened / bone[2, 1]
    for joint, side in ((LEFT_EYE, "Left"), (RIGHT_EYE, "Right")):
        for pair, sine, cosine in ((("Down", "Up"), 7, 4), (("Out", "In"), 2, 0)):
            ends = [_look(f"eyeLook{end}Left", side) for end in pair]
            wanted = np.stack(
                [_corrective(mean, joints[joint], weights[:, joint], rotation, shapes[name]) for name, rotation in ends]
            )
            entries = np.array([(r - np.eye(3)).ravel()[[sine, cosine]] for _, r in ends])
            solved = np.tensordot(np.linalg.inv(entries), wanted, 1)
            posedirs[:, :, 9 * (joint - 1) + sine] = solved[0]
            posedirs[:, :, 9 * (joint - 1) + cosine] = solved[1]
    return posedirs


def _look(left_name: str, side: str) -> tuple[str, np.ndarray]:
    x, y, _ = LEFT_EYE_LOOKS[left_name]
    if side == "Left":
        return left_name, rotvec_to_rotmat(np.array([x, y, 0.0]))
    return swap_side(left_name), rotvec_to_rotmat(np.array([x, -y, 0.0]))


def _corrective(
    mean: np.ndarray, joint: np.ndarray, weight: np.ndarray, rotation: np.ndarray, shape: np.ndarray
) -> np.ndarray:
    """Return c with skin(v + c) = v + shape, where skin blends the bone's rotation about the joint by the weight."""
    blend = np.eye(3) + weight[:, None, None] * (rotation - np.eye(3))
    moved = mean + shape - weight[:, None] * (joint - rotation @ joint)
    return np.linalg.solve(blend, moved[:, :, None])[:, :, 0] - mean
