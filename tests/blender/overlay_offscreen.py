"""Draw an avatar without a screen: overlay_offscreen.py ARRAYS.npz VIEWS.npz PICTURES.npz (bpy 5.2, gpu.init()).

VIEWS.npz holds `NAME_view`, `NAME_window`, `NAME_world`, `NAME_size` and `NAME_detail`; every NAME becomes a picture.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
import gpu
import numpy as np
import overlay_scene
from mathutils import Matrix


def main(arrays: Path, views: Path, pictures: Path) -> None:
    """Draw every view."""
    gpu.init()
    from addon.overlay.draw import draw_offscreen

    bpy.ops.wm.read_factory_settings(use_empty=True)
    mesh = overlay_scene.add_avatar(dict(np.load(arrays)))
    mesh.parent = bpy.data.objects.new("Carrier", None)
    bpy.context.scene.collection.objects.link(mesh.parent)
    given, drawn = dict(np.load(views)), {}
    for name in sorted(key.removesuffix("_view") for key in given if key.endswith("_view")):
        mesh.matrix_parent_inverse = Matrix(given[f"{name}_world"].tolist())  # alone keeps a shear
        mesh.likeness.detail = str(given[f"{name}_detail"])
        view, window = (Matrix(given[f"{name}_{kind}"].tolist()) for kind in ("view", "window"))
        drawn[name] = draw_offscreen(mesh, view, window, *given[f"{name}_size"].tolist())
    np.savez(pictures, **drawn)
    print("likeness: the script came to its end", flush=True)


try:
    main(*(Path(name) for name in sys.argv[1:4]))
except Exception:
    traceback.print_exc()
sys.stdout.flush()
os._exit(0)
