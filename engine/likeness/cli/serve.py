"""likeness serve: the engine's process, spoken to by Blender over standard input and output."""

from __future__ import annotations

import argparse
import sys

from likeness.contract.errors import UsageError


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command; it has no options, for requests carry them."""
    parser = commands.add_parser("serve", help="work for Blender over standard input and output (docs/protocol.md)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Serve until the client has gone. Errors: UsageError where a person typed it, `protocol.*` for nonsense."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "usage", "This command is started by Blender, which speaks to it over standard input.", "Use Blender."
        )
    from likeness.worker.server import serve

    serve()
