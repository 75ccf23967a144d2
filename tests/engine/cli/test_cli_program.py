from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys

import pytest

from factories import make_avatar
from likeness.cli import create, info, main, program
from likeness.cli.terminal import TerminalProgress
from likeness.contract.avatar_file import read_avatar, write_avatar
from likeness.contract.errors import InputError, MachineError
from likeness.rendering import device


@pytest.fixture
def avatar_path(tmp_path):
    path = tmp_path / "a.likeness"
    write_avatar(path, make_avatar())
    return path


def run(capsys, *arguments):
    """Return the exit code, standard output and the last line of standard error."""
    code = main([str(argument) for argument in arguments])
    output, errors = capsys.readouterr()
    return code, output, errors.splitlines()[-1] if errors else ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["render"],
        ["render", "a.likeness"],
        ["render", "a.likeness", "-o", "x.gif"],
        ["render", "a.likeness", "-o", "x.mp4"],
        ["render", "a.likeness", "-o", "folder"],
        ["render", "a.likeness", "-o", "x.png", "--orbit", "4"],
        ["render", "a.likeness", "-o", "x.png", "--size", "big"],
        ["render", "a.likeness", "-o", "x.png", "--camera", "left"],
        ["render", "a.likeness", "-o", "x.png", "--camera", "10,0", "--background", "portrait"],
        ["render", "a.likeness", "-o", "x.mp4", "--orbit", "4", "--background", "transparent"],
        ["sheet", "a.likeness", "-o", "sheet.jpg"],
        ["export", "a.likeness", "-o", "x.fbx"],
        ["create", "a.jpg", "-o", "a.png"],
        ["create", "a.jpg", "--face", "0"],
        ["create", "a.jpg", "--quality", "best"],
    ],
)
def test_wrong_usage_ends_in_one_line_and_2(capsys, arguments):
    code, output, last = run(capsys, *arguments)
    assert code == 2 and output == ""
    assert last.startswith("error: usage: ") and last.endswith((".", "`."))


@pytest.mark.parametrize("command", ["info", "render", "sheet", "export"])
@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no avatar"])
def test_unusable_avatars_end_in_3(capsys, tmp_path, command, content):
    path, out = tmp_path / "broken.likeness", tmp_path / "out.png"
    if content is not None:
        path.write_bytes(content)
    target = {"info": [], "export": ["-o", tmp_path / "out.ply"]}.get(command, ["-o", out])
    code, output, last = run(capsys, command, path, *target)
    assert code == 3 and output == ""
    assert last.startswith("error: avatar.") and "broken.likeness" in last
    assert set(tmp_path.iterdir()) <= {path}


def test_info_tells_as_text_and_as_json(capsys, avatar_path):
    code, output, _ = run(capsys, "info", avatar_path)
    assert code == 0 and "head licence     CC0-1.0" in output
    code, output, _ = run(capsys, "info", avatar_path, "--json")
    told = json.loads(output)
    assert told["levels"] == {}
    assert told["gaussians"] == 200 == sum(told["parts"].values()) and "jawOpen" in told["controls"]


def test_info_names_the_levels_below_an_avatars_own(tmp_path):
    path = tmp_path / "me.likeness"
    write_avatar(path, make_avatar(gaussians=20_001))
    assert info.describe(read_avatar(path), path)["levels"] == {"20k": 20_000}


def test_export_writes_as_many_gaussians_as_asked_for(capsys, tmp_path, avatar_path):
    for asked, written in (("50", 50), ("20k", 200), (None, 200)):
        path = tmp_path / f"{asked}.ply"
        code, *_ = run(capsys, "export", avatar_path, "-o", path, *(["--gaussians", asked] if asked else []))
        assert code == 0 and f"element vertex {written}\n".encode() in path.read_bytes()
    code, _, last = run(capsys, "export", avatar_path, "-o", tmp_path / "head.obj", "--gaussians", "50")
    assert code == 2 and "no Gaussians" in last


@pytest.mark.parametrize("wrong", ["0", "-5", "20K!", "many"])
def test_a_level_that_is_none_is_refused(capsys, tmp_path, avatar_path, wrong):
    code, _, last = run(capsys, "render", avatar_path, "-o", tmp_path / "a.png", f"--gaussians={wrong}")
    assert code == 2 and "20k" in last


def test_create_hands_over_its_options_and_writes(capsys, tmp_path, monkeypatch):
    asked = []

    def fake(options):
        asked.append((options.quality, options.face, options.seed))
        return make_avatar(), ["the face is small"]

    monkeypatch.setattr(create, "_create", fake)
    monkeypatch.chdir(tmp_path)
    code, output, last = run(capsys, "create", "/photos/me.jpg", "--quality", "draft", "--face", "2", "--json")
    assert code == 0 and asked == [("draft", 2, 0)]
    assert json.loads(output)["avatar"] == "me.likeness" and json.loads(output)["gaussians"] == 200
    assert last == "warning: the face is small"
    assert info.describe(make_avatar(), tmp_path / "me.likeness")["gaussians"] == 200


def test_create_sees_an_unwritable_place_before_it_works(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(create, "_create", lambda options: pytest.fail("it went to work"))
    code, _, last = run(capsys, "create", "me.jpg", "-o", tmp_path / "missing" / "me.likeness")
    assert code == 3 and last.startswith("error: output.no_folder: ")


@pytest.mark.parametrize(
    "failure, code, beginning",
    [
        (InputError("picture.empty", "It is empty.", "Copy it again."), 3, "error: picture.empty: It is empty. Copy"),
        (MachineError("machine.no_cuda", "None.", "Buy one."), 4, "error: machine.no_cuda: None. Buy one."),
        (OSError(errno.ENOSPC, "No space left on device"), 3, "error: output.disk_full: A disk is full."),
        (KeyboardInterrupt(), 130, "stopped, nothing was written"),
        (MemoryError(), 4, "error: machine.memory: "),
        (RuntimeError("odd\nlines"), 4, "error: internal: Something unexpected failed (RuntimeError: odd lines)."),
    ],
)
def test_every_failure_ends_in_one_readable_line(capsys, tmp_path, monkeypatch, failure, code, beginning):
    def fail(options):
        raise failure

    monkeypatch.setattr(create, "_create", fail)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    got, output, last = run(capsys, "create", "me.jpg", "-o", tmp_path / "me.likeness")
    assert (got, output) == (code, "") and last.startswith(beginning)
    assert not (tmp_path / "me.likeness").exists()


def test_an_unexpected_failure_leaves_its_traceback(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(create, "_create", lambda options: 1 / 0)
    _, _, last = run(capsys, "create", "me.jpg", "-o", tmp_path / "me.likeness")
    (log,) = tmp_path.glob("likeness-*.log")
    assert str(log) in last and "ZeroDivisionError" in log.read_text()
    monkeypatch.setenv("LIKENESS_DEBUG", "1")
    main(["create", "me.jpg", "-o", str(tmp_path / "me.likeness")])
    assert "Traceback" in capsys.readouterr().err


def test_a_name_close_to_a_controls_is_suggested(capsys, avatar_path, tmp_path):
    code, _, last = run(capsys, "render", avatar_path, "-o", tmp_path / "x.png", "--controls", "jawopne=1")
    assert code == 2 and "Did you mean jawOpen" in last
    code, _, last = run(capsys, "render", avatar_path, "-o", tmp_path / "x.png", "--controls", "jawOpen=1.5")
    assert code == 2 and last.startswith("error: control.range: ")


def test_cuda_is_refused_where_it_is_not(monkeypatch):
    monkeypatch.setattr(device, "missing_for_cuda", lambda: "torch finds no CUDA device")
    assert device.choose_device("auto") == device.choose_device("cpu") == "cpu"
    with pytest.raises(MachineError, match="no CUDA device"):
        device.choose_device("cuda")
    monkeypatch.setattr(device, "missing_for_cuda", lambda: "")
    assert device.choose_device("auto") == device.choose_device("cuda") == "cuda"
    assert device.device_name("cpu").strip()


def test_progress_is_lines_in_a_log_and_a_bar_in_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    log, terminal = io.StringIO(), Terminal()
    for stream in (log, terminal):
        with TerminalProgress(stream) as progress:
            for stage, fraction in (("fit", 0.0), ("fit", 0.5), ("fit", 1.0), ("lift", 0.5)):
                progress.update(stage, fraction)
    assert log.getvalue() == "fit\nlift\n"
    assert " 50%" in terminal.getvalue() and terminal.getvalue().count("\n") == 2


def test_help_needs_nothing_heavy():
    heavy = "{'torch', 'mediapipe', 'numba', 'scipy', 'numpy', 'PIL'}"
    loaded = f"import sys; from likeness.cli import main; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_goes_away_is_no_error(avatar_path):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "likeness.cli", "info", str(avatar_path)]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_odd_file_names_are_no_obstacle(avatar_path, tmp_path):
    odd = os.fsencode(tmp_path) + b"/a\xff\n.likeness"
    os.rename(avatar_path, odd)
    command = [sys.executable, "-m", "likeness.cli", "info"]
    assert subprocess.run([*command, odd], capture_output=True, timeout=120).returncode == 0
    os.truncate(odd, 100)
    done = subprocess.run([*command, odd], capture_output=True, timeout=120)
    assert done.returncode == 3 and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("output", ["turn.mp4", "frames"])
def test_a_stop_leaves_nothing(avatar_path, tmp_path, sent, output):
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-m", "likeness.cli", "render", avatar_path, "--orbit", "99999", "-o"]
    # A background job of a shell ignores Ctrl-C, and so would what is started by it.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    running = subprocess.Popen([*command, tmp_path / "out" / output], stderr=subprocess.PIPE, text=True, **heard)
    assert running.stderr.readline() == "rendering\n"
    running.send_signal(sent)
    assert running.stderr.read() == "stopped, nothing was written\n"
    assert running.wait(60) == 130
    assert list((tmp_path / "out").iterdir()) == []


def test_every_command_explains_itself(capsys):
    for command in program.COMMANDS:
        with pytest.raises(SystemExit) as left:
            main([command.__name__.split(".")[-1], "--help"])
        assert left.value.code == 0 and "--help" in capsys.readouterr().out
