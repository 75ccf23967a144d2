"""Named regions of the head and the vertices nobody sees from outside."""

from __future__ import annotations

import numpy as np

from likeness.geometry.cameras import Camera, look_at_face
from likeness.head.assets import REGION_NAMES
from likeness.rendering.mesh import rasterize_mesh
from open_head import skeleton
from open_head.edge_loops import CONTACT, lid_faces, lip_loops
from open_head.surface import HeadSurface


def face_regions(surface: HeadSurface, mean: np.ndarray, loops: np.ndarray) -> np.ndarray:
    """Return the region index of every triangle; each belongs to exactly one. Symmetric by construction."""
    uv, center = surface.uv[surface.faces_uv].mean(1), mean[surface.faces].mean(1)
    body = surface.face_group == "body"
    mask = {name: surface.base.mask(name, uv) > 0.5 for name in ("lips", "ears", "inside-mouth")}
    region = np.full(len(uv), REGION_NAMES.index("face"))

    def assign(name: str, where: np.ndarray) -> None:
        region[where & body] = REGION_NAMES.index(name)

    height = skeleton.neck_height(center)
    assign("neck", (height < 1) | (center[:, 2] < -0.085))
    hairline = np.maximum(0.072 - 1.5 * np.maximum(-0.005 - center[:, 2], 0), -0.075)
    assign("scalp", center[:, 1] > hairline)
    assign("torso", height < 0)
    assign("ears", mask["ears"])
    red = np.isin(surface.faces, lip_loops(surface)[: CONTACT + 2]).all(1)
    assign("lips", mask["lips"] | red)
    assign("mouth_inside", mask["inside-mouth"])
    assign("lids_left", lid_faces(surface, loops[0]))
    assign("lids_right", lid_faces(surface, loops[1]))
    for group in np.unique(surface.face_group[~body]):
        region[surface.face_group == group] = REGION_NAMES.index(group)
    return _mirrored(surface, center, region)


def _mirrored(surface: HeadSurface, center: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Give the right half the left half's regions; the masks are not quite symmetric."""
    place = {frozenset(face): k for k, face in enumerate(surface.faces.tolist())}
    twin = np.array([place[frozenset(face)] for face in surface.mirror[surface.faces].tolist()])
    swap = {"left": "right", "right": "left"}
    twin_name = ["_".join(swap.get(word, word) for word in name.split("_")) for name in REGION_NAMES]
    twin_region = np.array([REGION_NAMES.index(name) for name in twin_name])
    return np.where(center[:, 0] < 0, twin_region[region[twin]], region)


GLIMPSE = 4
"""Pixels that a triangle must show in all views together to count as seen; less is a crack at a corner of the mouth."""


def hidden_vertices(surface: HeadSurface, mean: np.ndarray) -> np.ndarray:
    """Return (V,) bool: no triangle of the vertex shows in any view around the closed, resting head."""
    shown = np.zeros(len(surface.faces), int)
    corners = mean[surface.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])

    def facing(camera: Camera) -> np.ndarray:
        """The open chest lets a low view see the mouth from behind, which does not count."""
        return ((camera.center - corners[:, 0]) * normals).sum(1) > 0

    front = look_at_face(1.2, 2600.0, 1000, 1000)
    for yaw in np.radians(np.arange(-180, 180, 30)):
        for pitch in np.radians([-30.0, 0.0, 30.0, 60.0]):
            camera = front.orbited(yaw, pitch, np.array([0, -0.05, -0.08]))
            raster = rasterize_mesh(camera, mean, surface.faces)
            pixels = np.bincount(raster.triangle[raster.covered], minlength=len(shown))
            shown += pixels * facing(camera)
    hidden = np.ones(len(mean), bool)
    hidden[surface.faces[shown >= GLIMPSE]] = False
    return hidden & hidden[surface.mirror]
