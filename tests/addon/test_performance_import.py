"""Import Performance as scripts and people call it: where the keys are, and every failure as one report alone."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.operators.performance import Receiving, receive
from addon.scene import actions
from addon.scene.find import armature_of
from addon.scene.preview import Preview
from performing_engine import NOTE
from render_parts import whole_addon
from scene_dump import dump
from scene_parts import add, lively_avatar

from addon import performances, session
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.messages import FrameTracked, RetargetPerformance

ENGINE = Path(__file__).with_name("performing_engine.py")
AVATAR = lively_avatar()
NAMES = AVATAR.rig.control_names


@pytest.fixture(scope="module", autouse=True)
def with_addon():
    with whole_addon():
        yield


@pytest.fixture(autouse=True)
def mesh(monkeypatch):
    bpy.ops.wm.read_homefile(use_empty=True)
    use_engine(monkeypatch)
    performances.tell(())
    yield add(AVATAR)
    session.stop()


@pytest.fixture
def take(tmp_path) -> Path:
    path = tmp_path / "take.csv"
    path.write_text("a performance")
    return path


def use_engine(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setenv("LIKENESS_ENGINE", shlex.join([sys.executable, str(ENGINE), *arguments]))


def bring(path: Path, **options: object) -> set[str]:
    return bpy.ops.likeness.import_performance(filepath=str(path), **options)


def refusal(path: Path, **options: object) -> str:
    """Return what the operator reports, which must be one line and leave everything as it was."""
    before = dump()
    with pytest.raises(RuntimeError) as caught:
        bring(path, **options)
    assert dump() == before and session.work is None
    text = str(caught.value).removeprefix("Error: ").strip()
    assert "\n" not in text and "Traceback" not in text and text.endswith(".")
    return text


def test_it_becomes_an_action_of_the_files_name_from_the_current_frame(mesh, take):
    bpy.context.scene.frame_set(31)
    assert bring(take) == {"FINISHED"}
    key, rig = mesh.data.shape_keys, armature_of(mesh)
    assert key.animation_data.action.name == "take"
    assert rig.animation_data.action.name == ("take" if actions.SLOTTED else "take Bones")
    for owner in (key, rig):
        for curve in actions.animation_curves(owner):
            first, *_, last = curve.keyframe_points
            assert (first.co.x, last.co.x) == (31, 31 + 2 * 24)
            assert curve.group is not None
    assert performances.report[:2] == ("take: frames 31 to 79.", NOTE)


def test_the_choices_reach_the_engine(take, monkeypatch):
    use_engine(monkeypatch, "choices")
    told = refusal(take, start=1.5, end=4, neutral="at", neutral_at=2, mirror=True, gain_jaw=0.5, performer=2)
    for part in ("start=1.5 end=4.0 fps=None", "neutral=at neutral_at=2.0", "mirror=True", "regions=('jaw',)"):
        assert part in told
    assert "performer=None" in refusal(take) and "end=None" in refusal(take)


@pytest.mark.parametrize(
    "mode, said",
    [("unseen", "sees no file take.csv"), ("broken", "cannot be read"), ("die", "The engine ended")],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(take, monkeypatch, mode, said):
    use_engine(monkeypatch, mode)
    assert said in refusal(take)
    assert session.last_error is not None


def test_without_a_file_or_an_avatar_it_says_so(mesh, take):
    assert "No file is given" in refusal("")
    mesh.likeness.splats = None
    with pytest.raises(RuntimeError, match="Select an avatar first"):
        bring(take)


def test_a_failure_in_the_midst_of_keying_leaves_nothing(mesh, take, monkeypatch):
    key = mesh.data.shape_keys
    key.key_blocks["jawOpen"].keyframe_insert("value", frame=5)
    before = key.animation_data.action
    calls = []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) > 60:
            raise RuntimeError("Blender refuses")
        return real(*arguments)

    real = actions.new_curve
    monkeypatch.setattr(actions, "new_curve", failing)
    for how in ("ACTION", "STRIP", "ACTIVE"):
        calls.clear()
        curves = len(actions.animation_curves(key))
        with pytest.raises(RuntimeError, match="Blender refuses"):
            bring(take, how=how)
        assert calls and key.animation_data.action == before
        assert len(actions.animation_curves(key)) == curves
        assert [point.co[0] for point in actions.animation_curves(key)[0].keyframe_points] == [5]
        assert len(bpy.data.actions) == 2  # the keys' and the portrait's expression
        assert not key.animation_data.nla_tracks


def test_one_undo_step_takes_it_back(mesh, take):
    bpy.ops.ed.undo_push(message="Before")
    before = dump()
    bring(take, how="STRIP", layer="ADD")
    bpy.ops.ed.undo_push(message="Import Performance")  # Blender does it itself for operators that a person calls
    after = dump()
    assert before != after
    bpy.ops.ed.undo()
    assert dump() == before
    bpy.ops.ed.redo()
    assert dump() == after


def receiving(take: Path) -> Receiving:
    client = session.client()
    return Receiving(lambda work: receive(work, client, request(take)))


def test_the_frames_on_the_way_are_handed_on(take, monkeypatch):
    use_engine(monkeypatch, "frames")
    work, seen = receiving(take), []
    while not work.wait(0.02):
        seen.append(work.frame)
    assert work.error is None and len(work.result.motion.times) == 121
    frames = [frame for frame in seen if frame is not None]
    assert frames and frames[0].controls.shape == (52,)


def test_a_cancelled_import_ends_at_once(take, monkeypatch):
    use_engine(monkeypatch, "wait")
    work = receiving(take)
    while work.frame is None:
        assert not work.wait(0.02), work.error
    work.cancel()
    assert work.done and work.result is None


def request(path: Path) -> RetargetPerformance:
    plain = {"start": 0.0, "end": None, "fps": None, "source_head": None, "neutral": "off", "neutral_at": 0.0}
    plain |= {"smoothing": "none", "strength": 0.5, "mirror": False, "head_motion": True, "performer": None}
    return RetargetPerformance(0, str(path), NAMES, "open", "", regions=(), gains=(), **plain)


def state(mesh) -> list:
    keys = [key.value for key in mesh.data.shape_keys.key_blocks]
    bones = [bone.matrix_basis.copy() for bone in armature_of(mesh).pose.bones]
    return [keys, bones]


@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION", "AXIS_ANGLE"])
def test_a_preview_is_seen_and_put_back(mesh, mode):
    rig = armature_of(mesh)
    for bone in rig.pose.bones:
        bone.rotation_mode = mode
    rig.pose.bones["neck"].matrix_basis = rig.pose.bones["neck"].matrix_basis.copy()
    mesh.data.shape_keys.key_blocks["jawOpen"].value = 0.3
    before = state(mesh)
    preview = Preview(mesh, head_motion=True)
    frame = FrameTracked(1, 0.0, np.full(52, 0.5, np.float32), np.full((5, 3), 0.25, np.float32))
    preview.show(frame)
    assert all(mesh.data.shape_keys.key_blocks[name].value == 0.5 for name in ARKIT_NAMES)
    assert state(mesh) != before
    preview.show(FrameTracked(1, 0.1, np.full(52, 0.25, np.float32), np.zeros((5, 3), np.float32)))
    preview.put_back()
    assert state(mesh)[0] == before[0]
    for now, then in zip(state(mesh)[1], before[1], strict=True):
        np.testing.assert_allclose(now, then, atol=1e-6)


def test_a_preview_survives_the_avatars_end(mesh):
    preview = Preview(mesh, head_motion=True)
    preview.show(FrameTracked(1, 0.0, np.full(52, 0.5, np.float32), np.zeros((5, 3), np.float32)))
    bpy.data.objects.remove(mesh)
    preview.put_back()


def test_what_a_file_holds_is_asked_once_for_each_state_of_it(take, monkeypatch):
    asked = []
    real = performances._ask
    monkeypatch.setattr(performances, "_ask", lambda key: asked.append(key) or real(key))
    found = wait_for(take)
    assert found.frames == 121 and found.holds == ("52 controls", "head")
    assert performances.look(str(take)) is found and len(asked) == 1
    time.sleep(0.02)
    take.write_text("another performance")
    assert performances.look(str(take)) is None
    assert wait_for(take) is not found and len(asked) == 2


def test_a_file_that_the_engine_does_not_see_is_told(take, monkeypatch):
    use_engine(monkeypatch, "unseen")
    assert wait_for(take).code == "performance.unseen"


def wait_for(path: Path):
    """Look as a panel does; without a window nobody runs the timers."""
    end = time.monotonic() + 20
    while (found := performances.look(str(path))) is None and time.monotonic() < end:
        performances._follow()
        time.sleep(0.02)
    return found
