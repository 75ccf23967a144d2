"""The panel "Performance": what it draws of a file, of the options and of an import; it never asks twice."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest
from addon.operators.receive_performance import Receiving
from addon.panels import performance as panels
from addon.performance_properties import OPTIONS
from addon.scene.preview import Preview
from render_parts import whole_addon
from scene_parts import add

from addon import performances, session
from likeness.contract.errors import InputError
from likeness.contract.messages import PerformanceDescribed

FOUND = PerformanceDescribed(
    1, "Video, 512 x 512", 12.5, 25.0, 312, ("video to track", "sound"), True, ("It is dark.",)
)


class Recorder:
    """A layout that keeps what is drawn; what is named wrongly fails as it would in a panel."""

    def __init__(self, drawn: list[str]) -> None:
        self.drawn = drawn

    def label(self, *, text: str, icon: str = "NONE") -> None:
        assert icon in bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items
        self.drawn.append(text)

    def prop(self, data, name: str, **options) -> None:
        assert name in data.bl_rna.properties
        self.drawn.append(f"<{name}>")

    def operator(self, name: str, *, text: str = "", icon: str = "NONE", **options):
        assert hasattr(bpy.ops.likeness, name.removeprefix("likeness."))
        self.drawn.append(f"[{name} {text}]")
        return SimpleNamespace()

    def progress(self, *, factor: float, text: str) -> None:
        self.drawn.append(f"({factor:.2f} {text})")

    def panel(self, name: str, *, default_closed: bool):
        return Recorder(self.drawn), Recorder(self.drawn)

    def row(self, **options):
        return Recorder(self.drawn)

    column = box = row


@pytest.fixture(scope="module", autouse=True)
def with_addon():
    with whole_addon():
        yield


@pytest.fixture(autouse=True)
def mesh():
    bpy.ops.wm.read_homefile(use_empty=True)
    performances.tell(())
    return add()


@pytest.fixture
def options():
    held = bpy.context.window_manager.likeness_performance
    held.filepath = "/takes/angry.csv"
    yield held
    for name in ("filepath", *OPTIONS):
        held.property_unset(name)


def drawn(monkeypatch, found=None) -> str:
    monkeypatch.setattr(performances, "look", lambda path: found)
    recorder = Recorder([])
    panels.PerformancePanel.draw(SimpleNamespace(layout=recorder), bpy.context)
    return " ".join(recorder.drawn)


def test_a_file_is_described(monkeypatch, options):
    text = drawn(monkeypatch, FOUND)
    for part in ("Video, 512 x 512", "12.50 s at 25 fps, 312 frames", "Holds video to track, sound", "It is dark."):
        assert part in text
    assert "The scene has 24 fps" in text and "[likeness.import_performance Import]" in text
    bpy.context.scene.render.fps = 25
    assert "The scene has" not in drawn(monkeypatch, FOUND)


def test_until_it_is_known_and_where_it_cannot_be(monkeypatch, options):
    assert "Looking at the file..." in drawn(monkeypatch)
    error = InputError("performance.unseen", "The engine sees no file.", "Check the path.")
    assert "The engine sees no file. Check the path." in drawn(monkeypatch, error)


def test_without_a_file_nothing_is_asked(monkeypatch, options):
    options.filepath = ""
    monkeypatch.setattr(performances, "look", lambda path: 1 / 0)
    recorder = Recorder([])
    panels.PerformancePanel.draw(SimpleNamespace(layout=recorder), bpy.context)
    assert "<filepath>" in recorder.drawn


def test_options_that_mean_nothing_are_not_drawn(monkeypatch, options):
    text = drawn(monkeypatch, FOUND)
    for name in ("neutral_at", "strength", "frame", "layer", "punch", "punch_start"):
        assert f"<{name}>" not in text
    options.neutral, options.smoothing, options.use_current_frame, options.how = "at", "savgol", False, "STRIP"
    text = drawn(monkeypatch, FOUND)
    assert all(f"<{name}>" in text for name in ("neutral_at", "strength", "frame", "layer"))
    options.how, options.punch, options.reduce = "ACTIVE", True, False
    text = drawn(monkeypatch, FOUND)
    assert all(f"<{name}>" in text for name in ("punch", "punch_start", "punch_end", "blend"))
    assert "<bound>" not in text and "<layer>" not in text


def test_every_option_is_somewhere_in_the_panel(monkeypatch, options):
    options.neutral, options.smoothing, options.use_current_frame = "at", "savgol", False
    options.how = "STRIP"
    text = drawn(monkeypatch, FOUND)
    options.how, options.punch = "ACTIVE", True
    text += drawn(monkeypatch, FOUND)
    assert [name for name in OPTIONS if f"<{name}>" not in text] == []


def test_a_punch_in_begins_with_the_frames_that_are_played(options):
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 10, 90
    options.punch = True
    assert (options.punch_start, options.punch_end) == (10, 90)


def test_progress_and_what_came_of_it_are_told(monkeypatch, options):
    work = Receiving(lambda work: work.wait(5), Preview(bpy.data.objects["Ada"], head_motion=True))
    work.stage, work.fraction = "Following the face", 0.25
    session.begin(work)
    try:
        text = drawn(monkeypatch, FOUND)
        assert "(0.25 Following the face  25%)" in text and "[likeness.cancel ]" in text
        assert "import_performance" not in text
    finally:
        work.cancel()
        session.end()
    performances.tell(("angry: frames 1 to 90.", "The tongue was left out."))
    text = drawn(monkeypatch, FOUND)
    assert "angry: frames 1 to 90." in text and "The tongue was left out." in text
    assert bpy.ops.likeness.dismiss_performance() == {"FINISHED"}
    assert "angry" not in drawn(monkeypatch)
