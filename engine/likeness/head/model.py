"""The parametric head: assets to vertices, prepared once per identity and driven many times.

Forward pass: FLAME (Li et al. 2017, equations 1 to 3) with linear blend skinning as in SMPL (Loper et al. 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import JOINT_NAMES, Part, Rig
from likeness.contract.errors import InputError, MachineError
from likeness.contract.safe_npz import read_npz
from likeness.geometry.rotations import rotvec_to_rotmat
from likeness.head.assets import REGION_NAMES, HeadAssets, hash_arrays
from likeness.head.lids import COLUMNS, LOOPS, fit_lids

OPEN_HEAD = Path(__file__).parent / "data" / "open_head.npz"
PARENTS = (-1, 0, 1, 1, 1)
NECK = JOINT_NAMES.index("neck")
"""The joint that carries the head."""
POSE_FEATURES = 9 * (len(JOINT_NAMES) - 1)
JAW_OPEN_ANGLE = 0.36
"""Open Head's jaw turned by this about x (radians) does what jawOpen = 1 does: MakeHuman's lower teeth turn so far."""
LEFT_EYE_LOOKS = {
    "eyeLookDownLeft": (0.42, 0.0, 0.0),
    "eyeLookUpLeft": (-0.36, 0.0, 0.0),
    "eyeLookInLeft": (0.0, -0.45, 0.0),
    "eyeLookOutLeft": (0.0, 0.45, 0.0),
}
"""The rotation vector of Open Head's left eye that a look shape at 1 equals; the right eye's mirrors it in y and z."""
PART_OF_REGION = {
    "torso": Part.TORSO,
    "mouth_inside": Part.MOUTH,
    "teeth_upper": Part.MOUTH,
    "teeth_lower": Part.MOUTH,
    "tongue": Part.MOUTH,
    "eye_left": Part.EYE,
    "eye_right": Part.EYE,
    "lashes_left": Part.LASH,
    "lashes_right": Part.LASH,
}
"""What a region's triangles depict; every other region is skin."""


@dataclass(frozen=True)
class PreparedHead:
    """All that depends on the identity alone. V vertices, E controls, P pose features, J joints."""

    v_neutral: Float[np.ndarray, "V 3"]
    joints: Float[np.ndarray, "J 3"]
    directions: Float[np.ndarray, "E_P V 3"]
    """Expression directions, then pose correctives, each one's vertices in a row: what `forward` adds up."""
    control_count: int
    lbs_weights: Float[np.ndarray, "V J"]
    parents: tuple[int, ...]
    faces: Int[np.ndarray, "F 3"]

    @property
    def shapes(self) -> Float[np.ndarray, "V 3 E"]:
        """The expression directions, a view."""
        return self.directions[: self.control_count].transpose(1, 2, 0)

    @property
    def posedirs(self) -> Float[np.ndarray, "V 3 P"]:
        """The pose correctives, a view."""
        return self.directions[self.control_count :].transpose(1, 2, 0)


def load_open_head(path: Path = OPEN_HEAD) -> HeadAssets:
    """Read Open Head, the default head model.

    Errors: MachineError `head.missing` or `head.damaged`: it ships with the engine, so the installation is broken.
    """
    try:
        stored = read_npz(path.read_bytes())
        return _open_head_assets(stored)
    except OSError as error:
        complaint = f"Open Head cannot be read: {error}."
        raise MachineError("head.missing", complaint, "Install the engine again.") from error
    except (InputError, KeyError, ValueError) as error:
        raise MachineError("head.damaged", "Open Head's file is damaged.", "Install the engine again.") from error


def _open_head_assets(stored: dict[str, np.ndarray]) -> HeadAssets:
    _check_sizes(stored)
    return HeadAssets(
        name="open",
        licence="CC0-1.0",
        content_hash=hash_arrays(stored),
        expr_names=ARKIT_NAMES,
        parents=PARENTS,
        **{name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in stored.items()},
    )


def _check_sizes(stored: dict[str, np.ndarray]) -> None:
    """Raise ValueError or KeyError unless exactly the asset's arrays are there and fit each other."""
    vertices, triangles, corners = len(stored["v_template"]), len(stored["faces"]), len(stored["uv"])
    joints, shapes = len(JOINT_NAMES), len(ARKIT_NAMES)
    wanted = {
        "v_template": (vertices, 3),
        "faces": (triangles, 3),
        "uv": (corners, 2),
        "faces_uv": (triangles, 3),
        "shapedirs": (vertices, 3, stored["shapedirs"].shape[-1]),
        "exprdirs": (vertices, 3, shapes),
        "posedirs": (vertices, 3, POSE_FEATURES),
        "J_regressor": (joints, vertices),
        "lbs_weights": (vertices, joints),
        "face_region": (triangles,),
        "hidden": (vertices,),
        "mirror": (vertices,),
        "landmark_faces": (478,),
        "landmark_bary": (478, 3),
        "landmark_spread": (478,),
        "ibug_faces": (68,),
        "ibug_bary": (68, 3),
        "lid_loops": (2, LOOPS, COLUMNS),
    }
    found = {name: array.shape for name, array in stored.items()}
    if found != wanted:
        raise ValueError(f"the arrays are {found}, not {wanted}")
    limits = {"faces": vertices, "mirror": vertices, "lid_loops": vertices, "faces_uv": corners,
              "face_region": len(REGION_NAMES), "landmark_faces": triangles, "ibug_faces": triangles}  # fmt: skip
    wrong = [name for name, end in limits.items() if stored[name].min() < 0 or stored[name].max() >= end]
    if wrong:
        raise ValueError(f"indices out of range: {', '.join(wrong)}")


def shaped_vertices(
    assets: HeadAssets, betas: Float[np.ndarray, "S"], offsets: Float[np.ndarray, "V 3"] | None = None
) -> Float[np.ndarray, "V 3"]:
    """Return the neutral head of an identity, with personal offsets (metres) if there are any. float32."""
    shaped = assets.v_template + assets.shapedirs @ np.asarray(betas, np.float32)
    return shaped if offsets is None else shaped + np.asarray(offsets, np.float32)


def prepare_identity(
    assets: HeadAssets, betas: Float[np.ndarray, "S"], offsets: Float[np.ndarray, "V 3"] | None = None
) -> PreparedHead:
    """Compute what depends on the identity alone: neutral vertices, joints, and eye shapes with which its lids close.

    The joints follow the offsets too, so that eyes turn in place.
    """
    v_neutral = shaped_vertices(assets, betas, offsets)
    joints = assets.J_regressor @ v_neutral
    return PreparedHead(
        v_neutral=v_neutral,
        joints=joints,
        directions=_direction_rows(fit_lids(assets, v_neutral, joints), assets.posedirs),
        control_count=assets.exprdirs.shape[-1],
        lbs_weights=assets.lbs_weights,
        parents=assets.parents,
        faces=assets.faces,
    )


def prepare_rig(rig: Rig) -> PreparedHead:
    """Prepare an avatar's rig, its scaffold included, for `forward`."""
    return _prepared(rig, rig.shapedirs, rig.posedirs)


def _prepared(rig: Rig, shapes: Float[np.ndarray, "V 3 E"], posedirs: Float[np.ndarray, "V 3 P"]) -> PreparedHead:
    return PreparedHead(
        v_neutral=rig.v_neutral,
        joints=rig.joints,
        directions=_direction_rows(shapes, posedirs),
        control_count=shapes.shape[-1],
        lbs_weights=rig.lbs_weights,
        parents=rig.parents,
        faces=rig.faces,
    )


def bake_rig(assets: HeadAssets, betas: Float[np.ndarray, "S"], offsets: Float[np.ndarray, "V 3"] | None = None) -> Rig:
    """Bake an identity into an avatar's rig, without a scaffold."""
    prepared = prepare_identity(assets, betas, offsets)
    part_of_region = np.array([PART_OF_REGION.get(name, Part.SKIN) for name in REGION_NAMES], np.int32)
    return Rig(
        v_neutral=prepared.v_neutral,
        faces=assets.faces,
        head_vertices=len(assets.v_template),
        head_triangles=len(assets.faces),
        uv=assets.uv,
        faces_uv=assets.faces_uv,
        control_names=assets.expr_names,
        shapedirs=np.ascontiguousarray(prepared.shapes),
        posedirs=np.ascontiguousarray(prepared.posedirs),
        joints=prepared.joints,
        parents=assets.parents,
        lbs_weights=assets.lbs_weights,
        face_part=part_of_region[assets.face_region],
    )


def forward(
    prepared: PreparedHead, controls: Float[np.ndarray, "E"], pose: Float[np.ndarray, "J 3"]
) -> Float[np.ndarray, "V 3"]:
    """Return the posed vertices (float32, metres). `pose` holds the joints' rotation vectors, parents first."""
    rotations = rotvec_to_rotmat(pose)
    feature = (rotations[1:] - np.eye(3)).reshape(-1)
    coefficients = np.concatenate([controls, feature]).astype(np.float32)
    active = np.flatnonzero(coefficients)
    vertices = _add_directions(prepared.v_neutral, prepared.directions, coefficients, active)
    if np.any(pose):
        transforms = _joint_transforms(rotations, prepared.joints, prepared.parents)
        _skin(vertices, prepared.lbs_weights, transforms)
    return vertices


def rig_vertices(
    rig: Rig, controls: Float[np.ndarray, "E"], pose: Float[np.ndarray, "J 3"]
) -> Float[np.ndarray, "V 3"]:
    """Return a rig's posed vertices once; for many frames, `prepare_rig` first and `forward` each frame."""
    moving = np.flatnonzero(controls)  # the others' directions need not be brought in order
    turned = rig.posedirs if np.any(pose) else rig.posedirs[:, :, :0]
    return forward(_prepared(rig, rig.shapedirs[:, :, moving], turned), np.asarray(controls)[moving], pose)


def landmarks(vertices: Float[np.ndarray, "V 3"], assets: HeadAssets) -> Float[np.ndarray, "478 3"]:
    """Return MediaPipe's 478 landmarks on the surface."""
    return _on_triangles(vertices, assets.faces[assets.landmark_faces], assets.landmark_bary)


def ibug_landmarks(vertices: Float[np.ndarray, "V 3"], assets: HeadAssets) -> Float[np.ndarray, "68 3"]:
    """Return iBUG's 68 landmarks on the surface."""
    return _on_triangles(vertices, assets.faces[assets.ibug_faces], assets.ibug_bary)


def _on_triangles(vertices: np.ndarray, corners: np.ndarray, bary: np.ndarray) -> np.ndarray:
    return np.einsum("nkc,nk->nc", vertices[corners], bary)


def _direction_rows(shapes: np.ndarray, posedirs: np.ndarray) -> np.ndarray:
    rows = np.concatenate([shapes.transpose(2, 0, 1), posedirs.transpose(2, 0, 1)])
    return np.ascontiguousarray(rows, np.float32)


def _joint_transforms(rotations: np.ndarray, joints: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
    """Return (J, 3, 4) float32: where each joint carries a point of the rest pose."""
    world_rotation, world_place = [rotations[0]], [joints[0].astype(np.float64)]
    for joint, parent in enumerate(parents[1:], 1):
        world_rotation.append(world_rotation[parent] @ rotations[joint])
        world_place.append(world_place[parent] + world_rotation[parent] @ (joints[joint] - joints[parent]))
    turn = np.stack(world_rotation)
    shift = np.stack(world_place) - np.einsum("jab,jb->ja", turn, joints)
    return np.concatenate([turn, shift[:, :, None]], -1).astype(np.float32)


@njit(cache=True, fastmath=True)
@no_type_check
def _add_directions(v_neutral, directions, coefficients, active):
    """Return v_neutral plus the active directions; every direction is read once, in order."""
    summed = v_neutral.copy()
    total = summed.reshape(-1)
    for k in active:
        row, coefficient = directions[k].reshape(-1), coefficients[k]
        for i in range(total.size):
            total[i] += coefficient * row[i]
    return summed


@njit(cache=True, fastmath=True)
@no_type_check
def _skin(vertices, weights, transforms):
    """Blend the joints' transforms at every vertex and apply them in place."""
    blend = np.empty((3, 4), np.float32)
    for v in range(len(vertices)):
        blend[:] = 0
        for joint in range(weights.shape[1]):
            if weights[v, joint] != 0:
                for a in range(3):
                    for b in range(4):
                        blend[a, b] += weights[v, joint] * transforms[joint, a, b]
        x, y, z = vertices[v]
        for a in range(3):
            vertices[v, a] = blend[a, 0] * x + blend[a, 1] * y + blend[a, 2] * z + blend[a, 3]
