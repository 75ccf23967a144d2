"""The zip as a user gets it: what is in it, installed into real Blenders, seen in a window."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from window import run_script

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def package() -> Path:
    """Build the zip; the tool validates it as well."""
    done = subprocess.run([sys.executable, str(HERE / "build_extension.py")], capture_output=True, text=True, cwd=ROOT)
    if "No Blender to build with" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    return ROOT / done.stdout.split()[-1]


def test_there_is_one_version(package):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    assert manifest["version"] == project
    assert manifest["wheels"] == [f"./wheels/likeness-{project}-py3-none-any.whl"]
    assert package.name == f"likeness-{project}.zip"


def test_the_zip_holds_what_blender_needs_and_nothing_else(package):
    expected = r"blender_manifest\.toml|__init__\.py|LICENSE|requirements\.lock|wheels/[^/]+-none-any\.whl|addon/.+\.py"
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
    assert [name for name in names if not re.fullmatch(expected, name)] == []
    assert sum(name.endswith(".whl") for name in names) == 1
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "addon").rglob("*.py")}
    assert {name for name in names if name.startswith("addon/")} == sources


def test_installed_it_is_enabled_and_shown_in_a_window(package, blender, tmp_path):
    valid = blender.run(["--command", "extension", "validate", package], limit=120, folders=[tmp_path])
    assert valid.code == 0, valid.tail()
    words = ["--command", "extension", "install-file", "-r", "user_default", "-e", package]
    installed = blender.run(words, limit=120, folders=[tmp_path])
    assert installed.code == 0 and "Traceback" not in installed.log, installed.tail()
    seen = run_script(blender, HERE / "install_window.py", tmp_path, limit=120)
    assert "site-packages/likeness/contract" in seen.outcome.log
    assert {"panel", "again"} <= set(seen.pictures)
