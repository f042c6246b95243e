"""Minima with absolute values: scikit-learn's saga, certificates, and how the solver gets there."""

import warnings

import numpy as np
import pytest
from penalised import problem_of
from reference import make_problem
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

from sk_softmax import SoftmaxRegression
from sk_softmax._coordinates import Coordinates
from sk_softmax._rows._in_memory import InMemoryRows
from sk_softmax._solvers import _prox_newton
from sk_softmax._solvers._quadratic import OperatorModel

TIGHT = 1e-12


def fit_saga(X, y, sample_weight=None, **parameters):
    model = LogisticRegression(solver="saga", tol=1e-11, max_iter=100_000, **parameters)
    if model.get_params().get("penalty") == "l2":  # before scikit-learn 1.8
        model.set_params(penalty="elasticnet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters, and of l1_ratio=1
        return model.fit(X, y, sample_weight)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
def test_the_minimum_is_that_of_saga(n_classes, fit_intercept, l1_ratio):
    X, y = make_problem(n_classes, n=150, p=6, n_classes=n_classes)
    s = np.random.default_rng(0).uniform(0.2, 2, size=len(y))
    parameters = {"C": 0.2, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    ours = SoftmaxRegression(tol=TIGHT, **parameters).fit(X, y, s)
    theirs = fit_saga(X, y, s, **parameters)
    problem, W, b = problem_of(ours, X, y, s)
    V = theirs.coef_
    value, expected = problem.value(W, b), problem.value(V, theirs.intercept_ + V @ problem.mean)
    assert value <= expected * (1 + 1e-13)
    assert value == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(ours.coef_ != 0, theirs.coef_ != 0)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_raw_columns(load, l1_ratio, C):
    """`certified` checks the model, and that the gap is no less than what is left."""
    X, y = load(return_X_y=True)
    model = SoftmaxRegression(C=C, l1_ratio=l1_ratio).fit(X, y)
    assert (model.solver_, model.stop_reason_) == ("prox-newton", "tol")
    assert model.gap_method_ == "duality"
    assert 0 <= model.gap_ <= model.tol * model.loss_
    tight = SoftmaxRegression(C=C, l1_ratio=l1_ratio, tol=TIGHT).fit(X, y)
    assert model.loss_ - tight.loss_ <= model.gap_ + 1e-15
    assert tight.loss_ - model.loss_ <= tight.gap_ + 1e-15


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["blocks", "diagonal"])
def test_matrices_blocks_and_diagonals_find_the_same(monkeypatch, layout, l1_ratio, kind):
    X, y = make_problem(0, n=100, p=30, n_classes=4)
    X = layout(np.where(abs(X) < 0.7, 0, X))
    parameters = {"solver": "prox-newton", "l1_ratio": l1_ratio, "tol": 1e-10}
    expected = SoftmaxRegression(**parameters).fit(X, y)
    made = []

    def operator_model(times, diagonal, blocks, *more):
        made.append(kind == ("blocks" if blocks else "diagonal"))
        return OperatorModel(times, diagonal, blocks, *more)

    monkeypatch.setattr(_prox_newton, "OperatorModel", operator_model)
    # No memory for the whole matrix; and no time for blocks of it.
    monkeypatch.setattr(InMemoryRows, "spare_bytes", 0)
    if kind == "diagonal":
        monkeypatch.setattr(Coordinates, "work", 0)
    model = SoftmaxRegression(**parameters).fit(X, y)
    assert model.converged_
    assert made
    assert all(made)
    assert model.loss_ == pytest.approx(expected.loss_, rel=1e-9)


def test_a_small_working_set_grows_to_all_that_it_takes():
    """A matrix of some 900 coefficients costs ten evaluations; 1,200 of 3,200 are not zero."""
    X, y = make_problem(0, n=1000, p=800, n_classes=4)
    model = SoftmaxRegression(l1_ratio=1, tol=1e-10).fit(X, y)
    assert model.converged_
    n_nonzero = model.history_["n_nonzero"]
    assert n_nonzero[0] < 0.8 * n_nonzero[-1]


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_the_objective_falls_and_history_has_its_columns(l1_ratio):
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression(C=100.0, l1_ratio=l1_ratio).fit(X, y)
    history = model.history_
    assert set(history) == {
        "n_iter", "loss", "accuracy", "gap", "n_evaluations", "n_nonzero", "time"
    }  # fmt: skip
    assert (np.diff(history["loss"]) <= 1e-15).all()
    assert history["loss"][-1] == model.loss_
    assert history["gap"][-1] == model.gap_
    assert history["n_nonzero"][-1] == np.count_nonzero(model.coef_)
    assert len(history["loss"]) == model.n_iter_[0]


def test_support_is_recovered():
    """Three of forty columns make the classes; at this C no other is of use."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 40))
    W = np.zeros((3, 40))
    W[[0, 1, 2], [3, 17, 31]] = 2.5
    y = (X @ W.T + rng.gumbel(size=(2000, 3))).argmax(axis=1)
    model = SoftmaxRegression(C=0.02, l1_ratio=1).fit(X, y)
    np.testing.assert_array_equal(model.coef_ != 0, W != 0)
    assert (model.coef_[W != 0] > 1).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["equal", "opposite", "other units", "a sum", "nearly equal"])
def test_dependent_columns_do_not_stall(kind, seed):
    X, y = make_problem(seed, n=120, p=5)
    copies = {
        "equal": X,
        "opposite": -X,
        "other units": X * [3, 0.1, 1, 1e3, 1e-2],
        "a sum": X @ np.tri(5),
        "nearly equal": X * (1 + 1e-9 * np.arange(120))[:, np.newaxis],
    }
    wide = np.hstack([X, copies[kind], copies[kind]])
    for C in (1.0, 100.0):
        model = SoftmaxRegression(C=C, l1_ratio=1, tol=1e-9).fit(wide, y)
        assert model.stop_reason_ == "tol"
        assert model.n_iter_[0] < 40
        if kind in ("equal", "opposite"):  # copies are of no use
            expected = SoftmaxRegression(C=C, l1_ratio=1, tol=1e-9).fit(X, y)
            assert model.loss_ == pytest.approx(expected.loss_, rel=1e-8)


def test_rare_indicators_of_the_same_rows():
    """Two columns that are the same once standardised entered together, with opposite signs."""
    X, y = make_problem(0, n=100, p=8, n_classes=4)
    X[:, 6:] = 0
    X[3, 6], X[3, 7] = 1.0, 5.0
    model = SoftmaxRegression(C=10.0, l1_ratio=1, tol=1e-10).fit(scale(X), y)
    assert model.stop_reason_ == "tol"


def test_columns_in_other_units_with_other_factors_are_the_same_model():
    X, y = make_problem(0)
    units = np.array([1e-3, 1.0, 10.0, 1e6])
    model = SoftmaxRegression(l1_ratio=1, tol=TIGHT).fit(X, y)
    scaled = SoftmaxRegression(l1_ratio=1, tol=TIGHT, penalty_factor=units).fit(X * units, y)
    np.testing.assert_allclose(scaled.coef_ * units, model.coef_, atol=1e-6)


def test_a_warm_start_at_the_minimum_takes_no_iterations():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression(l1_ratio=1, warm_start=True, tol=1e-10).fit(X, y)
    before = model.coef_
    model.fit(X, y)
    assert model.n_iter_[0] <= 1
    np.testing.assert_allclose(model.coef_, before, atol=1e-6 * abs(before).max())
    cold = SoftmaxRegression(C=1.1, l1_ratio=1, tol=1e-10).fit(X, y)
    model.set_params(C=1.1).fit(X, y)
    assert model.n_iter_[0] < cold.n_iter_[0]
    assert model.loss_ == pytest.approx(cold.loss_, rel=1e-9)


def test_strong_penalties_leave_the_class_frequencies():
    """From the largest slope on, the null model is the minimum; a little below it is not."""
    X, y = make_problem(0)
    frequencies = np.bincount(y) / len(y)
    slope = abs((frequencies - np.eye(3)[y]).T @ X).max()
    null = SoftmaxRegression(C=0.999 / slope, l1_ratio=1).fit(X, y)
    assert not null.coef_.any()
    assert null.n_iter_[0] == 0
    assert null.stop_reason_ == "tol"
    np.testing.assert_allclose(null.predict_proba(X), np.tile(frequencies, (len(y), 1)))
    assert np.count_nonzero(SoftmaxRegression(C=1.01 / slope, l1_ratio=1).fit(X, y).coef_) == 1


def test_few_iterations_are_said():
    X, y = load_wine(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="'prox-newton' .* max_iter=2 iter"):
        model = SoftmaxRegression(l1_ratio=1, max_iter=2).fit(X, y)
    assert model.stop_reason_ == "max_iter"
    assert not model.converged_
    assert len(model.history_["loss"]) == 2


def test_without_tol_it_goes_as_far_as_floating_point_allows():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression(l1_ratio=1, tol=None).fit(X, y)
    tight = SoftmaxRegression(l1_ratio=1, tol=TIGHT).fit(X, y)
    assert model.loss_ <= tight.loss_ * (1 + 1e-15)
    assert model.n_iter_[0] < 30


@pytest.mark.parametrize("n_classes", [2, 3])
def test_squares_alone_have_the_minimum_of_lbfgs(n_classes):
    X, y = make_problem(0, n_classes=n_classes)
    ours = SoftmaxRegression("prox-newton", tol=TIGHT).fit(X, y)
    expected = SoftmaxRegression("lbfgs", tol=TIGHT).fit(X, y)
    np.testing.assert_allclose(ours.coef_, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, expected.intercept_, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_no_penalty_at_all(n_classes):
    X, y = make_problem(0, n=200, n_classes=n_classes)
    ours = SoftmaxRegression("prox-newton", C=np.inf, tol=1e-10).fit(X, y)
    expected = SoftmaxRegression("lbfgs", C=np.inf, tol=TIGHT).fit(X, y)
    assert ours.stop_reason_ == "tol"
    np.testing.assert_allclose(ours.coef_, expected.coef_, atol=1e-4)
