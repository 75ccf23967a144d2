"""Measure how much of every ARKit control the landmark detector shows, on painted heads; Open Head's own truth.

python tests/bench/detector_gains.py [HEADS [WRITE.npz]]

Prints the gains that `likeness.tracking.reading` holds and, if asked, writes the jaw's direction as the detector shows
it (`engine/likeness/tracking/data/jaw_shown.npz`). Three minutes of a quiet core for every head.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "engine" / "tracking"))
import synthetic_heads

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.safe_npz import write_npz
from likeness.geometry.cameras import Camera, look_at_face
from likeness.head.assets import HeadAssets
from likeness.head.model import PreparedHead, forward, landmarks, load_open_head, prepare_identity
from likeness.portrait.detectors import detect_mesh
from likeness.tracking.clip_head import ClipHead, Frames, clip_head, facing
from likeness.tracking.embedding import _mirror_pairs
from likeness.tracking.landmarks import landmark_weights

SIZE = 512
VIEWS = ((-25, 0), (0, -8), (25, 0), (0, 10))
LEVELS = (0.5, 1.0)
STRENGTH = 0.7
DEPTH_TRUST, PLANE_TRUST = 0.18, 0.0054
"""Weights of the head's own direction where views do not tell: along the face's depth, and across."""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    synthetic_heads.SIZE = SIZE
    assets = load_open_head()
    pairs = _mirror_pairs(landmarks(assets.v_template, assets))
    twins = [ARKIT_NAMES.index(_twin(name)) for name in ARKIT_NAMES]
    weights = landmark_weights(assets)[:, None, None] * np.array([1, 1, 0.05])[None, :, None]
    gains, directions = [], []
    for number in range(count):
        shown, head = _measure(assets, number)
        gain = (weights * head.directions * shown).sum((0, 1)) / (weights * head.directions**2).sum((0, 1)).clip(1e-12)
        gains.append((gain + gain[twins]) / 2)
        mirrored = shown[pairs][:, :, twins] * np.array([-1, 1, 1])[None, :, None]
        directions += [shown, mirrored]
    for name, gain in zip(ARKIT_NAMES, np.mean(gains, 0), strict=True):
        if not name.endswith("Right"):
            print(f"{name:20} {gain:5.2f}")
    if len(sys.argv) > 2:
        jaw = np.median(directions, 0)[:, :, ARKIT_NAMES.index("jawOpen")].astype(np.float32)
        Path(sys.argv[2]).write_bytes(write_npz({"jawOpen": jaw}))


def _measure(assets: HeadAssets, number: int) -> tuple[np.ndarray, ClipHead]:
    """Return (478, 3, 52) in metres: how the detector moves its landmarks for every control at 1."""
    betas = STRENGTH * np.random.default_rng([77, number]).normal(size=assets.shapedirs.shape[-1])
    prepared = prepare_identity(assets, betas.astype(np.float32))
    cameras = [_camera(*view) for view in VIEWS]
    rest = _detect(assets, prepared, np.zeros(52), cameras, number)
    focal = float(cameras[0].K[0, 0])
    head = clip_head(assets, prepared.v_neutral, prepared.shapes, focal=focal, center=np.full(2, SIZE / 2))
    frames = Frames(
        np.stack([camera.rotation for camera in cameras]),
        np.stack([camera.T_camera_head[:3, 3] for camera in cameras]),
        np.zeros((len(cameras), 52)),
    )
    x, y, z = np.moveaxis(np.einsum("nc,tdc->tnd", head.base, frames.rotations) + frames.translations[:, None], -1, 0)
    one, zero = np.ones_like(z), np.zeros_like(z)
    slope = (
        focal
        / z[..., None, None]
        * np.stack([np.stack([one, zero, -x / z], -1), np.stack([zero, one, -y / z], -1)], -2)
    )
    slope = np.einsum("tnad,tdc->tnac", slope, frames.rotations)
    trust = facing(head, frames)
    own = np.diag([PLANE_TRUST, PLANE_TRUST, DEPTH_TRUST]) * (focal / z.mean()) ** 2
    shown = np.empty((478, 3, 52))
    for control in range(52):
        normal, right = np.tile(own, (478, 1, 1)), head.directions[:, :, control] @ own
        for level in LEVELS:
            moved = (_detect(assets, prepared, level * np.eye(52)[control], cameras, number) - rest) / level
            weight = np.where(np.isfinite(moved).all(-1), trust, 0) * level**2
            normal = normal + np.einsum("tn,tnac,tnad->ncd", weight, slope, slope)
            right = right + np.einsum("tn,tnac,tna->nc", weight, slope, np.nan_to_num(moved))
        shown[:, :, control] = np.linalg.solve(normal, right[..., None])[..., 0]
    return shown, head


def _detect(
    assets: HeadAssets, prepared: PreparedHead, controls: np.ndarray, cameras: list[Camera], number: int
) -> np.ndarray:
    """Return the landmarks in every view, pixels, NaN where none were found; paint and light stay the same."""
    vertices = forward(prepared, controls, np.zeros((5, 3))).astype(np.float64)
    found = []
    for view, camera in enumerate(cameras):
        rng = np.random.default_rng([5, number, view])
        picture, _ = synthetic_heads.photograph(assets, vertices, prepared.v_neutral, camera, rng)
        mesh = detect_mesh((picture * 255).astype(np.uint8))
        found.append(np.full((478, 2), np.nan) if mesh is None else mesh[:, :2])
    return np.stack(found)


def _camera(yaw: float, pitch: float) -> Camera:
    camera = look_at_face(0.9, 2.6 * SIZE * 0.9, SIZE, SIZE)
    camera.T_camera_head[1, 3] -= 0.03
    return camera.orbited(np.radians(yaw), np.radians(pitch), np.array([0, -0.02, -0.05]))


def _twin(name: str) -> str:
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    return name.removesuffix("Right") + "Left" if name.endswith("Right") else name


if __name__ == "__main__":
    main()
