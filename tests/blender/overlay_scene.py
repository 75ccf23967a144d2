"""An avatar in Blender from plain arrays, and views of it; for the overlay's scripts, which run inside Blender."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "engine")]

from addon import properties  # noqa: E402

TO_BLENDER = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
"""Head space (x left, y up, z out of the face) to Blender's axes."""
INTS = ("vertex_a", "vertex_b", "vertex_c", "part")
FLOATS = ("opacity",)
VECTORS = ("local_mean", "local_basis_0", "local_basis_1", "local_basis_2", "albedo", "facing")


def register_properties() -> None:
    """Register what an avatar's mesh carries, once."""
    if not hasattr(bpy.types.Object, "likeness"):
        properties.register()


def add_avatar(arrays: dict[str, np.ndarray], name: str = "Head") -> bpy.types.Object:
    """Add a mesh with the splats riding on it, as the scene's builder does, but without a rig.

    arrays: vertices (V,3), faces (F,3), triangle_corners (N,3), local_mean, local_basis (N,3,3), opacity, albedo,
    facing; still, harmonics (9,3), body, head (3,); and optionally shape (V,3), the offsets of a shape key "Open".
    """
    register_properties()
    vertices = arrays["vertices"] @ TO_BLENDER.T
    mesh = _add_mesh(name, vertices, arrays["faces"])
    if "shape" in arrays:
        mesh.shape_key_add(name="Basis")
        key = mesh.shape_key_add(name="Open")
        key.value = 0.0  # Blender 5 adds it at 1
        key.data.foreach_set("co", (vertices + arrays["shape"] @ TO_BLENDER.T).astype(np.float32).ravel())
    splats = _add_splats(name, vertices, arrays)
    mesh.likeness.vertex_count = len(vertices)
    names = {"light": "harmonics", "light_still": "still", "light_body": "body", "light_head": "head"}
    for setting, name in names.items():
        setattr(mesh.likeness, setting, arrays[name].ravel().tolist())
    mesh.likeness.splats = splats
    mesh.display_type = "BOUNDS"
    mesh.hide_render = True
    return mesh


def view_of(T_camera_head: np.ndarray) -> Matrix:
    """Return Blender's view matrix of an OpenCV camera on head space."""
    pose = np.asarray(T_camera_head, np.float64).copy()
    pose[:3, :3] = pose[:3, :3] @ TO_BLENDER.T
    return Matrix((np.diag([1.0, -1.0, -1.0, 1.0]) @ pose).tolist())


def window_of(K: np.ndarray, width: int, height: int, near: float = 0.01, far: float = 100.0) -> Matrix:
    """Return the window matrix of a pinhole camera, whose picture has its origin at the top left."""
    return Matrix(
        (
            (2 * K[0, 0] / width, 0, 1 - 2 * K[0, 2] / width, 0),
            (0, 2 * K[1, 1] / height, 2 * K[1, 2] / height - 1, 0),
            (0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)),
            (0, 0, -1, 0),
        )
    )


def _add_mesh(name: str, vertices: np.ndarray, faces: np.ndarray) -> bpy.types.Object:
    data = bpy.data.meshes.new(name)
    data.from_pydata(vertices.tolist(), [], faces.tolist())
    item = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(item)
    return item


def _add_splats(name: str, vertices: np.ndarray, arrays: dict[str, np.ndarray]) -> bpy.types.Object:
    corners = arrays["triangle_corners"]
    item = _add_mesh(f"{name} Splats", vertices[corners].mean(axis=1), np.zeros((0, 3), int))
    values = {f"vertex_{letter}": corners[:, i] for i, letter in enumerate("abc")}
    values |= {f"local_basis_{i}": arrays["local_basis"][:, :, i] for i in range(3)}
    values |= {key: arrays[key] for key in ("local_mean", "opacity", "albedo", "facing")}
    values["part"] = np.zeros(len(corners), np.int32)
    for kinds, kind, field in ((INTS, "INT", "value"), (FLOATS, "FLOAT", "value"), (VECTORS, "FLOAT_VECTOR", "vector")):
        for key in kinds:
            attribute = item.data.attributes.new(key, kind, "POINT")
            dtype = np.int32 if kind == "INT" else np.float32
            attribute.data.foreach_set(field, np.ascontiguousarray(values[key], dtype).ravel())
    item.hide_viewport = item.hide_render = item.hide_select = True
    return item
