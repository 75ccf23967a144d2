"""What the options' values look like, and how a wrong one is explained."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from likeness.contract.avatar import Avatar

MAX_SIDE = 8192


def add_gaussians(parser: argparse.ArgumentParser) -> None:
    """Add the option for a level of detail."""
    parser.add_argument(
        "--gaussians",
        type=gaussians,
        metavar="20k|50k|100k|N",
        help="a level of detail: the N Gaussians that count most, for the web and weak machines; default: all",
    )


def at_level(avatar: Avatar, options: argparse.Namespace) -> Avatar:
    """Return the avatar as detailed as the option says."""
    from likeness.contract.levels import level

    return level(avatar, options.gaussians) if options.gaussians else avatar


def controls(text: str) -> dict[str, float]:
    """Parse `jawOpen=0.7,mouthSmileLeft=1`."""
    values: dict[str, float] = {}
    for item in text.split(","):
        name, separator, value = (part.strip() for part in item.partition("="))
        if not (name and separator):
            raise argparse.ArgumentTypeError(f"'{item}' is not NAME=VALUE, such as jawOpen=0.7")
        if name in values:
            raise argparse.ArgumentTypeError(f"{name} is set twice")
        values[name] = number(value)
    return values


def camera(text: str) -> tuple[float, float] | str | None:
    """Parse `portrait` (None), `motion` or `YAW,PITCH` in degrees."""
    if text in ("portrait", "motion"):
        return None if text == "portrait" else text
    parts = text.split(",")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"'{text}' is not portrait, motion or YAW,PITCH in degrees, such as 30,-10")
    yaw, pitch = number(parts[0]), number(parts[1])
    if not (abs(yaw) <= 360 and abs(pitch) <= 90):
        raise argparse.ArgumentTypeError("YAW is within -360..360 and PITCH within -90..90 degrees")
    return yaw, pitch


def size(text: str) -> tuple[int, int]:
    """Parse `WxH` in pixels."""
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not WxH in pixels, such as 1024x1024")
    width, height = int(match[1]), int(match[2])
    if not (16 <= width <= MAX_SIDE and 16 <= height <= MAX_SIDE):
        raise argparse.ArgumentTypeError(f"each side is from 16 to {MAX_SIDE} pixels")
    return width, height


def background(text: str) -> str | tuple[int, int, int] | Path:
    """Parse `transparent`, `portrait`, `#rrggbb` or the name of a picture."""
    if text in ("transparent", "portrait"):
        return text
    if text.startswith("#"):
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
            raise argparse.ArgumentTypeError(f"'{text}' is not a colour #rrggbb, such as #808080")
        red, green, blue = bytes.fromhex(text[1:])
        return red, green, blue
    return Path(text)


def count(text: str) -> int:
    """Parse a whole number of at least 1."""
    if not re.fullmatch(r"\d{1,6}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 to 999999")
    return int(text)


def gaussians(text: str) -> int:
    """Parse a level of detail, `20k`, or a number of Gaussians."""
    from likeness.contract.levels import LEVELS

    if text in LEVELS:
        return LEVELS[text]
    if not re.fullmatch(r"\d{1,9}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is neither {', '.join(LEVELS)} nor a number of Gaussians")
    return int(text)


def rate(text: str) -> float:
    """Parse pictures a second, from 1 to 1000."""
    from likeness.contract.motion import MAX_FPS

    value = number(text)
    if not 1 <= value <= MAX_FPS:
        raise argparse.ArgumentTypeError(f"a rate is from 1 to {MAX_FPS:g} pictures a second")
    return value


def seconds(text: str) -> float:
    """Parse a time in seconds of at least 0."""
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"'{text}' is before the beginning")
    return value


def seed(text: str) -> int:
    """Parse a whole number of at least 0."""
    if not re.fullmatch(r"\d{1,9}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to 999999999")
    return int(text)


def number(text: str) -> float:
    """Parse a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text.strip()}' is not a number")
    return value
