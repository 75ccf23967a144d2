"""All that a render may change in a file, to compare before and after; and a compositor tree of a user's own."""

from __future__ import annotations

from pathlib import Path

import bpy
from addon.scene.compositor import VERSION_5
from bpy.types import Scene
from scene_dump import dump


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
    for kind in {"images", "all_ids"} & set(file["blocks"]):  # the latter since Blender 5.2
        names = file["blocks"][kind]
        file["blocks"][kind] = [name for name in names if name not in ("Render Result", "Viewer Node")]
    return {
        "file": file,
        "objects": objects,
        "passes": [(layer.name, layer.use_pass_z) for layer in made.view_layers],
        "scene": (
            VERSION_5 or made.use_nodes,
            made.camera and made.camera.name,
            render.filepath,
            [(m.name, m.camera and m.camera.name) for m in made.timeline_markers],
        ),
        "tree": nodes_of(tree) if tree else ticked_and_unticked(),
    }


def ticked_and_unticked() -> dict[str, object] | None:
    """Return the nodes of a scene that has none, once Use Nodes was on: Blender's own; None since Blender 5."""
    if VERSION_5:
        return None
    made = bpy.data.scenes.new("Ticked")
    made.use_nodes = True
    nodes = nodes_of(made.node_tree)
    bpy.data.scenes.remove(made)
    return nodes


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
