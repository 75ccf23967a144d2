"""Frames into an .mp4 (H.264, yuv420p, which every player shows)."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import UInt8

from likeness.contract.atomic import atomic_write
from likeness.contract.errors import MachineError

FPS = 25
ENCODING = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-movflags", "+faststart", "-f", "mp4")


def write_video(path: Path, frames: Iterable[UInt8[np.ndarray, "H W 3"]], size: tuple[int, int]) -> None:
    """Encode frames of `size` (width, height; both even) at 25 frames a second.

    Errors: MachineError `machine.no_ffmpeg`, `machine.ffmpeg_failed`; InputError `output.*`.
    """
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(FPS), "-i", "-")
    with atomic_write(path) as temporary, tempfile.TemporaryFile() as log:
        command = [find_ffmpeg(), "-y", "-v", "error", *source, *ENCODING, str(temporary)]
        process = _start(command, log)
        try:
            _feed(process, frames)
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
        if process.returncode:
            log.seek(0)
            raise _failure(log.read().decode(errors="replace"))


def find_ffmpeg() -> str:
    """Return the encoder's path: imageio-ffmpeg's own, else the system's. Errors: MachineError `machine.no_ffmpeg`."""
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise _no_ffmpeg() from error


def _start(command: list[str], log: IO[bytes]) -> subprocess.Popen:
    try:
        # In a session of its own, Ctrl-C reaches this process alone, which then stops the encoder.
        return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, start_new_session=True)
    except OSError as error:
        raise _no_ffmpeg() from error


def _feed(process: subprocess.Popen, frames: Iterable[UInt8[np.ndarray, "H W 3"]]) -> None:
    """Write every frame; an encoder that has gone away is told by its exit status, not by the broken pipe."""
    try:
        for frame in frames:
            process.stdin.write(np.ascontiguousarray(frame).data)
        process.stdin.close()
    except BrokenPipeError:
        return


def _failure(log: str) -> Exception:
    if os.strerror(errno.ENOSPC) in log:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    reason = " ".join(log.split())[-200:] or "no reason given"
    return MachineError(
        "machine.ffmpeg_failed", f"ffmpeg could not write the video ({reason}).", "Write numbered .png files instead."
    )


def _no_ffmpeg() -> MachineError:
    return MachineError(
        "machine.no_ffmpeg",
        "No ffmpeg can be started to write the video.",
        "Install ffmpeg, or write numbered .png files instead.",
    )
