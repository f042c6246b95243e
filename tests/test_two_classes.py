"""Two classes as one row of logits: the same sums as of two rows."""

from functools import partial

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit, xlog1py, xlogy

from sk_softmax._kernels import (
    hessian_product,
    hessian_product_at,
    logit_range,
    loss_and_accuracy,
    residuals,
)
from sk_softmax._rows import Targets, as_rows
from sk_softmax._softmax import binary_cross_entropy, cross_entropy, softmax
from sk_softmax._two_classes import counterpart_of

N, P = 400, 7


def targets_of(kind):
    """Targets of two classes, of each kind that there is."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, N)
    if kind == "probabilities":
        return Targets.of(rng.dirichlet([1.0, 1.0], N), 2, 0.0)
    smoothing = 0.3 if kind == "smoothed" else 0.0
    offset = rng.normal(size=(N, 2)) if kind == "offset" else None
    return Targets.of(y, 2, smoothing, offset)


@pytest.fixture(params=["labels", "smoothed", "probabilities", "offset"])
def targets(request):
    return targets_of(request.param)


@pytest.fixture(params=["dense", "columns", "sparse", "float32"])
def rows(request, targets, threads):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)) * (rng.random((N, P)) < 0.7)
    X = {
        "dense": X,
        "columns": np.asfortranarray(X),
        "sparse": sparse.csr_array(X),
        "float32": X.astype(np.float32),
    }[request.param]
    weights = rng.uniform(0.5, 2, N)
    rows = as_rows(X, targets, weights, threads)
    return rows.astype(np.float32) if request.param == "float32" else rows


def models(number):
    rng = np.random.default_rng(1)
    return [(rng.normal(size=(2, P)), rng.normal(size=2)) for _ in range(number)]


def two_rows_of_logits(kernel):
    """A kernel that has no counterpart, and does the same."""
    return lambda block, Z: kernel(block, Z)


@pytest.mark.parametrize("kernel", [residuals, hessian_product])
def test_sums_are_those_of_two_rows(rows, kernel):
    some = models(1 + (kernel is hessian_product))
    one, other = rows.sums(kernel, *some), rows.sums(two_rows_of_logits(kernel), *some)
    rtol = 1e-5 if rows.dtype == np.float32 else 1e-12
    assert one[0][:2] == pytest.approx(other[0][:2], rel=rtol)
    for a, b in zip(one[1:], other[1:], strict=True):
        assert a.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max())
        np.testing.assert_array_equal(a[0], -a[1])


@pytest.mark.parametrize("with_intercept", [True, False])
def test_the_hessian_at_known_probabilities_is_the_same(rows, with_intercept):
    (W, b), (V, c) = models(2)
    at, step = ((W, b), (V, c)) if with_intercept else ((W, None), (V, None))
    _, expected, _ = rows.sums(hessian_product, at, step)
    Z = W @ rows.dense(slice(None)).T + (b[:, np.newaxis] if with_intercept else 0)
    known = softmax(rows.targets.logits(Z)).astype(rows.dtype)
    _, found, _ = rows.sums(partial(hessian_product_at, P=known), step)
    rtol = 1e-4 if rows.dtype == np.float32 else 1e-11
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


@pytest.mark.parametrize("kernel", [loss_and_accuracy, logit_range])
def test_numbers_are_those_of_two_rows(rows, kernel):
    combine = None if kernel is loss_and_accuracy else lambda a, b: tuple(map(max, a, b))
    (model,) = models(1)
    found = rows.reduce(kernel, model, combine=combine)
    expected = rows.reduce(two_rows_of_logits(kernel), model, combine=combine)
    rtol = 1e-5 if rows.dtype == np.float32 else 1e-12
    assert found == pytest.approx(expected, rel=rtol)


@pytest.mark.parametrize("q", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("d", [0.0, 1e-300, 3.0, -3.0, 40.0, -40.0, 800.0, -800.0])
def test_cross_entropy_has_every_digit_where_a_row_is_certain(d, q):
    """The residual of a certain row is a tiny number, not the difference of two large ones."""
    residual, p = np.array([d]), np.empty(1)
    h = np.array([1 - q if d > 0 else q])
    loss, _ = binary_cross_entropy(residual, h, np.array([q > 0.5]), np.ones(1), p)
    expected = (1 - q) * expit(d) - q * expit(-d)
    assert residual[0] == pytest.approx(expected, rel=1e-13, abs=5e-324)
    assert p[0] == pytest.approx(expit(-abs(d)), rel=1e-13)
    if abs(d) < 30:
        entropy = -(xlogy(q, expit(d)) + xlog1py(1 - q, -expit(d)))
        assert loss == pytest.approx(entropy, rel=1e-13)
    else:
        assert loss == pytest.approx(abs(d) * (1 - q if d > 0 else q), rel=1e-13, abs=1e-16)


def test_a_row_without_a_favourite_is_not_right():
    d, y = np.array([0.0, 0.0, 2.0, -2.0]), np.array([0, 1, 1, 0])
    Z = np.array([-d / 2, d / 2])
    s = np.array([0.1, 0.2, 0.3, 0.4])
    assert binary_cross_entropy(d, (y == (d <= 0)) * 1.0, y, s)[1] == pytest.approx(0.7)
    assert cross_entropy(Z, y, s)[1] == pytest.approx(0.7)


@pytest.mark.parametrize("smoothing", [1e-18, 1e-12])
def test_little_smoothing_is_the_same_for_both_classes(threads, smoothing):
    """The target of the other class is not what rounding leaves of one less the label's."""
    targets = Targets.of(np.array([0, 1]), 2, smoothing)
    rows = as_rows(np.array([[-50.0], [50.0]]), targets, np.ones(2), threads)
    _, G, G1 = rows.sums(residuals, (np.array([[-1.0], [1.0]]), np.zeros(2)))
    np.testing.assert_allclose(G[1], 50 * smoothing / 2, rtol=1e-12)
    assert G1[1] == 0


def test_kernels_without_a_counterpart_have_none():
    assert counterpart_of(partial(two_rows_of_logits(residuals))) is None
