"""The volume on the painted head: off the skull, closed behind, with a hairline, and complete beyond the photograph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from likeness.lifting.inflation import GRID, Cells
from likeness.lifting.parsing import Material
from likeness.lifting.skull import LEAST_HAIR, MOST_HAIR, Hairline, covered_skull, hair_thickness
from likeness.lifting.types import CHIN, UNDER_NOSE
from likeness.lifting.visibility import Label, explain_pixels
from likeness.lifting.volume import CROWN_RADIUS, _front, _is_long, inflate


@pytest.fixture(scope="module")
def volume(scene):
    return inflate(scene, explain_pixels(scene))


def test_hair_stays_off_the_skull_and_behind_the_face(scene, volume):
    view = explain_pixels(scene)
    scalp = scene.triangles_in("scalp")[view.surface.triangle] & (view.surface.triangle >= 0)
    inner = scalp & (view.to_outline > 6)
    assert (volume.front[inner] < view.surface.depth[inner]).mean() > 0.97
    assert np.isfinite(volume.vertices).all()


def test_the_back_encloses_the_skull(scene, volume):
    """Seen from behind nothing of the scalp sticks out of the hair."""
    scalp = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("scalp")])]
    behind = scalp[scalp[:, 2] < np.percentile(scalp[:, 2], 30)]
    back = volume.vertices[volume.faces[~volume.is_front]].mean(1)
    distance = np.linalg.norm(back[None] - behind[:, None], axis=2)
    nearest = back[distance.argmin(1)]
    assert (nearest[:, 2] < behind[:, 2] + 0.002).mean() > 0.97


def test_the_hairline_parts_scalp_from_neck(scene, volume):
    neck = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("neck")])]
    scalp = scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("scalp")])]
    assert (volume.hairline.inside(neck[neck[:, 1] < scalp[:, 1].min() - 0.01]) < 0).all()
    assert volume.hairline.inside(scalp[scalp[:, 1].argmax()][None])[0] > 0.02


def test_hair_rounds_off_towards_the_outline():
    """Hair whose thickness would set it far before the ears right at the outline is no cliff there; a bare head is."""
    cell, here = 0.003, np.hypot(*(np.mgrid[:GRID, :GRID] - GRID / 2))
    inside, nothing = here < 40, np.zeros((GRID, GRID), bool)
    cells = Cells(inside, ~nothing, nothing, nothing)
    middle, share, far = np.ones((GRID, GRID)), np.zeros((GRID, GRID)), np.full((GRID, GRID), np.inf)
    near = np.where(inside, 0.92, np.inf)
    rim = inside & (here > 38)
    haired, bare = (np.sqrt(_front(cells, near, skull, middle, share, cell)) for skull in (far, near))
    assert haired[rim].max() < np.sqrt(2 * CROWN_RADIUS * 2.5 * cell) < 0.05
    assert haired[here < 10].min() > 0.08
    assert bare[rim].min() > 0.08


def test_hairs_thickness_is_what_the_matte_shows_round_the_skull(scene):
    """A matte that is wider than the head by 2 cm tells hair 2 cm thick, and hair at the nape thins out."""
    grown = ndimage.distance_transform_edt(scene.portrait.alpha < 0.5) * scene.metres_per_pixel < 0.02
    wide = replace(scene, portrait=replace(scene.portrait, alpha=grown.astype(np.float32)))
    bare, thick = hair_thickness(scene), hair_thickness(wide)
    assert (bare >= LEAST_HAIR).all() and (thick <= MOST_HAIR).all()
    assert abs(np.median(thick) - 0.02) < 0.004
    pushed = covered_skull(wide, Hairline.of(wide, ("face", "ears", "neck")), thick)
    moved = np.linalg.norm(pushed - wide.vertices, axis=1)
    scalp = np.unique(wide.rig.faces[wide.triangles_in("scalp")])
    crown, nape = scalp[wide.vertices[scalp, 1].argmax()], scalp[wide.vertices[scalp, 1].argmin()]
    assert abs(moved[crown] - 0.02) < 0.005
    assert moved[nape] < 0.006
    assert moved[np.setdiff1d(np.arange(len(moved)), scalp)].max() == 0


def test_hair_that_stands_out_beside_the_head_lies_flat_behind_it(scene):
    """The same thickness all along the outline leaves much less of it on the back than on the crown."""
    pushed = covered_skull(scene, Hairline.of(scene, ("face", "ears", "neck")), np.full(72, 0.03))
    moved = np.linalg.norm(pushed - scene.vertices, axis=1)
    scalp = np.unique(scene.rig.faces[scene.triangles_in("scalp")])
    crown, back = scalp[scene.vertices[scalp, 1].argmax()], scalp[scene.vertices[scalp, 2].argmin()]
    assert moved[crown] > 0.02
    assert LEAST_HAIR < moved[back] < 0.5 * moved[crown]


@pytest.mark.parametrize(("begins", "long_hair"), [(0.0, True), (0.6, False)])
def test_what_lies_beside_the_chin_alone_is_no_long_hair(scene, begins, long_hair):
    """Long hair passes the jaw from the nose down; a fur collar or a beard begins further down."""
    view = explain_pixels(scene)
    nose, chin = scene.portrait.landmarks[[UNDER_NOSE, CHIN], 1]
    rows = np.arange(len(view.label))[:, None]
    beside = (view.label == Label.BACKGROUND) & (rows > nose + begins * (chin - nose)) & (rows < chin + 40)
    dressed = replace(
        view,
        label=np.where(beside, int(Label.VOLUME), view.label),
        material=np.where(beside, int(Material.HAIR), view.material),
    )
    alpha = np.where(beside, 1.0, scene.portrait.alpha).astype(np.float32)
    assert _is_long(replace(scene, portrait=replace(scene.portrait, alpha=alpha)), dressed) == long_hair


def test_a_crown_cut_off_by_the_photograph_is_completed(scene):
    """The volume reaches as high as the skull although the photograph ends at the forehead."""
    top = int(np.flatnonzero(scene.portrait.alpha.any(1))[0]) + 30
    valid = np.broadcast_to(np.arange(len(scene.portrait.alpha))[:, None] >= top, scene.portrait.valid.shape).copy()
    cut = replace(scene, portrait=replace(scene.portrait, valid=valid, alpha=scene.portrait.alpha * valid))
    volume = inflate(cut, explain_pixels(cut))
    highest = volume.vertices[volume.faces].reshape(-1, 3)[:, 1].max()
    assert highest > scene.vertices[np.unique(scene.rig.faces[scene.triangles_in("scalp")]), 1].max()
