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
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


ADDON = ROOT / "addon"
ADDON_ROWS = (
    ("children",),
    ("conventions", "client", "command", "environment", "live", "photo"),
    ("scene", "viewports", "main_thread"),
    ("properties", "performance_properties", "live_properties"),
    ("preferences",),
    ("session", "overlay", "receiving"),
    ("render", "performances"),
    ("operators", "handlers", "render_handlers", "sign_handlers", "keying"),
    ("panels",),
)
ADDON_ROW_OF = {name: row for row, names in enumerate(ADDON_ROWS) for name in names}
WITHOUT_BPY = ("children", *ADDON_ROWS[1])
ADDON_FILES = sorted(path for path in ADDON.rglob("*.py") if path != ADDON / "__init__.py")


def package_of(path: Path) -> str:
    """Return the dotted package that a file's relative imports start from."""
    return ".".join(path.relative_to(ROOT).parent.parts)


def part_of(path: Path) -> str:
    """Return which part of the add-on a file belongs to."""
    return path.relative_to(ADDON).with_suffix("").parts[0]


def addon_broken_rules(source: str, package: str, part: str) -> list[str]:
    """Return the imports of a file of the add-on that climb, step sideways, or reach past the engine's contract."""
    allowed = {other for other, row in ADDON_ROW_OF.items() if row < ADDON_ROW_OF[part]} | {part}
    names = [name.split(".") for name in imported_modules(source, package)]
    inside = [".".join(name) for name in names if name[0] == "addon" and (len(name) < 2 or name[1] not in allowed)]
    engine = [".".join(name) for name in names if name[0] == "likeness" and name[1:2] != ["contract"]]
    return inside + engine + [".".join(name) for name in names if name[0] == "torch"]


def gpu_calls_on_import(source: str) -> list[int]:
    """Return the lines that call into `gpu` when the file is imported: at its top, in class bodies, as defaults."""
    tree = ast.parse(source)
    return [node.lineno for node in _run_on_import(tree) if isinstance(node, ast.Call) and _root(node.func) == "gpu"]


def _run_on_import(node: ast.AST):
    yield node
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _run_on_import(child)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def test_the_addons_rule_notices_what_it_is_for():
    assert addon_broken_rules("from ..panels import avatar", "addon.scene", "scene") == ["addon.panels.avatar"]
    assert addon_broken_rules("from . import session", "addon", "keying") == []
    assert addon_broken_rules("def f():\n    from .scene.find import x", "addon", "photo") == ["addon.scene.find.x"]
    assert addon_broken_rules("import likeness.avatar", "addon.scene", "scene") == ["likeness.avatar"]
    assert gpu_calls_on_import("import gpu\nS = gpu.state.x()\ndef f(a=gpu.y()):\n    gpu.z()") == [2, 3]


@pytest.mark.parametrize("path", ADDON_FILES, ids=lambda path: str(path.relative_to(ADDON)))
def test_a_file_of_the_addon_imports_from_below_only(path):
    assert part_of(path) in ADDON_ROW_OF, f"{part_of(path)} has no row"
    assert addon_broken_rules(path.read_text(), package_of(path), part_of(path)) == []
    assert gpu_calls_on_import(path.read_text()) == []


def test_what_serves_programs_outside_blender_loads_no_bpy():
    program = (
        "import sys, importlib\n"
        f"for name in {WITHOUT_BPY}: importlib.import_module(f'addon.{{name}}')\n"
        "foreign = {n.split('.')[0] for n in sys.modules} & {'bpy', 'mathutils', 'gpu', 'torch'}\n"
        "sys.exit(' '.join(sorted(foreign)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
