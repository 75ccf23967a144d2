"""The engine's own environment: one folder that holds a Python 3.11 with all that the engine needs, made without bpy.

ENGINE FOLDER/
    env/            the virtual environment
    tools/          uv, where the machine has none
    python/         a Python 3.11 that uv fetched, where the machine has none
    cache/          downloads of a setup that has not ended yet
    setup.json      which steps are done
    engine.json     the marker: written last, taken away first; without it the environment counts as half-made
    setup.log       what the tools said
    setup.lock      held by the Blender that works in the folder
"""

from .removal import remove
from .setup import Progress, Setup
from .state import Bundle, Marker, State, bundle_in, environment_python, own_environment, read_marker, state_of
from .steps import Wish, cuda_is_usable

__all__ = [
    "Bundle",
    "Marker",
    "Progress",
    "Setup",
    "State",
    "Wish",
    "bundle_in",
    "cuda_is_usable",
    "environment_python",
    "own_environment",
    "read_marker",
    "remove",
    "state_of",
]
