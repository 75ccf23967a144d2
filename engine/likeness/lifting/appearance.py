"""What colour the skin has where the portrait does not show it.

Colour is albedo times light. The light is fitted to the seen skin (`lighting.py`), and the albedo, the seen colour
over that light, is continued over the unseen skin by a guided membrane (Perez et al., Poisson Image Editing, 2003, on
the mesh's graph, in logarithms): where the mirrored place is seen, its features' differences from vertex to vertex are
kept, without what runs on so smoothly that it may be a shadow; elsewhere it runs on smoothly from the border and, far
away, to the albedo of most of the skin. So the fill meets the seen skin without a step, and each side of a head keeps
its own light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from likeness.geometry.easing import smoothstep
from likeness.geometry.frames import vertex_normals
from likeness.head.assets import REGION_NAMES
from likeness.lifting.grain import Grain, gather_grain
from likeness.lifting.lighting import fit_light, light_transfer, shading
from likeness.lifting.outlines import features
from likeness.lifting.sampling import posed_samples, surface_points
from likeness.lifting.types import CHIN, UNDER_NOSE, Scene, SurfaceSamples
from likeness.lifting.visibility import Label, Visibility, beside_mouth, pixel_of, visible_points

CONFIDENT_FACING = 0.2
"""Cosine with the view above which a pixel's colour is trusted to be that skin's."""
FIRM_FACING = 0.5
"""Cosine from which on the seen colour is kept as it is; in between it gives way to the fill."""
FADING = (0.2, 0.5)
"""Cosines between which a pixel's colour takes the fill's place on the samples."""
LASH_REACH = 0.0035
"""Distance from the eye's opening within which lid pixels show lashes rather than lid, metres."""
SMOOTHING = 1.5
"""Pixels of blur in the colours taken to the vertices; finer detail is added back at the samples."""
DEPTH_TOLERANCE = 0.003
"""How far behind the seen surface a vertex may lie that is still seen, metres."""
EAR_PIXELS, COVERED_EAR = 20, 0.2
"""Pixels of an ear from which it can be told whether hair covers it, and the share of skin among them when it does."""
OTHER_HUE = 0.25
"""Share of its brightness by which a colour departs from the lit skin's when something else lies there."""
DARKEST_SKIN, DARKEST_BEARD = 0.5, 0.25
"""Least brightness beside the lit skin's, and that of a beard, between nose and chin."""
BRIGHTEST_SKIN, BRIGHTEST_NECK = 1.8, 1.4
"""Greatest, and that under the chin, where nothing shines but collars."""
FAINT = 0.12
"""Brightness under which hues are noise."""
DARKEST = 0.03
"""Colours are not told apart below this."""
HIGHLIGHT = 0.12
"""Most by which the logarithm of a copied albedo may exceed the skin's: what shines there does not shine elsewhere."""
REACH = 0.1
"""Distance over which the border's albedo falls back to that of most of the skin, metres."""
FEATURE = 0.004
"""Size up to which what differs in plain skin is a feature, which is copied, rather than a cast shadow, metres."""
BESIDE = 0.002
"""How far brows, eyes and lips may reach beyond their landmarks, metres."""
STRAY = 0.2
"""Difference from what runs on from the firmly seen albedo, in logarithms, at which a grazed one counts for a quarter:
the background shines through there, and light."""
RIM = (0.002, 0.012)
"""Distances from the outline between which a colour comes to count as firmly that skin's, metres: nearer to it an ear
may show on what the fit takes for the cheek."""
HUE_WEIGHT = 2.0
"""Weight of a departure in hue beside one in brightness: grazing light changes that alone."""
FIRMNESS = 100.0
"""Weight of a firmly seen albedo beside an edge's."""
EDGE = 0.0045
"""Usual length of the skin's edges, metres."""
INSIDE = [REGION_NAMES.index(name) for name in ("mouth_inside", "teeth_upper", "teeth_lower", "tongue")]
"""Regions that cast no shadow on the skin."""


@dataclass(frozen=True)
class SkinColors:
    """Skin colours known at every vertex, and how to find finer detail. V vertices of the rig."""

    vertex: Float[np.ndarray, "V 3"]
    foreground: Float[np.ndarray, "S S 3"]
    detail: Float[np.ndarray, "S S 3"]
    """The photograph minus its blurred self."""
    trusted: Bool[np.ndarray, "S S"]
    """Pixels that show skin, well inside the matte and away from grazing angles."""
    shown: Float[np.ndarray, "S S"]
    """How far a pixel's colour holds for the skin under it (0..1): less and less at grazing angles."""
    like_skin: Bool[np.ndarray, "S S"]
    """Pixels that might show skin by their colour in this light."""
    grain: Grain


def complete_skin(scene: Scene, view: Visibility) -> SkinColors:
    """Fill the skin's colours in on every vertex of the head."""
    foreground = np.asarray(scene.portrait.foreground, np.float64)
    lit, like_skin = _lit_skin(scene, view, foreground)
    on_skin = _skin_pixels(scene, view) & like_skin
    trusted = _this_side(scene, view, on_skin & (view.facing > CONFIDENT_FACING))
    blurred = blur_inside(foreground, trusted, SMOOTHING)
    trust, color = _seen_vertices(scene, view, trusted, blurred)
    albedo = _log(color) - _log(lit)
    vertex = np.exp(_continued_albedo(scene, trust, _bare_area(scene), albedo)) * lit
    _cover_ears(scene, view, like_skin, vertex)
    plain = trusted & ~scene.triangles_in("lips", "lids_left", "lids_right", "ears")[view.triangle]
    return SkinColors(
        vertex=np.clip(vertex, 0, 1),
        foreground=foreground,
        detail=foreground - blurred,
        trusted=trusted,
        shown=_shown(scene, view, trusted, blurred, vertex),
        like_skin=like_skin,
        grain=gather_grain(scene, view, foreground, plain),
    )


def _lit_skin(
    scene: Scene, view: Visibility, foreground: Float[np.ndarray, "S S 3"]
) -> tuple[Float[np.ndarray, "V 3"], Bool[np.ndarray, "S S"]]:
    """Return the colour that the portrait's light gives to skin everywhere, and the pixels that look like such skin."""
    transfer = np.zeros((len(scene.vertices), 9))
    head = scene.assets.faces[~np.isin(scene.assets.face_region, INSIDE)]
    count = scene.rig.head_vertices
    transfer[:count] = light_transfer(scene.vertices[:count], head, scene.vertices[np.unique(head)].mean(0))
    candidates = _skin_pixels(scene, view) & (view.facing > CONFIDENT_FACING)
    like_skin = np.ones_like(candidates)
    spread = _plain_area(scene)
    for _ in range(2):
        trusted = candidates & like_skin
        trust, color = _seen_vertices(scene, view, trusted, blur_inside(foreground, trusted, SMOOTHING))
        if not (trust * spread).any():
            return np.full((len(transfer), 3), 0.5), like_skin
        usable = trust * spread > 0
        lit = shading(transfer, fit_light(transfer[usable], color[usable], (trust * spread)[usable]))
        like_skin = ~_unlike_skin(scene, view, foreground, lit)
    return lit, like_skin


def _shown(
    scene: Scene,
    view: Visibility,
    on_skin: Bool[np.ndarray, "S S"],
    color: Float[np.ndarray, "S S 3"],
    vertex: Float[np.ndarray, "V 3"],
) -> Float[np.ndarray, "S S"]:
    """Tell how far pixels' colours hold for the skin under them: grazed ones only where they are like the fill."""
    likely = _likeness(_log(color) - _log(view.surface.interpolate(scene.rig.faces, vertex)))
    facing = smoothstep(view.facing, *FADING)
    firm = facing * _inwards(scene, view)
    return ndimage.gaussian_filter(on_skin.astype(np.float64), 1.0) * on_skin * facing * np.maximum(firm, likely)


def _likeness(departure: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
    """Rate departures of logarithms, 0..1 (Geman and McClure)."""
    brightness = departure.mean(-1, keepdims=True)
    hue = HUE_WEIGHT * np.abs(departure - brightness).max(-1)
    return 1 / (1 + (np.maximum(hue, np.abs(departure).max(-1)) / STRAY) ** 2) ** 2


def _this_side(scene: Scene, view: Visibility, grazed: Bool[np.ndarray, "S S"]) -> Bool[np.ndarray, "S S"]:
    """Keep the pieces of skin that hold some that is firmly seen: beyond the cheek's turn lie ear, hair and outline.

    Pieces part where depth steps more than skin at the most grazing trusted angle can.
    """
    steepest = np.sqrt(1 / CONFIDENT_FACING**2 - 1) * scene.metres_per_pixel
    depth = np.where(np.isfinite(view.depth), view.depth, 0)
    step = ndimage.maximum_filter(depth, 3) - ndimage.minimum_filter(depth, 3) > 2 * steepest
    pieces, _ = ndimage.label(grazed & ~step)
    firm = np.unique(pieces[grazed & ~step & (view.facing > FIRM_FACING)])
    return grazed & np.isin(pieces, firm[firm > 0])


def _inwards(scene: Scene, view: Visibility) -> Float[np.ndarray, "S S"]:
    """Rate how far pixels lie from the outline, 0..1: there an ear may show on what the fit takes for the cheek."""
    return smoothstep(view.to_outline * scene.metres_per_pixel, *RIM)


def sample_skin_colors(
    scene: Scene, view: Visibility, colors: SkinColors, samples: SurfaceSamples
) -> Float[np.ndarray, "N 3"]:
    """Colour surface samples: the vertices' fill with the seen skin's grain."""
    smooth = surface_points(samples, colors.vertex, scene.rig.faces)
    points, normals = posed_samples(samples, scene.vertices, scene.rig.faces)
    return np.clip(smooth * np.exp(colors.grain.at(points, normals))[:, None], 0, 1)


def _plain_area(scene: Scene) -> Float[np.ndarray, "V"]:
    """Area of plain skin (no lips, lids, ears) around each vertex, square metres."""
    faces = scene.rig.faces[scene.skin_triangles() & scene.triangles_in("face", "neck")]
    corners = scene.vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 6
    return np.bincount(faces.ravel(), np.repeat(area, 3), len(scene.vertices))


def _skin_pixels(scene: Scene, view: Visibility) -> Bool[np.ndarray, "S S"]:
    """Mark the pixels on the modelled skin, well inside the matte and away from lashes and an open mouth."""
    core = ndimage.binary_erosion(scene.portrait.alpha > 0.95, iterations=2)
    on_skin = ndimage.binary_erosion(view.label == Label.SKIN, iterations=1)
    reach = LASH_REACH / scene.metres_per_pixel
    eyes = ndimage.distance_transform_edt(view.label != Label.EYE) > reach
    return core & on_skin & eyes & ~beside_mouth(view)


def _unlike_skin(
    scene: Scene, view: Visibility, color: Float[np.ndarray, "S S 3"], lit: Float[np.ndarray, "V 3"]
) -> Bool[np.ndarray, "S S"]:
    """Mark pixels that only lie over the skin, for skin in this light would look otherwise: hair, frames, collars."""
    expected = np.maximum(view.surface.interpolate(scene.rig.faces, lit), DARKEST)
    ratio = color.mean(-1) / expected.mean(-1)
    dimmed = expected * ratio[..., None]
    hue = np.abs(color - dimmed).max(-1) / np.maximum(dimmed.mean(-1), FAINT)
    rows = np.arange(len(hue))[:, None]
    nose, chin = scene.portrait.landmarks[[UNDER_NOSE, CHIN], 1]
    darkest = np.where((rows > nose) & (rows < chin), DARKEST_BEARD, DARKEST_SKIN)
    brightest = np.where(rows < chin, BRIGHTEST_SKIN, BRIGHTEST_NECK)
    lips = scene.triangles_in("lips")[view.triangle] & (view.triangle >= 0)
    return (ratio < darkest) | ((ratio > brightest) | (hue > OTHER_HUE)) & ~lips


def _log(color: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    return np.log(np.maximum(color, DARKEST))


def _cover_ears(
    scene: Scene, view: Visibility, like_skin: Bool[np.ndarray, "S S"], vertex: Float[np.ndarray, "V 3"]
) -> None:
    """Give an ear that is under hair in the portrait the colour that covers it, in place."""
    foreground, solid = scene.portrait.foreground, scene.portrait.alpha > 0.9
    ears = scene.triangles_in("ears")
    left = scene.vertices[scene.rig.faces].mean(1)[:, 0] > 0
    for side in (ears & left, ears & ~left):
        pixels = (view.label == Label.SKIN) & side[view.triangle] & solid
        if pixels.sum() >= EAR_PIXELS and like_skin[pixels].mean() < COVERED_EAR:
            vertex[np.unique(scene.rig.faces[side])] = np.median(foreground[pixels & ~like_skin], 0)


def blur_inside(
    image: Float[np.ndarray, "S S 3"], mask: Bool[np.ndarray, "S S"], sigma: float
) -> Float[np.ndarray, "S S 3"]:
    """Blur an image without letting colours from outside the mask in; outside it stays as it is."""
    weight = ndimage.gaussian_filter(mask.astype(np.float64), sigma)
    total = ndimage.gaussian_filter(image * mask[..., None], (sigma, sigma, 0))
    return np.where(mask[..., None], total / np.maximum(weight, 1e-6)[..., None], image)


def _seen_vertices(
    scene: Scene, view: Visibility, trusted: Bool[np.ndarray, "S S"], blurred: Float[np.ndarray, "S S 3"]
) -> tuple[Float[np.ndarray, "V"], Float[np.ndarray, "V 3"]]:
    """Return how far the portrait's colour holds at each vertex (0..1), and that colour."""
    normals = vertex_normals(scene.vertices, scene.rig.faces)
    visible, facing, projected = visible_points(scene, view, scene.vertices, normals, DEPTH_TOLERANCE)
    row, column = pixel_of(projected, len(view.label))
    trust = smoothstep(facing, CONFIDENT_FACING, FIRM_FACING) * visible * trusted[row, column]
    trust *= _inwards(scene, view)[row, column]
    trust[scene.rig.head_vertices :] = 0
    return trust, blurred[row, column]


def _continued_albedo(
    scene: Scene, trust: Float[np.ndarray, "V"], plain: Float[np.ndarray, "V"], albedo: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "V 3"]:
    """Minimise the edges' sum of |a_i - a_j - g_ij|^2 with seen albedos a held; logarithms, 0 for most skin.

    The guide g is the seen albedo's own difference and, where only the mirrored place is seen, that of its features.
    A feature is what stands out from the plain skin around: that skin may be darker for a shadow or a beard only.
    """
    edges = _skin_edges(scene)
    rows, ends = np.tile(np.arange(len(edges)), 2), np.repeat([1.0, -1.0], len(edges))
    incidence = sparse.csr_matrix((ends, (rows, edges.T.ravel())), (len(edges), len(trust)))
    laplacian = incidence.T @ incidence
    trust = without_strays(laplacian, trust, albedo)
    shadows = _membrane(laplacian, trust * plain / FEATURE**2, albedo)
    mirror = np.arange(len(trust))
    mirror[: len(scene.assets.mirror)] = scene.assets.mirror
    features = np.minimum(albedo - shadows, HIGHLIGHT)[mirror]
    own, copied = trust[edges].min(1), trust[mirror][edges].min(1)
    guide = np.where((copied > own)[:, None], incidence @ features, incidence @ albedo)
    guide[np.maximum(own, copied) == 0] = 0
    return _membrane(laplacian, FIRMNESS * trust**2, albedo, (EDGE / REACH) ** 2, incidence.T @ guide)


def without_strays(
    laplacian: sparse.spmatrix, trust: Float[np.ndarray, "V"], albedo: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "V"]:
    """Trust grazed skin the less, the further it is from what runs on from the firmly seen."""
    expected = _membrane(laplacian, FIRMNESS * (trust == 1), albedo, (EDGE / REACH) ** 2)
    return np.where(trust < 1, trust * _likeness(albedo - expected), trust)


def _membrane(
    stiffness: sparse.spmatrix,
    hold: Float[np.ndarray, "V"],
    values: Float[np.ndarray, "V 3"],
    damping: float = 1e-4,
    pull: Float[np.ndarray, "V 3"] | float = 0.0,
) -> Float[np.ndarray, "V 3"]:
    """Solve for values that are held near the given ones and pulled elsewhere, and fall back to 0 by the damping."""
    system = stiffness + sparse.diags(hold + damping)
    return splu(system.tocsc()).solve(hold[:, None] * values + pull)


def _bare_area(scene: Scene) -> Float[np.ndarray, "V"]:
    """Area around each vertex of what is plain skin and no brow, square metres."""
    near = ndimage.binary_dilation(features(scene), iterations=max(round(BESIDE / scene.metres_per_pixel), 1))
    row, column = pixel_of(scene.camera.project(scene.vertices)[0], len(near))
    return _plain_area(scene) * ~near[row, column]


def _skin_edges(scene: Scene) -> Int[np.ndarray, "E 2"]:
    faces = scene.rig.faces[scene.skin_triangles() | scene.triangles_in("scalp")]
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return np.unique(edges, axis=0)
