"""Any exception as a LikenessError: the same words on the command line, from the engine's process and in Blender."""

from __future__ import annotations

import errno
import tempfile
import traceback

from likeness.contract.errors import InputError, LikenessError, MachineError


def as_likeness_error(error: BaseException) -> LikenessError:
    """Return the error itself if it is made for people, else one that is; an unexpected one's traceback goes to a file.

    Codes: machine.memory, output.disk_full, internal.
    """
    if isinstance(error, LikenessError):
        return error
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's, on CUDA
        return MachineError("machine.memory", "The memory is not enough.", "Close other programs.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        # What is written beside the results: compiled kernels, standard output.
        return InputError("output.disk_full", "A disk is full.", "Free some space, for temporary and cached files too.")
    return _unexpected(error)


def _unexpected(error: BaseException) -> LikenessError:
    """Keep the traceback in a file, if one can be written, and return what to say: this is a defect of ours."""
    summary = " ".join(str(error).split())[:200]
    message = f"Something unexpected failed ({type(error).__name__}: {summary})."
    try:
        with tempfile.NamedTemporaryFile("w", prefix="likeness-", suffix=".log", delete=False, errors="replace") as log:
            traceback.print_exception(error, file=log)
        remedy = f"Details are in {log.name}."
    except OSError:
        remedy = "Its details could not be written to the folder for temporary files."
    failure = MachineError("internal", message, remedy)
    failure.__cause__ = error
    return failure
