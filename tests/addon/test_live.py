"""A live performance in Blender: what it opens, shows, records and leaves behind. Timers do not run in background."""

from __future__ import annotations

import math
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from addon.conventions import bone_to_joint_rotation
from addon.operators import live as operators
from addon.panels.performance import PerformancePanel
from addon.scene import actions, find
from faces import bone, control, empty_file, make_face
from mathutils import Euler

import addon
from addon import receiving
from likeness.contract.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "client"))
from live_packets import IFACIALMOCAP, live_link_packet, text_packet  # noqa: E402


@pytest.fixture
def face() -> Iterator[bpy.types.Object]:
    """Give an avatar with the whole add-on registered, and a port that is free."""
    addon.register()
    with empty_file():
        settings().port = free_port()
        yield make_face("Ada")
    addon.unregister()
    assert receiving.current is None and not live_threads()


def settings() -> bpy.types.PropertyGroup:
    return bpy.context.window_manager.likeness_live


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def send(*packets: bytes) -> None:
    """Send packets and wait until each was looked at."""
    receiver = receiving.current.receiver
    wanted = looked_at() + len(packets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        for packet in packets:
            phone.sendto(packet, ("127.0.0.1", receiver.port))
    until(lambda: looked_at() >= wanted)


def looked_at() -> int:
    return sum(vars(receiving.current.receiver.counts).values())


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.005)


def show(*packets: bytes) -> None:
    send(*packets)
    receiving.look()


def live_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "likeness-live"]


def pose(face: bpy.types.Object) -> list[float]:
    values = [key.value for key in face.data.shape_keys.key_blocks]
    return values + [number for each in face.parent.pose.bones for row in each.matrix_basis for number in row]


def test_nothing_is_open_before_it_is_asked_for(face):
    assert receiving.current is None and not live_threads()
    with pytest.raises(RuntimeError, match="Press Receive first"):
        bpy.ops.likeness.set_neutral()


def test_the_avatar_follows_what_arrives(face):
    assert bpy.ops.likeness.receive() == {"FINISHED"}
    show(text_packet((10, 20, 0, 0, 0, -0.4), jawOpen=30, mouthSmile_L=60))
    assert control(face, "jawOpen").value == pytest.approx(0.3)
    assert control(face, "mouthSmileLeft").value == pytest.approx(0.6)
    turn = bone_to_joint_rotation("neck", np.array(bone(face, "neck").matrix_basis.to_3x3()))
    yaw_then_pitch = Euler((0, math.radians(20), 0)).to_matrix() @ Euler((math.radians(10), 0, 0)).to_matrix()
    np.testing.assert_allclose(turn, np.array(yaw_then_pitch), atol=1e-5)
    show(text_packet(jawOpen=10))
    assert control(face, "jawOpen").value == pytest.approx(0.1) and control(face, "mouthSmileLeft").value == 0


def test_neither_keys_nor_undo_steps_nor_other_controls_come_of_it(face):
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    bpy.ops.likeness.receive()
    show(IFACIALMOCAP)
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = False
    assert not bpy.data.actions.keys() or set(bpy.data.actions.keys()) == {"Ada Portrait"}
    assert face.data.shape_keys.animation_data is None and face.parent.animation_data is None


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "AXIS_ANGLE"])
def test_stopping_puts_the_pose_before_back_to_the_last_bit(face, mode):
    bone(face, "neck").rotation_mode = mode
    bone(face, "neck").matrix_basis = Euler((0.1, 7.0, 0.2)).to_matrix().to_4x4()
    bone(face, "root").location = (0.1, 0.2, 0.3)
    control(face, "jawOpen").value = 0.123
    before = pose(face)
    bpy.ops.likeness.receive()
    show(IFACIALMOCAP)
    assert pose(face) != before
    assert bpy.ops.likeness.stop_receiving() == {"FINISHED"}
    assert pose(face) == before
    assert receiving.current is None and not live_threads()


def test_mirror_and_head_motion_are_switches_that_act_at_once(face):
    bone(face, "neck").rotation_mode = "XYZ"
    bone(face, "neck").rotation_euler = (0.05, 0, 0)
    bpy.ops.likeness.receive()
    show(text_packet((0, 20, 0, 0, 0, -0.4), mouthSmile_L=60))
    settings().head = False
    receiving.look()
    assert tuple(bone(face, "neck").rotation_euler) == pytest.approx((0.05, 0, 0))
    settings().mirror = True
    receiving.look()
    assert control(face, "mouthSmileRight").value == pytest.approx(0.6)
    assert control(face, "mouthSmileLeft").value == 0


def test_neutral_is_what_the_performer_says(face):
    bpy.ops.likeness.receive()
    with pytest.raises(RuntimeError, match="No face has arrived"):
        bpy.ops.likeness.set_neutral("EXEC_DEFAULT")
    show(text_packet((10, 20, 0, 0, 0, -0.4), jawOpen=20))
    bpy.ops.likeness.set_neutral()
    receiving.look()
    assert control(face, "jawOpen").value == 0
    assert bone(face, "neck").matrix_basis.to_quaternion().angle == pytest.approx(0, abs=1e-3)
    show(text_packet((10, 20, 0, 0, 0, -0.4), jawOpen=60))
    assert control(face, "jawOpen").value == pytest.approx(0.5)
    bpy.ops.likeness.clear_neutral()
    receiving.look()
    assert control(face, "jawOpen").value == pytest.approx(0.6)


def test_while_no_face_is_seen_the_pose_stays(face):
    bpy.ops.likeness.receive()
    show(text_packet(jawOpen=40))
    show(text_packet(jawOpen=0, trackingStatus=0))
    assert control(face, "jawOpen").value == pytest.approx(0.4)


def test_a_take_becomes_an_action_at_the_frame_where_it_began(face):
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.0
    scene.frame_set(25)
    bpy.ops.likeness.receive()
    bpy.ops.likeness.record_take()
    assert not bpy.ops.likeness.stop_receiving.poll() and not bpy.ops.likeness.record_take.poll()
    jaw = [0.0, 0.2, 0.4, 0.2, 0.0, 0.8, 0.0]
    for number, value in enumerate(jaw):
        show(live_link_packet([0.0] * 17 + [value] + [0.0] * 43, frame=100 + 2 * number, part=0.0))
    scene.frame_set(31)
    assert bpy.ops.likeness.finish_take() == {"FINISHED"}
    action = face.data.shape_keys.animation_data.action
    assert action.name == "Take 001"
    curve = next(each for each in actions.curves(action) if each.data_path == actions.control_path("jawOpen"))
    for number, value in enumerate(jaw):
        assert curve.evaluate(25 + number) == pytest.approx(value, abs=0.006), number
    bpy.ops.likeness.record_take()
    show(text_packet(jawOpen=50))
    bpy.ops.likeness.finish_take()
    assert face.data.shape_keys.animation_data.action.name == "Take 002"
    assert "Take 001" in bpy.data.actions and bpy.data.actions["Take 001"].users > 0


def test_a_take_in_which_nothing_arrived_is_told(face):
    bpy.ops.likeness.receive()
    bpy.ops.likeness.record_take()
    with pytest.raises(RuntimeError, match="Nothing arrived"):
        bpy.ops.likeness.finish_take()
    assert [each.name for each in bpy.data.actions] == ["Ada Portrait"]


def test_a_take_that_cannot_be_laid_goes_on(face):
    bpy.ops.likeness.receive()
    bpy.ops.likeness.record_take()
    send(text_packet(jawOpen=10))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(operators, "put_on", _refuse)
        with pytest.raises(RuntimeError, match="It is locked"):
            bpy.ops.likeness.finish_take()
    send(text_packet(jawOpen=20))
    assert len(receiving.current.receiver.take) == 2
    assert bpy.ops.likeness.finish_take() == {"FINISHED"}


def test_a_take_that_blender_itself_refuses_goes_on(face, monkeypatch):
    bpy.ops.likeness.receive()
    bpy.ops.likeness.record_take()
    send(text_packet(jawOpen=10))
    monkeypatch.setattr(operators, "put_on", lambda *_, **__: 1 / 0)
    with pytest.raises(RuntimeError):
        bpy.ops.likeness.finish_take()
    assert len(receiving.current.receiver.take) == 1


def _refuse(*_: object) -> None:
    raise InputError("performance.locked", "It is locked.", "Unlock it.")


def test_a_take_outlives_the_avatar_and_is_laid_on_another(face):
    bpy.context.scene.frame_set(12)
    bpy.ops.likeness.receive()
    bpy.ops.likeness.record_take()
    send(*(live_link_packet([0.0] * 17 + [value] + [0.0] * 43, frame=n) for n, value in enumerate((0.3, 0.6))))
    bpy.data.objects.remove(face)
    receiving.look()
    assert receiving.current is None and "Finish Take" in receiving.ended
    with pytest.raises(RuntimeError, match="no avatar for the take, which is kept"):
        bpy.ops.likeness.finish_take()
    other = make_face("Bob")
    assert bpy.ops.likeness.finish_take() == {"FINISHED"}
    curve = jaw_of(other)
    assert curve.keyframe_points[0].co[:] == pytest.approx((12, 0.3))
    assert curve.keyframe_points[-1].co[1] == pytest.approx(0.6)
    assert receiving.unlaid is None and not receiving.ended and not bpy.ops.likeness.finish_take.poll()


def jaw_of(face: bpy.types.Object) -> bpy.types.FCurve:
    curves = actions.animation_curves(face.data.shape_keys)
    return next(curve for curve in curves if curve.data_path == actions.control_path("jawOpen"))


def test_a_take_outlives_the_file_and_comes_before_the_next_one(face):
    bpy.ops.likeness.receive()
    bpy.ops.likeness.record_take()
    send(text_packet(jawOpen=30))
    bpy.ops.wm.read_homefile(use_empty=True)
    assert receiving.current is None and "Finish Take" in receiving.ended
    mesh = make_face("Bob")
    bpy.ops.likeness.receive()
    with pytest.raises(RuntimeError, match="Finish the take before first"):
        bpy.ops.likeness.record_take()
    assert bpy.ops.likeness.finish_take() == {"FINISHED"}
    assert jaw_of(mesh).evaluate(1) == pytest.approx(0.3) and receiving.current is not None
    assert bpy.ops.likeness.record_take() == {"FINISHED"}


def test_while_the_timeline_plays_the_pose_before_is_put_back_and_not_shown_over(face, monkeypatch):
    """Putting it back animates the frame anew, of which playback's handler is told."""
    real, screen = bpy.context, SimpleNamespace(is_animation_playing=True)
    playing = SimpleNamespace(screen=screen, scene=real.scene, window_manager=real.window_manager)
    control(face, "jawOpen").value = 0.25
    bpy.ops.likeness.receive()
    monkeypatch.setattr(bpy, "context", playing)
    show(text_packet(jawOpen=90))
    bpy.context.scene.frame_set(20)
    assert control(face, "jawOpen").value == pytest.approx(0.9), "playback shows it on top"
    receiving.put_back()
    assert control(face, "jawOpen").value == 0.25
    receiving.look()
    assert control(face, "jawOpen").value == pytest.approx(0.9)
    bpy.context.scene.frame_set(30)
    receiving.stop()
    assert control(face, "jawOpen").value == 0.25


def test_what_is_under_way_can_be_stopped_without_an_active_avatar(face):
    bpy.ops.likeness.receive()
    bpy.context.view_layer.objects.active = None
    make_face("Bob")
    bpy.context.view_layer.objects.active = None
    assert find.active_avatar(bpy.context) is None and PerformancePanel.poll(bpy.context)
    PerformancePanel.draw(SimpleNamespace(layout=None), bpy.context)
    assert bpy.ops.likeness.stop_receiving() == {"FINISHED"}
    assert not PerformancePanel.poll(bpy.context)


def test_blender_ends_though_it_still_receives():
    program = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests' / 'addon')!r}]\n"
        "import bpy, addon; from faces import make_face; from addon import receiving\n"
        "addon.register(); make_face(); bpy.context.window_manager.likeness_live.port = "
        f"{free_port()}\n"
        "bpy.ops.likeness.receive(); bpy.ops.likeness.record_take(); assert receiving.current.receiver.listening\n"
        # What comes now comes when all threads that hold Python up have ended. bpy's own end is left out: as a module
        # it crashes there (4.2) or hangs (4.5), whatever it has done.
        "import atexit, os; atexit.register(lambda: (print('it ended', flush=True), os._exit(0)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "it ended" in done.stdout, done.stderr


def test_a_port_that_is_taken_is_one_readable_error(face):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", settings().port))
        with pytest.raises(RuntimeError, match=r"is taken by another program\. Quit that program, or"):
            bpy.ops.likeness.receive()
    assert receiving.current is None and not live_threads()


def test_a_network_needs_online_access_and_this_computer_does_not(face, monkeypatch):
    class App:
        online_access = False

        def __getattr__(self, name):
            return getattr(real, name)

    real = bpy.app
    monkeypatch.setattr(bpy, "app", App())
    settings().source = "NETWORK"
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.likeness.receive()
    assert receiving.current is None
    settings().source = "COMPUTER"
    assert bpy.ops.likeness.receive() == {"FINISHED"}
    settings().phone = "192.168.1.20"
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.likeness.greet_phone()


@pytest.mark.parametrize("phone", ["", "my phone", "300.1.1.1"])
def test_a_phone_without_an_address_is_not_greeted(face, phone):
    bpy.ops.likeness.receive()
    settings().phone = phone
    with pytest.raises(RuntimeError, match="is no IP address"):
        bpy.ops.likeness.greet_phone()


def test_what_will_be_opened_is_said_in_plain_words(face):
    settings().port = 11111
    said = " ".join(operators.opening(settings()))
    assert "UDP port 11111" in said and "127.0.0.1" in said and "programs on this computer alone" in said
    settings().source, settings().phone = "NETWORK", "192.168.1.20"
    said = " ".join(operators.opening(settings()))
    assert "every device that reaches this computer" in said and "192.168.1.20 alone" in said
    settings().source, settings().address = "ADDRESS", "192.168.1.5"
    assert "every device that reaches 192.168.1.5" in " ".join(operators.opening(settings()))


def test_the_app_chooses_its_usual_port(face):
    settings().app = "IFACIALMOCAP"
    assert settings().port == 49983
    settings().app = "LIVE_LINK"
    assert settings().port == 11111


def test_it_ends_with_the_avatar_and_says_so(face):
    bpy.ops.likeness.receive()
    send(IFACIALMOCAP)
    bpy.data.objects.remove(face)
    receiving.look()
    assert receiving.current is None and "avatar is gone" in receiving.ended and not live_threads()


def test_it_ends_with_the_file(face):
    bpy.ops.likeness.receive()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert receiving.current is None and not live_threads()


def test_undo_takes_neither_the_port_nor_the_avatar(face):
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.likeness.receive()
    bpy.context.scene.frame_end = 99
    bpy.ops.ed.undo_push(message="a change")
    show(text_packet(jawOpen=40))
    bpy.ops.ed.undo()
    show(text_packet(jawOpen=70))
    again = bpy.data.objects["Ada"]
    assert receiving.current.preview.mesh == again and control(again, "jawOpen").value == pytest.approx(0.7)


def test_a_saved_file_holds_the_pose_before(face, tmp_path):
    control(face, "jawOpen").value = 0.25
    bpy.ops.likeness.receive()
    show(text_packet(jawOpen=90))
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    receiving.look()
    assert control(face, "jawOpen").value == pytest.approx(0.9), "it goes on after saving"
    receiving.stop()
    with bpy.data.libraries.load(path) as (_, wanted):
        wanted.objects = ["Ada"]
    stored = next(each for each in wanted.objects if each is not None)
    assert control(stored, "jawOpen").value == pytest.approx(0.25)


def test_the_extension_ends_it_when_it_is_disabled(face):
    bpy.ops.likeness.receive()
    before = pose(face)
    show(IFACIALMOCAP)
    receiving.unregister()
    assert receiving.current is None and not live_threads() and pose(face) == before
    receiving.register()


def test_an_error_while_it_is_shown_closes_the_port(face, monkeypatch):
    bpy.ops.likeness.receive()
    before = pose(face)
    show(text_packet(jawOpen=40))
    monkeypatch.setattr(receiving, "packet_to_motion", _fail)
    send(text_packet(jawOpen=50))
    with pytest.raises(ZeroDivisionError):
        receiving._look()
    assert receiving.current is None and not live_threads() and "console" in receiving.ended
    assert pose(face) == before


def _fail(*_: object) -> None:
    raise ZeroDivisionError


def test_a_second_may_not_begin(face):
    bpy.ops.likeness.receive()
    assert not bpy.ops.likeness.receive.poll()


def test_garbage_moves_nothing_and_is_counted(face):
    bpy.ops.likeness.receive()
    before = pose(face)
    show(b"hello", IFACIALMOCAP[:-3], live_link_packet([math.nan] * 61))
    assert pose(face) == before
    assert receiving.current.receiver.counts.sentences() == ["3 packets were not understood."]
