"""Refinement: gradient steps through the rasterizer until the portrait's own view is the photograph.

Only Gaussians that the portrait shows are touched, and they may only slide in the picture's plane, change size, opacity
and colour: depth and orientation, which one picture cannot tell, stay those of the surface.

In one camera a Gaussian always lies before or behind its neighbour, and the fit would lean on that: where the head
turns, neighbours change places and the pixel pops. So most steps draw in the order in which another camera would see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from likeness.binding.affine import bind
from likeness.contract.avatar import BoundGaussians
from likeness.contract.progress import Progress
from likeness.geometry.frames import triangle_frames
from likeness.lifting.adam import Adam
from likeness.lifting.sampling import LOW_PASS
from likeness.lifting.types import Layer, Scene
from likeness.rendering.api import rasterize
from likeness.rendering.covariances import scaled_covars
from likeness.rendering.shares import shares

RATES = {"shift": 0.12, "log_scale": 0.04, "logit": 0.1, "color": 0.04}
"""Adam's learning rates; the shift is in pixels of the working square."""
LAST_PART = 0.3
"""Share of the steps at the end that run at `LAST_RATE` times the rates."""
LAST_RATE = 0.3
SCALE_PRIOR = 1e-4
COLOR_PRIOR = 0.3
"""Weight, per pixel of the picture, of a Gaussian's departure from the colour it was lifted with: one that is nearly
hidden must not take a false colour to make up for what hides it."""
EDGE_WEIGHT = 0.5
"""Weight of the L1 error of neighbouring pixels' differences, beside that of the pixels."""
SQUARE_WEIGHT = 20.0
"""Weight of the squared error beside the absolute: it counts as much at a departure of 1/20, and more beyond."""
REORDERED, REORDERED_UNTIL = 0.5, 0.85
"""Share of the steps that draw in another camera's order, and share of the fit after which none does."""
STEEPEST_TILT = 1.0
"""Most by which the order's plane is tilted, depth per metre across: what a turn by 45 degrees does."""
LEAST_AWAY = 0.3
"""Least factor of a distance from the eye then: a wide lens reaches rays where the tilt would pass the camera."""
LEAST_SHARE = 0.01
"""Pixels that an unseen Gaussian must make up to be drawn. Two thirds of them lie behind others."""
BACKGROUNDS = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5), (1.0, 0.0, 1.0), (0.0, 1.0, 0.0))
"""Cycled through, so that no Gaussian can pass for background."""
SCALE_RANGE = (-0.35, 0.5)
"""Logarithm of the sizes' least and largest factor."""
MOST_WIDENING = 2.0
MAX_OPACITY = 0.985
SOLID = 0.9
"""Alpha from which the photograph itself is the target rather than the matte's foreground."""


@dataclass(frozen=True)
class _Posed:
    """Gaussians in the portrait's pose as torch tensors on the working device."""

    means: torch.Tensor
    basis: torch.Tensor
    opacities: torch.Tensor
    colors: torch.Tensor


def refine(scene: Scene, layer: Layer, *, iterations: int, device: str, progress: Progress) -> BoundGaussians:
    """Fit the seen Gaussians to the portrait and return all of them, bound again."""
    rows = np.concatenate([np.flatnonzero(layer.seen), _showing(scene, layer, device)])
    seen_count = int(layer.seen.sum())
    tint = torch.tensor(layer.tint[rows[:seen_count]], dtype=torch.float32, device=device)
    model = _SeenModel(scene, _posed(scene, layer.bound, rows, device), seen_count, tint)
    target = _Target(scene, device)
    optimizer = Adam([(parameter, RATES[name]) for name, parameter in model.parameters.items()])
    tilts = _tilts(iterations)
    for step in range(iterations):
        background = torch.tensor(BACKGROUNDS[step % len(BACKGROUNDS)], device=device)
        image = model.render(background, tilts[step])
        # Handing the gradient to `backward` would make torch import SymPy, for most of a second.
        loss = torch.dot(image.flatten(), target.gradient(image.detach(), background).flatten()) + model.prior()
        loss.backward()
        optimizer.step(1.0 if step < round(iterations * (1 - LAST_PART)) else LAST_RATE)
        model.keep_in_range()
        progress.update("refine", (step + 1) / iterations)
    return _bound_again(scene, layer.bound, rows[:seen_count], model.posed_seen())


class _SeenModel:
    """The parameters of the seen Gaussians, which come first, and the fixed rest."""

    def __init__(self, scene: Scene, posed: _Posed, seen_count: int, tint: torch.Tensor | None = None) -> None:
        device = posed.means.device
        self.scene, self.posed, self.count = scene, posed, seen_count
        self.viewmat = torch.tensor(scene.camera.T_camera_head, dtype=torch.float32, device=device)
        self.K = torch.tensor(scene.camera.K, dtype=torch.float32, device=device)
        in_camera = posed.means @ self.viewmat[:3, :3].T + self.viewmat[:3, 3]
        self.eye = -self.viewmat[:3, :3].T @ self.viewmat[:3, 3]
        self.ray = in_camera[:, :2] / in_camera[:, 2:]
        self.pixel = in_camera[:seen_count, 2:] / self.K[0, 0]
        fixed_basis = posed.basis[seen_count:]
        self.fixed_covars = fixed_basis @ fixed_basis.transpose(1, 2)
        self.shift = torch.zeros(seen_count, 2, device=device, requires_grad=True)
        self.log_scale = torch.zeros(seen_count, 2, device=device, requires_grad=True)
        self.logit = torch.logit(posed.opacities[:seen_count].clamp(0.02, MAX_OPACITY)).requires_grad_()
        self.color = posed.colors[:seen_count].clone().requires_grad_()
        most = 1.0 if tint is None else tint[:, None]
        lifted = self.color.detach()
        self.darkest, self.brightest = (lifted - most).clamp(min=0), (lifted + most).clamp(max=1)

    @property
    def parameters(self) -> dict[str, torch.Tensor]:
        return {"shift": self.shift, "log_scale": self.log_scale, "logit": self.logit, "color": self.color}

    def seen(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Means, scales of the bases' columns and opacities of the seen Gaussians as the parameters have them."""
        means = self.posed.means[: self.count] + (self.shift * self.pixel) @ self.viewmat[:2, :3]
        scale = torch.exp(torch.nn.functional.pad(self.log_scale, (0, 1)))
        return means, scale, torch.sigmoid(self.logit).clamp(max=MAX_OPACITY)

    def render(self, background: torch.Tensor, tilt: Float[np.ndarray, "2"]) -> torch.Tensor:
        """Draw the portrait; with a tilt, its Gaussians in the order of depths that change by it across the picture.

        Each is scaled about the eye, by 1 + tilt . (x/z, y/z): its picture stays the same and its depth does not. What
        lies on one ray keeps its order, and neighbours swap as they do when the camera goes round them.
        """
        means, scale, opacities = self.seen()
        fixed = slice(self.count, None)
        means = torch.cat([means, self.posed.means[fixed]])
        covars = torch.cat([scaled_covars(self.posed.basis[: self.count], scale), self.fixed_covars])
        if tilt.any():
            away = 1 + self.ray @ torch.tensor(tilt, dtype=torch.float32, device=self.ray.device)[:, None]
            away = away.clamp(min=LEAST_AWAY)
            means, covars = self.eye + away * (means - self.eye), away[..., None] ** 2 * covars
        size = self.scene.camera.width
        return rasterize(
            means,
            covars,
            torch.cat([opacities, self.posed.opacities[fixed]]),
            torch.cat([self.color, self.posed.colors[fixed]]),
            self.viewmat,
            self.K,
            size,
            size,
            background=background,
            learnt=self.count,
        ).rgb

    def prior(self) -> torch.Tensor:
        """Keep sizes and colours near those lifted."""
        color_change = (self.color - self.posed.colors[: self.count]).square().sum()
        pixels = self.scene.camera.width * self.scene.camera.height
        return SCALE_PRIOR * self.log_scale.square().mean() + COLOR_PRIOR * color_change / pixels

    def keep_in_range(self) -> None:
        """Project colours and sizes near the lifted ones: much smaller, Gaussians would part from the side."""
        with torch.no_grad():
            self.color.clamp_(self.darkest, self.brightest)
            self.log_scale.clamp_(*SCALE_RANGE)

    def posed_seen(self) -> _Posed:
        with torch.no_grad():
            means, scale, opacities = self.seen()
            basis = self.posed.basis[: self.count] * scale[:, None, :]
            return _Posed(means, basis, opacities, self.color.detach())


class _Target:
    """The portrait cut out, over any background."""

    def __init__(self, scene: Scene, device: str) -> None:
        portrait = scene.portrait
        alpha = np.asarray(portrait.alpha, np.float32)[..., None]
        color = np.where(alpha > SOLID, portrait.rgb, portrait.foreground).astype(np.float32)
        self.premultiplied = torch.tensor(color * alpha, device=device)
        # Three channels of each: torch is slow where it has to repeat one for all.
        self.transparency = torch.tensor(1 - alpha, device=device).expand(-1, -1, 3).contiguous()
        self.valid = (
            torch.tensor(portrait.valid.astype(np.float32), device=device)[..., None].expand(-1, -1, 3).contiguous()
        )

    def gradient(self, image: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
        """Return the derivative by the image of `loss`, which is what a step needs, at a third of autograd's time."""
        error = torch.addcmul(image - self.premultiplied, self.transparency, background, value=-1).mul_(self.valid)
        gradient = error.sign().add_(error, alpha=2 * SQUARE_WEIGHT).div_(error.numel())
        for axis in (0, 1):
            edges = error.diff(dim=axis).sign_()
            share = EDGE_WEIGHT / edges.numel()
            gradient.narrow(axis, 1, edges.shape[axis]).add_(edges, alpha=share)
            gradient.narrow(axis, 0, edges.shape[axis]).sub_(edges, alpha=share)
        return gradient.mul_(self.valid)


def _showing(scene: Scene, layer: Layer, device: str) -> Int[np.ndarray, "M"]:
    """Return the rows of unseen Gaussians that the portrait shows nonetheless; the others need not be drawn."""
    posed = _posed(scene, layer.bound, np.arange(len(layer.seen)), device)
    viewmat, K = (
        torch.tensor(m, dtype=torch.float32, device=device) for m in (scene.camera.T_camera_head, scene.camera.K)
    )
    size = scene.camera.width
    shown = shares(posed.means, posed.basis @ posed.basis.mT, posed.opacities, viewmat, K, size, size)
    return np.flatnonzero(~layer.seen & (shown.cpu().numpy() > LEAST_SHARE))


def _tilts(iterations: int) -> Float[np.ndarray, "T 2"]:
    """Return each step's tilt of the order, evenly over a disc, zero where the portrait's own order is drawn."""
    rng = np.random.default_rng(0)
    radius, angle = STEEPEST_TILT * np.sqrt(rng.random(iterations)), 2 * np.pi * rng.random(iterations)
    reordered = (rng.random(iterations) < REORDERED) & (np.arange(iterations) < REORDERED_UNTIL * iterations)
    return (radius * reordered)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)


def _posed(scene: Scene, bound: BoundGaussians, order: np.ndarray, device: str) -> _Posed:
    frames, origins = triangle_frames(scene.vertices.astype(np.float64), scene.rig.faces)
    triangle = bound.triangle[order]
    means = origins[triangle] + np.einsum("nij,nj->ni", frames[triangle], bound.local_mean[order])
    basis = frames[triangle] @ bound.local_basis[order]

    def tensor(array: Float[np.ndarray, "*n"]) -> torch.Tensor:
        return torch.tensor(array, dtype=torch.float32, device=device)

    return _Posed(tensor(means), tensor(basis), tensor(bound.opacities[order]), tensor(bound.colors[order]))


def _with_low_pass(scene: Scene, basis: Float[np.ndarray, "N 3 3"]) -> Float[np.ndarray, "N 3 3"]:
    """Give Gaussians the width that the rasterizer's low-pass lent them at the working size.

    Drawn at the photograph's own size the low-pass is smaller by s^2, s being working pixels per own pixel, and what
    was fitted with it would fall into dots. So 0.3 (1 - s^2) square pixels are added along both tangents.
    """
    camera = scene.camera
    shrink = min(1.0, camera.width / scene.portrait.square[2])
    added = LOW_PASS * (1 - shrink**2) * scene.metres_per_pixel**2
    in_picture = camera.rotation[:2] @ basis[:, :, :2]
    width = np.maximum((in_picture**2).sum(1), 1e-12)
    # A tangent that points at the camera has no width to speak of, and needs none.
    wider = np.minimum(np.sqrt(1 + added / width), MOST_WIDENING)
    return np.concatenate([basis[:, :, :2] * wider[:, None, :], basis[:, :, 2:]], 2)


def _bound_again(scene: Scene, bound: BoundGaussians, rows: np.ndarray, posed: _Posed) -> BoundGaussians:
    """Put the refined rows back in place; the others keep their binding to the bit."""
    means, basis, opacities, colors = (
        getattr(posed, name).cpu().numpy().astype(np.float64) for name in ("means", "basis", "opacities", "colors")
    )
    basis = _with_low_pass(scene, basis)
    local_mean, local_basis = bind(means, basis, bound.triangle[rows], scene.vertices, scene.rig.faces)
    updated = {n: getattr(bound, n).copy() for n in ("local_mean", "local_basis", "opacities", "colors")}
    new = {"local_mean": local_mean, "local_basis": local_basis, "opacities": opacities, "colors": colors}
    for name, values in new.items():
        updated[name][rows] = values
    return replace(bound, **updated)
