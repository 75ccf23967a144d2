"""What the lifting stages share: the scene they look at and the layers of Gaussians they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.contract.avatar import BoundGaussians, Rig
from likeness.geometry.cameras import Camera
from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.portrait.types import Portrait

CHIN, UNDER_NOSE = 152, 2
"""MediaPipe's landmarks."""
ALPHA_FLOOR = 0.03
"""Pixels of the matte under this are background."""


@dataclass(frozen=True)
class Scene:
    """A portrait with the head fitted to it, as every lifting stage sees it. S is the working square's side."""

    portrait: Portrait
    camera: Camera
    assets: HeadAssets
    rig: Rig
    """With the scaffold appended."""
    controls: Float[np.ndarray, "E"]
    """The portrait's expression."""
    vertices: Float[np.ndarray, "V 3"]
    """The rig in the portrait's expression, head space, metres."""

    @property
    def metres_per_pixel(self) -> float:
        """At the depth of head space's origin."""
        return float(self.camera.T_camera_head[2, 3] / self.camera.K[0, 0])

    def triangles_in(self, *regions: str) -> Bool[np.ndarray, "F"]:
        """Mark the head's triangles that belong to one of the named regions; the scaffold's are never marked."""
        wanted = [REGION_NAMES.index(name) for name in regions]
        mask = np.zeros(len(self.rig.faces), bool)
        mask[: len(self.assets.faces)] = np.isin(self.assets.face_region, wanted)
        return mask

    def skin_triangles(self) -> Bool[np.ndarray, "F"]:
        """Mark the skin that is modelled as such: the face, the ears and as much of the neck as the head carries."""
        weights = self.rig.lbs_weights[self.rig.faces].mean(1)
        neck = self.triangles_in("neck") & (weights[:, 0] < 0.5)
        return neck | self.triangles_in("face", "ears", "lids_left", "lids_right", "lips")


@dataclass(frozen=True)
class Layer:
    """Some of the head's Gaussians, bound to the rig."""

    bound: BoundGaussians
    seen: Bool[np.ndarray, "N"]
    """Visible in the portrait: refinement may move and colour it. The others stay as they were filled in."""
    tint: Float[np.ndarray, "N"]
    """Most by which refinement may change each channel of a colour, 0..1: what is partly something else's colour in the
    portrait must not take that."""


@dataclass(frozen=True)
class SurfaceSamples:
    """Points on triangles."""

    triangle: Int[np.ndarray, "N"]
    bary: Float[np.ndarray, "N 3"]
    spacing: Float[np.ndarray, "N"]
    """Distance to the neighbours, metres."""


def join_layers(layers: list[Layer]) -> Layer:
    """Concatenate layers in order."""
    fields = BoundGaussians.__dataclass_fields__
    bound = BoundGaussians(**{name: np.concatenate([getattr(x.bound, name) for x in layers]) for name in fields})
    seen, tint = (np.concatenate([getattr(x, name) for x in layers]) for name in ("seen", "tint"))
    return Layer(bound=bound, seen=seen, tint=tint)


def keep(layer: Layer, mask: Bool[np.ndarray, "N"]) -> Layer:
    """Return the marked Gaussians of a layer."""
    fields = BoundGaussians.__dataclass_fields__
    bound = BoundGaussians(**{name: getattr(layer.bound, name)[mask] for name in fields})
    return Layer(bound, layer.seen[mask], layer.tint[mask])
