from __future__ import annotations

import errno
from fractions import Fraction

import av
import numpy as np
import pytest

from likeness.avatar.video import write_video
from likeness.contract.errors import InputError, MachineError


def frames(count, size=(64, 48)):
    for number in range(count):
        yield np.full((size[1], size[0], 3), 40 * number % 240, np.uint8)


def decoded(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def heard(path):
    """Return the samples (mono) and their rate."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        return np.concatenate([frame.to_ndarray().mean(0) for frame in container.decode(audio=0)]), rate


def write_tone(path, seconds, rate=44100, channels=2, hertz=441.0, begins=0.0):
    """Write a .wav that is silent, then from `begins` on a tone."""
    times = np.arange(round(seconds * rate)) / rate
    tone = np.where(times >= begins, 0.5 * np.sin(2 * np.pi * hertz * times), 0.0)
    with av.open(str(path), "w") as container:
        layout = "stereo" if channels == 2 else "mono"
        stream = container.add_stream("pcm_s16le", rate=rate, layout=layout)
        samples = np.ascontiguousarray(np.repeat((tone * 32767).astype(np.int16), channels)[None])
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.rate, frame.pts = rate, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def onset(path):
    samples, rate = heard(path)
    return np.flatnonzero(np.abs(samples) > 0.1)[0] / rate


def test_every_frame_arrives(tmp_path):
    write_video(tmp_path / "v.mp4", frames(6), (64, 48))
    seen = decoded(tmp_path / "v.mp4")
    assert seen.shape == (6, 48, 64, 3)
    np.testing.assert_allclose(seen.mean(axis=(1, 2, 3)), [0, 40, 80, 120, 160, 200], atol=2)
    assert [file.name for file in tmp_path.iterdir()] == ["v.mp4"]


def test_colours_come_back(tmp_path):
    colours = [(200, 40, 40), (40, 160, 60), (50, 60, 190), (230, 180, 150)]
    pictures = [np.full((48, 64, 3), colour, np.uint8) for colour in colours]
    write_video(tmp_path / "v.mp4", pictures, (64, 48))
    np.testing.assert_allclose(decoded(tmp_path / "v.mp4").mean(axis=(1, 2)), colours, atol=3)


@pytest.mark.parametrize(
    "fps, wanted", [(25, 25), (29.97, Fraction(30000, 1001)), (23.976, Fraction(24000, 1001)), (60, 60)]
)
def test_the_rate_is_the_one_asked_for(tmp_path, fps, wanted):
    write_video(tmp_path / "v.mp4", frames(12), (64, 48), fps=fps)
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(float(wanted), rel=1e-4)
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(np.diff(times), 1 / fps, rtol=1e-3)


def test_the_index_comes_first_so_that_it_plays_while_it_loads(tmp_path):
    write_video(tmp_path / "v.mp4", frames(6), (64, 48))
    data = (tmp_path / "v.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_a_stop_leaves_nothing(tmp_path, failure):
    def stopping():
        yield from frames(2)
        raise failure

    with pytest.raises(failure):
        write_video(tmp_path / "v.mp4", stopping(), (64, 48))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "number, kind, code",
    [(errno.ENOSPC, InputError, "output.disk_full"), (errno.EINVAL, MachineError, "machine.video_failed")],
)
def test_a_failure_is_explained(tmp_path, monkeypatch, number, kind, code):
    def fail(_container, _packets):
        raise av.error.FFmpegError(number, "it did not work")

    monkeypatch.setattr(av.container.OutputContainer, "mux", fail, raising=True)
    with pytest.raises(kind) as caught:
        write_video(tmp_path / "v.mp4", frames(200), (64, 48))
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rate, channels", [(44100, 2), (48000, 1), (22050, 2), (37800, 1)])
def test_sound_stands_beside_the_pictures_and_is_cut_to_their_length(tmp_path, rate, channels):
    write_tone(tmp_path / "s.wav", 3.0, rate, channels, begins=0.5)
    write_video(tmp_path / "v.mp4", frames(25), (64, 48), fps=25, sound=tmp_path / "s.wav")
    samples, heard_rate = heard(tmp_path / "v.mp4")
    assert len(samples) / heard_rate == pytest.approx(1.0, abs=0.05)
    assert onset(tmp_path / "v.mp4") == pytest.approx(0.5, abs=0.01)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.1)


def test_sound_begins_where_it_is_told_to(tmp_path):
    write_tone(tmp_path / "s.wav", 3.0, begins=1.7)
    write_video(tmp_path / "v.mp4", frames(25), (64, 48), sound=tmp_path / "s.wav", sound_start=1.4)
    assert onset(tmp_path / "v.mp4") == pytest.approx(0.3, abs=0.01)


def test_sound_of_a_video_stays_with_its_pictures(tmp_path):
    write_tone(tmp_path / "s.wav", 3.0, begins=1.7)
    write_video(tmp_path / "a.mp4", frames(60), (64, 48), sound=tmp_path / "s.wav")
    write_video(tmp_path / "b.mp4", frames(25), (64, 48), sound=tmp_path / "a.mp4", sound_start=1.2)
    assert onset(tmp_path / "b.mp4") == pytest.approx(0.5, abs=0.01)


def test_sound_that_ends_early_leaves_the_pictures_whole(tmp_path):
    write_tone(tmp_path / "s.wav", 0.4)
    write_video(tmp_path / "v.mp4", frames(25), (64, 48), sound=tmp_path / "s.wav")
    assert len(decoded(tmp_path / "v.mp4")) == 25
    samples, rate = heard(tmp_path / "v.mp4")
    assert len(samples) / rate == pytest.approx(0.4, abs=0.05)


def test_what_has_no_sound_is_refused(tmp_path):
    write_video(tmp_path / "mute.mp4", frames(3), (64, 48))
    (tmp_path / "text.wav").write_text("no sound at all")
    for name, code in [("none.wav", "sound.missing"), ("mute.mp4", "sound.none"), ("text.wav", "sound.unreadable")]:
        with pytest.raises(InputError) as caught:
            write_video(tmp_path / "v.mp4", frames(3), (64, 48), sound=tmp_path / name)
        assert caught.value.code == code
    assert not (tmp_path / "v.mp4").exists()


def test_sound_with_old_tags_is_read(tmp_path):
    write_tone(tmp_path / "s.wav", 1.0)
    title = b"INFOINAM" + (6).to_bytes(4, "little") + "déjà\0\0".encode("latin-1")
    chunk = b"LIST" + len(title).to_bytes(4, "little") + title
    (tmp_path / "s.wav").write_bytes((tmp_path / "s.wav").read_bytes() + chunk)
    write_video(tmp_path / "v.mp4", frames(25), (64, 48), sound=tmp_path / "s.wav")
    assert np.abs(heard(tmp_path / "v.mp4")[0]).max() > 0.3


def test_a_missing_encoder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(MachineError, match=r"machine\.no_h264"):
        write_video(tmp_path / "v.mp4", frames(1), (64, 48))
    assert list(tmp_path.iterdir()) == []
