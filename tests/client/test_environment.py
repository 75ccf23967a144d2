"""The engine's environment, made with stand-ins for the tools, offline; and with the real uv where there is one."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from addon.environment import (
    Setup,
    State,
    Wish,
    bundle_in,
    environment_python,
    own_environment,
    pythons,
    read_marker,
    remove,
    state_of,
)
from addon.environment import lock as locking
from fake_tools import UV, make_fakes, make_wheel, write_program

from likeness.contract.errors import LikenessError

ROOT = Path(__file__).resolve().parents[2]
STEPS = {"python": "venv", "packages": "--requirement", "torch": "torch==", "engine": "likeness-0.1.0"}
REAL_UV = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are programs with a #! line")


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    made = make_fakes(tmp_path / "fakes")
    write_program(made.root / "bin" / "uv", UV.format(python=sys.executable))
    monkeypatch.setenv("PATH", str(made.root / "bin"))
    monkeypatch.setenv("FAKE_UV", str(made.root / "orders.json"))
    monkeypatch.setenv("FAKE_INDEX", str(made.index))
    monkeypatch.setattr(sys, "platform", "linux")
    return made


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "engine folder"


def bundle(fakes):
    return bundle_in(fakes.root / "extension")


def wish(fakes, **choices):
    return Wish(bundle(fakes), interpreter=fakes.interpreter, **choices)


def run(folder, wanted):
    """Run a setup to its end and return it."""
    setup = Setup(folder, wanted)
    setup.start()
    assert setup.wait(30)
    return setup


def test_an_environment_is_made_from_the_index(fakes, folder):
    assert state_of(folder, bundle(fakes)) == State.ABSENT and own_environment(folder) is None
    setup = run(folder, wish(fakes))
    assert setup.error is None and not setup.cancelled
    assert setup.progress.fraction == 1
    assert state_of(folder, bundle(fakes)) == State.READY
    assert own_environment(folder) == folder / "env" and environment_python(folder / "env").exists()
    marker = read_marker(folder)
    assert (marker.version, marker.python, marker.torch) == ("0.1.0", "3.11.9", "2.13.0+cpu")
    calls = fakes.calls()
    assert [sign in call for sign, call in zip(STEPS.values(), calls, strict=True)] == [True] * 4
    assert "torch==2.13.0+cpu" in calls[2]
    assert not (folder / "cache").exists() and not (folder / "requirements.txt").exists()


class Watched(Setup):
    """A setup that remembers all it showed."""

    def __setattr__(self, name, value):
        if name == "progress":
            self.__dict__.setdefault("shown", []).append(value)
        super().__setattr__(name, value)


def test_progress_only_grows(fakes, folder):
    setup = Watched(folder, wish(fakes))
    setup.start()
    assert setup.wait(30) and setup.error is None
    fractions = [progress.fraction for progress in setup.shown]
    assert fractions == sorted(fractions) and (fractions[0], fractions[-1]) == (0, 1)
    assert len({progress.step for progress in setup.shown if progress.step}) == 7
    assert any("Downloaded first" in progress.line for progress in setup.shown)


def test_starting_returns_at_once(fakes, folder):
    fakes.order(venv="hang")
    setup = Setup(folder, wish(fakes))
    before = time.perf_counter()
    setup.start()
    assert time.perf_counter() - before < 1
    setup.cancel()
    assert setup.wait(5)


@pytest.mark.parametrize("step", [*STEPS, "check", "uv"])
def test_a_setup_stopped_at_any_step_is_resumed_from_there(fakes, folder, monkeypatch, step):
    signs = {**STEPS, "uv": "--version"}
    if step == "check":
        monkeypatch.setenv("FAKE_DOCTOR", "hang")
    else:
        fakes.order(**{signs[step]: "hang"})
    setup = Setup(folder, wish(fakes))
    setup.start()
    waiting = "ok     python" if step == "check" else "hanging"
    deadline = time.monotonic() + 20
    while not setup.progress.line.startswith(waiting) and time.monotonic() < deadline:
        time.sleep(0.01)
    before = time.monotonic()
    setup.cancel()
    assert setup.wait(5) and time.monotonic() - before < 4
    assert setup.cancelled and setup.error.code == "setup.cancelled"
    assert state_of(folder, bundle(fakes)) in (State.INCOMPLETE, State.ABSENT)
    assert own_environment(folder) is None
    done = fakes.calls()[: list(STEPS).index(step) if step in STEPS else 0]
    fakes.order()
    monkeypatch.delenv("FAKE_DOCTOR", raising=False)
    assert run(folder, wish(fakes)).error is None
    assert state_of(folder, bundle(fakes)) == State.READY
    assert len(fakes.calls()) == (0 if step == "check" else 4 - len(done))


def test_a_ready_environment_is_only_checked_again(fakes, folder):
    run(folder, wish(fakes))
    fakes.calls()
    assert run(folder, wish(fakes)).error is None
    assert fakes.calls() == []


def test_a_lost_interpreter_makes_it_all_anew(fakes, folder):
    run(folder, wish(fakes))
    fakes.calls()
    environment_python(folder / "env").unlink()
    assert state_of(folder, bundle(fakes)) == State.INCOMPLETE and own_environment(folder) is None
    assert run(folder, wish(fakes)).error is None
    assert len(fakes.calls()) == 4


@pytest.mark.parametrize("content", ["", "[]", "{", '{"version": 1}', "\0"])
def test_a_spoilt_marker_or_journal_counts_as_none(fakes, folder, content):
    run(folder, wish(fakes))
    for name in ("engine.json", "setup.json"):
        (folder / name).write_text(content)
    assert state_of(folder, bundle(fakes)) == State.INCOMPLETE
    assert run(folder, wish(fakes)).error is None


def test_another_version_another_lock_and_another_wheel_are_outdated(fakes, folder):
    run(folder, wish(fakes))
    now = bundle(fakes)
    assert state_of(folder, replace(now, version="0.2.0")) == State.OUTDATED
    other = fakes.root / "other.lock"
    other.write_text("first==1.0\n")
    assert state_of(folder, replace(now, requirements=other)) == State.OUTDATED
    wheel = fakes.root / "likeness-0.1.0-py3-none-any.whl"
    make_wheel(wheel, {"likeness/__init__.py": "1"})
    assert state_of(folder, replace(now, wheel=wheel)) == State.OUTDATED
    assert state_of(folder, replace(now, wheel=fakes.root / "none.whl")) == State.READY


def test_an_update_does_only_what_changed(fakes, folder):
    run(folder, wish(fakes))
    fakes.calls()
    newer = replace(bundle(fakes), requirements=fakes.root / "newer.lock")
    make_wheel(fakes.index / "first-1.1-py3-none-any.whl", {"first.py": ""})
    newer.requirements.write_text("first==1.1\nsecond-one==2.0\ntorch==2.13.0\n")
    assert run(folder, Wish(newer, interpreter=fakes.interpreter)).error is None
    assert state_of(folder, newer) == State.READY
    assert ["--requirement" in call for call in fakes.calls()] == [True]


def test_a_failed_update_leaves_no_ready_environment(fakes, folder):
    run(folder, wish(fakes))
    newer = replace(bundle(fakes), requirements=fakes.root / "newer.lock")
    newer.requirements.write_text("first==9\ntorch==2.13.0\n")
    assert run(folder, Wish(newer, interpreter=fakes.interpreter)).error.code == "setup.failed"
    assert state_of(folder, newer) == state_of(folder, bundle(fakes)) == State.INCOMPLETE


def test_without_uv_on_the_machine_it_is_fetched_and_kept(fakes, folder):
    (fakes.root / "bin" / "uv").unlink()
    (fakes.root / "bin" / "cp").symlink_to(shutil.which("cp", path="/bin:/usr/bin"))  # for Blender's stand-in
    assert run(folder, wish(fakes)).error is None
    assert os.access(folder / "tools" / "uv", os.X_OK)


def test_a_folder_of_wheels_needs_no_network(fakes, folder, monkeypatch):
    (fakes.root / "bin" / "uv").unlink()
    monkeypatch.delenv("FAKE_INDEX")
    monkeypatch.setenv("UV_INDEX", "http://127.0.0.1:9/simple")
    assert run(folder, wish(fakes, wheels=fakes.index)).error is None
    assert state_of(folder, bundle(fakes)) == State.READY
    venv, *installs = fakes.calls()
    assert "--no-python-downloads" in venv
    assert all({"--offline", "--no-index", "--find-links"} <= set(call.split()) for call in installs)


def test_a_folder_that_lacks_wheels_is_told_which(fakes, folder):
    for wheel in (*fakes.index.glob("first*"), *fakes.index.glob("torch*")):
        wheel.unlink()
    error = run(folder, wish(fakes, wheels=fakes.index)).error
    assert error.code == "setup.wheels" and "first==1.0, torch==2.13.0" in error.message
    (fakes.root / "bin" / "uv").unlink()
    next(fakes.index.glob("uv-*")).unlink()
    error = run(folder, wish(fakes, wheels=fakes.index)).error
    assert error.code == "setup.wheels" and "uv==" in error.message


@pytest.mark.parametrize(
    "said, code",
    [
        ("error: failed to write: No space left on device (os error 28)", "setup.disk_full"),
        ("  cause: dns error: failed to lookup address information", "setup.no_network"),
        ("WARNING: Retrying after NewConnectionError('connection: [Errno 111] refused')", "setup.no_network"),
        ("  cause: invalid peer certificate: UnknownIssuer", "setup.no_network"),
        ("error: failed to create file: Permission denied (os error 13)", "setup.no_permission"),
        ("  cause: mediapipe has no wheels with a matching platform tag", "setup.wheels"),
        ("something else", "setup.failed"),
        ("", "setup.failed"),
    ],
)
def test_what_a_tool_says_becomes_one_error(fakes, folder, said, code):
    fakes.order(__requirement=said)
    error = run(folder, wish(fakes)).error
    assert error.code == code
    assert error.message.endswith(".") and error.remedy.endswith((".", ".log"))
    assert state_of(folder, bundle(fakes)) == State.INCOMPLETE
    assert said.strip() in (folder / "setup.log").read_text()


def test_too_little_room_is_told_before_anything_is_fetched(fakes, folder, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 10**9))
    error = run(folder, wish(fakes)).error
    assert error.code == "setup.disk_full" and "1.0 GB are free" in error.message
    assert fakes.calls() == []


def test_no_python_is_told_with_its_remedy(fakes, folder, monkeypatch):
    fakes.order(venv="error: No interpreter found")
    error = run(folder, wish(fakes, wheels=fakes.index)).error
    assert error.code == "setup.no_python" and "Install Python 3.11" in error.remedy


def test_pythons_are_tried_until_one_works(fakes, folder, monkeypatch):
    fakes.order(**{pythons.WANTED: "broken shim", "/first/": "broken too"})
    monkeypatch.setattr(pythons, "common_places", lambda: iter([Path("/first/python"), Path("/second/python")]))
    assert run(folder, wish(fakes)).error is None
    assert [call.split()[-1] for call in fakes.calls()[:3]] == [pythons.WANTED, "/first/python", "/second/python"]


def test_torch_of_the_configured_index_comes_first_then_pytorchs_own(fakes, folder):
    (fakes.index / "torch-2.13.0+cpu-py3-none-any.whl").unlink()
    assert run(folder, wish(fakes)).error is None
    asked = [call.split("torch", 2)[-1] for call in fakes.calls() if "torch==" in call]
    assert asked[0].endswith("==2.13.0+cpu") and asked[1].endswith("-backend cpu torch==2.13.0")


def test_a_broken_engine_is_no_engine(fakes, folder, monkeypatch):
    monkeypatch.setenv("FAKE_DOCTOR", "broken")
    error = run(folder, wish(fakes)).error
    assert error.code == "setup.check" and "libGL.so.1" in error.message and "libgl1" in error.remedy
    assert state_of(folder, bundle(fakes)) == State.INCOMPLETE


def test_an_engine_that_broke_later_is_no_longer_ready(fakes, folder, monkeypatch):
    run(folder, wish(fakes))
    monkeypatch.setenv("FAKE_DOCTOR", "broken")
    assert run(folder, wish(fakes)).error.code == "setup.check"
    assert state_of(folder, bundle(fakes)) == State.INCOMPLETE


def test_two_blenders_do_not_work_in_one_folder(fakes, folder):
    folder.mkdir()
    with locking.locked(folder):
        assert run(folder, wish(fakes)).error.code == "setup.busy"
        with pytest.raises(LikenessError, match="Another Blender"):
            remove(folder)
    assert run(folder, wish(fakes)).error is None


def test_an_extension_without_its_wheel_says_so(fakes, folder):
    bundle(fakes).wheel.unlink()
    assert run(folder, wish(fakes)).error.code == "setup.no_wheel"


def test_a_folder_that_cannot_be_made_is_told(fakes, folder):
    folder.write_text("a file is in the way")
    assert run(folder, wish(fakes)).error.code in ("setup.failed", "setup.no_permission")


def test_removal_takes_all_of_ours_and_nothing_else(fakes, folder, tmp_path):
    run(folder, wish(fakes))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("")
    (folder / "cache").symlink_to(outside)
    (folder / "mine.txt").write_text("")
    (folder / "env" / "locked").mkdir(mode=0o500)
    remove(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    assert (outside / "kept.txt").exists()
    assert state_of(folder, bundle(fakes)) == State.ABSENT
    remove(folder)
    remove(tmp_path / "never there")


def test_a_removal_stopped_halfway_leaves_nothing_that_counts(fakes, folder, monkeypatch):
    run(folder, wish(fakes))
    monkeypatch.setattr(shutil, "rmtree", lambda path: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(LikenessError, match="Input/output error"):
        remove(folder)
    assert state_of(folder, bundle(fakes)) == State.INCOMPLETE and own_environment(folder) is None


@pytest.mark.skipif(REAL_UV is None, reason="no uv on this machine")
def test_the_real_uv_installs_from_a_folder(fakes, folder, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(REAL_UV).parent))
    wheels = fakes.root / "real"
    wheels.mkdir()
    make_real_wheel(wheels, "first", "1.0", {"first.py": ""})
    lock = fakes.root / "real.lock"
    lock.write_text("first==1.0\n")
    files = {
        "likeness/__init__.py": "",
        "likeness/cli/__init__.py": "",
        "likeness/cli/__main__.py": "print('ok torch 2')",
    }
    engine = make_real_wheel(fakes.root, "likeness", "0.1.0", files)
    wanted = Wish(replace(bundle(fakes), requirements=lock, wheel=engine), wheels)
    assert run(folder, wanted).error is None, (folder / "setup.log").read_text()
    assert state_of(folder, wanted.bundle) == State.READY


def make_real_wheel(folder, name, version, files):
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    made = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    made[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in (*made, f"{info}/RECORD"))
    make_wheel(path, made)
    return path
