"""An avatar of scikit-image's astronaut, made once for all tests that need a real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from likeness.avatar.animate import DrivenAvatar, prepare_avatar
from likeness.avatar.create import create_avatar
from likeness.contract.avatar_file import read_avatar, write_avatar


@dataclass
class Recorder:
    """Keeps every report of progress."""

    reports: list[tuple[str, float]] = field(default_factory=list)

    def update(self, stage: str, fraction: float) -> None:
        self.reports.append((stage, fraction))


@dataclass(frozen=True)
class Created:
    """The astronaut's avatar, as read back from its file."""

    photograph: Path
    path: Path
    driven: DrivenAvatar
    reports: list[tuple[str, float]]
    warnings: list[str]


@pytest.fixture(scope="session")
def astronaut_photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("astronaut") / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()).save(path)
    return path


@pytest.fixture(scope="session")
def astronaut(astronaut_photograph: Path) -> Created:
    progress, path = Recorder(), astronaut_photograph.with_suffix(".likeness")
    avatar, warnings = create_avatar(astronaut_photograph, quality="draft", seed=3, progress=progress)
    write_avatar(path, avatar)
    return Created(astronaut_photograph, path, prepare_avatar(read_avatar(path)), progress.reports, warnings)
