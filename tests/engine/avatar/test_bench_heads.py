"""The measures that `make bench` prints: known changes give known figures."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import flicker  # noqa: E402
import identity  # noqa: E402
import judge_people  # noqa: E402
import obeyed  # noqa: E402
import perceptual  # noqa: E402
import strips  # noqa: E402
import table  # noqa: E402

from likeness.geometry.cameras import Camera, look_at_face  # noqa: E402
from likeness.rendering.api import Rendering  # noqa: E402

SIZE = 64


def frame(rgb, camera: Camera | None = None, alpha=1.0, depth=1.0) -> flicker.Frame:
    """A picture of a wall at some depth; rgb is (H, W, 3) or one level."""
    whole = np.ones((SIZE, SIZE), np.float32)
    picture = np.broadcast_to(np.float32(rgb), (SIZE, SIZE, 3)).copy()
    camera = camera or look_at_face(1.0, 100.0, SIZE, SIZE)
    return flicker.Frame(camera, Rendering(picture * np.float32(alpha), whole * np.float32(alpha), whole * depth))


def test_flicker_is_the_second_difference_in_levels():
    """Steady change is none; a frame that jumps by 10 levels and back is 20 in the middle and 10 on either side."""
    assert flicker.flicker(iter([frame(0.2), frame(0.3), frame(0.4)])) == pytest.approx(0, abs=1e-4)
    jump = [frame(level / 255) for level in (50, 50, 60, 50, 50)]
    assert flicker.flicker(iter(jump)) == pytest.approx((10 + 20 + 10) / 3, abs=1e-3)


def test_flicker_counts_the_heads_pixels_alone():
    half = np.zeros((SIZE, SIZE), np.float32)
    half[:, : SIZE // 2] = 1
    frames = []
    for level in (0.2, 0.4, 0.2):
        picture = np.full((SIZE, SIZE, 3), level, np.float32) * half[..., None]
        frames.append(flicker.Frame(look_at_face(1.0, 100.0, SIZE, SIZE), Rendering(picture, half, half)))
    assert flicker.flicker(iter(frames)) == pytest.approx(0.4 * 255, abs=1e-2)


def wall(shift: float):
    """A textured wall a metre away, from a camera that has moved `shift` metres sideways."""
    camera = look_at_face(1.0, 100.0, SIZE, SIZE)
    pose = camera.T_camera_head.copy()
    pose[0, 3] += shift
    moved = Camera(camera.K, pose, SIZE, SIZE)
    x = moved.unproject(np.stack(np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5), -1), np.ones((SIZE, SIZE)))[
        ..., 0
    ]
    return frame((0.5 + 0.3 * np.sin(2 * np.pi * x / 0.12))[..., None], moved)


def test_what_only_moves_does_not_pop():
    """The wall's texture moves by 1.7 pixels a frame: it flickers, and along the surface nothing changes."""
    frames = [wall(shift) for shift in (-0.017, 0.0, 0.017)]
    assert flicker.flicker(iter(frames)) > 1
    apart, judged = flicker.along_surface(*frames)
    assert judged[4:-4, 4:-4].all() and apart[judged].mean() < 0.2


def test_what_appears_for_a_frame_pops():
    frames = [wall(shift) for shift in (-0.017, 0.0, 0.017)]
    frames[1].drawn.rgb[20:24, 30:34] += 0.1
    apart, judged = flicker.along_surface(*frames)
    assert judged[10:12, 15:17].all()
    assert apart[10:12, 15:17] == pytest.approx(2 * 0.1 * 255, rel=0.01)
    assert apart[20:, :][judged[20:, :]].max() < 0.3


def test_what_a_neighbouring_frame_does_not_show_is_not_judged():
    before, now, after = (wall(shift) for shift in (-0.017, 0.0, 0.017))
    after.drawn.depth[:, :] = 0.9
    assert not flicker.along_surface(before, now, after)[1].any()


def test_similarity_is_nothing_for_strangers_and_one_for_the_same():
    one = np.array([1.0, 0.0, 0.0])
    stranger = np.array([identity.STRANGERS, np.sqrt(1 - identity.STRANGERS**2), 0])
    assert identity.similarity(one, 3 * one) == pytest.approx(1)
    assert identity.similarity(one, stranger) == pytest.approx(0)


def test_the_share_is_that_of_the_turned_head():
    assert identity.Likenesses(front=0.8, turned=0.6).share == pytest.approx(0.75)


def test_without_an_embedding_there_is_none(monkeypatch):
    monkeypatch.setattr(identity.importlib.util, "find_spec", lambda name: None)
    assert identity.load_embedding() is None


def test_faces_are_boxed_from_the_brows_to_the_chin():
    points = np.zeros((478, 2))
    points[:, 0], points[:, 1] = np.linspace(100, 180, 478), np.linspace(50, 150, 478)
    left, top, right, bottom = identity._box(SimpleNamespace(landmarks=points))
    assert (left + right) / 2 == pytest.approx(140, abs=1) and bottom == 150 and 50 < top < 70


def test_lpips_wants_pictures_between_minus_one_and_one():
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[0, 1] = (255, 0, 51)
    given = perceptual.to_lpips(picture)
    assert given.shape == (1, 3, 4, 6)
    assert given[0, :, 0, 1].tolist() == pytest.approx([1, -1, -0.6])


def test_without_lpips_it_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(perceptual.importlib.util, "find_spec", lambda name: None if name == "lpips" else object())
    assert perceptual.load_lpips() == "lpips not installed"


def test_eyes_half_shut_are_half_as_open():
    points = np.zeros((478, 2))
    for (upper, lower), (outer, inner) in zip(obeyed.LIDS, obeyed.EYE_CORNERS, strict=True):
        points[outer], points[inner] = (0, 0), (30, 0)
        points[upper], points[lower] = (15, -5), (15, 5)
    points[obeyed.EYE_CORNERS[1][0]] -= 90  # the outer corners are the unit
    points[obeyed.EYE_CORNERS[1][1]] -= 90
    open_eyes = obeyed.eye_opening(points)
    for lids in obeyed.LIDS:
        points[list(lids), 1] /= 2
    assert obeyed.eye_opening(points) == pytest.approx(open_eyes / 2)


def test_all_controls_must_obey():
    good = obeyed.Obeyed(blink=0.4, jaw=0.3, smile=0.1, brows=0.03)
    assert obeyed.all_obeyed(good)
    for worse in ({"blink": 0.8}, {"jaw": 0.02}, {"smile": 0.0}, {"brows": float("nan")}):
        assert not obeyed.all_obeyed(good._replace(**worse))


def test_the_take_rises_and_falls_in_its_time():
    truth = judge_people.take()
    jaw = truth[:, judge_people.ARKIT_NAMES.index("jawOpen")]
    first, last, most = judge_people.TAKE["jawOpen"]
    assert jaw.argmax() == (first + last) / 2 and jaw.max() == pytest.approx(most)
    assert not jaw[: first + 1].any() and jaw[last:] == pytest.approx(0)
    assert truth.min() >= 0 and truth.max() <= 1


def test_the_table_puts_an_earlier_run_beside_this_one(tmp_path):
    rows = [table.Row("flicker", "2.0", "half", seconds=3.4), table.skipped("LPIPS", "not installed")]
    table.write_json(tmp_path / "bench.json", "a machine", rows)
    again = table.read_json(tmp_path / "bench.json")
    assert again == {"flicker": "2.0", "LPIPS": "not measured: not installed"}
    now = [table.Row("flicker", "1.0", "half", seconds=3.4)]
    assert table.main_table(now, {}).splitlines()[-1] == "| flicker | half |  | 1.0 | 3 s |"
    assert table.main_table(now, again).splitlines()[-1] == "| flicker | half |  | 2.0 | 1.0 | 3 s |"


def test_pictures_are_laid_out_row_by_row():
    cells = [np.full((2, 3, 3), level, np.uint8) for level in (10, 20, 30)]
    page = strips.in_rows(cells, 2)
    assert page.shape == (4, 6, 3)
    assert [page[0, 0, 0], page[0, 3, 0], page[2, 0, 0], page[2, 3, 0]] == [10, 20, 30, 0]
    pair = strips.beside(cells[0], cells[1])
    assert pair.shape == (2, 9, 3) and pair[0, 6, 0] == 128 + 2 * 10
