"""Runs a script in a real Blender window and brings back what it printed and the pictures that it took."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from blenders import HERE, Blender, Outcome

PICTURES = HERE / "pictures"
DONE = "likeness: the script came to its end"
"""What `inside.run` prints last; without it a window that closed is a failure."""


@dataclass(frozen=True)
class Seen:
    """What a window run gave: what it printed and the pictures in its folder, by name."""

    outcome: Outcome
    pictures: Mapping[str, Path]


def run_script(
    blender: Blender, script: Path, folder: Path, arguments: Sequence[object] = (), *, limit: float = 300,
    options: Sequence[str] = (), engine: Path | None = None,
) -> Seen:  # fmt: skip
    """Run a script that ends with `inside.run` in a window; its pictures go to `folder`.

    `engine` is an environment with Likeness in it, for scripts that create. Raises AssertionError with the end of the
    log when it failed, hung or left a traceback.
    """
    variables, folders = {"LIKENESS_PICTURES": str(folder)}, [folder]
    if engine is not None:
        variables["LIKENESS_ENGINE"] = str(engine)
        folders.append((engine / "bin" / "python").resolve().parents[1])  # the Python that it was made from
    # Blender heeds no PYTHONPATH; and without an exit code a script that fails leaves the window open.
    path = f"import sys; sys.path.insert(0, {str(HERE)!r})"
    words = [*options, "--python-exit-code", 1, "--python-expr", path, "--python", script, "--", *arguments]
    outcome = blender.run(words, window=True, limit=limit, folders=folders, variables=variables)
    check(outcome, f"{script.name} in {blender.name}")
    return Seen(outcome, {path.stem: path for path in sorted(folder.glob("*.png"))})


def check(outcome: Outcome, what: str) -> None:
    """Raise AssertionError with the log's end unless a script came to its end without a traceback."""
    if outcome.code is None:
        raise AssertionError(f"{what}: stopped at its time limit\n{outcome.tail()}")
    if "Traceback (most recent call last)" in outcome.log or DONE not in outcome.log:
        raise AssertionError(f"{what}: failed (exit code {outcome.code})\n{outcome.tail()}")


def assert_looks_like(picture: Path, name: str, *, decibels: float) -> None:
    """Compare a picture with the stored `pictures/NAME.png` by PSNR.

    `LIKENESS_RENEW_PICTURES=1` stores it anew instead; look at it before it is committed.
    """
    from PIL import Image

    image = Image.open(picture).convert("RGB")
    stored = PICTURES / f"{name}.png"
    if os.environ.get("LIKENESS_RENEW_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        image.save(stored, optimize=True)
        return
    with Image.open(stored) as known:
        assert known.size == image.size, f"{name}: {image.size}, stored is {known.size}"
        found = psnr(np.asarray(image), np.asarray(known.convert("RGB")))
    assert found >= decibels, f"{picture} against {stored}: {found:.1f} dB, at least {decibels} wanted"


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of two 8-bit pictures (H, W, 3), dB."""
    error = np.mean((first.astype(float) - second.astype(float)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))
