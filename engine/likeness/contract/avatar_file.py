"""The .likeness file: one avatar in one zip, as data and never as code.

    avatar.json     schema, software, head model, settings, and what is not an array
    arrays.npz      every array of the avatar, named `group.field`
    portrait.png    the photograph
    thumbnail.png   a render

The page docs/file-formats.md describes every entry.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import get_type_hints

import numpy as np

from likeness.contract.atomic import atomic_write
from likeness.contract.avatar import Avatar, AvatarInfo, BoundGaussians, Lighting, PortraitView, Rig
from likeness.contract.avatar_rules import check_avatar
from likeness.contract.errors import InputError
from likeness.contract.lighting import unlit
from likeness.contract.safe_npz import read_npz, read_zip, write_npz, write_zip

FORMAT = "likeness-avatar"
SCHEMA_VERSION = 1
ENTRIES = ("avatar.json", "arrays.npz", "portrait.png", "thumbnail.png")
MAX_FILE_BYTES = 1 << 30
MAX_ARRAY_BYTES = 1 << 29
GROUPS = {"rig": Rig, "gaussians": BoundGaussians, "lighting": Lighting, "view": PortraitView}


def write_avatar(path: Path, avatar: Avatar) -> None:
    """Write the avatar whole or not at all; the same avatar gives the same bytes.

    Errors: InputError `output.*`; ValueError for an avatar that `check_avatar` refuses.
    """
    data = avatar_to_bytes(avatar)
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def read_avatar(path: Path) -> Avatar:
    """Read an avatar and check everything in it that later code relies on.

    Errors: InputError `avatar.missing`, `avatar.damaged`, `avatar.too_new`.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _damaged(path, "it is larger than any avatar")
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError("avatar.missing", f"{path} cannot be opened ({reason}).", "Check the name.") from error
    return avatar_from_bytes(data, path)


def avatar_to_bytes(avatar: Avatar) -> bytes:
    """Return the file's bytes."""
    check_avatar(avatar)
    arrays = {f"{group}.{name}": getattr(getattr(avatar, group), name) for group, name in _array_fields()}
    description = {"format": FORMAT} | asdict(avatar.info) | {group: _plain_values(avatar, group) for group in GROUPS}
    content = (
        json.dumps(description, indent=1, sort_keys=True, allow_nan=False).encode(),
        write_npz(arrays),
        avatar.portrait_png,
        avatar.thumbnail_png,
    )
    return write_zip(dict(zip(ENTRIES, content, strict=True)), compress=False)


def avatar_from_bytes(data: bytes, path: Path) -> Avatar:
    """Return the avatar in a file's bytes; `path` is for messages only. Errors as `read_avatar`."""
    try:
        entries = read_zip(data, max_total_bytes=MAX_FILE_BYTES)
        missing = [name for name in ENTRIES if name not in entries]
        if missing:
            raise ValueError(f"it holds no {missing[0]}")
        description = _parse_description(entries["avatar.json"], path)
        arrays = read_npz(entries["arrays.npz"], max_total_bytes=MAX_ARRAY_BYTES)
        avatar = _assemble(description, arrays, entries)
        check_avatar(avatar)
    except InputError as error:
        if error.code != "npz.damaged":
            raise
        raise _damaged(path, error.message.removeprefix("The archive cannot be read: ").rstrip(".")) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    return avatar


def _assemble(description: dict, arrays: dict[str, np.ndarray], entries: dict[str, bytes]) -> Avatar:
    groups = {"lighting": unlit(len(_array(arrays, "gaussians.triangle")))}
    for group, cls in GROUPS.items():
        if group in groups and group not in description:
            continue  # a file from before avatars had a light
        values = _json_object(description, group)
        names = [name for owner, name in _array_fields() if owner == group]
        groups[group] = _build(cls, values | {name: _array(arrays, f"{group}.{name}") for name in names})
    info = _build(AvatarInfo, description)
    return Avatar(info=info, portrait_png=entries["portrait.png"], thumbnail_png=entries["thumbnail.png"], **groups)


def _build(cls: type, values: dict) -> object:
    """Fill a dataclass from the values of its fields; others are of a later minor revision and are ignored."""
    wanted = [field.name for field in fields(cls)]
    for name in wanted:
        if name not in values:
            raise ValueError(f"{name} is missing")
    given = {name: values[name] for name in wanted}
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def _array(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise ValueError(f"the array {name} is missing")
    return arrays[name]


def _array_fields() -> list[tuple[str, str]]:
    """Return (group, field) of every array in an avatar."""
    hints = {group: get_type_hints(cls) for group, cls in GROUPS.items()}
    return [(group, name) for group, names in hints.items() for name, hint in names.items() if hint is np.ndarray]


def _plain_values(avatar: Avatar, group: str) -> dict[str, object]:
    arrays = _array_fields()
    owner = getattr(avatar, group)
    return {field.name: getattr(owner, field.name) for field in fields(owner) if (group, field.name) not in arrays}


def _parse_description(content: bytes, path: Path) -> dict:
    description = json.loads(content)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ValueError("it is not an avatar")
    version = description.get("schema_version")
    if type(version) is not int or version < 1:
        raise ValueError("its schema version is not a number")
    if version > SCHEMA_VERSION:
        raise InputError(
            "avatar.too_new",
            f"{path} has format {version}, this version reads up to {SCHEMA_VERSION}.",
            "Update Likeness, or create the avatar again with this version.",
        )
    return description


def _json_object(description: dict, name: str) -> dict:
    value = description.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"{name} is missing")
    return value


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(
        "avatar.damaged", f"{path} cannot be read as an avatar: {reason}.", "Create it again, or copy it again."
    )
