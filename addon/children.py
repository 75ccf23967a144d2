"""Child processes in a group of their own, so that they end with all of their own children. Needs no bpy."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

if sys.platform == "win32":
    OWN_GROUP = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    """No console window opens, and Ctrl-C in Blender's console is not the child's."""
else:
    OWN_GROUP = {"start_new_session": True}


def kill(child: subprocess.Popen) -> None:
    """End a child that was started with OWN_GROUP, and its children; one that has ended is left alone."""
    if child.poll() is not None:
        return
    if sys.platform == "win32":  # the interpreter of a virtual environment is a child of its launcher
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(child.pid)], capture_output=True, check=False, **OWN_GROUP)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
