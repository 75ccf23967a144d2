"""The photograph's own camera and plate as Blender's data: they stay when the extension is gone.

The plate lies behind the camera's view as its background image, and beneath the render in the compositor, as nodes in
a frame right after the Render Layers node: whatever the user does to the picture is done to the plate too.
"""

from __future__ import annotations

import bpy
import numpy as np
from bpy.types import Camera, Image, Node, NodeSocket, NodeTree, Object, Scene, ViewLayer
from mathutils import Matrix

from ..conventions import pixels_to_lens, portrait_to_blender_camera
from .compositor import LAYERS, OUTPUT, VERSION_5

MARK = "likeness_plate"
"""Custom property: of a camera whose avatar's mesh it is for, of a node that it is one of the plate's."""
FRAME = "Plate"
NAMES = {"image": "Plate Image", "scale": "Plate Size", "over": "Plate Over"}
DEFAULT = (LAYERS, OUTPUT, "NodeReroute", "CompositorNodeViewer")
"""What Blender makes at a first *Use Nodes*."""
UNEVEN = 1e-3
"""Scales that differ by this part of them are uneven."""
STEP, BELOW = 200, 420
"""Between nodes, and how far beneath the Render Layers node the plate's begin."""


def set_camera(scene: Scene, mesh: Object, matrix_world: Matrix) -> Object:
    """Make the scene's camera see an avatar that stands at `matrix_world` exactly as its photograph does.

    The scene's frame becomes the photograph's, whole. A camera made earlier for the avatar is set anew.
    """
    portrait = mesh.likeness.portrait
    width, height = portrait.size
    camera = camera_of(mesh) or _new_camera(mesh)
    place = Matrix(portrait_to_blender_camera(np.reshape(portrait.T_camera_head, (4, 4)), np.array(matrix_world)))
    location, rotation, _ = place.decompose()
    camera.parent = None
    camera.matrix_world = Matrix.LocRotScale(location, rotation, None)
    data: Camera = camera.data
    data.type, data.sensor_fit = "PERSP", "HORIZONTAL"
    lens = pixels_to_lens(np.reshape(portrait.K, (3, 3)), (width, height), data.sensor_width)
    data.lens, (data.shift_x, data.shift_y) = lens.focal, lens.shift
    distance = (location - matrix_world.translation).length
    data.clip_start, data.clip_end = distance / 100, max(distance * 100, data.clip_end)
    data.display_size = distance / 4
    scene.camera = camera
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.pixel_aspect_x, render.pixel_aspect_y = lens.pixel_aspect
    render.film_transparent = True
    return camera


def camera_of(mesh: Object) -> Object | None:
    """Return the camera that was made of an avatar's photograph."""
    made = (each for each in bpy.data.objects if each.type == "CAMERA" and each.get(MARK) == mesh)
    return next((each for each in made if each.library is None), None)


def is_uneven(matrix_world: Matrix) -> bool:
    """Tell whether an avatar is scaled so that no camera can see it as the photograph does."""
    sizes = np.linalg.svd(np.array(matrix_world.to_3x3()), compute_uv=False)
    return bool(sizes[0] - sizes[-1] > UNEVEN * sizes[0]) or matrix_world.is_negative


def set_plate(camera: Object, name: str, png: bytes, space: str = "sRGB") -> Image:
    """Pack a plate into the file and lay it behind a camera's view, in the place of the one that is there.

    `space` is its color space; another than sRGB leads its colors back through the scene's view transform.
    """
    data: Camera = camera.data
    image = bpy.data.images.new(name, 1, 1)
    image.source = "FILE"
    image.filepath_raw = f"//{bpy.path.clean_name(name)}.png"
    image.pack(data=png, data_len=len(png))
    image.colorspace_settings.name = space
    image.use_view_as_render = space != "sRGB"
    background = next((each for each in data.background_images if each.image and MARK in each.image), None)
    if background is None:
        background = data.background_images.new()
    else:
        old = background.image
        old.user_remap(image)
        bpy.data.images.remove(old)
        image.name = name
    image[MARK] = True
    background.image = image
    background.alpha, background.display_depth, background.frame_method = 1.0, "BACK", "STRETCH"
    data.show_background_images = True
    return image


def add_nodes(scene: Scene, view_layer: ViewLayer, image: Image) -> bool:
    """Lay a plate beneath what a view layer's Render Layers node gives; say whether it will be seen in renders.

    A scene has one plate: nodes that are there get the image, and only what is missing of them is made anew.
    """
    tree = _tree(scene, view_layer)
    made = {role: next((node for node in tree.nodes if node.get(MARK) == role), None) for role in NAMES}
    if not all(made.values()):
        _take_out(tree)
        layers = _layers_node(scene, view_layer, tree)
        made = _new_nodes(tree, layers)
        _lay_beneath(tree, layers.outputs["Image"], made["over"])
    made["image"].image = image
    is_shown = bool(made["over"].outputs[0].links)
    return is_shown and scene.render.use_compositing and (VERSION_5 or scene.use_nodes)


def _new_camera(mesh: Object) -> Object:
    name = f"{mesh.name} Portrait Camera"
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera[MARK] = mesh
    mesh.users_collection[0].objects.link(camera)
    return camera


def _tree(scene: Scene, view_layer: ViewLayer) -> NodeTree:
    """Return the scene's compositor tree; where it has none, one that shows a view layer's render.

    Before Blender 5 a tree that the user has switched off stays so, unless it only shows the render.
    """
    if VERSION_5:
        tree = scene.compositing_node_group
        if tree is None:
            tree = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
            scene.compositing_node_group = tree
    else:
        if scene.node_tree is None or all(node.bl_idname in DEFAULT for node in scene.node_tree.nodes):
            is_unused = scene.node_tree is None or not scene.use_nodes
            scene.use_nodes = True
            for node in [node for node in scene.node_tree.nodes if node.bl_idname == LAYERS and is_unused]:
                node.layer = view_layer.name
        tree = scene.node_tree
    if not tree.nodes:
        layers, output = tree.nodes.new(LAYERS), tree.nodes.new(OUTPUT)
        layers.scene, layers.layer, output.location.x = scene, view_layer.name, 4 * STEP
        tree.links.new(layers.outputs["Image"], output.inputs[0])
    return tree


def _layers_node(scene: Scene, view_layer: ViewLayer, tree: NodeTree) -> Node:
    """Return the node with the view layer's render, rather one that is used; without any make one."""
    found = [node for node in tree.nodes if node.bl_idname == LAYERS and node.scene == scene]
    own = [node for node in found if node.layer == view_layer.name]
    used = [node for node in own if node.outputs["Image"].links]
    if used or own:
        return (used or own)[0]
    node = tree.nodes.new(LAYERS)
    node.scene, node.layer = scene, view_layer.name
    return node


def _new_nodes(tree: NodeTree, layers: Node) -> dict[str, Node]:
    frame = tree.nodes.new("NodeFrame")
    frame.label, frame.name, frame[MARK] = FRAME, FRAME, "frame"
    kinds = {"image": "CompositorNodeImage", "scale": "CompositorNodeScale", "over": "CompositorNodeAlphaOver"}
    made = {}
    for column, (role, kind) in enumerate(kinds.items()):
        node = made[role] = tree.nodes.new(kind)
        node.name, node[MARK], node.parent = NAMES[role], role, frame
        node.location = (layers.location.x + column * STEP, layers.location.y - BELOW)
    _fit_to_render(made["scale"])
    tree.links.new(made["image"].outputs["Image"], made["scale"].inputs["Image"])
    tree.links.new(made["scale"].outputs[0], _colors(made["over"])[0])
    return made


def _fit_to_render(node: Node) -> None:
    """Scale to the size of the render, so that its percentage holds for the plate too."""
    if "Type" in node.inputs:  # since Blender 5
        node.inputs["Type"].default_value, node.inputs["Frame Type"].default_value = "Render Size", "Stretch"
    else:
        node.space, node.frame_method = "RENDER_SIZE", "STRETCH"


def _colors(over: Node) -> list[NodeSocket]:
    """Return what lies below, and what above."""
    return [socket for socket in over.inputs if socket.type == "RGBA"]


def _lay_beneath(tree: NodeTree, picture: NodeSocket, over: Node) -> None:
    """Put the plate between a picture and all that it goes to."""
    targets = [link.to_socket for link in picture.links if not link.is_muted]
    for target in targets:
        tree.links.new(over.outputs[0], target)
    output = next((node for node in tree.nodes if node.bl_idname == OUTPUT), None)
    if not targets and output is not None and not output.inputs[0].links:
        tree.links.new(over.outputs[0], output.inputs[0])
    tree.links.new(picture, _colors(over)[1])


def _take_out(tree: NodeTree) -> None:
    """Remove what is left of the plate's nodes; what lay above the plate goes on to where both went."""
    marked = [node for node in tree.nodes if MARK in node]
    over = next((node for node in marked if node[MARK] == "over"), None)
    above = _colors(over)[1].links if over is not None else ()
    if above:
        picture, targets = above[0].from_socket, [link.to_socket for link in over.outputs[0].links]
        for target in targets:
            tree.links.new(picture, target)
    for node in marked:
        tree.nodes.remove(node)
