"""Several avatars in one picture, posed from outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import make_avatar
from likeness.avatar.animate import neutral, pose_avatar, prepare_avatar
from likeness.avatar.frames import Body, render_bodies, render_bodies_part
from likeness.contract.lighting import lit_colors
from likeness.geometry.cameras import look_at_face
from likeness.rendering.api import render

CAMERA = look_at_face(1.0, 400.0, 96, 80)


def _body(matrix: np.ndarray | None = None, **options: int) -> Body:
    avatar = make_avatar(**options)
    matrix = np.eye(4) if matrix is None else matrix
    return Body(avatar.gaussians, lit_colors(avatar), avatar.rig.faces, avatar.rig.v_neutral, matrix)


def _gaussians(body: Body) -> tuple[np.ndarray, ...]:
    avatar = replace(make_avatar(gaussians=len(body.gaussians.triangle)), gaussians=body.gaussians)
    posed = pose_avatar(prepare_avatar(avatar), neutral(avatar))
    return posed.means, posed.covars, body.gaussians.opacities, posed.colors


def test_a_body_alone_is_the_avatar():
    body = _body(gaussians=300)
    ours, direct = render_bodies([body], CAMERA), render(CAMERA, *_gaussians(body))
    np.testing.assert_allclose(ours.rgb, direct.rgb, atol=1e-5)
    np.testing.assert_allclose(ours.depth, direct.depth, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_any_affine_place_moves_means_and_covariances(seed):
    rng = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3] += rng.normal(0, 0.1, (3, 4))
    body = _body(matrix, gaussians=200)
    means, covars, opacities, colors = _gaussians(body)
    linear = matrix[:3, :3]
    direct = render(CAMERA, means @ linear.T + matrix[:3, 3], linear @ covars @ linear.T, opacities, colors)
    np.testing.assert_allclose(render_bodies([body], CAMERA).rgb, direct.rgb, atol=2e-3)


def test_bodies_hide_each_other_gaussian_by_gaussian():
    """Two halves of one avatar, put together again, are the avatar, whichever comes first."""
    whole = _body(gaussians=400)
    pick = np.arange(400) % 2 == 0
    halves = [_some(whole, chosen) for chosen in (pick, ~pick)]
    expected = render_bodies([whole], CAMERA).rgb
    assert np.abs(render_bodies(halves[:1], CAMERA).rgb - expected).max() > 0.05
    for order in (halves, halves[::-1]):
        np.testing.assert_allclose(render_bodies(order, CAMERA).rgb, expected, atol=1e-5)


def test_an_empty_scene_is_transparent():
    picture = render_bodies([], CAMERA)
    assert picture.alpha.shape == (80, 96) and not picture.alpha.any() and not picture.rgb.any()


@pytest.mark.parametrize("place", [(0, 0), (-0.12, 0.05), (0.4, 0), (30, 0)])
def test_the_part_that_is_drawn_is_all_that_is_seen(place):
    matrix = np.eye(4)
    matrix[:3, :3] *= 0.1
    matrix[:2, 3] = place
    bodies = [_body(matrix, gaussians=300)]
    whole, (part, left, top) = render_bodies(bodies, CAMERA), render_bodies_part(bodies, CAMERA)
    height, width = part.alpha.shape
    assert height * width < whole.alpha.size
    for name in ("rgb", "alpha", "depth"):
        pasted = np.zeros_like(getattr(whole, name))
        pasted[top : top + height, left : left + width] = getattr(part, name)
        assert np.array_equal(pasted, getattr(whole, name))


def _some(body, chosen):
    fields = body.gaussians.__dataclass_fields__
    gaussians = type(body.gaussians)(**{name: getattr(body.gaussians, name)[chosen] for name in fields})
    lit = replace(body.colors, albedo=body.colors.albedo[chosen], facing=body.colors.facing[chosen])
    return replace(body, gaussians=gaussians, colors=lit)
