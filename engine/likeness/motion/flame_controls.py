"""Between FLAME's own parameters and ARKit's controls, on one FLAME model.

From FLAME: the eyes' rotations become eyeLook controls; expression coefficients and jaw become the other controls, by
least squares over the face's vertices with every control within 0..1 (a ridge of 3 mm a control keeps the answer
unique and steady). The jaw moves a vertex by w (R - I) (v - j) and its correctives, linear in the nine numbers of
R - I; only that the correctives turn along with the jaw, fractions of a millimetre, is left out. To FLAME: each
control's solution (`likeness.head.flame_arkit`) times its value, summed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.motion import Motion
from likeness.contract.progress import Progress, SilentProgress
from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.assets import HeadAssets
from likeness.head.flame_arkit import JAW, SOLVED_REGIONS, arkit_controls, eye_rotations
from likeness.head.flame_map import region_faces

RIDGE = 0.003
"""Misfit (metres, root of the sum over the vertices) that a control at 1 must be worth."""
SWEEPS = 1000
TOLERANCE = 1e-6
LOOK = tuple(k for k, name in enumerate(ARKIT_NAMES) if name.startswith("eyeLook"))
FACE = tuple(k for k in range(len(ARKIT_NAMES)) if k not in LOOK)
CHUNK = 8192


@dataclass(frozen=True)
class Projection:
    """What least squares need of a head; C = 52 controls, E coefficients. All in square metres."""

    gram: Float[np.ndarray, "52 52"]
    of_expr: Float[np.ndarray, "52 E"]
    of_jaw: Float[np.ndarray, "52 9"]
    """Of the entries of R - I, row by row."""
    of_both: Float[np.ndarray, "52 9 E"]
    """Of their products with the coefficients: the jaw turns the expression along."""


def to_arkit(motion: Motion, head: HeadAssets, progress: Progress | None = None) -> Motion:
    """Return a FLAME motion as ARKit's controls, by the completed FLAME head its coefficients belong to.

    Jaw and eyes come to rest, for the controls say what they did.
    """
    progress = progress or SilentProgress()
    projection = project(head, len(motion.expr_names))
    looks = _looks(motion, head)
    controls = np.zeros((len(motion.times), len(ARKIT_NAMES)))
    for begin in range(0, len(controls), CHUNK):
        rows = slice(begin, begin + CHUNK)
        wanted = _wanted(projection, motion.expr[rows].astype(np.float64), motion.jaw_pose[rows])
        controls[rows] = bounded_least_squares(projection.gram, wanted, looks[rows])
        progress.update("mapping FLAME to ARKit", min(1.0, (begin + CHUNK) / len(controls)))
    return replace(
        motion,
        expr=controls.astype(np.float32),
        expr_names=ARKIT_NAMES,
        jaw_pose=np.zeros_like(motion.jaw_pose),
        eyes_pose=np.zeros_like(motion.eyes_pose),
        head_model="open",
        head_model_hash="",
    )


def to_flame(motion: Motion, head: HeadAssets) -> Motion:
    """Return ARKit's controls as FLAME's coefficients, jaw and eyes, by a completed FLAME head.

    What turns the jaw and the eyes already comes on top.
    """
    solution = arkit_controls(head)
    controls = motion.expr.astype(np.float64)
    return replace(
        motion,
        expr=(controls @ solution.coefficients).astype(np.float32),
        expr_names=head.expr_names[len(ARKIT_NAMES) :],
        jaw_pose=(motion.jaw_pose + controls @ solution.jaw_pose).astype(np.float32),
        eyes_pose=(motion.eyes_pose + controls @ solution.eyes_pose).astype(np.float32),
        head_model=head.name,
        head_model_hash=head.content_hash,
    )


def project(head: HeadAssets, coefficients: int) -> Projection:
    """Return a completed FLAME head's normal equations for its first `coefficients` directions, mean identity."""
    seen = np.unique(head.faces[region_faces(head, *SOLVED_REGIONS)])
    seen = np.setdiff1d(seen, np.flatnonzero(head.hidden))
    count = len(ARKIT_NAMES)
    shapes = head.exprdirs[seen, :, :count].astype(np.float64)
    expr = head.exprdirs[seen, :, count : count + coefficients].astype(np.float64)
    weight = head.lbs_weights[seen, JAW].astype(np.float64)
    joint = head.J_regressor[JAW].astype(np.float64) @ head.v_template
    arm = head.v_template[seen] - joint
    # Column (a, b) of R - I moves a vertex along a by its arm's part along b.
    turned = np.einsum("vac,v,vb->cab", shapes, weight, arm).reshape(count, 9)
    first = 9 * (JAW - 1)
    corrected = np.einsum("vac,vap->cp", shapes, head.posedirs[seen, :, first : first + 9].astype(np.float64))
    carried = np.einsum("vac,vbe->cabe", shapes * weight[:, None, None], expr, optimize=True)
    return Projection(
        gram=np.einsum("vac,vad->cd", shapes, shapes, optimize=True),
        of_expr=np.einsum("vac,vae->ce", shapes, expr, optimize=True),
        of_jaw=turned + corrected,
        of_both=carried.reshape(count, 9, -1),
    )


def bounded_least_squares(
    gram: Float[np.ndarray, "52 52"], wanted: Float[np.ndarray, "T 52"], looks: Float[np.ndarray, "T 52"]
) -> Float[np.ndarray, "T 52"]:
    """Return the controls within 0..1 that minimise x G x - 2 wanted x + ridge x x, with gaze as in `looks`.

    Coordinate descent, all frames at once, until no control moves by more than 1e-6.
    """
    face = list(FACE)
    aim = (wanted - looks @ gram)[:, face]
    matrix = gram[np.ix_(face, face)] + RIDGE**2 * np.eye(len(face))
    solved = np.zeros_like(aim)
    for _ in range(SWEEPS):
        largest = 0.0
        for k in range(len(face)):
            better = np.clip(solved[:, k] + (aim[:, k] - solved @ matrix[:, k]) / matrix[k, k], 0, 1)
            largest = max(largest, float(np.abs(better - solved[:, k]).max()))
            solved[:, k] = better
        if largest < TOLERANCE:
            break
    controls = looks.copy()
    controls[:, face] = solved
    return controls


def _wanted(projection: Projection, expr: Float[np.ndarray, "T E"], jaw: np.ndarray) -> Float[np.ndarray, "T 52"]:
    """Return each frame's displacements, projected on the controls' shapes."""
    turn = (rotvec_to_rotmat(jaw) - np.eye(3)).reshape(-1, 9)
    carried = np.einsum("tp,cpe,te->tc", turn, projection.of_both, expr, optimize=True)
    return expr @ projection.of_expr.T + turn @ projection.of_jaw.T + carried


def _looks(motion: Motion, head: HeadAssets) -> Float[np.ndarray, "T 52"]:
    """Return the eyeLook controls that turn each eye as the motion does, zeros for the other controls."""
    looks = np.zeros((len(motion.times), len(ARKIT_NAMES)))
    for side, region, first in (("Left", "eye_left", 0), ("Right", "eye_right", 3)):
        at_one = eye_rotations(head, region)
        turns = motion.eyes_pose[:, first : first + 3]
        for ways, axis in ((("In", "Out"), 1), (("Down", "Up"), 0)):
            for way in ways:
                k = ARKIT_NAMES.index(f"eyeLook{way}{side}")
                looks[:, k] = np.clip(turns[:, axis] / at_one[k, axis], 0, 1)
    return looks
