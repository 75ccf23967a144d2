"""What lies in the engine's folder, and whether it is what this extension needs."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

ENVIRONMENT, TOOLS, PYTHONS, CACHE = "env", "tools", "python", "cache"
JOURNAL, MARKER, LOG, LOCK = "setup.json", "engine.json", "setup.log", "setup.lock"


class State(StrEnum):
    """Where the engine's environment stands."""

    ABSENT = "ABSENT"
    INCOMPLETE = "INCOMPLETE"
    """Begun and not finished, or damaged."""
    OUTDATED = "OUTDATED"
    """Whole, but made by another version of the extension."""
    READY = "READY"


@dataclass(frozen=True)
class Bundle:
    """What an extension carries for its engine."""

    version: str
    requirements: Path
    wheel: Path

    @property
    def pins(self) -> dict[str, str]:
        """The version of every package, by name, as the lock pins them."""
        lines = (line.partition("#")[0].strip() for line in self.requirements.read_text("utf-8").splitlines())
        return dict(line.split("==", 1) for line in lines if line)


@dataclass(frozen=True)
class Marker:
    """What a whole environment was made of."""

    version: str
    requirements: str
    """SHA-256 of the lock."""
    wheel: str
    """SHA-256 of the engine's wheel."""
    python: str
    torch: str


def bundle_in(root: Path) -> Bundle:
    """Return what the extension in the folder `root` carries; the wheel need not be there in a checkout."""
    version = tomllib.loads((root / "blender_manifest.toml").read_text("utf-8"))["version"]
    return Bundle(version, root / "requirements.lock", root / "wheels" / f"likeness-{version}-py3-none-any.whl")


def environment_python(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / "Scripts" / "python.exe" if os.name == "nt" else environment / "bin" / "python"


def state_of(folder: Path, bundle: Bundle) -> State:
    """Return where the environment in an engine's folder stands; reads a small file and is quick enough for a panel."""
    marker = read_marker(folder)
    if marker and environment_python(folder / ENVIRONMENT).exists():
        return State.READY if _is_of(marker, bundle) else State.OUTDATED
    begun = any((folder / name).exists() for name in (ENVIRONMENT, TOOLS, PYTHONS, CACHE, JOURNAL, MARKER))
    return State.INCOMPLETE if begun else State.ABSENT


def own_environment(folder: Path) -> Path | None:
    """Return the environment in an engine's folder if it is whole, outdated or not, else None."""
    environment = folder / ENVIRONMENT
    return environment if read_marker(folder) and environment_python(environment).exists() else None


def read_marker(folder: Path) -> Marker | None:
    """Return the marker, or None where there is none that can be read."""
    try:
        return Marker(**json.loads((folder / MARKER).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def write_marker(folder: Path, marker: Marker) -> None:
    """Declare the environment whole."""
    write_json(folder / MARKER, asdict(marker))


def write_json(path: Path, content: dict[str, str]) -> None:
    """Write a small file so that it is there whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def file_hash(path: Path) -> str:
    """Return a file's SHA-256; an unchanged file is read once."""
    status = path.stat()
    return _file_hash(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _file_hash(path: Path, _changed: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_of(marker: Marker, bundle: Bundle) -> bool:
    """Tell whether a bundle would make the same environment; a checkout without a wheel has no say in that one."""
    same_wheel = not bundle.wheel.exists() or marker.wheel == file_hash(bundle.wheel)
    return marker.version == bundle.version and marker.requirements == file_hash(bundle.requirements) and same_wheel
