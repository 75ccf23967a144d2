"""A photo's path: its bytes, or one clear line."""

from __future__ import annotations

import os

import pytest

from addon import photo
from likeness.contract.errors import InputError


def refusal(path) -> InputError:
    with pytest.raises(InputError) as caught:
        photo.read_photo(path)
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message
    return caught.value


def test_the_bytes_are_the_files(tmp_path):
    path = tmp_path / "Ümläut portrait.jpg"
    path.write_bytes(bytes(range(256)) * 100)
    assert photo.read_photo(path) == path.read_bytes()


def test_what_can_be_wrong_has_its_own_code(tmp_path, monkeypatch):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "large.jpg").write_bytes(b"12345")
    monkeypatch.setattr(photo, "MAX_BYTES", 4)
    os.mkfifo(tmp_path / "pipe.jpg")
    codes = {name: refusal(tmp_path / name).code for name in ("gone.jpg", "empty.jpg", "large.jpg", "pipe.jpg", ".")}
    assert codes == {
        "gone.jpg": "photo.missing",
        "empty.jpg": "photo.empty",
        "large.jpg": "photo.too_large",
        "pipe.jpg": "photo.unreadable",
        ".": "photo.folder",
    }
    assert refusal(tmp_path / "empty.jpg" / "below").code == "photo.missing"
    assert refusal(tmp_path / "a\0b.jpg").code == "photo.unreadable"


def test_a_limit_is_no_excuse_for_what_fits(tmp_path, monkeypatch):
    (tmp_path / "fits.jpg").write_bytes(b"1234")
    monkeypatch.setattr(photo, "MAX_BYTES", 4)
    assert photo.read_photo(tmp_path / "fits.jpg") == b"1234"


def test_a_forbidden_file_says_so(tmp_path, monkeypatch):
    path = tmp_path / "secret.jpg"
    path.write_bytes(b"1")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)  # the tests may run as root, who may read everything
    assert "may not be read" in refusal(path).message
