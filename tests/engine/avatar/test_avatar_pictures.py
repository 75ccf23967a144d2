from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from factories import change, make_avatar, png_bytes
from likeness.avatar.pictures import (
    decode_png,
    encode_png,
    over,
    picture_background,
    plain_background,
    portrait_background,
    to_straight_uint8,
)
from likeness.avatar.views import framed, portrait_camera
from likeness.contract.errors import InputError

PIXELS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([3, 4])))


@given(PIXELS)
def test_pngs_give_their_pixels_back(picture):
    data = encode_png(picture)
    np.testing.assert_array_equal(decode_png(data), picture)
    assert encode_png(picture) == data


@pytest.mark.parametrize("length", [0, 40, 60, 200])
def test_a_damaged_portrait_is_an_input_error(length):
    picture = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    with pytest.raises(InputError, match=r"avatar\.damaged"):
        decode_png(png_bytes(picture)[:length])


@given(PIXELS.filter(lambda p: p.shape[2] == 4))
def test_premultiplying_and_back_changes_nothing_that_shows(picture):
    straight = picture.astype(np.float32) / 255
    premultiplied = np.concatenate([straight[..., :3] * straight[..., 3:], straight[..., 3:]], -1)
    back = to_straight_uint8(premultiplied)
    np.testing.assert_array_equal(back[..., 3], picture[..., 3])
    shown = picture[..., 3] > 0
    np.testing.assert_allclose(back[shown].astype(int), picture[shown].astype(int), atol=1)


def test_over_keeps_what_is_opaque_and_shows_the_background_elsewhere():
    rgba = np.zeros((1, 3, 4), np.float32)
    rgba[0, 0] = [0.2, 0.4, 0.6, 1.0]
    rgba[0, 1] = [0.1, 0.2, 0.3, 0.5]
    expected = [[51, 102, 153], [26 + 127, 51, 77], [255, 0, 0]]
    np.testing.assert_allclose(over(rgba, plain_background((255, 0, 0)))[0], expected, atol=1)


def test_the_photograph_lies_exactly_behind_its_own_camera():
    avatar = make_avatar()
    photograph = decode_png(avatar.portrait_png)
    background = portrait_background(avatar.view, photograph, portrait_camera(avatar))
    np.testing.assert_allclose(background * 255, photograph, atol=1e-3)


def test_the_photograph_is_framed_as_the_render_is():
    """A white dot in the photograph must lie where the framed camera projects the point under it."""
    avatar = make_avatar()
    photograph = np.zeros((64, 48, 3), np.uint8)
    photograph[40:42, 10:12] = 255
    avatar = change(avatar, "view")
    portrait = portrait_camera(avatar)
    camera = framed(portrait, (0, 0, 48, 64), 300, 200)
    seen = portrait_background(avatar.view, photograph, camera)[..., 0]
    rows, columns = np.indices(seen.shape) + 0.5
    middle = [(seen * columns).sum() / seen.sum(), (seen * rows).sum() / seen.sum()]
    expected = camera.project(portrait.unproject(np.array([11.0, 41.0]), np.array(1.0)))[0]
    np.testing.assert_allclose(middle, expected, atol=0.1)


def test_a_picture_covers_the_frame(tmp_path):
    half = np.zeros((20, 40, 3), np.uint8)
    half[:, 20:] = 255
    Image.fromarray(half).save(tmp_path / "b.png")
    background = picture_background(tmp_path / "b.png", 30, 30)
    assert background.shape == (30, 30, 3)
    assert background[:, :13].max() == 0 and background[:, 17:].min() == 1
    with pytest.raises(InputError, match=r"picture\."):
        picture_background(tmp_path / "none.png", 30, 30)
