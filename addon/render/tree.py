"""The user's compositor tree for the length of a render: a node after each Render Layers node, marked.

Right after the render layer its depth still fits its picture, and whatever the user does to the picture is done to the
avatars too. Only before the first frame may a tree be changed; Blender loses the scene's picture otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import bpy
from bpy.types import Node, NodeSocket, NodeTree, Scene

from ..scene.compositor import LAYERS, OUTPUT, VERSION_5, tree_of
from .marks import change, keep_link, mark
from .nodes import NAME, SOCKETS

WRITERS = ("CompositorNodeOutputFile", "CompositorNodeViewer")


def insert(scene: Scene, groups: Mapping[str, NodeTree]) -> None:
    """Lay groups, by the names of view layers, over a scene's render layers."""
    tree = _open_tree(scene)
    if not scene.render.use_compositing:  # the render comes out as it is, with its avatars alone
        change(scene.render, "use_compositing", True)
    for each in _trees(tree):
        for node in [node for node in each.nodes if node.bl_idname == LAYERS and node.scene == scene]:
            if node.layer in groups:
                _insert_after(each, node, groups[node.layer])


def scenes_in(scene: Scene) -> set[Scene]:
    """Return the scenes whose renders a scene's compositor shows."""
    tree = tree_of(scene)
    if tree is None or not (VERSION_5 or scene.use_nodes) or not scene.render.use_compositing:
        return set()
    found = {node.scene for each in _trees(tree) for node in each.nodes if node.bl_idname == LAYERS and not node.mute}
    return found - {None}


def _open_tree(scene: Scene) -> NodeTree:
    """Return the scene's tree, one that shows the render alone where the user has none or has turned it off."""
    tree = _group_of(scene) if VERSION_5 else _node_tree_of(scene)
    if not any(node.bl_idname == OUTPUT for node in tree.nodes):
        layers, output = plain_layers(scene, tree), tree.nodes.new(OUTPUT)
        mark(output)
        tree.links.new(layers.outputs["Image"], output.inputs[0])
    return tree


def _group_of(scene: Scene) -> NodeTree:
    tree = scene.compositing_node_group
    if tree is None or not scene.render.use_compositing:
        tree = bpy.data.node_groups.new("Likeness Compositing", "CompositorNodeTree")
        mark(tree)
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        change(scene, "compositing_node_group", tree)
    return tree


def _node_tree_of(scene: Scene) -> NodeTree:
    if scene.use_nodes and scene.render.use_compositing:
        return scene.node_tree
    had_tree = scene.node_tree is not None
    change(scene, "use_nodes", True)  # Blender makes a tree where there is none; it stays, as after a tick and another
    if had_tree:
        _silence(scene, scene.node_tree)
    else:
        for node in [node for node in scene.node_tree.nodes if node.bl_idname == LAYERS]:
            node.layer = _first_layer(scene)
    return scene.node_tree


def _silence(scene: Scene, tree: NodeTree) -> None:
    """Let a tree that was turned off show the render alone: its outputs get that, and its writers are muted."""
    outputs = [node for node in tree.nodes if node.bl_idname == OUTPUT]
    for node in [node for node in tree.nodes if node.bl_idname in WRITERS and not node.mute]:
        change(node, "mute", True)
    if not outputs:
        return
    layers = plain_layers(scene, tree)
    for output in outputs:
        for link in output.inputs[0].links:
            keep_link(link)
        tree.links.new(layers.outputs["Image"], output.inputs[0])


def plain_layers(scene: Scene, tree: NodeTree) -> Node:
    """Add a Render Layers node."""
    node = tree.nodes.new(LAYERS)
    node.scene, node.layer = scene, _first_layer(scene)
    mark(node)
    return node


def _first_layer(scene: Scene) -> str:
    """Return the view layer that Blender shows where nothing is composited: the first one that is rendered."""
    return next((layer.name for layer in scene.view_layers if layer.use), scene.view_layers[0].name)


def _trees(root: NodeTree) -> Iterator[NodeTree]:
    """Walk through a tree and, since Blender 5, the groups in it that may hold Render Layers nodes; each once."""
    seen, waiting = set(), [root]
    while waiting:
        tree = waiting.pop()
        if tree not in seen:
            seen.add(tree)
            inside = [node.node_tree for node in tree.nodes if node.bl_idname == "CompositorNodeGroup"]
            waiting += [each for each in inside if each is not None]
            yield tree


def _insert_after(tree: NodeTree, layers: Node, group: NodeTree) -> None:
    taken = {name: _targets(layers.outputs[name]) for name in SOCKETS}
    if not any(taken.values()):
        return
    node = tree.nodes.new("CompositorNodeGroup")
    node.node_tree, node.name = group, NAME
    mark(node, through=SOCKETS)
    node.location = (layers.location.x + 40, layers.location.y + 140)
    node.hide = True
    for name, targets in taken.items():
        for target in targets:
            tree.links.new(node.outputs[name], target)  # in the place of the link it had
        tree.links.new(layers.outputs[name], node.inputs[name])


def _targets(socket: NodeSocket) -> list[NodeSocket]:
    return [link.to_socket for link in socket.links if not link.is_muted]
