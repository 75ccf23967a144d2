"""Holds the import ladder: a file imports only from rows below its own, and never from a sibling in its row."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "engine" / "likeness"
ENGINE_ROWS = (
    ("contract",),
    ("geometry",),
    ("head", "gaussians", "portrait"),
    ("binding", "rendering"),
    ("tracking", "lifting", "motion"),
    ("avatar",),
    ("worker",),
    ("cli",),
)
ROW_OF = {package: row for row, packages in enumerate(ENGINE_ROWS) for package in packages}
FILES = sorted(ENGINE.rglob("*.py"))


def imported_modules(source: str, package: str) -> set[str]:
    """Return the full names of all modules that a file imports, at its top, inside functions and by name."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            modules |= {f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            modules |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return modules


def broken_rules(source: str, package: str) -> list[str]:
    """Return the imports of a file in `likeness.<package>` that climb or step sideways."""
    allowed = {other for other, row in ROW_OF.items() if row < ROW_OF[package]} | {package}
    imported = [name.split(".") for name in imported_modules(source, f"likeness.{package}")]
    ours = [".".join(name) for name in imported if name[0] == "likeness" and (len(name) < 2 or name[1] not in allowed)]
    return ours + [".".join(name) for name in imported if name[0] in ("bpy", "mathutils", "addon")]


def test_the_rule_notices_what_it_is_for():
    assert broken_rules("from likeness.avatar import create", "head") == ["likeness.avatar.create"]
    assert broken_rules("def f():\n    import likeness.gaussians.ply", "head") == ["likeness.gaussians.ply"]
    assert broken_rules("from ..portrait import read", "tracking") == []
    assert broken_rules("from ..cli import main", "tracking") == ["likeness.cli.main"]
    assert broken_rules("import importlib\nimportlib.import_module('likeness.cli')", "avatar") == ["likeness.cli"]
    assert broken_rules("import bpy", "cli") == ["bpy"]
    assert broken_rules("from likeness.geometry.cameras import Camera\nimport numpy", "head") == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_a_file_imports_from_below_only(path):
    package = path.relative_to(ENGINE).parts[0]
    if path == ENGINE / "__init__.py":
        assert path.read_text() == ""
        return
    assert package in ROW_OF, f"{package} has no row"
    assert broken_rules(path.read_text(), package) == []


@pytest.mark.parametrize("path", sorted((ENGINE / "contract").glob("*.py")), ids=lambda path: path.name)
def test_the_contract_needs_the_standard_library_and_numpy_alone(path):
    roots = {name.split(".")[0] for name in imported_modules(path.read_text(), "likeness.contract")}
    assert roots <= set(sys.stdlib_module_names) | {"numpy", "likeness"}


def test_importing_the_contract_loads_neither_torch_nor_bpy():
    modules = [f"likeness.contract.{path.stem}" for path in (ENGINE / "contract").glob("[a-z]*.py")]
    program = (
        "import sys, importlib\n"
        f"for name in {modules}: importlib.import_module(name)\n"
        "foreign = {n.split('.')[0] for n in sys.modules} & {'torch', 'bpy', 'scipy', 'PIL', 'jaxtyping', 'numba'}\n"
        "sys.exit(' '.join(sorted(foreign)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
