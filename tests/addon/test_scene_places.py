"""Where and in what state of Blender avatars are made, and what a user's edits do to them."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np
import pytest
from addon.conventions import blender_to_head
from addon.scene.display import apply_display
from addon.scene.find import armature_of, avatars
from bpy.types import Object
from create_parts import registered
from mathutils import Matrix
from scene_parts import add, assert_follows, evaluated, is_intact, lively_avatar, pose_randomly

from likeness.contract.avatar_file import avatar_to_bytes

AVATAR = lively_avatar()


@pytest.fixture(autouse=True)
def addon_in_an_empty_file() -> Iterator[None]:
    with registered():
        yield


def assert_in_order(mesh: Object) -> None:
    """Show that the avatar is whole, in view, selected with its rig and nothing else, and active, in object mode."""
    assert bpy.context.mode == "OBJECT" and bpy.context.view_layer.objects.active == mesh
    assert set(bpy.context.selected_objects) == {mesh, mesh.parent} and mesh.visible_get()
    assert avatars(bpy.context.scene) == [mesh] and is_intact(mesh)
    assert_follows(mesh, AVATAR.rig)


@pytest.mark.parametrize(
    ("kind", "mode"), [("mesh", "EDIT"), ("mesh", "SCULPT"), ("mesh", "WEIGHT_PAINT"), ("armature", "EDIT"),
                       ("armature", "POSE"), ("curve", "EDIT"), ("empty", "OBJECT")],
)  # fmt: skip
def test_it_comes_while_something_else_is_edited(kind, mode, tmp_path):
    _make(kind)
    bpy.ops.object.mode_set(mode=mode)
    file = tmp_path / "Ada.likeness"
    file.write_bytes(avatar_to_bytes(AVATAR))
    assert bpy.ops.likeness.open_avatar(filepath=str(file)) == {"FINISHED"}
    assert_in_order(bpy.data.objects["Ada"])


def _make(kind: str) -> Object:
    bpy.ops.object.select_all(action="DESELECT")
    adders = {
        "mesh": bpy.ops.mesh.primitive_cube_add,
        "armature": bpy.ops.object.armature_add,
        "curve": bpy.ops.curve.primitive_bezier_circle_add,
        "empty": bpy.ops.object.empty_add,
    }
    adders[kind]()
    return bpy.context.object


@pytest.mark.parametrize("state", ["exclude", "hide_viewport", "hidden collection", "hidden parent"])
def test_it_is_seen_though_the_active_collection_is_not(state):
    outer, inner = bpy.data.collections.new("Outer"), bpy.data.collections.new("Inner")
    bpy.context.scene.collection.children.link(outer)
    outer.children.link(inner)
    layer = bpy.context.view_layer.layer_collection.children["Outer"]
    bpy.context.view_layer.active_layer_collection = layer.children["Inner"]
    if state == "hidden collection":
        inner.hide_viewport = True
    elif state == "hidden parent":
        layer.hide_viewport = True
    else:
        setattr(layer.children["Inner"], state, True)
    assert_in_order(add(AVATAR))


def test_it_joins_the_active_collection():
    cast = bpy.data.collections.new("Cast")
    bpy.context.scene.collection.children.link(cast)
    bpy.context.view_layer.active_layer_collection = bpy.context.view_layer.layer_collection.children["Cast"]
    mesh = add(AVATAR)
    assert [child.name for child in cast.children] == ["Ada"]
    assert set(cast.children[0].objects) == {mesh, armature_of(mesh), mesh.likeness.splats}
    assert_in_order(mesh)


def test_it_is_seen_in_a_local_view():
    bpy.ops.wm.read_homefile(use_empty=False)
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.object.select_all(action="SELECT")
        assert bpy.ops.view3d.localview() == {"FINISHED"}
        mesh = add(AVATAR)
    space = area.spaces.active
    assert mesh.visible_get(viewport=space) and armature_of(mesh).visible_get(viewport=space)
    assert_in_order(mesh)


def test_it_stands_at_the_cursor():
    bpy.context.scene.cursor.location = (1, 2, 3)
    mesh = add(AVATAR)
    bpy.context.view_layer.update()
    assert mesh.matrix_world.translation[:] == pytest.approx((1, 2, 3))
    assert_in_order(mesh)


@pytest.mark.parametrize(("scale_length", "scale"), [(1.0, 1.0), (0.01, 100.0), (1000.0, 0.001)])
def test_it_is_as_large_as_a_person_in_every_unit(scale_length, scale):
    bpy.context.scene.unit_settings.scale_length = scale_length
    mesh = add(AVATAR)
    bpy.context.view_layer.update()
    assert mesh.matrix_world.to_scale()[:] == pytest.approx((scale,) * 3, rel=1e-5)
    assert_in_order(mesh)


def test_a_moved_turned_and_scaled_rig_takes_mesh_and_points_along():
    mesh = add(AVATAR)
    placed = Matrix.LocRotScale((1, 2, 3), Matrix.Rotation(0.7, 3, (1, 1, 0)), (2, 2, 2))
    armature_of(mesh).matrix_world = placed
    mesh.likeness.splats.hide_viewport = False  # hidden, it is not kept up to date
    bpy.context.view_layer.update()
    np.testing.assert_allclose(mesh.matrix_world, placed, atol=1e-6)
    np.testing.assert_allclose(mesh.likeness.splats.matrix_world, placed, atol=1e-6)
    assert_follows(mesh, AVATAR.rig)


def test_a_deleted_vertex_is_noticed():
    mesh = add(AVATAR)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="DESELECT")
    bpy.ops.object.mode_set(mode="OBJECT")
    mesh.data.vertices[1].select = True
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.delete(type="VERT")
    bpy.ops.object.mode_set(mode="OBJECT")
    assert len(mesh.data.vertices) == len(AVATAR.rig.v_neutral) - 1 and not is_intact(mesh)


def test_deleting_all_in_edit_mode_is_noticed():
    mesh = add(AVATAR)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    assert mesh.data.total_vert_sel == AVATAR.rig.head_vertices  # what carries hair and torso is out of reach
    bpy.ops.mesh.delete(type="VERT")
    bpy.ops.object.mode_set(mode="OBJECT")
    assert not is_intact(mesh)


def test_a_look_into_edit_mode_changes_nothing():
    mesh = add(AVATAR)
    expected = pose_randomly(mesh, AVATAR.rig, 2)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.object.mode_set(mode="OBJECT")
    assert is_intact(mesh)
    np.testing.assert_allclose(blender_to_head(evaluated(mesh)), expected, atol=1e-5)


def test_the_mesh_is_shown_where_splats_do_not_take_its_place():
    mesh = add(AVATAR)
    shown = {}
    for show in ("SPLATS", "MESH", "BOTH"):
        for visible in (True, False):
            mesh.likeness.show, mesh.likeness.visible = show, visible
            apply_display(mesh)
            shown[show, visible] = mesh.display_type
            assert mesh.visible_camera == (mesh.display_type == "TEXTURED")
    assert [key for key, display in shown.items() if display == "BOUNDS"] == [("SPLATS", True)]
    assert set(shown.values()) == {"BOUNDS", "TEXTURED"}


@pytest.mark.parametrize("show", ["SPLATS", "MESH"])
def test_it_is_posed_whatever_is_shown(show):
    mesh = add(AVATAR)
    mesh.likeness.show = show
    mesh.hide_set(True)
    assert_follows(mesh, AVATAR.rig)
