"""Setup in Blender: the operators, with a setup that is a stand-in, and what the panel and the preferences draw."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import bpy
import pytest
from addon.client import EngineState, EngineStatus
from addon.operators import setup as operators
from addon.panels import setup as panels

from addon import environment, preferences, session
from likeness.contract.errors import LikenessError, MachineError

MODULES = ("preferences", "operators.setup", "panels.setup")
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class FakeSetup:
    """A setup that ends as it is told, at once or when it is cancelled."""

    folder: Path
    wish: environment.Wish

    outcome = None
    ends = True
    made = ()

    def __post_init__(self):
        self.progress = environment.Progress("Installing PyTorch", 0.5, "Downloading torch")
        self.done = False
        self.error = None
        FakeSetup.made = (*FakeSetup.made, self)

    def start(self):
        if self.ends:
            self.done, self.error = True, self.outcome

    def cancel(self):
        self.done, self.error = True, LikenessError("setup.cancelled", "The setup was stopped.", "Resume it.")

    def wait(self, timeout=None):
        return self.done


class FakeLayout:
    """Takes down what is drawn; operators must exist, as Blender's own layout asks."""

    def __init__(self, drawn=None):
        self.drawn = [] if drawn is None else drawn

    def column(self, **_):
        return FakeLayout(self.drawn)

    row = box = column

    def label(self, *, text, icon="NONE"):
        assert icon in bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items
        self.drawn.append(text)

    def operator(self, name, *, text=None, icon="NONE"):
        module, _, function = name.partition(".")
        assert hasattr(getattr(bpy.ops, module), function)
        self.drawn.append(f"[{name} {text}]")
        return self

    def progress(self, *, factor, text):
        self.drawn.append(f"{factor:.0%} {text}")

    def prop(self, owner, name):
        assert name in owner.bl_rna.properties or name in type(owner).__annotations__
        self.drawn.append(f"<{name}>")

    @property
    def text(self):
        return " ".join(self.drawn)


@pytest.fixture(autouse=True)
def world(tmp_path, monkeypatch):
    """The three modules registered, a folder for the engine, and no engine named anywhere."""
    modules = [import_module(f"addon.{name}") for name in MODULES if not hasattr(bpy.types, "LIKENESS_PT_setup")]
    for module in modules:
        module.register()
    monkeypatch.delenv("LIKENESS_ENGINE", raising=False)
    monkeypatch.setattr(preferences, "engine_folder", lambda: tmp_path / "engine")
    monkeypatch.setattr(operators, "Setup", FakeSetup)
    for name, value in {"outcome": None, "ends": True, "made": ()}.items():
        monkeypatch.setattr(FakeSetup, name, value)
    operators.running = operators.last_error = None
    yield tmp_path
    operators.running = operators.last_error = None
    for module in reversed(modules):
        module.unregister()


def be_online(monkeypatch, online=True):
    class App:
        online_access = online

        def __getattr__(self, name):
            return getattr(real, name)

    real = bpy.app
    monkeypatch.setattr(bpy, "app", App())


def make_environment(folder, **changes):
    """Pretend that a setup has ended."""
    bundle = preferences.bundle()
    python = environment.environment_python(folder / "env")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    wheel = environment.state.file_hash(bundle.wheel) if bundle.wheel.exists() else ""
    values = {"version": bundle.version, "requirements": environment.state.file_hash(bundle.requirements)}
    marker = environment.Marker(**{**values, "wheel": wheel, "python": "3.11", "torch": "2", **changes})
    environment.state.write_marker(folder, marker)


def drawn():
    layout = FakeLayout()
    panels.draw_engine(layout, bpy.context)
    return layout.text


def with_status(monkeypatch, **values):
    monkeypatch.setattr(session, "status", lambda: EngineStatus(**values))


def test_set_up_reports_its_end(monkeypatch):
    be_online(monkeypatch)
    assert bpy.ops.likeness.setup_engine() == {"FINISHED"}
    assert operators.running is None and FakeSetup.made[0].wish.wheels is None


def test_a_failed_setup_is_an_error_and_stays_readable(monkeypatch):
    be_online(monkeypatch)
    FakeSetup.outcome = MachineError("setup.disk_full", "The disk is full.", "Free some space.")
    with pytest.raises(RuntimeError, match=r"The disk is full\. Free some space\."):
        bpy.ops.likeness.setup_engine()
    assert "The disk is full." in drawn() and "Free some space." in drawn()
    FakeSetup.outcome = None
    bpy.ops.likeness.setup_engine()
    assert operators.last_error is None


def test_nothing_is_fetched_without_online_access(monkeypatch):
    be_online(monkeypatch, False)
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.likeness.setup_engine()
    assert FakeSetup.made == ()
    assert "Allow Online Access" in drawn() and "screen.userpref_show" in drawn()


def test_a_folder_of_wheels_serves_without_online_access(monkeypatch, tmp_path):
    be_online(monkeypatch, False)
    assert bpy.ops.likeness.setup_engine(wheels_folder=str(tmp_path)) == {"FINISHED"}
    assert bpy.ops.likeness.install_engine_from_folder(directory=str(tmp_path)) == {"FINISHED"}
    assert [made.wish.wheels for made in FakeSetup.made] == [tmp_path, tmp_path]


def test_a_failed_install_from_a_folder_says_why(tmp_path):
    FakeSetup.outcome = MachineError("setup.wheels", "The folder lacks torch.", "Make it again.")
    with pytest.raises(RuntimeError, match="The folder lacks torch"):
        bpy.ops.likeness.install_engine_from_folder(directory=str(tmp_path))


def test_while_one_goes_on_no_other_begins(monkeypatch, tmp_path):
    FakeSetup.ends = False
    assert operators.begin(str(tmp_path)) is None
    for name in ("setup_engine", "install_engine_from_folder", "remove_engine", "restart_engine"):
        assert not getattr(bpy.ops.likeness, name).poll()
    assert "50% Installing PyTorch" in drawn() and "[likeness.cancel_setup" in drawn()
    assert operators._follow() == operators.INTERVAL
    assert bpy.ops.likeness.cancel_setup() == {"FINISHED"}
    assert operators._follow() is None and operators.running is None
    assert operators.last_error.code == "setup.cancelled"
    assert bpy.ops.likeness.setup_engine.poll() and not bpy.ops.likeness.cancel_setup.poll()


def test_unregistering_stops_a_setup(tmp_path):
    FakeSetup.ends = False
    operators.begin(str(tmp_path))
    operators.unregister()
    operators.register()
    assert FakeSetup.made[0].done and operators.running is None


def test_a_checkout_has_no_place_for_an_engine(monkeypatch):
    monkeypatch.setattr(preferences, "engine_folder", lambda: None)
    assert not bpy.ops.likeness.setup_engine.poll()
    with pytest.raises(RuntimeError, match="installed extension"):
        bpy.ops.likeness.setup_engine()
    assert "LIKENESS_ENGINE" in drawn() and "setup_engine" not in drawn()


@pytest.mark.parametrize("device, cuda, usable", [("auto", False, False), ("auto", True, True), ("cpu", False, True)])
def test_the_device_decides_on_the_build_of_torch(monkeypatch, tmp_path, device, cuda, usable):
    monkeypatch.setattr(operators, "cuda_is_usable", lambda: usable)
    monkeypatch.setattr(preferences, "get_preferences", lambda: type("Settings", (), {"device": device}))
    bpy.ops.likeness.setup_engine(wheels_folder=str(tmp_path))
    assert FakeSetup.made[0].wish.cuda is cuda


def test_an_engine_is_removed(world, monkeypatch):
    assert not bpy.ops.likeness.remove_engine.poll()
    make_environment(world / "engine")
    stopped = []
    monkeypatch.setattr(session, "stop", lambda: stopped.append(True))
    assert bpy.ops.likeness.remove_engine() == {"FINISHED"}
    assert stopped and not (world / "engine" / "env").exists()


def test_a_removal_that_is_refused_says_why(world, monkeypatch):
    make_environment(world / "engine")

    def refuse(folder):
        raise MachineError("setup.in_use", "python.exe is in use.", "Stop the engine.")

    monkeypatch.setattr(operators, "remove", refuse)
    with pytest.raises(RuntimeError, match=r"python\.exe is in use\. Stop the engine\."):
        bpy.ops.likeness.remove_engine()
    assert "python.exe is in use." in drawn()


def test_start_and_stop_hand_on_to_the_session(monkeypatch):
    calls = []
    monkeypatch.setattr(session, "restart", lambda: calls.append("restart"))
    monkeypatch.setattr(session, "stop", lambda: calls.append("stop"))
    assert bpy.ops.likeness.restart_engine() == bpy.ops.likeness.stop_engine() == {"FINISHED"}
    assert calls == ["restart", "stop"]


def test_the_button_follows_the_environment(world, monkeypatch):
    be_online(monkeypatch)
    with_status(monkeypatch)
    assert "No engine yet" in drawn() and "[likeness.setup_engine Set Up Engine]" in drawn()
    assert "remove_engine" not in drawn() and not panels.look().is_settled
    (world / "engine" / "env").mkdir(parents=True)
    assert "[likeness.setup_engine Resume Setup]" in drawn()
    (world / "engine" / "env").rmdir()
    make_environment(world / "engine", version="0.0.1")
    assert "[likeness.setup_engine Update Engine]" in drawn() and "another version" in drawn()
    environment.remove(world / "engine")
    make_environment(world / "engine")
    assert "setup_engine" not in drawn() and "[likeness.restart_engine Start Engine]" in drawn()
    assert panels.look().is_settled and "[likeness.remove_engine" in drawn()


def test_a_ready_engine_is_described(world, monkeypatch):
    make_environment(world / "engine")
    with_status(monkeypatch, state=EngineState.READY, software="0.1.0", device="cuda", device_name="NVIDIA H200")
    text = drawn()
    assert "Ready 0.1.0" in text and "CUDA: NVIDIA H200" in text and "Set up by Likeness" in text
    assert "likeness.cli" in text and "Restart Engine" in text and "stop_engine" in text


def test_a_dead_engine_is_told_with_its_button(world, monkeypatch):
    make_environment(world / "engine")
    error = MachineError("engine.died", "The engine died.", "Start the engine again.")
    with_status(monkeypatch, state=EngineState.FAILED, error=error)
    assert "The engine died. Start the engine again." in drawn() and "Restart Engine" in drawn()
    assert not panels.look().is_settled


def test_a_named_engine_needs_no_setup(monkeypatch):
    monkeypatch.setenv("LIKENESS_ENGINE", sys.executable)
    with_status(monkeypatch, state=EngineState.STARTING)
    text = drawn()
    assert "Environment variable LIKENESS_ENGINE" in text
    assert sys.executable.replace(" ", "") in text.replace(" ", "")  # a long path goes on in the next line
    assert "setup_engine" not in text and "Starting" in text


def test_a_named_engine_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("LIKENESS_ENGINE", "/nowhere/python")
    with_status(monkeypatch)
    assert "/nowhere/python" in drawn() and not panels.look().is_settled


def test_one_of_the_two_panels_shows(world, monkeypatch):
    with_status(monkeypatch)
    assert [panel.poll(bpy.context) for panel in (panels.OpenSetup, panels.SettledSetup)] == [True, False]
    make_environment(world / "engine")
    assert [panel.poll(bpy.context) for panel in (panels.OpenSetup, panels.SettledSetup)] == [False, True]


def test_the_preferences_show_the_box_and_the_settings():
    layout = FakeLayout()
    shown = type("Shown", (), {"layout": layout, "bl_rna": preferences.LikenessPreferences.bl_rna})
    preferences.LikenessPreferences.draw(shown, bpy.context)
    assert layout.text.endswith("<engine_command> <device> <quality>")
    assert "likeness.setup_engine" in layout.text or "LIKENESS_ENGINE" in layout.text
    assert preferences.get_preferences() is None


def test_registering_twice_leaves_no_second_box():
    panels.unregister()
    panels.register()
    assert preferences.sections.count(panels.draw_engine) == 1


def test_the_box_draws_quickly(world):
    make_environment(world / "engine")
    drawn()
    before = time.perf_counter()
    for _ in range(20):
        drawn()
    assert (time.perf_counter() - before) / 20 < 0.05
