"""The Hessian on some coefficients in standardised columns, against the definition."""

import numpy as np
import pytest
from reference import make_problem, softmax_rows

from sk_softmax._coordinates import Coordinates
from sk_softmax._curvature import Curvature

MASKS = {
    "all": lambda rng, shape: np.ones(shape, dtype=bool),
    "some": lambda rng, shape: rng.random(shape) < 0.5,
    "two columns": lambda rng, shape: (
        np.isin(np.arange(shape[1]), [1, 3]) & (rng.random(shape) < 2)
    ),
    "one class": lambda rng, shape: (
        np.arange(shape[0])[:, np.newaxis] == np.zeros(shape, dtype=int)
    ),
    "one coefficient": lambda rng, shape: np.arange(np.prod(shape)).reshape(shape) == 2,
}


@pytest.fixture(params=[True, False], ids=["at zero", "elsewhere"])
def at_zero(request):
    return request.param


@pytest.fixture(params=MASKS)
def case(request, make_objective, layout, fit_intercept, at_zero):
    """Coordinates, their mask, columns as they mean them, probabilities and weights."""
    X, y = make_problem(0, p=6, n_classes=4)
    X = np.where(abs(X) < 0.5, 0, X) * 10.0 ** np.arange(-3, 3) + 2.0 * (layout is np.asarray)
    rng = np.random.default_rng(1)
    s = rng.uniform(0.5, 2, size=len(y))
    objective = make_objective(layout(X), y, s, lam=0.7, fit_intercept=fit_intercept)
    columns = Curvature(objective).standardised_columns
    mask = MASKS[request.param](rng, objective.shape)
    share = 0.0 if at_zero else 0.5
    V = np.where(mask & (rng.random(mask.shape) < share), rng.standard_normal(mask.shape), 0.0)
    V[:, 6:] = rng.standard_normal(V[:, 6:].shape)
    s = s / s.sum()
    mean = s @ X if fit_intercept else np.zeros(6)
    A = (X - mean) / np.sqrt(s @ (X - mean) ** 2)
    A = np.column_stack([A, np.ones((len(A), int(fit_intercept)))])
    P = softmax_rows(A @ V.T)
    return Coordinates(objective, columns, mask, V), mask, A, P, s


def hessian(mask, A, P, s):
    """The whole of it, then the entries of the mask."""
    K, q = mask.shape
    H = np.zeros((K, q, K, q))
    for k in range(K):
        for m in range(K):
            c = s * P[:, k] * ((k == m) - P[:, m])
            H[k, :, m] = (A.T * c) @ A
    return H.reshape(K * q, K * q)[np.ix_(mask.ravel(), mask.ravel())]


def test_the_matrix_and_products_with_it(case):
    coordinates, mask, A, P, s = case
    H = hessian(mask, A, P, s)
    assert len(coordinates) == len(H)
    np.testing.assert_allclose(coordinates.hessian(), H, rtol=1e-9, atol=1e-11)
    times = coordinates.operator()
    for v in np.random.default_rng(2).standard_normal((3, len(H))):
        np.testing.assert_allclose(times(v), H @ v, rtol=1e-9, atol=1e-10)


def test_blocks_and_diagonals(case):
    coordinates, mask, A, P, s = case
    H = hessian(mask, A, P, s)
    classes = np.nonzero(mask)[0]
    blocks = coordinates.class_blocks()
    assert [len(B) for B in blocks] == np.bincount(classes)[np.unique(classes)].tolist()
    for k, B in zip(np.unique(classes), blocks, strict=True):
        np.testing.assert_allclose(B, H[np.ix_(classes == k, classes == k)], rtol=1e-9, atol=1e-11)
    assert coordinates.n_pairs == sum(B.size for B in blocks)
    np.testing.assert_allclose(coordinates.diagonal(), np.diag(H), rtol=1e-8, atol=1e-10)
