"""The kernels against their readable torch twin, in value and gradient, and the twin against finite differences."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.contract.errors import InputError
from likeness.geometry.cameras import PINHOLE, Camera, Lens, look_at_face
from likeness.rendering.api import rasterize, render
from likeness.rendering.reference import rasterize_reference

NAMES = ("means", "covars", "opacities", "colors")


def _camera(width: int, height: int) -> Camera:
    """Look at the head from the side, with the principal point off centre."""
    camera = look_at_face(distance=1.0, focal=110.0, width=width, height=height).orbited(0.5, 0.2, np.zeros(3))
    camera.K[0, 2] += 3.3
    return camera


def _covariances(rng: np.random.Generator, scales: np.ndarray) -> np.ndarray:
    turned = np.linalg.qr(rng.normal(size=(len(scales), 3, 3)))[0] * scales[:, None, :]
    return turned @ turned.transpose(0, 2, 1)


def _scene(seed: int, count: int, *, size: float = 0.01, spread: float = 0.1, opacity=(0.1, 1.0), stretch=0.6):
    """Draw Gaussians around the origin as float64 tensors."""
    rng = np.random.default_rng(seed)
    covars = _covariances(rng, rng.lognormal(np.log(size), stretch, (count, 3)))
    arrays = (rng.normal(0, spread, (count, 3)), covars, rng.uniform(*opacity, count), rng.random((count, 3)))
    return [torch.from_numpy(array).float().double() for array in arrays]


def _both(scene, width, height, seed=0, lens=PINHOLE):
    """Return (pictures, gradients) of the kernels and of the twin for one random linear loss of rgb and alpha."""
    camera, rng = _camera(width, height), np.random.default_rng(seed)
    viewmat, K = torch.from_numpy(camera.T_camera_head), torch.from_numpy(camera.K)
    background = torch.tensor(rng.random(3))
    weights = torch.from_numpy(rng.normal(size=(height, width, 4)))
    results = []
    for function, dtype in ((rasterize, torch.float32), (rasterize_reference, torch.float64)):
        inputs = [tensor.to(dtype).requires_grad_() for tensor in scene]
        output = function(*inputs, viewmat, K, width, height, background.to(dtype), lens)
        rgb, alpha, depth = output if isinstance(output, tuple) else (output.rgb, output.alpha, output.depth)
        (rgb * weights[..., :3].to(dtype)).sum().add((alpha * weights[..., 3].to(dtype)).sum()).backward()
        pictures = [tensor.detach().double().numpy() for tensor in (rgb, alpha, depth)]
        results.append((pictures, [tensor.grad.double().numpy() for tensor in inputs]))
    return results


def _assert_twins(scene, width=45, height=37, *, tolerance=2e-3, lens=PINHOLE):
    (pictures, grads), (twin_pictures, twin_grads) = _both(scene, width, height, lens=lens)
    for name, ours, theirs in zip(("rgb", "alpha", "depth"), pictures, twin_pictures, strict=True):
        off = np.abs(ours - theirs)
        # A pair within rounding of a threshold (1/255, 1e-4) may fall on the other side of it.
        assert np.mean(off > 2e-5) < 5e-3 and off.max() < 5e-3, (name, off.max())
    for name, ours, theirs in zip(NAMES, grads, twin_grads, strict=True):
        error = np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), 1e-9)
        assert np.isfinite(ours).all() and error < tolerance, (name, error)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    count=st.integers(1, 60),
    size=st.sampled_from([1e-4, 3e-3, 0.02, 0.08]),
    opacity=st.sampled_from([(0.004, 0.3), (0.1, 1.0), (0.95, 1.0)]),
    width=st.integers(1, 50),
    height=st.integers(1, 50),
)
def test_agrees_with_the_twin(seed, count, size, opacity, width, height):
    _assert_twins(_scene(seed, count, size=size, opacity=opacity), width, height)


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("anisotropic", {"stretch": 1.6}),
        ("overlapping and opaque", {"spread": 0.005, "size": 0.03, "opacity": (0.9, 1.0), "count": 200}),
        ("overlapping and thin", {"spread": 0.02, "size": 0.05, "opacity": (0.01, 0.05), "count": 400}),
        ("mostly off screen", {"spread": 0.4, "size": 0.05, "count": 150}),
        ("around the camera", {"spread": 1.0, "size": 0.02, "count": 200}),
        ("huge", {"size": 0.5, "stretch": 0.2, "count": 10}),
        ("tiny", {"size": 1e-7, "count": 100}),
    ],
)
def test_agrees_with_the_twin_at_the_edges(what, options):
    options = {"count": 60, **options}
    _assert_twins(_scene(7, options.pop("count"), **options))


def test_equal_depths_keep_their_order():
    scene = _scene(3, 12, size=0.03, opacity=(0.5, 0.9))
    camera = _camera(32, 32)
    forward = torch.from_numpy(camera.rotation[2])
    scene[0] -= (scene[0] @ forward)[:, None] * forward
    scene[0] = scene[0][:1].expand(12, 3).clone()
    _assert_twins(scene, 32, 32)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**20), count=st.integers(1, 60), size=st.sampled_from([3e-3, 0.02, 0.08]))
def test_orthographic_lenses_agree_with_the_twin(seed, count, size):
    _assert_twins(_scene(seed, count, size=size), lens=Lens(orthographic=True))


def test_only_what_lies_within_the_lenses_range_is_drawn():
    lens = Lens(near=0.9, far=1.2)
    _assert_twins(_scene(11, 80, size=0.02, spread=0.3), lens=lens)
    depth = _both(_scene(11, 80, size=0.02, spread=0.3), 45, 37, lens=lens)[0][0][2]
    assert depth.max() <= 1.2 and depth[depth > 0].min() > 0.9


@pytest.mark.parametrize("lens", [PINHOLE, Lens(orthographic=True)])
def test_the_twin_passes_gradcheck(lens):
    camera = _camera(9, 7)
    scene = [tensor.requires_grad_() for tensor in _scene(5, 6, size=0.02, spread=0.02, opacity=(0.2, 0.8))]
    constants = (torch.from_numpy(camera.T_camera_head), torch.from_numpy(camera.K), 9, 7, torch.rand(3).double(), lens)

    def picture(means, covars, opacities, colors):
        symmetric = (covars + covars.mT) / 2
        return rasterize_reference(means, symmetric, opacities, colors, *constants)[:2]

    # A step that crosses 1/255 would show as a jump; this scene has none.
    assert torch.autograd.gradcheck(picture, scene, eps=1e-7, atol=1e-4, rtol=1e-3)


def test_one_gaussian_by_hand():
    """In the middle of a pixel, opacity 0.5: alpha there is 0.5, rgb half the colour, depth its own."""
    camera = look_at_face(distance=2.0, focal=100.0, width=21, height=21)
    eye = np.eye(3)[None] * 1e-10
    picture = render(camera, np.zeros((1, 3)), eye, np.array([0.5]), np.array([[1.0, 0.5, 0.25]]))
    np.testing.assert_allclose(picture.rgb[10, 10], [0.5, 0.25, 0.125], atol=1e-6)
    np.testing.assert_allclose([picture.alpha[10, 10], picture.depth[10, 10]], [0.5, 2.0], atol=1e-5)
    np.testing.assert_allclose(picture.alpha[10, 11], 0.5 * np.exp(-0.5 / 0.3), rtol=1e-4)
    assert picture.alpha[0, 0] == picture.depth[0, 0] == 0


def test_a_finished_pixel_takes_no_more():
    """0.99 then 0.985 leave 1.5e-4; the third would leave less than 1e-4 and is not drawn at all."""
    camera = look_at_face(distance=2.0, focal=100.0, width=1, height=1)
    means = np.array([[0, 0, 0.3], [0, 0, 0.2], [0, 0, 0.1]])
    colors = np.array([[0, 0, 0], [0, 0, 0], [1.0, 1, 1]])
    picture = render(camera, means, np.tile(np.eye(3), (3, 1, 1)), np.array([0.999, 0.985, 0.9]), colors)
    np.testing.assert_allclose(picture.alpha, 1 - 0.01 * 0.015, atol=1e-7)
    assert picture.rgb.max() == 0


@pytest.mark.parametrize("count", [0, 3])
def test_nothing_to_see_is_the_background(count):
    """No Gaussians, or only such as cannot be drawn."""
    scene = [tensor.float().requires_grad_() for tensor in _scene(0, count)]
    with torch.no_grad():
        if count:
            scene[0][0], scene[1][1], scene[2][2] = torch.nan, torch.inf, 1 / 256
    camera = _camera(20, 10)
    out = rasterize(
        *scene,
        torch.from_numpy(camera.T_camera_head),
        torch.from_numpy(camera.K),
        20,
        10,
        torch.tensor([0.1, 0.2, 0.3]),
    )
    assert out.rgb.shape == (10, 20, 3)
    np.testing.assert_allclose(out.rgb.detach(), np.broadcast_to(np.float32([0.1, 0.2, 0.3]), (10, 20, 3)))
    assert not out.alpha.any() and not out.depth.any()
    out.rgb.sum().backward()
    assert all((tensor.grad == 0).all() for tensor in scene)


def test_a_picture_covered_too_many_times_is_refused(monkeypatch):
    monkeypatch.setattr("likeness.rendering.binning.MAX_PAIRS", 100)
    covars = np.tile(np.eye(3), (20, 1, 1))
    with pytest.raises(InputError, match=r"gaussians\.too_large"):
        render(_camera(64, 64), np.zeros((20, 3)), covars, np.ones(20), np.ones((20, 3)))


def test_same_bits_whatever_the_threads(monkeypatch):
    scene = [tensor.float().numpy() for tensor in _scene(1, 3000)]
    results = []
    for cores in (1, 2, 5):
        monkeypatch.setattr("likeness.geometry.threads.core_count", lambda cores=cores: cores)
        tensors = [torch.from_numpy(array).requires_grad_() for array in scene]
        camera = _camera(200, 130)
        out = rasterize(*tensors, torch.from_numpy(camera.T_camera_head), torch.from_numpy(camera.K), 200, 130)
        (out.rgb.sum() + out.alpha.square().sum()).backward()
        results.append([out.rgb, out.alpha, out.depth, *(tensor.grad for tensor in tensors)])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_numpy_and_torch_draw_the_same():
    scene = [tensor.float() for tensor in _scene(2, 500)]
    camera = _camera(64, 48)
    torch_picture = rasterize(*scene, torch.from_numpy(camera.T_camera_head), torch.from_numpy(camera.K), 64, 48)
    numpy_picture = render(camera, *(tensor.numpy() for tensor in scene))
    np.testing.assert_array_equal(torch_picture.rgb, numpy_picture.rgb)
    np.testing.assert_array_equal(torch_picture.depth, numpy_picture.depth)


def test_what_is_learnt_has_the_same_gradients_beside_what_is_not():
    scene, camera = _scene(5, 60, size=0.03), _camera(45, 37)
    viewmat, K = (torch.tensor(m, dtype=torch.float32) for m in (camera.T_camera_head, camera.K))
    grads = []
    for learnt in (None, 25):
        leaves = [array.float().requires_grad_() for array in scene]
        rasterize(*leaves, viewmat, K, 45, 37, learnt=learnt).rgb.square().sum().backward()
        grads.append([leaf.grad for leaf in leaves])
    for every, some in zip(*grads, strict=True):
        torch.testing.assert_close(some[:25], every[:25], rtol=1e-4, atol=1e-4)
        assert every[25:].any() and not some[25:].any()


def test_a_picture_changed_in_place_is_refused():
    scene = [tensor.float().requires_grad_() for tensor in _scene(2, 5)]
    camera = _camera(8, 8)
    out = rasterize(*scene, torch.from_numpy(camera.T_camera_head), torch.from_numpy(camera.K), 8, 8)
    loss = out.rgb.sum()
    with torch.no_grad():
        scene[0] += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_kernels_compile_without_a_writable_package(tmp_path):
    """A package folder that cannot be written sends the compiled code to NUMBA_CACHE_DIR."""
    code = "from likeness.rendering.binning import _argsort; import numpy; _argsort(numpy.ones(3, numpy.uint32))"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=300)
    assert list(tmp_path.rglob("*.nbi"))
