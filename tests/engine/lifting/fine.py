"""The painted head of `conftest.py`, photographed finely enough for eyes and lips."""

from __future__ import annotations

import numpy as np

from likeness.geometry.cameras import look_at_face
from likeness.head.assets import HeadAssets
from likeness.lifting.types import Scene

from .conftest import photograph_head, scene_of

SIZE = 512


def fine_scene(assets: HeadAssets, **controls: float) -> Scene:
    """Photograph the head 0.8 mm a pixel with the named controls set."""
    camera = look_at_face(1.0, 2.5 * SIZE, SIZE, SIZE)
    values = np.zeros(len(assets.expr_names), np.float32)
    for name, value in controls.items():
        values[assets.expr_names.index(name)] = value
    portrait, fit = photograph_head(assets, camera, values)
    return scene_of(portrait, fit, assets)
