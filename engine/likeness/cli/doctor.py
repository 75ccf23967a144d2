"""likeness doctor: whether this machine has what the engine needs, and what to do where it has not."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from likeness.contract.errors import LikenessError, MachineError

NEEDED_GIB = 3.0
PACKAGES = ("numpy", "scipy", "PIL", "cv2", "numba", "torch", "mediapipe", "av", "OpenEXR")


@dataclass(frozen=True)
class Finding:
    """One line of the report. `ok`: fine, `note`: works without it, `broken`: cannot work."""

    name: str
    state: str
    text: str
    remedy: str = ""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser("doctor", help="check that this machine has what is needed")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print every finding. Errors: MachineError `machine.broken` where something needed is missing."""
    broken = []
    for check in CHECKS:
        for finding in check():
            print(f"{finding.state:<7}{finding.name:<16}{finding.text} {finding.remedy}".rstrip())
            broken += [finding.name] if finding.state == "broken" else []
    if broken:
        raise MachineError("machine.broken", f"Not in order: {', '.join(broken)}.", "Do what the lines above say.")


def check_python() -> list[Finding]:
    """Check the interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info < (3, 13):
        return [Finding("python", "ok", version)]
    return [Finding("python", "broken", version, "Install the engine with Python 3.11 or 3.12.")]


def check_packages() -> list[Finding]:
    """Check that every package can be imported."""
    return [_check_package(name) for name in PACKAGES]


def _check_package(name: str) -> Finding:
    try:
        module = importlib.import_module(name)
    # A broken installation can raise anything while it is imported.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        return Finding(name, "broken", f"cannot be imported ({reason}).", "Install the engine's requirements again.")
    return Finding(name, "ok", getattr(module, "__version__", "present"))


def check_cuda() -> list[Finding]:
    """Look for a CUDA device and for gsplat, which together are optional."""
    if not importlib.util.find_spec("torch"):
        return []
    import torch

    from likeness.rendering.device import missing_for_cuda

    if not torch.cuda.is_available():
        return [Finding("cuda", "note", "no device; the CPU is used.")]
    missing = missing_for_cuda()
    if missing:
        remedy = "To use it, install the engine's `cuda` extra and NVIDIA's CUDA toolkit."
        return [Finding("cuda", "note", f"{torch.cuda.get_device_name()}, but {missing}.", remedy)]
    return [Finding("cuda", "ok", f"{torch.cuda.get_device_name()}, gsplat {importlib.metadata.version('gsplat')}")]


def check_machine() -> list[Finding]:
    """Check cores and free memory."""
    from likeness.geometry.threads import core_count

    cores = Finding("cores", "ok", str(core_count()))
    free = _free_gib()
    if free is None:
        return [cores, Finding("memory", "note", "how much is free cannot be told here.")]
    if free < NEEDED_GIB:
        remedy = f"Close other programs; creating an avatar takes up to {NEEDED_GIB:g} GiB."
        return [cores, Finding("memory", "note", f"{free:.1f} GiB free.", remedy)]
    return [cores, Finding("memory", "ok", f"{free:.1f} GiB free")]


def _free_gib() -> float | None:
    """Return the memory a new program could take, as Linux tells it; None elsewhere."""
    table = Path("/proc/meminfo")
    if not table.is_file():
        return None
    kib = [line.split()[1] for line in table.read_text().splitlines() if line.startswith("MemAvailable:")]
    return int(kib[0]) / 2**20 if kib else None


def check_video() -> list[Finding]:
    """Check that videos can be written."""
    if not importlib.util.find_spec("av"):
        return []
    from likeness.avatar.video import find_encoder

    return [_outcome("video", find_encoder, state="note")]


def check_head() -> list[Finding]:
    """Check that the open head is there and whole."""
    from likeness.head.model import load_open_head

    return [_outcome("open head", lambda: f"{load_open_head().content_hash[:16]}...", state="broken")]


def _outcome(name: str, attempt: Callable[[], str], *, state: str) -> Finding:
    try:
        return Finding(name, "ok", attempt())
    except LikenessError as error:
        return Finding(name, state, error.message, error.remedy)


def check_cache() -> list[Finding]:
    """Check that compiled kernels can be kept for the next start."""
    remedy = "Set NUMBA_CACHE_DIR to a folder that you may write to; without it every start compiles for seconds."
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen) if chosen else Path(__file__).resolve().parents[1] / "rendering" / "__pycache__"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return [Finding("kernel cache", "ok", str(folder))]
    except OSError as error:
        return [Finding("kernel cache", "note", f"{folder} cannot be written ({error.strerror}).", remedy)]


CHECKS = (check_python, check_packages, check_cuda, check_machine, check_video, check_head, check_cache)
