"""What a request asks for, done with the engine's verbs. Only what a first look needs is imported with this module."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module

from likeness.contract.avatar_file import avatar_to_bytes
from likeness.contract.errors import UsageError
from likeness.contract.messages import (
    AvatarCreated,
    CreateAvatar,
    DescribePerformance,
    DrawSheet,
    KeepGaussians,
    MakePlate,
    PlateMade,
    Ready,
    RenderFrame,
    RetargetPerformance,
)
from likeness.contract.progress import Progress
from likeness.worker import frames, performances, sheets

DEVICES = ("auto", "cpu", "cuda")
MAX_NAME = 255


def load() -> Ready:
    """Import what every job needs and say what the jobs will run on."""
    import_module("likeness.avatar.create")
    from likeness.rendering.device import choose_device, device_name

    device = choose_device("auto")
    return Ready(device, device_name(device))


def warm_up() -> None:
    """Start what would otherwise start within the first job: lifting, detectors, and what torch's optimizer imports."""
    import numpy as np
    import torch

    from likeness.avatar.create import load_lifting
    from likeness.portrait import detectors

    load_lifting()
    black = np.zeros((256, 256, 3), np.uint8)
    for full_range in (False, True):
        detectors.detect_boxes(black, full_range=full_range)
    for look in (detectors.detect_mesh, detectors.segment_selfie, detectors.segment_pose):
        look(black)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])


def create(request: CreateAvatar, progress: Progress) -> AvatarCreated:
    """Make an avatar of the picture. Errors: InputError, UsageError, MachineError as `create_avatar` and the device."""
    from likeness.avatar.create import create_avatar
    from likeness.portrait.types import PictureFile
    from likeness.rendering.device import choose_device

    _check_create(request)
    avatar, warnings = create_avatar(
        PictureFile(plain_name(request.filename), request.portrait),
        head=request.head,
        face=request.face,
        quality=request.quality,
        device=choose_device(request.device),
        seed=request.seed,
        progress=progress,
    )
    return AvatarCreated(request.id, avatar_to_bytes(avatar), tuple(warnings))


def make_plate(request: MakePlate, progress: Progress) -> PlateMade:
    """Fill the person out of a photograph. Errors: InputError `picture.*`, `plate.no_face`; UsageError `usage`."""
    from likeness.avatar.pictures import encode_png
    from likeness.portrait import plate
    from likeness.portrait.read import read_photograph
    from likeness.portrait.types import PictureFile

    if len(request.face_square) != 3 or request.face_square[2] <= 0:
        raise UsageError("usage", "A face square is left, top and a side above 0.", "Give these three numbers.")
    photograph = read_photograph(PictureFile("The photograph", request.photograph))
    return PlateMade(request.id, encode_png(plate.make_plate(photograph, request.face_square, progress)))


JOBS: dict[type, Callable[..., object]] = {
    CreateAvatar: create,
    KeepGaussians: frames.keep,
    RenderFrame: frames.render_frame,
    DrawSheet: sheets.draw_sheet,
    MakePlate: make_plate,
    DescribePerformance: performances.describe,
    RetargetPerformance: performances.retarget,
}
"""The function of each request that is a job; it takes the request and a Progress and returns the answer."""


def plain_name(filename: str) -> str:
    """Return a file's name as it may stand in a message: without folders, of printable characters."""
    name = re.split(r"[/\\]", filename)[-1][:MAX_NAME]
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name) or "The picture"


def _check_create(request: CreateAvatar) -> None:
    from likeness.avatar.create import QUALITIES

    for what, value, known in (("quality", request.quality, QUALITIES), ("device", request.device, DEVICES)):
        if value not in known:
            raise UsageError("usage", f"There is no {what} '{value[:40]}'.", f"Choose one of {', '.join(known)}.")
    if request.seed < 0:
        raise UsageError("usage", f"The seed {request.seed} is negative.", "Choose 0 or more.")
