"""The client against engines that misbehave: one readable error each, no waiting caller, and a new start works."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from addon.client import EngineClient, EngineState, EngineStatus

from likeness.contract.errors import InputError, LikenessError
from likeness.contract.messages import CreateAvatar

ROOT = Path(__file__).resolve().parents[2]
FAKE = Path(__file__).with_name("fake_engine.py")
PATIENCE = 20.0
SILENCE = 2.5
"""Seconds, where silence is what is tested: long enough for a busy machine to start a Python in."""
LONGEST_CALL = 0.25
"""Seconds: a busy machine may take a thread's core away for this long. Measured is less than a millisecond, and what
waited for one of these engines would wait for seconds."""


def request(portrait: bytes = b"abc") -> CreateAvatar:
    return CreateAvatar(0, portrait, "me.jpg", "draft", "open", None, "auto", 0)


class TimedClient(EngineClient):
    """Notes how long the caller was held, for every call."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.longest = 0.0

    def _timed(self, call, *args):
        began = time.perf_counter()
        try:
            return call(*args)
        finally:
            self.longest = max(self.longest, time.perf_counter() - began)

    def start(self):
        return self._timed(super().start)

    def submit(self, *args):
        return self._timed(super().submit, *args)

    def cancel(self, job):
        return self._timed(super().cancel, job)

    def close(self):
        return self._timed(super().close)


def fake(behaviour: str) -> list[str]:
    return [sys.executable, str(FAKE), behaviour]


@pytest.fixture
def client_of(monkeypatch):
    monkeypatch.setattr("addon.client.line.GRACE", 0.5)
    clients = []

    def make(*command: str, silence: float = 30.0) -> TimedClient:
        clients.append(TimedClient(command if len(command) > 1 else fake(*command), silence=silence))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
        assert client.longest < LONGEST_CALL
        assert until(lambda line=client: not alive(line))


def until(condition, patience: float = PATIENCE) -> bool:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False


def pid_of(client: EngineClient) -> int:
    assert until(lambda: client._line is None or client._line._process is not None)
    return client._line._process.pid


def alive(client: EngineClient) -> bool:
    from addon.client import line

    return any(running._client is client for running in line._running)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else True
    except (ProcessLookupError, FileNotFoundError):  # it may also end between the two
        return False


def settled(client: EngineClient) -> EngineStatus:
    assert until(lambda: client.status.state in (EngineState.READY, EngineState.FAILED))
    return client.status


def assert_readable(error: LikenessError) -> None:
    assert "\n" not in str(error) and str(error).isprintable() and len(str(error)) < 700
    assert error.message.endswith(".") and error.remedy.endswith(".") and "Traceback" not in str(error)


def test_a_job_runs_and_its_answer_is_worked_up_before_it_is_done(client_of):
    client = client_of("good")
    assert client.status == EngineStatus()
    client.start()
    job = client.submit(request(b"abc"), lambda answer: (answer.avatar.decode(), answer.warnings))
    other = client.submit(request(b"xyz"))
    assert job.wait(PATIENCE) and other.wait(PATIENCE)
    assert job.done and job.error is None and job.result == ("cba", ("It is dim.",))
    assert (job.stage, job.fraction) == ("refine", 0.5) and job.id != other.id and other.result.avatar == b"zyx"
    assert client.status == EngineStatus(EngineState.READY, "0.1.0", "cpu", "Abacus")


def test_the_frames_on_the_way_are_the_jobs(client_of):
    client = client_of("showing")
    client.start()
    job = client.submit(request(b"abc"))
    assert job.wait(PATIENCE) and job.error is None
    assert [frame.seconds for frame in job.frames] == [0.5, 1.5] and job.result.avatar == b"cba"


def test_jobs_sent_while_it_starts_wait_and_starting_twice_starts_once(client_of):
    client = client_of("late")
    client.start()
    first = pid_of(client)
    client.start()
    job = client.submit(request())
    assert client.status.state is EngineState.STARTING and not job.done
    assert job.wait(PATIENCE) and job.result and pid_of(client) == first


def test_a_failing_then_fails_the_job_alone(client_of, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    client = client_of("good")
    client.start()

    def refuse(answer):
        raise InputError("avatar.damaged", "It is damaged.", "Make it again.")

    jobs = [client.submit(request(), refuse), client.submit(request(), lambda answer: 1 / 0), client.submit(request())]
    assert all(job.wait(PATIENCE) for job in jobs)
    assert [job.error and job.error.code for job in jobs] == ["avatar.damaged", "internal", None]
    assert client.status.state is EngineState.READY


def test_the_engines_own_errors_reach_the_job_and_leave_the_engine_running(client_of):
    client = client_of("failing")
    client.start()
    job = client.submit(request())
    assert job.wait(PATIENCE)
    assert (job.error.code, job.error.message, job.error.remedy) == ("face.none", "No face in me.jpg.", "Take another.")
    assert_readable(job.error)
    assert client.status.state is EngineState.READY and not client.submit(request()).cancelled


def test_a_cancelled_job_is_over_at_once(client_of):
    client = client_of("cancelling")
    client.start()
    jobs = [client.submit(request()), client.submit(request())]
    client.cancel(jobs[1])
    assert jobs[1].done and jobs[1].cancelled and jobs[1].error is None and jobs[1].result is None
    assert until(lambda: jobs[0].stage == "fit")
    client.cancel(jobs[0])
    client.cancel(jobs[0])
    assert jobs[0].done and jobs[0].cancelled
    time.sleep(0.2)
    assert client.status.state is EngineState.READY


def test_a_job_may_be_cancelled_while_its_answer_is_worked_up(client_of):
    client = client_of("good")
    client.start()
    begun, go_on = threading.Event(), threading.Event()
    job = client.submit(request(), lambda answer: (begun.set(), go_on.wait(PATIENCE)))
    assert begun.wait(PATIENCE)
    client.cancel(job)
    assert job.done and job.cancelled
    go_on.set()
    other = client.submit(request())
    assert other.wait(PATIENCE) and other.result
    assert job.cancelled and job.result is None and job.error is None
    client.cancel(other)
    assert other.result and not other.cancelled


FAILURES = {
    "exits": ("engine.died", "exit code 4", "torch is missing"),
    "killed": ("engine.died", "SIGKILL", "before it was ready"),
    "silent": ("engine.silent", "2.5 seconds", ""),
    "no_pong": ("engine.silent", "2.5 seconds", ""),
    "closes_output": ("engine.died", "closed its output", ""),
    "newer": ("engine.version", "9.0.0", "Update the add-on."),
    "older": ("engine.version", "0.0.1", "Update the engine."),
    "banner": ("engine.not_an_engine", "Welcome to render-07, the friendly host", ""),
    "prompt": ("engine.not_an_engine", "'$'", ""),
}
JOB_FAILURES = {
    "dies_in_job": ("engine.died", "exit code 7", "Segmentation fault"),
    "half_an_answer": ("engine.died", "exit code 1", "while it worked"),
    "hangs_in_job": ("engine.silent", "2.5 seconds", ""),
    "closes_input": ("engine.died", "no longer listens", ""),
    "garbage_later": ("engine.garbled", "Segmentation fault", ""),
}


@pytest.mark.parametrize("behaviour", FAILURES)
def test_an_engine_that_does_not_come_up_is_one_readable_error_for_all(client_of, behaviour):
    client = client_of(behaviour, silence=SILENCE if FAILURES[behaviour][0] == "engine.silent" else 30.0)
    client.start()
    jobs = [client.submit(request()), client.submit(request())]
    assert all(job.wait(PATIENCE) for job in jobs)
    check(client, jobs[0].error, FAILURES[behaviour])
    assert jobs[0].error is jobs[1].error is client.status.error
    late = client.submit(request())
    assert late.done and late.error is client.status.error


@pytest.mark.parametrize("behaviour", JOB_FAILURES)
def test_an_engine_that_fails_in_a_job_is_one_readable_error(client_of, behaviour):
    client = client_of(behaviour, silence=SILENCE if JOB_FAILURES[behaviour][0] == "engine.silent" else 30.0)
    client.start()
    assert settled(client).state is EngineState.READY
    jobs = [client.submit(request()), client.submit(request())]
    assert all(job.wait(PATIENCE) for job in jobs)
    check(client, jobs[0].error, JOB_FAILURES[behaviour])


def check(client: EngineClient, error: LikenessError, expected: tuple[str, str, str]) -> None:
    code, *words = expected
    assert error.code == code and all(word in str(error) for word in words), str(error)
    assert_readable(error)
    assert client.status.state is EngineState.FAILED and client.status.error is error
    assert until(lambda: not alive(client)), "the process is left behind"


def test_after_a_failure_it_starts_anew(client_of):
    client = client_of("good")
    for _ in range(3):
        client.start()
        job = client.submit(request())
        assert job.wait(PATIENCE) and job.result
        os.kill(pid_of(client), 9)
        assert until(lambda: client.status.state is EngineState.FAILED) and client.status.error.code == "engine.died"
    client.start()
    assert settled(client) == EngineStatus(EngineState.READY, "0.1.0", "cpu", "Abacus")


@pytest.mark.parametrize(
    "command",
    [
        ("/nowhere/likeness", "serve"),
        ("likeness-that-is-not-there", "serve"),
        (str(FAKE.parent), "serve"),
        ("sh", "-c", "likeness-that-is-not-there serve"),
        ("sh", "-c", "exec /nowhere/likeness serve"),
        ("bad\0name", "serve"),
    ],
)
def test_a_command_that_cannot_be_run_is_told(client_of, command):
    client = client_of(*command)
    client.start()
    error = settled(client).error
    assert error.code == "engine.not_found"
    assert_readable(error)


def test_it_works_through_a_shell_as_through_ssh(client_of, tmp_path):
    wrapper = tmp_path / "ssh"
    line = " ".join(f"'{part}'" for part in fake("good"))
    wrapper.write_text(f'#!/bin/sh\nshift\nexec sh -c "$*"\n# {line}\n')
    wrapper.chmod(0o755)
    client = client_of(str(wrapper), "host", line)
    client.start()
    job = client.submit(request())
    assert job.wait(PATIENCE) and job.result.avatar == b"cba"


@pytest.mark.parametrize("behaviour", ["good", "deaf", "floods_stdout", "floods_stderr", "silent", "banner"])
def test_no_call_holds_the_caller_whatever_the_engine_does(client_of, behaviour):
    client = client_of(behaviour)
    portrait = os.urandom(1000) * 50_000
    client.start()
    jobs = [client.submit(request(portrait)) for _ in range(2)]
    for _ in range(200):
        time.sleep(0.002)
        client._timed(lambda: client.status)
    client.cancel(jobs[1])
    if behaviour.startswith(("good", "floods_stderr")):
        assert jobs[0].wait(PATIENCE) and len(jobs[0].result.avatar) == len(portrait)
    client.close()
    assert all(job.done for job in jobs) and client.status.state is EngineState.STOPPED
    assert client.longest < LONGEST_CALL


def test_an_engine_that_does_not_read_counts_as_silent(client_of):
    client = client_of("deaf", silence=SILENCE)
    client.start()
    job = client.submit(request(bytes(1 << 22)))
    assert job.wait(PATIENCE) and job.error.code == "engine.silent"


def test_a_slow_then_is_not_taken_for_a_silent_engine(client_of):
    client = client_of("good", silence=SILENCE)
    client.start()
    job = client.submit(request(), lambda answer: time.sleep(1.5 * SILENCE))
    assert job.wait(PATIENCE) and job.error is None
    assert client.submit(request()).wait(PATIENCE) and client.status.state is EngineState.READY


def test_what_may_not_be_sent_fails_its_job_alone(client_of):
    client = client_of("good")
    client.start()
    job = client.submit(CreateAvatar(0, "text", "me.jpg", "draft", "open", None, "auto", 0))
    assert job.wait(PATIENCE) and job.error.code == "protocol.malformed"
    assert client.submit(request()).wait(PATIENCE) and client.status.state is EngineState.READY


@pytest.mark.parametrize("behaviour", ["working", "stubborn", "silent"])
def test_close_ends_the_process_and_the_open_jobs(client_of, behaviour):
    client = client_of(behaviour)
    client.start()
    job, pid = client.submit(request()), pid_of(client)
    time.sleep(0.5)
    client.close()
    assert job.done and job.error.code == "engine.stopped"
    assert client.status == EngineStatus() and client.submit(request()).error.code == "engine.stopped"
    assert until(lambda: not exists(pid), 5)
    client.start()
    assert client.status.state is EngineState.STARTING


def test_closing_while_it_starts_leaves_nothing(client_of):
    for _ in range(5):
        client = client_of("good")
        client.start()
        client.close()
        assert until(lambda client=client: not alive(client), 5)


LEAVES = [(behaviour, "pass") for behaviour in ("good", "stubborn", "deaf", "floods_stderr")]
"""After os._exit, as after a crash, nothing of ours runs: an engine ends then because its input does."""


@pytest.mark.parametrize("behaviour, leave", [*LEAVES, ("good", "raise SystemExit(3)"), ("good", "os._exit(0)")])
def test_the_end_of_the_interpreter_leaves_no_orphan(behaviour, leave):
    program = f"""
        import os, sys, time
        sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "engine")!r}]
        from addon.client import EngineClient, EngineState
        from likeness.contract.messages import CreateAvatar
        client = EngineClient({fake(behaviour)!r})
        client.start()
        while client.status.state != "READY": time.sleep(0.01)
        client.submit(CreateAvatar(0, bytes(1 << 22), "me.jpg", "draft", "open", None, "auto", 0))
        print(client._line._process.pid, flush=True)
        {leave}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stderr == "" and until(lambda: not exists(int(done.stdout)), 5)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals of pipes")
def test_a_dead_engine_does_not_end_a_program_that_leaves_sigpipe_alone():
    program = f"""
        import signal, sys
        sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "engine")!r}]
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as in Blender
        from addon.client import EngineClient, EngineState
        from likeness.contract.messages import CreateAvatar
        client = EngineClient(["sh", "-c", "exec 0<&-; sleep 1"])
        client.start()
        job = client.submit(CreateAvatar(0, bytes(1 << 20), "me.jpg", "draft", "open", None, "auto", 0))
        assert job.wait({PATIENCE})
        print(job.error.code)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "engine.died\n"), done.stderr
