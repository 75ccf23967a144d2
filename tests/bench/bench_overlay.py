"""Print how near the overlay comes to the engine's pictures and what a redraw costs Python.

`python tests/bench/bench_overlay.py AVATAR.likeness`; needs bpy 5.2 (`make blenders`). Nothing else should run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blender"))

import machine  # noqa: E402
import numpy as np  # noqa: E402
from blenders import NO_BPY52, bpy52  # noqa: E402
from overlay_expected import psnr  # noqa: E402

from likeness.avatar.animate import neutral, prepare_avatar, render_avatar, with_controls  # noqa: E402
from likeness.avatar.views import face_camera, orbit_camera  # noqa: E402
from likeness.contract.avatar_file import read_avatar  # noqa: E402


def main(path: Path) -> None:
    """Draw on both sides and print the figures."""
    print(machine.describe())
    blender = bpy52()
    if blender is None:
        sys.exit(NO_BPY52)
    avatar = read_avatar(path)
    driven = prepare_avatar(avatar)
    cameras = {
        "portrait": (face_camera(avatar, 768, 768), 0.0),
        "jaw": (face_camera(avatar, 768, 768), 0.7),
        "side": (orbit_camera(avatar, 40, 10, 640, 512), 0.3),
    }
    views, wanted = {}, {}
    for name, (camera, jaw) in cameras.items():
        views |= {f"{name}_pose": camera.T_camera_head, f"{name}_K": camera.K, f"{name}_jaw": np.array(jaw)}
        views[f"{name}_size"] = np.array([camera.width, camera.height])
        expression = with_controls(avatar.rig, neutral(avatar), {"jawOpen": jaw})
        wanted[name] = render_avatar(driven, camera, expression)
    with tempfile.TemporaryDirectory() as folder:
        given, result, copy = (Path(folder) / name for name in ("views.npz", "result.npz", "avatar.likeness"))
        copy.write_bytes(path.read_bytes())
        np.savez(given, **views)
        outcome = blender.run(
            [HERE.parent / "blender" / "overlay_real.py", copy, given, result], folders=[Path(folder)]
        )
        if not result.exists():
            sys.exit(outcome.tail())
        drawn = dict(np.load(result))
    for name, picture in wanted.items():
        print(f"{name:10} {psnr(drawn[name][..., :3], picture[..., :3]):5.1f} dB rgb, premultiplied")
    print(f"{int(drawn['count'])} Gaussians, Python's time in milliseconds: median (fastest)")
    for name in ("read", "order", "redraw", "unchanged"):
        times = drawn[f"ms_{name}"]
        print(f"{name:10} {np.median(times):6.2f} ({times.min():.2f})")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
