"""Which command starts the engine: what wins, what each kind of preference becomes, and what is not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from addon.command import AS_ENGINE, engine_command, split_command

from likeness.contract.errors import MachineError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_variable(monkeypatch, tmp_path):
    monkeypatch.delenv("LIKENESS_ENGINE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "on path"))
    program(tmp_path / "on path" / "likeness")
    program(tmp_path / "on path" / "ssh")
    program(tmp_path / "on path" / "python3")


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def code(preference: str, own: Path | None = None) -> str:
    with pytest.raises(MachineError) as caught:
        engine_command(preference, own)
    assert caught.value.message.endswith(".") and caught.value.remedy.endswith(".")
    return caught.value.code


def test_the_variable_wins_over_the_preference_and_that_over_the_own_environment(tmp_path, monkeypatch):
    own = program(tmp_path / "own" / "bin" / "python").parents[1]
    assert engine_command("", own) == [str(own / "bin/python"), *AS_ENGINE]
    assert engine_command("  ", own) == engine_command("", own)
    preference = str(program(tmp_path / "mine" / "likeness"))
    assert engine_command(preference, own) == [preference, "serve"]
    monkeypatch.setenv("LIKENESS_ENGINE", "ssh render-07 likeness serve")
    assert engine_command(preference, own) == [str(tmp_path / "on path/ssh"), "render-07", "likeness", "serve"]


def test_without_any_there_is_none(tmp_path):
    assert code("") == code("", tmp_path / "own") == "engine.none"
    (tmp_path / "empty").mkdir()
    assert code("", tmp_path / "empty") == "engine.none"


@pytest.mark.parametrize("python", ["bin/python", "bin/python3", "Scripts/python.exe", "python.exe"])
@pytest.mark.parametrize("folder", ["venv", "my environment", "it's"])
def test_an_environment_or_its_python_becomes_the_engine_in_it(tmp_path, folder, python):
    path = program(tmp_path / folder / python)
    assert engine_command(str(tmp_path / folder), None) == [str(path), *AS_ENGINE]
    assert engine_command(f'"{tmp_path / folder}"', None) == [str(path), *AS_ENGINE]
    assert engine_command(str(path), None) == [str(path), *AS_ENGINE]


def test_a_bare_program_is_asked_to_serve(tmp_path, monkeypatch):
    path = tmp_path / "on path"
    assert engine_command("likeness", None) == [str(path / "likeness"), "serve"]
    assert engine_command("python3", None) == [str(path / "python3"), *AS_ENGINE]
    assert engine_command("likeness serve", None) == [str(path / "likeness"), "serve"]
    other = program(tmp_path / "start-engine.sh")
    assert engine_command(str(other), None) == [str(other)]
    assert engine_command(f"{other} --fast 'two words'", None) == [str(other), "--fast", "two words"]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert engine_command("~/start-engine.sh", None) == [str(other)]
    assert engine_command("~/start-engine.sh now", None) == [str(other), "now"]


@pytest.mark.parametrize(
    "preference",
    ["/nowhere/likeness", "/nowhere/likeness serve", "nothing-of-that-name", "likeness 'serve", "a\0b", "x" * 9000],
)
def test_what_is_not_there_is_told(preference, monkeypatch):
    assert code(preference) == "engine.not_found"
    if "\0" not in preference:
        monkeypatch.setenv("LIKENESS_ENGINE", preference)
        assert code("likeness") == "engine.not_found"


def test_a_folder_without_a_python_is_told(tmp_path):
    assert code(str(tmp_path)) == "engine.not_found"


@pytest.mark.parametrize(
    "text, words",
    [
        ("ssh host likeness serve", ["ssh", "host", "likeness", "serve"]),
        (r"C:\Tools\likeness.exe serve", [r"C:\Tools\likeness.exe", "serve"]),
        (
            r'"C:\Program Files\py\python.exe" -m likeness.cli',
            [r"C:\Program Files\py\python.exe", "-m", "likeness.cli"],
        ),
        (r'\\server\share\likeness.exe --log="C:\my logs"', [r"\\server\share\likeness.exe", r"--log=C:\my logs"]),
        ('a "" b', ["a", "", "b"]),
    ],
)
def test_windows_command_lines_keep_their_backslashes(text, words):
    assert split_command(text, windows=True) == words


def test_windows_wants_quotation_marks_in_pairs():
    with pytest.raises(ValueError):
        split_command('"C:\\Program Files', windows=True)


@pytest.mark.parametrize("module", ["addon.client", "addon.command"])
def test_it_needs_neither_bpy_nor_anything_heavy(module):
    program = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'engine')!r}]\nimport {module}\n"
        "sys.exit(' '.join({'bpy', 'torch', 'scipy', 'PIL'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
