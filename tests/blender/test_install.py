"""The zip as a user gets it: what is in it, installed into real Blenders, seen in a window."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path

from window import run_script

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


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


def test_installed_it_is_enabled_and_shown_in_a_window(package, installed, tmp_path):
    valid = installed.run(["--command", "extension", "validate", package], limit=120)
    assert valid.code == 0, valid.tail()
    seen = run_script(installed, HERE / "install_window.py", tmp_path, limit=120)
    assert "site-packages/likeness/contract" in seen.outcome.log
    assert {"panel", "again"} <= set(seen.pictures)
