"""The whole benchmark in one table: `make bench`, or `python tests/bench/bench_heads.py [--out DIR] ...`.

Judges your own files: --portraits (a folder of photographs), --multiview (a folder of pictures of one person; the first
becomes the avatar, the others are held out), --clips (a folder of films of single heads). Without them it takes what
lies beside the checkout, if anything does. What is missing is said and skipped. DIR then holds the table (bench.md,
bench.json), the avatars and pictures side by side. --before takes an earlier run's bench.json for a column of its own,
--avatars judges avatars made before instead of making them, --only picks sections, --every thins clips' frames.

Every measure is defined once: reproduction, landmarks and holes in measures.py, held-out views in held_out.py,
self-reenactment, PSNR and SSIM in reenactment.py, LPIPS in perceptual.py, identity in identity.py, flicker and popping
in flicker.py, obedience in obeyed.py, known controls found again in judge_people.py, speed in judge_speed.py.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from likeness.geometry.threads import configure_threads

configure_threads()

import judge_people  # noqa: E402
import judge_portraits  # noqa: E402
import judge_speed  # noqa: E402
import machine  # noqa: E402
from bench_figures import PICTURES, PORTRAITS  # noqa: E402
from bench_reenactment import CLIPS, KINDS  # noqa: E402
from identity import load_embedding  # noqa: E402
from perceptual import load_lpips  # noqa: E402
from table import Row, main_table, read_json, skipped, write_json  # noqa: E402

MULTIVIEW = PORTRAITS.parent / "multiview" / "felix"
SECTIONS = ("portraits", "views", "clips", "take", "speed")
TAKEN_EVERY = 5
"""Driving and tracking back is done with every fifth portrait."""


class Benchmark:
    """The run: what is measured so far, and where it goes."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.out = options, options.out
        self.rows: list[Row] = []
        self.details: list[str] = []
        self.lpips = load_lpips()

    def portraits(self) -> None:
        """Judge every photograph of the folder."""
        paths = files(self.options.portraits, PICTURES, self.options.names)
        if not paths:
            return self.skip(
                "reproduction, identity, flicker",
                f"no photographs in {self.options.portraits}; name a folder with --portraits",
            )
        embed, table = load_embedding(), []
        for path in paths:
            start = time.perf_counter()
            avatar, seconds = judge_portraits.get_avatar(path, path.stem, self.options.avatars, self.out)
            table.append(judge_portraits.judge(path.stem, avatar, seconds, embed, self.lpips))
            judge_portraits.write_pictures(self.out, path.stem, avatar)
            print(f"{path.stem}: {time.perf_counter() - start:.0f} s", flush=True)
        return self.add(judge_portraits.rows(table, embed, self.lpips), judge_portraits.details(table))

    def views(self) -> None:
        """Judge held-out views."""
        paths = files(self.options.multiview, PICTURES)
        if len(paths) < 2:
            return self.skip(
                "held-out views", f"no two pictures in {self.options.multiview}; name a folder with --multiview"
            )
        name = self.options.multiview.name
        avatar, _ = judge_portraits.get_avatar(paths[0], name, self.options.avatars, self.out)
        return self.add(*judge_people.judge_views(avatar, paths[1:], self.lpips, self.out))

    def clips(self) -> None:
        """Judge self-reenactment."""
        paths = files(self.options.clips, KINDS)
        if not paths:
            return self.skip("self-reenactment", f"no clips in {self.options.clips}; name a folder with --clips")
        return self.add(*judge_people.judge_clips(paths, self.options.every, self.out))

    def take(self) -> None:
        """Drive some portraits and track them back."""
        paths = files(self.options.portraits, PICTURES, self.options.names)[::TAKEN_EVERY]
        if not paths:
            return self.skip(
                "driven and tracked back", f"no photographs in {self.options.portraits}; name a folder with --portraits"
            )
        folder = self.options.avatars or self.out
        avatars = [judge_portraits.get_avatar(path, path.stem, folder, self.out)[0] for path in paths]
        return self.add(judge_people.judge_takes(avatars))

    def speed(self) -> None:
        """Time what a person waits for."""
        self.add(judge_speed.judge_speed())

    def add(self, rows: list[Row], details: str = "") -> None:
        """Take a section's figures in and print its lines."""
        self.rows += rows
        self.details += [details] if details else []
        print("\n".join([details, *(f"{row.what}: {row.measured}" for row in rows)]), flush=True)

    def skip(self, what: str, why: str) -> None:
        """Say what is left out."""
        self.add([skipped(what, why)])


def files(folder: Path, endings: Sequence[str], names: str | None = None) -> list[Path]:
    """Return a folder's files of some kinds by name; only those of the given names, if there are any."""
    wanted = names.split(",") if names else None
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in endings)
    return [path for path in found if wanted is None or path.stem in wanted]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--portraits", type=Path, default=PORTRAITS, help="a folder of photographs")
    parser.add_argument("--multiview", type=Path, default=MULTIVIEW, help="a folder of pictures of one person")
    parser.add_argument("--clips", type=Path, default=CLIPS, help="a folder of films of single heads")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="default: build/bench")
    parser.add_argument("--avatars", type=Path, help="a folder of avatars to judge, named as the photographs are")
    parser.add_argument("--before", type=Path, help="bench.json of an earlier run")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"of {','.join(SECTIONS)}")
    parser.add_argument("--names", help="photographs to judge, without their endings, separated by commas")
    parser.add_argument("--every", type=int, default=10, help="judge every N-th frame of clips; default: 10")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sections and write the table."""
    options = parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    described, bench = machine.describe(), Benchmark(options)
    print(described, flush=True)
    for section in options.only.split(","):
        getattr(bench, section)()
    table = main_table(bench.rows, read_json(options.before))
    report = "\n\n".join([f"Measured on {described}.", table, *bench.details])
    (options.out / "bench.md").write_text(report + "\n")
    write_json(options.out / "bench.json", described, bench.rows)
    print(f"\n{table}\n\nwritten to {options.out}")


if __name__ == "__main__":
    main()
