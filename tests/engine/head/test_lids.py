"""Lids that close on the eyeball, keep out of it on their way, and carry the lashes; on the mean head and others."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.cameras import look_at_face
from likeness.head.assets import REGION_NAMES
from likeness.head.lids import CLEARANCE, COLUMNS, INNER_EDGE, LOWER, MARGIN, PARTNER, UPPER
from likeness.head.model import forward, prepare_identity
from likeness.rendering.mesh import rasterize_mesh

REST = np.zeros((5, 3))
SIDES = ("Left", "Right")


def with_controls(prepared, **controls):
    vector = np.zeros(len(ARKIT_NAMES))
    for name, value in controls.items():
        vector[ARKIT_NAMES.index(name)] = value
    return forward(prepared, vector, REST)


def both(name, value):
    return {f"{name}{side}": value for side in SIDES}


def visible_eye_pixels(assets, vertices, yaw=0.0, pitch=0.0):
    lashes = [REGION_NAMES.index("lashes_left"), REGION_NAMES.index("lashes_right")]
    eyes = [REGION_NAMES.index("eye_left"), REGION_NAMES.index("eye_right")]
    keep = ~np.isin(assets.face_region, lashes)
    camera = look_at_face(1.0, 2800.0, 384, 384).orbited(yaw, pitch, np.zeros(3))
    raster = rasterize_mesh(camera, vertices, assets.faces[keep])
    return int(np.isin(assets.face_region[keep][raster.triangle[raster.covered]], eyes).sum())


def ball(assets, prepared, eye):
    name = ("eye_left", "eye_right")[eye]
    members = np.unique(assets.faces[assets.face_region == REGION_NAMES.index(name)])
    center = prepared.joints[3 + eye]
    return center, float(np.linalg.norm(prepared.v_neutral[members] - center, axis=1).mean())


def test_the_grid_is_in_register(open_head):
    assert len(np.unique(open_head.lid_loops)) == open_head.lid_loops.size
    assert np.array_equal(open_head.mirror[open_head.lid_loops[0]], open_head.lid_loops[1])
    margin = open_head.v_template[open_head.lid_loops[0, MARGIN]]
    assert np.all(margin[UPPER, 1] > margin[PARTNER][UPPER, 1])
    assert np.all(np.diff(margin[UPPER, 0])[:-1] > 0)
    assert np.array_equal(PARTNER[PARTNER], np.arange(COLUMNS))


def test_a_blink_hides_the_eyes_from_every_side(open_head, identities):
    for betas in identities:
        prepared = prepare_identity(open_head, betas)
        rest = visible_eye_pixels(open_head, prepared.v_neutral)
        assert rest > 800
        closed = with_controls(prepared, **both("eyeBlink", 1.0))
        for yaw, pitch in ((0.0, 0.0), (0.6, 0.0), (-0.6, 0.0), (0.0, 0.35), (0.0, -0.35)):
            assert visible_eye_pixels(open_head, closed, yaw, pitch) == 0


def test_the_opening_shrinks_evenly(open_head):
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    seen = [visible_eye_pixels(open_head, with_controls(prepared, **both("eyeBlink", t))) for t in (0, 0.25, 0.5, 0.75)]
    np.testing.assert_allclose(np.array(seen) / seen[0], [1, 0.75, 0.5, 0.25], atol=0.12)


def test_closed_margins_meet_low(open_head, identities):
    """The upper margin ends at most 1.2 mm past the lower one; it goes two thirds to four fifths of the way."""
    for betas in identities:
        prepared = prepare_identity(open_head, betas)
        closed = with_controls(prepared, **both("eyeBlink", 1.0))
        for loops in open_head.lid_loops:
            margin = loops[MARGIN]
            gap = np.linalg.norm(closed[margin[UPPER]] - closed[margin[PARTNER][UPPER]], axis=1)
            assert gap.max() < 0.0012
            middle = slice(4, 10)
            fall = (prepared.v_neutral - closed)[margin[UPPER][middle], 1]
            rise = (closed - prepared.v_neutral)[margin[PARTNER][UPPER][middle], 1]
            assert np.all((fall / (fall + rise) > 0.6) & (fall / (fall + rise) < 0.85))


@pytest.mark.parametrize("name", ["eyeBlink", "eyeSquint", "eyeLookDown", "eyeLookUp", "eyeWide", "eyeLookIn"])
def test_lids_stay_out_of_the_ball_all_the_way(open_head, identities, name):
    for betas in identities:
        prepared = prepare_identity(open_head, betas)
        for eye, side in enumerate(SIDES):
            center, radius = ball(open_head, prepared, eye)
            lids = open_head.lid_loops[eye, INNER_EDGE:]
            start = np.linalg.norm(prepared.v_neutral[lids] - center, axis=2)
            floor = np.minimum(start, radius + CLEARANCE) - 2e-5
            for strength in (0.25, 0.5, 0.75, 1.0):
                moved = with_controls(prepared, **{name + side: strength})
                assert np.all(np.linalg.norm(moved[lids] - center, axis=2) >= floor), strength


def test_resting_lids_lie_on_the_mean_ball(open_head):
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    center, radius = ball(open_head, prepared, 0)
    distance = np.linalg.norm(prepared.v_neutral[open_head.lid_loops[0, INNER_EDGE:]] - center, axis=2)
    assert distance.min() > radius


@pytest.mark.parametrize("name", ["eyeBlink", "eyeSquint", "eyeLookDown", "eyeLookUp", "eyeWide"])
def test_lashes_ride_on_the_margin(open_head, identities, name):
    for betas in identities:
        prepared = prepare_identity(open_head, betas)
        margin = open_head.lid_loops[0, MARGIN]
        lashes = np.unique(open_head.faces[open_head.face_region == REGION_NAMES.index("lashes_left")])
        moved = with_controls(prepared, **{name + "Left": 1.0})
        before = np.linalg.norm(prepared.v_neutral[lashes, None] - prepared.v_neutral[margin], axis=2)
        roots = lashes[before.min(1) < 0.001]
        assert len(roots) > 15
        after = np.linalg.norm(moved[roots, None] - moved[margin], axis=2)
        assert np.abs(after.min(1) - before[before.min(1) < 0.001].min(1)).max() < 0.0008


def test_upper_lashes_turn_down_when_the_lid_closes(open_head):
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    closed = with_controls(prepared, eyeBlinkLeft=1.0)
    margin = open_head.lid_loops[0, MARGIN, UPPER][4:10]
    lashes = np.unique(open_head.faces[open_head.face_region == REGION_NAMES.index("lashes_left")])
    tips = lashes[prepared.v_neutral[lashes, 2] > prepared.v_neutral[lashes, 2].max() - 0.002]

    def slope(vertices):
        ahead = vertices[tips].mean(0) - vertices[margin].mean(0)
        return np.arctan2(ahead[1], ahead[2])

    assert slope(closed) < slope(prepared.v_neutral) - 0.25


def test_the_lids_follow_the_gaze(open_head):
    prepared = prepare_identity(open_head, np.zeros(open_head.shapedirs.shape[-1]))
    upper, lower = (open_head.lid_loops[0, MARGIN, part][5:9] for part in (UPPER, LOWER))
    down = (with_controls(prepared, eyeLookDownLeft=1.0) - prepared.v_neutral)[:, 1]
    up = (with_controls(prepared, eyeLookUpLeft=1.0) - prepared.v_neutral)[:, 1]
    assert down[upper].max() < -0.003
    assert down[lower].max() < -0.0005
    assert up[upper].min() > 0.0008
    assert up[lower].min() > 0.0005
