"""The CUDA path: what gsplat is asked for, checked by a stand-in that demands what gsplat 1.5.3 and 1.6.0 demand.

The stand-in draws with the readable twin on the CPU, so that a wrong camera, covariance or background shows. The real
gsplat is compared where there is a CUDA device.
"""

from __future__ import annotations

import importlib.machinery
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from likeness.contract.errors import MachineError
from likeness.geometry.cameras import PINHOLE, Camera, Lens, look_at_face
from likeness.rendering import device
from likeness.rendering.api import rasterize
from likeness.rendering.cuda import rasterize_cuda
from likeness.rendering.reference import rasterize_reference

WIDTH, HEIGHT = 48, 40
ON_CUDA = pytest.mark.skipif(bool(device.missing_for_cuda()), reason=f"CUDA: {device.missing_for_cuda()}")


def scene(seed=4, count=150):
    """Means, covariances, opacities and colours, float32."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0] * rng.lognormal(np.log(0.01), 0.6, (count, 1, 3))
    arrays = rng.normal(0, 0.1, (count, 3)), basis @ basis.transpose(0, 2, 1), rng.uniform(0.1, 0.95, count)
    return [torch.from_numpy(array).float() for array in (*arrays, rng.random((count, 3)))]


def camera() -> Camera:
    seen = look_at_face(distance=1.0, focal=110.0, width=WIDTH, height=HEIGHT).orbited(0.5, 0.2, np.zeros(3))
    seen.K[0, 2] += 3.3
    return seen


def constants():
    seen = camera()
    return torch.from_numpy(seen.T_camera_head).float(), torch.from_numpy(seen.K).float(), WIDTH, HEIGHT


class StandIn:
    """gsplat.rasterization's signature, shapes and meaning, for one camera without batches."""

    def rasterization(
        self, means, quats, scales, opacities, colors, viewmats, Ks, width, height, near_plane=0.01, far_plane=1e10,
        radius_clip=0.0, eps2d=0.3, packed=True, backgrounds=None, render_mode="RGB", rasterize_mode="classic",
        camera_model="pinhole", covars=None,
    ):  # fmt: skip
        count = len(means)
        assert quats is None and scales is None and covars.shape == (count, 3, 3)
        assert opacities.shape == (count,) and colors.shape == (count, 3)
        assert viewmats.shape == (1, 4, 4) and Ks.shape == (1, 3, 3) and backgrounds.shape == (1, 3)
        assert (eps2d, radius_clip, rasterize_mode, render_mode) == (0.3, 0.0, "classic", "RGB+ED")
        assert {tensor.dtype for tensor in (means, covars, viewmats, Ks, backgrounds)} == {torch.float32}
        assert np.isfinite(far_plane) and not packed
        upper = covars.triu()  # gsplat reads no more of them
        covars = upper + upper.mT - torch.diag_embed(covars.diagonal(dim1=1, dim2=2))
        lens = Lens(orthographic={"ortho": True, "pinhole": False}[camera_model], near=near_plane, far=far_plane)
        rgb, alpha, depth = rasterize_reference(
            means, covars, opacities, colors, viewmats[0], Ks[0], width, height, backgrounds[0], lens
        )
        return torch.cat([rgb, depth[..., None]], -1)[None], alpha[None, ..., None], {}


@pytest.fixture
def gsplat(monkeypatch):
    monkeypatch.setitem(sys.modules, "gsplat", StandIn())


@pytest.mark.parametrize("lens", [PINHOLE, Lens(orthographic=True, near=0.5, far=1.05)])
def test_gsplat_is_asked_for_what_the_cpu_draws(gsplat, lens):
    background, viewmat_K = torch.tensor([0.2, 0.4, 0.6]), constants()
    results = []
    for draw in (rasterize, rasterize_cuda):
        inputs = [tensor.clone().requires_grad_() for tensor in scene()]
        drawn = draw(*inputs, *viewmat_K, background, lens)
        rgb, alpha, depth = drawn if isinstance(drawn, tuple) else (drawn.rgb, drawn.alpha, drawn.depth)
        assert rgb.shape == (HEIGHT, WIDTH, 3) and alpha.shape == depth.shape == (HEIGHT, WIDTH)
        assert not depth.requires_grad
        (rgb.square().sum() + alpha.sum()).backward()
        results.append([rgb.detach(), alpha.detach(), depth, *(tensor.grad for tensor in inputs)])
    assert results[0][1].max() > 0.5, "there is something to see"
    for ours, theirs in zip(*results, strict=True):
        assert torch.linalg.norm(ours - theirs) < 5e-3 * torch.linalg.norm(ours)


def test_without_gsplat_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gsplat", None)
    with pytest.raises(MachineError, match=r"gsplat\.missing"):
        rasterize_cuda(*[torch.zeros(0)] * 6, 4, 4, torch.zeros(3), PINHOLE)


@pytest.mark.parametrize(
    ("kernels", "compiler", "said"),
    [("csrc.cpython-311.so", None, ""), ("", "/usr/local/cuda", ""), ("", None, "nvcc")],
)
def test_gsplat_that_cannot_draw_is_not_chosen(monkeypatch, tmp_path, kernels, compiler, said):
    """Its wheel compiles itself at the first call, and without a compiler every call would fail."""
    if kernels:
        (tmp_path / kernels).touch()
    found = importlib.machinery.ModuleSpec("gsplat", None, is_package=True)
    found.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: found)))
    monkeypatch.setattr("torch.utils.cpp_extension.CUDA_HOME", compiler)
    assert said in device.missing_for_cuda() and bool(device.missing_for_cuda()) == bool(said)
    assert device.choose_device("auto") == ("cpu" if said else "cuda")


@ON_CUDA
def test_the_real_gsplat_draws_the_same():
    results = []
    for where in ("cpu", "cuda"):
        inputs = [tensor.to(where).detach().requires_grad_() for tensor in scene()]
        out = rasterize(*inputs, *constants(), torch.tensor([0.2, 0.4, 0.6]))
        (out.rgb.square().sum() + out.alpha.sum()).backward()
        grads = [tensor.grad.cpu() for tensor in inputs]
        results.append([tensor.detach().cpu() for tensor in (out.rgb, out.alpha, out.depth)] + grads)
    for ours, theirs in zip(*results, strict=True):
        assert torch.linalg.norm(ours - theirs) < 5e-3 * torch.linalg.norm(ours)
