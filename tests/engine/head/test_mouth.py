"""What shows of the mouth's inside: nothing at rest, teeth and a hollow when it opens; on the mean head and others."""

from __future__ import annotations

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.cameras import look_at_face
from likeness.head.assets import REGION_NAMES
from likeness.head.model import forward, prepare_identity
from likeness.rendering.mesh import rasterize_mesh

INSIDE = ("mouth_inside", "teeth_upper", "teeth_lower", "tongue")


def pixels(assets, vertices, yaw=0.0):
    """Count the pixels of every region in a view of the face."""
    camera = look_at_face(1.0, 1800.0, 512, 512).orbited(yaw, 0.0, np.zeros(3))
    raster = rasterize_mesh(camera, vertices, assets.faces)
    counts = np.bincount(assets.face_region[raster.triangle[raster.covered]], minlength=len(REGION_NAMES))
    return dict(zip(REGION_NAMES, counts.tolist(), strict=True))


def with_controls(prepared, **controls):
    vector = np.zeros(len(ARKIT_NAMES))
    for name, value in controls.items():
        vector[ARKIT_NAMES.index(name)] = value
    return forward(prepared, vector, np.zeros((5, 3)))


def test_lips_are_shut_at_rest(open_head, identities):
    for betas in identities:
        prepared = prepare_identity(open_head, betas)
        for yaw in (0.0, 0.5):
            seen = pixels(open_head, prepared.v_neutral, yaw)
            assert seen["lips"] > 500
            assert sum(seen[name] for name in INSIDE) < 0.03 * seen["lips"]


def test_an_open_jaw_shows_teeth_tongue_and_a_hollow(open_head, identities):
    for betas in identities:
        seen = pixels(open_head, with_controls(prepare_identity(open_head, betas), jawOpen=1.0))
        assert seen["teeth_lower"] > 30
        assert seen["tongue"] > 100
        assert seen["mouth_inside"] > 50


def test_raised_lips_show_the_upper_teeth(open_head):
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    seen = pixels(open_head, with_controls(prepared, mouthUpperUpLeft=1.0, mouthUpperUpRight=1.0))
    assert seen["teeth_upper"] > 60


def test_mouth_close_undoes_what_jaw_open_did_to_the_lips(open_head):
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    opened = pixels(open_head, with_controls(prepared, jawOpen=1.0))
    closed = pixels(open_head, with_controls(prepared, jawOpen=1.0, mouthClose=1.0))
    assert sum(closed[name] for name in INSIDE) < 0.05 * sum(opened[name] for name in INSIDE)


def test_teeth_stay_inside_the_skin(open_head, identities):
    """From outside, an open jaw shows teeth only within the lips' outline."""
    for betas in identities:
        vertices = with_controls(prepare_identity(open_head, betas), jawOpen=1.0)
        teeth = [REGION_NAMES.index("teeth_upper"), REGION_NAMES.index("teeth_lower")]
        lips = np.unique(open_head.faces[open_head.face_region == REGION_NAMES.index("lips")])
        camera = look_at_face(1.0, 1800.0, 512, 512)
        raster = rasterize_mesh(camera, vertices, open_head.faces)
        rows, columns = np.nonzero(raster.covered & np.isin(open_head.face_region[raster.triangle], teeth))
        outline, _ = camera.project(vertices[lips].astype(float))
        assert columns.min() > outline[:, 0].min() - 2 and columns.max() < outline[:, 0].max() + 2
        assert rows.max() < outline[:, 1].max() + 2
