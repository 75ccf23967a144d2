"""What a .blend file with an avatar holds when a fresh Blender opens it; run by a Python that has bpy.

    python scene_reopened.py FILE.blend OUT.npz with|without

Writes the evaluated mesh of frames 1, 5 and 10 as `frames`, the points' attributes, and the packed photograph's bytes;
with the extension also what it finds. Without it the file is saved again, as somebody else would.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bpy
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]


def main(file: str, out: str, extension: str) -> None:
    """Open, look, write."""
    if extension == "with":
        sys.path.insert(0, str(REPOSITORY))
        from addon import properties

        properties.register()
    bpy.ops.wm.open_mainfile(filepath=file, use_scripts=False)
    seen = {"frames": _frames(bpy.data.objects["Ada"]), **_points(), "photo": _photo()}
    if extension == "with":
        seen |= _found()
    else:
        assert not hasattr(bpy.types.Object, "likeness") and "addon" not in sys.modules
        bpy.ops.wm.save_mainfile()
    np.savez(out, **seen)
    sys.stdout.flush()
    os._exit(0)  # bpy can hang at exit


def _frames(mesh: bpy.types.Object) -> np.ndarray:
    return np.stack([_evaluated(mesh, frame) for frame in (1, 5, 10)])


def _evaluated(mesh: bpy.types.Object, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    data = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    return np.array([vertex.co[:] for vertex in data.vertices])


def _points() -> dict[str, np.ndarray]:
    fields = {"FLOAT_VECTOR": "vector", "FLOAT": "value", "INT": "value"}
    attributes = bpy.data.objects["Ada Splats"].data.attributes
    return {
        f"points.{each.name}": np.array([getattr(item, fields[each.data_type]) for item in each.data])
        for each in attributes
        if not each.name.startswith(".")
    }


def _photo() -> np.ndarray:
    (image,) = (image for image in bpy.data.images if image.packed_file)
    assert tuple(image.size) == (12, 16)
    return np.frombuffer(image.packed_file.data, np.uint8)


def _found() -> dict[str, object]:
    from addon.scene.find import armature_of, avatars, controls

    (mesh,) = avatars(bpy.context.scene)
    settings, portrait = mesh.likeness, mesh.likeness.portrait
    parts = mesh, armature_of(mesh), settings.splats, portrait.image, portrait.expression
    return {
        "names": [each.name for each in parts],
        "controls": [key.name for key in controls(mesh)],
        "intact": len(mesh.data.vertices) == mesh.likeness.vertex_count,
        "show": settings.show,
        "K": portrait.K[:],
        "T_camera_head": portrait.T_camera_head[:],
        "head": [settings.head_model, settings.head_model_licence, settings.head_model_hash],
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
