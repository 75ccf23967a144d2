"""A live performance in a real window, and Blender's own end while it receives."""

from __future__ import annotations

from pathlib import Path

from blenders import HERE, ROOT, Blender
from window import run_script

LISTEN = """
import sys, bpy
sys.path[:0] = [{root!r}, {root!r} + "/engine"]
import addon
from addon import receiving
addon.register()
bpy.ops.likeness.open_avatar(filepath={avatar!r})
bpy.context.window_manager.likeness_live.port = 11188
assert bpy.ops.likeness.receive() == {{"FINISHED"}}
assert receiving.current.receiver.listening
print("it listens", flush=True)
"""


def test_the_head_follows_after_a_question_and_takes_become_actions(blender: Blender, avatar: Path) -> None:
    run_script(blender, HERE / "live_window.py", avatar.parent, [avatar], limit=240)


def test_blender_ends_though_it_still_receives(blender: Blender, avatar: Path) -> None:
    program = LISTEN.format(root=str(ROOT), avatar=str(avatar))
    outcome = blender.run(["--python-exit-code", 1, "--python-expr", program], limit=60, folders=[avatar.parent])
    assert outcome.code == 0 and "it listens" in outcome.log and "Traceback" not in outcome.log, outcome.tail()
