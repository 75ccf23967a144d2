from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import change, make_avatar, png_bytes
from likeness.contract.avatar_file import avatar_from_bytes, avatar_to_bytes, read_avatar, write_avatar
from likeness.contract.errors import InputError
from likeness.contract.lighting import unlit
from likeness.contract.safe_npz import read_npz, read_zip, write_npz, write_zip

NOWHERE = Path("face.likeness")


@pytest.fixture(scope="module")
def avatar():
    return make_avatar()


@pytest.fixture(scope="module")
def data(avatar):
    return avatar_to_bytes(avatar)


def assert_same(one, other):
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        elif hasattr(a, "__dataclass_fields__"):
            assert_same(a, b)
        else:
            assert a == b


def refused(content: bytes, code: str = "avatar.damaged") -> str:
    with pytest.raises(InputError) as caught:
        avatar_from_bytes(content, NOWHERE)
    assert caught.value.code == code and caught.value.exit_code == 3
    assert "face.likeness" in caught.value.message and "\n" not in str(caught.value)
    return caught.value.message


def with_entry(data: bytes, name: str, content: bytes) -> bytes:
    return write_zip(read_zip(data) | {name: content}, compress=False)


def with_description(data: bytes, edit) -> bytes:
    description = json.loads(read_zip(data)["avatar.json"])
    edit(description)
    return with_entry(data, "avatar.json", json.dumps(description).encode())


def with_array(data: bytes, name: str, array: np.ndarray) -> bytes:
    return with_entry(data, "arrays.npz", write_npz(read_npz(read_zip(data)["arrays.npz"]) | {name: array}))


def test_what_is_written_is_read(tmp_path, avatar):
    write_avatar(tmp_path / "a.likeness", avatar)
    assert_same(avatar, read_avatar(tmp_path / "a.likeness"))


def test_same_avatar_same_bytes(avatar, data):
    assert avatar_to_bytes(make_avatar()) == data
    assert avatar_to_bytes(avatar_from_bytes(data, NOWHERE)) == data


def test_the_entries_are_those_of_the_format(data):
    assert list(read_zip(data)) == ["avatar.json", "arrays.npz", "portrait.png", "thumbnail.png"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"avatar.missing.*no.likeness"):
        read_avatar(tmp_path / "no.likeness")
    with pytest.raises(InputError, match=r"avatar.missing"):
        read_avatar(tmp_path)


def test_a_newer_version_says_so(data):
    newer = with_description(data, lambda d: d.update(schema_version=2, rig="changed beyond recognition"))
    assert "format 2" in refused(newer, "avatar.too_new")


def test_unknown_fields_of_a_later_revision_are_ignored(data, avatar):
    later = with_array(with_description(data, lambda d: d["rig"].update(extra=1)), "rig.extra", np.ones(3))
    assert_same(avatar, avatar_from_bytes(with_entry(later, "notes.txt", b"hello"), NOWHERE))


def test_a_file_from_before_avatars_had_a_light_is_unlit(data, avatar):
    entries = read_zip(data, max_total_bytes=1 << 24)
    description = json.loads(entries["avatar.json"])
    del description["lighting"]
    arrays = read_npz(entries["arrays.npz"], max_total_bytes=1 << 24)
    older = {name: array for name, array in arrays.items() if not name.startswith("lighting.")}
    entries |= {"avatar.json": json.dumps(description).encode(), "arrays.npz": write_npz(older)}
    read = avatar_from_bytes(write_zip(entries, compress=False), NOWHERE)
    assert_same(read, replace(avatar, lighting=unlit(len(avatar.gaussians.triangle))))


@pytest.mark.parametrize("name", ["avatar.json", "arrays.npz", "portrait.png", "thumbnail.png"])
def test_a_missing_entry_is_named(data, name):
    entries = read_zip(data)
    del entries[name]
    assert name in refused(write_zip(entries, compress=False))


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.clear(),
        lambda d: d.update(format="other"),
        lambda d: d.update(schema_version="1"),
        lambda d: d.update(schema_version=0),
        lambda d: d.update(rig=[1, 2]),
        lambda d: d.update(settings="none"),
        lambda d: d.update(head_model=7),
        lambda d: d.pop("head_model_hash"),
        lambda d: d["rig"].pop("parents"),
        lambda d: d["rig"].update(parents=[-1, 0, 1, 4, 1]),
        lambda d: d["rig"].update(parents=[-1, 0, 1, "x", 1]),
        lambda d: d["rig"].update(parents=5),
        lambda d: d["rig"].update(parents=[]),
        lambda d: d["rig"].update(control_names=["a"]),
        lambda d: d["rig"].update(control_names=["a"] * 52),
        lambda d: d["rig"].update(control_names=[[1]] * 52),
        lambda d: d["rig"].update(control_names=3),
        lambda d: d["rig"].update(head_triangles=10**9),
        lambda d: d["rig"].update(head_vertices=10**9),
        lambda d: d["rig"].update(head_vertices=-1),
        lambda d: d["rig"].update(head_vertices=True),
        lambda d: d["view"].update(width=1e9),
        lambda d: d["view"].update(width=10**9),
        lambda d: d["view"].update(face_square=[0, 0]),
        lambda d: d["view"].update(face_square=[0, 0, float("nan")]),
        lambda d: d["view"].update(face_square=[0, 0, "3"]),
        lambda d: d["view"].update(face_square=None),
    ],
)
def test_a_broken_description_is_refused(data, edit):
    refused(with_description(data, edit))


@pytest.mark.parametrize("text", [b"", b"[]", b"3", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000])
def test_any_other_json_is_refused(data, text):
    refused(with_entry(data, "avatar.json", text))


@pytest.mark.parametrize(
    "group, name, value",
    [
        ("rig", "faces", 10**6),
        ("rig", "faces", -1),
        ("rig", "faces_uv", 10**6),
        ("rig", "face_part", 6),
        ("rig", "v_neutral", np.nan),
        ("rig", "v_neutral", 1e9),
        ("rig", "shapedirs", np.inf),
        ("rig", "lbs_weights", 1e6),
        ("gaussians", "triangle", 10**6),
        ("gaussians", "triangle", -1),
        ("gaussians", "part", -1),
        ("gaussians", "opacities", 1.5),
        ("gaussians", "colors", np.nan),
        ("gaussians", "colors", 1e30),
        ("gaussians", "local_mean", -1e30),
        ("gaussians", "local_basis", 1e30),
        ("gaussians", "local_basis", -np.inf),
        ("lighting", "harmonics", np.nan),
        ("lighting", "harmonics", 1e30),
        ("lighting", "normals", 2),
        ("view", "K", 0),
        ("view", "T_camera_head", 2),
        ("view", "controls", np.nan),
    ],
)
def test_impossible_numbers_are_refused(avatar, data, group, name, value):
    array = getattr(getattr(avatar, group), name).copy()
    array.reshape(-1)[0] = value
    assert name in refused(with_array(data, f"{group}.{name}", array)) or name == "K"
    with pytest.raises(ValueError):
        avatar_to_bytes(change(avatar, group, **{name: array}))


@pytest.mark.parametrize("group", ["rig", "gaussians", "lighting", "view"])
def test_arrays_of_other_shapes_and_types_are_refused(avatar, data, group):
    owner = getattr(avatar, group)
    for field in fields(owner):
        array = getattr(owner, field.name)
        if isinstance(array, np.ndarray):
            name = f"{group}.{field.name}"
            refused(with_array(data, name, array[:-1]))
            refused(with_array(data, name, array[..., None]))
            refused(with_array(data, name, array.astype(np.float64)))
            refused(with_array(data, name, np.zeros((), array.dtype)))


def test_missing_arrays_are_named(data):
    arrays = read_npz(read_zip(data)["arrays.npz"])
    del arrays["rig.uv"]
    assert "rig.uv" in refused(with_entry(data, "arrays.npz", write_npz(arrays)))


def test_pictures_must_be_pngs_of_the_right_size(avatar, data):
    view = avatar.view
    for picture in (
        b"",
        b"GIF89a" + b"0" * 100,
        png_bytes(np.zeros((view.height, view.width, 4), np.uint8)),
        png_bytes(np.zeros((view.height + 1, view.width, 3), np.uint8)),
        avatar.portrait_png[:30],
    ):
        refused(with_entry(data, "portrait.png", picture))
    with pytest.raises(ValueError):
        avatar_to_bytes(replace(avatar, thumbnail_png=avatar.portrait_png))


def test_every_truncation_is_refused(avatar):
    tiny = change(avatar, "rig", shapedirs=np.zeros_like(avatar.rig.shapedirs))
    data = avatar_to_bytes(tiny)
    ends = set(range(0, len(data), 97)) | set(range(len(data) - 600, len(data)))
    for length in sorted(ends):
        refused(data[:length])


@given(places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_flipped_bits_never_give_other_arrays(avatar, data, places):
    content = bytearray(data)
    for place, bit in places:
        content[int(place * len(content))] ^= 1 << bit
    try:
        loaded = avatar_from_bytes(bytes(content), NOWHERE)
    except InputError as error:
        assert error.code in ("avatar.damaged", "avatar.too_new")
        return
    assert_same(avatar, loaded)


def test_a_hostile_inner_archive_is_refused(data):
    refused(with_entry(data, "arrays.npz", b"\0" * 100))
    refused(with_entry(data, "arrays.npz", data))
    refused(write_zip(read_zip(data), compress=False).replace(b"portrait.png", b"../trait.png"))


def test_a_large_avatar_stays_small():
    data = avatar_to_bytes(make_avatar(gaussians=90_000))
    assert len(data) < 20e6
