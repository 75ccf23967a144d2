"""What colour hair and hats have where the portrait does not show them.

Near what is seen the colour runs on; further behind, each height of the head has the colour that it has in front. On
top lies the seen hair's own texture as a factor of brightness, so that no foreign colour comes along.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import cKDTree

from likeness.lifting.appearance import SkinColors, blur_inside
from likeness.lifting.palette import commonness
from likeness.lifting.parsing import Material
from likeness.lifting.places import Places
from likeness.lifting.quilting import quilt, strandedness
from likeness.lifting.reflection import Reflection
from likeness.lifting.spread import spread
from likeness.lifting.types import Scene
from likeness.lifting.visibility import Label, Visibility
from likeness.lifting.volume import Volume

DEEP = 0.014
"""Distance inside the outline at which no background shines through, metres."""
SHINES_THROUGH = 0.03
"""Distance from the outline up to which background shows between strands, metres."""
SOLID = 0.9
"""Alpha from which a pixel shows the person alone."""
FAMILIAR = 4e-4
"""How common a colour is among the deep hair's pixels from which on it is the hair's own."""
LIKELIER = 3.0
"""How many times more common a colour is in the background than in the deep hair when it is the background's."""
DIFFERENT = 0.12
"""Distance of a channel (0..1) from the hair's smooth colour from which a foreign colour matters."""
ALIKE_BESIDE = 0.1
"""Distance of a channel (0..1) from the background beside it up to which a pixel shows that background."""
DEPTHS_INSIDE = (0.008, 0.005, 0.0025, 0.0008)
"""Distances from the outline, metres: pixels further inside are the hair's own; the first that leaves enough holds."""
ENOUGH = 400
"""Pixels of a working square of 512 that are enough to know the hair by."""
ROW = 0.008
"""Height of the bands of the head that have one colour behind, metres."""
MIDDLE_SHARE = (0.2, 0.8)
"""Ranks between which a band's brightnesses are averaged: neither gaps nor highlights."""
SIDE = 0.06
"""Half width of the stripe in which the right half's colours pass into the left half's, metres."""
AROUND = 0.035
"""Distance behind the outline over which what is seen there gives way to the band's colour, metres."""
BACK_LIGHT = 0.88
"""Brightness of the back of the head as a share of the front's."""
LOCK = 0.009
"""Reach of the brightness that texture is relative to, metres."""
CONTRAST = (0.65, 1.6)
"""Least and greatest factor of the texture."""
FLOOR = 0.02
"""Brightness added to both sides of that factor: noise in black is no texture."""
ALIKE = 0.35
"""Distance of colours (0..1 each channel) over which the reflected ceases to be of what lies there."""
CHART = 0.7
"""Side of the texture's chart, metres."""
OVER_CHIN = 0.02
"""Torso's share under which a row belongs to the head."""
LEAST_HAIR = 0.02
"""Share of the head's pixels that must be hair or hat for the back of the head to have any."""
TEXTURE_BLUR = 0.7
"""Of the texture, pixels: one Gaussian covers more than one."""


@dataclass(frozen=True)
class HairPaint:
    """Colours of the unseen hair by place."""

    local: Float[np.ndarray, "S S 3"]
    """The seen hair's smooth colour, spread over the whole picture."""
    rows: Float[np.ndarray, "2 R 3"]
    """Colour of every band of the head's right and left half, from `lowest` upwards."""
    lowest: float
    """Head-space height of the first band's middle, metres."""
    texture: Float[np.ndarray, "T T"] | None
    """Factors of brightness on the chart, `pixel` metres each."""
    pixel: float
    strands: float
    """How much the texture runs in one direction, 0..1."""
    hair: Bool[np.ndarray, "S S"]
    """Where hair or hat is surely seen."""
    foreign: Bool[np.ndarray, "S S"]
    """Where between strands or at the outline colours show that the hair does not have further inside."""
    reflection: Reflection
    bald: bool
    scalp: cKDTree
    """Finds the scalp vertex whose filled-in skin colour a bald head shows."""
    scalp_color: Float[np.ndarray, "M 3"]

    @classmethod
    def of(
        cls, scene: Scene, view: Visibility, volume: Volume, colors: SkinColors, rng: np.random.Generator
    ) -> HairPaint:
        """Learn the hair's colours and texture from the portrait."""
        over_chin = (volume.torso_share < OVER_CHIN) & ~volume.torso
        hair, foreign = _hair(scene, view, volume)
        on_skin = ~np.isin(view.label, (Label.VOLUME, Label.BACKGROUND))
        scalp = np.unique(scene.rig.faces[scene.triangles_in("scalp")])
        bald = hair.sum() < LEAST_HAIR * (over_chin & (view.label != Label.BACKGROUND)).sum()
        core = _core(scene, view, hair)
        foreground = colors.foreground
        rows, lowest = _bands(scene, volume, foreground, core)
        factor = _texture_factors(scene, foreground, core)
        reflection = Reflection.of(scene, hair, volume.front, on_skin)
        side = round(CHART / scene.metres_per_pixel)
        texture = None
        if core.any() and not bald:
            texture = quilt(factor, core & reflection.shown, (side, side), rng)
            texture = quilt(factor, core, (side, side), rng) if texture is None else texture
        return cls(
            local=spread(foreground, core if core.any() else hair),
            rows=rows,
            lowest=lowest,
            texture=None if texture is None else ndimage.gaussian_filter(texture, TEXTURE_BLUR),
            pixel=scene.metres_per_pixel,
            strands=strandedness(foreground.mean(-1), core, 3.0) if core.any() else 0.0,
            hair=hair,
            foreign=foreign,
            reflection=reflection,
            bald=bool(bald),
            scalp=cKDTree(scene.vertices[scalp]),
            scalp_color=colors.vertex[scalp],
        )

    def smooth(
        self,
        points: Float[np.ndarray, "N 3"],
        row: Int[np.ndarray, "N"],
        column: Int[np.ndarray, "N"],
        behind: Float[np.ndarray, "N"],
    ) -> Float[np.ndarray, "N 3"]:
        """Return the colour without texture of points that project to these pixels, `behind` the outline (metres)."""
        if self.bald:
            return self.scalp_color[self.scalp.query(points)[1]]
        band = np.clip((points[:, 1] - self.lowest) / ROW, 0, self.rows.shape[1] - 1)
        first = np.minimum(band.astype(int), max(self.rows.shape[1] - 2, 0))
        second = np.minimum(first + 1, self.rows.shape[1] - 1)
        part = (band - first)[:, None]
        halves = (1 - part) * self.rows[:, first] + part * self.rows[:, second]
        left = np.clip(points[:, 0] / (2 * SIDE) + 0.5, 0, 1)[:, None]
        band_color = (1 - left) * halves[0] + left * halves[1]
        far = 1 - np.exp(-((np.maximum(behind, 0) / AROUND) ** 2))[:, None]
        light = 1 - (1 - BACK_LIGHT) * far
        return ((1 - far) * self.local[row, column] + far * band_color) * light

    def textured(
        self,
        scene: Scene,
        volume: Volume,
        places: Places,
        row: Int[np.ndarray, "N"],
        column: Int[np.ndarray, "N"],
    ) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N"]]:
        """Return the colours of places that show at these pixels, and how far they reflect what is seen, 0..1.

        Further behind it is the quilt on the bands' colours.
        """
        smooth = self.smooth(places.points, row, column, places.behind(scene, volume))
        textured = smooth * self.factor(places.chart)
        if self.bald:
            return textured, np.zeros(len(textured))
        reflection, share = self.reflection.colors(row, column, scene.camera.project(places.points)[1])
        # A hat's fur is not continued by the cap beside it.
        share = share * np.exp(-(((reflection - smooth) ** 2).sum(1) / ALIKE**2))
        return textured + share[:, None] * (reflection - textured), share

    def factor(self, chart: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 1"]:
        """Return the texture's factor at places on the chart (metres)."""
        if self.texture is None or self.bald:
            return np.ones((len(chart), 1))
        index = np.round(chart / self.pixel).astype(int) + len(self.texture) // 2
        # Beyond its side the chart comes back mirrored.
        period = 2 * len(self.texture)
        index %= period
        index = np.minimum(index, period - 1 - index)
        return self.texture[index[:, 1], index[:, 0]][:, None]


def _hair(scene: Scene, view: Visibility, volume: Volume) -> tuple[Bool[np.ndarray, "S S"], Bool[np.ndarray, "S S"]]:
    """Mark the head's pixels that surely show hair or hat, and those among it in colours it has only at its outline."""
    own = (view.label == Label.VOLUME) & (view.material == Material.HAIR) & ~volume.torso
    hair = ndimage.binary_erosion(own & (scene.portrait.alpha > 0.95), iterations=2)
    to_outline = view.to_outline * scene.metres_per_pixel
    deep = hair & (to_outline > DEEP)
    if deep.sum() < ENOUGH * (len(hair) / 512) ** 2:
        return hair, np.zeros_like(hair)
    foreground = scene.portrait.foreground
    share = commonness(foreground, deep)
    familiar = share > FAMILIAR
    background = (scene.portrait.alpha < 0.03) & scene.portrait.valid
    behind = commonness(scene.portrait.rgb, background)
    shows_behind = (behind > FAMILIAR) | (scene.portrait.alpha < SOLID)
    # Of two that could have the colour it is the background's that has it more often, unless it hardly matters.
    differs = np.abs(foreground - spread(foreground, deep)).max(-1) > DIFFERENT
    beside = np.abs(scene.portrait.rgb - spread(scene.portrait.rgb, background)).max(-1) < ALIKE_BESIDE
    likelier = differs & (beside | (behind > LIKELIER * share))
    foreign = own & (to_outline < SHINES_THROUGH) & (~familiar & shows_behind | likelier)
    return hair & ~foreign & (deep | familiar), foreign


def _core(scene: Scene, view: Visibility, hair: Bool[np.ndarray, "S S"]) -> Bool[np.ndarray, "S S"]:
    """Mark the hair's pixels far from the outline, where no background shines through the matte."""
    enough = ENOUGH * (len(hair) / 512) ** 2
    to_outline = view.to_outline * scene.metres_per_pixel
    for depth in DEPTHS_INSIDE:
        core = hair & (to_outline > depth)
        if core.sum() > max(enough, 0.3 * hair.sum()):
            return core
    return hair


def _bands(
    scene: Scene, volume: Volume, foreground: Float[np.ndarray, "S S 3"], core: Bool[np.ndarray, "S S"]
) -> tuple[Float[np.ndarray, "2 R 3"], float]:
    """Colour of the hair by head-space height, right and left: the mean of each band's middle brightnesses."""
    row, column = np.nonzero(core)
    if not len(row):
        return np.full((2, 2, 3), 0.5), 0.0
    pixels = np.stack([column, row], 1) + 0.5
    places = scene.camera.unproject(pixels, volume.front[row, column])
    lowest = float(places[:, 1].min())
    band = ((places[:, 1] - lowest) / ROW).astype(int)
    color = foreground[row, column]
    middle = _middle_ranks(band, color.mean(1))
    sums = []
    for share in (np.clip(0.5 - places[:, 0] / (2 * SIDE), 0, 1), np.clip(0.5 + places[:, 0] / (2 * SIDE), 0, 1)):
        values = np.c_[color, np.ones(len(color))][middle] * share[middle, None]
        sums.append(np.stack([np.bincount(band[middle], v, band.max() + 1) for v in values.T], 1))
    sums = np.stack(sums)
    # A band of which little is seen takes its neighbours' colour too, and the other side's.
    mixed = ndimage.gaussian_filter1d(sums, 1.0, axis=1, mode="nearest")
    mixed += 0.05 * mixed[::-1] + 0.05 * ndimage.gaussian_filter1d(sums, 4.0, axis=1)
    mixed += 0.01 * sums.mean((0, 1))
    return mixed[..., :3] / mixed[..., 3:], lowest + ROW / 2


def _middle_ranks(band: Int[np.ndarray, "N"], brightness: Float[np.ndarray, "N"]) -> Bool[np.ndarray, "N"]:
    """Mark what is neither among the darkest nor among the brightest of its band."""
    order = np.lexsort([brightness, band])
    total = np.bincount(band)
    rank = np.empty(len(band))
    rank[order] = (np.arange(len(band)) - np.repeat(np.cumsum(total) - total, total)) / np.repeat(total, total)
    return (rank >= MIDDLE_SHARE[0]) & (rank <= MIDDLE_SHARE[1])


def _texture_factors(
    scene: Scene, foreground: Float[np.ndarray, "S S 3"], core: Bool[np.ndarray, "S S"]
) -> Float[np.ndarray, "S S"]:
    """Brightness over the brightness around, within bounds."""
    light = foreground.mean(-1)
    around = blur_inside(foreground, core, LOCK / scene.metres_per_pixel).mean(-1)
    return np.clip((light + FLOOR) / (around + FLOOR), *CONTRAST)
