"""Builds likeness-VERSION.zip in dist/ with Blender's own `extension build`, and has it validated; `make extension`.

Blender is the program that BLENDER or LIKENESS_BLENDER names, or `blender` on the PATH; without one, the same
program as the bpy wheel brings it is run (`make bpy`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAGE = ROOT / "build" / "extension"
DIST = ROOT / "dist"
SHIPPED = ("blender_manifest.toml", "__init__.py", "addon", "requirements.lock", "LICENSE")
"""All that Blender needs, besides the wheel."""


def main() -> int:
    """Build the wheel, put together what ships, build the zip and validate it; return the exit code."""
    version = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))["version"]
    tool = extension_tool()
    if tool is None:
        print("No Blender to build with: say BLENDER=/path/to/blender, or run `make bpy` first.", file=sys.stderr)
        return 1
    if shutil.which(tool[0]) is None:
        print(f"There is no program {tool[0]}: say BLENDER=/path/to/blender.", file=sys.stderr)
        return 1
    stage(build_wheel(version))
    DIST.mkdir(exist_ok=True)
    package = DIST / f"likeness-{version}.zip"
    subprocess.run(
        [*tool, "build", "--source-dir", str(STAGE), "--output-filepath", str(package)], check=True, timeout=300
    )
    subprocess.run([*tool, "validate", str(package)], check=True, timeout=300)
    print(package.relative_to(ROOT))
    return 0


def extension_tool() -> list[str] | None:
    """Return the words that start Blender's extension command, or None where there is no Blender."""
    program = os.environ.get("BLENDER") or os.environ.get("LIKENESS_BLENDER") or shutil.which("blender")
    if program:
        return [program, "--factory-startup", "--command", "extension"]
    for script in sorted(ROOT.glob(".venv-bpy/*/lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli")):
        python = script.parents[8] / "bin" / "python"
        return [str(python), str(script / "blender_ext.py")]
    return None


def build_wheel(version: str) -> Path:
    """Build the engine's wheel into wheels/ and return it; the same sources give the same bytes."""
    folder = ROOT / "wheels"
    for old in folder.glob("*.whl"):
        old.unlink()
    # setuptools packs what an earlier build left in build/lib, files that are gone by now too.
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)
    words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "315532800"}  # 1980, the first year that a zip knows
    subprocess.run(
        [*words, "--no-build-isolation", "-w", str(folder), str(ROOT)], check=True, env=environment, timeout=300
    )
    return folder / f"likeness-{version}-py3-none-any.whl"


def stage(wheel: Path) -> None:
    """Put together in build/extension what ships and nothing else."""
    shutil.rmtree(STAGE, ignore_errors=True)
    (STAGE / "wheels").mkdir(parents=True)
    shutil.copy2(wheel, STAGE / "wheels")
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, STAGE / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))
        else:
            shutil.copy2(source, STAGE / name)


if __name__ == "__main__":
    sys.exit(main())
