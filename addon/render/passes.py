"""The avatars' colour, depth and masks beside every frame: our own File Output node writes them in Blender's own step.

The nodes stand beside the user's, with a Render Layers node of their own, so that nothing he does to the picture
changes them. Where several avatars hide each other the engine says how much of a pixel shows each: it draws them once
more, three of them pure red, green and blue and the others black.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import bpy
import numpy as np
from bpy.types import Node, NodeTree, Object, Scene

from likeness.contract.messages import RenderFrame

from ..overlay.layout import Gaussians
from ..scene.compositor import VERSION_5, tree_of
from . import engine
from .avatars import Placed
from .camera import Region
from .failure import occupy
from .marks import mark
from .nodes import avatars, channel, image, math, scene_first
from .pictures import Picture, Plane
from .tree import plain_layers

Shown = tuple[Object, ...]
NAME = "Likeness Passes"
GIVEN = ("Depth", "Alpha")
"""What the group needs of the Render Layers node."""
CHANNELS = 3
"""Avatars whose masks come with one picture of the engine."""
HASHES = re.compile(r"#+(?=[^#]*$)")


class Passes:
    """The passes of one render: a file for each view layer that holds avatars."""

    def __init__(self, scene: Scene, region: Region, layers: Mapping[str, Shown], pictures: Mapping[Shown, Picture]):
        self._scene = scene
        self._masks: dict[Shown, Masks] = {}
        self._paths: list[str] = []
        tree = tree_of(scene)
        for name, shown in layers.items():
            if shown not in self._masks:
                self._masks[shown] = Masks(shown, region)
            group = _make_group(pictures[shown], self._masks[shown])
            folder, file = beside(scene.render.filepath, name if len(layers) > 1 else "")
            self._insert(scene, tree, name, group, (folder, file))

    def _insert(self, scene: Scene, tree: NodeTree, layer: str, group: NodeTree, path: tuple[str, str]) -> None:
        made = [plain_layers(scene, tree), tree.nodes.new("CompositorNodeGroup"), _writer(tree, path, group)]
        for node in made:
            mark(node)
        made[0].layer, made[1].node_tree = layer, group
        for name in GIVEN:
            tree.links.new(made[0].outputs[name], made[1].inputs[name])
        for source, target in zip(made[1].outputs, made[2].inputs, strict=False):  # the last input adds more
            tree.links.new(source, target)
        self._paths.append(bpy.path.abspath("".join(path)) + ".exr")

    def fill(self, shown: Shown, region: Region, request: RenderFrame, placed: Sequence[Placed]) -> None:
        """Draw the masks of the frame that was asked for. Errors: as `engine.draw`."""
        self._masks[shown].fill(region, request, placed)

    def clear(self, shown: Shown, region: Region) -> None:
        """Show no avatar."""
        self._masks[shown].clear(region)

    def forbid(self) -> list[Callable[[], None]]:
        """Leave this frame's files no place, for it has failed; return the way back."""
        undo: list[Callable[[], None]] = []
        for path in self._paths:
            with contextlib.suppress(OSError):  # then Blender cannot write there either
                occupy(HASHES.sub(partial(_number, self._scene.frame_current), path), undo)
        return undo


class Masks:
    """How much of each pixel shows each avatar, 0..1: a channel each, three to an image; none for a single one."""

    def __init__(self, shown: Shown, region: Region) -> None:
        self.shown = shown
        count = len(shown[::CHANNELS]) if len(shown) > 1 else 0
        self.images = [Plane("Likeness Masks", region, "Non-Color", 0.0) for _ in range(count)]

    def fill(self, region: Region, request: RenderFrame, placed: Sequence[Placed]) -> None:
        """Have the engine draw them. Errors: as `engine.draw`."""
        for index, target in enumerate(self.images):
            chosen = self.shown[index * CHANNELS :][:CHANNELS]
            painted = [_painted(each, chosen) for each in placed]
            answer = engine.draw(replace(request, keys=tuple(key for key, _ in painted)), dict(painted))
            target.fill(region, answer.left, answer.top, answer.rgba)

    def clear(self, region: Region) -> None:
        """Show no avatar."""
        for target in self.images:
            target.clear(region)


def beside(output: str, layer: str) -> tuple[str, str]:
    """Return folder and name of the passes' file for a render's output path, the frame's number as #.

    `layer` is the view layer's name where there are several.
    """
    folder, name = re.fullmatch(r"(.*[/\\])?([^/\\]*)", output, re.DOTALL).groups(default="")
    ending = re.search(r"\.[^.]*$", name)
    if ending and ending[0].lower() in bpy.path.extensions_image | bpy.path.extensions_movie:
        name = name[: ending.start()]
    hashes = HASHES.search(name)
    before, number, after = (name[: hashes.start()], hashes[0], name[hashes.end() :]) if hashes else (name, "####", "")
    words = (before.rstrip("_-. "), "avatars", bpy.path.clean_name(layer))
    return folder, "_".join(filter(None, words)) + f"_{number}{after}"


def _number(frame: int, hashes: re.Match) -> str:
    return f"{frame:0{len(hashes[0])}}"


def _painted(placed: Placed, chosen: Sequence[Object]) -> tuple[str, Gaussians]:
    """Return an avatar's Gaussians in the pure colour that it has among the chosen, else black, and their key."""
    gaussians, mesh = placed.source.gaussians, placed.source.mesh
    colors = np.zeros_like(gaussians.lit.albedo)
    place = chosen.index(mesh) if mesh in chosen else None
    if place is not None:
        colors[:, place] = 1
    painted = replace(gaussians, lit=replace(gaussians.lit, albedo=colors, facing=np.zeros_like(colors)))
    return f"{placed.source.key}/{'black' if place is None else place}", painted


def _make_group(picture: Picture, masks: Masks) -> NodeTree:
    """Make the group that gives the passes of a view layer, in the order of the file."""
    tree = bpy.data.node_groups.new(NAME, "CompositorNodeTree")
    mark(tree)
    for name in GIVEN:
        tree.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat")
    given = tree.nodes.new("NodeGroupInput").outputs
    color, depth = avatars(tree, picture, "sRGB"), channel(tree, image(tree, picture.depth.image), 0)
    alpha = channel(tree, color, 3)
    hidden = math(tree, "MULTIPLY", scene_first(tree, given, depth), given["Alpha"])
    visible = math(tree, "SUBTRACT", 1.0, hidden)
    images = [image(tree, each.image) for each in masks.images]
    shares = [channel(tree, images[n // CHANNELS], n % CHANNELS) if images else alpha for n in range(len(masks.shown))]
    passes = [("Avatars", color), ("Depth", depth), ("Mask", math(tree, "MULTIPLY", alpha, visible))]
    passes += [
        (mesh.name, math(tree, "MULTIPLY", share, visible)) for mesh, share in zip(masks.shown, shares, strict=True)
    ]
    result = tree.nodes.new("NodeGroupOutput").inputs
    for index, (name, source) in enumerate(passes):
        kind = "NodeSocketFloat" if index else "NodeSocketColor"
        tree.interface.new_socket(name, in_out="OUTPUT", socket_type=kind)
        tree.links.new(source, result[index])
    return tree


def _writer(tree: NodeTree, path: tuple[str, str], group: NodeTree) -> Node:
    """Make a File Output node with a layer for each output of a group."""
    node = tree.nodes.new("CompositorNodeOutputFile")
    outputs = [item for item in group.interface.items_tree if item.in_out == "OUTPUT"]
    if VERSION_5:
        node.format.media_type = "MULTI_LAYER_IMAGE"
        node.directory, node.file_name = path
        node.file_output_items.clear()
        for item in outputs:
            node.file_output_items.new("RGBA" if item.socket_type == "NodeSocketColor" else "FLOAT", item.name)
    else:
        node.format.file_format = "OPEN_EXR_MULTILAYER"
        node.base_path = "".join(path)
        node.layer_slots.clear()
        for item in outputs:
            node.layer_slots.new(item.name)
    node.format.color_depth, node.format.exr_codec = "32", "ZIP"
    return node
