"""likeness info: what an avatar is and where it comes from."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from likeness.contract.avatar import Avatar


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser("info", help="say what an avatar holds")
    parser.add_argument("avatar", type=Path, metavar="AVATAR")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the avatar's description."""
    from likeness.contract.avatar_file import read_avatar

    description = describe(read_avatar(options.avatar), options.avatar)
    if options.json:
        print(json.dumps(description))
        return
    for name, value in description.items():
        text = ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value
        print(f"{name.replace('_', ' '):<16} {text if not isinstance(text, list) else ', '.join(text)}")


def describe(avatar: Avatar, path: Path) -> dict[str, object]:
    """Return an avatar's description as plain values."""
    import numpy as np

    from likeness.contract.avatar import Part
    from likeness.contract.levels import LEVELS

    counts = np.bincount(avatar.gaussians.part, minlength=len(Part))
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "schema_version": avatar.info.schema_version,
        "software_version": avatar.info.software_version,
        "head_model": avatar.info.head_model,
        "head_licence": avatar.info.head_model_licence,
        "head_hash": avatar.info.head_model_hash,
        "portrait": f"{avatar.view.width}x{avatar.view.height}",
        "portrait_sha256": avatar.info.portrait_sha256,
        "settings": avatar.info.settings,
        "vertices": avatar.rig.head_vertices,
        "triangles": avatar.rig.head_triangles,
        "gaussians": len(avatar.gaussians.triangle),
        "levels": {name: count for name, count in LEVELS.items() if count < len(avatar.gaussians.triangle)},
        "parts": {part.name.lower(): int(counts[part]) for part in Part},
        "controls": list(avatar.rig.control_names),
    }
