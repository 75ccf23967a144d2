"""A FLAME head completed from Open Head: against a made-up FLAME whose truth is known, and on FLAME's real surface."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from flame_files import FLAME_SURFACE, flame2020_pickle, real_surface_arrays, smooth_directions
from scipy.spatial import cKDTree

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import Part
from likeness.geometry.cameras import look_at_face
from likeness.head.assets import REGION_NAMES, HeadAssets
from likeness.head.flame import EXPR_NAMES, load_flame
from likeness.head.flame_arkit import arkit_controls
from likeness.head.flame_map import SKIN_REGIONS, region_faces
from likeness.head.model import bake_rig, forward, ibug_landmarks, landmarks, load_open_head, prepare_identity
from likeness.head.registration import Mesh, closest_points
from likeness.portrait.detectors import detect_mesh
from likeness.rendering.mesh import rasterize_mesh, shade
from likeness.tracking import flame as flame_module
from likeness.tracking.flame import complete_flame, register_open_head

FACE = ("face", "lips", "lids_left", "lids_right")
MOUTH = ("mouth_inside", "teeth_upper", "teeth_lower", "tongue")
SHIFT, SCALE = np.array([0.0, 0.03, 0.02]), 1.04


@dataclass(frozen=True)
class Known:
    """A FLAME-like head cut out of an Open Head of another identity, so that every correspondence is known."""

    flame: HeadAssets
    completed: HeadAssets
    members: np.ndarray
    open_head: HeadAssets

    @property
    def count(self) -> int:
        return len(self.members)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    open_head = load_open_head()
    shown = region_faces(open_head, *SKIN_REGIONS, "eye_left", "eye_right")
    shown &= (open_head.v_template[open_head.faces][:, :, 1] > -0.2).all(1)
    members, faces = np.unique(open_head.faces[shown], return_inverse=True)
    betas = np.random.default_rng(5).normal(0, 0.6, open_head.shapedirs.shape[-1])
    vertices = (open_head.v_template + open_head.shapedirs @ betas)[members] * SCALE + SHIFT
    flame = replace(
        open_head,
        name="flame",
        content_hash="made up",
        v_template=vertices.astype(np.float32),
        faces=faces.reshape(-1, 3).astype(np.int32),
        uv=open_head.uv[: len(members)],
        faces_uv=faces.reshape(-1, 3).astype(np.int32),
        shapedirs=open_head.shapedirs[members],
        exprdirs=smooth_directions(vertices / 0.05, 100, np.random.default_rng(6)).astype(np.float32),
        expr_names=EXPR_NAMES,
        posedirs=open_head.posedirs[members],
        J_regressor=open_head.J_regressor[:, members],
        lbs_weights=open_head.lbs_weights[members],
        face_region=np.zeros(int(shown.sum()), np.int32),
        hidden=np.zeros(len(members), bool),
        mirror=np.zeros(len(members), np.int32),
        lid_loops=None,
    )
    completed = complete_flame(flame, tmp_path_factory.mktemp("cache"))
    return Known(flame, completed, members, open_head)


@pytest.fixture(scope="module")
def real_flame(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> HeadAssets:
    file = tmp_path_factory.mktemp("flame") / "flame2023_Open.pkl"
    file.write_bytes(flame2020_pickle(real_surface_arrays(shared_data)))
    return load_flame(file)


@pytest.fixture(scope="module")
def real(real_flame: HeadAssets, tmp_path_factory: pytest.TempPathFactory) -> HeadAssets:
    return complete_flame(real_flame, tmp_path_factory.mktemp("cache"))


@pytest.fixture(params=["known", "real"])
def head(request: pytest.FixtureRequest) -> HeadAssets:
    found = request.getfixturevalue(request.param)
    return found.completed if isinstance(found, Known) else found


def face_vertices(head: HeadAssets) -> np.ndarray:
    return np.unique(head.faces[region_faces(head, *FACE)])


def shape(head: HeadAssets, name: str) -> np.ndarray:
    return head.exprdirs[:, :, head.expr_names.index(name)]


def posed(head: HeadAssets, controls: dict[str, float], betas: np.ndarray | None = None) -> np.ndarray:
    values = np.zeros(len(head.expr_names))
    for name, value in controls.items():
        values[head.expr_names.index(name)] = value
    betas = np.zeros(head.shapedirs.shape[-1]) if betas is None else betas
    return forward(prepare_identity(head, betas), values, np.zeros((5, 3))).astype(float)


def eye_pixels(head: HeadAssets, vertices: np.ndarray, yaw: float = 0.0) -> int:
    """Count the pixels that see an eyeball."""
    center = vertices[np.unique(head.faces[region_faces(head, "eye_left", "eye_right")])].mean(0)
    camera = look_at_face(1.0, 4000.0, 600, 600)
    camera.T_camera_head[:3, 3] -= camera.rotation @ center
    seen = rasterize_mesh(camera.orbited(yaw, 0.0, center), vertices, head.faces).triangle
    return int(region_faces(head, "eye_left", "eye_right")[seen[seen >= 0]].sum())


def test_landmarks_are_found_where_open_head_has_them(known: Known):
    mapped = np.full(len(known.open_head.v_template), -1)
    mapped[known.members] = np.arange(known.count)
    corners = mapped[known.open_head.faces[known.open_head.landmark_faces]]
    usable = (corners >= 0).all(1)
    truth = np.einsum("nk,nkc->nc", known.open_head.landmark_bary, known.flame.v_template[corners])
    distance = np.linalg.norm(landmarks(known.completed.v_template, known.completed) - truth, axis=1)[usable]
    assert usable.sum() > 400 and np.median(distance) < 0.003 and np.mean(distance) < 0.004


def test_regions_are_open_heads(known: Known):
    shown = region_faces(known.open_head, *SKIN_REGIONS, "eye_left", "eye_right")
    shown &= (known.open_head.v_template[known.open_head.faces][:, :, 1] > -0.2).all(1)
    truth = known.open_head.face_region[shown]
    agreement = known.completed.face_region[: len(truth)] == truth
    assert agreement.mean() > 0.85
    assert agreement[np.isin(truth, [REGION_NAMES.index("eye_left"), REGION_NAMES.index("eye_right")])].all()
    assert agreement[truth == REGION_NAMES.index("lips")].mean() > 0.75


@pytest.mark.parametrize(
    ("name", "bound"),
    [("jawOpen", 0.2), ("mouthSmileLeft", 0.2), ("mouthPucker", 0.2), ("cheekPuff", 0.25), ("noseSneerLeft", 0.4),
     ("browDownRight", 0.5), ("browInnerUp", 0.7)],
)  # fmt: skip
def test_shapes_do_what_open_heads_do(known: Known, name: str, bound: float):
    """Brows are the weakest: neither form nor a bare head's picture tells where they grow."""
    truth = shape(known.open_head, name)[known.members] * SCALE
    counted = face_vertices(known.completed)
    counted = counted[~known.completed.hidden[counted]]
    error = np.linalg.norm(shape(known.completed, name)[counted] - truth[counted], axis=1)
    motion = np.linalg.norm(truth[counted], axis=1)
    assert np.sqrt((error**2).mean()) < bound * np.sqrt((motion**2).mean())


def test_flames_own_vertices_triangles_and_directions_come_first_and_unchanged(known: Known):
    flame, completed, count = known.flame, known.completed, known.count
    assert np.array_equal(completed.v_template[:count], flame.v_template)
    assert np.array_equal(completed.faces[: len(flame.faces)], flame.faces)
    assert np.array_equal(completed.shapedirs[:count], flame.shapedirs)
    assert np.array_equal(completed.exprdirs[:count, :, 52:], flame.exprdirs)
    assert completed.expr_names == ARKIT_NAMES + EXPR_NAMES
    assert completed.content_hash == flame.content_hash


def test_cache_gives_the_same_head_back(known: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flame_module, "register_open_head", lambda *_: pytest.fail("the cache was not used"))
    file = tmp_path / "flame-x.npz"
    flame_module._to_cache(file, known.completed)
    again = flame_module._from_cache(file, known.flame)
    assert all(np.array_equal(getattr(again, name), value) for name, value in vars(known.completed).items()
               if isinstance(value, np.ndarray))  # fmt: skip
    assert again.expr_names == known.completed.expr_names
    file.write_bytes(file.read_bytes()[:1000])
    assert flame_module._from_cache(file, known.flame) is None


def test_unwritable_cache_is_no_error(known: Known):
    flame_module._to_cache(Path("/proc/nowhere/flame.npz"), known.completed)


def test_arrays_fit_each_other_and_bake_into_a_rig(head: HeadAssets):
    rig = bake_rig(head, np.zeros(head.shapedirs.shape[-1]))
    assert rig.control_names[:52] == ARKIT_NAMES
    assert (rig.face_part == Part.MOUTH).sum() > 500 and (rig.face_part == Part.EYE).sum() > 500
    assert np.allclose(head.lbs_weights.sum(1), 1, atol=1e-5)
    assert head.uv.min() >= 0 and head.uv.max() <= 1 and head.faces_uv.max() < len(head.uv)
    assert np.abs(head.v_template[head.mirror] - head.v_template * [-1, 1, 1]).max() < 0.012
    assert np.isfinite(head.exprdirs).all() and np.isfinite(head.shapedirs).all()


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_blinks_close_on_every_identity(head: HeadAssets, seed: int | None):
    betas = np.zeros(head.shapedirs.shape[-1])
    if seed is not None:
        betas[:60] = np.random.default_rng(seed).normal(0, 1, 60)
    closed = posed(head, {"eyeBlinkLeft": 1, "eyeBlinkRight": 1}, betas)
    for yaw in (-0.5, 0.0, 0.5):
        assert eye_pixels(head, closed, yaw) <= 0.02 * eye_pixels(head, posed(head, {}, betas), yaw)


def test_lashes_ride_on_the_lids(head: HeadAssets):
    """At rest and in a blink of any identity, lashes lie where the lids' edges are."""
    betas = np.zeros(head.shapedirs.shape[-1])
    betas[:60] = np.random.default_rng(3).normal(0, 1, 60)
    rest, closed = posed(head, {}, betas), posed(head, {"eyeBlinkLeft": 1}, betas)
    lashes = np.unique(head.faces[region_faces(head, "lashes_left")])
    lids = np.unique(head.faces[region_faces(head, "lids_left")])
    for vertices in (rest, closed):
        assert cKDTree(vertices[lids]).query(vertices[lashes])[0].max() < 0.012
    edges = landmarks(closed, head)
    upper = lashes[np.argsort(rest[lashes, 1])[-20:]]
    assert np.ptp(edges[[386, 374], 1]) < 0.004  # the edges meet
    assert (rest - closed)[upper, 1].mean() > 0.7 * (landmarks(rest, head) - edges)[386, 1] > 0.003


def test_blinks_stay_on_their_side(head: HeadAssets):
    face = face_vertices(head)
    for name, sign in (("eyeBlinkLeft", -1), ("eyeBlinkRight", 1)):
        other = face[head.v_template[face, 0] * sign > 0.005]  # the other side's skin
        assert np.linalg.norm(shape(head, name)[other], axis=1).max() < 0.001


def test_eyes_turn_without_changing_their_form(head: HeadAssets):
    for side, sign in (("left", 1), ("right", -1)):
        ball = np.unique(head.faces[region_faces(head, f"eye_{side}")])
        joint = (head.J_regressor @ head.v_template)[3 if side == "left" else 4]
        moved = head.v_template[ball] + shape(head, f"eyeLookOut{side.capitalize()}")[ball]
        radii = np.linalg.norm(head.v_template[ball] - joint, axis=1), np.linalg.norm(moved - joint, axis=1)
        assert np.allclose(*radii, atol=1e-6)
        front = head.v_template[ball, 2].argmax()
        assert (moved - head.v_template[ball])[front, 0] * sign > 0.004  # outwards, away from the nose


def test_mouth_lies_inside_and_opens(head: HeadAssets):
    rest, opened = posed(head, {}), posed(head, {"jawOpen": 1})
    lower = np.unique(head.faces[region_faces(head, "teeth_lower")])
    upper = np.unique(head.faces[region_faces(head, "teeth_upper")])
    lips = np.unique(head.faces[region_faces(head, "lips")])
    assert rest[np.concatenate([lower, upper]), 2].max() < rest[lips, 2].max()
    assert (rest - opened)[lower, 1].mean() > 0.012 and np.abs(rest - opened)[upper].max() < 0.002
    camera = look_at_face(1.0, 2000.0, 500, 500)
    camera.T_camera_head[:3, 3] -= camera.rotation @ rest[lips].mean(0)
    inside = region_faces(head, *MOUTH)
    seen = {name: rasterize_mesh(camera, v, head.faces).triangle for name, v in (("rest", rest), ("open", opened))}
    assert inside[seen["open"][seen["open"] >= 0]].sum() > 1500 > 100 > inside[seen["rest"][seen["rest"] >= 0]].sum()


def test_mouth_follows_the_identity(head: HeadAssets):
    """Scaling directions would tell: the parts' directions must continue those of the skin around them."""
    lips = np.unique(head.faces[region_faces(head, "lips")])
    teeth = np.unique(head.faces[region_faces(head, "teeth_upper", "teeth_lower")])
    for direction in range(5):
        skin, part = head.shapedirs[lips, :, direction].mean(0), head.shapedirs[teeth, :, direction].mean(0)
        assert np.linalg.norm(skin - part) < 0.5 * np.linalg.norm(skin) + 0.0005


def test_detector_sees_a_smile_and_an_open_mouth(head: HeadAssets):
    colors = np.tile([0.8, 0.58, 0.47], (len(head.v_template), 1))
    colors[np.unique(head.faces[region_faces(head, "lips")])] = (0.64, 0.32, 0.31)
    colors[np.unique(head.faces[region_faces(head, "mouth_inside")])] = (0.25, 0.08, 0.08)

    def measures(controls: dict[str, float]) -> tuple[float, float]:
        vertices = posed(head, controls)
        camera = look_at_face(1.15, 1200.0, 512, 512)
        camera.T_camera_head[:3, 3] -= camera.rotation @ landmarks(vertices, head).mean(0)
        picture = shade(rasterize_mesh(camera, vertices, head.faces), vertices, head.faces, colors)
        found = detect_mesh((picture * 255).astype(np.uint8))
        unit = np.linalg.norm(found[33, :2] - found[263, :2])
        return np.linalg.norm(found[13] - found[14]) / unit, np.linalg.norm(found[61] - found[291]) / unit

    gap, width = measures({})
    assert measures({"jawOpen": 0.8})[0] > gap + 0.12
    assert measures({"mouthSmileLeft": 1, "mouthSmileRight": 1})[1] > width * 1.05
    assert measures({"mouthPucker": 1})[1] < width * 0.93


def test_arkit_shapes_in_flames_parameters(known: Known):
    """A shape that FLAME's space holds comes back as its coefficients; a jaw rotation as the jaw."""
    head = known.completed
    rng = np.random.default_rng(0)
    coefficients, jaw = rng.normal(0, 1, 100), np.zeros((5, 3))
    jaw[2, 0] = 0.3
    flame = replace(head, exprdirs=head.exprdirs[:, :, 52:], expr_names=EXPR_NAMES)
    prepared = prepare_identity(flame, np.zeros(head.shapedirs.shape[-1]))
    planted = head.exprdirs.copy()
    planted[:, :, 0] = head.exprdirs[:, :, 52:] @ coefficients
    planted[:, :, 1] = forward(prepared, np.zeros(100), jaw) - prepared.v_neutral
    solution = arkit_controls(replace(head, exprdirs=planted))
    assert solution.error[0] < 0.05 * solution.motion[0] and np.abs(solution.jaw_pose[0]).max() < 0.03
    assert solution.error[1] < 0.05 * solution.motion[1]
    assert np.allclose(solution.jaw_pose[1], [0.3, 0, 0], atol=0.03)
    looks = solution.pose(ARKIT_NAMES.index("eyeLookOutLeft"))
    assert looks[3, 1] > 0.3 and np.abs(looks[4]).max() < 1e-3


def test_real_surface_is_met_within_a_millimetre(real_flame: HeadAssets):
    open_head = load_open_head()
    head_map, _ = register_open_head(real_flame, open_head)
    carried = np.unique(open_head.faces[region_faces(open_head, *FACE) & ~open_head.hidden[open_head.faces].any(1)])
    surface = Mesh(real_flame.v_template.astype(float), real_flame.faces, head_map.seen)
    distance = closest_points(head_map.deformed[carried], surface).distance
    assert distance.mean() < 0.0005 and np.percentile(distance, 95) < 0.002


def test_real_landmarks_lie_near_the_official_embedding(real: HeadAssets, shared_data: Path):
    stored = np.load(shared_data / FLAME_SURFACE)
    corners = real.v_template[stored["faces"][stored["lmk_face_idx"]]]
    official = np.einsum("nk,nkc->nc", stored["lmk_b_coords"], corners)
    found = landmarks(real.v_template, real)[stored["landmark_indices"]]
    distance = np.linalg.norm(found - official, axis=1)
    assert distance.mean() < 0.0025 and np.percentile(distance, 95) < 0.006


def test_real_ibug_landmarks_are_in_order(real: HeadAssets):
    points = ibug_landmarks(real.v_template, real)
    assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]  # eye corners from the subject's right
    assert points[27, 1] > points[30, 1] > points[51, 1] > points[57, 1] > points[8, 1]  # bridge, tip, lips, chin
