"""Fits whose coefficients matter although they hardly lower f: small units, strong penalties.

Zero is within any `tol` of the minimum of f, and yet it is not the answer.
"""

import numpy as np
import pytest
from reference import make_problem
from scipy import sparse

from sk_softmax import SoftmaxRegression

EDGES = [1e-3, 1e-5, 1e-7]


def first_step(X, y, weight=1.0):
    """Where coefficients tend to, over C, as C falls: minus the gradient at zero, about the mean.

    The objective is ``-C weight G . W + 1/2 ||W||^2`` up to higher orders of W.
    """
    K = y.max() + 1
    Q = np.eye(K)[y]
    W = weight * (Q - Q.mean(axis=0)).T @ X
    return W[1:] if K == 2 else W


solvers = pytest.mark.parametrize("solver", ["lbfgs", "sgd"])


@solvers
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_classes", [2, 3, 12])
@pytest.mark.parametrize("edge", EDGES)
def test_small_units(solver, layout, n_classes, edge):
    X, y = make_problem(0, n=300, n_classes=n_classes)
    model = SoftmaxRegression(solver, random_state=0).fit(layout(edge * X), y)
    assert model.converged_
    np.testing.assert_allclose(model.coef_, edge * first_step(X, y), rtol=1e-2, atol=1e-3 * edge)


@solvers
@pytest.mark.parametrize("parameter", ["C", "weight"])
@pytest.mark.parametrize("edge", EDGES)
def test_strong_penalties_and_small_weights(solver, parameter, edge):
    X, y = make_problem(1, n=300)
    C, weight = (edge**2, 1.0) if parameter == "C" else (1.0, edge**2)
    model = SoftmaxRegression(solver, C=C, random_state=0).fit(X, y, np.full(300, weight))
    assert model.converged_
    np.testing.assert_allclose(model.coef_, edge**2 * first_step(X, y), rtol=1e-2, atol=edge**2)


@pytest.mark.parametrize("start", [False, True])
def test_many_features_in_small_units(start):
    """Where L-BFGS-B does the work, and where it goes on from the minimum."""
    X, y = make_problem(2, n=2000, p=300, n_classes=8)
    model = SoftmaxRegression("lbfgs", warm_start=True).fit(1e-5 * X, y)
    if start:
        model.fit(1e-5 * X, y)
        assert model.n_iter_[0] <= 1
    assert model.converged_
    W = 1e-5 * first_step(X, y)
    assert np.linalg.norm(model.coef_ - W) < 0.02 * np.linalg.norm(W)


@pytest.mark.parametrize(("solver", "small"), [("lbfgs", 1e-12), ("sgd", 1e-6)])
def test_nothing_to_gain(solver, small):
    """Every class has the same rows; and columns that do not vary."""
    X, _ = make_problem(3, n=100)
    model = SoftmaxRegression(solver, random_state=0)
    model.fit(np.vstack([X] * 3), np.arange(300) // 100)
    assert model.converged_
    assert np.abs(model.coef_).max() < small
    model.fit(np.full((100, 3), 0.1), np.arange(100) % 2)
    assert model.converged_
    assert not model.coef_.any()


@pytest.mark.parametrize("n", [60, 600])
@pytest.mark.parametrize("seed", range(3))
def test_a_class_of_one_row_is_something_to_gain(n, seed):
    """Less than the noise of an epoch, which was undone each time, at whatever rate."""
    X, _ = make_problem(seed, n=n)
    X[-1] += 2
    y = (np.arange(n) == n - 1).astype(int)
    losses = [
        SoftmaxRegression(solver, random_state=0).fit(X, y).loss_ for solver in ("lbfgs", "sgd")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@solvers
def test_early_stopping_waits_for_what_is_small(solver):
    """Rows held out improve by less than `tol` of themselves, in every iteration."""
    X, y = make_problem(4, n=2000, p=30, n_classes=5)
    held_out = {"X_val": 1e-5 * X, "y_val": y}
    model = SoftmaxRegression("lbfgs", early_stopping=True, n_iter_no_change=1)
    model.fit(1e-5 * X, y, **held_out)
    W = 1e-5 * first_step(X, y)
    assert np.linalg.norm(model.coef_ - W) < 0.05 * np.linalg.norm(W)
