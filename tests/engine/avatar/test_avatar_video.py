from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest

from likeness.avatar.video import find_ffmpeg, write_video
from likeness.contract.errors import InputError, MachineError


def frames(count, size=(64, 48)):
    for number in range(count):
        yield np.full((size[1], size[0], 3), 40 * number, np.uint8)


def decoded(path, size):
    command = [find_ffmpeg(), "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3)


def test_every_frame_arrives(tmp_path):
    write_video(tmp_path / "v.mp4", frames(6), (64, 48))
    seen = decoded(tmp_path / "v.mp4", (64, 48))
    assert len(seen) == 6
    np.testing.assert_allclose(seen.mean(axis=(1, 2, 3)), [0, 40, 80, 120, 160, 200], atol=4)
    assert [file.name for file in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_a_stop_leaves_nothing_and_ends_the_encoder(tmp_path, failure):
    def stopping():
        yield from frames(2)
        raise failure

    with pytest.raises(failure):
        write_video(tmp_path / "v.mp4", stopping(), (64, 48))
    assert list(tmp_path.iterdir()) == []


def fake_encoder(tmp_path, script):
    path = tmp_path / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    "script, kind, code",
    [
        ("echo av_interleaved_write_frame: No space left on device >&2; exit 1", InputError, "output.disk_full"),
        ("cat > /dev/null; echo Unknown encoder >&2; exit 1", MachineError, "machine.ffmpeg_failed"),
    ],
)
def test_an_encoder_that_fails_is_explained(tmp_path, monkeypatch, script, kind, code):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", fake_encoder(tmp_path, script))
    (tmp_path / "out").mkdir()
    with pytest.raises(kind) as caught:
        write_video(tmp_path / "out" / "v.mp4", frames(200, (640, 480)), (640, 480))
    assert caught.value.code == code
    assert os.listdir(tmp_path / "out") == []


def test_a_missing_encoder_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    with pytest.raises(MachineError, match=r"machine\.no_ffmpeg"):
        write_video(tmp_path / "v.mp4", frames(1), (64, 48))
    assert list(tmp_path.iterdir()) == []
