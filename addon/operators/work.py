"""Work in a thread, and operators that wait for it: modal with progress and Esc when invoked, blocking in scripts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import bpy
from bpy.types import Context, Event

from likeness.contract.errors import LikenessError
from likeness.contract.failures import as_likeness_error

from .. import session
from ..photo import shown

T = TypeVar("T")
INTERVAL = 0.1
"""Seconds between two looks at the work."""
BUSY = "Something else is on its way: wait for it, or cancel it"


class Work(Generic[T]):
    """A function in a thread. Once `done`, it has a result, an error, or was cancelled."""

    def __init__(self, do: Callable[[Work[T]], T]) -> None:
        """Start; `do` gets this work, to report to and to ask whether it is cancelled."""
        self.stage = ""
        self.fraction = 0.0
        self.result: T | None = None
        self.error: LikenessError | None = None
        self.cancelled = False
        self._done = threading.Event()
        threading.Thread(target=self._run, args=(do,), name="likeness-work", daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the work has ended, in whichever way."""
        return self._done.is_set()

    def wait(self, timeout: float) -> bool:
        """Wait for the end, at most `timeout` seconds, and say whether it has come."""
        return self._done.wait(timeout)

    def cancel(self) -> None:
        """End it at once; the thread follows as soon as it looks, and what it still brings is left."""
        if not self.done:
            self.cancelled = True
            self._done.set()

    def _run(self, do: Callable[[Work[T]], T]) -> None:
        try:
            self.result = do(self)
        # The work may fail in any way, and whoever waits for it has to hear of it.
        except Exception as error:
            self.error = as_likeness_error(error)
        self._done.set()


class Waiter:
    """What operators share that wait for a work: with progress and Esc, the rest of Blender goes on meanwhile.

    They have a `conclude`, which gets the work when it has ended, in whichever way, and ends the operator.
    """

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Ask for one at a time."""
        if session.work is not None:
            cls.poll_message_set(BUSY)
            return False
        return True

    def wait_for(self, context: Context, work: Work) -> set[str]:
        """Wait for a work, which is what `invoke` returns then."""
        self.work = work
        session.begin(work)
        self.timer = context.window_manager.event_timer_add(INTERVAL, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def block_for(self, work: Work) -> None:
        """Wait for a work as scripts do."""
        session.begin(work)
        try:
            while not work.wait(INTERVAL):
                pass  # in steps, so that Ctrl-C gets through
        finally:
            work.cancel()
            session.end()

    def without_result(self, work: Work) -> set[str]:
        """Tell of a work that was cancelled or failed, and return how the operator ends; empty if there is a result."""
        if work.cancelled:
            self.report({"INFO"}, "Cancelled")
            return {"CANCELLED"}
        return self.failed(work.error) if work.error else set()

    def modal(self, context: Context, event: Event) -> set[str]:
        """Look at the work from time to time; all but Esc passes through to the rest of Blender."""
        if event.type == "ESC" and event.value == "PRESS":
            self.work.cancel()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        if not self.work.done:
            _show(context, f"{self.work.stage} {self.work.fraction:.0%}    Esc: Cancel")
            return {"PASS_THROUGH"}
        self._leave(context)
        return self.conclude(context, self.work)

    def cancel(self, context: Context) -> None:
        """End with the window or the file."""
        work = getattr(self, "work", None)
        if work is not None:
            work.cancel()
            self._leave(context)

    def failed(self, error: LikenessError) -> set[str]:
        """End the operator with an error, which is told in the panel too."""
        error = type(error)(error.code, shown(error.message), shown(error.remedy))
        session.tell(error=error)
        self.report({"ERROR"}, f"{error.message} {error.remedy}")
        return {"CANCELLED"}

    def _leave(self, context: Context) -> None:
        context.window_manager.event_timer_remove(self.timer)
        _show(context, None)
        session.end()


def _show(context: Context, text: str | None) -> None:
    """Show progress in the headers of the 3D views and in the status bar unless another tool uses them; None clears."""
    if text and len(context.window.modal_operators) > 1:
        return
    for workspace in bpy.data.workspaces if text is None else (context.workspace,):
        workspace.status_text_set(text)
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.header_text_set(text)
