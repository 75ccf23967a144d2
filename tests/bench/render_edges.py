"""A cube half in a head and another behind it, as avatar and as mesh; `render_edges.py AVATAR.likeness OUT.npz`.

Run in bpy with LIKENESS_ENGINE set. The mesh is the engine's depth, a vertex for each pixel. For film and world OUT.npz
holds WHAT_avatar and WHAT_mesh, how much of each pixel shows the cube in front (0..1, the top row first), and `alpha`.
"""

from __future__ import annotations

import atexit
import os
import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "engine"), str(HERE.parent / "addon")]

import bpy  # noqa: E402
import numpy as np  # noqa: E402
from addon.render.pictures import Picture  # noqa: E402
from addon.scene.find import armature_of  # noqa: E402
from render_parts import LENS, SENSOR, cube, read, scene, whole_addon  # noqa: E402
from scene_parts import add  # noqa: E402

from likeness.contract.avatar_file import read_avatar  # noqa: E402
from likeness.contract.messages import FrameRendered  # noqa: E402

WIDTH, HEIGHT, DISTANCE, SAMPLES = 1920, 1080, 1.2, 16
FOCAL = WIDTH * LENS / SENSOR
BEFORE, BEHIND = ((0.05, -0.01, -0.01), 0.12), ((-0.08, 0.4, 0.05), 0.2)
"""Places and sizes of the cubes; the first cuts into the face."""
RED, GREEN, BLUE = np.eye(3)
drawn: list[FrameRendered] = []


def painted(made: bpy.types.Object, color: np.ndarray) -> bpy.types.Object:
    """Let an object glow in a pure colour alone."""
    material = bpy.data.materials.new("Pure")
    if material.node_tree is None:  # before Blender 5
        material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    shader, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    shader.inputs["Color"].default_value = (*color, 1)
    material.node_tree.links.new(shader.outputs[0], output.inputs["Surface"])
    made.data.materials.clear()
    made.data.materials.append(material)
    return made


def sky(made: bpy.types.Scene) -> None:
    """Give the scene a blue world."""
    made.world = bpy.data.worlds.new("Sky")
    if made.world.node_tree is None:  # before Blender 5
        made.world.use_nodes = True
    background = next(node for node in made.world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (*BLUE, 1)


def surface(answer: FrameRendered) -> bpy.types.Object:
    """Return the mesh that has the engine's depth wherever it is rather opaque than not."""
    seen = answer.rgba[..., 3] > 0.5
    rows, columns = np.nonzero(seen)
    depth = answer.depth[seen].astype(np.float64)
    x, y = (columns + answer.left + 0.5 - WIDTH / 2) / FOCAL, (rows + answer.top + 0.5 - HEIGHT / 2) / FOCAL
    vertices = np.stack([x * depth, depth - DISTANCE, -y * depth], axis=1)
    number = np.full(seen.shape, -1)
    number[seen] = np.arange(len(depth))
    corners = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], axis=-1).reshape(-1, 4)
    mesh = bpy.data.meshes.new("Depth")
    mesh.from_pydata(vertices.tolist(), [], corners[(corners >= 0).all(axis=1)].tolist())
    made = bpy.data.objects.new("Depth", mesh)
    bpy.context.scene.collection.objects.link(made)
    return made


def shown() -> np.ndarray:
    """Render, and return how much of each pixel is green."""
    path = Path(bpy.app.tempdir) / "edges.exr"
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return read(path)[..., 1]


def main(avatar_path: Path, output: Path) -> None:
    """Render everything."""
    avatar = read_avatar(avatar_path)
    red = replace(avatar.gaussians, colors=np.tile(RED.astype(np.float32), (len(avatar.gaussians.colors), 1)))
    fill = Picture.fill
    Picture.fill = lambda self, region, answer: drawn.append(answer) or fill(self, region, answer)
    made = scene(Path(bpy.app.tempdir))
    made.render.resolution_x, made.render.resolution_y, made.cycles.samples = WIDTH, HEIGHT, SAMPLES
    made.render.image_settings.file_format, made.render.image_settings.color_depth = "OPEN_EXR", "32"
    made.camera.location.y = -DISTANCE
    painted(cube(*BEFORE), GREEN)
    painted(cube(*BEHIND), BLUE)
    sky(made)
    results, rig, mesh = {}, armature_of(add(replace(avatar, gaussians=red))), None
    for what in ("film", "world"):
        made.render.film_transparent = what == "film"
        rig.hide_render = False
        if mesh is not None:
            mesh.hide_render = True
        results[f"{what}_avatar"] = shown()
        mesh = mesh or painted(surface(drawn[0]), RED)
        rig.hide_render, mesh.hide_render = True, False
        results[f"{what}_mesh"] = shown()
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    rows, columns = drawn[0].depth.shape
    alpha[drawn[0].top :, drawn[0].left :][:rows, :columns] = drawn[0].rgba[..., 3]
    np.savez(output, alpha=alpha, **results)


if __name__ == "__main__":
    atexit.register(os._exit, 0)  # bpy 4.5 can wait for itself for ever when its process ends after a render
    with whole_addon():
        main(Path(sys.argv[1]), Path(sys.argv[2]))
