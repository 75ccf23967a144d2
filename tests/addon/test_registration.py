"""Register and unregister are mirrors: what Blender holds afterwards is what it held before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

bpy = pytest.importorskip("bpy", reason="needs the bpy wheel: `make bpy`")

import addon  # noqa: E402

EXTENDED = ("Object", "Scene", "WindowManager", "Mesh", "Armature", "Action", "Collection", "ShapeKey", "PoseBone")


@pytest.fixture(autouse=True)
def unregistered() -> Iterator[None]:
    """Begin and end with the add-on unregistered, whatever an earlier file left."""
    if hasattr(bpy.types.Object, "likeness"):
        addon.unregister()
    yield
    if hasattr(bpy.types.Object, "likeness"):
        addon.unregister()


def held() -> dict[str, object]:
    """Return what Blender holds that an add-on can add to."""
    drawn = drawing()  # first: looking at a type of Blender's own makes its class
    return {
        "classes": classes(bpy.types.bpy_struct),
        "handlers": {name: list(map(repr, value)) for name, value in vars_of(bpy.app.handlers).items()},
        "properties": {name: set(dir(getattr(bpy.types, name))) for name in EXTENDED},
        "draw functions": drawn,
        "keymaps": keymaps(),
        "keying sets": sorted(keying.bl_idname for keying in bpy.context.scene.keying_sets_all),
        "operators": {name for name in dir(bpy.ops) if name == "likeness"} and set(dir(bpy.ops.likeness)),
        "timers": timers(),
    }


def classes(base: type) -> set[str]:
    """Return the names of all registered subclasses of a type, at every depth."""
    found = {kind.__name__ for kind in base.__subclasses__() if getattr(kind, "is_registered", False)}
    return found.union(*(classes(kind) for kind in base.__subclasses__()))


def vars_of(handlers: object) -> dict[str, list]:
    return {name: value for name in dir(handlers) if isinstance(value := getattr(handlers, name), list)}


def drawing() -> dict[str, int]:
    """Return how many functions others added to each menu, panel and header; its own one stays listed with them."""
    kinds = [kind for name in dir(bpy.types) if isinstance(kind := getattr(bpy.types, name), type)]
    added = {kind.__name__: len(getattr(getattr(kind, "draw", None), "_draw_funcs", ())) - 1 for kind in kinds}
    return {name: count for name, count in added.items() if count > 0}


def keymaps() -> dict[str, int]:
    configuration = bpy.context.window_manager.keyconfigs.addon
    return {keymap.name: len(keymap.keymap_items) for keymap in configuration.keymaps} if configuration else {}


def timers() -> list[str]:
    """Return the add-on's functions that Blender's timers would call."""
    ours = [module for name, module in sys.modules.items() if name.startswith("addon") and module is not None]
    functions = [value for module in ours for value in vars(module).values() if callable(value)]
    return [repr(each) for each in functions if getattr(each, "__code__", None) and bpy.app.timers.is_registered(each)]


def test_registering_adds_something_and_unregistering_takes_it_away():
    before = held()
    for _ in range(2):
        addon.register()
        assert held()["classes"] > before["classes"]
        addon.unregister()
        assert held() == before


@pytest.mark.parametrize("failing", addon.MODULES)
def test_a_module_that_fails_to_register_leaves_nothing_behind(failing, monkeypatch):
    before = held()

    def fail() -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(import_module(f"addon.{failing}"), "register", fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        addon.register()
    assert held() == before
    monkeypatch.undo()
    addon.register()
    addon.unregister()
    assert held() == before
