from __future__ import annotations

import errno
import os

import pytest

from likeness.contract.atomic import atomic_folder, atomic_write, ensure_writable
from likeness.contract.errors import InputError


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_the_file_appears_whole_with_the_users_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    with atomic_write(tmp_path / "out.png") as temporary:
        assert temporary.suffix == ".png" and temporary.parent == tmp_path
        temporary.write_bytes(b"new")
        assert not (tmp_path / "out.png").exists()
    assert (tmp_path / "out.png").read_bytes() == b"new"
    assert (tmp_path / "out.png").stat().st_mode == plain.stat().st_mode
    assert names(tmp_path) == ["out.png", "plain"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, SystemExit, OSError])
def test_a_failure_leaves_the_old_file(tmp_path, failure):
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises((failure, InputError)), atomic_write(tmp_path / "out") as temporary:
        temporary.write_bytes(b"half")
        raise failure
    assert (tmp_path / "out").read_bytes() == b"old"
    assert names(tmp_path) == ["out"]


def test_a_link_keeps_pointing(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_write(tmp_path / "link") as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.parametrize("error, code", [(errno.ENOSPC, "output.disk_full"), (errno.EROFS, "output.unwritable")])
def test_the_disks_refusal_is_readable(tmp_path, monkeypatch, error, code):
    def refuse(descriptor):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(InputError) as caught, atomic_write(tmp_path / "out") as temporary:
        temporary.write_bytes(b"x")
    assert caught.value.code == code and caught.value.exit_code == 3
    assert names(tmp_path) == []


@pytest.mark.parametrize("writer", [ensure_writable, lambda path: atomic_write(path).__enter__()])
@pytest.mark.parametrize(
    "place, code",
    [
        ("missing/out", "output.no_folder"),
        ("folder", "output.is_folder"),
        ("file/out", "output.unwritable"),
        ("fifo", "output.not_a_file"),
    ],
)
def test_impossible_places_are_named(tmp_path, writer, place, code):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError) as caught:
        writer(tmp_path / place)
    assert caught.value.code == code
    assert place.split("/")[0] in caught.value.message


def test_ensure_writable_leaves_nothing(tmp_path):
    ensure_writable(tmp_path / "out")
    assert names(tmp_path) == []


def test_a_folder_is_filled_at_the_end(tmp_path):
    target = tmp_path / "frames"
    target.mkdir()
    (target / "0001.png").write_bytes(b"old")
    (target / "note").write_bytes(b"stays")
    with pytest.raises(KeyboardInterrupt), atomic_folder(target) as temporary:
        (temporary / "0001.png").write_bytes(b"half")
        raise KeyboardInterrupt
    assert (target / "0001.png").read_bytes() == b"old"
    with atomic_folder(target) as temporary:
        (temporary / "0001.png").write_bytes(b"new")
    assert (target / "0001.png").read_bytes() == b"new" and names(target) == ["0001.png", "note"]
    assert names(tmp_path) == ["frames"]
