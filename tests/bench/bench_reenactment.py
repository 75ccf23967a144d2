"""Self-reenactment: `python tests/bench/bench_reenactment.py [CLIP ...] [--every N] [--out DIR]`.

A clip's first frame becomes an avatar, the clip drives it, and every N-th frame is drawn in the clip's own camera and
compared with the real one (tests/bench/reenactment.py says how). With --out it keeps the avatars and performances and
writes sheets for the eye: real, rendered, difference.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from likeness.geometry.threads import configure_threads

configure_threads()

import machine  # noqa: E402
import numpy as np  # noqa: E402
import reenactment  # noqa: E402

from likeness.avatar.animate import prepare_avatar, render_avatar  # noqa: E402
from likeness.avatar.create import QUALITIES, create_avatar  # noqa: E402
from likeness.avatar.pictures import encode_png, over, plain_background  # noqa: E402
from likeness.avatar.playback import motion_camera, play  # noqa: E402
from likeness.avatar.track import Tracked, track  # noqa: E402
from likeness.contract.avatar import Avatar  # noqa: E402
from likeness.contract.avatar_file import write_avatar  # noqa: E402
from likeness.contract.motion import Motion, write_motion  # noqa: E402
from likeness.portrait.clip import open_clip  # noqa: E402

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "videos"
KINDS = (".mp4", ".mov", ".webm", ".mkv", ".avi")
BLACK = plain_background((0, 0, 0))
SHEET_COLUMNS = 8


@dataclass(frozen=True)
class Judged:
    """One frame: its figures and both pictures."""

    score: reenactment.Score
    real: np.ndarray
    rendered: np.ndarray


def first_frame_avatar(clip: Path, quality: str) -> Avatar:
    """Make the avatar of a clip's first frame, by way of a PNG as anyone would."""
    first = next(open_clip(clip).frames())
    with TemporaryDirectory() as folder:
        picture = Path(folder) / "first.png"
        picture.write_bytes(encode_png(first.rgb))
        return create_avatar(picture, quality=quality)[0]


def judge(clip: Path, avatar: Avatar, motion: Motion, every: int) -> Iterator[Judged]:
    """Compare every N-th frame in which there is a face, one at a time."""
    driven, playback, camera = prepare_avatar(avatar), play(motion, avatar), motion_camera(motion)
    for frame in open_clip(clip).frames():
        if frame.index % every:
            continue
        real = reenactment.real_frame(frame.rgb)
        if real is None:
            continue
        expression = next(playback.expressions(np.array([frame.time])))
        drawn = over(render_avatar(driven, camera, expression), BLACK)
        rendered = reenactment.cut_square(drawn, real.square)
        yield Judged(reenactment.score(real, rendered), real.picture, rendered)


def sheet(judged: list[Judged]) -> np.ndarray:
    """Lay frames from the whole clip side by side: real, rendered, and the difference on grey."""
    chosen = np.linspace(0, len(judged) - 1, min(SHEET_COLUMNS, len(judged))).round().astype(int)
    columns = []
    for index in chosen:
        real, rendered = judged[index].real, judged[index].rendered
        difference = np.clip(128 + rendered.astype(int) - real, 0, 255).astype(np.uint8)
        columns.append(np.concatenate([real, rendered, difference])[::2, ::2])
    return np.concatenate(columns, 1)


def measure(clip: Path, options: argparse.Namespace) -> tuple[float, ...]:
    """Measure one clip, print its line, write its pictures; return the means of PSNR, SSIM and landmarks."""
    avatar = first_frame_avatar(clip, options.quality)
    start = time.perf_counter()
    tracked = track(clip, avatar=avatar)
    seconds = time.perf_counter() - start
    judged = list(judge(clip, avatar, tracked.motion, options.every))
    if not judged:
        print(f"{clip.stem[:22]:22} no face in any frame", flush=True)
        return (np.nan,) * 3
    table = np.array([astuple(each.score) for each in judged])
    lost = int(np.isnan(table[:, 2]).sum())
    means = tuple(np.nanmean(table, axis=0))
    rate = len(tracked.motion.times) / seconds
    print(f"{clip.stem[:22]:22} {_numbers(means)} {table[:, 0].min():9.2f} {len(judged):7d} {lost:6d} {rate:9.1f}",
          flush=True)  # fmt: skip
    if options.out:
        write_pictures(options.out, clip.stem, avatar, tracked, judged)
    return means


def write_pictures(out: Path, name: str, avatar: Avatar, tracked: Tracked, judged: list[Judged]) -> None:
    """Write the avatar, the performance and the sheet."""
    write_avatar(out / f"{name}.likeness", avatar)
    write_motion(out / f"{name}.npz", tracked.motion)
    (out / f"{name}-sheet.png").write_bytes(encode_png(sheet(judged)))


def _numbers(means: tuple[float, ...]) -> str:
    psnr, ssim, landmarks = means
    return f"{psnr:8.2f} {ssim:7.3f} {landmarks:12.2f}"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="*", help="default: those beside the checkout")
    parser.add_argument("--every", type=int, default=5, help="judge every N-th frame; default: 5")
    parser.add_argument("--out", type=Path, help="a folder for avatars, performances and sheets")
    parser.add_argument("--quality", choices=tuple(QUALITIES), default="standard")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every clip and print the table."""
    options = parse(arguments)
    clips = options.clips or sorted(path for path in CLIPS.glob("*") if path.suffix.lower() in KINDS)
    if not clips:
        print(f"No clips in {CLIPS}; name some.")
        return
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    print(f"{machine.describe()}; quality {options.quality}, every {options.every}. frame", flush=True)
    print(f"{'clip':22} {'PSNR dB':>8} {'SSIM':>7} {'landmarks px':>12} {'least dB':>9} {'frames':>7} {'lost':>6} "
          f"{'tracked/s':>9}", flush=True)  # fmt: skip
    table = np.array([measure(clip, options) for clip in clips])
    print(f"{'mean over clips':22} {_numbers(tuple(np.nanmean(table, axis=0)))}")


if __name__ == "__main__":
    main()
