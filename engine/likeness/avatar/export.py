"""The head in the formats of other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from likeness.avatar.animate import Expression, pose_avatar, prepare_avatar
from likeness.contract.atomic import atomic_write
from likeness.contract.avatar import Avatar
from likeness.gaussians.container import from_covars
from likeness.gaussians.ply import write_ply
from likeness.head.model import rig_vertices


def export_ply(path: Path, avatar: Avatar, expression: Expression) -> None:
    """Write the posed Gaussians as a standard 3DGS .ply. Errors: InputError `output.*`."""
    posed = pose_avatar(prepare_avatar(avatar), expression)
    write_ply(path, from_covars(posed.means, posed.covars, avatar.gaussians.opacities, posed.colors))


def export_obj(path: Path, avatar: Avatar, expression: Expression) -> None:
    """Write the posed head's mesh with its texture coordinates, metres, y up. Errors: InputError `output.*`."""
    text = obj_text(avatar, expression)
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def obj_text(avatar: Avatar, expression: Expression) -> str:
    """Return the head's mesh as the text of an .obj; the scaffold stays out."""
    rig = avatar.rig
    vertices = rig_vertices(rig, expression.controls, expression.pose)[: rig.head_vertices]
    lines = [f"# {avatar.info.head_model} head, {avatar.info.head_model_licence}", "o head"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices.tolist()]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in rig.uv.tolist()]
    corners = np.stack([rig.faces[: rig.head_triangles], rig.faces_uv], -1) + 1
    lines += ["f " + " ".join(f"{vertex}/{uv}" for vertex, uv in corner) for corner in corners.tolist()]
    return "\n".join(lines) + "\n"
