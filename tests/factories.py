"""Small valid things for tests, made from nothing."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from likeness.contract.arkit import ARKIT_NAMES
from likeness.contract.avatar import Avatar, AvatarInfo, BoundGaussians, Lighting, Part, PortraitView, Rig


def make_avatar(*, gaussians: int = 200, seed: int = 0) -> Avatar:
    """Return an avatar whose head is a sphere of 12 cm around the middle of a head, with two scaffold triangles."""
    rng = np.random.default_rng(seed)
    rig = make_rig(rng)
    view = make_view(controls=len(rig.control_names))
    return Avatar(
        info=AvatarInfo(
            head_model="open",
            head_model_hash="0" * 64,
            head_model_licence="CC0-1.0",
            portrait_sha256="1" * 64,
            settings={"quality": "draft", "seed": seed, "order": "importance"},
            software_version="0.1.0",
        ),
        rig=rig,
        gaussians=make_gaussians(rng, gaussians, len(rig.faces)),
        lighting=make_lighting(rng, gaussians),
        view=view,
        portrait_png=png_bytes(rng.integers(0, 256, (view.height, view.width, 3), np.uint8)),
        thumbnail_png=png_bytes(rng.integers(0, 256, (8, 8, 4), np.uint8)),
    )


def make_rig(rng: np.random.Generator) -> Rig:
    """Return a sphere of 16 x 12 quads with random small shapes and a two-triangle scaffold."""
    vertices, faces, uv = _sphere(columns=16, rows=12)
    scaffold = np.array([[-0.2, -0.3, -0.1], [0.2, -0.3, -0.1], [0.2, -0.2, -0.1], [-0.2, -0.2, -0.1]])
    all_vertices = np.concatenate([vertices, scaffold]).astype(np.float32)
    all_faces = np.concatenate([faces, len(vertices) + np.array([[0, 1, 2], [0, 2, 3]])]).astype(np.int32)
    shapedirs = rng.normal(0, 2e-3, (len(all_vertices), 3, len(ARKIT_NAMES))).astype(np.float32)
    shapedirs[len(vertices) :] = 0
    shapedirs[vertices[:, 1].argsort()[-60:]] = 0  # the skull, which no control moves
    weights = np.zeros((len(all_vertices), 5), np.float32)
    weights[: len(vertices), 1] = 1
    weights[len(vertices) :, 0] = 1
    return Rig(
        v_neutral=all_vertices,
        faces=all_faces,
        head_vertices=len(vertices),
        head_triangles=len(faces),
        uv=uv.astype(np.float32),
        faces_uv=faces.astype(np.int32),
        control_names=ARKIT_NAMES,
        shapedirs=shapedirs,
        posedirs=np.zeros((len(all_vertices), 3, 36), np.float32),
        joints=np.array(
            [[0, -0.2, -0.1], [0, -0.15, -0.1], [0, -0.05, -0.08], [0.03, 0, 0], [-0.03, 0, 0]], np.float32
        ),
        parents=(-1, 0, 1, 1, 1),
        lbs_weights=weights,
        face_part=np.array([Part.SKIN] * len(faces) + [Part.TORSO] * 2, np.int32),
    )


def make_gaussians(rng: np.random.Generator, count: int, triangles: int) -> BoundGaussians:
    """Return Gaussians about as large as their triangles, on random ones."""
    return BoundGaussians(
        triangle=rng.integers(0, triangles, count).astype(np.int32),
        local_mean=rng.uniform(0, 0.5, (count, 3)).astype(np.float32) * np.float32([1, 1, 0]),
        local_basis=(np.eye(3) * rng.uniform(0.2, 0.4, (count, 1, 1))).astype(np.float32),
        opacities=rng.uniform(0.5, 0.99, count).astype(np.float32),
        colors=rng.uniform(0, 1, (count, 3)).astype(np.float32),
        part=rng.integers(0, len(Part), count).astype(np.int32),
    )


def make_lighting(rng: np.random.Generator, count: int) -> Lighting:
    """Return a light from one side, and random normals; every other Gaussian has none."""
    harmonics = rng.normal(0, 0.1, (9, 3)).astype(np.float32)
    harmonics[0] = 1
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals[::2] = 0
    return Lighting(harmonics, normals.astype(np.float32))


def make_view(*, controls: int, width: int = 48, height: int = 64) -> PortraitView:
    """Return a camera a metre in front of the face, which fills a third of the width."""
    pose = np.diag([1, -1, -1, 1]).astype(np.float32)
    pose[2, 3] = 1.0
    K = np.array([[100, 0, width / 2], [0, 100, height / 2], [0, 0, 1]], np.float32)
    return PortraitView(
        K=K,
        T_camera_head=pose,
        width=width,
        height=height,
        controls=np.linspace(0, 0.2, controls, dtype=np.float32),
        pose=np.zeros((5, 3), np.float32),
        face_square=(width / 2 - 24.0, height / 2 - 24.0, 48.0),
    )


def change(avatar: Avatar, group: str, **values: object) -> Avatar:
    """Return the avatar with fields of one of its parts replaced."""
    return replace(avatar, **{group: replace(getattr(avatar, group), **values)})


def png_bytes(picture: np.ndarray) -> bytes:
    """Return a uint8 picture as a PNG."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def _sphere(columns: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    u, v = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    around, down = u * 2 * np.pi, v * np.pi
    points = np.stack([np.sin(down) * np.sin(around), np.cos(down), np.sin(down) * np.cos(around)], -1)
    vertices = 0.12 * points.reshape(-1, 3) + [0, 0, -0.1]
    corner = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    a, b, c, d = corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return vertices, faces, np.stack([u, 1 - v], -1).reshape(-1, 2)
