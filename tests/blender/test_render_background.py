"""A saved file rendered as a farm does, `blender -b FILE -a`: every frame against the engine's own pictures."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from blenders import HERE, ROOT, Blender, Outcome
from PIL import Image
from window import assert_looks_like, run_script

from likeness.avatar.animate import neutral, pose_avatar, prepare_avatar, with_controls
from likeness.contract.avatar_file import read_avatar
from likeness.geometry.cameras import Camera
from likeness.rendering.api import render

MODULE = "bl_ext.user_default.likeness"
SCRIPT = HERE / "render_background.py"
ENGINE = ROOT / ".venv" / "bin" / "python"
CUT = 17
SETTING = {
    "frames": 24,
    "size": [320, 180],
    "lens": 60.0,
    "sensor": 36.0,
    "avatars": [
        {"location": [0, 0, 0], "control": "jawOpen", "values": [0, 1]},
        {"location": [0.13, 0.1, 0.02], "control": "eyeBlinkLeft", "values": [1, 0]},
    ],
    "cameras": [
        {"from": 1, "locations": [[-0.08, -1.1, -0.03], [0.2, -0.9, -0.03]]},
        {"from": CUT, "locations": [[0.05, -0.8, 0.02], [0.05, -0.8, 0.02]]},
    ],
    "meshes": [
        {"size": 0.06, "locations": [[-0.25, -0.4, -0.06], [0.3, -0.4, 0.04]], "color": [0, 1, 0]},
        {"size": 0.3, "locations": [[-0.2, 0.7, 0.3], [0.1, 0.7, 0.25]], "color": [0, 0, 1]},
    ],
}
STORED = (1, 12, 20)
"""Frames that are compared with stored pictures too."""
ALONE = (3, 12, 20)
LEAST, LEAST_STORED = 38.0, 30.0
"""Decibels: against the engine's own picture, and against another machine's."""
HIDE = "import bpy; [setattr(o, 'hide_render', True) for o in bpy.data.objects if o.type == 'ARMATURE']"
COUNT = f"""
import bpy, sys
engine = sys.modules["{MODULE}.addon.render.engine"]
draw = engine.draw
engine.draw = lambda *given: print("asked for", bpy.context.scene.frame_current, flush=True) or draw(*given)
"""


@dataclass(frozen=True)
class Farm:
    """Something that renders files: `run` takes Blender's own words."""

    name: str
    run: Callable[..., Outcome]
    script: tuple[str, ...]
    """Words that run SCRIPT, before its own arguments."""


def wheels() -> list[Path]:
    return sorted(ROOT.glob(".venv-bpy/*/bin/python"))


@pytest.fixture(scope="module")
def farm(installed: Blender) -> Farm:
    base = (ENGINE.resolve().parents[1],)
    variables = {"LIKENESS_ENGINE": str(ENGINE)}

    def run(words: Sequence[object], folder: Path, **more: str) -> Outcome:
        return installed.run(words, limit=280, folders=[folder, *base], variables={**variables, **more})

    return Farm(installed.name, run, ("--addons", MODULE, "--python-exit-code", "1", "--python", str(SCRIPT), "--"))


@dataclass(frozen=True)
class Made:
    """A file to render, and where it lies."""

    farm: Farm
    folder: Path
    file: Path

    def render(self, name: str, *words: object, options: Sequence[object] = (), **variables: str) -> Outcome:
        """Render with these words after the file; the frames lie in a folder of that name."""
        out = f"{self.folder / name}/####.png"
        words = ["--addons", MODULE, self.file, *options, "-o", out, "-F", "PNG", "-x", 1, *words]
        return self.farm.run(words, self.folder, **variables)

    def frames(self, name: str) -> dict[int, np.ndarray]:
        """Return what lies in that folder, straight (H, W, 4) 0..1 by frame."""
        return frames_in(self.folder / name)


@pytest.fixture(scope="module")
def made(farm: Farm, avatar: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make the file."""
    folder = tmp_path_factory.mktemp("farm")
    shutil.copy(avatar, folder / "astronaut.likeness")
    (folder / "setting.json").write_text(json.dumps(SETTING))
    file = folder / "scene.blend"
    words = [*farm.script, "make", folder / "astronaut.likeness", file, folder / "setting.json"]
    done = farm.run(words, folder)
    assert done.code == 0 and file.exists(), done.tail()
    return Made(farm, folder, file)


@pytest.fixture(scope="module")
def rendered(made: Made) -> Made:
    """Render all frames, with the avatars and without."""
    done = made.render("all", "-a", options=["--python-expr", COUNT])
    assert done.code == 0, done.tail()
    asked = re.findall(r"^asked for (\d+)", done.log, re.M)
    assert asked == [str(frame) for frame in range(1, SETTING["frames"] + 1)]
    done = made.render("meshes", "-a", options=["--python-expr", HIDE])
    assert done.code == 0, done.tail()
    return made


@pytest.fixture(scope="module")
def truth(avatar: Path) -> dict[int, np.ndarray]:
    """Return the engine's own pictures of both heads by frame, premultiplied."""
    driven = prepare_avatar(read_avatar(avatar))
    return {frame: picture_of(driven, frame) for frame in range(1, SETTING["frames"] + 1)}


def picture_of(driven, frame: int) -> np.ndarray:
    share = (frame - 1) / (SETTING["frames"] - 1)
    parts = []
    for each in SETTING["avatars"]:
        value = np.interp(share, (0, 1), each["values"])
        expression = with_controls(driven.avatar.rig, neutral(driven.avatar), {each["control"]: value})
        means, covars, colors = pose_avatar(driven, expression)
        parts.append((means + head_space(each["location"]), covars, colors))
    means, covars, colors = (np.concatenate(arrays).astype(np.float32) for arrays in zip(*parts, strict=True))
    drawn = render(
        camera_of(frame, share),
        means,
        covars,
        np.tile(driven.avatar.gaussians.opacities, len(parts)),
        colors,
    )
    return np.concatenate([drawn.rgb, drawn.alpha[..., None]], axis=-1)


def camera_of(frame: int, share: float) -> Camera:
    each = SETTING["cameras"][frame >= CUT]
    (start, end), (width, height) = each["locations"], SETTING["size"]
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = -T[:3, :3] @ head_space((1 - share) * np.array(start) + share * np.array(end))
    focal = width * SETTING["lens"] / SETTING["sensor"]
    return Camera(np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]), T, width, height)


def head_space(location: Sequence[float]) -> np.ndarray:
    x, y, z = location
    return np.array([x, z, -y])


def frames_in(folder: Path) -> dict[int, np.ndarray]:
    return {int(path.stem): read(path) for path in sorted(folder.glob("*.png"))}


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGBA"), np.float64) / 255


def linear(colors: np.ndarray) -> np.ndarray:
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)


def premultiplied(straight: np.ndarray) -> np.ndarray:
    """Return a straight sRGB picture as scene-linear light over black."""
    return np.concatenate([linear(straight[..., :3]) * straight[..., 3:], straight[..., 3:]], axis=-1)


def expected(head: np.ndarray, meshes: np.ndarray) -> np.ndarray:
    """Lay the green mesh over the heads, and these over the blue one; scene-linear, premultiplied."""
    alpha = head[..., 3:]
    straight = np.divide(head[..., :3], alpha, out=np.zeros_like(head[..., :3]), where=alpha > 0)
    head = premultiplied(np.concatenate([np.clip(straight, 0, 1), alpha], axis=-1))
    meshes = premultiplied(meshes)
    is_front = meshes[..., 1:2] > meshes[..., 2:3]
    above, below = np.where(is_front, meshes, head), np.where(is_front, head, meshes)
    return above + below * (1 - above[..., 3:])


def decibels(first: np.ndarray, second: np.ndarray) -> float:
    return -10 * np.log10(max(np.mean((first - second) ** 2), 1e-12))


def display(linear_rgba: np.ndarray) -> np.ndarray:
    """Return scene-linear light over black as a screen shows it."""
    rgb = np.clip(linear_rgba[..., :3], 0, 1)
    return np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)


def assert_right(frames: dict[int, np.ndarray], meshes: dict[int, np.ndarray], truth: dict[int, np.ndarray]) -> None:
    """Compare every frame with the engine's picture of it among the meshes."""
    assert list(frames) == list(truth) == list(meshes)
    values = {}
    for frame, picture in frames.items():
        wanted, seen = expected(truth[frame], meshes[frame]), premultiplied(picture)
        values[frame] = min(decibels(display(seen), display(wanted)), decibels(seen[..., 3], wanted[..., 3]))
    print({frame: round(value, 1) for frame, value in values.items()})
    assert min(values.values()) >= LEAST, values
    assert decibels(truth[1], truth[CUT - 1]) < LEAST > decibels(truth[CUT], truth[CUT - 1])


def test_every_frame_is_its_own(rendered: Made, truth: dict[int, np.ndarray], tmp_path: Path):
    frames = rendered.frames("all")
    assert_right(frames, rendered.frames("meshes"), truth)
    for frame in STORED:
        path = tmp_path / f"{frame}.png"
        Image.fromarray((display(premultiplied(frames[frame])) * 255).round().astype(np.uint8)).save(path)
        assert_looks_like(path, f"farm_{frame:02}", decibels=LEAST_STORED)


def test_a_frame_alone_is_the_frame_of_the_animation(rendered: Made):
    done = rendered.render("alone", "-f", ",".join(map(str, ALONE)))
    assert done.code == 0, done.tail()
    alone, frames = rendered.frames("alone"), rendered.frames("all")
    assert tuple(alone) == ALONE
    for frame, picture in alone.items():
        assert np.array_equal(picture, frames[frame])


def test_frame_step(rendered: Made):
    done = rendered.render("steps", "-s", 2, "-e", 24, "-j", 9, "-a")
    assert done.code == 0, done.tail()
    steps, frames = rendered.frames("steps"), rendered.frames("all")
    assert list(steps) == [2, 11, 20]
    for frame, picture in steps.items():
        assert np.array_equal(picture, frames[frame])


@pytest.mark.parametrize("words", [("-a",), ("-f", "3")])
def test_without_an_engine_it_fails(made: Made, words: tuple[str, ...]):
    done = made.render("none", *words, LIKENESS_ENGINE="/nonexistent")
    assert done.code not in (0, None)
    assert "error: engine.not_found" in done.log
    assert not made.frames("none")


def test_a_machine_without_the_extension_shows_it(made: Made):
    (made.folder / "without").mkdir()
    done = made.farm.run(
        [made.file, "-o", f"{made.folder}/without/####.png", "-F", "PNG", "-x", 1, "-f", 1], made.folder
    )
    assert done.code == 0, done.tail()
    (picture,) = made.frames("without").values()
    magenta = np.isclose(picture, (1, 0, 1, 1), atol=0.02).all(axis=-1)
    assert magenta.mean() > 0.05


def test_a_file_with_signs_counts_as_saved(installed: Blender, avatar: Path, tmp_path: Path):
    shutil.copy(avatar, tmp_path)
    run_script(installed, HERE / "sign_window.py", tmp_path, [tmp_path / avatar.name, tmp_path / "a.blend"], limit=200)


@pytest.mark.parametrize("python", wheels() or [None], ids=lambda python: python and python.parents[1].name)
def test_the_same_under_a_bpy_wheel(python: Path | None, avatar: Path, truth: dict[int, np.ndarray], tmp_path: Path):
    if python is None:
        pytest.skip("no bpy wheels here: `make bpy`")
    environment = {**os.environ, "LIKENESS_ENGINE": str(ENGINE)}

    def run(*words: object) -> None:
        done = subprocess.run(
            list(map(str, [python, SCRIPT, "--", *words])),
            env=environment, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    (tmp_path / "setting.json").write_text(json.dumps(SETTING))
    file = tmp_path / "scene.blend"
    run("make", avatar, file, tmp_path / "setting.json")
    run("render", file, tmp_path / "all")
    run("render", file, tmp_path / "meshes", "without")
    run("render", file, tmp_path / "alone", *ALONE)
    frames = frames_in(tmp_path / "all")
    assert_right(frames, frames_in(tmp_path / "meshes"), truth)
    alone = frames_in(tmp_path / "alone")
    assert tuple(alone) == ALONE
    assert all(np.array_equal(picture, frames[frame]) for frame, picture in alone.items())
