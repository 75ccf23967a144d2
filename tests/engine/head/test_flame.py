"""FLAME files in the official layouts: what is read, what is refused, and the forward pass against smplx."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from flame_files import flame2020_pickle, flame2023_pickle, made_up_arrays
from smplx import lbs as reference

from likeness.contract.errors import InputError
from likeness.head.assets import HeadAssets
from likeness.head.flame import load_flame, release_name
from likeness.head.model import forward, prepare_identity


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.fixture(scope="module")
def flame(tmp_path_factory: pytest.TempPathFactory) -> HeadAssets:
    return load_flame(write(tmp_path_factory.mktemp("flame") / "generic_model.pkl", flame2020_pickle(made_up_arrays())))


def same_arrays(first: HeadAssets, arrays: dict[str, np.ndarray]) -> None:
    assert np.array_equal(first.v_template, arrays["v_template"].astype(np.float32))
    assert np.array_equal(first.faces, arrays["f"])
    assert np.array_equal(first.shapedirs, arrays["shapedirs"][:, :, :300].astype(np.float32))
    assert np.array_equal(first.exprdirs, arrays["shapedirs"][:, :, 300:].astype(np.float32))
    assert np.array_equal(first.posedirs, arrays["posedirs"].astype(np.float32))
    assert np.array_equal(first.J_regressor, arrays["J_regressor"].astype(np.float32))
    assert np.array_equal(first.lbs_weights, arrays["weights"].astype(np.float32))
    assert first.parents == (-1, 0, 1, 1, 1)


def test_python2_pickle_with_chumpy_and_old_scipy_is_read(flame: HeadAssets):
    same_arrays(flame, made_up_arrays())
    assert flame.name == "flame2020"
    assert flame.expr_names[0] == "expr000" and flame.expr_names[99] == "expr099"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_python3_pickles_of_every_protocol_are_read(tmp_path: Path, protocol: int, flame: HeadAssets):
    loaded = load_flame(write(tmp_path / "flame2023.pkl", flame2023_pickle(made_up_arrays(), protocol)))
    same_arrays(loaded, made_up_arrays())
    assert loaded.name == "flame2023"
    assert loaded.content_hash == flame.content_hash


def test_npz_is_read_whatever_else_is_in_it(tmp_path: Path, flame: HeadAssets):
    extra = {"lmk_b_coords": np.zeros((105, 3)), "bs_style": np.array("lbs")}
    loaded = load_flame(write(tmp_path / "flame2023_Open.npz", npz_bytes(made_up_arrays() | extra)))
    same_arrays(loaded, made_up_arrays())
    assert loaded.name == "flame2023-open" and "CC-BY-4.0" in loaded.licence
    assert loaded.content_hash == flame.content_hash


def test_fortran_order_and_single_precision_change_nothing(tmp_path: Path, flame: HeadAssets):
    arrays = {n: np.asfortranarray(a.astype("<f4") if a.dtype.kind == "f" else a) for n, a in made_up_arrays().items()}
    same_arrays(load_flame(write(tmp_path / "a.npz", npz_bytes(arrays))), made_up_arrays())
    same_arrays(load_flame(write(tmp_path / "a.pkl", flame2023_pickle(arrays))), made_up_arrays())


def test_another_model_has_another_hash(tmp_path: Path, flame: HeadAssets):
    changed = made_up_arrays() | {"posedirs": made_up_arrays()["posedirs"] + 1e-4}
    loaded = load_flame(write(tmp_path / "generic_model.pkl", flame2020_pickle(changed)))
    assert loaded.content_hash != flame.content_hash


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("FLAME2020/generic_model.pkl", "flame2020"),
        ("x/male_model.pkl", "flame2020"),
        ("FLAME2023/flame2023.pkl", "flame2023"),
        ("x/flame2023_no_jaw.pkl", "flame2023"),
        ("x/flame2023_Open.pkl", "flame2023-open"),
        ("x/my_head.npz", "flame"),
    ],
)
def test_release_is_told_from_names(path: str, name: str):
    assert release_name(Path(path)) == name


def broken(name: str, value: object) -> dict[str, np.ndarray]:
    return made_up_arrays() | {name: value}


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        (broken("weights", np.zeros((5023, 4))), "weights"),
        (broken("shapedirs", np.zeros((5023, 3, 10))), "shapedirs"),
        (broken("posedirs", np.full((5023, 3, 36), np.nan)), "finite"),
        (broken("f", np.full((9976, 3), 5023)), "outside"),
        (broken("v_template", made_up_arrays()["v_template"] * 1000), "metres"),
        (broken("kintree_table", np.zeros((2, 5), int)), "joints"),
        ({"v_template": np.zeros((5023, 3))}, "it has no f"),
    ],
    ids=["weights", "short", "nan", "faces", "millimetres", "joints", "missing"],
)
def test_other_models_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], complaint: str):
    with pytest.raises(InputError, match=complaint) as caught:
        load_flame(write(tmp_path / "model.npz", npz_bytes(arrays)))
    assert caught.value.code == "head.not_flame"


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"nothing\.pkl") as caught:
        load_flame(tmp_path / "nothing.pkl")
    assert caught.value.code == "head.missing"


def test_npz_with_pickled_objects_is_refused(tmp_path: Path):
    arrays = broken("v_template", np.array([{"a": 1}], object))
    with pytest.raises(InputError) as caught:
        load_flame(write(tmp_path / "model.npz", npz_bytes(arrays)))
    assert caught.value.code == "head.damaged"


def smplx_vertices(arrays: dict[str, np.ndarray], betas: np.ndarray, pose: np.ndarray) -> np.ndarray:
    t = {name: torch.tensor(array.astype(float)) for name, array in arrays.items() if name != "f"}
    posedirs = t["posedirs"].reshape(-1, 36).T
    parents = torch.tensor([-1, 0, 1, 1, 1])
    vertices, _ = reference.lbs(
        torch.tensor(betas)[None], torch.tensor(pose).reshape(1, -1), t["v_template"], t["shapedirs"], posedirs,
        t["J_regressor"], parents, t["weights"],
    )  # fmt: skip
    return vertices[0].numpy()


@pytest.mark.parametrize("joint", range(5))
def test_identity_and_every_joint_match_smplx(flame: HeadAssets, joint: int):
    rng = np.random.default_rng(joint)
    betas, pose = rng.normal(0, 1, 300), np.zeros((5, 3))
    pose[joint] = rng.normal(0, 0.3, 3)
    expected = smplx_vertices(made_up_arrays(), np.append(betas, np.zeros(100)), pose)
    assert np.abs(forward(prepare_identity(flame, betas), np.zeros(100), pose) - expected).max() < 1e-6


def test_expression_without_pose_matches_smplx(flame: HeadAssets):
    rng = np.random.default_rng(9)
    betas, expression = rng.normal(0, 1, 300), rng.normal(0, 1, 100)
    expected = smplx_vertices(made_up_arrays(), np.append(betas, expression), np.zeros((5, 3)))
    assert np.abs(forward(prepare_identity(flame, betas), expression, np.zeros((5, 3))) - expected).max() < 1e-6


def test_everything_at_once_matches_smplx_with_the_neutral_joints(flame: HeadAssets, monkeypatch: pytest.MonkeyPatch):
    """smplx lets the expression move the joints; an avatar's rig keeps the neutral head's, so smplx is given those."""
    rng = np.random.default_rng(10)
    betas, expression, pose = rng.normal(0, 1, 300), rng.normal(0, 1, 100), rng.normal(0, 0.3, (5, 3))
    arrays = made_up_arrays()
    joints = arrays["J_regressor"] @ (arrays["v_template"] + arrays["shapedirs"][:, :, :300] @ betas)
    monkeypatch.setattr(reference, "vertices2joints", lambda *_: torch.tensor(joints)[None])
    expected = smplx_vertices(arrays, np.append(betas, expression), pose)
    assert np.abs(forward(prepare_identity(flame, betas), expression, pose) - expected).max() < 1e-6
