"""Requests as the verbs see them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from likeness.contract.errors import LikenessError
from likeness.contract.messages import ANSWERS, CreateAvatar
from likeness.contract.progress import SilentProgress
from likeness.worker.jobs import JOBS, create, plain_name

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


def test_every_request_has_its_job():
    assert set(JOBS) == set(ANSWERS)
