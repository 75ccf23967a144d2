"""Finding and choosing faces: positions, refusals and warnings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from likeness.contract.errors import InputError, UsageError
from likeness.portrait import faces
from likeness.portrait.faces import choose_face, find_faces
from likeness.portrait.read import read_photograph
from likeness.portrait.types import DetectedFace, Photograph

ASTRONAUT = skimage.data.astronaut()
RIGHT_EYE, LEFT_EYE, NOSE_TIP = 33, 263, 1


def photograph(rgb: np.ndarray, alpha: np.ndarray | None = None) -> Photograph:
    return Photograph(np.ascontiguousarray(rgb, np.uint8), alpha, "0" * 64)


def resized(rgb: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))


def refusal_code(picture: Photograph, index: int | None = None) -> str:
    with pytest.raises(InputError) as caught:
        choose_face(picture, index)
    assert caught.value.message.endswith(".") and caught.value.remedy.endswith(".")
    return caught.value.code


@pytest.fixture(scope="module")
def astronaut() -> DetectedFace:
    (face,) = find_faces(photograph(ASTRONAUT))
    return face


def interocular(face: DetectedFace) -> float:
    return float(np.linalg.norm(face.landmarks[RIGHT_EYE] - face.landmarks[LEFT_EYE]))


def test_astronauts_landmarks_lie_on_her_face(astronaut: DetectedFace) -> None:
    np.testing.assert_allclose(astronaut.landmarks[468:478].mean(0), (222, 106), atol=6)
    right, nose, left = (astronaut.landmarks[i, 0] for i in (RIGHT_EYE, NOSE_TIP, LEFT_EYE))
    assert right < nose < left
    assert abs(astronaut.yaw) < 20
    assert 80 < astronaut.width < 110
    assert astronaut.spread < faces.POOR_SPREAD


def test_landmarks_follow_the_picture(astronaut: DetectedFace) -> None:
    moved = np.full((900, 800, 3), 128, np.uint8)
    moved[301:813, 211:723] = ASTRONAUT
    (shifted,) = find_faces(photograph(moved))
    (larger,) = find_faces(photograph(resized(ASTRONAUT, 1024, 1024)))
    tolerance = 0.015 * interocular(astronaut)
    assert np.abs(shifted.landmarks - (211, 301) - astronaut.landmarks).mean() < tolerance
    assert np.abs(larger.landmarks / 2 - astronaut.landmarks).mean() < tolerance


def test_mirrored_face_is_mirrored(astronaut: DetectedFace) -> None:
    (mirrored,) = find_faces(photograph(ASTRONAUT[:, ::-1]))
    tolerance = 0.02 * interocular(astronaut)
    assert abs(512 - mirrored.landmarks[NOSE_TIP, 0] - astronaut.landmarks[NOSE_TIP, 0]) < tolerance
    assert abs(512 - mirrored.landmarks[LEFT_EYE, 0] - astronaut.landmarks[RIGHT_EYE, 0]) < tolerance
    assert abs(mirrored.yaw + astronaut.yaw) < 5


def test_finding_twice_gives_the_same_bits(astronaut: DetectedFace) -> None:
    (again,) = find_faces(photograph(ASTRONAUT))
    np.testing.assert_array_equal(again.landmarks, astronaut.landmarks)


def _family() -> Photograph:
    """Three copies of the astronaut; the largest stands in the middle."""
    canvas = np.full((512, 1400, 3), 128, np.uint8)
    canvas[100:500, :400] = resized(ASTRONAUT, 400, 400)
    canvas[:, 420:932] = ASTRONAUT
    canvas[150:470, 1000:1320] = resized(ASTRONAUT, 320, 320)
    return photograph(canvas)


def test_largest_of_several_is_taken_and_said() -> None:
    face, warnings = choose_face(_family())
    assert 420 < face.landmarks[:, 0].mean() < 932
    assert any("largest of 3 faces" in warning and "--face N" in warning for warning in warnings)


def test_index_picks_in_order_of_size() -> None:
    centers = [choose_face(_family(), index)[0].landmarks[:, 0].mean() for index in (1, 2, 3)]
    assert 420 < centers[0] < 932
    assert centers[1] < 420
    assert centers[2] > 932


@pytest.mark.parametrize("index", [0, 4, -1])
def test_index_that_is_not_there(index: int) -> None:
    with pytest.raises(UsageError) as caught:
        choose_face(_family(), index)
    assert caught.value.code == "face.index"


def test_unusable_largest_gives_way_to_the_next(astronaut: DetectedFace) -> None:
    cut = ASTRONAUT[:, : int(astronaut.landmarks[LEFT_EYE, 0]) - 3]
    canvas = np.full((512, 300 + cut.shape[1], 3), 128, np.uint8)
    canvas[:, 300:] = cut
    canvas[50:350, :300] = resized(ASTRONAUT, 300, 300)
    assert len(find_faces(photograph(canvas))) == 2
    face, warnings = choose_face(photograph(canvas))
    assert face.landmarks[:, 0].mean() < 300
    assert any("number 2" in warning for warning in warnings)
    assert refusal_code(photograph(canvas), 1) == "face.cut"


def test_small_face_is_refused_or_warned_about(astronaut: DetectedFace) -> None:
    def at_width(width: float) -> Photograph:
        side = round(512 * width / astronaut.width)
        return photograph(resized(ASTRONAUT, side, side))

    assert refusal_code(at_width(40)) == "face.too_small"
    _, warnings = choose_face(at_width(60))
    assert any("pixels wide" in warning for warning in warnings)
    _, warnings = choose_face(at_width(180))
    assert warnings == []


@pytest.mark.parametrize("quarters", [1, 3])
def test_a_face_on_its_side_is_used_and_warned_about(quarters: int) -> None:
    _, warnings = choose_face(photograph(np.rot90(resized(ASTRONAUT, 1024, 1024), quarters)))
    assert any("not upright" in warning for warning in warnings)


def test_face_cut_by_the_frame(astronaut: DetectedFace) -> None:
    left_eye = astronaut.landmarks[LEFT_EYE, 0]
    assert refusal_code(photograph(ASTRONAUT[:, : int(left_eye) - 3])) == "face.cut"


def test_face_that_only_touches_the_frame_is_used(astronaut: DetectedFace) -> None:
    top = int(astronaut.landmarks[:, 1].min()) + 2
    _, warnings = choose_face(photograph(resized(ASTRONAUT[top:], 1024, 2 * (512 - top))))
    assert any("edge" in warning for warning in warnings)


@pytest.mark.parametrize("name", ["flat", "noise", "stripes", "coins", "cat"])
def test_no_face(name: str) -> None:
    generator = np.random.default_rng(0)
    picture = {
        "flat": lambda: np.full((300, 400, 3), 120, np.uint8),
        "noise": lambda: generator.integers(0, 255, (300, 400, 3), np.uint8),
        "stripes": lambda: np.repeat(((np.indices((300, 400)).sum(0) // 16) % 2 * 255)[..., None], 3, 2),
        "coins": lambda: np.repeat(skimage.data.coins()[..., None], 3, 2),
        "cat": lambda: skimage.data.cat(),
    }[name]()
    assert refusal_code(photograph(picture)) == "face.none"


def test_face_under_transparent_pixels_is_nobodys() -> None:
    assert refusal_code(photograph(ASTRONAUT, np.zeros((512, 512), np.float32))) == "face.none"


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (700, 3)])
def test_slivers_have_no_face(shape: tuple[int, int]) -> None:
    assert refusal_code(photograph(np.full((*shape, 3), 90, np.uint8))) == "face.none"


def test_detectors_leave_standard_error_clean() -> None:
    code = (
        "import numpy as np, skimage.data\n"
        "from likeness.portrait.types import Photograph\n"
        "from likeness.portrait.faces import choose_face\n"
        "from likeness.portrait.build import make_portrait\n"
        "picture = Photograph(skimage.data.astronaut(), None, '0' * 64)\n"
        "make_portrait(picture, choose_face(picture)[0], 128)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    assert done.stdout == ""


# Real pictures


def test_every_portrait_has_a_usable_face(shared_data: Path) -> None:
    pictures = sorted((shared_data / "portraits").iterdir()) + sorted((shared_data / "multiview/felix").glob("*.png"))
    assert len(pictures) == 17
    for path in pictures:
        face, _ = choose_face(read_photograph(path))
        assert face.width > 200, path.name


def test_turned_face_is_warned_about(shared_data: Path) -> None:
    _, warnings = choose_face(read_photograph(shared_data / "multiview/felix/00000003.png"))
    assert any("turned" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no_face_cat.png", "face.none"),
        ("no_face_stripes.jpg", "face.none"),
        ("face_cut_by_frame.jpg", "face.cut"),
        ("tiny_115px_rgba.png", "face.too_small"),
    ],
)
def test_hard_pictures_are_refused(shared_data: Path, name: str, code: str) -> None:
    assert refusal_code(read_photograph(shared_data / "hard" / name)) == code


def test_crowd_is_counted(shared_data: Path) -> None:
    picture = read_photograph(shared_data / "hard/crowd_29_faces.jpg")
    assert len(find_faces(picture)) == 29


@pytest.mark.parametrize("name", ["two_faces.jpg", "grayscale_profile.png"])
def test_poor_pictures_are_used_with_warnings(shared_data: Path, name: str) -> None:
    _, warnings = choose_face(read_photograph(shared_data / "hard" / name))
    assert any("pixels wide" in warning for warning in warnings)
