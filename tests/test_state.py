"""The life of a fitted object. Numbers in comments are the lines of the list of promises."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import sklearn
from reference import make_problem
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from sk_softmax import SoftmaxRegression

solvers = pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
interruptions = pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError])


def estimator(solver, **parameters):
    return SoftmaxRegression(solver, tol=None, max_iter=6, random_state=0, **parameters)


def interrupted_method(solver):
    return "evaluate" if solver == "lbfgs" else "gradient"


# 37


@solvers
@interruptions
@pytest.mark.parametrize("k", [1, 4])
def test_an_interrupted_first_fit_leaves_nothing(fail_at_call, solver, interruption, k):
    X, y = make_problem(0)
    model = estimator(solver)
    before = dict(vars(model))
    fail_at_call(interrupted_method(solver), k, interruption)
    with pytest.raises(interruption):
        model.fit(X, y)
    assert vars(model) == before
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_a_first_fit_on_bad_data_leaves_nothing():
    X, y = make_problem(0)
    model = SoftmaxRegression()
    with pytest.raises(ValueError, match="at least 2 classes"):
        model.fit(X, np.zeros(len(y)))
    assert not hasattr(model, "n_features_in_")
    with pytest.raises(NotFittedError):
        model.predict_proba(X)


# 38


@solvers
@interruptions
@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("warm_start", [False, True])
def test_an_interrupted_refit_leaves_the_old_model(
    fail_at_call, state_of, solver, interruption, k, warm_start
):
    X, y = make_problem(0)
    model = estimator(solver, warm_start=warm_start).fit(X, y)
    before, P = state_of(model), model.predict_proba(X)
    fail_at_call(interrupted_method(solver), k, interruption)
    with pytest.raises(interruption):
        model.fit(X + 1, np.array(["a", "b", "c"])[y])
    assert state_of(model) == before
    np.testing.assert_array_equal(model.predict_proba(X), P)


@solvers
@pytest.mark.parametrize("p", [3, 6])
def test_an_interrupted_refit_on_other_shapes_leaves_the_old_model(
    fail_at_call, state_of, solver, p
):
    X, y = make_problem(0)
    model = estimator(solver).fit(X, y)
    before = state_of(model)
    fail_at_call(interrupted_method(solver), 2, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*make_problem(1, p=p, n_classes=5))
    assert state_of(model) == before
    assert model.n_features_in_ == 4


@solvers
@pytest.mark.parametrize("bad", ["labels", "values", "weights", "parameter"])
def test_a_refit_on_bad_input_leaves_the_old_model(state_of, solver, bad):
    X, y = make_problem(0)
    model = estimator(solver).fit(X, y)
    new_X, new_y = make_problem(1, p=7, n_classes=4)
    weight = np.ones(len(new_y))
    if bad == "labels":
        new_y = new_y + 0.5
    elif bad == "values":
        new_X[0, 0] = np.nan
    elif bad == "weights":
        weight[0] = -1
    else:
        model.set_params(C=-1)
    before = state_of(model)
    with pytest.raises(ValueError, match=r"continuous|NaN|Negative|'C'"):
        model.fit(new_X, new_y, sample_weight=weight)
    assert state_of(model) == before


def test_a_refit_forgets_everything_of_the_old_model():
    pandas = pytest.importorskip("pandas")
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(pandas.DataFrame(X, columns=list("abcd")), y)
    other_X, other_y = make_problem(1, p=2, n_classes=5)
    model.fit(other_X, other_y)
    fresh = SoftmaxRegression().fit(other_X, other_y)
    assert not hasattr(model, "feature_names_in_")
    assert set(vars(model)) == set(vars(fresh))
    np.testing.assert_array_equal(model.coef_, fresh.coef_)


# 39


@solvers
def test_warm_start_with_another_number_of_columns(state_of, solver):
    X, y = make_problem(0)
    model = estimator(solver, warm_start=True).fit(X, y)
    before = state_of(model)
    with pytest.raises(ValueError, match=r"features .* had 4; now there are 3.*warm_start=False"):
        model.fit(X[:, :3], y)
    assert state_of(model) == before


@solvers
@pytest.mark.parametrize("n_classes", [2, 4])
def test_warm_start_with_another_number_of_classes(state_of, solver, n_classes):
    model = estimator(solver, warm_start=True).fit(*make_problem(0))
    before = state_of(model)
    with pytest.raises(ValueError, match=f"classes .* had 3; now there are {n_classes}"):
        model.fit(*make_problem(0, n_classes=n_classes))
    assert state_of(model) == before


# 40


def restart(model, X, y):
    """Refit without leaving the start: the step is far below the last digit."""
    model.set_params(solver="sgd", learning_rate=1e-200, max_iter=1, tol=None, warm_start=True)
    return model.fit(X, y)


def test_warm_start_goes_by_labels():
    X, y = make_problem(0)
    first, second = np.array(["b", "c", "d"]), np.array(["c", "a", "b"])
    model = SoftmaxRegression("lbfgs", tol=1e-12).fit(X, first[y])
    old = dict(zip(model.classes_, model.coef_, strict=True))
    old_intercept = dict(zip(model.classes_, model.intercept_, strict=True))
    restart(model, X, second[y])
    new = dict(zip(model.classes_, model.coef_, strict=True))
    new_intercept = dict(zip(model.classes_, model.intercept_, strict=True))
    # Rows are centred: what the shared labels keep is their difference.
    np.testing.assert_allclose(new["b"] - new["c"], old["b"] - old["c"], rtol=1e-12)
    difference = new_intercept["b"] - new_intercept["c"]
    assert difference == pytest.approx(old_intercept["b"] - old_intercept["c"], rel=1e-12)
    # The label that is new starts without coefficients, all rows then being centred.
    old_rows = np.array([np.zeros(4), old["b"], old["c"]])
    expected = old_rows - old_rows.mean(axis=0)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_warm_start_starts_at_the_solution(n_classes, fit_intercept):
    X, y = make_problem(0, n_classes=n_classes)
    model = SoftmaxRegression("lbfgs", tol=1e-12, fit_intercept=fit_intercept).fit(X, y)
    coef, intercept = model.coef_, model.intercept_
    restart(model, X, y)
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-12)
    np.testing.assert_allclose(model.intercept_, intercept, rtol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_warm_start_at_the_minimum_takes_no_iterations(n_classes):
    X, y = load_wine(return_X_y=True)
    X, y = X[y < n_classes], y[y < n_classes]
    model = SoftmaxRegression("lbfgs", tol=1e-10, warm_start=True).fit(X, y)
    cold, loss = model.n_iter_[0], model.loss_
    model.fit(X, y)
    assert cold > 5
    assert model.n_iter_[0] <= 1
    assert model.converged_
    assert model.loss_ == pytest.approx(loss, rel=1e-9)


def test_warm_start_along_a_path_of_C_ends_at_the_same_minima():
    X, y = load_wine(return_X_y=True)
    warm = SoftmaxRegression("lbfgs", tol=1e-16, warm_start=True)
    for C in (0.01, 0.1, 1.0):
        warm.set_params(C=C).fit(X, y)
        cold = SoftmaxRegression("lbfgs", tol=1e-16, C=C).fit(X, y)
        np.testing.assert_allclose(warm.coef_, cold.coef_, atol=1e-6)


def test_without_warm_start_the_old_solution_is_forgotten():
    X, y = make_problem(0)
    model = estimator("sgd").fit(X + 3, y).fit(X, y)
    np.testing.assert_array_equal(model.coef_, estimator("sgd").fit(X, y).coef_)


def test_warm_start_after_a_class_without_weight():
    X, y = make_problem(0)
    model = SoftmaxRegression(warm_start=True).fit(X, y, sample_weight=(y != 1).astype(float))
    assert model.predict_proba(X)[:, 1].max() == 0
    model.set_params(tol=1e-16).fit(X, y)
    expected = SoftmaxRegression(tol=1e-16).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)


# 41

COPIES = {
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "copy": lambda model, path: copy.copy(model),
    "deepcopy": lambda model, path: copy.deepcopy(model),
    "joblib": lambda model, path: (joblib.dump(model, path / "m"), joblib.load(path / "m"))[1],
}


@solvers
@pytest.mark.parametrize("way", COPIES)
def test_copies_predict_the_same_bits(solver, way, state_of, tmp_path):
    X, y = make_problem(0)
    model = estimator(solver).fit(X, np.array(["a", "b", "c"])[y])
    twin = COPIES[way](model, tmp_path)
    assert state_of(twin) == state_of(model)
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))


@solvers
def test_a_skops_file_predicts_the_same_bits(solver):
    skops_io = pytest.importorskip("skops.io")
    X, y = make_problem(0)
    model = estimator(solver).fit(X, np.array(["a", "b", "c"])[y])
    data = skops_io.dumps(model)
    assert skops_io.get_untrusted_types(data=data) == ["sk_softmax.SoftmaxRegression"]
    twin = skops_io.loads(data, trusted=["sk_softmax.SoftmaxRegression"])
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_a_pickle_goes_by_the_public_path():
    assert b"sk_softmax._" not in pickle.dumps(SoftmaxRegression().fit(*make_problem(0)))


@pytest.mark.filterwarnings("ignore:The solver 'lbfgs' does not use")
@solvers
def test_a_clone_fits_the_same_bits(solver):
    X, y = make_problem(0)
    model = estimator(solver, C=0.3, momentum=0.4).fit(X, y)
    twin = clone(model)
    assert not hasattr(twin, "coef_")
    assert twin.get_params() == model.get_params()
    np.testing.assert_array_equal(twin.fit(X, y).coef_, model.coef_)


@solvers
def test_fit_returns_self_and_leaves_parameters_alone(solver):
    X, y = make_problem(0)
    model = estimator(solver)
    parameters = dict(model.get_params())
    assert model.fit(X, y) is model
    assert model.get_params() == parameters


# What a fit reports

METRICS = {
    "lbfgs": ("accuracy", "gap", "n_evaluations", "preconditioner"),
    "sgd": ("accuracy", "learning_rate"),
}


@solvers
def test_history_has_one_entry_per_iteration(solver):
    model = estimator(solver).fit(*make_problem(0))
    assert set(model.history_) == {"n_iter", "loss", "time", *METRICS[solver]}
    assert {len(column) for column in model.history_.values()} == {model.n_iter_[0]}
    assert {type(column) for column in model.history_.values()} == {np.ndarray}
    np.testing.assert_array_equal(model.history_["n_iter"], np.arange(1, model.n_iter_[0] + 1))
    assert np.all(np.diff(model.history_["time"]) >= 0)
    assert model.history_["time"][0] >= 0


def test_history_of_lbfgs_ends_where_the_fit_does():
    model = SoftmaxRegression("lbfgs").fit(*make_problem(0))
    assert model.history_["loss"][-1] == model.loss_
    assert model.history_["gap"][-1] <= model.tol * model.loss_


def test_history_has_its_columns_when_there_was_nothing_to_do():
    X, y = make_problem(0)
    model = SoftmaxRegression("lbfgs", tol=1e-8, warm_start=True).fit(X, y).fit(X, y)
    assert model.n_iter_[0] == 0
    assert set(model.history_) == {"n_iter", "loss", "time", *METRICS["lbfgs"]}


@solvers
def test_fitted_attributes_have_the_documented_types(solver):
    X, y = make_problem(0)
    model = estimator(solver).fit(X, y)
    assert model.n_iter_.shape == (1,)
    assert np.issubdtype(model.n_iter_.dtype, np.integer)
    assert type(model.loss_) is float
    assert type(model.converged_) is bool
    assert type(model.stop_reason_) is str
    assert type(model.solver_) is str
    assert model.n_features_in_ == 4


def test_random_state_determines_sgd():
    X, y = make_problem(0)
    first, again, other = (
        SoftmaxRegression("sgd", tol=None, max_iter=3, random_state=seed).fit(X, y).coef_
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_random_state_instance_moves_on():
    X, y = make_problem(0)
    model = SoftmaxRegression(
        "sgd", tol=None, max_iter=3, random_state=np.random.RandomState(1)
    ).fit(X, y)
    by_seed = SoftmaxRegression("sgd", tol=None, max_iter=3, random_state=1).fit(X, y)
    np.testing.assert_array_equal(model.coef_, by_seed.coef_)
    first = model.coef_
    assert not np.array_equal(model.fit(X, y).coef_, first)


def test_lbfgs_does_not_depend_on_random_state():
    X, y = make_problem(0)
    coefs = [SoftmaxRegression("lbfgs", random_state=seed).fit(X, y).coef_ for seed in (0, 1, None)]
    np.testing.assert_array_equal(coefs[0], coefs[1])
    np.testing.assert_array_equal(coefs[0], coefs[2])


@solvers
def test_verbose_prints_a_line_per_iteration(solver, capsys):
    model = estimator(solver, verbose=1).fit(*make_problem(0))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_[0]
    for n_iter, (line, loss) in enumerate(zip(lines, model.history_["loss"], strict=True), start=1):
        assert f"{'epoch' if solver == 'sgd' else 'iteration'} {n_iter}:" in line
        assert f"loss {loss:.6g}" in line


@solvers
def test_silence_is_the_default(solver, capsys):
    estimator(solver).fit(*make_problem(0))
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_no_iterations_leave_the_start(solver):
    """As of LogisticRegression: a model, and a warning. The start knows the class frequencies."""
    X, y = make_problem(0)
    s = np.linspace(1, 2, len(y))
    model = SoftmaxRegression(solver, max_iter=0)
    with pytest.warns(ConvergenceWarning, match="stopped after max_iter=0"):
        model.fit(X, y, s)
    assert model.n_iter_[0] == 0
    assert not model.converged_
    assert model.stop_reason_ == "max_iter"
    assert not model.coef_.any()
    frequencies = np.bincount(y, weights=s) / s.sum()
    np.testing.assert_allclose(model.predict_proba(X), np.tile(frequencies, (len(X), 1)))
    assert model.loss_ == pytest.approx(-frequencies @ np.log(frequencies))
    assert all(len(column) == 0 for column in model.history_.values())
    assert model.set_params(solver="sgd").partial_fit(X, y).coef_.any()


def test_it_is_fitted_once_there_is_a_model():
    model = SoftmaxRegression()
    model.extra_ = 1
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    model.classes_, model.coef_, model.intercept_ = np.arange(2), np.ones((1, 1)), np.zeros(1)
    model.n_features_in_ = 1
    check_is_fitted(model)
    assert model.predict([[1.0]])[0] == 1


def test_output_of_transformers_does_not_matter():
    X, y = make_problem(0)
    with sklearn.config_context(transform_output="pandas"):
        model = make_pipeline(StandardScaler(), SoftmaxRegression()).fit(X, y)
        assert type(model.predict_proba(X)) is np.ndarray
        assert list(model[-1].feature_names_in_) == [f"x{j}" for j in range(4)]
    assert not hasattr(SoftmaxRegression, "set_output")
