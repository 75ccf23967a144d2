"""gsplat behind the same function, for tensors on a CUDA device."""

from __future__ import annotations

from importlib import import_module

from torch import Tensor

from likeness.contract.errors import MachineError
from likeness.geometry.cameras import Lens

FAR = 1e10
"""gsplat's own default: it wants a number."""


def rasterize_cuda(
    means: Tensor,
    covars: Tensor,
    opacities: Tensor,
    colors: Tensor,
    viewmat: Tensor,
    K: Tensor,
    width: int,
    height: int,
    background: Tensor,
    lens: Lens,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return rgb, alpha and mean depth as `likeness.rendering.api.rasterize` does.

    gsplat 1.5 caps alpha at 0.999, 1.6 at 0.99 as we do; otherwise the rules are the same. Its backward pass adds up
    in no fixed order, so that refinement does not repeat itself to the bit.
    Errors: MachineError `gsplat.missing`.
    """
    try:
        gsplat = import_module("gsplat")
    except ImportError as error:
        raise MachineError(
            "gsplat.missing",
            "Drawing on a CUDA device needs gsplat, which is not installed.",
            "Install it with `pip install 'likeness[cuda]'`, or use --device cpu.",
        ) from error
    picture, alpha, _ = gsplat.rasterization(
        means=means,
        quats=None,
        scales=None,
        opacities=opacities,
        colors=colors,
        viewmats=viewmat.to(means)[None],
        Ks=K.to(means)[None],
        width=width,
        height=height,
        packed=False,
        backgrounds=background[None],
        render_mode="RGB+ED",
        covars=(covars + covars.mT) / 2,  # gsplat reads the upper triangle alone, and so would its gradient be
        camera_model="ortho" if lens.orthographic else "pinhole",
        near_plane=lens.near,
        far_plane=min(lens.far, FAR),
    )
    return picture[0, ..., :3], alpha[0, ..., 0], picture[0, ..., 3].detach()
