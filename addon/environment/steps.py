"""The steps that make the environment. Each says what it depends on; one whose stamp matches is not done again."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from likeness.contract.errors import LikenessError

from . import mirrors, problems, pythons, uv
from .process import Outcome, Runner, clean_environment
from .removal import delete
from .state import CACHE, ENVIRONMENT, MARKER, PYTHONS, Bundle, Marker, environment_python, file_hash

GSPLAT = "gsplat>=1.5"
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_TORCH_BACKEND")


@dataclass(frozen=True)
class Wish:
    """What the environment is to be made of."""

    bundle: Bundle
    wheels: Path | None = None
    """Take everything from this folder, and nothing from a network."""
    cuda: bool = False
    """Take a torch for the NVIDIA card of this machine, and gsplat."""
    interpreter: str = sys.executable
    """Blender's own Python."""


@dataclass(frozen=True)
class Step:
    """A step with a name for people and its share of the time; `stamp` None is done every time."""

    name: str
    title: str
    weight: float
    stamp: str | None
    do: Callable[[], None]


class Steps:
    """The steps for one wish in one folder, to be done in order, and what they hand on to each other."""

    def __init__(self, folder: Path, wish: Wish, runner: Runner) -> None:
        self._folder = folder
        self._wish = wish
        self._runner = runner
        self._environment = self._own_variables()
        self._uv = Path()
        self.marker: Marker | None = None
        """Set by the last step."""

    def all(self) -> tuple[Step, ...]:
        """Return the steps in order."""
        bundle = self._wish.bundle
        lock = file_hash(bundle.requirements)
        build = "cuda" if self._wish.cuda else "cpu"
        return (
            Step("uv", "Finding uv", 4, None, self._find_uv),
            Step("python", f"Making a Python {pythons.VERSION}", 2, pythons.VERSION, self._make_python),
            Step("packages", "Installing packages", 40, lock, self._install_packages),
            Step("torch", "Installing PyTorch", 25, f"{bundle.pins.get('torch')} {build}", self._install_torch),
            Step("engine", "Installing the engine", 2, file_hash(bundle.wheel), self._install_engine),
            Step("check", "Checking the engine", 27, None, self._check),
        )

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return environment_python(self._folder / ENVIRONMENT)

    def _own_variables(self) -> dict[str, str]:
        own = {"UV_CACHE_DIR": str(self._folder / CACHE), "UV_PYTHON_INSTALL_DIR": str(self._folder / PYTHONS)}
        return clean_environment({name: os.environ.get(name) or value for name, value in own.items()})

    def _find_uv(self) -> None:
        if self._wish.wheels:
            self._environment = {name: text for name, text in self._environment.items() if name not in _INDEXES}
            self._environment["UV_OFFLINE"] = "1"
        else:
            self._environment |= mirrors.uv_variables(self._pip_settings(), self._environment)
        self._uv = uv.find_uv(self._folder, self._runner, self._environment) or self._obtain_uv()

    def _pip_settings(self) -> dict[str, str]:
        listing = self._runner.run([self._wish.interpreter, "-m", "pip", "config", "list"], self._environment)
        return mirrors.pip_variables(self._environment) | mirrors.pip_settings(listing.lines)

    def _obtain_uv(self) -> Path:
        runner, environment = self._runner, self._environment
        if self._wish.wheels:
            wheels = uv.wheels_in(self._wish.wheels)
        else:
            wheels = uv.fetch_wheel(self._wish.interpreter, self._folder, runner, environment)
        found = uv.unpack(wheels, self._folder, runner, environment)
        if found is None:
            source = self._wish.wheels or self._folder
            raise problems.wheels_missing(source, [f"uv=={uv.UV_VERSION}"])
        return found

    def _make_python(self) -> None:
        delete(self._folder / ENVIRONMENT)
        own = pythons.own_interpreter(self._wish.interpreter)
        candidates = [pythons.WANTED, *map(str, pythons.common_places()), *map(str, own)]
        offline = ("--no-python-downloads",) if self._wish.wheels else ()
        command = [self._uv, "venv", *offline, self._folder / ENVIRONMENT, "--python"]
        try:
            self._first_that_works([*command, candidate] for candidate in dict.fromkeys(candidates))
        except LikenessError as error:
            if error.code in problems.FATAL:
                raise
            raise problems.no_python("" if self._wish.wheels else ", and none could be fetched") from error

    def _install_packages(self) -> None:
        pins = self._wish.bundle.pins
        if self._wish.wheels:
            _require_wheels(self._wish.wheels, pins)
        listed = self._folder / "requirements.txt"
        listed.write_text("".join(f"{name}=={version}\n" for name, version in pins.items() if name != "torch"))
        try:
            self._run_or_fail([*self._install(), "--no-deps", "--requirement", listed])
        finally:
            delete(listed)

    def _install_torch(self) -> None:
        version = self._wish.bundle.pins.get("torch")
        if version is None:
            return
        again = [*self._install(), "--no-deps", "--reinstall-package", "torch"]
        self._first_that_works([*again, *words] for words in self._torch_choices(f"torch=={version}"))
        if self._wish.cuda and not self._wish.wheels:
            self._run_or_fail([*self._install(), "--constraint", self._wish.bundle.requirements, GSPLAT])

    def _torch_choices(self, pin: str) -> Sequence[tuple[str, ...]]:
        """Return the ways to ask for torch, best first: on Linux the plain one is a CUDA build of gigabytes.

        The configured index may offer the CPU build under its own name; if not, uv knows where PyTorch keeps it.
        """
        if self._wish.wheels or self._environment.get("UV_TORCH_BACKEND"):
            return ((pin,),)
        if self._wish.cuda:
            return (("--torch-backend", "auto", pin), (pin,))
        if sys.platform == "linux":
            return ((f"{pin}+cpu",), ("--torch-backend", "cpu", pin))
        return ((pin,),)

    def _install_engine(self) -> None:
        wheel = self._wish.bundle.wheel
        self._run_or_fail([*self._install(), "--no-deps", "--reinstall-package", "likeness", wheel])

    def _check(self) -> None:
        outcome = self._runner.run([self.python, "-I", "-m", "likeness.cli", "doctor"], self._environment)
        if outcome.code:
            delete(self._folder / MARKER)
            raise problems.check_failed(outcome.lines, self._folder)
        found = dict(line.split()[1:3] for line in outcome.lines if line.startswith("ok") and len(line.split()) > 2)
        bundle = self._wish.bundle
        hashes = file_hash(bundle.requirements), file_hash(bundle.wheel)
        self.marker = Marker(bundle.version, *hashes, found.get("python", ""), found.get("torch", ""))

    def _install(self) -> list[str | Path]:
        words: list[str | Path] = [self._uv, "pip", "install", "--python", self.python]
        if self._wish.wheels:
            words += ["--offline", "--no-index", "--find-links", self._wish.wheels]
        return words

    def _first_that_works(self, commands: Iterable[Sequence[str | Path]]) -> None:
        failure: LikenessError | None = None
        for command in commands:
            try:
                self._run_or_fail(command)
            except LikenessError as error:
                if error.code in problems.FATAL:
                    raise
                failure = error
            else:
                return
        if failure:
            raise failure

    def _run_or_fail(self, command: Sequence[str | Path]) -> Outcome:
        outcome = self._runner.run(command, self._environment)
        if outcome.code:
            raise problems.from_output(outcome.lines, self._folder)
        return outcome


def cuda_is_usable() -> bool:
    """Tell whether this machine has an NVIDIA driver and the compiler that gsplat builds its kernels with."""
    return bool(shutil.which("nvidia-smi") and (shutil.which("nvcc") or os.environ.get("CUDA_HOME")))


def _require_wheels(folder: Path, pins: dict[str, str]) -> None:
    """Raise setup.wheels naming all that a folder lacks; whether a wheel fits this machine is left to uv."""
    there = {_name_and_version(wheel) for wheel in folder.glob("*.whl")}
    missing = [f"{name}=={version}" for name, version in pins.items() if (name, version) not in there]
    if missing:
        raise problems.wheels_missing(folder, missing)


def _name_and_version(wheel: Path) -> tuple[str, str]:
    name, version = (*wheel.stem.split("-"), "")[:2]
    return name.lower().replace("_", "-").replace(".", "-"), version.partition("+")[0]
