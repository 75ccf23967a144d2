"""What bench_heads.py measures with the clock: create as a person meets it, its stages, and the CUDA path."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import bench_create
import bench_rendering
import numpy as np
import torch
from table import Row, skipped

from likeness.avatar.animate import draw_avatar, portrait_expression, pose_avatar, prepare_avatar
from likeness.avatar.create import create_avatar
from likeness.avatar.views import face_camera
from likeness.contract.avatar import Avatar
from likeness.contract.errors import MachineError
from likeness.rendering.api import rasterize
from likeness.rendering.device import choose_device

CUDA_CREATE, CUDA_PICTURE = "create on one CUDA GPU, in a running process", "CUDA's picture against the CPU's: PSNR"


class Stopwatch:
    """A Progress that notes how long each stage took."""

    def __init__(self) -> None:
        self.stage, self.since, self.took = "", time.perf_counter(), {}

    def update(self, stage: str, fraction: float) -> None:
        """Close the stage before, if this is another."""
        if stage != self.stage:
            self.close()
            self.stage, self.since = stage, time.perf_counter()

    def close(self) -> None:
        """Note the stage that has just ended."""
        if self.stage:
            self.took[self.stage] = time.perf_counter() - self.since


def judge_speed() -> list[Row]:
    """Time create of scikit-image's astronaut, its stages and a refinement step."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photograph = bench_create.astronaut(folder)
        first = bench_create.create(photograph, folder, "standard", folder / "cache")
        runs = {quality: bench_create.create(photograph, folder, quality) for quality in ("standard", "draft")}
        stages = _stages(photograph, "cpu")
        cuda = _cuda_rows(photograph)
    step = bench_rendering.median_ms(bench_rendering.make_iteration(bench_rendering.head_like_scene(),
                                                                    bench_rendering.cameras()[0]))  # fmt: skip
    seconds, memory = runs["standard"].seconds, max(first.peak_mib, runs["standard"].peak_mib)
    return [
        Row("create, standard, whole process, warm", f"{seconds:.1f} s", "25 s", "10 s", time.perf_counter() - start),
        Row(
            "create, the very first time; peak memory", f"{first.seconds:.1f} s; {memory:.0f} MiB", "90 s; 3 GB", "45 s"
        ),
        Row("create, draft, whole process", f"{runs['draft'].seconds:.1f} s", "8 s", "4 s"),
        Row("create, in a running process, by stage", ", ".join(f"{k} {v:.1f} s" for k, v in stages.items())),
        Row("one refinement step, 100,000 Gaussians, 512 x 512", f"{step:.0f} ms", "90 ms", "45 ms"),
        *cuda,
    ]  # fmt: skip


def _stages(photograph: Path, device: str) -> dict[str, float]:
    watch = Stopwatch()
    create_avatar(photograph, device=device, progress=watch)
    watch.close()
    return watch.took


def _cuda_rows(photograph: Path) -> list[Row]:
    try:
        choose_device("cuda")
    except MachineError as error:
        return [skipped(CUDA_CREATE, error.message), skipped(CUDA_PICTURE, error.message)]
    create_avatar(photograph, device="cuda")  # gsplat compiles its kernels
    start = time.perf_counter()
    avatar, _ = create_avatar(photograph, device="cuda")
    return [
        Row(CUDA_CREATE, f"{time.perf_counter() - start:.1f} s on {torch.cuda.get_device_name()}", "5 s", "1.4 s"),
        Row(CUDA_PICTURE, f"{cuda_psnr(avatar):.1f} dB", "45 dB"),
    ]


def cuda_psnr(avatar: Avatar) -> float:
    """Return how near gsplat's picture of an avatar comes to the CPU's, 512 x 512 over black."""
    driven, camera, face = prepare_avatar(avatar), face_camera(avatar, 512, 512), portrait_expression(avatar)
    posed = pose_avatar(driven, face)
    scene = [torch.from_numpy(x) for x in (posed.means, posed.covars, avatar.gaussians.opacities, posed.colors)]
    view = [torch.from_numpy(each.astype(np.float32)) for each in (camera.T_camera_head, camera.K)]
    drawn = rasterize(*(each.cuda() for each in scene), *(each.cuda() for each in view), 512, 512).rgb.cpu().numpy()
    error = np.mean((drawn - draw_avatar(driven, camera, face).rgb) ** 2)
    return float(-10 * np.log10(max(error, 1e-12)))
