"""What is known of performances' files, asked from the engine without waiting; and what came of the last import.

An answer is kept as long as the file stays as it is. Everything here is for the main thread.
"""

from __future__ import annotations

import os

import bpy

from likeness.contract.errors import LikenessError
from likeness.contract.messages import DescribePerformance, PerformanceDescribed

from . import session
from .client import EngineState, Job
from .viewports import redraw_sidebars

INTERVAL = 0.1
MOST_KEPT = 50
"""Answers."""
Key = tuple[str, float]

report: tuple[str, ...] = ()
"""What the last import did and could not do, as sentences, until it is dismissed or another one begins."""

_known: dict[Key, PerformanceDescribed | LikenessError] = {}
_asked: dict[Key, Job | None] = {}
"""Questions on their way; None for those that are still to be sent."""


def look(path: str) -> PerformanceDescribed | LikenessError | None:
    """Return what a file holds or why that cannot be told; None until it is known. May be called while drawing."""
    key = _key(path)
    found = _known.get(key)
    if isinstance(found, LikenessError) and found.code.startswith("engine.") and _is_ready():
        _known.pop(key)  # it was for want of an engine, and there is one now
        found = None
    if found is None and key not in _asked:
        _asked[key] = None
        if not bpy.app.timers.is_registered(_follow):
            bpy.app.timers.register(_follow, first_interval=0.0, persistent=True)
    return found


def remember(path: str, described: PerformanceDescribed) -> None:
    """Keep an answer that came with an import."""
    _keep(_key(path), described)


def tell(sentences: tuple[str, ...]) -> None:
    """Keep for the panel what an import did; none dismisses it."""
    global report
    report = sentences
    redraw_sidebars()


def _follow() -> float | None:
    """Send questions and take answers, until there are none."""
    for key, job in list(_asked.items()):
        if job is None:
            _ask(key)
        elif job.done:
            del _asked[key]
            if not job.cancelled:
                _keep(key, job.error or job.result)
            redraw_sidebars()
    return INTERVAL if _asked else None


def _ask(key: Key) -> None:
    try:
        _asked[key] = session.client().submit(DescribePerformance(0, key[0]))
    except LikenessError as error:
        del _asked[key]
        _keep(key, error)
        redraw_sidebars()


def _keep(key: Key, answer: PerformanceDescribed | LikenessError) -> None:
    _known.pop(key, None)
    _known[key] = answer
    while len(_known) > MOST_KEPT:
        del _known[next(iter(_known))]


def _key(path: str) -> Key:
    """Return a file's path and the time of its last change; 0 where this machine does not see it."""
    absolute = bpy.path.abspath(path)
    try:
        return absolute, os.stat(absolute).st_mtime
    except (OSError, ValueError):
        return absolute, 0.0


def _is_ready() -> bool:
    return session.status().state == EngineState.READY


def register() -> None:
    """Begin knowing nothing."""


def unregister() -> None:
    """Forget everything."""
    global report
    if bpy.app.timers.is_registered(_follow):
        bpy.app.timers.unregister(_follow)
    report = ()
    _known.clear()
    _asked.clear()
