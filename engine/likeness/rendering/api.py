"""One `rasterize` for every caller; which backend runs follows from where the tensors live.

Sketch of the signature, to be kept:

    rasterize(means, covars, opacities, colors, viewmat, K, width, height, background=None) -> Rendering

means (N,3), covars (N,3,3), opacities (N,), colors (N,3) float32 torch tensors in head space; viewmat (4,4)
T_camera_head and K (3,3), OpenCV; background (3,) or None (black, so rgb is premultiplied).
Rendering(rgb (H,W,3), alpha (H,W), depth (H,W)): depth is the alpha-weighted mean view depth, metres, 0 where empty.
Published rules (Kerbl et al. 2023; gsplat): +0.3 px low-pass on the 2-D covariance, alpha capped at 0.99, skipped under
1/255, a pixel is finished when its transmittance falls under 1e-4, exact global order by view depth.
"""
