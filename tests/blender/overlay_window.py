"""Drive a Blender window from a script: wait between steps, take pictures of the viewport, report, and leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np

Steps = Iterator[float]


class Viewport:
    """The window's 3D viewport without anything around it; coordinates of pictures start at the top left."""

    def __init__(self) -> None:
        self.window = bpy.context.window_manager.windows[0]
        self.area = next(area for area in self.window.screen.areas if area.type == "VIEW_3D")
        self.space = self.area.spaces.active
        self.region = next(region for region in self.area.regions if region.type == "WINDOW")
        self.view = self.space.region_3d

    def clear(self) -> None:
        """Hide what lies over the viewport."""
        space = self.space
        space.show_gizmo = space.show_region_ui = space.show_region_toolbar = False
        space.show_region_header = space.show_region_tool_header = False
        space.overlay.show_text = space.overlay.show_stats = False

    def override(self) -> object:
        """Return a context for operators of this viewport."""
        return bpy.context.temp_override(window=self.window, area=self.area, region=self.region)

    def picture(self, path: Path | None = None) -> np.ndarray:
        """Return the viewport as it is on the screen, (H,W,3) uint8."""
        region = self.region
        top = self.window.height - region.y - region.height
        crop = f"{region.width}x{region.height}+{region.x}+{top}"
        command = ["import", "-window", "root", "-crop", crop, "+repage", "-depth", "8"]
        raw = subprocess.run([*command, "rgb:-"], check=True, capture_output=True, timeout=60).stdout
        pixels = np.frombuffer(raw, np.uint8).reshape(region.height, region.width, 3)
        if path is not None:
            size = f"{region.width}x{region.height}"
            subprocess.run(
                ["convert", "-size", size, "-depth", "8", "rgb:-", str(path)], input=raw, check=True, timeout=60
            )
        return pixels


def run(steps: Callable[[Viewport, dict[str, object]], Steps], output: Path) -> None:
    """Run a generator of steps that yields seconds to wait; write what it reports as JSON, then end Blender."""
    bpy.context.preferences.view.show_splash = False  # before the window opens
    report: dict[str, object] = {"version": list(bpy.app.version)}
    started: list[Steps] = []

    def advance() -> float:
        try:
            if not started:
                viewport = Viewport()
                viewport.clear()
                started.append(steps(viewport, report))
                return 0.5
            wait = next(started[0])
            output.write_text(json.dumps(report, indent=1))  # what there is, should the rest hang
            return wait
        except StopIteration:
            report["done"] = True
        except Exception:
            report["error"] = traceback.format_exc()
        output.write_text(json.dumps(report, indent=1))
        sys.stdout.flush()
        os._exit(0)

    bpy.app.timers.register(advance, first_interval=2.0, persistent=True)
