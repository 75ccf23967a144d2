"""Performances' files as jobs: what reaches the verbs, what comes back, and the frames on the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from likeness.avatar import retarget as verbs
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.errors import LikenessError
from likeness.contract.messages import DescribePerformance, FrameTracked, RetargetPerformance
from likeness.contract.motion import motion_from_bytes
from likeness.worker.jobs import JOBS
from likeness.worker.performances import _Preview, describe, retarget

REQUEST = RetargetPerformance(
    id=7, path="", control_names=ARKIT_NAMES, head_model="open", head_model_hash="0" * 64, start=0.0, end=None,
    fps=None, source_head=None, neutral="off", neutral_at=0.0, smoothing="none", strength=0.5, mirror=False,
    head_motion=True, regions=(), gains=(), performer=None,
)  # fmt: skip


class Listening:
    """A job's progress that keeps what it is given."""

    id = 7

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.sent: list[object] = []

    def update(self, stage: str, fraction: float) -> None:
        self.stages.append(stage)

    def send(self, message: object) -> None:
        self.sent.append(message)


@pytest.fixture
def csv(tmp_path):
    """Return a Live Link Face file in which the jaw opens within a second and the head turns."""
    names = [name[0].upper() + name[1:] for name in ARKIT_NAMES]
    header = ["Timecode", "BlendshapeCount", *names, "HeadYaw", "HeadPitch", "HeadRoll"]
    rows = []
    for frame in range(61):
        values = [frame / 60 if name == "jawOpen" else 0.0 for name in ARKIT_NAMES]
        rows.append([f"10:00:{frame // 60:02d}:{frame % 60:02d}.000", 61, *values, 0.1, 0.0, 0.0])
    path = tmp_path / "take.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n")
    return path


def test_a_file_is_described(csv):
    found = describe(DescribePerformance(3, str(csv)), Listening())
    assert (found.id, found.frames, found.fps, found.has_sound) == (3, 61, 60.0, False)
    assert found.seconds == pytest.approx(1, abs=0.05) and "52 controls" in " ".join(found.holds)


def test_a_file_becomes_a_motion_for_the_avatars_controls(csv):
    done = retarget(replace(REQUEST, path=str(csv)), Listening())
    motion = motion_from_bytes(done.motion, "it")
    assert done.id == 7 and motion.expr_names == ARKIT_NAMES
    np.testing.assert_allclose(motion.expr[:, ARKIT_NAMES.index("jawOpen")], np.arange(61) / 60, atol=1e-6)
    np.testing.assert_allclose(motion.times, np.arange(61) / 60, atol=1e-6)


def test_every_option_reaches_the_verb(csv, monkeypatch):
    seen = []
    monkeypatch.setattr(verbs, "retarget", lambda *given, **options: seen.append((given, options)) or 1 / 0)
    asked = replace(
        REQUEST, path=str(csv), start=1.0, end=2.0, fps=30.0, source_head="/models/flame.pkl", neutral="at",
        neutral_at=1.5, smoothing="savgol", strength=0.25, mirror=True, head_motion=False, regions=("jaw", "head"),
        gains=(0.5, 2.0), performer=2,
    )  # fmt: skip
    with pytest.raises(ZeroDivisionError):
        retarget(asked, Listening())
    (source, target), given = seen[0][0], seen[0][1]["options"]
    assert source == csv and target == verbs.Target(ARKIT_NAMES, "open", "0" * 64)
    for name in ("start", "end", "fps", "neutral", "neutral_at", "smoothing", "strength", "mirror", "performer"):
        assert getattr(given, name) == getattr(asked, name)
    assert given.gains == {"jaw": 0.5, "head": 2.0} and given.head_motion is False
    assert str(given.source_head) == "/models/flame.pkl"


@pytest.mark.parametrize(
    "changed, code, words",
    [
        ({"path": "/nowhere/take.csv"}, "performance.unseen", "sees no file take.csv"),
        ({"path": ""}, "performance.unseen", "sees no file"),
        ({"path": "a\0b"}, "performance.unseen", "sees no file"),
        ({"neutral": "sometimes"}, "usage", "no neutral 'sometimes'"),
        ({"smoothing": "butter"}, "usage", "no smoothing 'butter'"),
        ({"regions": ("jaw",)}, "usage", "do not fit"),
        ({"regions": ("ears",), "gains": (2.0,)}, "motion.region", "ears"),
    ],
)
def test_what_cannot_be_done_is_told(csv, changed, code, words):
    with pytest.raises(LikenessError) as caught:
        retarget(replace(REQUEST, **{"path": str(csv), **changed}), Listening())
    assert caught.value.code == code and words in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_remote_engines_person_hears_where_the_file_has_to_be():
    with pytest.raises(LikenessError, match="on another machine needs the file on its own disk"):
        describe(DescribePerformance(1, "/home/me/take.mov"), Listening())


@pytest.mark.parametrize("fps, step", [(60, 4), (30, 2), (15, 1), (10, 1)])
def test_frames_on_the_way_are_sent_but_not_more_than_are_shown(fps, step):
    listening = Listening()
    preview = _Preview(7, listening)
    for frame in range(100):
        preview.show(frame / fps, np.full(52, 0.5), np.zeros((5, 3)))
    assert [each.seconds for each in listening.sent] == [frame / fps for frame in range(0, 100, step)]
    assert all(isinstance(each, FrameTracked) and each.id == 7 for each in listening.sent)


def test_the_jobs_are_known():
    assert JOBS[DescribePerformance] is describe and JOBS[RetargetPerformance] is retarget
