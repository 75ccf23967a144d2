"""Print what avatars add to the time of a 1920 x 1080 render, how near it comes to the engine's picture, and its edges.

`python tests/bench/bench_render.py AVATAR.likeness [BPY_PYTHON ...]` with the Pythons that have bpy; without any it
takes those in .venv-bpy and, where it is made, the sandbox's bpy 5.2. Nothing else should run. The bare scene is the
same without avatars and compositor: three cubes, Cycles, one sample.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "blender"))

import machine  # noqa: E402
import numpy as np  # noqa: E402
from blenders import bpy52  # noqa: E402
from overlay_expected import psnr  # noqa: E402
from scipy import ndimage  # noqa: E402

from likeness.avatar.animate import neutral, prepare_avatar, render_avatar  # noqa: E402
from likeness.contract.avatar_file import read_avatar  # noqa: E402
from likeness.geometry.cameras import Camera  # noqa: E402

CASES = tuple(f"{view}_{film}" for view in ("half", "full") for film in ("film", "world"))
DISTANCE, FOCAL = 1.2, 1920 * 50 / 36
"""Of the picture that is compared, as the scene's camera has them; metres, pixels."""
SOLID = 0.97
"""The alpha from which a head is judged as what hides and is hidden."""
LIMIT = 900


def main(path: Path, pythons: list[str]) -> None:
    """Render in every Blender and print."""
    print(machine.describe())
    wanted = engines_own(path)
    for name, found in everywhere("render_timed.py", path, pythons):
        print(f"{name}: {psnr(found['alone'], wanted):.1f} dB RGBA against the engine's own picture")
        print_times(found)
    for name, found in everywhere("render_edges.py", path, pythons):
        for what in ("film", "world"):
            print(f"{name}: {edge(found, what)}", flush=True)


def print_times(found: dict[str, np.ndarray]) -> None:
    """Print a row for each case."""
    names = ("frame", "bare", "overhead", "handlers", "engine", "fill")
    print(f"  {'milliseconds a frame, median (least)':38}" + "".join(f"{name:>14}" for name in names))
    for case in CASES:
        columns = {name: found[f"{case}_{name}"] * 1e3 for name in names if name != "overhead"}
        figures = {name: (np.median(each), each.min()) for name, each in columns.items()}
        figures["overhead"] = np.subtract(figures["frame"], figures["bare"])
        cells = [f"{figures[name][0]:.0f} ({figures[name][1]:.0f})" for name in names]
        print(f"  {case:38}" + "".join(f"{cell:>14}" for cell in cells), flush=True)


def edge(found: dict[str, np.ndarray], what: str) -> str:
    """Say how far the cube's visible edge over the head lies from where the mesh of the same depths has it."""
    judged = ndimage.binary_erosion(found["alpha"] > SOLID, iterations=4)
    shares = found[f"{what}_avatar"], found[f"{what}_mesh"]
    # The median takes out single pixels, in which a head's depth may jump.
    got, wanted = (ndimage.median_filter((share > 0.5).astype(np.uint8), 3) > 0 for share in shares)
    off = ndimage.distance_transform_edt(wanted) + ndimage.distance_transform_edt(~wanted)
    wrong, near = judged & (got != wanted), judged & (off < 1.5)
    apart = np.abs(shares[0] - shares[1])[near].mean()
    return f"edge over {what}: {off[wrong].max(initial=0):.1f} px at most, coverage off by {apart:.3f} on average"


def engines_own(path: Path) -> np.ndarray:
    """Return the engine's picture of the first frame, premultiplied sRGB, from the camera as it is meant."""
    avatar = read_avatar(path)
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[2, 3] = DISTANCE
    K = np.array([[FOCAL, 0, 960], [0, FOCAL, 540], [0, 0, 1]])
    return render_avatar(prepare_avatar(avatar), Camera(K, T, 1920, 1080), neutral(avatar))


def everywhere(program: str, path: Path, pythons: list[str]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Return what a program measures, by Blender, as it comes."""
    chosen = pythons or sorted(map(str, (ROOT / ".venv-bpy").glob("*/bin/python")))
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder) / "avatar.likeness", Path(folder) / "result.npz"
        given.write_bytes(path.read_bytes())
        words, variables = [HERE / program, given, result], {"LIKENESS_ENGINE": sys.executable}
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "timeout": LIMIT}
        for python in chosen:
            subprocess.run([python, *words], env=os.environ | variables, **quiet)
            yield Path(python).parents[1].name, dict(np.load(result))
        sandbox = None if pythons else bpy52()
        if sandbox is not None:
            result.unlink(missing_ok=True)
            outcome = sandbox.run(words, folders=[Path(folder)], variables=variables, limit=LIMIT)
            if not result.exists():
                sys.exit(outcome.tail())
            yield sandbox.name, dict(np.load(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
