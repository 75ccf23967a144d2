"""From a fitted portrait to Gaussians on a rig: see, fill in, lift, refine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from likeness.contract.avatar import BoundGaussians, Rig
from likeness.contract.progress import Progress
from likeness.geometry.cameras import Camera
from likeness.geometry.threads import in_background
from likeness.head.assets import HeadAssets
from likeness.head.model import rig_vertices
from likeness.lifting.appearance import complete_skin
from likeness.lifting.eyes import lift_eyes
from likeness.lifting.glasses_lift import lift_glasses
from likeness.lifting.hair import lift_volume
from likeness.lifting.lips import open_lips
from likeness.lifting.mouth import lift_mouth
from likeness.lifting.refine import refine
from likeness.lifting.scaffold import add_scaffold, drop_unused_scaffold, loosen_cloth
from likeness.lifting.shoulders import bareness, with_collar
from likeness.lifting.skin import lift_skin
from likeness.lifting.types import Layer, Scene, join_layers
from likeness.lifting.visibility import Visibility, explain_pixels, openings
from likeness.lifting.volume import inflate
from likeness.lifting.yoke import lift_yoke, tuck_in
from likeness.portrait.types import Portrait


def lift_portrait(
    scene: Scene, *, iterations: int, seed: int, device: str, progress: Progress
) -> tuple[Rig, BoundGaussians]:
    """Return the avatar's rig, scaffold included, and its Gaussians.

    `iterations` counts refinement steps; `device` (`cpu` or `cuda`) is where they run. The same seed gives the same
    arrays on the same machine.
    """
    progress.update("lift", 0.0)
    scene = open_lips(scene, dict(openings(scene)).get("mouth", np.zeros(scene.portrait.alpha.shape, bool)))
    view = explain_pixels(scene)
    layer = lift_layers(scene, view, np.random.default_rng(seed), progress)
    gaussians = refine(scene, layer, iterations=iterations, device=device, progress=progress)
    loose = loosen_cloth(scene.rig, bareness(scene, view, scene.vertices))
    rig, triangle = drop_unused_scaffold(loose, gaussians.triangle)
    return rig, replace(gaussians, triangle=triangle)


def make_scene(
    portrait: Portrait, assets: HeadAssets, rig: Rig, camera: Camera, controls: Float[np.ndarray, "E"]
) -> Scene:
    """Add a scaffold to the fitted rig and pose it as in the portrait. `camera` is of the working square."""
    with_scaffold = add_scaffold(rig, assets)
    vertices = rig_vertices(with_scaffold, controls, np.zeros((len(rig.parents), 3), np.float32))
    return Scene(portrait, camera, assets, with_scaffold, controls, vertices)


def lift_layers(scene: Scene, view: Visibility, rng: np.random.Generator, progress: Progress) -> Layer:
    """Lift every part of the head, unrefined."""
    inflated = in_background(lambda: inflate(scene, view))
    colors = complete_skin(scene, view)
    volume = inflated()
    volume = replace(volume, torso=with_collar(volume.torso, view))
    progress.update("lift", 0.5)
    layers = [
        *tuck_in(scene, volume, lift_skin(scene, view, colors, rng)),
        *lift_eyes(scene, view, colors, rng),
        *lift_mouth(scene, view, colors, rng),
        *lift_glasses(scene, view),
        *lift_volume(scene, view, volume, colors, rng),
        *lift_yoke(scene, view, volume, rng),
    ]
    progress.update("lift", 1.0)
    return join_layers(layers)
