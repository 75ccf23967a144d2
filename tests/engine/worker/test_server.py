"""The engine's process: what it answers, what it survives, and how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from likeness.contract.codec import read_message, write_message
from likeness.contract.messages import (
    PROTOCOL_VERSION,
    AvatarCreated,
    Cancel,
    CreateAvatar,
    Hello,
    JobCancelled,
    JobFailed,
    JobProgress,
    Ping,
    Pong,
    Ready,
    Welcome,
)
from likeness.worker import server

QUICK = Path(__file__).with_name("quick_engine.py")
LONG_ENOUGH = server.GRACE + 3


class Engine:
    """A running engine and both ends of its conversation."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(QUICK), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"TMPDIR": str(folder)},
        )
        self.watchdog = threading.Timer(60, self.process.kill)
        self.watchdog.start()

    def say(self, *messages: object) -> None:
        for message in messages:
            write_message(self.process.stdin, message)

    def create(self, id: int, what: str) -> None:
        self.say(CreateAvatar(id, b"picture", what, "draft", "open", None, "auto", 0))

    def hear(self) -> object:
        return read_message(self.process.stdout)

    def outcome(self) -> object:
        """Return the next message that is no progress."""
        while isinstance(message := self.hear(), JobProgress):
            pass
        return message

    def end(self) -> tuple[int, float, str]:
        """Close its input; return exit code, seconds until then and what it said on standard error."""
        began = time.monotonic()
        self.process.stdin.close()
        code = self.process.wait(LONG_ENOUGH)
        return code, time.monotonic() - began, self.process.stderr.read().decode()


@pytest.fixture
def start(tmp_path):
    engines = []

    def make(*arguments: str, ready: bool = True) -> Engine:
        engine = Engine(*arguments, folder=tmp_path)
        engines.append(engine)
        if ready:
            engine.say(Hello(PROTOCOL_VERSION, "0.1.0"))
            assert isinstance(engine.hear(), Welcome) and engine.hear() == Ready("cpu", "Abacus")
        return engine

    yield make
    for engine in engines:
        engine.watchdog.cancel()
        engine.process.kill()
        engine.process.wait()
        for stream in (engine.process.stdin, engine.process.stdout, engine.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def test_a_greeting_is_answered_with_what_the_engine_is_whatever_the_client_speaks(start):
    engine = start(ready=False)
    for protocol in (PROTOCOL_VERSION + 1, PROTOCOL_VERSION):
        engine.say(Hello(protocol, "9.9.9"))
    heard = [engine.hear() for _ in range(3)]
    assert heard.count(Ready("cpu", "Abacus")) == 1
    welcome = Welcome(PROTOCOL_VERSION, version("likeness"), ".".join(map(str, sys.version_info[:3])))
    assert heard.count(welcome) == 2 and heard[0] == welcome


def test_a_job_tells_its_progress_and_its_result(start):
    engine = start()
    engine.create(7, "good")
    assert [engine.hear() for _ in range(3)] == [
        JobProgress(7, "begun", 0.0),
        JobProgress(7, "done", 1.0),
        AvatarCreated(7, b"picture", ("one", "two")),
    ]
    assert engine.end()[0] == 0


def test_jobs_that_come_before_it_is_ready_wait_and_run_in_order(start):
    engine = start(ready=False)
    for id in (3, 1, 2):
        engine.create(id, "good")
    engine.say(Hello(PROTOCOL_VERSION, "0.1.0"))
    heard = [engine.outcome() for _ in range(5)]
    assert [type(message) for message in heard[:2]] == [Welcome, Ready]
    assert [message.id for message in heard[2:]] == [3, 1, 2]


def test_whatever_prints_the_messages_stay_whole(start):
    engine = start()
    engine.create(1, "noisy")
    engine.create(2, "good")
    assert engine.outcome() == AvatarCreated(1, b"picture", ("one", "two"))
    assert engine.outcome().id == 2
    assert engine.end()[2].count("not a message") == 4


def test_pings_are_answered_while_a_job_runs(start):
    engine = start()
    engine.create(1, "slow")
    engine.say(Ping(5))
    began = time.monotonic()
    assert engine.outcome() == Pong(5) and time.monotonic() - began < 5


def test_running_and_queued_jobs_are_cancelled_and_others_go_on(start):
    engine = start()
    for id, what in ((1, "slow"), (2, "good"), (3, "good")):
        engine.create(id, what)
    engine.say(Cancel(2), Cancel(1), Cancel(99))
    assert engine.outcome() == JobCancelled(1)
    assert engine.outcome() == JobCancelled(2)
    assert engine.outcome() == AvatarCreated(3, b"picture", ("one", "two"))
    engine.say(Cancel(3), Ping(1))
    assert engine.outcome() == Pong(1)


@pytest.mark.parametrize(
    "what, code, words",
    [
        ("input", "face.none", "There is no face."),
        ("memory", "machine.memory", "The memory is not enough."),
        ("disk", "output.disk_full", "A disk is full."),
        ("bug", "internal", "Something unexpected failed (ZeroDivisionError: odd lines)."),
        ("leaves", "internal", "Something unexpected failed (SystemExit: 3)."),
        ("nan", "protocol.malformed", "fraction"),
        ("unsayable", "protocol.malformed", "warnings"),
    ],
)
def test_a_failed_job_is_told_in_the_command_lines_words_and_the_next_one_runs(start, what, code, words):
    engine = start()
    engine.create(1, what)
    engine.create(2, "good")
    failed = engine.outcome()
    assert isinstance(failed, JobFailed) and (failed.id, failed.code) == (1, code) and words in failed.message
    assert failed.remedy.endswith(".")
    assert engine.outcome().id == 2


@pytest.mark.parametrize("what", [None, "slow", "stuck"])
def test_the_end_of_its_input_ends_it_also_in_a_job(start, what):
    engine = start()
    if what:
        engine.create(1, what)
        assert isinstance(engine.hear(), JobProgress)
    code, seconds, errors = engine.end()
    assert seconds < server.GRACE + 1.5 and errors.count("Traceback") == 0
    assert code == (1 if what == "stuck" else 0)


@pytest.mark.parametrize("what", [None, "slow", "stuck"])
def test_sigterm_ends_it_and_ctrl_c_does_not(start, what):
    engine = start()
    engine.process.send_signal(signal.SIGINT)
    engine.say(Ping(1))
    assert engine.hear() == Pong(1)
    if what:
        engine.create(1, what)
        assert isinstance(engine.hear(), JobProgress)
    engine.process.send_signal(signal.SIGTERM)
    assert engine.process.wait(LONG_ENOUGH) == (1 if what == "stuck" else 0)
    assert b"Traceback" not in engine.process.stderr.read()


def test_a_client_that_listens_no_more_stops_its_job(start):
    engine = start()
    engine.create(1, "slow")
    engine.process.stdout.close()
    time.sleep(0.5)
    began = time.monotonic()
    engine.process.stdin.close()
    assert engine.process.wait(LONG_ENOUGH) == 0 and time.monotonic() - began < 5


@pytest.mark.parametrize(
    "noise", [b"GET / HTTP/1.1\r\n\r\n", b"\x89LKN\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
)
def test_nonsense_ends_it_in_one_line(start, noise):
    engine = start()
    engine.process.stdin.write(noise)
    engine.process.stdin.flush()
    assert engine.process.wait(LONG_ENOUGH) == 4
    last = engine.process.stderr.read().decode().splitlines()[-1]
    assert last.startswith("error: protocol.")


def test_an_answer_is_no_request(start):
    engine = start()
    engine.say(Pong(1))
    assert engine.process.wait(LONG_ENOUGH) == 4


def test_an_engine_that_cannot_load_says_why_and_ends(start):
    engine = start("broken", ready=False)
    engine.say(Hello(PROTOCOL_VERSION, "0.1.0"))
    assert isinstance(engine.hear(), Welcome) and engine.hear() is None
    assert engine.process.wait(LONG_ENOUGH) == 4
    assert "No module named 'torch'" in engine.process.stderr.read().decode().splitlines()[-1]


def test_a_person_at_a_terminal_is_told_what_it_is_for():
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "likeness.cli", "serve"]
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=60)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2 and done.stderr.startswith("error: usage: ") and done.stderr.count("\n") == 1


def test_the_greeting_waits_for_nothing_heavy():
    program = (
        "import sys, likeness.worker.server\n"
        "sys.exit(' '.join({'torch', 'mediapipe', 'numba', 'scipy', 'PIL', 'cv2'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
