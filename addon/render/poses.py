"""An avatar in expressions that it is not in: set, evaluated by Blender, and set back as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import bpy
from bpy.types import ID, Context, FCurve, Object, PoseBone

from ..scene import actions, expressions, find, head_bones, presets
from ..scene.preset_table import PRESETS
from .avatars import Placed, Source
from .sheets import stand

COUNT = 12
"""Expressions of a contact sheet."""
BUILT_IN = ("Smile", "Laugh", "Surprise", "Sad", "Angry", "Disgust", "Fear", "Blink", "Ah", "Oo")
"""What a contact sheet is filled up with, in this order."""
CHANNELS = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")


@dataclass(frozen=True)
class Expression:
    """What a face does: controls, all others at zero, and bones at rest or as in the photograph."""

    name: str
    values: expressions.Values
    as_in_portrait: bool = False


def sheet_expressions(mesh: Object) -> list[Expression]:
    """Return what a contact sheet shows: neutral, the photograph's, the user's presets, then the built-in ones."""
    found = [Expression("Neutral", {})]
    portrait = mesh.likeness.portrait.expression
    if portrait is not None:
        found.append(Expression("Portrait", actions.expression_values(portrait), as_in_portrait=True))
    found += [Expression(action.name, actions.expression_values(action)) for action in presets.user_presets()]
    found += [Expression(name, _built_in(name)) for name in BUILT_IN]
    return found[:COUNT]


def posed(context: Context, source: Source, wanted: Sequence[Expression]) -> list[Placed]:
    """Return the avatar in each expression, as Blender evaluates it: sculpted changes included, constraints too.

    Neither values, drivers nor keys are changed afterwards. Errors: InputError `avatar.linked`, as `stand`.
    """
    mesh, placed = source.mesh, []
    stand(source, context.evaluated_depsgraph_get())  # refused before anything is touched
    expressions.check_editable(mesh)
    with _set_back(context, mesh):
        for each in wanted:
            values = dict.fromkeys(expressions.control_values(mesh), 0.0) | each.values
            expressions.set_control_values(mesh, values)
            head_bones.reset_bones(mesh)
            if each.as_in_portrait:
                head_bones.pose_as_in_portrait(mesh)
            context.view_layer.update()
            placed.append(stand(source, context.evaluated_depsgraph_get()))
    return placed


def _built_in(name: str) -> expressions.Values:
    """Return a built-in preset as it is in this file, without making its action."""
    changed = next((action for action in bpy.data.actions if action.get(presets.MARK) == name), None)
    return actions.expression_values(changed) if changed else PRESETS[name]


@contextmanager
def _set_back(context: Context, mesh: Object) -> Iterator[None]:
    """Let go of the drivers of controls and bones, and put everything back in the end.

    Muting a driver lets Blender evaluate the animation anew at the next update, over values that are not keyed yet.
    """
    bones = [bone for bone in head_bones.head_bones(mesh) if head_bones.is_editable(bone)]
    values = [_kept(mesh, "show_only_shape_key"), *(_kept(key, "value") for key in find.controls(mesh))]
    values += [_kept(bone, channel) for bone in bones for channel in CHANNELS]
    drivers = _drivers(mesh, bones)
    mutes = [_kept(driver, "mute") for driver in drivers]
    try:
        for driver in drivers:
            driver.mute = True
        context.view_layer.update()
        mesh.show_only_shape_key = False
        yield
    finally:
        for back in (mutes, values):
            for each in back:
                each()
            context.view_layer.update()


def _kept(owner: object, name: str) -> Callable[[], None]:
    """Return what sets a property back to what it is now."""
    value = getattr(owner, name)
    return partial(setattr, owner, name, value if isinstance(value, bool | float) else tuple(value))


def _drivers(mesh: Object, bones: Sequence[PoseBone]) -> list[FCurve]:
    """Return the drivers of an avatar's controls and bones; those of the correctives do their work."""
    names = expressions.control_values(mesh)
    found = [each for each in _all_drivers(mesh.data.shape_keys) if actions.control_name(each.data_path) in names]
    if bones:
        paths = tuple(f"{bone.path_from_id()}." for bone in bones)
        found += [each for each in _all_drivers(bones[0].id_data) if each.data_path.startswith(paths)]
    return found


def _all_drivers(owner: ID) -> Sequence[FCurve]:
    return owner.animation_data.drivers if owner.animation_data else ()
