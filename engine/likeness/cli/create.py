"""likeness create: a photograph becomes an avatar."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli import arguments
from likeness.cli.terminal import TerminalProgress
from likeness.contract.errors import UsageError

if TYPE_CHECKING:
    from likeness.contract.avatar import Avatar


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser("create", help="make an avatar from a portrait photograph")
    parser.add_argument("portrait", type=Path, metavar="PORTRAIT", help="the photograph")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT.likeness", help="default: PORTRAIT's name, in the current folder"
    )
    parser.add_argument("--head", default="open", metavar="open|FILE", help="head model: open, or your FLAME file")
    parser.add_argument("--face", type=arguments.count, metavar="N", help="which of several faces, 1 is the largest")
    parser.add_argument("--quality", choices=("draft", "standard", "high"), default="standard")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--seed", type=arguments.seed, default=0, metavar="N")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Create the avatar, write it, and say where it is."""
    from likeness.contract.atomic import ensure_writable
    from likeness.contract.avatar_file import write_avatar

    output = options.output or Path(options.portrait.name).with_suffix(".likeness")
    if output.suffix.lower() != ".likeness":
        raise UsageError("usage", f"{output} does not end in .likeness.", "Name the avatar OUT.likeness.")
    ensure_writable(output)
    started = time.monotonic()
    avatar, warnings = _create(options)
    write_avatar(output, avatar)
    seconds = time.monotonic() - started
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if options.json:
        count = len(avatar.gaussians.triangle)
        print(json.dumps({"avatar": str(output), "gaussians": count, "seconds": seconds, "warnings": warnings}))
    else:
        print(output)


def _create(options: argparse.Namespace) -> tuple[Avatar, list[str]]:
    from likeness.avatar.create import create_avatar

    with TerminalProgress() as progress:
        return create_avatar(
            options.portrait,
            head=options.head,
            face=options.face,
            quality=options.quality,
            device=options.device,
            seed=options.seed,
            progress=progress,
        )
