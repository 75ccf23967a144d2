"""Requests as the verbs see them."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import pytest
import skimage.data
from PIL import Image

from likeness.contract.errors import LikenessError
from likeness.contract.messages import ANSWERS, CreateAvatar, MakePlate
from likeness.contract.progress import Cancelled, SilentProgress
from likeness.worker.jobs import JOBS, create, make_plate, plain_name

REQUEST = CreateAvatar(1, b"no picture", "/home/me/Me at\nhome.jpg", "draft", "open", None, "cpu", 0)


@pytest.mark.parametrize(
    "changed, code, words",
    [
        ({}, "picture.unreadable", "Me at\N{REPLACEMENT CHARACTER}home.jpg"),
        ({"portrait": b""}, "picture.empty", "home.jpg is empty"),
        ({"quality": "best"}, "usage", "no quality 'best'"),
        ({"device": "tpu"}, "usage", "no device 'tpu'"),
        ({"seed": -1}, "usage", "negative"),
        ({"head": "/nowhere/flame.pkl"}, "head.", "/nowhere/flame.pkl"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_persons_own_names(changed, code, words):
    with pytest.raises(LikenessError) as caught:
        create(replace(REQUEST, **changed), SilentProgress())
    assert caught.value.code.startswith(code) and words in caught.value.message


@pytest.mark.parametrize(
    "filename, name",
    [
        ("me.jpg", "me.jpg"),
        (r"C:\photos\me.jpg", "me.jpg"),
        ("../../etc/passwd", "passwd"),
        ("", "The picture"),
        ("folder/", "The picture"),
        ("a\udcff.jpg", "a\N{REPLACEMENT CHARACTER}.jpg"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_name_in_a_message_is_short_and_printable(filename, name):
    assert plain_name(filename) == name


def test_warming_up_starts_what_the_first_job_would_wait_for():
    program = (
        "import sys; from likeness.worker import jobs; jobs.load(); jobs.warm_up()\n"
        "sys.exit(not {'mediapipe', 'torch._dynamo', 'likeness.avatar.create'} <= set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], stderr=subprocess.DEVNULL, timeout=120).returncode == 0


def astronaut_png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).save(stream, "PNG")
    return stream.getvalue()


class Stopping:
    """Progress that is cancelled at its third report."""

    reports = 0

    def update(self, stage: str, fraction: float) -> None:
        self.reports += 1
        if self.reports == 3:
            raise Cancelled


def test_a_plate_is_a_picture_of_the_photographs_size_and_can_be_cancelled():
    request = MakePlate(7, astronaut_png(), (87.0, -14.0, 277.0))
    answer = make_plate(request, SilentProgress())
    with Image.open(io.BytesIO(answer.plate), formats=["PNG"]) as plate:
        assert answer.id == 7 and plate.size == (512, 512) and plate.mode == "RGB"
    with pytest.raises(Cancelled):
        make_plate(request, Stopping())


@pytest.mark.parametrize(
    "changed, code",
    [
        ({"photograph": b"no picture"}, "picture.unreadable"),
        ({"face_square": (1.0, 2.0)}, "usage"),
        ({"face_square": (0.0, 0.0, 0.0)}, "usage"),
        ({"face_square": (-1e12, 0.0, 100.0)}, "plate.no_face"),
    ],
)
def test_what_no_plate_can_be_made_of_is_told(changed, code):
    with pytest.raises(LikenessError) as caught:
        make_plate(replace(MakePlate(1, astronaut_png(), (87.0, -14.0, 277.0)), **changed), SilentProgress())
    assert caught.value.code == code


def test_every_request_has_its_job():
    assert set(JOBS) == set(ANSWERS)
