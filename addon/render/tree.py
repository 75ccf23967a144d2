"""The user's compositor tree for the length of a render: a node after each Render Layers node, taken away exactly.

Right after the render layer its depth still fits its picture, and whatever the user does to the picture is done to the
avatars too. Only before the first frame may a tree be changed; Blender loses the scene's picture otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import bpy
from bpy.types import Node, NodeSocket, NodeTree, Scene

from .nodes import NAME, SOCKETS, VERSION_5

MARK = "likeness"
LAYERS = "CompositorNodeRLayers"
OUTPUT = "NodeGroupOutput" if VERSION_5 else "CompositorNodeComposite"
WRITERS = ("CompositorNodeOutputFile", "CompositorNodeViewer")
Undo = list[Callable[[], None]]


def insert(scene: Scene, groups: Mapping[str, NodeTree]) -> Undo:
    """Lay groups, by the names of view layers, over a scene's render layers; return what takes them away, in order."""
    undo: Undo = []
    is_used = scene.render.use_compositing
    if not is_used:  # the render comes out as it is, with its avatars alone
        scene.render.use_compositing = True
        undo.append(partial(setattr, scene.render, "use_compositing", False))
    own = tree_of(scene)
    if own is not None:
        undo.append(_kept_choice(own))
    for tree in _trees(_open_tree(scene, undo, is_used=is_used)):
        undo.append(_kept_choice(tree))
        for node in [node for node in tree.nodes if node.bl_idname == LAYERS and node.scene == scene]:
            if node.layer in groups:
                _insert_after(tree, node, groups[node.layer])
        undo.append(partial(_remove_marked, tree))
    return undo[::-1]


def tree_of(scene: Scene) -> NodeTree | None:
    """Return the tree that composites a scene."""
    return scene.compositing_node_group if VERSION_5 else scene.node_tree


def scenes_in(scene: Scene) -> set[Scene]:
    """Return the scenes whose renders a scene's compositor shows."""
    tree = tree_of(scene)
    if tree is None or not (VERSION_5 or scene.use_nodes) or not scene.render.use_compositing:
        return set()
    found = {node.scene for each in _trees(tree) for node in each.nodes if node.bl_idname == LAYERS and not node.mute}
    return found - {None}


def _open_tree(scene: Scene, undo: Undo, *, is_used: bool) -> NodeTree:
    """Return the scene's tree, one that shows the render alone where the user has none or has turned it off."""
    opened = _group_of if VERSION_5 else _node_tree_of
    tree = opened(scene, undo, is_used=is_used)
    if not any(node.bl_idname == OUTPUT for node in tree.nodes):
        made = [plain_layers(scene, tree), tree.nodes.new(OUTPUT)]
        tree.links.new(made[0].outputs["Image"], made[1].inputs[0])
        undo.append(partial(_remove, tree, [node.name for node in made]))
    return tree


def _group_of(scene: Scene, undo: Undo, *, is_used: bool) -> NodeTree:
    tree = own = scene.compositing_node_group
    if own is None or not is_used:
        tree = bpy.data.node_groups.new("Likeness Compositing", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        scene.compositing_node_group = tree
        undo.append(partial(bpy.data.node_groups.remove, tree))
        undo.append(partial(setattr, scene, "compositing_node_group", own))
    return tree


def _node_tree_of(scene: Scene, undo: Undo, *, is_used: bool) -> NodeTree:
    if scene.use_nodes and is_used:
        return scene.node_tree
    had_tree = scene.node_tree is not None
    undo.append(partial(setattr, scene, "use_nodes", scene.use_nodes))
    scene.use_nodes = True
    tree = scene.node_tree
    if had_tree:
        _silence(scene, tree, undo)
    else:
        undo.append(tree.nodes.clear)  # Blender has put some in; the empty tree itself stays, nothing removes it
    return tree


def _silence(scene: Scene, tree: NodeTree, undo: Undo) -> None:
    """Let a tree that was turned off show the render alone: its outputs get that, and its writers are muted."""
    outputs = [node for node in tree.nodes if node.bl_idname == OUTPUT]
    for node in [node for node in tree.nodes if node.bl_idname in WRITERS and not node.mute]:
        node.mute = True
        undo.append(partial(setattr, node, "mute", False))
    if not outputs:
        return
    layers = plain_layers(scene, tree)
    for output in outputs:
        source = output.inputs[0].links[0].from_socket if output.inputs[0].links else None
        if source is not None:
            undo.append(partial(tree.links.new, source, output.inputs[0]))
        tree.links.new(layers.outputs["Image"], output.inputs[0])
    undo.append(partial(_remove, tree, [layers.name]))


def plain_layers(scene: Scene, tree: NodeTree) -> Node:
    """Add a Render Layers node."""
    node = tree.nodes.new(LAYERS)
    node.scene = scene
    return node


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
    node.node_tree, node.name, node[MARK] = group, NAME, True
    node.location = (layers.location.x + 40, layers.location.y + 140)
    node.hide = True
    for name, targets in taken.items():
        for target in targets:
            tree.links.new(node.outputs[name], target)  # in the place of the link it had
        tree.links.new(layers.outputs[name], node.inputs[name])


def _targets(socket: NodeSocket) -> list[NodeSocket]:
    return [link.to_socket for link in socket.links if not link.is_muted]


def _remove_marked(tree: NodeTree) -> None:
    for node in [node for node in tree.nodes if MARK in node]:
        links = [
            (node.inputs[name].links[0].from_socket, target)
            for name in SOCKETS
            for target in _targets(node.outputs[name])
            if node.inputs[name].links
        ]
        tree.nodes.remove(node)
        for source, target in links:
            tree.links.new(source, target)


def _remove(tree: NodeTree, names: list[str]) -> None:
    for name in names:
        if name in tree.nodes:
            tree.nodes.remove(tree.nodes[name])


def _kept_choice(tree: NodeTree) -> Callable[[], None]:
    """Return what selects and activates the nodes again that are selected and active now."""
    selected = {node.name for node in tree.nodes if node.select}
    active = tree.nodes.active.name if tree.nodes.active else None

    def restore() -> None:
        for node in tree.nodes:
            node.select = node.name in selected
        tree.nodes.active = tree.nodes.get(active) if active else None

    return restore
