from __future__ import annotations

import numpy as np
import pytest

from likeness.head.assets import HeadAssets
from likeness.portrait.types import Photograph, Portrait
from likeness.tracking.parameters import FitState, LinearPoints, project, project_with_jacobian
from likeness.tracking.people import RestingMouth
from likeness.tracking.shading import harmonics, harmonics_gradient, log_image, shading_term
from likeness.tracking.terms import (
    DistancePrior,
    ExpressionPrior,
    IdentityPrior,
    LandmarkTerm,
    LineTerm,
    SymmetryPrior,
    Term,
)

STEP = 1e-6


def some_points(vertices: LinearPoints, count: int = 20) -> LinearPoints:
    chosen = np.random.default_rng(0).choice(len(vertices.base), count, replace=False)
    return LinearPoints(vertices.base[chosen], vertices.directions[chosen])


def numeric_jacobian(residuals, state: FitState) -> np.ndarray:
    columns = []
    for column in range(state.size):
        step = np.zeros(state.size)
        step[column] = STEP
        columns.append((residuals(state.moved(step)) - residuals(state.moved(-step))) / (2 * STEP))
    return np.stack(columns, 1)


def make_terms(vertices: LinearPoints) -> dict[str, Term]:
    rng = np.random.default_rng(1)
    points = some_points(vertices)
    angles = rng.uniform(0, 6, 20)
    normals = np.stack([np.cos(angles), np.sin(angles)], 1)
    return {
        "landmarks": LandmarkTerm(points, rng.uniform(100, 400, (20, 2)), rng.uniform(0.1, 1, 20)),
        "lines": LineTerm(points, normals, rng.uniform(100, 400, (20, 2)), rng.uniform(0.1, 1, 20)),
        "identity": IdentityPrior(0.7),
        "expression": ExpressionPrior(rng.uniform(0.2, 1, 52), 0.1),
        "symmetry": SymmetryPrior(np.array([0, 6]), np.array([1, 7]), 0.3),
        "distance": DistancePrior(1.0, 0.1),
        "mouth": RestingMouth(0.003, rng.normal(0, 1e-3, vertices.directions.shape[-1] - 52), 0.002),
    }


def test_projection_agrees_with_the_camera(vertices: LinearPoints, state: FitState) -> None:
    points = some_points(vertices)
    expected, _ = state.camera(512).project(points.positions(state))
    np.testing.assert_allclose(project(points, state), expected, atol=1e-9)
    np.testing.assert_allclose(project_with_jacobian(points, state)[0], expected, atol=1e-9)


@pytest.mark.parametrize("name", ["landmarks", "lines", "identity", "expression", "symmetry", "distance", "mouth"])
def test_derivative_is_the_finite_difference(name: str, vertices: LinearPoints, state: FitState) -> None:
    term = make_terms(vertices)[name]
    residual, jacobian = term.linearized(state)
    np.testing.assert_allclose(residual, term.residuals(state))
    numeric = numeric_jacobian(term.residuals, state)
    np.testing.assert_allclose(jacobian, numeric, atol=1e-6 * max(1.0, np.abs(numeric).max()))


def test_points_on_triangles_are_the_corners_mean(
    open_head: HeadAssets, vertices: LinearPoints, state: FitState
) -> None:
    corners = open_head.faces[[5, 700, 3000]]
    bary = np.array([[0.2, 0.3, 0.5], [1, 0, 0], [0.5, 0.5, 0]])
    expected = np.einsum("nk,nkc->nc", bary, vertices.positions(state)[corners])
    np.testing.assert_allclose(vertices.at(corners, bary).positions(state), expected, atol=1e-12)


def test_harmonics_are_orthogonal_over_the_sphere() -> None:
    normals = np.random.default_rng(0).normal(size=(200_000, 3))
    values = harmonics(normals / np.linalg.norm(normals, axis=1, keepdims=True))
    gram = values.T @ values / len(values)
    scale = np.sqrt(np.diag(gram))
    np.testing.assert_allclose(gram / np.outer(scale, scale), np.eye(16), atol=0.02)


def test_harmonics_gradient_is_the_finite_difference() -> None:
    points = np.random.default_rng(0).normal(size=(5, 3))
    for axis in range(3):
        shift = np.eye(3)[axis] * STEP
        numeric = (harmonics(points + shift) - harmonics(points - shift)) / (2 * STEP)
        np.testing.assert_allclose(harmonics_gradient(points)[:, :, axis], numeric, atol=1e-6)


def shaded_portrait(rng: np.random.Generator) -> Portrait:
    y, x = np.mgrid[:512, :512] / 512
    picture = (0.4 + 0.2 * np.sin(5 * x + 3 * y) + 0.1 * np.cos(9 * y)).astype(np.float32)
    rgb = np.repeat(picture[..., None], 3, 2)
    whole = np.ones((512, 512), np.float32)
    photograph = Photograph((rgb * 255).astype(np.uint8), None, "0" * 64)
    return Portrait(photograph, (0, 0, 512), rgb, whole > 0, whole, rgb, rng.uniform(150, 350, (478, 2)))


def test_shading_derivative_leads_downhill(open_head: HeadAssets, vertices: LinearPoints, state: FitState) -> None:
    """Variable projection leaves a term out of the Jacobian, but not out of the cost's gradient J^T r."""
    image = log_image(shaded_portrait(np.random.default_rng(2)), 2.0)
    term = shading_term(image, open_head, vertices, state)
    residual, jacobian = term.linearized(state)
    np.testing.assert_allclose(residual, term.residuals(state), atol=1e-9)
    gradient = jacobian.T @ residual
    for column in (0, 1, 2, 7, 8, 20, 95, 120):
        step = np.zeros(state.size)
        step[column] = 1e-4
        ahead, behind = term.residuals(state.moved(step)), term.residuals(state.moved(-step))
        numeric = (ahead @ ahead - behind @ behind) / 4e-4
        assert abs(gradient[column] - numeric) < 0.05 * np.abs(gradient).max() * 0.2 + 0.05 * abs(numeric)


def test_shading_explains_light_and_albedo_of_any_smooth_kind(
    open_head: HeadAssets, vertices: LinearPoints, state: FitState
) -> None:
    """Brightness made of the term's own functions leaves no residual but the albedo prior's small share."""
    image = log_image(shaded_portrait(np.random.default_rng(2)), 2.0)
    term = shading_term(image, open_head, vertices, state)
    brighter = type(image)(image.value + 0.7, image.gradient_x, image.gradient_y)
    shifted = type(term)(brighter, term.corners, term.centers, term.albedo, term.weights)
    np.testing.assert_allclose(shifted.residuals(state), term.residuals(state), atol=1e-6)
