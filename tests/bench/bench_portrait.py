"""Time the portrait stage: `python tests/bench/bench_portrait.py [PICTURE ...]` prints a table (milliseconds).

Without pictures it takes scikit-image's astronaut. The first row of each picture counts what only a first call does
(importing MediaPipe, starting its graphs).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from likeness.portrait.build import make_portrait
from likeness.portrait.faces import choose_face
from likeness.portrait.foreground import estimate_foreground
from likeness.portrait.person_mask import person_mask
from likeness.portrait.read import read_photograph

Result = TypeVar("Result")
STAGES = ("read", "face", "mask", "foreground", "portrait")


def timed(call: Callable[[], Result]) -> tuple[float, Result]:
    start = time.perf_counter()
    result = call()
    return 1e3 * (time.perf_counter() - start), result


def measure(path: Path) -> list[float]:
    """Milliseconds of the stages for one picture; `portrait` contains mask and foreground."""
    read, photograph = timed(lambda: read_photograph(path))
    search, (face, _) = timed(lambda: choose_face(photograph))
    whole, portrait = timed(lambda: make_portrait(photograph, face))
    mask, _ = timed(lambda: person_mask(portrait.rgb, portrait.valid, portrait.landmarks))
    foreground, _ = timed(lambda: estimate_foreground(portrait.rgb, portrait.alpha))
    return [read, search, mask, foreground, whole]


def astronaut(folder: Path) -> Path:
    import skimage.data

    path = folder / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()).save(path)
    return path


def main(arguments: Sequence[str]) -> None:
    print(f"{'picture':28}" + "".join(f"{stage:>12}" for stage in STAGES))
    with tempfile.TemporaryDirectory() as folder:
        for path in [Path(name) for name in arguments] or [astronaut(Path(folder))]:
            first = measure(path)
            warm = np.median([measure(path) for _ in range(5)], axis=0)
            for label, row in (("first", first), ("warm", warm)):
                print(f"{path.name[:20]:20} {label:7}" + "".join(f"{value:12.1f}" for value in row))


if __name__ == "__main__":
    main(sys.argv[1:])
