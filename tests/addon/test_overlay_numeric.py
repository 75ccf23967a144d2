"""The overlay's numbers: texels, levels of detail, the order of drawing, and what it remembers. No gpu, no bpy."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from addon.conventions import blender_to_head
from addon.overlay import layout, order, state, targets
from addon.overlay.layout import Gaussians
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.contract.levels import widening
from likeness.contract.lighting import LitColors


def make(count: int, *, vertices: int = 40, seed: int = 0) -> tuple[Gaussians, np.ndarray]:
    rng = np.random.default_rng(seed)
    corners = np.array([rng.permutation(vertices)[:3] for _ in range(count)], np.int32)
    positions = rng.normal(size=(vertices, 3)).astype(np.float32)
    values = [rng.normal(size=(count, *shape)).astype(np.float32) for shape in ((3,), (3, 3), ())]
    colors = [rng.normal(size=shape).astype(np.float32) for shape in ((count, 3), (count, 3), (9, 3), (9, 3))]
    lit = LitColors(*colors, *np.arange(6, dtype=np.int32).reshape(2, 3))
    return Gaussians(positions[corners].mean(axis=1), corners, *values, lit), positions


def exact_depths(gaussians: Gaussians, positions: np.ndarray, row: np.ndarray) -> np.ndarray:
    a, b, c = np.moveaxis(positions[gaussians.corners].astype(np.float64), 1, 0)
    normal = np.cross(b - a, c - a)
    frame = np.stack([b - a, c - a, normal / np.sqrt(np.linalg.norm(normal, axis=1, keepdims=True))], axis=2)
    return (a + np.einsum("nij,nj->ni", frame, gaussians.local_mean)) @ row


def indices(packed: layout.Packed, gaussians: Gaussians) -> np.ndarray:
    """Find out which Gaussian each packed one is, by its mean."""
    means = {mean.tobytes(): i for i, mean in enumerate(gaussians.local_mean)}
    return np.array([means[texels[1, :3].tobytes()] for texels in packed.texels])


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), count=st.integers(1, 200))
def test_texels_hold_what_the_shader_reads(seed: int, count: int) -> None:
    gaussians, _ = make(count, seed=seed)
    packed = layout.pack(gaussians)
    which = indices(packed, gaussians)
    assert sorted(which) == list(range(count))
    assert np.array_equal(packed.texels[:, 0, :3], gaussians.corners[which])
    assert np.array_equal(packed.texels[:, 0, 3], gaussians.opacities[which])
    assert np.array_equal(packed.texels[:, 1:4, 3], gaussians.lit.albedo[which])
    assert np.array_equal(packed.texels[:, 4, :3], gaussians.lit.facing[which])
    xx, xy, xz, yy, yz, zz = (*packed.texels[:, 2, :3].T, *packed.texels[:, 3, :3].T)
    covariance = np.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], axis=1).reshape(-1, 3, 3)
    basis = gaussians.local_basis[which].astype(np.float64)
    np.testing.assert_allclose(covariance, basis @ basis.transpose(0, 2, 1), rtol=1e-5, atol=1e-6)
    assert np.array_equal(packed.corners[packed.triangle], gaussians.corners[which])
    assert (np.diff(packed.triangle) >= 0).all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), row=st.tuples(*[st.floats(-2, 2)] * 3).filter(lambda row: max(map(abs, row)) > 0.1))
def test_far_splats_come_first(seed: int, row: tuple[float, float, float]) -> None:
    gaussians, positions = make(300, seed=seed)
    packed = layout.pack(gaussians)
    drawn = indices(packed, gaussians)[order.draw_order(packed, positions, np.array(row))]
    depths = exact_depths(gaussians, positions, np.array(row))
    assert sorted(drawn) == list(range(300))
    assert (np.diff(depths[drawn]) > -1e-5 * np.ptp(depths)).all()


def test_order_of_equal_and_of_broken_depths() -> None:
    gaussians, positions = make(50)
    packed = layout.pack(gaussians)
    for vertices in (np.zeros_like(positions), np.full_like(positions, np.nan)):
        assert sorted(order.draw_order(packed, vertices, np.array([0, 0, 1.0]))) == list(range(50))


def test_the_nearest_step_does_not_wrap_around() -> None:
    steps = order._steps(np.linspace(-3.7, 11.3, 1001, dtype=np.float32))
    assert (np.diff(steps.astype(np.int64)) > 0).all()
    assert steps.max() >> order.LOW_BITS < 1 << 16


@pytest.mark.parametrize("most", [1, 100, 400, 5000])
def test_a_level_is_the_beginning_widened(most: int) -> None:
    gaussians, _ = make(400)
    packed = layout.pack(gaussians, most)
    which = indices(packed, gaussians)
    assert sorted(which) == list(range(min(most, 400)))
    factor = widening(blender_to_head(gaussians.rest), len(which))[which]
    assert (factor == 1).all() if most >= 400 else factor.mean() > 1.3
    basis = gaussians.local_basis[which].astype(np.float64)
    np.testing.assert_allclose(packed.texels[:, 2, 0], factor * (basis[:, 0] ** 2).sum(axis=1), rtol=1e-4)


def test_rows_are_filled_up() -> None:
    rows = layout.padded_rows(np.arange(layout.WIDTH + 5, dtype=np.float32)[:, None])
    assert rows.shape == (2, layout.WIDTH, 1)
    assert rows[1, 4, 0] == layout.WIDTH + 4
    assert not rows[1, 5:].any()


def test_an_unforeseen_error_is_printed_once_and_tried_again_after_a_change(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(state, "current", state.State())
    mesh = SimpleNamespace(session_uid=7)
    for _ in range(3):
        state.note_failure(7, "Head", RuntimeError("broken"))
    assert capsys.readouterr().err.count("RuntimeError: broken") == 1
    assert state.is_off(7)
    assert "broken" in state.problem(mesh)
    state.note_updates(_graph(), playback=True)
    assert state.is_off(7)
    state.note_updates(_graph(mode="RENDER"), playback=False)
    assert state.is_off(7)
    state.note_updates(_graph(), playback=False)
    assert not state.is_off(7)
    state.note_success(7)
    assert state.problem(mesh) is None


def test_objects_that_come_with_a_frame_count_as_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "current", state.State())
    state.note_updates(_graph(updated={"OBJECT"}), playback=True)
    assert state.current.changes == 0
    state.note_updates(_graph(updated={"COLLECTION"}), playback=True)
    assert state.current.changes == 1


def test_targets_are_bounded_and_go_with_their_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "MAX_BYTES", 3 * 100 * 20)
    kept = targets.Targets()

    def make(size: tuple[int, int]) -> targets.Target:
        return targets.Target(None, None, None, size, bytes_per_pixel=20)

    first = kept.get(1, "a", (10, 10), make)
    assert kept.get(1, "a", (10, 10), make) is first
    assert kept.get(1, "a", (10, 9), make) is not first
    for region in (2, 3, 4):
        kept.get(region, "a", (10, 10), make)
    assert kept.count == 3
    kept.keep_regions({3, 4})
    assert kept.count == 2
    kept.keep_of_region(4, set())
    assert kept.count == 1


def test_a_target_knows_what_it_holds() -> None:
    target = targets.Target(None, None, None, (1, 1), bytes_per_pixel=20)
    positions = np.arange(6.0).reshape(2, 3)
    assert not target.holds("view", positions)
    target.note("view", positions)
    assert target.holds("view", positions.copy())
    assert not target.holds("other", positions)
    assert not target.holds("view", positions + 1)
    assert not target.holds("view", None)


def _graph(mode: str = "VIEWPORT", updated: frozenset[str] | set[str] = frozenset()) -> SimpleNamespace:
    return SimpleNamespace(mode=mode, updates=(), id_type_updated=lambda kind: kind in updated)
