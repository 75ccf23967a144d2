"""Measure tracking on your own clips, and on avatars driven by known controls.

python tests/bench/bench_track.py clips VIDEO...
python tests/bench/bench_track.py driven PORTRAIT|AVATAR:CSV...
python tests/bench/bench_track.py still PICTURE

clips: landmarks of the fitted head against the detector's (mean, % of the interocular distance), blink recall (a blink
is a run of frames whose eye aspect ratio is under 0.6 of its 75th percentile; it is found if the mean of both eyeBlinks
reaches 0.5 in it), the correlation of jawOpen with the inner lips' distance, how far curves differ when the first frame
is left out, and processor time. driven: an avatar of PORTRAIT, driven by a Live Link Face CSV and gentle turns of the
head, tracked back; error of the 52 controls, of answering zeros, and slopes from truth to found. still: a hundred
frames of one picture as video; the largest deviation of a control.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from likeness.avatar.animate import neutral, prepare_avatar, render_avatar
from likeness.avatar.create import create_avatar
from likeness.avatar.pictures import over, plain_background
from likeness.avatar.track import TrackOptions, track
from likeness.avatar.views import orbit_camera
from likeness.contract.arkit import ARKIT_NAMES, arkit_name
from likeness.contract.avatar import Avatar
from likeness.contract.avatar_file import read_avatar
from likeness.head.model import load_open_head
from likeness.portrait.clip import open_clip
from likeness.portrait.performer import Sightings, follow_performer
from likeness.portrait.read import read_photograph
from likeness.tracking.clip_head import landmark_pixels
from likeness.tracking.landmarks import unbiased
from likeness.tracking.reading import openness
from likeness.tracking.sequence import SequenceFit, track_sightings

SIZE, FPS, FRAMES = 512, 15, 140
GREY = (110, 112, 118)
MAIN = (
    "jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "browDownLeft",
    "browOuterUpLeft", "mouthPucker", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeLookDownLeft",
)  # fmt: skip
MOVES = 0.03
"""Standard deviation of a control that moves enough for a slope."""


def main() -> None:
    kind, *names = sys.argv[1:]
    for name in names:
        {"clips": measure_clip, "driven": measure_driven, "still": measure_still}[kind](name)


def measure_clip(name: str) -> None:
    """Print one clip's figures."""
    clock, processor = time.perf_counter(), time.process_time()
    sightings = follow_performer(open_clip(Path(name)))
    found = time.process_time() - processor
    fit = track_sightings(sightings, load_open_head())
    seconds, processor = time.perf_counter() - clock, time.process_time() - processor
    count, controls = len(sightings.times), fit.frames.controls
    found_blinks, all_blinks = blinks(sightings, controls)
    print(
        f"{Path(name).name}: {count} frames, landmarks {landmark_error(sightings, fit):.2f} %, "
        f"blinks {found_blinks} of {all_blinks}, jaw r {jaw_correlation(sightings, controls):.3f}, "
        f"{count / seconds:.0f} fps, processor {1e3 * found / count:.1f} + {1e3 * (processor - found) / count:.1f} ms "
        "a frame (finding, fitting)"
    )
    later = track_sightings(_without_first(sightings), load_open_head()).frames.controls
    apart = np.abs(controls[1:] - later)
    print(
        f"  without the first frame: {apart.mean():.4f} mean, {np.percentile(apart, 99):.3f} in 99 of 100, "
        f"{apart.max():.3f} at most"
    )


def landmark_error(sightings: Sightings, fit: SequenceFit) -> float:
    """Return the mean distance in percent of the interocular distance."""
    seen = np.flatnonzero(sightings.seen)
    wanted = np.stack([unbiased(sightings.landmarks[t]) for t in seen])
    apart = np.linalg.norm(landmark_pixels(fit.head, fit.frames)[seen] - wanted, axis=-1).mean(1)
    return 100 * float((apart / np.linalg.norm(wanted[:, 33] - wanted[:, 263], axis=-1)).mean())


def blinks(sightings: Sightings, controls: np.ndarray) -> tuple[int, int]:
    """Return how many blinks were found, and how many there are."""
    ratio = openness(np.asarray(sightings.landmarks, np.float64)).mean(1)
    shut = np.concatenate([[0], ratio < 0.6 * np.nanpercentile(ratio, 75), [0]]).astype(int)
    runs = np.flatnonzero(np.diff(shut)).reshape(-1, 2)
    blink = controls[:, [ARKIT_NAMES.index("eyeBlinkLeft"), ARKIT_NAMES.index("eyeBlinkRight")]].mean(1)
    return sum(bool(blink[first:last].max() >= 0.5) for first, last in runs), len(runs)


def jaw_correlation(sightings: Sightings, controls: np.ndarray) -> float:
    """Return the correlation of jawOpen with the inner lips' distance over the face's height."""
    points = np.asarray(sightings.landmarks, np.float64)[sightings.seen]
    apart = np.linalg.norm(points[:, 13] - points[:, 14], axis=-1)
    height = np.linalg.norm(points[:, 10] - points[:, 152], axis=-1)
    return float(np.corrcoef(apart / height, controls[sightings.seen, ARKIT_NAMES.index("jawOpen")])[0, 1])


def measure_driven(pair: str) -> None:
    """Print how well known controls are found again, without and with the avatar."""
    portrait, _, takes = pair.partition(":")
    known = portrait.endswith(".likeness")
    avatar = read_avatar(Path(portrait)) if known else create_avatar(Path(portrait))[0]
    truth = read_controls(Path(takes))
    truth = truth[:: max(1, len(truth) // FRAMES)][:FRAMES]
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "driven.mp4"
        write_video(video, driven_frames(avatar, truth))
        for given in (None, avatar):
            found = track(video, avatar=given, options=TrackOptions()).motion.expr
            error, zeros = np.abs(found - truth).mean(), np.abs(truth).mean()
            print(
                f"{Path(portrait).name}, {'its avatar' if given else 'no avatar'}: error {error:.4f}, zeros {zeros:.4f}"
            )
            print("  " + ", ".join(_slopes(truth, found)))


def read_controls(path: Path) -> np.ndarray:
    """Return a Live Link Face CSV's ARKit controls (T, 52), 0..1."""
    header, *rows = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
    controls = np.zeros((len(rows), len(ARKIT_NAMES)))
    for column, name in enumerate(map(arkit_name, header)):
        if name:
            controls[:, ARKIT_NAMES.index(name)] = [float(row[column]) for row in rows]
    return np.clip(controls, 0, 1)


def driven_frames(avatar: Avatar, truth: np.ndarray) -> list[np.ndarray]:
    """Draw the avatar with known controls, its head turning gently."""
    driven, camera, background = prepare_avatar(avatar), orbit_camera(avatar, 0, 0, SIZE, SIZE), plain_background(GREY)
    columns = [avatar.rig.control_names.index(name) for name in ARKIT_NAMES]
    frames = []
    for t, row in enumerate(truth):
        rest = neutral(avatar)
        controls, pose = rest.controls.copy(), rest.pose.copy()
        controls[columns] = row
        s = t / FPS
        pose[1] = np.radians([5 * np.sin(1.1 * s), 12 * np.sin(0.7 * s), 4 * np.sin(0.9 * s + 1)])
        frames.append(over(render_avatar(driven, camera, rest._replace(controls=controls, pose=pose)), background))
    return frames


def measure_still(name: str) -> None:
    """Print how steady a still face is."""
    rgb = read_photograph(Path(name)).rgb
    rgb = rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2]
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "still.mp4"
        write_video(video, [rgb] * 100)
        deviation = track(video).motion.expr.std(0)
    worst = ARKIT_NAMES[int(deviation.argmax())]
    print(
        f"{Path(name).name}, 100 frames: deviation {deviation.max():.4f} at most ({worst}), {deviation.mean():.4f} mean"
    )


def write_video(path: Path, frames: list[np.ndarray]) -> None:
    """Encode frames as H.264 at a good quality."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "16"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())


def _slopes(truth: np.ndarray, found: np.ndarray) -> list[str]:
    rows = []
    for name in MAIN:
        t, f = truth[:, ARKIT_NAMES.index(name)], found[:, ARKIT_NAMES.index(name)]
        if t.std() > MOVES:
            rows.append(f"{name} {np.polyfit(t, f, 1)[0]:.2f} (r {np.corrcoef(t, f)[0, 1]:.2f})")
    return rows


def _without_first(sightings: Sightings) -> Sightings:
    cuts = [cut - 1 for cut in sightings.cuts if cut > 1]
    return Sightings(
        sightings.times[1:], sightings.landmarks[1:], sightings.seen[1:], sightings.doubt[1:], sightings.size,
        sightings.fps, cuts, sightings.notes,
    )  # fmt: skip


if __name__ == "__main__":
    main()
