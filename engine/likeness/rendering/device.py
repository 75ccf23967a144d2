"""Which device the work runs on: CUDA where torch finds a card and gsplat is there, else the CPU."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

import torch

from likeness.contract.errors import MachineError


def choose_device(wanted: str) -> str:
    """Return `cpu` or `cuda`. Errors: MachineError `machine.no_cuda` where CUDA was asked for and is not there."""
    if wanted == "cpu":
        return "cpu"
    missing = _missing_for_cuda()
    if not missing:
        return "cuda"
    if wanted == "cuda":
        raise MachineError("machine.no_cuda", f"CUDA cannot be used: {missing}.", "Use the device cpu.")
    return "cpu"


def device_name(device: str) -> str:
    """Return the name of the card or the processor behind `cpu` or `cuda`, for people."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return _processor_name() or platform.machine() or "CPU"


def _processor_name() -> str:
    """Return the processor's name as Linux tells it, elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _missing_for_cuda() -> str:
    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    return "" if importlib.util.find_spec("gsplat") else "gsplat is not installed"
