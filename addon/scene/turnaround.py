"""A turnaround as Blender's own data: a camera that orbits heads and three lights, keyed as an animator would do it."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, radians, tau

import bpy
from bpy.types import ID, Collection, Object, Scene
from mathutils import Euler, Vector

from .actions import animation_curves
from .framing import LENS, SENSOR, Bounds

MARK = "likeness_turnaround"
"""Custom property: of a collection whose turnaround it is, of an object which of the turnaround's it is."""
MARGIN = 1.15
"""How much larger than the heads the frame is."""


@dataclass(frozen=True)
class Lamp:
    """An area light about a head that is one unit from its middle to its rim."""

    name: str
    around: float
    """Degrees from the face's front, towards the subject's left."""
    up: float
    """Degrees above the middle of the head."""
    distance: float
    size: float
    strength: float
    """Watts at a distance of one unit; they grow with its square."""


LAMPS = (
    Lamp("Key Light", 40, 30, 6, 3, 10),
    Lamp("Fill Light", -50, 10, 7, 5, 3),
    Lamp("Rim Light", 155, 35, 6, 2, 13),
)


def make_turnaround(
    scene: Scene, name: str, bounds: Bounds, heading: float, *, frames: int, lights: bool
) -> Collection:
    """Let a new camera, which becomes the scene's, turn once around heads from the current frame on.

    The frame after the last would be the first again. `bounds` in world space; `heading` is where the faces look,
    radians about Z, 0 along -Y. What an earlier turnaround of this name made is replaced, and whatever points to it
    points to the new one; the user's own objects in its collection stay.
    """
    start = max(scene.frame_current, 0)
    old = _earlier(scene, name)
    collection = bpy.data.collections.new(f"{name} Turnaround")
    collection[MARK] = name
    scene.collection.children.link(collection)
    made: dict[str, Object] = {}
    made["Orbit"] = _turning(collection, bounds, "SPHERE", start, frames, tau)
    made["Orbit Camera"] = _camera(collection, scene, bounds, heading)
    made["Orbit Camera"].parent = made["Orbit"]
    if lights:
        made["Lights"] = _turning(collection, bounds, "CIRCLE", start, frames, 0.0)
        for lamp in LAMPS:
            made[lamp.name] = _light(collection, bounds.size, heading, lamp)
            made[lamp.name].parent = made["Lights"]
    scene.camera = made["Orbit Camera"]
    scene.frame_start, scene.frame_end = start, start + frames - 1
    for each in old:
        _replace(each, collection, made)
    _name(collection, name, made)
    return collection


def _turning(collection: Collection, bounds: Bounds, shape: str, start: int, frames: int, angle: float) -> Object:
    """Make an empty in the middle of the heads that turns by an angle, evenly and on beyond its keys."""
    empty = _add(collection, "Turnaround", None)
    empty.empty_display_type, empty.empty_display_size = shape, bounds.size
    empty.location = bounds.center
    for frame, value in ((start + frames, angle), (start, 0.0)):
        empty.rotation_euler.z = value
        empty.keyframe_insert("rotation_euler", index=2, frame=frame)
    for curve in animation_curves(empty):
        curve.extrapolation = "LINEAR"  # the shutter of the first and the last frame reaches beyond them
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    return empty


def _camera(collection: Collection, scene: Scene, bounds: Bounds, heading: float) -> Object:
    """Make the camera, in front of the faces, so far away that they stay in the frame all around."""
    lens = bpy.data.cameras.new("Turnaround")
    lens.lens, lens.sensor_width = LENS, SENSOR
    camera = _add(collection, "Turnaround", lens)
    corner = lens.view_frame(scene=scene)[0]
    distance = bounds.distance(*(abs(side / corner.z) / MARGIN for side in corner.xy))
    lens.clip_start, lens.clip_end = distance / 100, max(distance * 100, lens.clip_end)
    lens.display_size = bounds.size / 2
    camera.location = _around(heading, 0.0, distance)
    camera.rotation_euler = (pi / 2, 0.0, heading)
    return camera


def _light(collection: Collection, unit: float, heading: float, lamp: Lamp) -> Object:
    data = bpy.data.lights.new("Turnaround", "AREA")
    data.shape, data.size = "DISK", lamp.size * unit
    data.energy = lamp.strength * (lamp.distance * unit) ** 2
    light = _add(collection, "Turnaround", data)
    light.location = _around(heading + radians(lamp.around), radians(lamp.up), lamp.distance * unit)
    light.rotation_euler = light.location.to_track_quat("Z", "Y").to_euler()  # it shines along its own -Z
    return light


def _around(angle: float, up: float, distance: float) -> Vector:
    """Return a place around the middle: angles in radians from the front and above the horizon."""
    return Euler((-up, 0.0, angle)).to_matrix() @ Vector((0.0, -distance, 0.0))


def _add(collection: Collection, name: str, data: ID | None) -> Object:
    added = bpy.data.objects.new(name, data)
    collection.objects.link(added)
    return added


def _earlier(scene: Scene, name: str) -> list[Collection]:
    known = scene.collection.children_recursive
    return [each for each in known if each.get(MARK) == name and each.library is None]


def _replace(old: Collection, new: Collection, made: dict[str, Object]) -> None:
    """Take an earlier turnaround away; the user's own objects and collections in it move to the new one."""
    ours = [each for each in old.objects if MARK in each]
    for each in old.objects:
        if each not in ours and each.name not in new.objects:
            new.objects.link(each)
    for child in old.children:
        new.children.link(child)
    bpy.data.collections.remove(old)
    for each in ours:
        heir, data = made.get(each[MARK]), each.data
        action = each.animation_data.action if each.animation_data else None
        if heir is not None:
            each.user_remap(heir)
        bpy.data.objects.remove(each)
        bpy.data.batch_remove([unused for unused in (data, action) if unused is not None and unused.users == 0])


def _name(collection: Collection, name: str, made: dict[str, Object]) -> None:
    """Name everything, now that the earlier turnaround's names are free, and mark it as ours."""
    collection.name = f"{name} Turnaround"
    for role, each in made.items():
        each[MARK] = role
        each.name = f"{name} {role}"
        if each.data is not None:
            each.data.name = each.name
        if each.animation_data is not None:
            each.animation_data.action.name = f"{each.name} Turn"
