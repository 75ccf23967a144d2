"""Reading pictures: every mode, orientation and profile, and every kind of damage."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from likeness.contract.errors import InputError
from likeness.portrait import read
from likeness.portrait.read import read_photograph
from likeness.portrait.types import PictureFile


def gradient(width: int = 48, height: int = 32) -> Image.Image:
    """Red grows to the right, green downwards, blue is constant: any flip or swap shows."""
    x, y = np.meshgrid(np.linspace(20, 230, width), np.linspace(20, 230, height))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 90)], -1).round().astype(np.uint8))


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"), np.float64)


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def error_code(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_photograph(path)
    error = caught.value
    assert error.message.endswith(".") and error.remedy.endswith(".")
    assert "\n" not in str(error)
    return error.code


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".webp", ".gif", ".jpg", ".tga", ".ppm"])
def test_rgb_survives_in_every_format(tmp_path: Path, suffix: str) -> None:
    options = {".webp": {"lossless": True}, ".jpg": {"quality": 98, "subsampling": 0}}.get(suffix, {})
    photograph = read_photograph(save(gradient(), tmp_path / f"a{suffix}", **options))
    assert photograph.rgb.dtype == np.uint8
    assert photograph.alpha is None
    tolerance = {".gif": 30, ".jpg": 8}.get(suffix, 0)
    assert np.abs(photograph.rgb.astype(int) - np.asarray(gradient()).astype(int)).max() <= tolerance


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_modes_become_three_equal_channels(tmp_path: Path, mode: str) -> None:
    image = gradient().convert(mode)
    rgb = read_photograph(save(image, tmp_path / "a.png")).rgb
    assert (rgb == np.asarray(image.convert("L"))[..., None]).all()


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_alpha_is_kept_as_fractions(tmp_path: Path, mode: str) -> None:
    alpha = Image.fromarray(np.tile(np.linspace(0, 255, 48).astype(np.uint8), (32, 1)))
    image = gradient().convert("L" if mode == "LA" else "RGB")
    image.putalpha(alpha)
    if mode == "PA":
        image = image.quantize(64)
    photograph = read_photograph(save(image, tmp_path / "a.png"))
    assert photograph.alpha is not None
    assert np.abs(photograph.alpha - np.asarray(alpha) / 255).max() < (0.2 if mode == "PA" else 1e-6)


def test_opaque_alpha_is_none(tmp_path: Path) -> None:
    assert read_photograph(save(gradient().convert("RGBA"), tmp_path / "a.png")).alpha is None


def test_palette_transparency_becomes_alpha(tmp_path: Path) -> None:
    image = gradient().quantize(16)
    image.info["transparency"] = image.getpixel((0, 0))
    alpha = read_photograph(save(image, tmp_path / "a.png", transparency=image.getpixel((0, 0)))).alpha
    assert alpha is not None
    np.testing.assert_array_equal(alpha == 0, np.asarray(image) == image.getpixel((0, 0)))


def test_transparent_colour_of_rgb_becomes_alpha(tmp_path: Path) -> None:
    image = gradient()
    image.paste((1, 2, 3), (0, 0, 10, 10))
    alpha = read_photograph(save(image, tmp_path / "a.png", transparency=(1, 2, 3))).alpha
    assert alpha is not None
    assert (alpha[:10, :10] == 0).all()
    assert (alpha[10:, 10:] == 1).all()


@pytest.mark.parametrize(
    ("values", "suffix"),
    [
        ((grey(gradient()) * 257).astype(np.uint16), ".png"),
        ((grey(gradient()) * 257).astype(np.uint16), ".tiff"),
        ((grey(gradient()) * 257).astype(np.int32), ".tiff"),
        (grey(gradient()).astype(np.int32), ".tiff"),
        ((grey(gradient()) / 255).astype(np.float32), ".tiff"),
        (grey(gradient()).astype(np.float32), ".tiff"),
    ],
    ids=["16-bit png", "16-bit tiff", "32-bit of 16", "32-bit of 8", "float 0..1", "float 0..255"],
)
def test_deep_grey_is_scaled_not_clipped(tmp_path: Path, values: np.ndarray, suffix: str) -> None:
    rgb = read_photograph(save(Image.fromarray(values), tmp_path / f"a{suffix}")).rgb
    assert np.abs(rgb[..., 0] - grey(gradient())).max() <= 1


def test_float_with_holes_is_read(tmp_path: Path) -> None:
    values = (grey(gradient()) / 255).astype(np.float32)
    values[0, :3] = (np.nan, np.inf, -np.inf)
    rgb = read_photograph(save(Image.fromarray(values), tmp_path / "a.tiff")).rgb
    assert (rgb[0, :3] == 0).all()
    assert np.abs(rgb[1:, :, 0] - grey(gradient())[1:]).max() <= 1


def test_cmyk_and_ycbcr_keep_their_colours(tmp_path: Path) -> None:
    cmyk = read_photograph(save(gradient().convert("CMYK"), tmp_path / "a.tiff")).rgb
    ycbcr = read_photograph(save(gradient().convert("YCbCr"), tmp_path / "b.tiff")).rgb
    for rgb in (cmyk, ycbcr):
        assert np.abs(rgb.astype(int) - np.asarray(gradient()).astype(int)).max() <= 6


def test_lab_becomes_srgb(tmp_path: Path) -> None:
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(gradient(), transform)
    rgb = read_photograph(save(lab, tmp_path / "a.tiff")).rgb
    assert np.abs(rgb.astype(int) - np.asarray(gradient()).astype(int)).mean() < 4


def _swapped_profile() -> bytes:
    """sRGB with the names of its red and blue primaries exchanged."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")


def test_embedded_profile_is_applied(tmp_path: Path) -> None:
    path = save(Image.new("RGB", (8, 8), (200, 30, 30)), tmp_path / "a.png", icc_profile=_swapped_profile())
    red, _, blue = read_photograph(path).rgb[0, 0].astype(int)
    assert blue > 150 > red


@pytest.mark.parametrize("profile", [b"nonsense" * 40, _swapped_profile()[:200]])
def test_damaged_profile_is_ignored(tmp_path: Path, profile: bytes) -> None:
    path = save(gradient(), tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(read_photograph(path).rgb, np.asarray(gradient()))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_orientation_makes_the_picture_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = gradient().transpose(undo[orientation]) if orientation in undo else gradient()
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb = read_photograph(save(stored, tmp_path / f"a{suffix}", exif=exif)).rgb
    assert rgb.shape == (32, 48, 3)
    assert np.abs(rgb.astype(int) - np.asarray(gradient()).astype(int)).mean() < 5


def test_orientation_survives_a_change_of_mode(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb = read_photograph(save(gradient().quantize(16), tmp_path / "a.png", exif=exif)).rgb
    assert rgb.shape == (48, 32, 3)


def test_large_picture_is_reduced(tmp_path: Path) -> None:
    for name, size in (("wide.jpg", (9000, 300)), ("tall.png", (300, 5000))):
        rgb = read_photograph(save(gradient(*size), tmp_path / name)).rgb
        assert max(rgb.shape) == read.MAX_SIDE
        scale = read.MAX_SIDE / max(size)
        assert abs(min(rgb.shape[:2]) - min(size) * scale) <= 1
        assert rgb[0, 0, 0] < 40 and rgb[-1, -1, 0] > 210


def test_hash_is_of_the_files_bytes(tmp_path: Path) -> None:
    path = save(gradient(), tmp_path / "a.png")
    assert read_photograph(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def _png_claiming(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, body))
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("size", [(10_001, 10_000), (13_000, 13_000), (60_000, 60_000)])
def test_too_large_is_refused_from_the_header(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(_png_claiming(*size))
    assert error_code(path) == "picture.too_large"


def test_missing_folder_and_empty(tmp_path: Path) -> None:
    assert error_code(tmp_path / "nothing.png") == "picture.missing"
    assert error_code(tmp_path / ("x" * 5000)) == "picture.missing"
    assert error_code(tmp_path) == "picture.not_a_file"
    (tmp_path / "empty.jpg").touch()
    assert error_code(tmp_path / "empty.jpg") == "picture.empty"


@pytest.mark.parametrize(
    "content", [b"hello, I am text\n" * 20, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\0"]
)
def test_other_files_are_not_pictures(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert error_code(path) == "picture.unreadable"


@pytest.mark.parametrize("suffix", ["png", "jpeg", "webp", "tiff", "gif", "bmp"])
def test_truncated_file(tmp_path: Path, suffix: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8))
    whole = io.BytesIO()
    noise.save(whole, suffix)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    assert error_code(path) in ("picture.truncated", "picture.unreadable")
    if suffix in ("png", "jpeg"):
        assert error_code(path) == "picture.truncated"


def _sample(suffix: str) -> bytes:
    whole = io.BytesIO()
    image = gradient()
    image.save(whole, suffix, **({"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"} if suffix == "jpeg" else {}))
    return whole.getvalue()


SAMPLES = {name: _sample(name) for name in ("png", "jpeg", "gif", "tiff", "webp", "bmp", "tga", "jpeg2000", "ico")}


@settings(max_examples=300, deadline=None)
@given(
    suffix=st.sampled_from(sorted(SAMPLES)),
    cut=st.floats(0.02, 1.0),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
)
def test_garbled_files_only_ever_raise_input_errors(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, cut: float, flips: list[tuple[float, int]]
) -> None:
    content = bytearray(SAMPLES[suffix])
    for position, value in flips:
        content[int(position * len(content))] = value
    path = tmp_path_factory.getbasetemp() / "garbled"
    path.write_bytes(bytes(content[: max(1, int(cut * len(content)))]))
    try:
        photograph = read_photograph(path)
    except InputError as error:
        assert error.code.startswith("picture.")
    else:
        assert photograph.rgb.ndim == 3


def test_bytes_are_read_as_the_file_would_be_and_errors_say_its_name(tmp_path: Path) -> None:
    path = save(gradient(), tmp_path / "a.png")
    from_disk, from_bytes = read_photograph(path), read_photograph(PictureFile("a.png", path.read_bytes()))
    np.testing.assert_array_equal(from_disk.rgb, from_bytes.rgb)
    assert from_disk.sha256 == from_bytes.sha256
    damaged = {"picture.empty": b"", "picture.unreadable": b"a letter", "picture": path.read_bytes()[:60]}
    for code, data in damaged.items():
        with pytest.raises(InputError, match=rf"{code}.*me\.png") as caught:
            read_photograph(PictureFile("me.png", data))
        assert caught.value.message.endswith(".")
