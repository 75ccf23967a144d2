"""A small avatar as the engine would send it, made with NumPy alone; imported inside Blender and by the fake engine."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import Avatar, AvatarInfo, BoundGaussians, Lighting, Part, PortraitView, Rig
from likeness.contract.avatar_file import avatar_to_bytes

SPLATS = 60
WIDTH, HEIGHT = 12, 16


def small_avatar() -> Avatar:
    """Return a tetrahedron of a head with every control, and a scaffold of one triangle."""
    rng = np.random.default_rng(0)
    info = AvatarInfo(
        "open", "0" * 64, "CC0-1.0", "1" * 64, {"quality": "draft", "seed": 0, "order": "importance"}, "0.1.0"
    )
    gaussians = BoundGaussians(
        triangle=rng.integers(0, 5, SPLATS).astype(np.int32),
        local_mean=np.zeros((SPLATS, 3), np.float32),
        local_basis=np.tile(np.eye(3, dtype=np.float32) * 0.3, (SPLATS, 1, 1)),
        opacities=np.full(SPLATS, 0.9, np.float32),
        colors=rng.uniform(0, 0.8, (SPLATS, 3)).astype(np.float32),
        part=np.zeros(SPLATS, np.int32),
    )
    return Avatar(info, _rig(), gaussians, _lighting(rng), _view(), _png(rng, WIDTH, HEIGHT, 3), _png(rng, 8, 8, 4))


def small_avatar_bytes() -> bytes:
    """Return it as a .likeness file."""
    return avatar_to_bytes(small_avatar())


def _lighting(rng: np.random.Generator) -> Lighting:
    harmonics = rng.normal(0, 0.1, (9, 3)).astype(np.float32)
    harmonics[0] = 1
    normals = rng.normal(size=(SPLATS, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Lighting(harmonics, normals.astype(np.float32))


def _rig() -> Rig:
    head = [[0, 0.1, 0], [0.1, -0.1, 0.1], [-0.1, -0.1, 0.1], [0, -0.1, -0.1]]
    vertices = np.array([*head, [0.2, -0.3, 0], [-0.2, -0.3, 0], [0, -0.3, 0.2]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3], [4, 5, 6]], np.int32)
    shapes = np.zeros((7, 3, len(ARKIT_NAMES)), np.float32)
    shapes[0, 1] = 0.01
    weights = np.zeros((7, 5), np.float32)
    weights[:, 1] = 1
    joints = [[0, -0.2, -0.1], [0, -0.15, -0.1], [0, -0.05, -0.08], [0.03, 0, 0], [-0.03, 0, 0]]
    return Rig(
        v_neutral=vertices,
        faces=faces,
        head_vertices=4,
        head_triangles=4,
        uv=np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32),
        faces_uv=faces[:4],
        control_names=ARKIT_NAMES,
        shapedirs=shapes,
        posedirs=np.zeros((7, 3, 36), np.float32),
        joints=np.array(joints, np.float32),
        parents=(-1, 0, 1, 1, 1),
        lbs_weights=weights,
        face_part=np.array([Part.SKIN] * 4 + [Part.TORSO], np.int32),
    )


def _view() -> PortraitView:
    pose = np.diag([1, -1, -1, 1]).astype(np.float32)
    pose[2, 3] = 1
    return PortraitView(
        K=np.array([[20, 0, WIDTH / 2], [0, 20, HEIGHT / 2], [0, 0, 1]], np.float32),
        T_camera_head=pose,
        width=WIDTH,
        height=HEIGHT,
        controls=np.zeros(len(ARKIT_NAMES), np.float32),
        pose=np.zeros((5, 3), np.float32),
        face_square=(0.0, 2.0, 12.0),
    )


def _png(rng: np.random.Generator, width: int, height: int, channels: int) -> bytes:
    rows = rng.integers(0, 256, (height, width * channels), np.uint8)
    raw = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
