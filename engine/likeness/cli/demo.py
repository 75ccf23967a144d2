"""What `make demo` runs: one photograph to an avatar, its contact sheet, an orbit and a talking-controls video."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from likeness.cli.program import guarded, main
from likeness.cli.terminal import TerminalProgress

ORBIT_FRAMES = 120
VIDEO_SIZE = 640


def run(portrait: Path | None, folder: Path) -> int:
    """Fill the folder and return the exit code of the first step that fails, else 0."""
    pictures = [] if portrait else [astronaut()]
    portrait = portrait or folder / astronaut().name
    avatar = folder / f"{portrait.stem}.likeness"
    size = f"{VIDEO_SIZE}x{VIDEO_SIZE}"
    orbit = ["--orbit", str(ORBIT_FRAMES), "--size", size]
    steps = (
        lambda: guarded(lambda: make_folder(folder, pictures)),
        lambda: main(["create", str(portrait), "-o", str(avatar)]),
        lambda: main(["sheet", str(avatar), "-o", str(folder / "sheet.png")]),
        lambda: main(["render", str(avatar), "-o", str(folder / "orbit.mp4"), *orbit]),
        lambda: guarded(lambda: draw_performance(avatar, folder / "talking_controls.mp4")),
    )
    return next((code for code in (step() for step in steps) if code), 0)


def astronaut() -> Path:
    """Return scikit-image's portrait of Eileen Collins (NASA, public domain)."""
    import skimage

    return Path(skimage.__file__).parent / "data" / "astronaut.png"


def make_folder(folder: Path, pictures: Sequence[Path]) -> None:
    """Make the folder, with copies of the pictures in it. Errors: InputError `output.*`."""
    from likeness.contract.atomic import atomic_folder

    with atomic_folder(folder) as temporary:
        for picture in pictures:
            shutil.copyfile(picture, temporary / picture.name)


def draw_performance(avatar_path: Path, video: Path) -> None:
    """Write the talking-controls video and say where it is."""
    from likeness.avatar.performance import performance_frames
    from likeness.avatar.video import write_video
    from likeness.contract.avatar_file import read_avatar

    avatar = read_avatar(avatar_path)
    with TerminalProgress() as progress:
        write_video(video, performance_frames(avatar, VIDEO_SIZE, progress), (VIDEO_SIZE, VIDEO_SIZE))
    print(video)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m likeness.cli.demo", description=__doc__)
    parser.add_argument("portrait", type=Path, nargs="?", help="default: scikit-image's astronaut")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), help="folder to fill")
    options = parser.parse_args()
    sys.exit(run(options.portrait, options.output))
