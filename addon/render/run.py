"""One render, from its first handler to its last."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

from bpy.types import Depsgraph, Object, Scene

from likeness.contract.errors import InputError, LikenessError
from likeness.contract.failures import as_likeness_error

from .. import main_thread
from . import engine
from .avatars import Source, enable, in_render, is_disabled, place, read_source
from .camera import Region
from .colors import photo_space
from .failure import exit_with_failure, forbid_camera, forbid_writing, set_aside_movie, tell
from .left_out import hindrance, strangers
from .marks import change, sweep
from .nodes import make_group
from .passes import Passes
from .pictures import Picture
from .request import check_size, region_of, request_of
from .tree import insert

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
        self.fail(InputError("render.not_evaluated", message, "Render the scene by itself, not as a strip."))

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
