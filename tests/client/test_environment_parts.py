"""The parts of the engine's setup, one by one: tools' processes, pip's settings, paths, versions and words."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

from addon.environment import bundle_in, environment_python, mirrors, problems, pythons
from addon.environment.process import Runner, clean_environment
from addon.environment.uv import UV_VERSION

ROOT = Path(__file__).resolve().parents[2]


def test_a_password_in_an_address_is_neither_logged_nor_shown(tmp_path):
    log, shown = io.StringIO(), []
    runner = Runner(tmp_path, shown.append)
    runner.write_to(log)
    said = "global.index-url='https://me:secret@mirror/simple'"
    outcome = runner.run([sys.executable, "-c", "import os; print(os.environ['SAID'])"], {**os.environ, "SAID": said})
    assert outcome.lines == [said]  # which uv is to be told
    assert shown == ["global.index-url='https://***@mirror/simple'"]
    assert "secret" not in log.getvalue() and shown[0] in log.getvalue()


def test_blenders_own_interpreter_serves_only_if_it_is_of_the_version():
    assert list(pythons.own_interpreter("/blender/python", (3, 11))) == [Path("/blender/python")]
    assert list(pythons.own_interpreter("/blender/python", (3, 13))) == []


def test_children_do_not_inherit_another_pythons_variables(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/studio/pipeline")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    clean = clean_environment({"UV_CACHE_DIR": "/c"})
    assert "PYTHONPATH" not in clean and clean["HTTPS_PROXY"] == "http://proxy:3128" and clean["UV_CACHE_DIR"] == "/c"


def test_pips_settings_are_told_to_uv():
    listing = [
        "global.index-url='https://mirror/simple'",
        "global.find-links='\\n/a\\n/b'",
        "install.trusted-host='mirror'",
        "list.format='columns'",
        ":env:.index-url='https://other/simple'",
        ":env:.default-timeout='180'",
    ]
    told = mirrors.uv_variables(mirrors.pip_settings(listing), {})
    assert told == {
        "UV_DEFAULT_INDEX": "https://other/simple",
        "UV_FIND_LINKS": "/a,/b",
        "UV_INSECURE_HOST": "mirror",
        "UV_HTTP_TIMEOUT": "180",
    }


def test_uvs_own_settings_win_over_pips():
    pip = mirrors.pip_variables({"PIP_INDEX_URL": "https://a", "PIP_EXTRA_INDEX_URL": "https://b", "PATH": "/bin"})
    assert mirrors.uv_variables(pip, {"UV_INDEX_URL": "https://c"}) == {
        "UV_INDEX": "https://b",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_paths_on_windows(monkeypatch):
    environment = Path("env")
    monkeypatch.setattr(os, "name", "nt")
    assert environment_python(environment).parts == ("env", "Scripts", "python.exe")


def test_the_makefile_and_the_extension_pin_the_same_uv():
    assert re.search(r"^UV_VERSION := (.*)$", (ROOT / "Makefile").read_text(), re.M)[1] == UV_VERSION


def test_this_checkout_carries_what_a_setup_needs():
    here = bundle_in(ROOT)
    assert {"torch", "mediapipe", "numpy"} <= set(here.pins)
    assert f"wheels/{here.wheel.name}" in (ROOT / "blender_manifest.toml").read_text()


def test_errors_are_sentences(tmp_path):
    told = [
        problems.cancelled(), problems.busy(), problems.no_pip(), problems.no_wheel(tmp_path / "w.whl"),
        problems.no_python(""), problems.no_permission(tmp_path, "read-only"), problems.disk_full(tmp_path),
        problems.disk_full(tmp_path, 1, 2), problems.wheels_missing(tmp_path, [str(n) for n in range(20)]),
        problems.from_output([], tmp_path), problems.check_failed([], tmp_path),
    ]  # fmt: skip
    for error in told:
        assert error.message.endswith(".") and error.remedy.endswith((".", ".log")) and error.code.startswith("setup.")
