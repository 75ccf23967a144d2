"""From a fitted portrait to Gaussians on a rig: see, fill in, lift, refine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from likeness.contract.avatar import BoundGaussians, Rig
from likeness.contract.progress import Progress
from likeness.head.assets import HeadAssets
from likeness.head.model import bake_rig, rig_vertices
from likeness.lifting.appearance import complete_skin
from likeness.lifting.eyes import lift_eyes
from likeness.lifting.hair import lift_volume
from likeness.lifting.mouth import lift_mouth
from likeness.lifting.refine import refine
from likeness.lifting.scaffold import add_scaffold, drop_unused_scaffold
from likeness.lifting.skin import lift_skin
from likeness.lifting.types import Layer, Scene, join_layers
from likeness.lifting.visibility import explain_pixels
from likeness.lifting.volume import inflate
from likeness.portrait.types import Portrait
from likeness.tracking.types import HeadFit


def lift_portrait(
    portrait: Portrait,
    fit: HeadFit,
    assets: HeadAssets,
    *,
    iterations: int,
    seed: int,
    device: str,
    progress: Progress,
) -> tuple[Rig, BoundGaussians]:
    """Return the avatar's rig, scaffold included, and its Gaussians.

    `iterations` counts refinement steps; `device` (`cpu` or `cuda`) is where they run. The same seed gives the same
    arrays on the same machine.
    """
    scene = make_scene(portrait, fit, assets)
    layer = lift_layers(scene, np.random.default_rng(seed), progress)
    gaussians = refine(scene, layer, iterations=iterations, device=device, progress=progress)
    rig, triangle = drop_unused_scaffold(scene.rig, gaussians.triangle)
    return rig, replace(gaussians, triangle=triangle)


def make_scene(portrait: Portrait, fit: HeadFit, assets: HeadAssets) -> Scene:
    """Bake the fitted identity into a rig with a scaffold, posed as in the portrait."""
    rig = add_scaffold(bake_rig(assets, fit.betas, fit.offsets), assets)
    controls = fit.controls.astype(np.float32)
    vertices = rig_vertices(rig, controls, np.zeros((len(rig.parents), 3), np.float32))
    return Scene(portrait, fit.camera, assets, rig, controls, vertices)


def lift_layers(scene: Scene, rng: np.random.Generator, progress: Progress) -> Layer:
    """Lift every part of the head, unrefined."""
    progress.update("lift", 0.0)
    view = explain_pixels(scene)
    colors = complete_skin(scene, view)
    volume = inflate(scene, view)
    progress.update("lift", 0.5)
    layers = [
        *lift_skin(scene, view, colors, rng),
        *lift_eyes(scene, view, colors, rng),
        *lift_mouth(scene, view, colors, rng),
        *lift_volume(scene, view, volume, colors, rng),
    ]
    progress.update("lift", 1.0)
    return join_layers(layers)
