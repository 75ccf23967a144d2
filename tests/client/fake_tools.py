"""Stand-ins for uv, for Blender's Python and for the engine's wheel, so that setups run in a second and offline."""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

SHELL = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
"""
"""Begins a program that both a shell and Python read, as pip writes them: a #! alone knows no paths with spaces."""
UV = (
    SHELL
    + '''"""Does what uv would, with the wheels of one folder; FAKE_UV names a file that says what to do wrong."""
import json, os, pathlib, sys, time, venv, zipfile

words = sys.argv[1:]
orders = json.loads(pathlib.Path(os.environ["FAKE_UV"]).read_text())
with open(os.environ["FAKE_UV"] + ".calls", "a") as calls:
    calls.write(json.dumps(words) + "\\n")
for sign, act in orders.items():
    if any(sign in word for word in words):
        if act == "hang":
            print("hanging", flush=True)
            time.sleep(60)
        print(act)
        sys.exit(1)
if words == ["--version"]:
    print("uv 0.13.8")
elif words[0] == "venv":
    place = next(word for word in words if "/" in word)
    venv.create(place, with_pip=False, symlinks=True)
else:
    python = pathlib.Path(words[words.index("--python") + 1])
    site = next(python.parent.parent.glob("lib/python*/site-packages"))
    links = words[words.index("--find-links") + 1] if "--find-links" in words else os.environ["FAKE_INDEX"]
    wanted = [word for word in words if "==" in word]
    if "--requirement" in words:
        wanted += pathlib.Path(words[words.index("--requirement") + 1]).read_text().split()
    wheels = [pathlib.Path(word) for word in words if word.endswith(".whl")]
    for pin in wanted:
        name, version = pin.split("==")
        found = list(pathlib.Path(links).glob(f"{{name.replace('-', '_')}}-{{version}}-*.whl"))
        if not found:
            print("error: No solution found when resolving dependencies")
            print(f"  cause: Because {{name}} was not found in the package registry")
            sys.exit(1)
        wheels += found
    for wheel in wheels:
        print("Downloaded", wheel.name, flush=True)
        zipfile.ZipFile(wheel).extractall(site)
'''
)
DOCTOR = """
import os, sys, time
print("ok     python          3.11.9", flush=True)
if os.environ.get("FAKE_DOCTOR") == "hang":
    time.sleep(60)
if os.environ.get("FAKE_DOCTOR") == "broken":
    print("broken cv2             cannot be imported (libGL.so.1: cannot open shared object file).")
    sys.exit(4)
print("ok     torch           2.13.0+cpu")
"""
PYTHON = """#!/bin/sh
[ "$3" = download ] && cp "$FAKE_INDEX"/uv-* "$8"
exit 0
"""


@dataclass(frozen=True)
class Fakes:
    """A small world: an extension, an index (also a folder of wheels), and what the fake uv was told to do."""

    root: Path

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def interpreter(self) -> str:
        return str(self.root / "blender-python")

    def order(self, **orders: str) -> None:
        """Have uv print a text and fail, or hang, when a word of its arguments holds a sign."""
        (self.root / "orders.json").write_text(json.dumps({key.replace("_", "-"): act for key, act in orders.items()}))

    def calls(self) -> list[str]:
        """Return how uv was called since the last time, but for its version."""
        path = self.root / "orders.json.calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [" ".join(json.loads(line)) for line in lines if "--version" not in line]


def make_fakes(root: Path) -> Fakes:
    """Write all of it into an empty folder, and set no variables."""
    fakes = Fakes(root)
    extension = root / "extension"
    (extension / "wheels").mkdir(parents=True)
    (extension / "blender_manifest.toml").write_text('version = "0.1.0"\n')
    (extension / "requirements.lock").write_text("# pinned\nfirst==1.0\nsecond-one==2.0\ntorch==2.13.0\n")
    files = {"likeness/__init__.py": "", "likeness/cli/__init__.py": "", "likeness/cli/__main__.py": DOCTOR}
    make_wheel(extension / "wheels" / "likeness-0.1.0-py3-none-any.whl", files)
    fakes.index.mkdir()
    for name in ("first-1.0", "second_one-2.0", "torch-2.13.0+cpu", "torch-2.13.0"):
        make_wheel(fakes.index / f"{name}-py3-none-any.whl", {f"{name.split('-')[0]}.py": ""})
    make_wheel(
        fakes.index / "uv-0.13.8-py3-none-any.whl", {"uv-0.13.8.data/scripts/uv": UV.format(python=sys.executable)}
    )
    write_program(Path(fakes.interpreter), PYTHON)
    fakes.order()
    return fakes


def make_wheel(path: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
