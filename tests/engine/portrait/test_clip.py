from __future__ import annotations

import random
from fractions import Fraction

import av
import numpy as np
import pytest
from moving_pictures import write_clip
from PIL import Image

from likeness.contract.errors import InputError
from likeness.portrait.clip import open_clip


def steps(count, size=(64, 48)):
    """Grey frames, each lighter than the last."""
    return [np.full((size[1], size[0], 3), 20 + 200 * number // max(count - 1, 1), np.uint8) for number in range(count)]


def corners(size=(64, 48)):
    """A frame whose quarters are red, green, blue and white, from the top left on in rows."""
    width, height = size
    frame = np.zeros((height, width, 3), np.uint8)
    frame[: height // 2, : width // 2] = (220, 30, 30)
    frame[: height // 2, width // 2 :] = (30, 200, 30)
    frame[height // 2 :, : width // 2] = (30, 30, 220)
    frame[height // 2 :, width // 2 :] = (230, 230, 230)
    return frame


def names_of_corners(rgb):
    height, width = rgb.shape[:2]
    places = [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)]
    found = []
    for down, right in places:
        r, g, b = rgb[int(down * height), int(right * width)].astype(int)
        found.append("w" if min(r, g, b) > 150 else "rgb"[int(np.argmax([r, g, b]))])
    return "".join(found)


def test_every_frame_comes_in_order_with_its_time(tmp_path):
    clip = open_clip(write_clip(tmp_path / "c.mp4", steps(30), sound=True))
    frames = list(clip.frames())
    info = clip.info
    assert (info.width, info.height, info.fps, info.frame_count) == (64, 48, 25.0, 30)
    assert info.seconds == pytest.approx(1.2, abs=0.01) and info.has_sound and not info.is_still
    assert [frame.index for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(30) / 25, atol=1e-9)
    assert (np.diff([frame.rgb.mean() for frame in frames]) > 3).all()
    assert frames[0].rgb.shape == (48, 64, 3) and frames[0].rgb.dtype == np.uint8
    assert clip.notes == []


def test_a_range_gives_the_same_frames_at_the_same_times(tmp_path):
    frames = [np.roll(corners(), 3 * number, axis=1) for number in range(400)]
    clip = open_clip(write_clip(tmp_path / "c.mp4", frames, options={"g": "48", "bf": "3"}))
    everything = list(clip.frames())
    for start, end in [(0.0, 1.0), (0.5, 2.02), (4.12, 4.2), (9.0, None), (15.96, 99.0)]:
        wanted = [frame for frame in everything if start <= frame.time < (end or 99)]
        part = list(clip.frames(start, end))
        assert [frame.time for frame in part] == [frame.time for frame in wanted]
        assert [frame.index for frame in part] == list(range(len(wanted)))
        for one, other in zip(part, wanted, strict=True):
            np.testing.assert_array_equal(one.rgb, other.rgb)
    assert list(clip.frames(16.0)) == [] and list(clip.frames(1e30)) == [] and list(clip.frames(2.0, 2.0)) == []


def test_times_of_a_variable_rate_are_the_files_own_and_begin_at_zero(tmp_path):
    ticks = [300, 310, 340, 341, 700, 724, 800]
    clip = open_clip(write_clip(tmp_path / "c.mkv", steps(7), ticks=ticks, options={"bf": "0"}))
    times = [frame.time for frame in clip.frames()]
    np.testing.assert_allclose(times, (np.array(ticks) - 300) / 600, atol=1e-3)
    assert (np.diff(times) > 0).all()


@pytest.mark.parametrize(
    "rotation, seen, size",
    [
        ((0, False, False), "rgbw", (64, 48)),
        ((90, False, False), "gwrb", (48, 64)),
        ((180, False, False), "wbgr", (64, 48)),
        ((-90, False, False), "brwg", (48, 64)),
        ((0, True, False), "grwb", (64, 48)),
        ((0, False, True), "bwrg", (64, 48)),
    ],
)
def test_a_rotation_flag_is_followed(tmp_path, rotation, seen, size):
    """Degrees count counter-clockwise, as FFmpeg's do."""
    clip = open_clip(write_clip(tmp_path / "c.mp4", [corners()] * 3, rotation=rotation))
    frame = next(clip.frames())
    assert (clip.info.width, clip.info.height) == size == frame.rgb.shape[1::-1]
    assert names_of_corners(frame.rgb) == seen


def test_pixels_become_square(tmp_path):
    clip = open_clip(write_clip(tmp_path / "wide.mp4", steps(3), aspect=Fraction(4, 3)))
    assert (clip.info.width, clip.info.height) == (85, 48) == next(clip.frames()).rgb.shape[1::-1]
    turned = write_clip(tmp_path / "turned.mp4", [corners()] * 3, aspect=Fraction(1, 2), rotation=(90, False, False))
    assert next(open_clip(turned).frames()).rgb.shape == (64, 96, 3)


@pytest.mark.parametrize(
    "name, codec, pix_fmt, size",
    [
        ("odd.mkv", "ffv1", "bgr0", (63, 47)),
        ("ten.mp4", "libx265", "yuv420p10le", (64, 64)),
        ("full.mkv", "libx264", "yuv444p", (35, 33)),
        ("alpha.mov", "prores_ks", "yuva444p10le", (64, 48)),
        ("vp9.webm", "libvpx-vp9", "yuv420p", (64, 48)),
        ("old.avi", "mpeg4", "yuv420p", (64, 48)),
        ("grey.mkv", "ffv1", "gray16le", (33, 21)),
        ("stream.ts", "mpeg2video", "yuv420p", (64, 48)),
        ("moving.gif", "gif", "rgb8", (64, 48)),
    ],
)
def test_what_ffmpeg_reads_is_read(tmp_path, name, codec, pix_fmt, size):
    clip = open_clip(write_clip(tmp_path / name, steps(8, size), codec=codec, pix_fmt=pix_fmt))
    frames = list(clip.frames())
    assert len(frames) == 8 and frames[0].rgb.shape[1::-1] == size
    brightness = [frame.rgb.mean() for frame in frames]
    np.testing.assert_allclose(brightness, [frame.mean() for frame in steps(8)], atol=20)
    assert (np.diff([frame.time for frame in frames]) > 0).all() and frames[0].time == 0


@pytest.mark.parametrize("size, standard", [((64, 48), "ITU601"), ((1280, 720), "ITU709")])
def test_colours_that_are_not_tagged_are_taken_by_size(tmp_path, size, standard):
    rgb = np.full((size[1], size[0], 3), (200, 60, 40), np.uint8)
    yuv = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p", dst_colorspace=standard)
    planes = yuv.to_ndarray()
    with av.open(str(tmp_path / "c.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))
    seen = next(open_clip(tmp_path / "c.mkv").frames()).rgb
    np.testing.assert_allclose(seen.mean((0, 1)), (200, 60, 40), atol=3)


@pytest.mark.parametrize("name", ["p.png", "p.jpg", "p.webp", "p.tga", "p.tif", "p.gif", "p.bmp"])
def test_a_still_picture_is_a_clip_of_one_frame(tmp_path, name):
    Image.fromarray(corners()).save(tmp_path / name)
    clip = open_clip(tmp_path / name)
    assert clip.info.is_still and clip.info.frame_count == 1 and not clip.info.has_sound
    (frame,) = clip.frames()
    assert frame.time == 0.0 and names_of_corners(frame.rgb) == "rgbw"
    assert list(clip.frames(0.5)) == []


def test_an_animated_picture_moves(tmp_path):
    pictures = [Image.fromarray(frame) for frame in steps(5)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    clip = open_clip(tmp_path / "a.gif")
    assert not clip.info.is_still
    np.testing.assert_allclose([frame.time for frame in clip.frames()], np.arange(5) / 10, atol=0.011)


def test_a_video_of_one_frame(tmp_path):
    assert len(list(open_clip(write_clip(tmp_path / "c.mp4", steps(1))).frames())) == 1


def refusal(path):
    with pytest.raises(InputError) as caught:
        list(open_clip(path).frames())
    assert "\n" not in str(caught.value) and caught.value.remedy.endswith(".")
    return caught.value.code


def test_what_is_no_clip_is_refused_in_one_line(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("this is a letter, not a video\n" * 40)
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (tmp_path / "text.txt").write_text("Timecode,BlendShapeCount,EyeBlinkLeft\n" * 40)
    assert refusal(tmp_path / "text.txt") == "clip.unreadable"
    assert refusal(tmp_path / "none.mp4") == "clip.missing"
    assert refusal(tmp_path) == "clip.missing"
    assert refusal(tmp_path / "empty.mp4") == "clip.empty"
    assert refusal(tmp_path / "text.mp4") == "clip.unreadable"
    assert refusal(tmp_path / "sound.wav") == "clip.no_video"


def noisy(count):
    generator = np.random.default_rng(0)
    return [generator.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(count)]


def test_a_file_cut_off_before_its_index_is_refused_and_after_it_is_read_as_far_as_it_goes(tmp_path):
    whole = write_clip(tmp_path / "c.mp4", noisy(100)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    assert refusal(tmp_path / "cut.mp4") == "clip.unreadable"
    streamed = write_clip(tmp_path / "c.mkv", noisy(100)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(streamed[: len(streamed) // 2])
    clip = open_clip(tmp_path / "cut.mkv")
    count = len(list(clip.frames()))
    assert 20 < count < 80
    assert len(clip.notes) == 1 and "ends after" in clip.notes[0]


def test_damage_in_the_middle_costs_what_is_damaged(tmp_path):
    data = bytearray(write_clip(tmp_path / "c.mkv", noisy(100), options={"g": "10"}).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = random.Random(1).randbytes(6000)
    (tmp_path / "damaged.mkv").write_bytes(data)
    clip = open_clip(tmp_path / "damaged.mkv")
    times = [frame.time for frame in clip.frames()]
    assert len(times) > 60 and times[-1] == pytest.approx(3.96, abs=0.2) and (np.diff(times) > 0).all()
    assert clip.notes == ["The file holds no frames from 2.0 to 2.2 s."]
    list(clip.frames())
    assert len(clip.notes) == len(set(clip.notes))


def test_times_that_jump_back_go_on_rising(tmp_path):
    one = write_clip(tmp_path / "a.ts", steps(20), codec="mpeg2video").read_bytes()
    (tmp_path / "joined.ts").write_bytes(one + one)
    times = [frame.time for frame in open_clip(tmp_path / "joined.ts").frames()]
    assert len(times) >= 38 and (np.diff(times) > 0).all()
    assert times[-1] == pytest.approx(39 / 25, abs=0.2)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "gif", "avi"])
def test_garbage_raises_nothing_but_readable_errors(tmp_path, kind):
    codec, pix_fmt = {"gif": ("gif", "rgb8"), "avi": ("mpeg4", "yuv420p")}.get(kind, ("libx264", "yuv420p"))
    good = write_clip(tmp_path / f"good.{kind}", noisy(12), codec=codec, pix_fmt=pix_fmt).read_bytes()
    chance = random.Random(kind)
    read = 0
    for number in range(60):
        data = bytearray(good)
        for _ in range(chance.choice([1, 3, 20, 200])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if number % 5 == 0:
            data = data[: chance.randrange(len(data))]
        if number % 7 == 0:
            data = bytearray(chance.randbytes(chance.randrange(1, 4000)))
        path = tmp_path / f"bad.{kind}"
        path.write_bytes(data)
        try:
            read += len(list(open_clip(path).frames()))
        except InputError as error:
            assert error.code.startswith(("clip.", "picture."))
    assert read > 0


def test_a_playlist_makes_us_fetch_nothing(tmp_path):
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    assert refusal(tmp_path / "list.m3u8").startswith("clip.")
