"""From a real photograph to a file: scikit-image's astronaut at draft quality."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from PIL import Image

from bench.measures import landmark_error, reproduce
from likeness.cli import main
from likeness.contract.avatar_file import read_avatar

STAGES = ["read", "matte", "fit", "lift", "refine"]
SEED = 3
"""The fixture's."""


def arrays(avatar):
    """Every array of an avatar by name."""
    groups = {name: getattr(avatar, name) for name in ("rig", "gaussians", "view")}
    values = {f"{name}.{f.name}": getattr(group, f.name) for name, group in groups.items() for f in fields(group)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def test_the_portrait_render_is_the_photograph(astronaut):
    reproduction = reproduce(astronaut.driven)
    assert reproduction.psnr > 28
    solid = reproduction.render[..., 3] > 230
    assert 0.35 < solid.mean() < 0.9, "the person fills a good part of the face square, not all of it"


def test_landmarks_lie_on_the_render_where_they_lie_on_the_photograph(astronaut):
    assert landmark_error(astronaut.driven) < 0.03


def test_stages_are_reported_in_order(astronaut):
    order = [STAGES.index(stage) for stage, _ in astronaut.reports]
    assert order == sorted(order) and set(order) == set(range(len(STAGES)))
    for stage in STAGES:
        fractions = [fraction for name, fraction in astronaut.reports if name == stage]
        assert fractions == sorted(fractions) and fractions[0] >= 0 and fractions[-1] <= 1
    assert astronaut.reports[-1] == ("refine", 1.0)


def test_the_file_holds_the_settings_and_the_photograph(astronaut):
    avatar = astronaut.driven.avatar
    assert avatar.info.settings == {"quality": "draft", "seed": SEED, "order": "importance"}
    assert (avatar.view.width, avatar.view.height) == Image.open(astronaut.photograph).size
    assert 20_000 < len(avatar.gaussians.triangle) < 120_000
    assert [warning for warning in astronaut.warnings if "pixels wide" in warning]


def test_same_seed_same_arrays_to_the_byte_also_through_the_command(astronaut, tmp_path, capsys):
    again = tmp_path / "again.likeness"
    code = main(["create", str(astronaut.photograph), "-o", str(again), "--quality", "draft", "--device", "cpu",
                 "--seed", str(SEED)])  # fmt: skip
    output, errors = capsys.readouterr()
    assert code == 0 and output == f"{again}\n"
    assert errors.splitlines()[: len(STAGES)] == STAGES and errors.splitlines()[-1].startswith("warning: ")
    first, second = arrays(astronaut.driven.avatar), arrays(read_avatar(again))
    assert first.keys() == second.keys()
    assert [name for name in first if first[name].tobytes() != second[name].tobytes()] == []


def test_stopped_in_the_middle_it_leaves_nothing(astronaut_photograph, tmp_path):
    command = [sys.executable, "-m", "likeness.cli", "create", str(astronaut_photograph), "--quality", "draft"]
    running = subprocess.Popen([*command, "-o", tmp_path / "a.likeness"], stderr=subprocess.PIPE, text=True)
    while (line := running.stderr.readline()) and line != "lift\n":
        pass
    running.send_signal(signal.SIGINT)
    assert running.stderr.read().splitlines()[-1] == "stopped, nothing was written"
    assert running.wait(60) == 130
    assert list(tmp_path.iterdir()) == []


def no_face(path, photograph):
    rows, columns = np.indices((300, 400))
    Image.fromarray((128 + 60 * np.sin(rows / 9) * np.cos(columns / 13)).astype(np.uint8)).save(path)


def tiny_face(path, photograph):
    Image.open(photograph).resize((200, 200)).save(path)


def cut_face(path, photograph):
    Image.open(photograph).crop((0, 0, 240, 512)).save(path)


def truncated(path, photograph):
    path.write_bytes(photograph.read_bytes()[:20_000])


def no_picture(path, photograph):
    path.write_bytes(b"This is a letter, not a picture.")


def empty(path, photograph):
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "spoil, code",
    [
        (no_face, "face.none"),
        (tiny_face, "face.too_small"),
        (cut_face, "face.cut"),
        (truncated, "picture."),
        (no_picture, "picture."),
        (empty, "picture."),
    ],
)
def test_pictures_that_cannot_be_used_end_in_one_line_and_3(astronaut_photograph, tmp_path, capsys, spoil, code):
    path = tmp_path / "spoilt.png"
    spoil(path, astronaut_photograph)
    left = main(["create", str(path), "-o", str(tmp_path / "a.likeness"), "--device", "cpu"])
    output, errors = capsys.readouterr()
    lines = [line for line in errors.splitlines() if line not in STAGES]
    assert (left, output) == (3, "")
    assert len(lines) == 1 and lines[0].startswith(f"error: {code}") and lines[0].endswith(".")
    assert list(tmp_path.iterdir()) == [path]


def test_what_creates_avatars_does_not_wait_for_torch_before_it_looks_at_the_photograph():
    program = "import sys; import likeness.avatar.create; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
