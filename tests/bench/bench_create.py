"""Time `likeness create` as a person meets it: `python tests/bench/bench_create.py [PHOTOGRAPH]`.

Every row is a process of its own, from its start to its end: the first with no compiled kernels at all, then draft and
standard quality with warm caches, then standard beside two busy processes. Without a photograph it takes scikit-image's
astronaut. Nothing else should run meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import machine
import numpy as np
from PIL import Image

REPEATS = 3


@dataclass(frozen=True)
class Run:
    """One finished process."""

    seconds: float
    peak_mib: float


def create(photograph: Path, folder: Path, quality: str, cache: Path | None = None) -> Run:
    """Run `likeness create` to its end; `cache` is where numba keeps compiled kernels."""
    command = [sys.executable, "-m", "likeness.cli", "create", str(photograph)]
    command += ["-o", str(folder / "bench.likeness"), "--quality", quality, "--device", "cpu"]
    environment = os.environ | ({"NUMBA_CACHE_DIR": str(cache)} if cache else {})
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"`{' '.join(command)}` ended with {process.returncode}")
    # Linux counts kibibytes, macOS bytes.
    return Run(time.perf_counter() - start, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2))


def best_of(runs: list[Run]) -> Run:
    """Return the shortest time and the largest memory."""
    return Run(min(run.seconds for run in runs), max(run.peak_mib for run in runs))


def measure(photograph: Path, folder: Path) -> dict[str, Run]:
    """Run every row."""
    rows = {"standard, the very first time": create(photograph, folder, "standard", folder / "cache")}
    create(photograph, folder, "draft")
    for quality in ("draft", "standard"):
        rows[f"{quality}, warm"] = best_of([create(photograph, folder, quality) for _ in range(REPEATS)])
    with machine.busy_processes():
        rows["standard, warm, beside two busy processes"] = create(photograph, folder, "standard")
    return rows


def astronaut(folder: Path) -> Path:
    """Write scikit-image's portrait."""
    import skimage.data

    path = folder / "astronaut.png"
    Image.fromarray(np.asarray(skimage.data.astronaut())).save(path)
    return path


def main() -> None:
    """Measure and print a table."""
    print(machine.describe(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = measure(Path(sys.argv[1]) if len(sys.argv) > 1 else astronaut(folder), folder)
    print(f"{'create':45s} {'seconds':>9} {'peak MiB':>9}")
    for label, run in rows.items():
        print(f"{label:45s} {run.seconds:9.1f} {run.peak_mib:9.0f}")
    slower = rows["standard, warm, beside two busy processes"].seconds / rows["standard, warm"].seconds
    print(f"{'slower beside two busy processes':45s} {slower:9.2f} x")


if __name__ == "__main__":
    main()
