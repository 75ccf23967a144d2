"""Create: a photograph in, an avatar out; a straight line through the packages below.

What imports torch is imported by functions here: it loads beside the detectors and the fit, which do not need it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from likeness.avatar.portrait_light import with_lighting
from likeness.avatar.views import face_camera
from likeness.contract.avatar import JOINT_NAMES, Avatar, AvatarInfo, PortraitView
from likeness.contract.lighting import unlit
from likeness.contract.progress import Progress, SilentProgress
from likeness.geometry.threads import in_background
from likeness.head.assets import HeadAssets
from likeness.head.model import bake_rig, load_open_head
from likeness.portrait.build import make_portrait
from likeness.portrait.faces import choose_face
from likeness.portrait.read import read_photograph
from likeness.portrait.types import PictureFile, Portrait
from likeness.tracking.fit import fit_portrait
from likeness.tracking.types import HeadFit

THUMBNAIL_SIZE = 256


@dataclass(frozen=True)
class Quality:
    """How much work goes into an avatar."""

    size: int
    """Side of the working square, pixels; about a third of it is the face's width."""
    iterations: int
    """Refinement steps."""


QUALITIES = {
    "draft": Quality(size=320, iterations=24),
    "standard": Quality(size=512, iterations=70),
    "high": Quality(size=768, iterations=90),
}


def create_avatar(
    picture: Path | PictureFile,
    *,
    head: str = "open",
    face: int | None = None,
    quality: str = "standard",
    device: str = "cpu",
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Avatar, list[str]]:
    """Make an avatar from a photograph; return it with warnings, plain sentences.

    `head` is `open` or the path of a FLAME file, `face` picks one of several (1 is the largest), `device` is `cpu`,
    `cuda` or `auto`. Errors: InputError for a photograph or head file that cannot be used, UsageError for a face not
    there, MachineError `machine.no_cuda`.
    """
    progress = progress or SilentProgress()
    finish_loading = in_background(load_lifting)
    progress.update("read", 0.0)
    assets = load_head(head)
    photograph = read_photograph(picture)
    chosen, warnings = choose_face(photograph, face)
    progress.update("matte", 0.0)
    portrait = make_portrait(photograph, chosen, QUALITIES[quality].size)
    progress.update("fit", 0.0)
    fit = fit_portrait(assets, portrait)
    head_rig = bake_rig(assets, fit.betas, fit.offsets)
    finish_loading()
    from likeness.avatar.importance import by_importance
    from likeness.avatar.pictures import encode_png
    from likeness.lifting.lift import lift_portrait, make_scene
    from likeness.rendering.device import choose_device

    device = choose_device(device)
    encoded_portrait = in_background(lambda: encode_png(photograph.rgb))
    scene = make_scene(portrait, assets, head_rig, fit.camera, fit.controls.astype(np.float32))
    rig, gaussians = lift_portrait(
        scene, iterations=QUALITIES[quality].iterations, seed=seed, device=device, progress=progress
    )
    avatar = Avatar(
        info=_info(assets, portrait, quality=quality, seed=seed),
        rig=rig,
        gaussians=gaussians,
        lighting=unlit(len(gaussians.triangle)),
        view=_portrait_view(portrait, fit),
        portrait_png=encoded_portrait(),
        thumbnail_png=b"",
    )
    avatar = with_lighting(by_importance(avatar, device))
    return replace(avatar, thumbnail_png=_thumbnail(avatar)), warnings


def load_lifting() -> None:
    """Import what lifting and refining take, most of it torch, and fetch the rasterizer's kernels from their cache."""
    import torch

    from likeness.avatar import importance  # noqa: F401
    from likeness.lifting import lift  # noqa: F401
    from likeness.rendering.covariances import scaled_covars
    from likeness.rendering.shares import shares

    one = torch.ones(1)
    covars = scaled_covars(torch.eye(3)[None], torch.ones(1, 3, requires_grad=True))
    covars.sum().backward()
    shares(torch.zeros(1, 3), covars.detach(), one, torch.eye(4), torch.eye(3), 1, 1)


def load_head(head: str) -> HeadAssets:
    """Return Open Head for `open`, else the FLAME model in the named file, completed with what FLAME lacks."""
    if head == "open":
        return load_open_head()
    from likeness.head.flame import load_flame
    from likeness.tracking.flame import complete_flame  # imports SciPy's interpolation, half a second

    return complete_flame(load_flame(Path(head)))


def _info(assets: HeadAssets, portrait: Portrait, *, quality: str, seed: int) -> AvatarInfo:
    return AvatarInfo(
        head_model=assets.name,
        head_model_hash=assets.content_hash,
        head_model_licence=assets.licence,
        portrait_sha256=portrait.photograph.sha256,
        settings={"quality": quality, "seed": seed},
        software_version=version("likeness"),
    )


def _portrait_view(portrait: Portrait, fit: HeadFit) -> PortraitView:
    """Take the working square's camera back to the whole photograph."""
    left, top, side = portrait.square
    scale = side / fit.camera.width
    from_square = np.array([[scale, 0, left], [0, scale, top], [0, 0, 1.0]])
    height, width = portrait.photograph.rgb.shape[:2]
    return PortraitView(
        K=(from_square @ fit.camera.K).astype(np.float32),
        T_camera_head=fit.camera.T_camera_head.astype(np.float32),
        width=width,
        height=height,
        controls=fit.controls.astype(np.float32),
        pose=np.zeros((len(JOINT_NAMES), 3), np.float32),
        face_square=(float(left), float(top), float(side)),
    )


def _thumbnail(avatar: Avatar) -> bytes:
    from likeness.avatar.animate import portrait_expression, prepare_avatar, render_avatar
    from likeness.avatar.pictures import encode_png, to_straight_uint8

    camera = face_camera(avatar, THUMBNAIL_SIZE, THUMBNAIL_SIZE)
    picture = render_avatar(prepare_avatar(avatar), camera, portrait_expression(avatar))
    return encode_png(to_straight_uint8(picture))
