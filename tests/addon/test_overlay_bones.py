"""Which bones are drawn over the splats, where, and in which colours."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import bpy
import pytest
from addon.overlay import bones
from addon.scene.find import armature_of
from bpy.types import Object
from create_parts import registered
from scene_parts import add, lively_avatar

AVATAR = lively_avatar()


@pytest.fixture
def mesh() -> Iterator[Object]:
    with registered():
        yield add(AVATAR)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[dict[bones.Color, bones.Points]]:
    """What would have been drawn: there is no graphics context here."""
    calls: list[dict[bones.Color, bones.Points]] = []
    monkeypatch.setattr(bones, "_draw_lines", lambda lines, _size: calls.append(dict(lines)))
    monkeypatch.setattr(bones, "_is_shown", lambda *_: True)  # nor is there a viewport
    return calls


def draw(mesh: Object, **overlay: bool) -> None:
    shown = SimpleNamespace(**{"show_overlays": True, "show_bones": True, **overlay})
    bones.draw_bones([mesh], SimpleNamespace(overlay=shown), bpy.context.evaluated_depsgraph_get(), (100, 100))


def pose(mesh: Object) -> Object:
    armature = armature_of(mesh)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="POSE")
    return armature


def test_none_outside_pose_mode(mesh, drawn):
    draw(mesh)
    assert drawn == []


@pytest.mark.parametrize("overlay", ["show_overlays", "show_bones"])
def test_none_where_the_viewport_shows_none(mesh, drawn, overlay):
    pose(mesh)
    draw(mesh, **{overlay: False})
    assert drawn == []


def test_all_where_they_are_posed_to_be(mesh, drawn):
    armature = pose(mesh)
    armature.location = (1.0, 2.0, 3.0)
    armature.pose.bones["neck"].rotation_euler = (0.3, 0.2, 0.1)
    bpy.context.view_layer.update()
    draw(mesh)
    points = {point for line in drawn[0].values() for point in line}
    expected = [armature.matrix_world @ end for bone in armature.pose.bones for end in (bone.head, bone.tail)]
    assert points == {tuple(end) for end in expected}


def test_selected_ones_have_the_themes_colours(mesh, drawn):
    armature = pose(mesh)
    bpy.ops.pose.select_all(action="DESELECT")
    draw(mesh)
    armature.data.bones.active = armature.data.bones["jaw"]
    bpy.ops.pose.select_all(action="SELECT")
    draw(mesh)
    theme = bpy.context.preferences.themes[0].view_3d
    assert set(drawn[0]) == {(*theme.bone_solid, 1.0)}
    assert set(drawn[1]) == {(*theme.bone_pose, 1.0), (*theme.bone_pose_active, 1.0)}
    assert len(drawn[1][(*theme.bone_pose_active, 1.0)]) == 2


def test_hidden_ones_are_left_out(mesh, drawn):
    pose(mesh)
    bpy.ops.pose.select_all(action="SELECT")
    bpy.ops.pose.hide(unselected=False)
    draw(mesh)
    assert drawn == []
