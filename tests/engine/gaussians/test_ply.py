"""The .ply files: read by trimesh as a stranger would, read back by us, and never trusted."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likeness.contract.errors import InputError
from likeness.gaussians.container import from_covars
from likeness.gaussians.ply import SH_C0, read_ply, write_ply

FIELDS = [
    *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
    *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
]


def _gaussians(count=7, seed=0):
    rng = np.random.default_rng(seed)
    basis = rng.normal(0, 0.01, (count, 3, 3))
    return from_covars(
        rng.normal(size=(count, 3)), basis @ basis.transpose(0, 2, 1), rng.random(count), rng.random((count, 3))
    )


@pytest.mark.parametrize("count", [0, 1, 50])
def test_roundtrip(tmp_path, count):
    gaussians = _gaussians(count)
    write_ply(tmp_path / "a.ply", gaussians)
    back = read_ply(tmp_path / "a.ply")
    for name in ("means", "quats", "scales", "opacities", "colors"):
        ours, theirs = getattr(gaussians, name), getattr(back, name)
        assert theirs.dtype == np.float32 and theirs.shape == ours.shape
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=2e-6)


def test_trimesh_reads_the_published_layout(tmp_path):
    gaussians = _gaussians()
    write_ply(tmp_path / "a.ply", gaussians)
    data = trimesh.load(tmp_path / "a.ply", process=False).metadata["_ply_raw"]["vertex"]["data"]
    assert list(data.dtype.names) == FIELDS
    np.testing.assert_array_equal(data["y"].ravel(), gaussians.means[:, 1])
    np.testing.assert_allclose(np.exp(data["scale_2"]).ravel(), gaussians.scales[:, 2], rtol=1e-5)
    np.testing.assert_allclose(1 / (1 + np.exp(-data["opacity"])).ravel(), gaussians.opacities, rtol=1e-5)
    np.testing.assert_allclose(0.5 + SH_C0 * data["f_dc_1"].ravel(), gaussians.colors[:, 1], rtol=1e-5)
    np.testing.assert_array_equal(data["rot_0"].ravel(), gaussians.quats[:, 0])


def test_extremes_stay_finite(tmp_path):
    flat = from_covars(np.zeros((2, 3)), np.zeros((2, 3, 3)), np.array([0.0, 1.0]), np.array([[0, 0, 0], [1.0, 1, 1]]))
    write_ply(tmp_path / "a.ply", flat)
    back = read_ply(tmp_path / "a.ply")
    np.testing.assert_allclose(back.opacities, [0, 1], atol=2e-6)
    assert back.scales.max() < 1e-8


def test_foreign_files_with_more_properties_are_read(tmp_path):
    """Higher harmonics, doubles, a colour in bytes, faces behind: as other tools write them."""
    types = {name: "<f4" for name in FIELDS if not name.startswith("n")} | {"f_rest_0": "<f4", "x": "<f8", "red": "u1"}
    table = np.zeros(3, list(types.items()))
    table["rot_0"], table["x"], table["opacity"] = 2, [1, 2, 3], 0
    names = {"<f4": "float", "<f8": "double", "u1": "uchar"}
    properties = "".join(f"property {names[kind]} {name}\r\n" for name, kind in types.items())
    header = "ply\r\nformat binary_little_endian 1.0\r\ncomment hello\r\nelement vertex 3\r\n"
    tail = "element face 1\r\nproperty list uchar int vertex_indices\r\nend_header\r\n"
    path = tmp_path / "b.ply"
    path.write_bytes((header + properties + tail).encode() + table.tobytes() + b"\x03" + b"\0" * 12)
    back = read_ply(path)
    np.testing.assert_array_equal(back.means[:, 0], [1, 2, 3])
    np.testing.assert_array_equal(back.quats, [[1, 0, 0, 0]] * 3)
    np.testing.assert_array_equal(back.opacities, [0.5] * 3)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"vertex 7", b"vertex 70", "ply.damaged"),
        (b"vertex 7", b"vertex 999999999999999999", "ply.damaged"),
        (b"vertex 7", b"vertex -7", "ply.damaged"),
        (b"vertex 7", b"vertex 7e9", "ply.damaged"),
        (b"element vertex", b"element face", "ply.damaged"),
        (b"float opacity", b"object opacity", "ply.damaged"),
        (b"property float opacity", b"property list uchar float opacity", "ply.damaged"),
        (b"float ny", b"float nx", "ply.damaged"),
        (b"end_header", b"end_of_it", "ply.damaged"),
        (b"ply\n", b"PK\3\4", "ply.damaged"),
        (b"binary_little_endian", b"ascii", "ply.format"),
        (b"binary_little_endian", b"binary_big_endian", "ply.format"),
        (b"float f_dc_1", b"float green", "ply.not_gaussians"),
    ],
)
def test_damage_is_named(tmp_path, old, new, code):
    path = tmp_path / "a.ply"
    write_ply(path, _gaussians())
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_ply(path)
    assert caught.value.code == code


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_numbers_that_are_none_are_refused(tmp_path, value):
    path = tmp_path / "a.ply"
    write_ply(path, _gaussians(1))
    data = bytearray(path.read_bytes())
    data[-20:-16] = np.float32(value).tobytes()  # scale_2
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        read_ply(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "none.ply", tmp_path):
        with pytest.raises(InputError, match="unreadable"):
            read_ply(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fuzzed_files_are_read_or_refused(tmp_path, data):
    path = tmp_path / "a.ply"
    write_ply(path, _gaussians(2))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    path.write_bytes(content)
    try:
        gaussians = read_ply(path)
    except InputError:
        return
    assert len(gaussians.means) <= 2 * 10 and np.isfinite(gaussians.scales).all()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300), prefix=st.sampled_from([b"", b"ply\n", b"ply\nformat binary_little_endian 1.0\n"])
)
def test_noise_is_refused(tmp_path, content, prefix):
    path = tmp_path / "a.ply"
    path.write_bytes(prefix + content)
    with pytest.raises(InputError):
        read_ply(path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.ply"
    path.write_bytes(b"old")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(KeyboardInterrupt):
        write_ply(path, _gaussians())
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
