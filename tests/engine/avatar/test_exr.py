"""OpenEXR files, read back by OpenEXR, by OpenCV and by a reader written here from the format's specification."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from dataclasses import replace

import numpy as np
import OpenEXR
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import change, make_avatar
from likeness.avatar.animate import draw_avatar, neutral, pose_avatar, prepare_avatar, render_avatar
from likeness.avatar.exr import encode_exr
from likeness.avatar.pictures import over, plain_background, to_linear
from likeness.avatar.views import framed, orbit_camera, portrait_camera
from likeness.geometry.cameras import look_at_face
from likeness.rendering.api import Rendering, render

CAMERA = look_at_face(1.0, 500.0, 40, 30)
EMPTY = np.float32(1e10)
LINES = 16
"""What a chunk of a ZIP file holds."""


def some_rendering(height, width, seed=0):
    """A premultiplied picture with clear, opaque and faint pixels."""
    rng = np.random.default_rng(seed)
    alpha = rng.choice([0, 1, 1 / 255, 0.5, rng.random()], (height, width)).astype(np.float32)
    rgb = (rng.random((height, width, 3)) ** 2 * alpha[..., None]).astype(np.float32)
    depth = np.where(alpha > 0, rng.uniform(0.3, 3, (height, width)), 0).astype(np.float32)
    return Rendering(rgb, alpha, depth)


def by_openexr(data, tmp_path):
    (tmp_path / "read.exr").write_bytes(data)
    with OpenEXR.File(str(tmp_path / "read.exr")) as file:
        return dict(file.header()), {name: channel.pixels for name, channel in file.channels().items()}


def by_opencv(data, tmp_path):
    """RGBA as OpenCV's own build of OpenEXR reads it; it must be allowed before OpenCV starts."""
    (tmp_path / "read.exr").write_bytes(data)
    script = (
        "import sys, cv2, numpy; picture = cv2.imread(sys.argv[1], cv2.IMREAD_UNCHANGED); "
        "numpy.save(sys.argv[2], picture[..., [2, 1, 0, 3]])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "read.exr"), str(tmp_path / "read.npy")]
    subprocess.run(command, env=os.environ | {"OPENCV_IO_ENABLE_OPENEXR": "1"}, check=True, timeout=60)
    return np.load(tmp_path / "read.npy")


def by_hand(data):
    """Read attributes (as bytes) and channels of a ZIP scanline file as "OpenEXR File Layout" defines it."""
    assert data[:8] == bytes([0x76, 0x2F, 0x31, 0x01, 2, 0, 0, 0]), "no plain single-part scanline file"
    attributes, at = {}, 8
    while data[at]:
        name, kind, rest = data[at:].split(b"\0", 2)
        start = at + len(name) + len(kind) + 6
        size = struct.unpack("<i", rest[:4])[0]
        attributes[name.decode()] = data[start : start + size]
        at = start + size
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    size = (bottom - top + 1, right - left + 1)
    assert attributes["compression"] == b"\3" and (left, top) == (0, 0)
    types = channel_types(attributes["channels"])
    count = -(-size[0] // LINES)
    offsets = struct.unpack(f"<{count}Q", data[at + 1 : at + 1 + 8 * count])
    rows = b"".join(chunk(data, offset, size, types, LINES * index) for index, offset in enumerate(offsets))
    record = np.dtype([(name, kind, (size[1],)) for name, kind in types])
    table = np.frombuffer(rows, record)
    return attributes, {name: table[name] for name, _ in types}


def channel_types(data):
    types = []
    while data[0]:
        name, rest = data.split(b"\0", 1)
        types.append((name.decode(), {1: "<f2", 2: "<f4"}[struct.unpack("<i", rest[:4])[0]]))
        data = rest[16:]
    return types


def chunk(data, offset, size, types, line):
    """Return the bytes of one chunk's lines: inflated, differences summed, the two halves interleaved."""
    first, length = struct.unpack("<2i", data[offset : offset + 8])
    assert first == line
    raw = size[1] * min(LINES, size[0] - line) * sum(np.dtype(kind).itemsize for _, kind in types)
    packed = data[offset + 8 : offset + 8 + length]
    if length == raw:
        return packed
    deltas = np.frombuffer(zlib.decompress(packed), np.uint8).astype(np.int64)
    deltas[1:] -= 128
    halves = np.cumsum(deltas).astype(np.uint8)
    whole, middle = np.empty(raw, np.uint8), -(-raw // 2)
    whole[::2], whole[1::2] = halves[:middle], halves[middle:]
    return whole.tobytes()


def decoded(value):
    """IEC 61966-2-1, in double precision."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def linear_by_definition(drawn):
    """Premultiplied linear RGBA, pixel by pixel."""
    rgba = np.concatenate([drawn.rgb, drawn.alpha[..., None]], -1).astype(np.float64)
    for pixel in rgba.reshape(-1, 4):
        alpha = pixel[3]
        pixel[:3] = [alpha * decoded(value / alpha) for value in pixel[:3]] if alpha else 0
    return rgba


@given(st.floats(0, 1, width=32), st.floats(1 / 256, 1, width=32))
def test_straight_colours_are_decoded_by_the_standard(value, alpha):
    rgba = np.array([[[value * alpha] * 3 + [alpha]]], np.float32)
    expected = [alpha * decoded(value)] * 3 + [alpha]
    np.testing.assert_allclose(to_linear(rgba)[0, 0], expected, rtol=2e-6, atol=1e-9)


def test_known_values_of_the_standard():
    grey = np.ones((1, 4, 4), np.float32)
    grey[0, :, :3] = np.array([0, 0.04045, 0.5, 1])[:, None]
    np.testing.assert_allclose(to_linear(grey)[0, :, 0], [0, 0.00313080, 0.21404114, 1], atol=1e-7)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 7), (16, 5), (17, 1), (35, 48)])
def test_three_readers_agree_on_colours_alpha_and_depth(height, width, tmp_path):
    drawn = some_rendering(height, width)
    data = encode_exr(drawn, CAMERA)
    expected = linear_by_definition(drawn)
    depth = np.where(drawn.alpha > 0, drawn.depth, EMPTY)
    _, own = by_openexr(data, tmp_path)
    assert own["RGBA"].dtype == np.float16 and own["Z"].dtype == np.float32
    np.testing.assert_allclose(own["RGBA"], expected, rtol=2**-11, atol=2**-25)
    np.testing.assert_array_equal(own["Z"], depth)
    _, channels = by_hand(data)
    assert list(channels) == ["A", "B", "G", "R", "Z"]
    np.testing.assert_array_equal(np.stack([channels[name] for name in "RGBA"], -1), own["RGBA"])
    np.testing.assert_array_equal(channels["Z"], depth)
    np.testing.assert_array_equal(by_opencv(data, tmp_path), own["RGBA"].astype(np.float32))


def test_srgb_keeps_the_values_as_drawn(tmp_path):
    drawn = some_rendering(9, 11)
    header, channels = by_openexr(encode_exr(drawn, CAMERA, "srgb"), tmp_path)
    np.testing.assert_array_equal(channels["RGBA"][..., :3], drawn.rgb.astype(np.float16))
    np.testing.assert_array_equal(channels["RGBA"][..., 3], drawn.alpha.astype(np.float16))
    assert header["colorInteropID"] == "srgb_rec709_scene"


def test_the_header_tells_camera_colours_and_software(tmp_path):
    camera = orbit_camera(make_avatar(), 25, -10, 40, 30)
    data = encode_exr(some_rendering(30, 40), camera)
    attributes, _ = by_hand(data)
    K = np.frombuffer(attributes["likeness.K"], "<f4").reshape(3, 3)
    pose = np.frombuffer(attributes["likeness.T_camera_head"], "<f4").reshape(4, 4)
    np.testing.assert_array_equal(K, camera.K.astype(np.float32))
    np.testing.assert_array_equal(pose, camera.T_camera_head.astype(np.float32))
    chromaticities = np.frombuffer(attributes["chromaticities"], "<f4")
    np.testing.assert_allclose(chromaticities, [0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329], atol=1e-7)
    assert attributes["software"].startswith(b"Likeness ")
    header, _ = by_openexr(data, tmp_path)
    assert header["colorInteropID"] == "lin_rec709_scene"
    assert not OpenEXR.checkColorMetadata(header)


@pytest.fixture(scope="module")
def driven():
    return prepare_avatar(make_avatar(gaussians=400))


def test_depth_is_the_renders(driven, tmp_path):
    camera, rest = orbit_camera(driven.avatar, 30, 10, 57, 43), neutral(driven.avatar)
    drawn = draw_avatar(driven, camera, rest)
    _, channels = by_openexr(encode_exr(drawn, camera), tmp_path)
    posed = pose_avatar(driven, rest)
    picture = render(camera, posed.means, posed.covars, driven.avatar.gaussians.opacities, posed.colors)
    seen = picture.alpha > 0
    assert 0.1 < seen.mean() < 0.9
    np.testing.assert_allclose(channels["Z"][seen], picture.depth[seen], rtol=1e-4)
    assert (channels["Z"][~seen] == EMPTY).all() and (channels["RGBA"][~seen] == 0).all()
    np.testing.assert_array_equal(channels["Z"][seen], drawn.depth[seen])


def test_the_file_alone_says_where_the_surface_is(tmp_path):
    """From a pixel, Z and the header's camera back to the only Gaussian there is."""
    driven = prepare_avatar(change(make_avatar(gaussians=1), "gaussians", triangle=np.array([100], np.int32)))
    camera, rest = orbit_camera(driven.avatar, 20, 10, 256, 200), neutral(driven.avatar)
    header, channels = by_openexr(encode_exr(draw_avatar(driven, camera, rest), camera), tmp_path)
    row, column = np.unravel_index(np.argmax(channels["RGBA"][..., 3]), (200, 256))
    ray = np.linalg.inv(header["likeness.K"]) @ [column + 0.5, row + 0.5, 1]
    pose = header["likeness.T_camera_head"]
    point = pose[:3, :3].T @ (ray * channels["Z"][row, column] - pose[:3, 3])
    np.testing.assert_allclose(point, pose_avatar(driven, rest)[0][0], atol=2e-3)


def test_a_background_is_laid_under_before_light_is_linear(driven, tmp_path):
    camera, rest = orbit_camera(driven.avatar, 0, 0, 40, 30), neutral(driven.avatar)
    drawn, background = draw_avatar(driven, camera, rest), plain_background((200, 30, 90))
    _, channels = by_openexr(encode_exr(drawn, camera, background=background), tmp_path)
    picture = over(render_avatar(driven, camera, rest), background)
    expected = np.vectorize(decoded)(picture / 255)
    np.testing.assert_allclose(channels["RGBA"][..., :3], expected, atol=5e-3)
    assert (channels["RGBA"][..., 3] == 1).all()
    np.testing.assert_array_equal(channels["Z"] == EMPTY, drawn.alpha == 0)


def test_a_frame_that_sees_nothing_is_empty(driven, tmp_path):
    camera = framed(portrait_camera(driven.avatar), (5000, 5000, 48, 64), 20, 10)
    drawn = draw_avatar(driven, camera, neutral(driven.avatar))
    _, channels = by_openexr(encode_exr(drawn, camera), tmp_path)
    assert (channels["RGBA"] == 0).all() and (channels["Z"] == EMPTY).all()


def test_a_picture_of_one_pixel(driven, tmp_path):
    camera = orbit_camera(driven.avatar, 0, 0, 1, 1)
    drawn = draw_avatar(driven, camera, neutral(driven.avatar))
    _, channels = by_openexr(encode_exr(drawn, camera), tmp_path)
    np.testing.assert_allclose(channels["RGBA"], linear_by_definition(drawn), rtol=2**-11, atol=1e-7)
    np.testing.assert_array_equal(channels["Z"], drawn.depth)


def test_the_same_picture_gives_the_same_bytes():
    assert encode_exr(some_rendering(33, 20), CAMERA) == encode_exr(some_rendering(33, 20), CAMERA)


def test_arrays_may_lie_in_memory_as_they_like():
    drawn, camera = some_rendering(9, 11), orbit_camera(make_avatar(), 25, -10, 11, 9)
    other_drawn = Rendering(*(np.asfortranarray(array) for array in (drawn.rgb, drawn.alpha, drawn.depth)))
    other_camera = replace(camera, K=np.asfortranarray(camera.K), T_camera_head=np.asfortranarray(camera.T_camera_head))
    assert encode_exr(other_drawn, other_camera, "srgb") == encode_exr(drawn, camera, "srgb")
