"""Print how long the rasterizer takes: `python tests/bench/bench_rendering.py`. Nothing else should run meanwhile.

The scene resembles a lifted head: 100,000 Gaussians on an ellipsoid that fills 45 % of the picture, two thirds of them
in front and a pixel wide, the others behind and three pixels wide.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from likeness.geometry.threads import configure_threads

configure_threads()

import machine  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from likeness.binding.affine import bind, pose  # noqa: E402
from likeness.contract.avatar import BoundGaussians  # noqa: E402
from likeness.geometry.cameras import Camera, look_at_face  # noqa: E402
from likeness.rendering.api import rasterize, render  # noqa: E402
from likeness.rendering.cpu import draw, draw_backward  # noqa: E402
from likeness.rendering.projection import Scene, make_view  # noqa: E402

COUNT = 100_000


def head_like_scene(count: int = COUNT) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return means, covars, opacities, colors, float32."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    front = rng.random(count) < 2 / 3
    direction[:, 2] = np.where(front, 1, -1) * np.abs(direction[:, 2])
    tangent = np.cross(direction, [0.3, 1.0, 0.2])
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    axes = np.stack([tangent, np.cross(direction, tangent), direction], -1)
    scales = rng.lognormal(0, 0.3, (count, 3)) * np.where(front, 0.0006, 0.0018)[:, None] * [1, 1, 0.3]
    basis = axes * scales[:, None]
    arrays = (direction * [0.1, 0.14, 0.1], basis @ basis.transpose(0, 2, 1), rng.uniform(0.3, 0.98, count))
    return *(array.astype(np.float32) for array in arrays), rng.random((count, 3), np.float32)


def make_iteration(scene: tuple[np.ndarray, ...], camera: Camera) -> Callable[[], None]:
    """Return one step of a refinement: draw, L1 against a picture, backward, Adam over everything."""
    parameters = [torch.from_numpy(array.copy()).requires_grad_() for array in scene]
    optimizer = torch.optim.Adam(parameters, lr=1e-6, fused=True)
    target = torch.full((camera.height, camera.width, 3), 0.5)
    viewmat, K = torch.from_numpy(camera.T_camera_head), torch.from_numpy(camera.K)

    def iterate() -> None:
        picture = rasterize(*parameters, viewmat, K, camera.width, camera.height)
        loss = (picture.rgb - target).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return iterate


def make_pose(scene: tuple[np.ndarray, ...], triangles: int = 13_000) -> Callable[[], object]:
    """Return one re-posing of the scene, bound to random triangles."""
    rng = np.random.default_rng(1)
    vertices = rng.normal(0, 0.1, (triangles // 2, 3))
    faces = rng.integers(0, len(vertices), (triangles, 3)).astype(np.int32)
    triangle = rng.integers(0, triangles, COUNT).astype(np.int32)
    local = bind(scene[0], rng.normal(0, 0.001, (COUNT, 3, 3)), triangle, vertices, faces)
    bound = BoundGaussians(triangle, *local, scene[2], scene[3], np.zeros(COUNT, np.int32))
    vertices = vertices.astype(np.float32)
    return lambda: pose(bound, vertices, faces)


def make_passes(scene: tuple[np.ndarray, ...], camera: Camera) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return the forward and the backward pass without torch."""
    view = make_view(camera.T_camera_head, camera.K, camera.width, camera.height)
    black, gradient = np.zeros(3, np.float32), np.full((camera.height, camera.width, 3), 1e-3, np.float32)
    drawing = draw(Scene(*scene), view, black)
    alpha, count = gradient[..., 0].copy(), len(scene[0])
    return lambda: draw(Scene(*scene), view, black), lambda: draw_backward(drawing, gradient, alpha, count)


def median_ms(function: Callable[[], object], repeats: int = 15) -> float:
    """Return the median wall time in milliseconds, after one unmeasured call."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def cameras() -> tuple[Camera, Camera]:
    """Return the same view at 512 and at 1024 pixels."""
    camera = look_at_face(distance=1.0, focal=3.2 * 512, width=512, height=512)
    return camera, camera.resized(1024, 1024)


def main() -> None:
    """Measure and print a table."""
    scene = head_like_scene()
    small, large = cameras()
    iterate = make_iteration(scene, small)
    start = time.perf_counter()
    iterate()
    first = time.perf_counter() - start
    forward, backward = make_passes(scene, small)
    rows = {
        "first iteration (compiles, or loads the cache)": 1e3 * first,
        "forward, 512": median_ms(forward),
        "backward, 512": median_ms(backward),
        "refinement iteration, 512, L1, Adam": median_ms(iterate),
        "render, 1024": median_ms(lambda: render(large, *scene)),
        "pose": median_ms(make_pose(scene)),
    }
    with machine.busy_processes():
        rows["refinement iteration beside two busy processes"] = median_ms(iterate, 40)
    print(f"{machine.describe()}; {COUNT} Gaussians, milliseconds (median)")
    for name, value in rows.items():
        print(f"{name:50s} {value:9.1f}")
    slower = rows["refinement iteration beside two busy processes"] / rows["refinement iteration, 512, L1, Adam"]
    print(f"{'slower beside two busy processes':50s} {slower:9.2f} x")


if __name__ == "__main__":
    main()
