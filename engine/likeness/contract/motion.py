"""What a performance is: what a head does over time, in the layout of GaussianAvatars and VHAP; and its .npz file.

Convention: metres, radians, seconds. World space has head space's axes (x to the subject's left, y up, z towards the
camera). In a frame the head is LBS(v_neutral + shapedirs @ expr, pose) + translation, with the joints' rotation vectors
pose = [rotation, neck_pose, jaw_pose, left eye, right eye], as FLAME has it. A head at rest before the camera has
rotation 0 and translation 0. T frames, E channels of expression.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np

from likeness.contract.atomic import atomic_write
from likeness.contract.errors import InputError
from likeness.contract.safe_npz import read_npz, write_npz

Array = Annotated
SCHEMA_VERSION = 1
MAX_FILE_BYTES = 1 << 30
MAX_FPS = 1000.0
MAKE_AGAIN = "Make it from its source with likeness track or likeness retarget."


@dataclass(frozen=True)
class Motion:
    """A performance. Arrays are float32, times float64."""

    times: Array[np.ndarray, "T"]
    """Seconds from the source's beginning, rising; frames need not be evenly spaced."""
    expr: Array[np.ndarray, "T E"]
    rotation: Array[np.ndarray, "T 3"]
    """Of the root: body and head together."""
    neck_pose: Array[np.ndarray, "T 3"]
    """Of the head against the body."""
    jaw_pose: Array[np.ndarray, "T 3"]
    eyes_pose: Array[np.ndarray, "T 6"]
    """Left eye, then right."""
    translation: Array[np.ndarray, "T 3"]
    observed: Array[np.ndarray, "T"]
    """uint8: 1 where the source shows the face, 0 where the gap was filled."""
    fps: float
    """The source's nominal rate."""
    head_model: str
    """Which head `expr` belongs to; `open` for ARKit's controls."""
    head_model_hash: str
    """Content hash of that model; empty where the source does not say, and for ARKit's controls."""
    expr_names: tuple[str, ...]
    """Names of the channels: ARKit's, or a FLAME model's `expr000`..."""
    K: Array[np.ndarray, "3 3"] | None = None
    """The camera that filmed it, pixels; None where nobody knows. float64."""
    T_camera_world: Array[np.ndarray, "4 4"] | None = None
    """World space to that camera's (OpenCV's axes). float64."""
    image_size: tuple[int, int] | None = None
    """Width and height of its pictures."""

    @property
    def pose(self) -> Array[np.ndarray, "T 5 3"]:
        """All joints' rotation vectors, in `JOINT_NAMES`' order."""
        eyes = self.eyes_pose.reshape(-1, 2, 3)
        joints = [self.rotation[:, None], self.neck_pose[:, None], self.jaw_pose[:, None], eyes]
        return np.concatenate(joints, axis=1)


ARRAYS = {
    "times": (),
    "rotation": (3,),
    "neck_pose": (3,),
    "jaw_pose": (3,),
    "eyes_pose": (6,),
    "translation": (3,),
    "observed": (),
}
"""The arrays with a row for every frame, `expr` apart, and the shape of their rows."""


def write_motion(path: Path, motion: Motion) -> None:
    """Write the performance whole or not at all; the same performance gives the same bytes.

    Errors: InputError `output.*`.
    """
    data = motion_to_bytes(motion)
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def read_motion(path: Path) -> Motion:
    """Read a performance that Likeness wrote. Errors: InputError `motion.missing`, `.damaged`, `.too_new`."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _damaged(path.name, "it is larger than any performance")
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError("motion.missing", f"{path} cannot be opened ({reason}).", "Check the name.") from error
    return motion_from_bytes(data, path.name)


def motion_to_bytes(motion: Motion) -> bytes:
    """Return the file's bytes."""
    arrays = {name: getattr(motion, name) for name in (*ARRAYS, "expr")}
    arrays |= {name: _text(getattr(motion, name)) for name in ("head_model", "head_model_hash")}
    arrays |= {"expr_names": _text("\n".join(motion.expr_names)), "fps": np.float64(motion.fps)}
    arrays["schema_version"] = np.int64(SCHEMA_VERSION)
    if motion.K is not None:
        arrays |= {"K": motion.K, "T_camera_world": motion.T_camera_world}
        arrays["image_size"] = np.array(motion.image_size, np.int64)
    return write_npz({name: np.asarray(array) for name, array in arrays.items()})


def motion_from_bytes(data: bytes, name: str) -> Motion:
    """Read a performance's bytes; `name` is for messages. Errors: InputError `motion.damaged`, `motion.too_new`."""
    try:
        stored = read_npz(data)
    except InputError as error:
        raise _damaged(name, error.message.rstrip(".")) from error
    version = stored.get("schema_version")
    if version is None or version.size != 1 or not np.isfinite(version).all():
        raise _damaged(name, "Likeness did not write it")
    if version.reshape(()) > SCHEMA_VERSION:
        raise InputError("motion.too_new", f"{name} comes from a newer Likeness.", "Install the newest version.")
    try:
        # Numbers that do not fit are found by the check; NumPy need not warn of them besides.
        with np.errstate(all="ignore"):
            motion = _motion(stored)
        check_motion(motion)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise _damaged(name, str(error).rstrip(".")) from error
    return motion


def check_motion(motion: Motion) -> None:
    """Raise ValueError unless everything fits together that later code relies on."""
    frames = len(motion.times)
    if frames == 0:
        raise ValueError("it has no frames")
    wanted = {name: (frames, *row) for name, row in ARRAYS.items()} | {"expr": (frames, len(motion.expr_names))}
    for name, shape in wanted.items():
        array = getattr(motion, name)
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"its {name} is {array.shape}, not {shape}, or not all numbers")
    if not (np.diff(motion.times) > 0).all():
        raise ValueError("its times do not rise")
    if not 0 < motion.fps <= MAX_FPS:
        raise ValueError(f"its rate is {motion.fps:g} frames a second")
    if len(set(motion.expr_names)) != len(motion.expr_names):
        raise ValueError("a channel has its name twice")
    camera = (motion.K, motion.T_camera_world, motion.image_size)
    if any(part is None for part in camera):
        if any(part is not None for part in camera):
            raise ValueError("its camera is incomplete")
        return
    shaped = motion.K.shape == (3, 3) and motion.T_camera_world.shape == (4, 4)
    finite = shaped and np.isfinite(motion.K).all() and np.isfinite(motion.T_camera_world).all()
    if not finite or min(motion.image_size) < 1:
        raise ValueError("its camera makes no sense")


def _motion(stored: dict[str, np.ndarray]) -> Motion:
    values = {field.name: stored[field.name] for field in fields(Motion) if field.name in stored}
    values |= {name: stored[name].astype(np.float32) for name in (*ARRAYS, "expr")}
    values |= {"times": stored["times"].astype(np.float64), "observed": stored["observed"].astype(np.uint8)}
    values |= {name: _read_text(stored[name]) for name in ("head_model", "head_model_hash")}
    values |= {"expr_names": tuple(_read_text(stored["expr_names"]).splitlines()), "fps": float(stored["fps"])}
    if "image_size" in stored:
        values["image_size"] = tuple(int(side) for side in stored["image_size"].reshape(2))
    return Motion(**values)


def _text(text: str) -> np.ndarray:
    """Text is stored as UTF-8 bytes: an .npz of plain numbers holds no strings."""
    return np.frombuffer(text.encode(), np.uint8)


def _read_text(stored: np.ndarray) -> str:
    return stored.astype(np.uint8).tobytes().decode()


def _damaged(name: str, reason: str) -> InputError:
    return InputError("motion.damaged", f"{name} cannot be read: {reason}.", MAKE_AGAIN)
