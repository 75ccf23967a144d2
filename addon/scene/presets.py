"""Expression presets: actions marked as such, so that they are saved, appended, linked and renamed as any other.

A built-in preset is a row of a table until it is first used; from then on its action counts, so that a studio can
change it. They are not marked as assets: Blender's pose library would offer them for armatures, where they do nothing.
"""

from __future__ import annotations

import bpy
from bpy.types import Action

from likeness.contract.errors import InputError, LikenessError

from . import actions
from .expressions import Values
from .preset_table import PRESETS

MARK = "likeness_preset"
"""Custom property of an action: the name of the built-in preset that it holds, or an empty string for a user's own."""
LEAST = 1e-4
"""Values nearer to zero are not part of a preset."""


def user_presets() -> list[Action]:
    """Return the actions of all presets that users saved or appended, by name."""
    return sorted((action for action in bpy.data.actions if action.get(MARK) == ""), key=lambda action: action.name)


def preset_values(name: str) -> Values:
    """Return what a preset holds; a built-in one gets its action. Raises InputError `preset.unknown`."""
    return actions.expression_values(_built_in(name) if name in PRESETS else user_preset(name))


def user_preset(name: str) -> Action:
    """Return a user's preset by name. Raises InputError `preset.unknown`."""
    for action in user_presets():
        if action.name == name:
            return action
    raise InputError("preset.unknown", f"There is no preset called {name}.", "Choose one from the panel.")


def save_preset(name: str, values: Values) -> Action:
    """Keep an expression's non-zero controls under a name, over a user's preset of the same name.

    Raises InputError `preset.name` (empty or a built-in one's), `preset.empty` or `preset.linked`.
    """
    name = _checked(name)
    held = {control: value for control, value in values.items() if abs(value) > LEAST}
    if not held:
        raise InputError("preset.empty", "The face is neutral, there is nothing to save.", "Set an expression first.")
    known = next((action for action in user_presets() if action.name == name), None)
    if known is None:
        action = actions.new_expression(name, held)
        action[MARK] = ""
        return action
    _check_local(known)
    actions.set_expression(known, held)
    return known


def rename_preset(name: str, new_name: str) -> Action:
    """Give a user's preset another name. Raises InputError `preset.unknown`, `preset.name` or `preset.linked`."""
    action = user_preset(name)
    _check_local(action)
    new_name = _checked(new_name)
    if any(other.name == new_name for other in user_presets() if other != action):
        raise InputError("preset.name", f"There is a preset called {new_name} already.", "Choose another name.")
    action.name = new_name
    return action


def delete_preset(name: str) -> None:
    """Forget a user's preset; its action stays where animation uses it. Raises InputError `preset.unknown`."""
    action = user_preset(name)
    if action.users > int(action.use_fake_user) and action.library is None:
        del action[MARK]
    else:
        bpy.data.actions.remove(action)


def _built_in(name: str) -> Action:
    for action in bpy.data.actions:
        if action.get(MARK) == name:
            return action
    action = actions.new_expression(name, PRESETS[name])
    action[MARK] = name
    return action


def _checked(name: str) -> str:
    name = name.strip()
    if not name or name in PRESETS:
        reason = f"{name} is the name of a built-in preset." if name else "A preset needs a name."
        raise InputError("preset.name", reason, "Choose another name.")
    return name


def _check_local(action: Action) -> None:
    if action.library is not None:
        raise _linked(action)


def _linked(action: Action) -> LikenessError:
    return InputError(
        "preset.linked", f"{action.name} is linked from another file and cannot be changed.", "Save under another name."
    )
