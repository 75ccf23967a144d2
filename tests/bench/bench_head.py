"""Print how long the heads take: `python tests/bench/bench_head.py [FLAME_FILE]`. Nothing else should run meanwhile.

Without a file, FLAME is a made-up model of FLAME's size, as its file has it: without what Likeness completes it with.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine
import numpy as np

from likeness.head.assets import HeadAssets
from likeness.head.flame import load_flame
from likeness.head.model import PreparedHead, forward, load_open_head, prepare_identity

sys.path.insert(0, str(Path(__file__).parents[1] / "engine" / "head"))
from flame_files import made_up_arrays

REPEATS = 200


def median_milliseconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median time of one call, after a first one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def report(prepared: PreparedHead) -> None:
    """Print the forward pass at rest, with a dozen controls, and with every control and every joint moving."""
    random, count = np.random.default_rng(0), prepared.control_count
    rest, pose = np.zeros((5, 3)), random.normal(0, 0.2, (5, 3))
    some, every = np.where(np.arange(count) < 12, 0.3, 0.0), random.random(count)
    for name, controls, joints in (("rest", 0 * some, rest), ("12 controls", some, rest), ("all, posed", every, pose)):
        print(f"forward, {name:12} {median_milliseconds(lambda c=controls, j=joints: forward(prepared, c, j)):8.3f} ms")


def flame() -> HeadAssets:
    """Return the user's FLAME, or a made-up one."""
    if len(sys.argv) > 1:
        return load_flame(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flame.npz"
        np.savez(path, **made_up_arrays())
        return load_flame(path)


def main() -> None:
    """Print the table."""
    print(machine.describe())
    print(f"load Open Head        {median_milliseconds(load_open_head, 5):8.1f} ms")
    for name, assets in (("Open Head", load_open_head()), ("FLAME", flame())):
        betas = np.zeros(assets.shapedirs.shape[-1])
        print(f"{name}: {len(assets.v_template):,} vertices")
        prepare = median_milliseconds(lambda assets=assets, betas=betas: prepare_identity(assets, betas), 10)
        print(f"prepare_identity      {prepare:8.1f} ms")
        report(prepare_identity(assets, betas))


if __name__ == "__main__":
    main()
