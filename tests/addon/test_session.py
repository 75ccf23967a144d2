"""The one engine of a Blender: made on first use, kept, exchanged, stopped."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

import bpy
import pytest
from addon.client import EngineState
from addon.operators.work import Work
from create_parts import registered

from addon import session
from likeness.contract.errors import InputError, MachineError

ENGINE = Path(__file__).with_name("making_engine.py")


@pytest.fixture(autouse=True)
def addon(monkeypatch):
    use_engine(monkeypatch)
    with registered():
        yield


def use_engine(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setenv("LIKENESS_ENGINE", shlex.join([sys.executable, str(ENGINE), *arguments]))


def settle() -> EngineState:
    """Wait until the engine is no longer starting."""
    end = time.monotonic() + 20
    while session.status().state == EngineState.STARTING and time.monotonic() < end:
        time.sleep(0.02)
    return session.status().state


def test_nothing_runs_before_the_first_use():
    assert session.status().state == EngineState.STOPPED


def test_the_engine_is_kept_and_one_call_never_waits():
    begun = time.perf_counter()
    first = session.client()
    assert time.perf_counter() - begun < 0.5
    assert settle() == EngineState.READY
    assert session.client() is first


def test_loading_a_file_keeps_it():
    first = session.client()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert session.client() is first and settle() == EngineState.READY


def test_another_command_exchanges_it(monkeypatch):
    first = session.client()
    use_engine(monkeypatch, "slow")
    assert session.client() is not first
    assert first.status.state == EngineState.STOPPED


def test_restarting_gives_a_new_process():
    first = session.client()
    session.restart()
    assert session.client() is not first and settle() == EngineState.READY


def test_restarting_dismisses_what_the_engine_before_said():
    session.tell(error=MachineError("engine.died", "The engine ended.", "Start it again."))
    session.restart()
    assert session.last_error is None


def test_stopping_stops_it():
    session.client()
    session.stop()
    assert session.status().state == EngineState.STOPPED


def test_a_failed_one_is_started_again_by_the_next_use(monkeypatch, tmp_path):
    use_engine(monkeypatch, "die", "start", str(tmp_path / "died"))
    session.client()
    assert settle() == EngineState.FAILED
    session.client()
    assert settle() == EngineState.READY


def test_without_an_engine_the_status_says_why(monkeypatch):
    monkeypatch.delenv("LIKENESS_ENGINE")
    with pytest.raises(MachineError):
        session.client()
    assert session.status().state == EngineState.FAILED and session.status().error.code == "engine.none"
    session.restart()  # no exception: the status says it


def test_beginning_and_dismissing_forget_the_last_error():
    error = InputError("photo.missing", "It is gone.", "Choose another.")
    session.tell(error=error)
    assert session.last_error is error
    session.begin(Work(lambda _: None))
    assert session.last_error is None and session.work is not None
    session.end()
    assert session.work is None


def test_unregistering_cancels_the_work_and_stops_the_engine():
    client = session.client()
    work = Work(lambda work: work.wait(10))
    session.begin(work)
    session.unregister()
    assert work.cancelled and session.work is None
    assert client.status.state == EngineState.STOPPED


def test_work_ends_with_a_result_an_error_or_at_once_by_cancelling():
    done = Work(lambda _: 3)
    assert done.wait(5) and done.result == 3 and done.error is None

    def fail(_: Work) -> None:
        raise InputError("x.y", "So.", "Thus.")

    failed = Work(fail)
    assert failed.wait(5) and failed.error.code == "x.y"
    stuck = Work(lambda _: time.sleep(5))
    begun = time.perf_counter()
    stuck.cancel()
    assert stuck.done and stuck.cancelled and time.perf_counter() - begun < 1
