"""Avatars in the ordinary render: the engine draws each frame, the compositor merges it with the scene.

Blender calls, in this order and often in a thread of its own: `run.begin` once, then for each frame `run.before_frame`
and `run.frame`, at last `run.end`. docs/render.md says why each thing is done where it is.
"""
