"""Which device the work runs on: CUDA where torch finds a card and gsplat can draw on it, else the CPU."""

from __future__ import annotations

import importlib.util
import platform
from importlib.machinery import ModuleSpec
from pathlib import Path

import torch

from likeness.contract.errors import MachineError


def choose_device(wanted: str) -> str:
    """Return `cpu` or `cuda`. Errors: MachineError `machine.no_cuda` where CUDA was asked for and is not there."""
    if wanted == "cpu":
        return "cpu"
    missing = missing_for_cuda()
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


def missing_for_cuda() -> str:
    """Return what keeps CUDA from being used, in words for a sentence; empty where nothing does."""
    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    gsplat = importlib.util.find_spec("gsplat")
    if gsplat is None:
        return "gsplat is not installed"
    if not _has_kernels(gsplat) and not _compiler_is_there():
        return "gsplat has to be compiled at its first use, and there is no CUDA compiler (nvcc)"
    return ""


def _has_kernels(gsplat: ModuleSpec) -> bool:
    """Tell whether gsplat was installed compiled; the wheel that PyPI has is not."""
    folders = gsplat.submodule_search_locations or []
    return any(any(Path(folder).glob(f"csrc*{ending}")) for folder in folders for ending in (".so", ".pyd"))


def _compiler_is_there() -> bool:
    """Look for CUDA's toolkit where gsplat lets torch look for it."""
    from torch.utils.cpp_extension import CUDA_HOME  # imports setuptools

    return CUDA_HOME is not None
