"""What the engine itself makes of Open Head in random poses; run by the engine's Python.

`python engine_truth.py FOLDER` writes head.likeness and poses.npz: controls (K, E), pose (K, 5, 3) rotation vectors,
vertices (K, V, 3), and the Gaussians' means (K, N, 3) and covariances (K, N, 3, 3), head space.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from whole_avatars import small_avatar

from likeness.binding.affine import pose_reference
from likeness.contract.avatar import Avatar
from likeness.contract.avatar_file import write_avatar
from likeness.head.model import bake_rig, forward, load_open_head, prepare_rig

POSES = 4


def main(folder: Path) -> None:
    """Write both files."""
    rng = np.random.default_rng(5)
    avatar = _avatar(rng)
    head = prepare_rig(avatar.rig)
    controls = rng.uniform(0, 1, (POSES, len(avatar.rig.control_names))).astype(np.float32)
    pose = rng.normal(0, 0.3, (POSES, 5, 3)).astype(np.float32)
    vertices = [forward(head, *each) for each in zip(controls, pose, strict=True)]
    gaussians = [pose_reference(avatar.gaussians, each, avatar.rig.faces) for each in vertices]
    means, covars = (np.stack(each) for each in zip(*gaussians, strict=True))
    write_avatar(folder / "head.likeness", avatar)
    np.savez(folder / "poses.npz", controls=controls, pose=pose, vertices=vertices, means=means, covars=covars)


def _avatar(rng: np.random.Generator) -> Avatar:
    """Return some person's Open Head, with Gaussians all over it."""
    assets, avatar = load_open_head(), small_avatar()
    rig = bake_rig(assets, rng.normal(0, 1, assets.shapedirs.shape[-1]).astype(np.float32))
    triangle = rng.integers(0, len(rig.faces), len(avatar.gaussians.triangle)).astype(np.int32)
    return replace(avatar, rig=rig, gaussians=replace(avatar.gaussians, triangle=triangle))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
