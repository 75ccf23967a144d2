"""What a render leaves behind: nothing, and that it takes part at all only where there are avatars."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.render import engine, run
from addon.render.nodes import VERSION_5
from bpy.types import Scene
from render_parts import HEIGHT, WIDTH, read, scene, still, whole_addon
from scene_dump import dump
from scene_parts import add

from addon import session
from likeness.contract.errors import InputError, MachineError
from likeness.contract.messages import FrameRendered

RED = (1.0, 0.0, 0.0, 1.0)


@pytest.fixture(autouse=True)
def with_addon() -> Iterator[None]:
    with whole_addon():
        yield


@pytest.fixture
def red(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have an engine that paints everything red, a metre away; return a list that grows with each frame."""
    frames: list[int] = []

    def draw(request: object, _known: object) -> FrameRendered:
        frames.append(bpy.context.scene.frame_current)
        rgba = np.full((request.height, request.width, 4), RED, np.float32)
        return FrameRendered(0, rgba, np.ones(rgba.shape[:2], np.float32))

    monkeypatch.setattr(engine, "draw", draw)
    monkeypatch.setattr(engine, "wait_until_ready", lambda: None)
    return frames


def tree_of(made: Scene) -> bpy.types.NodeTree | None:
    return made.compositing_node_group if VERSION_5 else made.node_tree


def told(made: Scene) -> dict[str, object]:
    """Return all that a render may change."""
    tree = tree_of(made)
    render = made.render
    objects = [
        (each.name, each.hide_render, each.parent_type, [c.name for c in each.constraints]) for each in bpy.data.objects
    ]
    file = dump()
    images = file["blocks"]["images"]
    file["blocks"]["images"] = [name for name in images if name not in ("Render Result", "Viewer Node")]
    return {
        "file": file,
        "objects": objects,
        "passes": [(layer.name, layer.use_pass_z) for layer in made.view_layers],
        "scene": (
            VERSION_5 or made.use_nodes,
            made.camera,
            render.filepath,
            [(m.name, m.camera) for m in made.timeline_markers],
        ),
        "tree": nodes_of(tree) if tree and tree.nodes else None,  # Blender keeps an empty tree once there was one
    }


def nodes_of(tree: bpy.types.NodeTree) -> dict[str, object]:
    """Return all nodes with their properties, sockets, links, and what is selected and active."""
    plain = ("BOOLEAN", "INT", "FLOAT", "STRING", "ENUM")

    def properties(item: bpy.types.bpy_struct) -> list[tuple[str, str]]:
        known = [each.identifier for each in item.bl_rna.properties if each.type in plain]
        return [(name, repr(tuple(v) if hasattr(v := getattr(item, name), "__len__") else v)) for name in known]

    links = [(link.from_socket.path_from_id(), link.to_socket.path_from_id(), link.is_muted) for link in tree.links]
    return {
        "nodes": {
            node.name: (properties(node), [properties(each) for each in (*node.inputs, *node.outputs)])
            for node in tree.nodes
        },
        "links": sorted(links),
        "active": tree.nodes.active and tree.nodes.active.name,
    }


def user_tree(made: Scene, folder: Path) -> bpy.types.NodeTree:
    """Make a tree of a user's own: inverted, blurred, with a viewer, a frame and a file of its own."""
    if VERSION_5:
        tree = bpy.data.node_groups.new("Mine", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        made.compositing_node_group = tree
        layers, result = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("NodeGroupOutput")
    else:
        made.use_nodes = True
        tree = made.node_tree
        layers, result = tree.nodes["Render Layers"], tree.nodes["Composite"]
    layers.scene = made
    invert, blur, viewer = (tree.nodes.new(f"CompositorNode{kind}") for kind in ("Invert", "Blur", "Viewer"))
    tree.links.new(layers.outputs["Image"], blur.inputs[0])
    tree.links.new(layers.outputs["Image"], invert.inputs["Color"])
    tree.links.new(invert.outputs[0], result.inputs[0])
    tree.links.new(blur.outputs[0], viewer.inputs[0])
    tree.links.new(layers.outputs["Alpha"], tree.nodes.new("CompositorNodeSetAlpha").inputs[1])
    writer = tree.nodes.new("CompositorNodeOutputFile")
    if VERSION_5:
        writer.directory, writer.file_name = str(folder), "mine_"
        writer.format.media_type = "IMAGE"
        writer.file_output_items.new("RGBA", "Image")
    else:
        writer.base_path = str(folder)
        writer.file_slots[0].path = "mine_"
    writer.format.file_format = "PNG"
    tree.links.new(layers.outputs["Image"], writer.inputs[0])
    frame = tree.nodes.new("NodeFrame")
    blur.parent = frame
    for node in tree.nodes:
        node.select = node in (blur, viewer)
    tree.nodes.active = blur
    return tree


@pytest.mark.parametrize("kind", ["none", "own", "turned off"])
def test_a_render_leaves_the_file_as_it_was(kind, red, tmp_path):
    made = scene(tmp_path)
    add()
    if kind != "none":
        user_tree(made, tmp_path / "own")
    if kind == "turned off" and not VERSION_5:
        made.use_nodes = False
    path = tmp_path / "a.png"
    made.render.filepath = str(path)
    before = told(made)
    for _ in range(2):
        picture = still(path)
        assert told(made) == before
    inverted = kind == "own" or (kind == "turned off" and VERSION_5)
    np.testing.assert_allclose(picture[HEIGHT // 2, WIDTH // 2], (0, 1, 1, 1) if inverted else RED, atol=0.01)
    assert len(red) == 2
    assert bool(list((tmp_path / "own").glob("*"))) == inverted


def test_the_users_grading_includes_the_avatar(red, tmp_path):
    made = scene(tmp_path)
    add()
    user_tree(made, tmp_path / "own")
    still(tmp_path / "a.png")
    (own,) = (tmp_path / "own").glob("*.png")
    np.testing.assert_allclose(read(own)[HEIGHT // 2, WIDTH // 2], RED, atol=0.01)


def test_without_avatars_nothing_is_done(red, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "Run", None)
    scene(tmp_path)
    assert not still(tmp_path / "a.png").any()
    assert not red and session.status().state == "STOPPED"


def test_two_view_layers_share_one_picture(red, tmp_path):
    made = scene(tmp_path)
    add()
    made.view_layers.new("Second")
    still(tmp_path / "a.png")
    assert len(red) == 1


def test_compositing_that_is_off_is_told(red, tmp_path, capfd):
    made = scene(tmp_path)
    add()
    made.render.use_compositing = False
    still(tmp_path / "a.png")
    assert "without its avatars: Compositing is off" in capfd.readouterr().err


class TestFailures:
    """A frame that cannot have its avatars is not written."""

    @pytest.mark.parametrize("with_markers", [False, True])
    @pytest.mark.parametrize("animation", [False, True])
    def test_no_engine(self, with_markers, animation, tmp_path, monkeypatch, capfd):
        made = scene(tmp_path)
        add()
        if with_markers:
            made.timeline_markers.new("cut", frame=1).camera = made.camera
        monkeypatch.setenv("LIKENESS_ENGINE", str(tmp_path / "nowhere"))
        before = told(made)
        with pytest.raises(RuntimeError):
            bpy.ops.render.render(animation=animation, write_still=not animation)
        assert not list(tmp_path.glob("*.png"))
        assert told(made) == before
        assert "error: engine.not_found: frame 1 is not rendered" in capfd.readouterr().err

    def test_an_engine_that_fails_at_the_second_frame(self, red, tmp_path, monkeypatch, capfd):
        made = scene(tmp_path)
        add()
        draw = engine.draw

        def failing(request: object, known: object) -> object:
            if bpy.context.scene.frame_current == 2:
                raise MachineError("engine.died", "The engine ended.", "Start the engine again.")
            return draw(request, known)

        monkeypatch.setattr(engine, "draw", failing)
        before = told(made)
        with pytest.raises(RuntimeError):
            bpy.ops.render.render(animation=True)
        assert [path.name for path in tmp_path.glob("*.png")] == ["frame_0001.png"]
        assert told(made) == before
        assert "frame 2 is not rendered" in capfd.readouterr().err

    def test_a_modifier_that_changes_the_vertices(self, red, tmp_path, capfd):
        scene(tmp_path)
        mesh = add()
        mesh.modifiers.new("More", "SUBSURF")
        with pytest.raises(RuntimeError):
            still(tmp_path / "a.png")
        assert "render.mesh" in capfd.readouterr().err
        assert not list(tmp_path.iterdir())

    def test_an_older_picture_is_not_lost(self, red, tmp_path):
        scene(tmp_path).camera.data.type = "PANO"
        add()
        (tmp_path / "a.png").write_bytes(b"older")
        with pytest.raises(RuntimeError):
            still(tmp_path / "a.png")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"older"]

    def test_a_panoramic_camera(self, red, tmp_path, capfd):
        scene(tmp_path).camera.data.type = "PANO"
        add()
        with pytest.raises(RuntimeError):
            still(tmp_path / "a.png")
        assert "render.lens" in capfd.readouterr().err

    def test_an_unforeseen_error(self, red, tmp_path, monkeypatch, capfd):
        made = scene(tmp_path)
        add()
        before = told(made)

        def broken(*_: object) -> None:
            raise InputError("render.test", "It broke on purpose.", "None.")

        monkeypatch.setattr(run, "make_group", broken)
        with pytest.raises(RuntimeError):
            still(tmp_path / "a.png")
        assert "It broke on purpose" in capfd.readouterr().err
        made.render.filepath = str(tmp_path / "frame_")
        assert told(made) == before
