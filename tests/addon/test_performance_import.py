"""Import Performance as scripts and people call it: where the keys are, and every failure as one report alone."""

from __future__ import annotations

import shlex
import socket
import sys
import time
import wave
from collections import deque
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.operators import performance as operators
from addon.operators.performance import ImportPerformance
from addon.operators.receive_performance import Playback, Receiving, motion_of, receive
from addon.operators.work import Work
from addon.scene import actions
from addon.scene.find import armature_of
from addon.scene.preview import Preview
from performing_engine import NOTE
from render_parts import ENGINE_PYTHON, NO_ENGINE, whole_addon
from scene_dump import dump
from scene_parts import add, lively_avatar

from addon import performances, session
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.messages import FrameTracked, RetargetPerformance
from likeness.contract.motion import Motion

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
    preview = Preview(bpy.data.objects["Ada"], head_motion=True)
    return Receiving(lambda work: receive(work, client, request(take)), preview)


def choose_in_the_browser(take: Path, monkeypatch: pytest.MonkeyPatch, meanwhile=int, **options) -> set[str]:
    """Call it as the file browser does when a file was chosen in it, after what has happened meanwhile."""
    whole = ImportPerformance.execute

    def execute(operator, context):
        monkeypatch.setattr(ImportPerformance, "execute", whole)
        meanwhile()
        operator.is_browsing = True
        return whole(operator, context)

    monkeypatch.setattr(ImportPerformance, "execute", execute)
    return bring(take, **options)


def test_the_file_browsers_choice_comes_in_with_the_options(mesh, take, monkeypatch):
    options = {"how": "STRIP", "frame": 40, "use_current_frame": False}
    ended = choose_in_the_browser(take, monkeypatch, **options)
    assert ended == {"CANCELLED"}  # another one begins, and here ends at once
    (track,) = mesh.data.shape_keys.animation_data.nla_tracks
    assert track.strips[0].frame_start == 40


def test_the_file_browsers_choice_fails_with_one_report(take, monkeypatch):
    use_engine(monkeypatch, "unseen")
    with pytest.raises(RuntimeError, match="sees no file") as caught:
        choose_in_the_browser(take, monkeypatch)
    assert "Traceback" not in str(caught.value)
    work = Work(lambda work: work.wait(5))
    with pytest.raises(RuntimeError, match="Something else is on its way"):
        choose_in_the_browser(take, monkeypatch, lambda: session.begin(work))
    assert session.work is work and not work.done
    work.cancel()
    session.end()


def test_the_frames_on_the_way_are_handed_on(take, monkeypatch):
    use_engine(monkeypatch, "frames")
    work = receiving(take)
    assert work.wait(20) and work.error is None and len(work.result.motion.times) == 121
    assert [frame.controls.shape for frame in work.frames] == [(52,)]


def test_a_cancelled_import_ends_at_once(take, monkeypatch):
    use_engine(monkeypatch, "wait")
    work = receiving(take)
    while not work.frames:
        assert not work.wait(0.02), work.error
    work.cancel()
    assert work.done and work.result is None


def request(path: Path) -> RetargetPerformance:
    plain = {"start": 0.0, "end": None, "fps": None, "source_head": None, "neutral": "off", "neutral_at": 0.0}
    plain |= {"smoothing": "none", "strength": 0.5, "mirror": False, "head_motion": True, "performer": None}
    return RetargetPerformance(0, str(path), NAMES, "open", "", regions=(), gains=(), **plain)


def still(value: float, turned: float = 0.0, seconds: float = 0.0) -> Motion:
    return motion_of(frame_at(seconds, value, turned))


def frame_at(seconds: float, value: float = 0.0, turned: float = 0.0) -> FrameTracked:
    return FrameTracked(1, seconds, np.full(52, value, np.float32), np.full((5, 3), turned, np.float32))


def test_frames_found_at_once_are_played_at_the_videos_speed():
    playback, frames = Playback(), deque(frame_at(5 + number / 15) for number in range(30))
    shown = [playback.take(frames, 100 + number / 10) for number in range(19)]
    assert [each.seconds for each in shown[:3]] == pytest.approx([5, 5 + 1 / 15, 5.2])
    assert all(abs(each.seconds - 5 - number / 10) <= 1 / 15 + 1e-6 for number, each in enumerate(shown))
    assert playback.take(frames, 102).seconds == 5 + 29 / 15 and playback.take(frames, 103) is None
    frames.extend(frame_at(7 + number / 15) for number in range(3))
    assert playback.take(frames, 110).seconds == 7, "what is found later is played from its beginning"
    frames.clear()
    frames.extend([frame_at(60), frame_at(61)])
    assert playback.take(frames, 110.1).seconds == 60, "after a gap it goes on at once"


def test_a_file_that_is_saved_meanwhile_holds_the_pose_before(mesh, take, monkeypatch, tmp_path):
    use_engine(monkeypatch, "wait")
    jaw = mesh.data.shape_keys.key_blocks["jawOpen"]
    jaw.value = 0.25
    work = receiving(take)
    session.begin(work)
    work.preview.show(still(0.75))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"), copy=True)
    assert jaw.value == 0.25
    work.preview.show(still(0.5))
    assert jaw.value == 0.5
    work.cancel()
    session.end()


def test_one_avatar_is_not_moved_by_two(mesh, take, monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bpy.context.window_manager.likeness_live.port = port
    assert bpy.ops.likeness.receive() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="stop it first"):
        bring(take)
    bpy.ops.likeness.stop_receiving()
    use_engine(monkeypatch, "wait")
    work = receiving(take)
    session.begin(work)
    with pytest.raises(RuntimeError, match="being imported"):
        bpy.ops.likeness.receive()
    work.cancel()
    session.end()


def test_a_file_browser_that_is_closed_leaves_without_an_error(take, monkeypatch):
    def close(operator, context):
        operator.cancel(context)
        return {"CANCELLED"}

    monkeypatch.setattr(ImportPerformance, "execute", close)
    assert bring(take) == {"CANCELLED"}


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
    preview.show(still(0.5, turned=0.25))
    assert all(mesh.data.shape_keys.key_blocks[name].value == 0.5 for name in ARKIT_NAMES)
    assert state(mesh) != before
    preview.show(still(0.25))
    preview.put_back()
    assert state(mesh)[0] == before[0]
    for now, then in zip(state(mesh)[1], before[1], strict=True):
        np.testing.assert_allclose(now, then, atol=1e-6)


def test_a_preview_leaves_the_animation_of_the_frame_that_is_shown_then(mesh):
    key = mesh.data.shape_keys.key_blocks["jawOpen"]
    for frame in (1, 11):
        key.value = frame / 20
        key.keyframe_insert("value", frame=frame)
    bpy.context.scene.frame_set(1)
    preview = Preview(mesh, head_motion=True)
    preview.show(still(0.75))
    bpy.context.scene.frame_set(11)
    preview.put_back()
    bpy.context.view_layer.update()
    assert key.value == pytest.approx(0.55)


def test_a_preview_survives_the_avatars_end(mesh):
    preview = Preview(mesh, head_motion=True)
    preview.show(still(0.5))
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


def write_csv(path: Path, values: dict[str, np.ndarray], fps: int = 60) -> None:
    """Write a Live Link Face file of these controls, all others at rest, and a turning head."""
    count = len(next(iter(values.values())))
    names = [name[0].upper() + name[1:] for name in ARKIT_NAMES]
    lines = [",".join(["Timecode", "BlendshapeCount", *names, "HeadYaw", "HeadPitch", "HeadRoll"])]
    for frame in range(count):
        row = [f"{values[name][frame]:.9f}" if name in values else "0" for name in ARKIT_NAMES]
        head = [f"{0.3 * np.sin(frame / 20):.6f}", "0", "0"]
        lines.append(",".join([f"10:00:{frame // fps:02d}:{frame % fps:02d}.000", "61", *row, *head]))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.skipif(not ENGINE_PYTHON.exists(), reason=NO_ENGINE)
@pytest.mark.parametrize("fps, base", [(24, 1.0), (25, 1.0), (30, 1.0), (30, 1.001), (60, 1.0)])
def test_a_csvs_values_are_there_at_its_own_times_with_the_real_engine(mesh, take, monkeypatch, fps, base):
    monkeypatch.setenv("LIKENESS_ENGINE", str(ENGINE_PYTHON))
    render, count = bpy.context.scene.render, 90
    render.fps, render.fps_base = fps, base
    rng = np.random.default_rng(fps)
    wanted = {name: np.clip(rng.normal(0.5, 0.3, count), 0, 1) for name in ARKIT_NAMES[::3]}
    wanted["jawOpen"] = np.abs(np.sin(np.arange(count) / 9))
    write_csv(take, wanted)
    frames = 7 + np.arange(count) / 60 * fps / base
    for reduce, allowed in ((False, 1e-4), (True, 0.02)):
        assert bring(take, neutral="off", use_current_frame=False, frame=7, reduce=reduce, bound=0.02) == {"FINISHED"}
        curves = {actions.control_name(c.data_path): c for c in actions.animation_curves(mesh.data.shape_keys)}
        assert set(wanted) <= set(curves) and not set(ARKIT_NAMES[1::3]) & set(curves) - {"jawOpen"}
        for name, column in wanted.items():
            found = [curves[name].evaluate(frame) for frame in frames]
            assert np.abs(np.array(found) - column).max() <= allowed
    turning = [curve for curve in actions.animation_curves(armature_of(mesh)) if '"neck"' in curve.data_path]
    assert len(turning) == 3 and max(np.ptp([curve.evaluate(f) for f in frames]) for curve in turning) > 0.2


@pytest.mark.skipif(not ENGINE_PYTHON.exists(), reason=NO_ENGINE)
@pytest.mark.parametrize(
    "text, said",
    [("", "empty"), ("a,b\n1,2\n", "take.csv"), ("Timecode,BlendshapeCount\n", "take.csv")],
    ids=["empty", "of something else", "without rows"],
)
def test_files_that_are_no_performance_are_one_line_with_the_real_engine(take, monkeypatch, text, said):
    monkeypatch.setenv("LIKENESS_ENGINE", str(ENGINE_PYTHON))
    take.write_text(text)
    assert said in refusal(take)


def test_a_linked_avatar_is_refused_with_what_to_do(mesh, take, tmp_path):
    library = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (_, here):
        here.collections = ["Ada"]
    linked = bpy.data.collections["Ada"]
    bpy.context.scene.collection.children.link(linked)
    bpy.context.view_layer.objects.active = bpy.data.objects["Ada"]
    assert "Make Local" in refusal(take)
    bpy.context.scene.collection.children.unlink(linked)
    linked.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
    mine = next(each for each in bpy.context.scene.objects if each.name == "Ada" and each.library is None)
    bpy.context.view_layer.objects.active = mine
    assert "linked from another file" in refusal(take)


def wav(path: Path, seconds: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.zeros(int(8000 * seconds), np.int16).tobytes())


@pytest.mark.parametrize("start, frame", [(0.0, 12.0), (0.5, 12.0), (0.25, 30.0)])
def test_the_sound_lies_where_the_performance_lies(take, monkeypatch, start, frame):
    if not bpy.app.build_options.audaspace:
        pytest.skip("this Blender was built without sound")
    use_engine(monkeypatch, "sound")
    wav(take, 5.0)
    scene = bpy.context.scene
    busy = scene.sequence_editor_create()
    strips = busy.strips if hasattr(busy, "strips") else busy.sequences
    strips.new_effect("Below", "COLOR", 3, 1, **({"length": 100} if bpy.app.version >= (5, 0) else {"frame_end": 101}))
    assert bring(take, use_current_frame=False, frame=frame, start=start) == {"FINISHED"}
    (strip,) = [each for each in strips if each.type == "SOUND"]
    assert strip.channel == 4 and strip.sound.filepath == str(take)
    assert strip.frame_final_start == frame and strip.frame_final_end == frame + 2 * 24 + 1
    assert strip.frame_start == pytest.approx(frame - start * 24)
    assert bring(take, use_current_frame=False, frame=frame, start=start) == {"FINISHED"}
    assert len([each for each in strips if each.type == "SOUND"]) == 1, "the same is not heard twice"
    assert bring(take, use_current_frame=False, frame=frame + 9, start=start) == {"FINISHED"}
    assert len([each for each in strips if each.type == "SOUND"]) == 2
    assert bring(take, sound=False) == {"FINISHED"}
    assert len([each for each in strips if each.type == "SOUND"]) == 2


def test_sound_that_blender_refuses_is_told_beside_the_keys(mesh, take, monkeypatch):
    use_engine(monkeypatch, "sound")
    monkeypatch.setattr(operators, "add_sound", lambda *_, **__: 1 / 0)
    assert bring(take) == {"FINISHED"} and mesh.data.shape_keys.animation_data.action.name == "take"
    assert any("The sound was left out" in sentence for sentence in performances.report)


def test_sound_that_this_machine_does_not_have_is_told(mesh, tmp_path, monkeypatch):
    use_engine(monkeypatch, "sound")
    assert bring(tmp_path / "elsewhere.mov") == {"FINISHED"}
    assert any("sound was left out" in sentence for sentence in performances.report)
    (tmp_path / "silent.mov").write_text("no sound")
    assert bring(tmp_path / "silent.mov") == {"FINISHED"}
    assert any("sound was left out" in sentence for sentence in performances.report)
    assert not len(bpy.data.sounds)
