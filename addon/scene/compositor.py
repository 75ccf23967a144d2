"""What the compositor is called in each version of Blender."""

from __future__ import annotations

import bpy
from bpy.types import NodeTree, Scene

VERSION_5 = bpy.app.version >= (5, 0, 0)
"""The compositor's trees became node groups, and took over the shader editor's nodes."""
LAYERS = "CompositorNodeRLayers"
OUTPUT = "NodeGroupOutput" if VERSION_5 else "CompositorNodeComposite"


def tree_of(scene: Scene) -> NodeTree | None:
    """Return the tree that composites a scene."""
    return scene.compositing_node_group if VERSION_5 else scene.node_tree
