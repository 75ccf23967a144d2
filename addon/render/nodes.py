"""The node group that merges avatars with a render layer, in the words of each version's compositor.

Blender's own Z Combine multiplies by alpha twice. Here whichever is nearer lies over the other, with its alpha once:
over an opaque picture, which no avatar shines through, they are laid over it as far as they are nearer, with a smoothed
border. Over a transparent film, where the scene's edges have alpha of their own, the scene counts as nearer one pixel
further, which is exact.
"""

from __future__ import annotations

import bpy
from bpy.types import Node, NodeSocket, NodeTree

from ..scene.compositor import VERSION_5
from .marks import mark
from .pictures import Picture, working_space

OPTIONS_ARE_SOCKETS = bpy.app.version >= (4, 5, 0)
NAME = "Likeness Avatars"
SOCKETS = {"Image": "NodeSocketColor", "Depth": "NodeSocketFloat", "Alpha": "NodeSocketFloat"}
"""In and out, as a Render Layers node has them."""
OPAQUE = 0.999


def make_group(picture: Picture, *, film: bool) -> NodeTree:
    """Make the group that lays a picture over a render layer, or that over it; `film` if that may be transparent."""
    tree = bpy.data.node_groups.new(NAME, "CompositorNodeTree")
    mark(tree)
    for name, kind in SOCKETS.items():
        for direction in ("INPUT", "OUTPUT"):
            tree.interface.new_socket(name, in_out=direction, socket_type=kind)
    given = tree.nodes.new("NodeGroupInput").outputs
    result = tree.nodes.new("NodeGroupOutput").inputs
    color, depths = avatars(tree, picture), image(tree, picture.depth.image)
    depth = channel(tree, depths, 0)
    if film:
        before, behind = over(tree, color, given["Image"]), over(tree, given["Image"], color)
        merged = mix(tree, scene_first(tree, given, depth), behind, before)
    else:
        front = math(tree, "LESS_THAN", depth, given["Depth"])
        merged = over(tree, given["Image"], color, filtered(tree, "CompositorNodeAntiAliasing", front))
    tree.links.new(merged, result["Image"])
    tree.links.new(channel(tree, merged, 3), result["Alpha"])
    tree.links.new(math(tree, "MINIMUM", given["Depth"], channel(tree, depths, 1)), result["Depth"])
    return tree


def avatars(tree: NodeTree, picture: Picture, space: str | None = None) -> NodeSocket:
    """Return the avatars' colours, scene-linear and premultiplied; straight ones are taken to be of another space."""
    stored = image(tree, picture.color.image)
    if picture.space is None:
        return stored
    node = filter_node(tree, "CompositorNodeConvertColorSpace", stored)
    node.from_color_space, node.to_color_space = space or picture.space, working_space()
    return filtered(tree, "CompositorNodePremulKey", node.outputs[0])


def scene_first(tree: NodeTree, given: bpy.types.bpy_prop_collection, depth: NodeSocket) -> NodeSocket:
    """How much the scene lies before the avatars, 0..1."""
    front = math(tree, "LESS_THAN", given["Depth"], depth)
    smooth = filtered(tree, "CompositorNodeAntiAliasing", front)
    film = math(tree, "LESS_THAN", given["Alpha"], OPAQUE)
    return math(tree, "MAXIMUM", smooth, math(tree, "MULTIPLY", film, dilated(tree, front)))


def image(tree: NodeTree, source: bpy.types.Image) -> NodeSocket:
    """Add an Image node."""
    node = tree.nodes.new("CompositorNodeImage")
    node.image = source
    return node.outputs["Image"]


def channel(tree: NodeTree, color: NodeSocket, index: int) -> NodeSocket:
    """Return one channel of a colour: red, green, blue, alpha."""
    node = filter_node(tree, "CompositorNodeSeparateColor", color)
    return node.outputs[index]


def filtered(tree: NodeTree, kind: str, source: NodeSocket) -> NodeSocket:
    """Add a node of one input and one output."""
    return filter_node(tree, kind, source).outputs[0]


def dilated(tree: NodeTree, source: NodeSocket) -> NodeSocket:
    """Widen by one pixel."""
    node = filter_node(tree, "CompositorNodeDilateErode", source)
    if OPTIONS_ARE_SOCKETS:
        node.inputs["Size"].default_value = 1
    else:
        node.distance = 1
    return node.outputs[0]


def filter_node(tree: NodeTree, kind: str, source: NodeSocket) -> Node:
    """Add a node and link its first input."""
    node = tree.nodes.new(kind)
    tree.links.new(source, node.inputs[0])
    return node


def math(tree: NodeTree, operation: str, *values: NodeSocket | float) -> NodeSocket:
    """Add a Math node."""
    node = tree.nodes.new("ShaderNodeMath" if VERSION_5 else "CompositorNodeMath")
    node.operation = operation
    for value, socket in zip(values, node.inputs, strict=False):
        if isinstance(value, NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value
    return node.outputs[0]


def over(tree: NodeTree, below: NodeSocket, above: NodeSocket, factor: NodeSocket | None = None) -> NodeSocket:
    """Lay one premultiplied picture over another, to the extent of a factor in 0..1."""
    node = tree.nodes.new("CompositorNodeAlphaOver")
    names = ("Background", "Foreground", "Factor") if VERSION_5 else (1, 2, 0)
    for source, name in zip((below, above, factor), names, strict=True):
        if source is not None:
            tree.links.new(source, node.inputs[name])
    return node.outputs[0]


def mix(tree: NodeTree, share: NodeSocket, first: NodeSocket, second: NodeSocket) -> NodeSocket:
    """Mix two colours: the first where the share is 0, the second where it is 1."""
    node = tree.nodes.new("ShaderNodeMix" if VERSION_5 else "CompositorNodeMixRGB")
    if VERSION_5:
        node.data_type = "RGBA"
    inputs = [socket for socket in node.inputs if socket.enabled]
    for source, socket in zip((share, first, second), inputs, strict=True):
        tree.links.new(source, socket)
    return next(socket for socket in node.outputs if socket.enabled)
