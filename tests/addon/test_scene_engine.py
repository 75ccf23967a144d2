"""Open Head in Blender against the engine's own forward pass, computed by the engine's own Python."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from addon.conventions import BLENDER_FROM_HEAD, blender_to_head
from create_parts import registered
from mathutils import Quaternion
from scene_parts import add, evaluated, set_controls, set_pose
from test_scene_truth import reposed

from likeness.contract.avatar_file import read_avatar

HERE = Path(__file__).resolve().parent
ENGINE_PYTHON = HERE.parents[1] / ".venv" / "bin" / "python"


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder into which the engine wrote."""
    if not ENGINE_PYTHON.exists():
        pytest.skip(f"the engine's environment is not there: `make setup-test` makes {ENGINE_PYTHON.parents[1]}")
    folder = tmp_path_factory.mktemp("truth")
    subprocess.run([ENGINE_PYTHON, HERE / "engine_truth.py", folder], check=True, timeout=180)
    return folder


@pytest.fixture(autouse=True)
def addon_in_an_empty_file() -> Iterator[None]:
    with registered():
        yield


def test_open_head_does_in_blender_what_the_engine_does(truth):
    avatar = read_avatar(truth / "head.likeness")
    mesh = add(avatar)
    poses = np.load(truth / "poses.npz")
    corners = avatar.rig.faces[avatar.gaussians.triangle]
    for k, controls in enumerate(poses["controls"]):
        set_controls(mesh, controls)
        set_pose(mesh, np.array([_rotation(rotvec) for rotvec in poses["pose"][k]]), "XYZ")
        vertices = evaluated(mesh)
        np.testing.assert_allclose(blender_to_head(vertices), poses["vertices"][k], atol=1e-5)
        means, covariances = reposed(vertices, corners, avatar.gaussians)
        np.testing.assert_allclose(blender_to_head(means), poses["means"][k], atol=1e-5)
        turned = BLENDER_FROM_HEAD.T @ covariances @ BLENDER_FROM_HEAD
        np.testing.assert_allclose(turned, poses["covars"][k], atol=1e-6)


def _rotation(rotvec: np.ndarray) -> np.ndarray:
    return np.array(Quaternion(rotvec, float(np.linalg.norm(rotvec))).to_matrix())
