"""Refit heads whose truth is known and print how far the fits are off, and how long they take.

python tests/bench/bench_tracking.py [HEADS [SEED]]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from likeness.head.model import load_open_head
from likeness.tracking.fit import fit_portrait

sys.path.insert(0, str(Path(__file__).parents[1] / "engine" / "tracking"))
from synthetic_heads import aligned_error, face_vertices, synthetic_heads


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    assets = load_open_head()
    face = face_vertices(assets)
    heads = synthetic_heads(assets, count, seed)
    fit_portrait(assets, heads[0].portrait)
    print(f"{'head':>4} {'mean head':>10} {'betas':>7} {'+ offsets':>10} {'landmarks':>10} {'seconds':>8}  (mm, % IOD)")
    rows = []
    for number, head in enumerate(heads):
        start = time.perf_counter()
        fit = fit_portrait(assets, head.portrait)
        seconds = time.perf_counter() - start
        candidates = (assets.v_template, fit.v_neutral - fit.offsets, fit.v_neutral)
        errors = [1e3 * aligned_error(candidate[face], head.v_neutral[face]) for candidate in candidates]
        rows.append([*errors, 100 * fit.landmark_error, seconds])
        print(_line(str(number), rows[-1]))
    print(_line("mean", np.mean(rows, 0)), _line("\nmax", np.max(rows, 0)), sep="")


def _line(name: str, row: np.ndarray | list[float]) -> str:
    return f"{name:>4} {row[0]:10.2f} {row[1]:7.2f} {row[2]:10.2f} {row[3]:10.2f} {row[4]:8.2f}"


if __name__ == "__main__":
    main()
