"""The astronaut's avatar, drawn in known poses, is found there by its colours."""

from __future__ import annotations

import numpy as np

from likeness.avatar.animate import portrait_expression, render_avatar
from likeness.avatar.head_patch import head_patch
from likeness.avatar.pictures import over, plain_background
from likeness.avatar.track import known_head
from likeness.contract.arkit import ARKIT_NAMES
from likeness.geometry.cameras import Camera
from likeness.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from likeness.tracking.clip_head import Frames
from likeness.tracking.photometric import compare, no_evidence
from likeness.tracking.sequence import known_clip_head


def test_the_avatar_is_found_where_it_was_drawn(astronaut):
    driven = astronaut.driven
    avatar, view = driven.avatar, driven.avatar.view
    patch = head_patch(avatar)
    assert 400 < len(patch.base) < 4000 and patch.grey.min() >= 0 and patch.grey.max() <= 1
    true = view.T_camera_head.astype(np.float64)
    camera = Camera(view.K.astype(np.float64), true, view.width, view.height)
    picture = over(render_avatar(driven, camera, portrait_expression(avatar)), plain_background((90, 90, 90)))
    names = [avatar.rig.control_names.index(name) for name in ARKIT_NAMES]
    turn, shift = np.array([0.012, 0.01, -0.01]), np.array([0.001, -0.001, 0.004])
    frames = Frames(
        (rotvec_to_rotmat(turn) @ true[:3, :3])[None], (true[:3, 3] + shift)[None], view.controls[names][None] * 1.0
    )
    found = no_evidence(frames)
    head = known_clip_head(known_head(avatar), float(view.K[0, 0]), view.K[:2, 2].astype(np.float64))
    compare(picture, patch, frames, 0, head, found)
    assert found.same_person
    left = np.linalg.norm(rotmat_to_rotvec(found.rotations[0] @ true[:3, :3].T))
    assert left < 0.5 * np.linalg.norm(turn)
    assert np.linalg.norm((found.translations[0] - true[:3, 3])[:2]) < 0.001
