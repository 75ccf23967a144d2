"""What a render changes in the file, remembered in the file itself.

Who saves while a render runs, or does what can be undone, takes its changes along. So what is added has a mark, what
is set or linked anew is noted with its owner, and the way back needs nothing else, at a render's end or days later.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import bpy
from bpy.types import ID, Node, NodeLink, NodeTree, bpy_struct

MARK = "likeness_render"
"""Custom property of nodes, node groups and images that are added: the sockets that a node passes on, if any."""
KEPT = "likeness_kept"
"""Custom property of what is changed: a list of what was there, in the order of the changes."""
CONSTRAINT = "Likeness Render"
"""The name of constraints that are added to objects with KEPT; constraints have no custom properties."""


def change(owner: bpy_struct, name: str, value: object) -> None:
    """Set a property, and note what it was; a marker's cannot be noted."""
    path, _, _ = owner.path_from_id(name).rpartition(".")
    _note(owner.id_data, {"path": path, "name": name, "value": getattr(owner, name)})
    setattr(owner, name, value)


def keep_link(link: NodeLink) -> None:
    """Note a link that is about to be replaced."""
    _note(link.id_data, {"from": link.from_socket.path_from_id(), "to": link.to_socket.path_from_id()})


def mark(added: Node | ID, through: Iterable[str] = ()) -> None:
    """Mark a node, a node group or an image as added; a node passes the sockets named `through` on."""
    added[MARK] = "\n".join(through)


def sweep() -> None:
    """Take out what renders have added to the file, and set back what they have changed."""
    trees = _compositors()
    for tree in trees:
        for node in [node for node in tree.nodes if MARK in node]:
            _take_out(tree, node)
    for owner in [each for each in (*bpy.data.objects, *trees, *bpy.data.scenes) if KEPT in each]:
        _set_back(owner)
    for blocks in (bpy.data.node_groups, bpy.data.images):
        for block in [each for each in blocks if MARK in each]:
            blocks.remove(block)


def _note(owner: ID, what: dict[str, object]) -> None:
    known = [each.to_dict() for each in owner.get(KEPT, ())]
    owner[KEPT] = [*known, {name: value for name, value in what.items() if value is not None}]


def _compositors() -> list[NodeTree]:
    groups = [tree for tree in bpy.data.node_groups if tree.bl_idname == "CompositorNodeTree"]
    if bpy.app.version >= (5, 0, 0):
        return groups
    return groups + [scene.node_tree for scene in bpy.data.scenes if scene.node_tree is not None]


def _take_out(tree: NodeTree, node: Node) -> None:
    names = node[MARK].split("\n") if node[MARK] else ()
    links = [
        (node.inputs[name].links[0].from_socket, link.to_socket)
        for name in names
        for link in node.outputs[name].links
        if node.inputs[name].links and not link.is_muted
    ]
    tree.nodes.remove(node)
    for source, target in links:
        tree.links.new(source, target)


def _set_back(owner: ID) -> None:
    for noted in [each.to_dict() for each in reversed(owner[KEPT])]:
        with suppress(ValueError, TypeError, AttributeError):  # who has taken it away meanwhile
            if "to" in noted:
                owner.links.new(owner.path_resolve(noted["from"]), owner.path_resolve(noted["to"]))
            else:
                changed = owner.path_resolve(noted["path"]) if noted["path"] else owner
                setattr(changed, noted["name"], noted.get("value"))
    del owner[KEPT]
    if isinstance(owner, bpy.types.Object):
        for constraint in [each for each in owner.constraints if each.name.startswith(CONSTRAINT)]:
            owner.constraints.remove(constraint)
