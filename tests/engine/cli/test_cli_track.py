"""likeness track: what it refuses, and that nothing is left then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.cli.program import main


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    picture = np.zeros((200, 240, 3), np.uint8)
    picture[:, ::8] = 255
    Image.fromarray(picture).save(tmp_path / "stripes.png")
    return tmp_path / "stripes.png"


@pytest.mark.parametrize(
    ("extra", "code", "said"),
    [
        (["-o", "out.npz"], 3, "face.none"),
        (["-o", "out.csv"], 2, "does not end in .npz"),
        (["-o", "out.npz", "--start", "5", "--end", "4"], 2, "--end is not after --start"),
        (["-o", "out.npz", "--start", "-1"], 2, "before the beginning"),
        (["-o", "out.npz", "--avatar", "none.likeness"], 3, "none.likeness"),
    ],
)
def test_one_line_and_nothing_left(stripes, tmp_path, monkeypatch, capfd, extra, code, said) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["track", str(stripes), *extra]) == code
    last = capfd.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ") and said in last
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stripes.png"]


def test_a_clip_that_is_not_there(tmp_path, capfd) -> None:
    assert main(["track", str(tmp_path / "no.mp4"), "-o", str(tmp_path / "out.npz")]) == 3
    assert "clip.missing" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["take.csv", "take.NPZ"])
def test_a_recording_is_for_another_command(tmp_path, capfd, name) -> None:
    assert main(["track", str(tmp_path / name), "-o", str(tmp_path / "out.npz")]) == 2
    assert "likeness retarget" in capfd.readouterr().err
