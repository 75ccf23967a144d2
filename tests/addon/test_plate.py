"""Match Portrait: the photograph's camera, the plate behind the view and beneath the render."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.conventions import blender_camera_to_portrait
from addon.render.camera import pixel_matrix
from addon.scene import plate
from addon.scene.find import armature_of
from bpy.types import NodeTree, Object, Scene
from mathutils import Matrix
from render_parts import ENGINE_PYTHON, NO_ENGINE, psnr, scene, still, whole_addon
from scene_dump import dump
from scene_parts import add, lively_avatar
from whole_avatars import small_avatar

from addon import session
from likeness.contract.avatar import PortraitView
from likeness.contract.avatar_file import read_avatar

VERSION_5 = bpy.app.version >= (5, 0, 0)
needs_engine = pytest.mark.skipif(not ENGINE_PYTHON.exists(), reason=NO_ENGINE)
ASTRONAUT = (
    "import skimage.data, sys; from PIL import Image; Image.fromarray(skimage.data.astronaut()).save(sys.argv[1])"
)


@pytest.fixture(scope="module", autouse=True)
def with_addon() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, whole_addon():
        patch.setenv("LIKENESS_ENGINE", str(ENGINE_PYTHON))
        yield


@pytest.fixture
def made(tmp_path) -> Scene:
    return scene(tmp_path)


@pytest.fixture(scope="module")
def astronaut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a real person's avatar."""
    folder = tmp_path_factory.mktemp("astronaut")
    photo, avatar = folder / "astronaut.png", folder / "astronaut.likeness"
    subprocess.run([ENGINE_PYTHON, "-c", ASTRONAUT, photo], check=True, timeout=120)
    command = [ENGINE_PYTHON, "-m", "likeness.cli", "create", photo, "--quality", "draft", "-o", avatar]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    return avatar


# The camera


def lopsided_view(view: PortraitView) -> PortraitView:
    """Return a view from aside, with the principal point off the middle and pixels that are not square."""
    turn = Matrix.Rotation(0.4, 4, (0.2, 1.0, 0.3)) @ Matrix.Translation((0.05, -0.02, 0.03))
    K = np.array([[31.0, 0, 4.5], [0, 24.0, 9.25], [0, 0, 1]], np.float32)
    return replace(view, K=K, T_camera_head=(view.T_camera_head @ np.array(turn)).astype(np.float32))


@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_the_camera_sees_points_where_the_photograph_has_them(made, unit):
    made.unit_settings.scale_length = unit
    avatar = small_avatar()
    view = lopsided_view(avatar.view)
    mesh = add(replace(avatar, view=view))
    rig = armature_of(mesh)
    rig.location, rig.rotation_euler, rig.scale = (1, 2, -3), (0.3, -0.2, 1.4), rig.scale * 1.7
    bpy.context.view_layer.update()
    camera = plate.set_camera(made, mesh, mesh.matrix_world)
    bpy.context.view_layer.update()
    rng = np.random.default_rng(6)
    points = rng.uniform(-0.1, 0.1, (50, 3))
    at = points @ view.T_camera_head[:3, :3].T + view.T_camera_head[:3, 3]
    expected = (at @ view.K.T)[:, :2] / at[:, 2:]
    seen = project(made, camera, mesh, points)
    np.testing.assert_allclose(seen, expected, atol=2e-3)
    assert made.camera == camera and (made.render.resolution_x, made.render.resolution_y) == (12, 16)
    assert set(mesh.users_collection) == set(camera.users_collection) and camera.parent is None


def project(made: Scene, camera: Object, mesh: Object, points: np.ndarray) -> np.ndarray:
    """Return where Blender's own matrices put points of head space, pixels from the top left."""
    render, depsgraph = made.render, bpy.context.evaluated_depsgraph_get()
    size = render.resolution_x, render.resolution_y
    aspects = {"scale_x": render.pixel_aspect_x, "scale_y": render.pixel_aspect_y}
    projection = camera.calc_matrix_camera(depsgraph, x=size[0], y=size[1], **aspects)
    in_blender = np.stack([points[:, 0], -points[:, 2], points[:, 1], np.ones(len(points))])
    full = np.array(projection) @ np.array(camera.matrix_world.inverted() @ mesh.matrix_world) @ in_blender
    device = full[:2] / full[3]
    return np.stack([(device[0] + 1) / 2 * size[0], (1 - device[1]) / 2 * size[1]], -1)


def test_the_cameras_matrices_lead_back_to_the_portrait(made):
    avatar = small_avatar()
    mesh = add(avatar)
    camera = plate.set_camera(made, mesh, mesh.matrix_world)
    bpy.context.view_layer.update()
    back = blender_camera_to_portrait(np.array(camera.matrix_world), np.array(mesh.matrix_world))
    np.testing.assert_allclose(back, avatar.view.T_camera_head, atol=1e-6)
    projection = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=12, y=16)
    np.testing.assert_allclose(pixel_matrix(projection, (12, 16), orthographic=False), avatar.view.K, atol=1e-4)


def test_an_uneven_scale_is_told_from_an_even_one():
    assert not plate.is_uneven(Matrix.Rotation(0.3, 4, "X") @ Matrix.Scale(0.01, 4))
    assert plate.is_uneven(Matrix.Diagonal((1, 1, 1.1, 1)))
    assert plate.is_uneven(Matrix.Diagonal((-1, 1, 1, 1)))


# The nodes


def tree_of(made: Scene) -> NodeTree:
    return made.compositing_node_group if VERSION_5 else made.node_tree


def matched(made: Scene) -> tuple[Object, bool]:
    """Match a small avatar as the operator does, its photograph as the plate; say whether renders show it."""
    mesh = next((each for each in made.objects if each.name == "Ada"), None) or add(small_avatar())
    camera = plate.set_camera(made, mesh, mesh.matrix_world)
    image = plate.set_plate(camera, "Ada Plate", small_avatar().portrait_png)
    return mesh, plate.add_nodes(made, bpy.context.view_layer, image)


def photograph(mesh: Object) -> np.ndarray:
    image = mesh.likeness.portrait.image
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(image.size[1], image.size[0], 4)[::-1]


def links(tree: NodeTree) -> set[tuple[str, ...]]:
    return {(e.from_node.name, e.from_socket.identifier, e.to_node.name, e.to_socket.identifier) for e in tree.links}


def test_an_empty_scene_renders_the_plate_exactly(made, tmp_path):
    mesh, shown = matched(made)
    armature_of(mesh).hide_render = True
    assert shown
    np.testing.assert_allclose(still(tmp_path / "a.png"), photograph(mesh), atol=1.01 / 255)


def test_the_plate_follows_the_percentage_and_the_border(made, tmp_path):
    mesh, _ = matched(made)
    armature_of(mesh).hide_render = True
    whole = photograph(mesh)
    made.render.resolution_percentage = 50
    half = still(tmp_path / "half.png")
    assert half.shape == (8, 6, 4)
    assert abs(half[..., :3].mean() - whole[..., :3].mean()) < 0.1
    made.render.resolution_percentage = 100
    made.render.use_border, made.render.border_max_x = True, 0.5
    np.testing.assert_allclose(still(tmp_path / "border.png")[:, :6], whole[:, :6], atol=1.01 / 255)


def test_pressing_again_makes_nothing_twice(made):
    matched(made)
    before = links(tree_of(made)), len(tree_of(made).nodes), len(bpy.data.images), len(bpy.data.cameras)
    mesh, shown = matched(made)
    assert shown
    assert (links(tree_of(made)), len(tree_of(made).nodes), len(bpy.data.images), len(bpy.data.cameras)) == before
    backgrounds = plate.camera_of(mesh).data.background_images
    assert [each.image.name for each in backgrounds] == ["Ada Plate"] and backgrounds[0].image.packed_file


def users_tree(made: Scene) -> NodeTree:
    """Give the scene a tree that blurs the render, with the bare render in a viewer."""
    if VERSION_5:
        tree = made.compositing_node_group = bpy.data.node_groups.new("Own", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    else:
        made.use_nodes = True
        tree = made.node_tree
        tree.nodes.clear()
    layers, blur = tree.nodes.new(plate.LAYERS), tree.nodes.new("CompositorNodeBlur")
    output, viewer = tree.nodes.new(plate.OUTPUT), tree.nodes.new("CompositorNodeViewer")
    layers.scene = made
    tree.links.new(layers.outputs["Image"], blur.inputs[0])
    tree.links.new(blur.outputs[0], output.inputs[0])
    tree.links.new(layers.outputs["Image"], viewer.inputs[0])
    return tree


def test_a_users_tree_stays_after_the_plate(made):
    tree = users_tree(made)
    before = links(tree)
    _, shown = matched(made)
    assert shown and tree_of(made) == tree
    over = tree.nodes[plate.NAMES["over"]]
    kept = {each for each in links(tree) if not any(name in plate.NAMES.values() for name in (each[0], each[2]))}
    assert kept == {each for each in before if each[0] != "Render Layers"}
    assert {link.to_node.bl_idname for link in over.outputs[0].links} == {"CompositorNodeBlur", "CompositorNodeViewer"}
    assert over.parent.label == "Plate"
    assert plate._colors(over)[1].links[0].from_node.bl_idname == plate.LAYERS


def test_what_was_deleted_of_the_plate_is_made_anew(made):
    tree = users_tree(made)
    matched(made)
    complete = links(tree)
    tree.nodes.remove(tree.nodes[plate.NAMES["scale"]])
    _, shown = matched(made)
    assert shown and links(tree) == complete


def test_a_compositor_that_shows_nothing_of_it_is_told(made):
    made.render.use_compositing = False
    assert not matched(made)[1]
    made.render.use_compositing = True
    assert matched(made)[1]


def test_the_plate_is_seen_after_an_earlier_render_and_with_a_later_view_layer(made, tmp_path):
    if not VERSION_5:  # as a render leaves it: Blender's own nodes, switched off
        made.use_nodes = True
        made.use_nodes = False
    made.view_layers[0].use = False
    layer = made.view_layers.new("Second")
    mesh = add(small_avatar())
    camera = plate.set_camera(made, mesh, mesh.matrix_world)
    image = plate.set_plate(camera, "Ada Plate", small_avatar().portrait_png)
    assert plate.add_nodes(made, layer, image)
    armature_of(mesh).hide_render = True
    np.testing.assert_allclose(still(tmp_path / "a.png"), photograph(mesh), atol=1.01 / 255)


@pytest.mark.skipif(VERSION_5, reason="trees cannot be switched off")
def test_a_tree_that_is_switched_off_stays_so(made):
    users_tree(made)
    made.use_nodes = False
    assert not matched(made)[1] and not made.use_nodes


# The operator


def test_without_an_engine_nothing_changes_and_the_reason_is_told(made, monkeypatch):
    add(small_avatar())
    monkeypatch.setenv("LIKENESS_ENGINE", "/nowhere/likeness")
    before = dump()
    with pytest.raises(RuntimeError, match="/nowhere/likeness"):
        bpy.ops.likeness.match_portrait()
    assert dump() == before and session.work is None and session.last_error is not None


@needs_engine
def test_a_photograph_without_a_face_is_told(made):
    add(lively_avatar())
    before = dump()
    with pytest.raises(RuntimeError, match="The face is not found in its photograph"):
        bpy.ops.likeness.match_portrait()
    assert dump() == before


@needs_engine
def test_a_photograph_that_is_gone_greys_the_button_out(made):
    mesh = add(small_avatar())
    bpy.data.images.remove(mesh.likeness.portrait.image)
    assert not bpy.ops.likeness.match_portrait.poll()


@pytest.mark.parametrize(
    "transform, exposure, expected", [("AgX", 0.0, "Standard"), ("AgX", 0.5, "AgX"), ("Filmic", 0.0, "Filmic")]
)
@needs_engine
def test_only_an_untouched_view_is_changed(made, astronaut, transform, exposure, expected):
    add(read_avatar(astronaut))
    made.view_settings.view_transform, made.view_settings.exposure = transform, exposure
    assert bpy.ops.likeness.match_portrait() == {"FINISHED"}
    assert made.view_settings.view_transform == expected


@needs_engine
def test_the_portrait_is_rendered_as_it_was_photographed(made, astronaut, tmp_path):
    """The head comes out of the ordinary render where it was photographed, and the rest is the photograph."""
    avatar = read_avatar(astronaut)
    mesh = add(avatar, "Eileen")
    rig = armature_of(mesh)
    rig.location, rig.rotation_euler, rig.scale = (0.5, -2, 1), (0.1, 0.2, -0.7), (2, 2, 2)
    bpy.context.view_layer.update()
    assert bpy.ops.likeness.match_portrait() == {"FINISHED"}
    bpy.ops.likeness.portrait_expression()
    picture, truth = still(tmp_path / "same.png")[..., :3], photograph(mesh)[..., :3]
    left, top, side = map(round, avatar.view.face_square)
    third = side // 3
    face = slice(top + third, top + 2 * third), slice(left + third, left + 2 * third)
    assert psnr(picture[face], truth[face]) > 28
    assert psnr(picture, truth) > 31
    beyond = np.ones(truth.shape[:2], bool)
    reach = side // 10
    beyond[max(top - reach, 0) : top + side + reach, left - reach : left + side + reach] = False
    assert np.abs(picture - truth)[beyond].max() < 1.01 / 255


@needs_engine
def test_photo_colors_lead_the_plate_through_the_view_too(made, astronaut, tmp_path):
    made.view_settings.view_transform, made.likeness.photo_colors = "Filmic", True
    mesh = add(read_avatar(astronaut))
    assert bpy.ops.likeness.match_portrait() == {"FINISHED"}
    assert made.view_settings.view_transform == "Filmic"
    armature_of(mesh).hide_render = True
    sky = slice(20, 60), slice(105, 130)
    picture, truth = still(tmp_path / "filmic.png")[..., :3], photograph(mesh)[..., :3]
    assert np.abs(picture - truth)[sky].mean() < 4 / 255
