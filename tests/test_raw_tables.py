"""No fit says that it converged and is farther from the minimum than `tol`: on raw tables."""

import warnings

import numpy as np
import penalised
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimality import certify
from raw_tables import COLUMNS, far_row, magnitudes, raw_tables, sentinel
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sk_softmax import SoftmaxRegression

pytestmark = pytest.mark.uncertified  # these tests do it themselves, without room for errors
GENERATORS = {
    "magnitudes": magnitudes,
    "magnitudes and another": lambda seed: magnitudes(seed, two_columns=True),
    "far row": far_row,
    "sentinel": sentinel,
}
SEEDS = range(100)


def fit(X, y, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return SoftmaxRegression("lbfgs", **parameters).fit(X, y)


def assert_within(model, X, y, tol):
    """F is within `tol` of the minimum, up to the rounding of the test's own sums."""
    found = certify(model, X, y)
    allowed = tol * abs(found.value)
    assert min(found.gap, found.distance) <= allowed + found.rounding, found
    assert found.decrement <= allowed * (1 + 1e-3) + found.decrement_rounding, found


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0, 1e4])
@pytest.mark.parametrize("tol", [1e-6, 1e-10])
def test_every_fit_reaches_the_minimum(name, C, tol):
    for seed in SEEDS:
        X, y = GENERATORS[name](seed)
        model = fit(X, y, C=C, tol=tol)
        assert model.stop_reason_ == "tol", seed
        assert_within(model, X, y, tol)


@pytest.mark.parametrize("tol", [1e-6, 1e-10])
def test_a_far_value_leaves_the_minimum_without_a_penalty(tol):
    for seed in SEEDS:
        X, y = sentinel(seed)
        model = fit(X, y, C=np.inf, tol=tol)
        assert model.stop_reason_ == "tol"
        assert_within(model, X, y, tol)


@pytest.mark.parametrize("far", [1e5, 1e8, 1e12])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array, np.float32])
def test_one_far_value_does_not_turn_the_model_into_a_coin(far, layout):
    X, y = sentinel(1, n=10_000, far=far)
    model = fit(layout(X), y)
    # A value of 1e12 turns rounding errors of its coefficient into logits: nothing is proven then.
    assert model.stop_reason_ == "tol" or (far == 1e12 and model.stop_reason_ == "precision")
    assert model.score(X, y) > 0.77


@given(raw_tables(), st.sampled_from([0.01, 1.0, 100.0, 1e4, np.inf]))
def test_what_is_said_of_raw_columns_is_true(table, C):
    X, y = table
    model = fit(X, y, C=C)
    if model.converged_:
        assert_within(model, X, y, model.tol)
    else:
        assert model.stop_reason_ in ("separable", "precision")


def test_losses_that_are_rounded_to_zero_are_not_a_minimum():
    """Populations in units of one: f is 1e-21, and its losses are below the rounding of one."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = np.column_stack([(1 + y) * 1e10, rng.uniform(1e9, 1e10, size=60)])
    model = fit(X, y)
    assert model.loss_ < 1e-16
    assert model.stop_reason_ == "precision"
    assert model.gap_ == np.inf


def fit_penalised(X, y, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return SoftmaxRegression("prox-newton", **parameters).fit(X, y)


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_every_fit_with_absolute_values_reaches_the_minimum(name, C, l1_ratio):
    for seed in SEEDS[:6]:
        X, y = GENERATORS[name](seed)
        model = fit_penalised(X, y, C=C, l1_ratio=l1_ratio)
        assert model.stop_reason_ == "tol", seed
        assert model.n_iter_[0] <= 60
        penalised.assert_optimal(model, X, y)


@given(raw_tables(), st.sampled_from([0.01, 1.0, 100.0, 1e4]), st.sampled_from([0.5, 1.0]))
def test_what_is_said_of_raw_columns_with_absolute_values_is_true(table, C, l1_ratio):
    X, y = table
    model = fit_penalised(X, y, C=C, l1_ratio=l1_ratio)
    if model.converged_:
        penalised.assert_optimal(model, X, y)
    else:  # a column with one value of 1e9 beside its sum with another is too much
        assert model.stop_reason_ in ("precision", "max_iter")


@given(raw_tables(), st.sampled_from([0.01, 1.0, 100.0, np.inf]), st.integers(0, 2**32 - 1))
def test_what_is_said_of_raw_columns_with_factors_and_bounds_is_true(table, C, seed):
    X, y = table
    rng = np.random.default_rng(seed)
    p, unit = X.shape[1], 1 / np.maximum(X.std(axis=0), 1e-3)
    lower, upper = -unit * rng.choice([0, 1, np.inf], p), unit * rng.choice([0, 0.1, np.inf], p)
    parameters = {
        "l1_ratio": rng.choice([0.0, 0.5, 1.0]),
        "penalty_factor": rng.choice([0.0, 0.1, 1.0, 10.0], p),
        "bounds": None if rng.random() < 0.5 else (lower, upper),
    }
    model = fit_penalised(X, y, C=C, max_iter=200, **parameters)
    if model.converged_:
        penalised.assert_optimal(model, X, y)
    else:
        assert model.stop_reason_ in ("separable", "precision", "max_iter")


@pytest.mark.parametrize("parameters", [{"C": np.inf}, {"l1_ratio": 1.0, "penalty_factor": [0, 1]}])
def test_dates_and_identifiers_without_a_penalty(parameters):
    """Their means are 1e5 deviations from zero: so many digits fewer have their gradients."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = np.column_stack([COLUMNS[kind](rng, 150) for kind in ("date", "identifier")])
        ranks = X.argsort(axis=0).argsort(axis=0) / 150
        y = (ranks @ rng.standard_normal((2, 3)) + rng.gumbel(size=(150, 3))).argmax(axis=1)
        model = fit_penalised(X.astype(float), y, **parameters)
        assert model.stop_reason_ == "tol", seed
        penalised.assert_optimal(model, X, y)
