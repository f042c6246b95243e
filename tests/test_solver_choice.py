from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from reference import make_problem
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression
from sk_softmax._penalty import Penalty
from sk_softmax._solver_choice import asks_for_sgd, set_of_sgd, solver_of
from sk_softmax._solvers import SOLVERS, choose_solver


@pytest.mark.parametrize(
    ("n_stored", "n_classes", "solver"),
    [
        (150 * 4, 3, "lbfgs"),
        (60_000 * 784, 10, "lbfgs"),
        (10**9, 10, "lbfgs"),
        (10**9 + 1, 10, "sgd"),
        (1_300_000 * 784, 10, "sgd"),
    ],
)
def test_the_rule_that_is_documented(n_stored, n_classes, solver):
    size = {"n_stored": n_stored, "n_classes": n_classes}
    rows = SimpleNamespace(**size, random_access=True)
    assert choose_solver(rows, Penalty(0.1)) == solver
    assert choose_solver(SimpleNamespace(**size, random_access=False), Penalty(0.1)) == "lbfgs"
    for penalty in (Penalty(0.1, 0.1), Penalty(0.0, 0.1), Penalty(0.1, 0.0, 0.0, np.inf)):
        assert choose_solver(rows, penalty) == "prox-newton"


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_solver_asked_for_is_used(solver):
    model = SoftmaxRegression(solver, tol=None, max_iter=2).fit(*make_problem(0))
    assert model.solver_ == solver
    assert model.solver == solver


def test_auto_takes_lbfgs_for_a_small_problem():
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(X, y)
    assert model.solver_ == "lbfgs"
    assert model.solver == "auto"
    np.testing.assert_array_equal(model.coef_, SoftmaxRegression("lbfgs").fit(X, y).coef_)


def test_auto_takes_sgd_for_a_large_problem(make_objective):
    """The smallest there is that does not take long: one column, and a class for each row."""
    n = 100_001
    objective = make_objective(np.ones((n, 1)), np.arange(n))
    name, solver = solver_of(SoftmaxRegression(), objective)
    assert name == "sgd"
    assert isinstance(solver, SOLVERS["sgd"])


def test_sparse_data_count_what_they_store(make_objective):
    X, y = make_problem(0)
    X = np.where(np.abs(X) < 1, 0, X)
    assert make_objective(X, y).rows.n_stored == X.size
    assert make_objective(sparse.csr_array(X), y).rows.n_stored == np.count_nonzero(X)


def test_options_of_solvers_are_parameters_of_the_estimator():
    parameters = SoftmaxRegression().get_params()
    for solver in SOLVERS.values():
        assert {field.name for field in fields(solver)} <= set(parameters)


def test_every_parameter_is_constrained():
    assert set(SoftmaxRegression._parameter_constraints) == set(SoftmaxRegression().get_params())


OF_SGD = {
    "learning_rate": 0.01,
    "schedule": "cosine",
    "batch_size": 16,
    "momentum": 0.5,
    "nesterov": True,
    "average": True,
    "record_batches": 3,
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", OF_SGD)
def test_a_parameter_that_only_sgd_has_chooses_it(name):
    X, y = make_problem(0)
    assert SoftmaxRegression(**{name: OF_SGD[name]}).fit(X, y).solver_ == "sgd"
    with pytest.warns(UserWarning, match=f"'lbfgs' does not use {name}") as said:
        SoftmaxRegression("lbfgs", **{name: OF_SGD[name]}).fit(X, y)
    assert len(said) == 1
    assert Path(said[0].filename).parent.name == "tests"


@pytest.mark.parametrize("parameters", [{"l1_ratio": 0.5}, {"bounds": (0, 1)}])
def test_absolute_values_and_bounds_choose_prox_newton(parameters):
    model = SoftmaxRegression(**parameters).fit(*make_problem(0))
    assert model.solver_ == "prox-newton"
    with pytest.raises(ValueError, match=r"'sgd' .*prox-newton"):
        model.set_params(learning_rate=0.1).fit(*make_problem(0))


def test_factors_of_the_squares_choose_nothing():
    model = SoftmaxRegression(penalty_factor=[1, 0, 2, 3]).fit(*make_problem(0))
    assert model.solver_ == "lbfgs"


def test_parameters_that_both_have_choose_nothing():
    model = SoftmaxRegression(random_state=0, n_iter_no_change=3, tol=1e-5, max_iter=500)
    assert model.fit(*make_problem(0)).solver_ == "lbfgs"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_grid_over_learning_rates_compares_them():
    """It compared the same fit by L-BFGS-B three times."""
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    grid = {"learning_rate": [1e-4, 1e-2, 1.0]}
    search = GridSearchCV(SoftmaxRegression(random_state=0), grid).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 3


def test_parameters_choose_sgd_unless_they_are_at_the_defaults_of_the_constructor():
    model = SoftmaxRegression()
    assert not set_of_sgd(model)
    assert not asks_for_sgd(model)
    for name, value in {"momentum": 0.5, "schedule": "cosine", "record_batches": 3}.items():
        model = SoftmaxRegression(**{name: value})
        assert set_of_sgd(model) == [name]
        assert asks_for_sgd(model)
        assert not asks_for_sgd(model.set_params(solver="lbfgs"))
