"""likeness export: the head in the formats of other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from likeness.cli import arguments
from likeness.contract.errors import UsageError

FORMATS = (".ply", ".obj")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser("export", help="write the Gaussians (.ply) or the mesh (.obj)")
    parser.add_argument("avatar", type=Path, metavar="AVATAR")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.ply|.obj")
    parser.add_argument("--controls", type=arguments.controls, default={}, metavar="jawOpen=0.7,...")
    arguments.add_gaussians(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Export the avatar with its controls set, and say where it is."""
    suffix = options.output.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError("usage", f"{options.output} is neither .ply nor .obj.", "Name OUT.ply or OUT.obj.")
    if suffix == ".obj" and options.gaussians:
        raise UsageError("usage", "A mesh has no Gaussians.", "Leave out --gaussians, or name OUT.ply.")
    from likeness.contract.avatar_file import read_avatar

    avatar = arguments.at_level(read_avatar(options.avatar), options)
    from likeness.avatar.animate import neutral, with_controls
    from likeness.avatar.export import export_obj, export_ply

    expression = with_controls(avatar.rig, neutral(avatar), options.controls)
    {".ply": export_ply, ".obj": export_obj}[suffix](options.output, avatar, expression)
    print(options.output)
