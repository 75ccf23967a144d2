"""What can go wrong in making the environment, in words for people.

Codes: setup.cancelled, setup.busy, setup.disk_full, setup.no_network, setup.no_permission, setup.no_python,
setup.no_pip, setup.no_wheel, setup.wheels, setup.check, setup.failed.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from pathlib import Path

from likeness.contract.errors import InputError, LikenessError, MachineError

from .state import LOG

_DISK_FULL = ("no space left on device", "os error 28", "os error 112", "quota exceeded", "not enough space")
_NO_NETWORK = (
    "dns error", "failed to fetch", "failed to download", "error sending request", "tcp connect error", "timed out",
    "connection refused", "connection reset", "newconnectionerror", "connecttimeout", "max retries", "name resolution",
    "name or service not known", "getaddrinfo", "network is unreachable", "certificate", "proxyerror", "tunnel",
)  # fmt: skip
_NO_PERMISSION = ("permission denied", "access is denied", "os error 13", "os error 5)", "read-only file system")
_NO_WHEEL_FITS = ("provided package locations", "matching platform tag", "matching python", "no wheels with")
FATAL = frozenset(("setup.cancelled", "setup.disk_full", "setup.no_permission"))
"""Codes after which another way of doing the same is not tried."""


def cancelled() -> LikenessError:
    """The user's own wish."""
    return LikenessError("setup.cancelled", "The setup was stopped.", "Resume it when you like; it goes on from there.")


def busy() -> LikenessError:
    """Another Blender works in the folder."""
    remedy = "Wait until it is done, or stop it there."
    return MachineError("setup.busy", "Another Blender is setting up the engine right now.", remedy)


def disk_full(folder: Path, free: int | None = None, needed: int | None = None) -> LikenessError:
    """No room, found out before or in the middle; sizes in bytes."""
    message = f"The disk of {folder} is full."
    if free is not None and needed is not None:
        message = f"{needed / 1e9:.1f} GB are needed on the disk of {folder} and {free / 1e9:.1f} GB are free."
    return MachineError("setup.disk_full", message, "Free some space, then resume the setup.")


def no_permission(folder: Path, reason: str) -> LikenessError:
    """The folder cannot be written."""
    remedy = "Make that folder writable for you, or name an existing engine in the preferences."
    return MachineError("setup.no_permission", f"{folder} cannot be written ({reason}).", remedy)


def no_python(why: str) -> LikenessError:
    """No Python 3.11, neither here nor from elsewhere."""
    remedy = "Install Python 3.11 on this machine, then resume the setup."
    return MachineError("setup.no_python", f"No Python 3.11 was found{why}.", remedy)


def no_pip() -> LikenessError:
    """Blender's Python can fetch nothing."""
    remedy = "Install uv on this machine (it must be on the PATH), then resume the setup."
    return MachineError("setup.no_pip", "Blender's Python has neither pip nor venv, so uv cannot be fetched.", remedy)


def no_wheel(wheel: Path) -> LikenessError:
    """A checkout in which the extension was not built."""
    remedy = "Install the extension's zip again; in a checkout, run `make extension`."
    return MachineError("setup.no_wheel", f"The extension lacks its engine, {wheel}.", remedy)


def wheels_missing(folder: Path, missing: Sequence[str]) -> LikenessError:
    """A folder of wheels that does not hold all that is needed."""
    named = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
    remedy = "Make the folder again on a machine of the same kind, as the page about setup in the documentation shows."
    return InputError("setup.wheels", f"{folder} lacks wheels that fit this machine: {named}.", remedy)


def check_failed(lines: Iterable[str], folder: Path) -> LikenessError:
    """The environment is there and `likeness doctor` found it broken."""
    broken = "; ".join(" ".join(line.split()[1:]) for line in lines if line.startswith("broken"))
    if "libGL" in broken or "libEGL" in broken or "libgthread" in broken:
        remedy = "Install the system's OpenGL and GLib libraries (libgl1, libegl1, libgles2, libglib2.0-0)."
    else:
        remedy = f"Remove the engine and set it up again. The log is {folder / LOG}."
    return MachineError("setup.check", f"The engine was installed but is not in order: {_sentence(broken)}", remedy)


def from_output(lines: Sequence[str], folder: Path) -> LikenessError:
    """Tell from what a tool printed why it failed."""
    text = "\n".join(lines).lower()
    log = folder / LOG
    if any(sign in text for sign in _DISK_FULL):
        return disk_full(folder)
    if any(sign in text for sign in _NO_NETWORK):
        remedy = f"Check the network, its proxy and certificates, then resume the setup. The log is {log}."
        return MachineError("setup.no_network", "What the engine needs could not be fetched from the network.", remedy)
    if any(sign in text for sign in _NO_PERMISSION):
        return no_permission(folder, "permission denied")
    if any(sign in text for sign in _NO_WHEEL_FITS):
        remedy = f"Make the folder again on a machine of the same kind. The log is {log}."
        return InputError("setup.wheels", f"The wheels do not fit: {_sentence(_gist(lines))}", remedy)
    remedy = f"Resume the setup; if it fails again, look into {log}."
    return MachineError("setup.failed", f"A step of the setup failed: {_sentence(_gist(lines))}", remedy)


def from_os_error(error: OSError, folder: Path) -> LikenessError:
    """Tell what the operating system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(folder)
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return no_permission(Path(error.filename or folder), reason.lower())
    return MachineError("setup.failed", f"A step of the setup failed: {_sentence(reason)}", "Resume the setup.")


def _gist(lines: Sequence[str]) -> str:
    """Return the line that says why, else the last one."""
    told = [line.strip() for line in lines if line.strip()]
    reasons = [line.split(":", 1)[1].strip() for line in told if line.lower().startswith(("cause:", "error:"))]
    return (reasons[-1] if reasons else told[-1] if told else "it said nothing")[:300]


def _sentence(text: str) -> str:
    return f"{(text or 'no reason given').rstrip('.')}."
