"""The photographed heads in the 3D viewports: bound Gaussians, re-posed and drawn as splats at every redraw.

Numbers only: `layout` packs the Gaussians into texels, `order` sorts them by depth. With bpy: `source` reads avatars,
`view` a viewport, `state` what is kept between redraws. With gpu: `shaders`, `targets`, `splats` draws one avatar into
a target, `occluders` the scene's depth where Blender leaves none, `composite` merges, `draw` is the handler's path.
"""
