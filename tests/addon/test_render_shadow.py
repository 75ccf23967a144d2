"""An avatar's shadow: its mesh is rendered for lights, and cameras do not see it."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np
import pytest
from addon.render import engine
from render_parts import premultiplied, scene, still, whole_addon
from scene_parts import add

from likeness.contract.messages import FrameRendered


@pytest.fixture(autouse=True)
def with_addon() -> Iterator[None]:
    with whole_addon():
        yield


@pytest.mark.parametrize("show", ["SPLATS", "BOTH"])
def test_the_mesh_casts_a_shadow_and_is_not_seen(show, tmp_path, monkeypatch):
    def nothing(request: object, _known: object) -> FrameRendered:
        return FrameRendered(0, 0, 0, np.zeros((0, 0, 4), np.float32), np.zeros((0, 0), np.float32))

    monkeypatch.setattr(engine, "draw", nothing)
    monkeypatch.setattr(engine, "wait_until_ready", lambda: None)
    made = scene(tmp_path)
    made.cycles.samples = 4
    mesh = add()
    mesh.likeness.show = show
    bpy.ops.mesh.primitive_plane_add(size=4, location=(0, 0.5, 0), rotation=(np.pi / 2, 0, 0))
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3, (np.pi / 2, 0, -0.3)
    made.collection.objects.link(sun)
    plain = premultiplied(still(tmp_path / "plain.png"))[..., :3].mean(-1)
    mesh.likeness.shadow = True
    seen = mesh.visible_camera
    shaded = premultiplied(still(tmp_path / "shaded.png"))[..., :3].mean(-1)
    assert mesh.visible_camera == seen
    darker = shaded < plain - 0.2
    assert 0.005 < darker.mean() < 0.3
    assert np.abs(shaded - plain)[~darker].mean() < 0.02
    columns = np.nonzero(darker)[1]
    assert columns.mean() > darker.shape[1] / 2 + 5 or columns.mean() < darker.shape[1] / 2 - 5  # beside the head
