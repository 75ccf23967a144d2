"""Shape-checks every call in the packages whose hints are jaxtyping's, and finds the shared inputs."""

from __future__ import annotations

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

from likeness.geometry.threads import configure_threads

configure_threads()
install_import_hook(
    [
        f"likeness.{name}"
        for name in ("geometry", "head", "portrait", "gaussians", "binding", "tracking", "lifting", "motion")
    ],
    "beartype.beartype",
)

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs beside the checkout; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared/data with real photographs is not beside this checkout")
    return SHARED
