from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
from moving_pictures import another_person, astronaut, moving_astronaut, placed, write_clip
from PIL import Image

from likeness.contract.errors import InputError, UsageError
from likeness.contract.progress import Cancelled
from likeness.portrait.clip import open_clip
from likeness.portrait.performer import follow_performer
from likeness.portrait.sighting_file import FRAME, SightingFile

SHARP = {"crf": "12", "preset": "veryfast"}
EYES = (33, 263)


def follow(tmp_path, frames, name="c.mp4", **options):
    return follow_performer(open_clip(write_clip(tmp_path / name, frames, options=SHARP)), **options)


def distance_of_eyes(sightings):
    known = sightings.landmarks[sightings.seen]
    return float(np.linalg.norm(known[:, EYES[0]] - known[:, EYES[1]], axis=1).mean())


def two_people(count, *, leaves=None):
    """The astronaut on the left, another person on the right; `leaves` is the frame in which she begins to go."""
    frames = []
    for number in range(count):
        gone = 0 if leaves is None else 30.0 * max(number - leaves, 0)
        frames.append(placed([(another_person(), 330, 20), (astronaut(), 10 - gone, 16)], (640, 320)))
    return frames


def test_the_landmarks_move_as_the_face_does(tmp_path):
    sightings = follow(tmp_path, moving_astronaut(20, speed=3.0))
    assert sightings.seen.all() and sightings.landmarks.shape == (20, 478, 2)
    assert sightings.landmarks.dtype == np.float32 and sightings.size == (400, 320) and sightings.fps == 25.0
    np.testing.assert_allclose(sightings.times, np.arange(20) / 25)
    moved = sightings.landmarks - sightings.landmarks[0]
    wanted = np.arange(20)[:, None] * [3.0, 0.3]
    # The mesh depends a little on where the face lies in its crop.
    assert np.abs(moved.mean(1) - wanted).max() < 0.012 * distance_of_eyes(sightings)
    assert sightings.cuts == [] and sightings.notes == [] and (sightings.doubt < 0.5).all()


def test_a_still_face_stays_still_to_the_bit(tmp_path):
    frame = placed([(astronaut(), 21.3, 17.7)], (400, 320))
    Image.fromarray(frame).save(tmp_path / "p.png")
    one = follow_performer(open_clip(tmp_path / "p.png"))
    assert one.landmarks.shape == (1, 478, 2) and one.seen.all()
    clip = write_clip(tmp_path / "c.mkv", [frame] * 12, codec="ffv1", pix_fmt="bgr0")
    many = follow_performer(open_clip(clip))
    np.testing.assert_array_equal(many.landmarks, np.broadcast_to(many.landmarks[:1], (12, 478, 2)))
    np.testing.assert_array_equal(many.landmarks[:1], one.landmarks)


def test_a_clip_that_begins_a_frame_later_gives_the_same_landmarks(tmp_path):
    clip = open_clip(write_clip(tmp_path / "c.mp4", moving_astronaut(30, speed=3.1), options=SHARP))
    whole, later = follow_performer(clip), follow_performer(clip, start=0.03)
    assert len(later.times) == 29
    np.testing.assert_array_equal(later.times, whole.times[1:])
    np.testing.assert_array_equal(later.landmarks, whole.landmarks[1:])


def test_a_small_face_in_a_large_frame_is_found_and_followed(tmp_path):
    small = cv2.resize(astronaut(), (144, 144), interpolation=cv2.INTER_AREA)
    frames = [placed([(small, 1300 + 4 * number, 300)], (1920, 1080)) for number in range(8)]
    sightings = follow(tmp_path, frames)
    assert sightings.seen.all()
    center = sightings.landmarks.mean(1)
    np.testing.assert_allclose(center[:, 0] - center[0, 0], 4 * np.arange(8), atol=1.5)


@pytest.mark.parametrize("performer, left", [(1, True), (2, False)])
def test_performers_count_from_the_left(tmp_path, performer, left):
    sightings = follow(tmp_path, two_people(4), performer=performer)
    assert sightings.seen.all() and (sightings.landmarks[..., 0].mean() < 320) == left


def test_without_a_number_the_largest_face_is_taken_and_that_is_said(tmp_path):
    larger = cv2.resize(another_person(), (320, 320))
    frames = [placed([(astronaut(), 10, 16), (larger, 310, 0)], (640, 320))] * 3
    sightings = follow(tmp_path, frames)
    assert sightings.landmarks[..., 0].mean() > 320
    assert sightings.notes == [
        "Two people are seen; took the one on the right; --performer 1 takes the other.",
    ]


def test_a_performer_who_is_not_there_is_refused(tmp_path):
    clip = open_clip(write_clip(tmp_path / "c.mp4", two_people(3)))
    for number in (0, 3):
        with pytest.raises(UsageError, match=r"face\.index"):
            follow_performer(clip, performer=number)


def test_when_the_performer_leaves_the_other_one_is_not_taken(tmp_path):
    sightings = follow(tmp_path, two_people(24, leaves=6), performer=1)
    assert sightings.seen[:7].all() and not sightings.seen[-8:].any()
    known = sightings.landmarks[sightings.seen]
    assert (known[..., 0].mean(1) < 320).all()
    assert np.isnan(sightings.landmarks[~sightings.seen]).all() and (sightings.doubt[~sightings.seen] == 1).all()


def test_a_gap_is_told_and_the_performer_found_again(tmp_path):
    empty = placed([], (400, 320))
    frames = moving_astronaut(10) + [empty] * 10 + moving_astronaut(10)
    sightings = follow(tmp_path, frames)
    assert sightings.seen.tolist() == [True] * 10 + [False] * 10 + [True] * 10
    assert "The face is not seen from 0.4 to 0.8 s (33.3 % of the frames)." in sightings.notes
    assert sightings.cuts == [10, 20]


def test_a_face_that_comes_later_is_waited_for(tmp_path):
    sightings = follow(tmp_path, [placed([], (400, 320))] * 8 + moving_astronaut(8))
    assert sightings.seen.tolist() == [False] * 8 + [True] * 8


def test_a_cut_to_another_view_is_told_and_nothing_else_is_one(tmp_path):
    generator = np.random.default_rng(3)
    ground = cv2.resize(generator.integers(0, 255, (8, 10, 3), np.uint8), (400, 320))
    second = []
    for number in range(12):
        frame = ground.copy()
        frame[60:300, 140 + number : 380 + number] = cv2.resize(astronaut(), (240, 240))
        second.append(frame)
    sightings = follow(tmp_path, moving_astronaut(12, speed=1.5) + second)
    assert sightings.seen.all() and sightings.cuts == [12]
    assert "The picture is cut at 0.5 s; nothing is smoothed across." in sightings.notes


def test_a_jump_within_one_recording_is_a_cut_too(tmp_path):
    frames = moving_astronaut(60, size=(480, 320), speed=2.0)
    sightings = follow(tmp_path, frames[:15] + frames[40:])
    assert sightings.cuts == [15]


def test_blurred_frames_are_doubted(tmp_path):
    frames = moving_astronaut(30, speed=1.0)
    for number in range(12, 20):
        frames[number] = cv2.blur(frames[number], (25, 1))
    sightings = follow(tmp_path, frames)
    seen = sightings.seen[12:20]
    assert (sightings.doubt[12:20][seen] > 0.5).all() and sightings.doubt[:11].max() < 0.5
    assert any("blurred or partly covered" in note or "not seen" in note for note in sightings.notes)


class StopsAfter:
    """Stops the job in its n-th report of a stage."""

    def __init__(self, count):
        self.left, self.fractions = count, []

    def update(self, stage, fraction):
        self.fractions.append(fraction)
        if stage == "following the face":
            self.left -= 1
            if self.left == 0:
                raise Cancelled


def hundred(tmp_path):
    """Four seconds with a gap, so that seeking, searching and the memory of colours all matter."""
    frames = moving_astronaut(110, size=(640, 400), speed=2.7)
    frames[40:46] = [placed([], (640, 400))] * 6
    return write_clip(tmp_path / "c.mp4", frames, options={**SHARP, "g": "30", "bf": "2"})


@pytest.mark.parametrize("stops", [(1,), (40, 3), (44, 60)])
def test_a_stopped_run_goes_on_and_gives_the_same(tmp_path, stops):
    clip = open_clip(hundred(tmp_path))
    whole = follow_performer(clip)
    folder = tmp_path / "spool"
    for count in stops:
        with pytest.raises(Cancelled):
            follow_performer(clip, spool=folder, progress=StopsAfter(count))
    with (folder / "frames.bin").open("ab") as file:
        file.write(b"half a fr")
    rest = StopsAfter(10_000)
    resumed = follow_performer(clip, spool=folder, progress=rest)
    assert 10_000 - rest.left == 110 - sum(stops)
    for name in ("times", "landmarks", "seen", "doubt"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))
    assert (resumed.cuts, resumed.notes) == (whole.cuts, whole.notes)


def test_a_finished_spool_is_read_and_another_job_begins_anew(tmp_path):
    clip = open_clip(write_clip(tmp_path / "c.mp4", moving_astronaut(12)))
    first = follow_performer(clip, spool=tmp_path / "spool")
    again = StopsAfter(1)
    np.testing.assert_array_equal(
        follow_performer(clip, spool=tmp_path / "spool", progress=again).landmarks, first.landmarks
    )
    assert again.fractions == []
    part = follow_performer(clip, spool=tmp_path / "spool", end=0.2)
    assert len(part.times) == 5
    (tmp_path / "spool" / "sightings.json").write_text("{ not json")
    assert len(follow_performer(clip, spool=tmp_path / "spool").times) == 12


def test_a_spool_calls_itself_whole_only_when_its_frames_are_on_the_disk(tmp_path):
    file = SightingFile(tmp_path, {})
    file.append(np.zeros((), FRAME), np.zeros((478, 2)))
    file.write_header(done=True)  # and then the machine stops
    again = SightingFile(tmp_path, {})
    assert again.header["done"] and again.count == 1


def test_a_header_of_something_else_is_begun_anew(tmp_path):
    (tmp_path / "sightings.json").write_text("[1, 2]")
    assert SightingFile(tmp_path, {}).header == {}


def test_a_spool_that_cannot_be_is_refused(tmp_path):
    clip = open_clip(write_clip(tmp_path / "c.mp4", moving_astronaut(2)))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"output\.unwritable"):
        follow_performer(clip, spool=tmp_path / "file")


def test_no_face_and_no_frames_are_told_in_one_line(tmp_path):
    clip = open_clip(write_clip(tmp_path / "c.mp4", [placed([], (320, 240))] * 5))
    with pytest.raises(InputError) as caught:
        follow_performer(clip)
    assert caught.value.code == "face.none" and "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=r"clip\.range"):
        follow_performer(clip, start=9.0)


def test_progress_rises_to_its_end(tmp_path):
    told = StopsAfter(10_000)
    clip = open_clip(write_clip(tmp_path / "c.mp4", moving_astronaut(20)))
    follow_performer(clip, start=0.2, end=0.6, progress=told)
    assert told.fractions == sorted(told.fractions) and 0.8 < told.fractions[-1] <= 1.0


def test_a_damaged_clip_ends_in_sightings_or_in_one_line(tmp_path):
    data = write_clip(tmp_path / "c.mp4", moving_astronaut(8)).read_bytes()
    chance = random.Random(5)
    for _ in range(6):
        broken = bytearray(data)
        for _ in range(60):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        (tmp_path / "b.mp4").write_bytes(broken)
        try:
            sightings = follow_performer(open_clip(tmp_path / "b.mp4"))
            assert np.isfinite(sightings.landmarks[sightings.seen]).all()
        except InputError as error:
            assert error.code.startswith(("clip.", "face."))


@pytest.mark.parametrize("name", ["d12", "obama_mute", "speech_katie_hill"])
def test_real_clips_are_followed_throughout(shared_data, name):
    path = shared_data / "videos" / f"{name}.mp4"
    if not path.is_file():
        pytest.skip("../shared/data/videos is not beside this checkout")
    clip = open_clip(path)
    sightings, later = follow_performer(clip, end=3.0), follow_performer(clip, start=0.001, end=3.0)
    assert sightings.seen.all() and sightings.cuts == []
    np.testing.assert_array_equal(later.landmarks, sightings.landmarks[1:])
