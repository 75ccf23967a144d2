"""Work that other threads leave to Blender's main thread.

In a window a render's handlers run in a thread of the render's own, while the main thread draws and evaluates the same
data without a lock. Such a thread therefore changes nothing itself: it waits while the main thread does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

import bpy

T = TypeVar("T")
PATIENCE = 10.0
"""Seconds until an action that the main thread has not begun is done without it, as are those that follow.

It comes to that when the main thread itself waits for the render to end: Blender quits, opens a file or undoes.
"""
IDLE, BUSY = 0.1, 0.005
"""Seconds between looks for actions: while nothing is rendered, and while something is."""


class _Task(Generic[T]):
    """An action, done once by whoever takes it first."""

    def __init__(self, action: Callable[[], T]) -> None:
        self._action = action
        self._taken = threading.Lock()
        self._begun, self._done = threading.Event(), threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None

    def do(self, after: Callable[[], None] = lambda: None) -> None:
        """Do it and what comes `after`, unless somebody has begun it already."""
        if not self._taken.acquire(blocking=False):
            return
        self._begun.set()
        try:
            self._result = self._action()
            after()
        except BaseException as error:
            self._error = error
        self._done.set()

    def wait(self) -> T:
        """Return what the action returned, or raise what it raised."""
        global _is_absent
        if _is_absent or not self._begun.wait(PATIENCE):
            _is_absent = True
            self.do()
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result


_tasks: SimpleQueue[_Task] = SimpleQueue()
_is_absent = False
"""Whether the main thread has not looked since it was waited for in vain."""


def call(action: Callable[[], T]) -> T:
    """Do something in the main thread and return what it returns; errors as the action's own.

    Without a window whoever calls does it: no other thread draws or evaluates there.
    """
    if bpy.app.background or threading.current_thread() is threading.main_thread():
        return action()
    task = _Task(action)
    _tasks.put(task)
    return task.wait()


def _look() -> float:
    global _is_absent
    _is_absent = False
    while True:
        try:
            task = _tasks.get_nowait()
        except Empty:
            return BUSY if bpy.app.is_job_running("RENDER") else IDLE
        task.do(_evaluate)


def _evaluate() -> None:
    """Evaluate what has changed.

    Else Blender would do it at the next redraw, while the render builds a dependency graph of its own; of two that are
    built at a time, Blender crashes.
    """
    for window in bpy.context.window_manager.windows:
        window.view_layer.update()


def register() -> None:
    """Look for actions from now on."""
    if not bpy.app.background:
        bpy.app.timers.register(_look, first_interval=IDLE, persistent=True)


def unregister() -> None:
    """Do what was left, and look no more."""
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
        _look()
