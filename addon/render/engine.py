"""Frames from the engine, for a render that waits: Gaussians are sent once, an engine that died is started again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from likeness.contract.errors import LikenessError, MachineError
from likeness.contract.messages import DrawSheet, FrameRendered, KeepGaussians, RenderFrame, SheetDrawn

from .. import main_thread, session
from ..client import EngineClient, EngineState, Job
from ..overlay.layout import Gaussians

T = TypeVar("T")
Watch = Callable[[Job], bool]
"""Looks at a job and says whether to go on."""
LIMIT = 600.0
"""Seconds to wait for one frame, and for the engine to start."""
LOOK = 0.02
AGAIN = ("engine.died", "engine.silent", "engine.stopped", "engine.garbled", "frame.unknown")
"""Errors after which the engine is asked once more: it was exchanged, or has forgotten the Gaussians."""

_asked: EngineClient | None = None
_sent: set[str] = set()
"""What the engine that was last asked keeps, as far as is known here."""


def key_of(gaussians: Gaussians) -> str:
    """Return a name for these very Gaussians, so that none are ever taken for others."""
    digest = hashlib.sha256()
    arrays = vars(gaussians) | vars(gaussians.lit)
    del arrays["lit"]
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def wait_until_ready() -> None:
    """Start the engine if need be and wait for it; one that fails is started once more.

    Errors: MachineError as `session.client` and the client's own.
    """
    for is_last in (False, True):
        client, end = main_thread.call(session.client), time.monotonic() + LIMIT
        while client.status.state == EngineState.STARTING and time.monotonic() < end:
            time.sleep(LOOK)
        status = client.status
        if status.state == EngineState.READY:
            return
        if is_last:
            raise status.error or _late("has not started", "Press Restart Engine, or render again.")


def draw(
    frame: RenderFrame | DrawSheet, gaussians: Mapping[str, Gaussians], watch: Watch = lambda job: True
) -> FrameRendered | SheetDrawn:
    """Return a frame or a sheet; `gaussians` by its keys, `watch` sees the job from time to time and may end it.

    Errors: MachineError `render.time`, `render.cancelled` and as the client; whatever the engine says of the request.
    """
    try:
        return _try(frame, gaussians, watch)
    except LikenessError as error:
        if error.code not in AGAIN:
            raise
    _sent.clear()
    return _try(frame, gaussians, watch)


def _try(
    frame: RenderFrame | DrawSheet, gaussians: Mapping[str, Gaussians], watch: Watch
) -> FrameRendered | SheetDrawn:
    global _asked
    client = main_thread.call(session.client)
    if client is not _asked:
        _asked = client
        _sent.clear()
    for key in dict.fromkeys(frame.keys):
        if key not in _sent:
            _ask(client, _keep(key, gaussians[key]), watch)
            _sent.add(key)
    return _ask(client, frame, watch)


def _keep(key: str, given: Gaussians) -> KeepGaussians:
    return KeepGaussians(
        id=0,
        key=key,
        corners=given.corners,
        local_mean=given.local_mean,
        local_basis=given.local_basis,
        opacities=given.opacities,
        **vars(given.lit),
    )


def _ask(client: EngineClient, request: object, watch: Watch) -> object:
    job, end = client.submit(request), time.monotonic() + LIMIT
    while not job.wait(LOOK):
        if time.monotonic() > end:
            client.cancel(job)
            raise _late("has not drawn the frame", "Render at a lower resolution.")
        if not watch(job):
            client.cancel(job)
    if job.error or job.result is None:
        raise job.error or MachineError("render.cancelled", "The frame was cancelled.", "Render again.")
    return job.result


def _late(what: str, remedy: str) -> LikenessError:
    return MachineError("render.time", f"The engine {what} in {LIMIT / 60:g} minutes.", remedy)
