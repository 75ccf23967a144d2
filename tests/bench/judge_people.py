"""What bench_heads.py measures beside single photographs: held-out views, clips, known controls tracked back."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import bench_reenactment
import bench_track
import held_out
import numpy as np
from jaxtyping import Float
from perceptual import Distance
from strips import beside
from table import Row, markdown, skipped

from likeness.avatar.animate import prepare_avatar
from likeness.avatar.pictures import encode_png
from likeness.avatar.track import track
from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import Avatar
from likeness.portrait.read import read_photograph

TAKE_FRAMES = 100
TAKE = {
    "jawOpen": (10, 30, 0.8), "eyeBlinkLeft": (20, 28, 1.0), "eyeBlinkRight": (20, 28, 1.0),
    "mouthSmileLeft": (34, 54, 0.9), "mouthSmileRight": (34, 54, 0.9), "browInnerUp": (40, 60, 0.9),
    "mouthPucker": (58, 74, 0.9), "eyeLookInLeft": (64, 84, 0.7), "eyeLookOutRight": (64, 84, 0.7),
    "browDownLeft": (76, 94, 0.8), "browDownRight": (76, 94, 0.8),
}  # fmt: skip
"""From frame, to frame, how much: each control rises and falls as a raised cosine."""
HELD_OUT = (
    ("held-out views, PSNR over black: mean", "{:.2f} dB", "21.5 dB", "24 dB"),
    ("held-out views, SSIM", "{:.3f}", ".74", ".80"),
    ("held-out views, landmarks, interocular", "{:.2f} %", "2.5 %", "1.5 %"),
    ("held-out views, PSNR inside the face's outline", "{:.2f} dB", "18.5 dB", "21 dB"),
)


def judge_views(avatar: Avatar, others: Sequence[Path], lpips: Distance | str, out: Path) -> tuple[list[Row], str]:
    """Compare an avatar with other pictures of its person; return the rows and a table with a line for each picture."""
    start, driven = time.perf_counter(), prepare_avatar(avatar)
    found = [(path.stem, held_out.judge(driven, read_photograph(path).rgb)) for path in others]
    judged = [(name, view) for name, view in found if view is not None]
    if not judged:
        return [skipped(HELD_OUT[0][0], "no face on the other pictures")], ""
    figures = np.array([(view.psnr, view.ssim, 100 * view.landmarks, view.face) for _, view in judged])
    seconds = time.perf_counter() - start
    rows = [
        Row(what, unit.format(value), must, good, None if k else seconds)
        for k, ((what, unit, must, good), value) in enumerate(zip(HELD_OUT, np.nanmean(figures, 0), strict=True))
    ]
    pairs = [(view.real, view.rendered) for _, view in judged]
    rows.append(_lpips_row(pairs, lpips))
    (out / "held-out.png").write_bytes(encode_png(np.concatenate([beside(*pair) for pair in pairs])))
    lines = [
        (name, *(f"{value:.{digits}f}" for value, digits in zip(row, (2, 3, 2, 2), strict=True)))
        for (name, _), row in zip(judged, figures, strict=True)
    ]
    lines += [(name, "no face", "", "", "") for name, view in found if view is None]
    return rows, markdown(("view", "PSNR, dB", "SSIM", "landmarks, %", "face, dB"), lines)


def judge_clips(clips: Sequence[Path], every: int, out: Path) -> tuple[list[Row], str]:
    """Let the first frame of each clip become an avatar, and the clip drive it."""
    start = time.perf_counter()
    options = argparse.Namespace(quality="standard", every=every, out=out)
    figures = np.array([bench_reenactment.measure(clip, options) for clip in clips])
    (psnr, ssim, landmarks), seconds = np.nanmean(figures, 0), time.perf_counter() - start
    rows = [
        Row("self-reenactment, PSNR: mean over clips", f"{psnr:.2f} dB", "23.3 dB", "25.5 dB", seconds),
        Row("self-reenactment, SSIM", f"{ssim:.3f}", ".835", ".87"),
        Row("self-reenactment, landmarks", f"{landmarks:.2f} px of 512", "2.5 px", "1.8 px"),
        Row("self-reenactment, PSNR: worst clip", f"{np.nanmin(figures[:, 0]):.2f} dB", "20 dB", "22 dB"),
    ]
    lines = [(clip.stem, f"{p:.2f}", f"{s:.3f}", f"{m:.2f}") for clip, (p, s, m) in zip(clips, figures, strict=True)]
    return rows, markdown(("clip", "PSNR, dB", "SSIM", "landmarks, px"), lines)


def judge_takes(avatars: Sequence[Avatar]) -> list[Row]:
    """Drive avatars by known controls, their heads turning, and track the films of them."""
    start, truth = time.perf_counter(), take()
    error, moving, correlation = np.mean([_found_again(avatar, truth) for avatar in avatars], 0)
    what = "driven and tracked back"
    return [
        Row(f"{what}, error of the 52 controls: mean", f"{error:.4f}", "0.12", "0.06", time.perf_counter() - start),
        Row(f"{what}, controls that moved: mean error, correlation", f"{moving:.3f}, {correlation:.2f}"),
    ]


def _found_again(avatar: Avatar, truth: Float[np.ndarray, "T 52"]) -> tuple[float, float, float]:
    """Return the mean error of all controls, of those that move, and the mean correlation of these."""
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "driven.mp4"
        bench_track.write_video(video, bench_track.driven_frames(avatar, truth))
        found = track(video, avatar=avatar).motion.expr
    moved, error = np.flatnonzero(truth.std(0) > bench_track.MOVES), np.abs(found - truth)
    # A control that is never found has no correlation: 0.
    together = [np.corrcoef(truth[:, k], found[:, k])[0, 1] if found[:, k].std() else 0.0 for k in moved]
    return float(error.mean()), float(error[:, moved].mean()), float(np.mean(together))


def take() -> Float[np.ndarray, "T 52"]:
    """Return TAKE's controls, frame by frame."""
    frames, truth = np.arange(TAKE_FRAMES), np.zeros((TAKE_FRAMES, len(ARKIT_NAMES)))
    for name, (first, last, most) in TAKE.items():
        part = np.clip((frames - first) / (last - first), 0, 1)
        truth[:, ARKIT_NAMES.index(name)] = most * (1 - np.cos(2 * np.pi * part)) / 2
    return truth


def _lpips_row(pairs: Sequence[tuple[np.ndarray, np.ndarray]], lpips: Distance | str) -> Row:
    what = "held-out views, LPIPS"
    return skipped(what, lpips) if isinstance(lpips, str) else Row(what, f"{np.mean([lpips(*p) for p in pairs]):.3f}")
