"""Print how long Open Head takes: `python tests/bench/bench_head.py`. Nothing else should run meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from likeness.head.model import PreparedHead, forward, load_open_head, prepare_identity

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
    random = np.random.default_rng(0)
    rest, pose = np.zeros((5, 3)), random.normal(0, 0.2, (5, 3))
    some, every = np.where(np.arange(52) < 12, 0.3, 0.0), random.random(52)
    for name, controls, joints in (("rest", 0 * some, rest), ("12 controls", some, rest), ("52, posed", every, pose)):
        print(f"forward, {name:12} {median_milliseconds(lambda c=controls, j=joints: forward(prepared, c, j)):8.3f} ms")


def main() -> None:
    """Print the table."""
    assets = load_open_head()
    betas = np.zeros(assets.shapedirs.shape[-1])
    print(f"load                  {median_milliseconds(load_open_head, 5):8.1f} ms")
    print(f"prepare_identity      {median_milliseconds(lambda: prepare_identity(assets, betas), 10):8.1f} ms")
    report(prepare_identity(assets, betas))


if __name__ == "__main__":
    main()
