"""The tests' own certificate of optimality: it accepts minima and nothing else."""

import numpy as np
import pytest
from optimality import assert_optimal, certify, problem_of
from reference import make_problem, model_objective
from scipy.special import softmax
from sklearn.datasets import load_wine

from sk_softmax import SoftmaxRegression
from sk_softmax._solvers._gap import GapEstimate


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_any_feasible_probabilities_bound_the_minimum_from_below(n_classes, seed):
    X, y = make_problem(seed, n_classes=n_classes)
    s = np.random.default_rng(seed).uniform(0.5, 2, size=len(y))
    model = SoftmaxRegression(tol=1e-20, C=0.7).fit(X, y, s)
    problem, W, b = problem_of(model, X, y, s)
    scale = 0.5 if n_classes == 2 else 1.0
    best = scale * model_objective(model, X, y, s)
    assert problem.value(W, b) == pytest.approx(best, rel=1e-14)
    rng = np.random.default_rng(seed)
    for size in (0.0, 1e-4, 1.0):
        V = W + size * rng.standard_normal(W.shape)
        c = problem.with_feasible_intercepts(V, b)
        P = softmax(problem.logits(V, c), axis=1)
        np.testing.assert_allclose(problem.weight @ (P - problem.Q), 0, atol=1e-12)
        dual = problem.dual_value(P)
        assert dual <= best * (1 + 1e-14)
        assert problem.value(V, c) - dual == pytest.approx(problem.duality_gap(V, c), abs=1e-11)
    assert problem.dual_value(softmax(problem.logits(W, b), axis=1)) == pytest.approx(best)


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3, np.inf])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("shape", [(80, 4), (20, 30)], ids=["n > p", "p > n"])
def test_it_tells_how_far_a_model_is_from_the_minimum(C, n_classes, shape):
    X, y = make_problem(1, *shape, n_classes=n_classes)
    smoothing = 0.1 if np.inf == C else 0.0  # or the minimum is at infinity where p > n
    model = SoftmaxRegression("lbfgs", C=C, tol=1e-18, label_smoothing=smoothing).fit(X, y)
    best = certify(model, X, y)
    assert_optimal(model, X, y)
    for error in (1e-4, 1e-2):
        model.coef_ = model.coef_ * (1 + error)
        found = certify(model, X, y)
        assert found.value > best.value
        assert found.gap == pytest.approx(found.value - best.value, rel=1e-4)
        assert found.decrement == pytest.approx(found.gap, rel=0.1)
        with pytest.raises(AssertionError):
            assert_optimal(model, X, y, tol=0.5 * found.gap / found.value)
        model.coef_ = model.coef_ / (1 + error)


def test_it_sees_what_changes_no_probability():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression("lbfgs", tol=1e-14).fit(X, y)
    assert_optimal(model, X, y)
    model.coef_ = model.coef_ + 1e-4
    with pytest.raises(AssertionError):
        assert_optimal(model, X, y)


def test_it_knows_a_minimum_in_closed_form():
    """Without features that matter the probabilities are the weighted frequencies."""
    X, y = np.zeros((6, 1)), np.array([0, 0, 0, 1, 1, 2])
    model = SoftmaxRegression(C=1.0).fit(X, y)
    model.coef_, model.intercept_ = np.zeros((3, 1)), np.log([3.0, 2.0, 1.0])
    found = certify(model, X, y)
    assert found.value == pytest.approx(-3 * np.log(1 / 2) - 2 * np.log(1 / 3) - np.log(1 / 6))
    assert abs(found.gap) < 1e-14
    assert found.decrement < 1e-28


def test_every_fit_of_every_test_is_certified(monkeypatch):
    """Were a bound of zero reported at once, no test that fits would pass."""
    X, y = make_problem(0)
    monkeypatch.setattr("sk_softmax._solvers._bound.self_concordant_bound", lambda *_: 0.0)
    monkeypatch.setattr(GapEstimate, "gap", property(lambda *_: 0.0, lambda *_: None), False)
    with pytest.raises(AssertionError, match="Certificate"):
        SoftmaxRegression("lbfgs").fit(X, y)


@pytest.mark.uncertified
def test_a_test_may_do_without(monkeypatch):
    monkeypatch.setattr("sk_softmax._solvers._bound.self_concordant_bound", lambda *_: 0.0)
    monkeypatch.setattr(GapEstimate, "gap", property(lambda *_: 0.0, lambda *_: None), False)
    assert SoftmaxRegression("lbfgs").fit(*make_problem(0)).n_iter_[0] == 0


@pytest.mark.uncertified
def test_an_estimate_that_is_too_small_does_not_end_a_fit(monkeypatch):
    """The bound does not rest on the estimate."""
    monkeypatch.setattr(GapEstimate, "gap", property(lambda *_: 0.0, lambda *_: None), False)
    X, y = make_problem(0)
    model = SoftmaxRegression("lbfgs").fit(X, y)
    assert_optimal(model, X, y, tol=model.tol)
