"""What the engine and its client say to each other; the closed set of messages, each defined once.

Client to engine: Hello, CreateAvatar, KeepGaussians, RenderFrame, DrawSheet, MakePlate, DescribePerformance,
RetargetPerformance, Cancel, Ping. Engine to client: Welcome, Ready, JobProgress, FrameTracked, AvatarCreated,
GaussiansKept, FrameRendered, SheetDrawn, PlateMade, PerformanceDescribed, PerformanceRetargeted, JobFailed,
JobCancelled, Pong. A request has an `id` of the client's choice; every answer to it carries the same. Hello and Welcome
never change, so that any two versions can tell each other apart. `codec` turns messages into bytes and back;
docs/protocol.md describes the conversation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

Array = Annotated

PROTOCOL_VERSION = 3
"""Raised by every change after which an older program would misunderstand."""


@dataclass(frozen=True)
class Hello:
    """The client's first message."""

    protocol: int
    software: str


@dataclass(frozen=True)
class Welcome:
    """The engine's answer to Hello, at once, before anything heavy is loaded."""

    protocol: int
    software: str
    python: str


@dataclass(frozen=True)
class Ready:
    """The engine has loaded what it needs; jobs that came before wait until then."""

    device: str
    """`cpu` or `cuda`."""
    device_name: str


@dataclass(frozen=True)
class CreateAvatar:
    """Make an avatar of a photograph."""

    id: int
    portrait: bytes
    """The picture file's bytes."""
    filename: str
    """The picture file's name, for messages."""
    quality: str
    head: str
    """`open`, or the path of a FLAME file on the engine's machine."""
    face: int | None
    """1 is the largest face; None takes the only one."""
    device: str
    """`auto`, `cpu` or `cuda`."""
    seed: int


@dataclass(frozen=True)
class AvatarCreated:
    """The answer to CreateAvatar: a .likeness file's bytes, and warnings as plain sentences."""

    id: int
    avatar: bytes
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class KeepGaussians:
    """Keep an avatar's Gaussians for later frames, in the place of any that were kept under this key."""

    id: int
    key: str
    corners: Array[np.ndarray, "N 3"]
    """The vertices of each Gaussian's triangle, int32."""
    local_mean: Array[np.ndarray, "N 3"]
    local_basis: Array[np.ndarray, "N 3 3"]
    opacities: Array[np.ndarray, "N"]
    albedo: Array[np.ndarray, "N 3"]
    facing: Array[np.ndarray, "N 3"]
    still: Array[np.ndarray, "9 3"]
    harmonics: Array[np.ndarray, "9 3"]
    body: Array[np.ndarray, "3"]
    head: Array[np.ndarray, "3"]
    """The last two are int32. `contract.lighting.LitColors` says what these six mean, `contract.avatar.BoundGaussians`
    the others; all else is float32."""


@dataclass(frozen=True)
class GaussiansKept:
    """The answer to KeepGaussians."""

    id: int


MAX_FRAME_SIDE = 1 << 14
"""Pixels of a frame's or a sheet's longer side."""


@dataclass(frozen=True)
class RenderFrame:
    """Draw avatars whose Gaussians are kept into one picture. World space and its unit of length are the client's."""

    id: int
    width: int
    height: int
    T_camera_world: Array[np.ndarray, "4 4"]
    """OpenCV's camera: x right, y down, z forward; float64."""
    K: Array[np.ndarray, "3 3"]
    """Pixels; with an orthographic lens pixels per unit; float64."""
    orthographic: bool
    near: float
    far: float
    keys: tuple[str, ...]
    """B of them, one for each avatar."""
    vertex_counts: tuple[int, ...]
    vertices: Array[np.ndarray, "V 3"]
    """Of all avatars, one after the other, each in its own space; float32."""
    T_world_body: Array[np.ndarray, "B 4 4"]
    """Affine; float64."""


@dataclass(frozen=True)
class FrameRendered:
    """The answer to RenderFrame: the rectangle in which something can be seen; it has no pixels where nothing can."""

    id: int
    left: int
    """Columns of the frame before the rectangle."""
    top: int
    """Rows of the frame above it."""
    rgba: Array[np.ndarray, "H W 4"]
    """sRGB, premultiplied, the top row first; float32."""
    depth: Array[np.ndarray, "H W"]
    """Mean depth along the view axis, RenderFrame's units; 0 where nothing is seen; float32."""


@dataclass(frozen=True)
class DrawSheet:
    """Draw avatars whose Gaussians are kept into the cells of one page: each column one of them, each row one view."""

    id: int
    title: str
    row_names: tuple[str, ...]
    """R of them."""
    column_names: tuple[str, ...]
    """C of them."""
    names_beneath: bool
    """Whether the columns' names stand under the last row; else above the first."""
    width: int
    height: int
    """Of a cell, pixels."""
    K: Array[np.ndarray, "3 3"]
    """Of every cell, pixels; float64."""
    T_camera_body: Array[np.ndarray, "R C 4 4"]
    """A body's own space to the camera's (OpenCV's axes, metres), affine; float64."""
    keys: tuple[str, ...]
    """C of them, the same one as often as need be."""
    vertex_counts: tuple[int, ...]
    vertices: Array[np.ndarray, "V 3"]
    """Of all columns, one after the other, each in its body's own space; float32."""


@dataclass(frozen=True)
class SheetDrawn:
    """The answer to DrawSheet: the page as a PNG file's bytes."""

    id: int
    png: bytes


@dataclass(frozen=True)
class MakePlate:
    """Take the person whom an avatar covers out of its photograph."""

    id: int
    photograph: bytes
    """A picture file's bytes."""
    face_square: tuple[float, ...]
    """Of the avatar's face: left, top, side, in pixels of the photograph."""


@dataclass(frozen=True)
class PlateMade:
    """The answer to MakePlate: a PNG file's bytes, as large as the photograph."""

    id: int
    plate: bytes


@dataclass(frozen=True)
class DescribePerformance:
    """Say what a performance's file holds."""

    id: int
    path: str
    """On the engine's machine: a video, Live Link Face's .csv, ARKit's .json, a FLAME sequence (.npz or a folder)."""


@dataclass(frozen=True)
class PerformanceDescribed:
    """The answer to DescribePerformance."""

    id: int
    kind: str
    """In words: `Live Link Face CSV`."""
    seconds: float
    fps: float
    """The file's nominal rate."""
    frames: int
    """In a video an estimate."""
    holds: tuple[str, ...]
    """What can be had of it, in words."""
    has_sound: bool
    notes: tuple[str, ...]
    """Plain sentences."""


@dataclass(frozen=True)
class RetargetPerformance:
    """Turn a performance's file into a motion for an avatar's controls; a video is tracked first."""

    id: int
    path: str
    """On the engine's machine."""
    control_names: tuple[str, ...]
    """The avatar's."""
    head_model: str
    head_model_hash: str
    start: float
    """Seconds of the file."""
    end: float | None
    """Seconds of the file; None takes all that follows."""
    fps: float | None
    """Of a file that does not say its rate."""
    source_head: str | None
    """Path on the engine's machine of the FLAME model to which a file's coefficients belong."""
    neutral: str
    """The performer's face at rest is measured: `auto`, `at` a time, `off`."""
    neutral_at: float
    """Seconds of the file, for `at`."""
    smoothing: str
    """`none`, `one-euro` or `savgol`."""
    strength: float
    """Of the smoothing, 0..1."""
    mirror: bool
    head_motion: bool
    regions: tuple[str, ...]
    """Parts of the face, G of them."""
    gains: tuple[float, ...]
    """G of them; regions that are not named have 1."""
    performer: int | None
    """Of a video: 1 is the leftmost; None takes the only one."""


@dataclass(frozen=True)
class FrameTracked:
    """On the way to PerformanceRetargeted: a frame of the video as it is known by now, for a preview."""

    id: int
    seconds: float
    """Of the video."""
    controls: Array[np.ndarray, "52"]
    """By ARKIT_NAMES, float32."""
    pose: Array[np.ndarray, "5 3"]
    """Rotation vectors of the joints, head space, radians, float32."""


@dataclass(frozen=True)
class PerformanceRetargeted:
    """The answer to RetargetPerformance: a motion file's bytes, and what was left out or poor as plain sentences."""

    id: int
    motion: bytes
    """Its times begin with 0 at the request's start."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class JobProgress:
    """Stage `stage` (a short human name) of a job is done to `fraction` in 0..1."""

    id: int
    stage: str
    fraction: float


@dataclass(frozen=True)
class JobFailed:
    """A job ended in a LikenessError: its code, message and remedy."""

    id: int
    code: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Cancel:
    """Stop the job, or take it off the queue."""

    id: int


@dataclass(frozen=True)
class JobCancelled:
    """The job ended because of Cancel."""

    id: int


@dataclass(frozen=True)
class Ping:
    """Asks for a sign of life; answered even while a job runs."""

    id: int


@dataclass(frozen=True)
class Pong:
    """The answer to Ping."""

    id: int


MESSAGES: tuple[type, ...] = (
    Hello,
    Welcome,
    Ready,
    CreateAvatar,
    AvatarCreated,
    KeepGaussians,
    GaussiansKept,
    RenderFrame,
    FrameRendered,
    DrawSheet,
    SheetDrawn,
    MakePlate,
    PlateMade,
    DescribePerformance,
    PerformanceDescribed,
    RetargetPerformance,
    FrameTracked,
    PerformanceRetargeted,
    JobProgress,
    JobFailed,
    Cancel,
    JobCancelled,
    Ping,
    Pong,
)
"""All that may be said; whatever else arrives is refused."""

ANSWERS: dict[type, type] = {
    CreateAvatar: AvatarCreated,
    KeepGaussians: GaussiansKept,
    RenderFrame: FrameRendered,
    DrawSheet: SheetDrawn,
    MakePlate: PlateMade,
    DescribePerformance: PerformanceDescribed,
    RetargetPerformance: PerformanceRetargeted,
}
"""The requests that are jobs, and what each gives when it goes well."""
