"""What the engine and its client say to each other; the closed set of messages, each defined once.

Client to engine: Hello, CreateAvatar, Cancel, Ping. Engine to client: Welcome, Ready, JobProgress, AvatarCreated,
JobFailed, JobCancelled, Pong. A request has an `id` of the client's choice; every answer to it carries the same. Hello
and Welcome stay as they are in every protocol version. `codec` turns messages into bytes and back; docs/protocol.md
describes the conversation.
"""

from __future__ import annotations

from dataclasses import dataclass

PROTOCOL_VERSION = 1
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
    JobProgress,
    JobFailed,
    Cancel,
    JobCancelled,
    Ping,
    Pong,
)
"""All that may be said; whatever else arrives is refused."""
