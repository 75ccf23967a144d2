"""The benchmark's one table: rows of what is asked and what was measured, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HEADER = ("what", "must", "good", "before", "measured", "took")


@dataclass(frozen=True)
class Row:
    """One measure."""

    what: str
    measured: str
    """With its unit; or `not measured: ` and why."""
    must: str = ""
    good: str = ""
    seconds: float | None = None
    """How long measuring took, for all portraits, pictures or clips together."""

    def cells(self, before: str) -> tuple[str, ...]:
        took = "" if self.seconds is None else f"{self.seconds:.0f} s"
        return self.what, self.must, self.good, before, self.measured, took


def skipped(what: str, why: str) -> Row:
    """Return a row for what could not be measured."""
    return Row(what, f"not measured: {why}")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main_table(rows: Sequence[Row], before: Mapping[str, str]) -> str:
    """Return the table; the column `before` is left out where there is nothing to put in it."""
    cells = [row.cells(before.get(row.what, "")) for row in rows]
    kept = [k for k, name in enumerate(HEADER) if name != "before" or before]
    return markdown([HEADER[k] for k in kept], [[row[k] for k in kept] for row in cells])


def write_json(path: Path, machine: str, rows: Sequence[Row]) -> None:
    """Keep the figures, for a later run to put beside its own."""
    path.write_text(json.dumps({"machine": machine, "measured": {row.what: row.measured for row in rows}}, indent=1))


def read_json(path: Path | None) -> dict[str, str]:
    """Return the figures of an earlier run by what they measure."""
    return {} if path is None else json.loads(path.read_text())["measured"]
