"""One render, from its first handler to its last."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import bpy
import numpy as np
from bpy.types import Depsgraph, Object, Scene

from likeness.contract.codec import MAX_BLOCK_BYTES
from likeness.contract.errors import InputError, LikenessError
from likeness.contract.failures import as_likeness_error
from likeness.contract.messages import MAX_FRAME_SIDE, RenderFrame

from .. import main_thread
from ..conventions import blender_camera_to_opencv
from ..scene.find import is_avatar
from . import engine
from .avatars import Placed, Source, enable, in_render, is_disabled, place, read_source
from .camera import Region, bordered, pixel_matrix, whole_frame
from .colors import photo_space
from .failure import exit_with_failure, forbid_camera, forbid_writing, set_aside_movie, tell
from .marks import change, sweep
from .nodes import make_group
from .passes import Passes
from .pictures import Picture
from .tree import insert, scenes_in

LENSES = ("PERSP", "ORTHO")
MOST_PIXELS = MAX_BLOCK_BYTES // 20
"""Of a frame: the engine answers with five numbers of four bytes for each."""
Shown = tuple[Object, ...]


class Run:
    """What one render of a scene holds: pictures by the avatars in them, and how to leave the file as it was."""

    def __init__(self, scene: Scene, layers: dict[str, Shown]) -> None:
        self.scene = scene
        self.layers = layers
        self.error: LikenessError | None = None
        self._wanted: tuple[int, float] | None = None
        self._done: set[Shown] = set()
        self._pictures: dict[Shown, Picture] = {}
        self._passes: Passes | None = None
        self._sources: dict[Object, Source] = {}
        self._undo: list[Callable[[], None]] = []
        self._begun = time.time()
        self._is_stopped = False
        self._is_refused = False

    def open(self) -> None:
        """Change the file for the render. Errors: InputError `render.size`."""
        region = region_of(self.scene)
        check_size(region)
        for name in self.layers:
            change(self.scene.view_layers[name], "use_pass_z", True)
        enable(list(dict.fromkeys(mesh for shown in self.layers.values() for mesh in shown)))
        groups = {}
        for shown in set(self.layers.values()):
            picture = self._pictures[shown] = Picture(region, photo_space(self.scene))
            groups[shown] = make_group(picture, film=self.scene.render.film_transparent)
        insert(self.scene, {name: groups[shown] for name, shown in self.layers.items()})
        if self.scene.likeness.passes:
            self._passes = Passes(self.scene, region, self.layers, self._pictures)

    def close(self) -> None:
        """Leave the file as it was, and let no movie with a failed frame pass for a good one."""
        while self._undo:
            _attempt(self._undo.pop())
        sweep()
        if self.error is not None and self.scene.render.is_movie_format:
            set_aside_movie(self.scene, self._begun)
            if not self._is_refused:
                exit_with_failure()

    def expect(self) -> None:
        """Remember the frame that is about to be evaluated, and see that there is an engine for it."""
        self._wanted = (self.scene.frame_current, self.scene.frame_subframe)
        self._done.clear()
        try:
            if self.error is None:
                engine.wait_until_ready()
        except Exception as error:  # Blender would go on and write the frame without its avatars
            self.fail(as_likeness_error(error))
        if self.error is not None:
            self._is_refused = True
            self._undo += main_thread.call(partial(forbid_camera, self.scene))

    def check(self) -> None:
        """After a frame: see that it was evaluated, for its avatars would be missing or those of another frame."""
        if self._done or self.error is not None or self.scene.camera is None:  # without one nothing is rendered
            return
        message = f"Blender has rendered {self.scene.name} without its compositor and so without its avatars."
        self.fail(InputError("render.not_evaluated", message, "For scene strips, turn on Use Nodes in its compositor."))

    def draw(self, depsgraph: Depsgraph) -> None:
        """Fill the picture of the view layer that is evaluated; not for the shutter's other moments, nor twice."""
        shown = self.layers.get(depsgraph.view_layer.name)
        now = (self.scene.frame_current, self.scene.frame_subframe)
        if shown is None or shown in self._done or now != self._wanted:
            return
        self._done.add(shown)
        region, picture = region_of(self.scene), self._pictures[shown]
        try:
            if self.error is None:
                self._fill(picture, region, shown, depsgraph)
        except Exception as error:  # as above
            self.fail(as_likeness_error(error))
        if self.error is not None:
            picture.fail(region)
            main_thread.call(self._forbid_writing)

    def fail(self, error: LikenessError) -> None:
        """Give the render up; the first reason is the one that is told."""
        if self.error is None:
            self.error = error
            tell(error, f"frame {self.scene.frame_current} is not rendered")

    def _fill(self, picture: Picture, region: Region, shown: Shown, depsgraph: Depsgraph) -> None:
        placed = [place(self._source(mesh), depsgraph) for mesh in shown if not is_disabled(mesh, depsgraph)]
        if not placed or 0 in region.size:
            picture.clear(region)
            if self._passes is not None:
                self._passes.clear(shown, region)
            return
        request = request_of(self.scene, depsgraph, placed)
        answer = engine.draw(request, {each.source.key: each.source.gaussians for each in placed})
        picture.fill(region, answer)
        if self._passes is not None:
            self._passes.fill(shown, region, request, placed)

    def _source(self, mesh: Object) -> Source:
        if mesh not in self._sources:
            self._sources[mesh] = read_source(mesh)
        return self._sources[mesh]

    def _forbid_writing(self) -> None:
        if not self._is_stopped:
            if not self.scene.render.is_movie_format:  # which is open by now
                self._undo += forbid_writing(self.scene)
            if self._passes is not None:
                self._undo += self._passes.forbid()
        self._is_stopped = True


def _attempt(undo: Callable[[], None]) -> None:
    """Take one thing back; one that cannot be must not keep the others, nor the next render."""
    try:
        undo()
    except Exception as error:
        print(f"warning: render.undo: {error}", file=sys.stderr)


_run: Run | None = None


def begin(scene: Scene) -> None:
    """Prepare a render, if any of its view layers holds avatars."""
    global _run
    end()
    tidy()
    layers = {layer.name: in_render(scene, layer) for layer in scene.view_layers if layer.use}
    layers = {name: shown for name, shown in layers.items() if shown}
    obstacle = hindrance(scene) if layers else ""
    for reason in filter(None, (obstacle, *strangers(scene))):
        print(f"warning: render.left_out: {scene.name}: {reason}", file=sys.stderr)
    if not layers or obstacle or 0 in region_of(scene).size:  # an empty region is refused by Blender itself
        return
    _run = Run(scene, layers)
    try:
        _run.open()
    except Exception as error:  # Blender would go on and write frames without their avatars
        _run.fail(as_likeness_error(error))


def before_frame(scene: Scene) -> None:
    """Expect a frame's evaluation."""
    if _run is not None and scene == _run.scene:
        _run.expect()


def frame(scene: Scene, depsgraph: Depsgraph) -> None:
    """Have the frame that Blender has just evaluated drawn."""
    if _run is not None and depsgraph.mode == "RENDER" and scene == _run.scene:
        _run.draw(depsgraph)


def after_frame(scene: Scene) -> None:
    """See that a frame was drawn."""
    if _run is not None and scene == _run.scene:
        _run.check()


def end() -> None:
    """Leave the file as it was before the render."""
    global _run
    ended, _run = _run, None
    if ended is not None:
        ended.close()


def tidy() -> None:
    """Take out what a file, or an undo step, of the midst of a render has brought; not while one runs."""
    if _run is None:
        sweep()


def region_of(scene: Scene) -> Region:
    """Return which pixels the scene renders."""
    render = scene.render
    whole = whole_frame((render.resolution_x, render.resolution_y), render.resolution_percentage)
    if not render.use_border:
        return whole
    x, y = (render.border_min_x, render.border_max_x), (render.border_min_y, render.border_max_y)
    return bordered(whole, x, y, crops=render.use_crop_to_border)


def request_of(scene: Scene, depsgraph: Depsgraph, placed: list[Placed]) -> RenderFrame:
    """Return what the engine is asked. The world is the camera's own space in Blender units, where float32 is finest.

    Errors: InputError `render.lens`.
    """
    camera = scene.camera.evaluated_get(depsgraph)
    lens, render = camera.data, scene.render
    if lens.type not in LENSES:
        message = f"Avatars cannot be rendered through the lens of {scene.camera.name}."
        raise InputError("render.lens", message, "Make the camera perspective or orthographic.")
    width, height = whole_frame((render.resolution_x, render.resolution_y), render.resolution_percentage).full
    projection = camera.calc_matrix_camera(
        depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    T_camera_world = blender_camera_to_opencv(np.array(camera.matrix_world.normalized(), np.float64))
    orthographic = lens.type == "ORTHO"
    return RenderFrame(
        id=0,
        width=width,
        height=height,
        T_camera_world=np.eye(4),
        K=pixel_matrix(np.array(projection), (width, height), orthographic=orthographic),
        orthographic=orthographic,
        near=lens.clip_start,
        far=lens.clip_end,
        keys=tuple(each.source.key for each in placed),
        vertex_counts=tuple(len(each.vertices) for each in placed),
        vertices=np.concatenate([each.vertices for each in placed]),
        T_world_body=np.stack([T_camera_world @ each.matrix_world for each in placed]),
    )


def check_size(region: Region) -> None:
    """Refuse what the engine cannot answer, before memory is taken. Errors: InputError `render.size`."""
    width, height = region.full
    if width * height > MOST_PIXELS or max(width, height) > MAX_FRAME_SIDE:
        message = f"A frame of {width} x {height} pixels is too large for avatars."
        remedy = f"Render at most {MOST_PIXELS / 1e6:.0f} million pixels, {MAX_FRAME_SIDE} a side."
        raise InputError("render.size", message, remedy)


def hindrance(scene: Scene) -> str:
    """Return why the scene is rendered without its avatars, empty if it is not: they come by the compositor."""
    editor = scene.sequence_editor
    strips = () if editor is None else editor.strips if hasattr(editor, "strips") else editor.sequences
    counts_muted = bpy.app.version < (4, 5, 0)
    shown = (strip for strip in strips if strip.type != "SOUND" and (counts_muted or not strip.mute))
    if scene.render.use_sequencer and any(shown):
        return "The Video Sequencer's strips are rendered in the place of the scene, without its avatars."
    return ""


def strangers(scene: Scene) -> Iterator[str]:
    """Say which avatars are not rendered rightly with a scene though they may be seen there."""
    if scene.render.use_multiview:
        yield "Stereoscopy: both eyes get the same picture of the avatars."
    instances = (each.instance_collection for each in scene.objects if each.instance_type == "COLLECTION")
    for name in {each.name for each in instances if each and any(map(is_avatar, each.all_objects))}:
        yield f"Avatars in instances of the collection {name} are not rendered: make a library override, or them real."
    for other in scenes_in(scene) - {scene}:
        if any(in_render(other, layer) for layer in other.view_layers):
            yield f"The compositor shows the scene {other.name} without its avatars."
