"""What bench_heads.py measures on each photograph of a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import flicker
import numpy as np
from identity import Embed, Likenesses, likenesses
from jaxtyping import UInt8
from measures import Reproduction, landmark_error, look, reproduce
from obeyed import Obeyed, all_obeyed, obeyed
from perceptual import Distance
from strips import beside, in_rows, turn_cells
from table import Row, markdown, skipped

from likeness.avatar.animate import DrivenAvatar, neutral, prepare_avatar
from likeness.avatar.create import create_avatar
from likeness.avatar.pictures import encode_png
from likeness.contract.avatar import Avatar
from likeness.contract.avatar_file import read_avatar, write_avatar

Result = TypeVar("Result")
SIDES = (-45, 0, 45)
"""Yaws at which holes are looked for; bench_figures.py looks from more."""
STRIP = np.linspace(-60, 60, 12)
NO_IDENTITY = "no face-recognition embedding is installed (likeness[bench])"


@dataclass
class Figures:
    """What was measured on one photograph, and how long each took in seconds."""

    name: str
    create: float | None
    gaussians: int
    psnr: float = 0.0
    landmarks: float = 0.0
    lpips: float = float("nan")
    likenesses: Likenesses | None = None
    holes: float = 0.0
    flicker: float = 0.0
    popping: float = 0.0
    obeyed: Obeyed | None = None
    took: dict[str, float] = field(default_factory=dict)


def get_avatar(path: Path, name: str, avatars: Path | None, out: Path) -> tuple[Avatar, float | None]:
    """Read the avatar of that name made before, if there is one, else make it; return it and how long that took."""
    made = (avatars or out) / f"{name}.likeness"
    if avatars is not None and made.is_file():
        return read_avatar(made), None
    start = time.perf_counter()
    avatar, _ = create_avatar(path)
    seconds = time.perf_counter() - start
    write_avatar(out / made.name, avatar)
    return avatar, seconds


def judge(name: str, avatar: Avatar, seconds: float | None, embed: Embed | None, lpips: Distance | str) -> Figures:
    """Measure one avatar."""
    driven = prepare_avatar(avatar)
    figures = Figures(name, seconds, len(avatar.gaussians.triangle))
    clock = _Clock(figures.took)
    reproduction = clock("reproduction", lambda: reproduce(driven))
    figures.psnr = reproduction.psnr
    figures.landmarks = clock("landmarks", lambda: landmark_error(driven))
    if not isinstance(lpips, str):
        figures.lpips = clock("lpips", lambda: lpips(reproduction.photo, over_black(reproduction)))
    if embed is not None:
        figures.likenesses = clock("identity", lambda: likenesses(driven, embed))
    rest = neutral(avatar)
    figures.holes = clock("holes", lambda: max(look(driven, rest, yaw, 0).holes for yaw in SIDES))
    figures.flicker = clock("flicker", lambda: flicker.flicker(flicker.turn(driven, flicker.YAWS)))
    figures.popping = clock("popping", lambda: flicker.popping(driven))
    figures.obeyed = clock("obeyed", lambda: obeyed(driven))
    return figures


def over_black(reproduction: Reproduction) -> UInt8[np.ndarray, "S S 3"]:
    """Return the render with the photograph wherever it does not judge: LPIPS has no mask."""
    judged = reproduction.valid & (reproduction.render[..., 3] > 0.9 * 255)
    return np.where(judged[..., None], reproduction.render[..., :3], reproduction.photo)


def write_pictures(out: Path, name: str, avatar: Avatar) -> None:
    """Write photograph, render and difference, and a turn from -60 to 60 degrees."""
    driven: DrivenAvatar = prepare_avatar(avatar)
    reproduction = reproduce(driven)
    (out / f"{name}-pair.png").write_bytes(encode_png(beside(reproduction.photo, over_black(reproduction))))
    (out / f"{name}-turn.png").write_bytes(encode_png(in_rows(turn_cells(driven, STRIP), 6)))


def rows(table: Sequence[Figures], embed: Embed | None, lpips: Distance | str) -> list[Row]:
    """Return the portraits' part of the main table."""

    def column(read: Callable[[Figures], float]) -> np.ndarray:
        return np.array([read(each) for each in table], np.float64)

    def took(what: str) -> float:
        return sum(each.took.get(what, 0.0) for each in table)

    psnr, marks = column(lambda f: f.psnr), 100 * column(lambda f: f.landmarks)
    flickers, pops = column(lambda f: f.flicker), column(lambda f: f.popping)
    obeying = sum(all_obeyed(each.obeyed) for each in table if each.obeyed)
    return [
        Row("reproduction, PSNR: least, median", f"{psnr.min():.1f}, {np.median(psnr):.1f} dB",
            "34 dB each", "38 dB median", took("reproduction")),
        Row("landmarks on that render: greatest, median, interocular",
            f"{np.nanmax(marks):.2f}, {np.nanmedian(marks):.2f} %", "2 %", "1 %", took("landmarks")),
        _lpips_row(column(lambda f: f.lpips), lpips, took("lpips")),
        *_identity_rows(table, embed, took("identity")),
        Row("see-through inside the outline, worst of yaw -45, 0, 45: greatest, median",
            _percents(column(lambda f: f.holes)), seconds=took("holes")),
        Row("flicker, slow turn of 90 frames: mean", f"{flickers.mean():.2f} of 255", "half of before", "",
            took("flicker")),
        Row("popping, the same along the surface: mean", f"{pops.mean():.3f} of 255", "half of before", "",
            took("popping")),
        Row("blink, jaw, smile and brows do what they say, measured by MediaPipe", f"{obeying} of {len(table)}", "all",
            "", took("obeyed")),
        Row("Gaussians: least, greatest", "{:,}, {:,}".format(*_extremes([each.gaussians for each in table])),
            "20,000 to 130,000"),
    ]  # fmt: skip


def details(table: Sequence[Figures]) -> str:
    """Return a Markdown table with a line for each photograph."""
    header = ("portrait", "PSNR, dB", "landmarks, %", "LPIPS", "identity, front", "at 30°, share", "see-through, %",
              "flicker", "popping", "blink", "jaw", "smile", "brows", "Gaussians", "create, s")  # fmt: skip
    return markdown(header, [_detail(each) for each in table])


def _detail(each: Figures) -> tuple[str, ...]:
    like, moved = each.likenesses, each.obeyed
    return (
        each.name, f"{each.psnr:.1f}", f"{100 * each.landmarks:.2f}", _or_blank(each.lpips, 3),
        _or_blank(like.front if like else np.nan), _or_blank(like.share if like else np.nan),
        f"{100 * each.holes:.1f}", f"{each.flicker:.2f}", f"{each.popping:.3f}",
        *(("",) * 4 if moved is None else (f"{value:.2f}" for value in moved)),
        f"{each.gaussians:,}", "" if each.create is None else f"{each.create:.1f}",
    )  # fmt: skip


def _identity_rows(table: Sequence[Figures], embed: Embed | None, seconds: float) -> list[Row]:
    front, share = (
        "identity, render from the front to the photograph: mean",
        "identity at yaw 30, as a share of that from the front",
    )
    if embed is None:
        return [skipped(front, NO_IDENTITY), skipped(share, NO_IDENTITY)]
    found = [each.likenesses for each in table if each.likenesses]
    shares = np.array([each.share for each in found])
    lost = int(np.isnan(shares).sum())
    note = f"; {lost} without a face" if lost else ""
    return [
        Row(front, f"{np.nanmean([each.front for each in found]):.3f}", seconds=seconds),
        Row(f"{share}: mean, least", f"{np.nanmean(shares):.3f}, {np.nanmin(shares):.3f}{note}", ".85", ".95"),
    ]


def _lpips_row(values: np.ndarray, lpips: Distance | str, seconds: float) -> Row:
    what = "reproduction, LPIPS: median"
    return skipped(what, lpips) if isinstance(lpips, str) else Row(what, f"{np.median(values):.3f}", seconds=seconds)


def _percents(values: np.ndarray) -> str:
    return f"{100 * values.max():.1f}, {100 * np.median(values):.1f} %"


def _extremes(values: Sequence[int]) -> tuple[int, int]:
    return min(values), max(values)


def _or_blank(value: float, digits: int = 2) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"


class _Clock:
    """Calls functions and notes how long each took."""

    def __init__(self, took: dict[str, float]) -> None:
        self.took = took

    def __call__(self, what: str, call: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        result = call()
        self.took[what] = time.perf_counter() - start
        return result
