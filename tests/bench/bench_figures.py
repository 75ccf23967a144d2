"""Judge the avatars of real photographs: `python tests/bench/bench_figures.py [--portraits DIR] [--out DIR]`.

Prints a table of every photograph in the folder: how well the avatar in the photograph's own camera is the photograph,
where MediaPipe's landmarks lie on it, from which sides a face is found and whether the head is closed there. With
--out it keeps the avatars, and writes their sheets and edges (over black, over white, photograph) for the eye.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from likeness.geometry.threads import configure_threads

configure_threads()

import machine  # noqa: E402
import numpy as np  # noqa: E402
from measures import Look, landmark_error, look, reproduce  # noqa: E402

from likeness.avatar.animate import neutral, prepare_avatar  # noqa: E402
from likeness.avatar.create import QUALITIES, create_avatar  # noqa: E402
from likeness.avatar.pictures import encode_png  # noqa: E402
from likeness.avatar.sheet import draw_sheet  # noqa: E402
from likeness.contract.avatar import Avatar  # noqa: E402
from likeness.contract.avatar_file import write_avatar  # noqa: E402

PORTRAITS = Path(__file__).resolve().parents[3] / "shared" / "data" / "portraits"
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
VIEWS = (*((yaw, 0) for yaw in (-60, -45, -30, 0, 30, 45, 60)), (0, -20), (0, 20))


@dataclass(frozen=True)
class Figures:
    """What was measured on one photograph."""

    name: str
    psnr: float
    landmarks: float
    looks: tuple[Look, ...]
    seconds: float
    gaussians: int
    warnings: list[str] = field(default_factory=list)

    @property
    def holes(self) -> float:
        """See-through share at the worst view."""
        return max(look.holes for look in self.looks)

    @property
    def sunken(self) -> float:
        """Share of skin seen through at the worst view."""
        return max(look.sunken for look in self.looks)


def measure(path: Path, quality: str, out: Path | None) -> Figures:
    """Create an avatar, judge it, and write its pictures."""
    start = time.perf_counter()
    avatar, warnings = create_avatar(path, quality=quality)
    seconds = time.perf_counter() - start
    driven = prepare_avatar(avatar)
    reproduction, rest = reproduce(driven), neutral(avatar)
    if out:
        write_pictures(out, path.stem, avatar, reproduction.edges)
    return Figures(
        name=path.stem,
        psnr=reproduction.psnr,
        landmarks=landmark_error(driven),
        looks=tuple(look(driven, rest, yaw, pitch) for yaw, pitch in VIEWS),
        seconds=seconds,
        gaussians=len(avatar.gaussians.triangle),
        warnings=warnings,
    )


def write_pictures(out: Path, name: str, avatar: Avatar, edges: np.ndarray) -> None:
    """Write the avatar, its sheet and its edges."""
    write_avatar(out / f"{name}.likeness", avatar)
    (out / f"{name}-sheet.png").write_bytes(encode_png(draw_sheet(avatar)))
    (out / f"{name}-edges.png").write_bytes(encode_png(edges))


def print_table(table: list[Figures]) -> None:
    """Print a line for each photograph, then least, median and greatest."""
    views = " ".join(f"{yaw:+d}" if not pitch else f"p{pitch:+d}" for yaw, pitch in VIEWS)
    print(f"{'portrait':22} {'PSNR dB':>8} {'landm. %':>8} {'holes %':>8} {'sunken %':>8} {'create s':>8} {'gauss.':>7}"
          f"  face found at {views}")  # fmt: skip
    for row in table:
        found = " ".join(
            ("yes" if look.found else "NO").rjust(len(view))
            for look, view in zip(row.looks, views.split(), strict=True)
        )
        print(f"{row.name[:22]:22} {_numbers(row)}  {'':13} {found}", flush=True)
    for label, statistic in (("least", np.min), ("median", np.median), ("greatest", np.max)):
        print(f"{label:22} {_numbers(_summary(table, statistic))}")


def print_views(table: list[Figures]) -> None:
    """Print the share of holes and of sunken skin from every side."""
    for what in ("holes", "sunken"):
        print(f"\n{what + ' %':22} " + " ".join(f"{yaw:+d},{pitch:+d}".rjust(7) for yaw, pitch in VIEWS))
        for row in table:
            print(f"{row.name[:22]:22} " + " ".join(f"{100 * getattr(look, what):7.2f}" for look in row.looks))


def _numbers(row: Figures | tuple[float, ...]) -> str:
    psnr, landmarks, holes, sunken, seconds, gaussians = row if isinstance(row, tuple) else _values(row)
    return (
        f"{psnr:8.2f} {100 * landmarks:8.2f} {100 * holes:8.2f} {100 * sunken:8.2f} {seconds:8.1f} {int(gaussians):7d}"
    )


def _values(row: Figures) -> tuple[float, ...]:
    return row.psnr, row.landmarks, row.holes, row.sunken, row.seconds, row.gaussians


def _summary(table: list[Figures], statistic: object) -> tuple[float, ...]:
    return tuple(statistic(column) for column in zip(*map(_values, table), strict=True))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--portraits", type=Path, default=PORTRAITS, help="a folder of photographs")
    parser.add_argument("--out", type=Path, help="a folder for avatars, sheets and edges")
    parser.add_argument("--only", help="names of photographs, without their endings, separated by commas")
    parser.add_argument("--quality", choices=tuple(QUALITIES), default="standard")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every photograph and print the tables."""
    options = parse(arguments)
    wanted = options.only.split(",") if options.only else None
    paths = sorted(p for p in options.portraits.glob("*") if p.suffix.lower() in PICTURES)
    paths = [p for p in paths if wanted is None or p.stem in wanted]
    if not paths:
        print(f"No photographs in {options.portraits}; name a folder with --portraits.")
        return
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    print(f"{machine.describe()}; quality {options.quality}", flush=True)
    table = []
    for path in paths:
        table.append(measure(path, options.quality, options.out))
        for warning in table[-1].warnings:
            print(f"{path.stem}: {warning}", flush=True)
    print_table(table)
    print_views(table)


if __name__ == "__main__":
    main()
