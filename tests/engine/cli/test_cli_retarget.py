"""likeness retarget on the command line: files in, a motion out, one line for every mistake."""

from __future__ import annotations

import json

import numpy as np
import pytest

from factories import make_avatar
from likeness.cli import main
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar_file import write_avatar
from likeness.contract.motion import read_motion


@pytest.fixture
def avatar(tmp_path):
    path = tmp_path / "a.likeness"
    write_avatar(path, make_avatar())
    return path


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "take.json"
    frames = [{"time": n / 30, "blendShapes": {"jawOpen": 0.02 * n, "mood": 1}} for n in range(30)]
    path.write_text(json.dumps(frames))
    return path


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    output, errors = capsys.readouterr()
    return code, output, errors.splitlines()


def test_a_motion_is_written_and_notes_are_told(capsys, tmp_path, avatar, recording):
    out = tmp_path / "motion.npz"
    code, output, errors = run(capsys, "retarget", recording, "--avatar", avatar, "-o", out, "--neutral", "off")
    assert code == 0 and output == f"{out}\n"
    assert "note: Names that are not understood were left out: mood." in errors
    motion = read_motion(out)
    jaw = motion.expr[:, motion.expr_names.index("jawOpen")]
    np.testing.assert_allclose(jaw, 0.02 * np.arange(30), atol=1e-6)


def test_every_option_arrives(capsys, tmp_path, avatar, recording):
    out = tmp_path / "motion.npz"
    options = ["--start", "0.2", "--end", "0.8", "--neutral", "0.2", "--gain", "jaw=0.5,brows=1.1", "--mirror",
               "--smooth", "savgol", "--strength", "0.4,jaw=0", "--no-head", "--json"]  # fmt: skip
    code, output, _ = run(capsys, "retarget", recording, "--avatar", avatar, "-o", out, *options)
    told, motion = json.loads(output), read_motion(out)
    assert code == 0 and told["frames"] == len(motion.times) == 18 and told["fps"] == 30
    expected = 0.5 * (0.02 * np.arange(6, 24) - 0.12) / (1 - 0.12)
    np.testing.assert_allclose(motion.expr[:, ARKIT_NAMES.index("jawOpen")], expected, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        ["--start", "-1"],
        ["--start", "2", "--end", "1"],
        ["--neutral", "calm"],
        ["--gain", "ears=1"],
        ["--gain", "mouth=9"],
        ["--gain", "mouth"],
        ["--smooth", "more"],
        ["--strength", "2"],
        ["--strength", "0.5,ears=1"],
        ["--strength", "0.3"],
        ["--fps", "0"],
        ["--as", "faceware"],
    ],
)
def test_wrong_usage_is_one_line_and_2(capsys, tmp_path, avatar, recording, options):
    out = tmp_path / "motion.npz"
    code, output, errors = run(capsys, "retarget", recording, "--avatar", avatar, "-o", out, *options)
    assert code == 2 and output == "" and errors[-1].startswith("error: usage: ") and not out.exists()


def test_the_output_must_be_an_npz(capsys, tmp_path, avatar, recording):
    code, _, errors = run(capsys, "retarget", recording, "--avatar", avatar, "-o", tmp_path / "motion.bvh")
    assert code == 2 and "does not end in .npz" in errors[-1]


def test_the_source_is_not_written_over(capsys, tmp_path, avatar, recording):
    out = tmp_path / "motion.npz"
    assert run(capsys, "retarget", recording, "--avatar", avatar, "-o", out)[0] == 0
    before = out.read_bytes()
    code, _, errors = run(capsys, "retarget", out, "--avatar", avatar, "-o", out, "--mirror")
    assert code == 2 and "is the source itself" in errors[-1] and out.read_bytes() == before


def test_a_broken_recording_leaves_the_old_motion(capsys, tmp_path, avatar, recording):
    out = tmp_path / "motion.npz"
    out.write_bytes(b"old")
    recording.write_text("{")
    code, output, errors = run(capsys, "retarget", recording, "--avatar", avatar, "-o", out)
    assert code == 3 and output == "" and errors[-1].startswith("error: motion.unreadable: take.json")
    assert out.read_bytes() == b"old" and sorted(path.name for path in tmp_path.iterdir()) == [
        "a.likeness", "motion.npz", "take.json"]  # fmt: skip


def test_a_range_beside_the_take_is_told(capsys, tmp_path, avatar, recording):
    out = tmp_path / "motion.npz"
    code, _, errors = run(capsys, "retarget", recording, "--avatar", avatar, "-o", out, "--start", "60")
    assert code == 2 and errors[-1].startswith("error: motion.range: ")
