"""likeness sheet: views by expressions, for the eye."""

from __future__ import annotations

import argparse
from pathlib import Path

from likeness.cli.terminal import TerminalProgress
from likeness.contract.errors import UsageError


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser("sheet", help="draw a contact sheet of views by expressions")
    parser.add_argument("avatar", type=Path, metavar="AVATAR")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SHEET.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Draw the sheet and say where it is."""
    if options.output.suffix.lower() != ".png":
        raise UsageError("usage", f"{options.output} does not end in .png.", "Name the sheet SHEET.png.")
    from likeness.contract.atomic import atomic_write, ensure_writable
    from likeness.contract.avatar_file import read_avatar

    avatar = read_avatar(options.avatar)
    ensure_writable(options.output)
    from likeness.avatar.pictures import encode_png
    from likeness.avatar.sheet import draw_sheet

    with TerminalProgress() as progress:
        picture = encode_png(draw_sheet(avatar, progress=progress))
    with atomic_write(options.output) as temporary:
        temporary.write_bytes(picture)
    print(options.output)
