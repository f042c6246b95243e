"""L1, elastic net, factors and bounds: what they mean, what they leave alone, what is refused."""

import pickle

import numpy as np
import pytest
from penalised import assert_optimal, problem_of
from reference import make_problem, softmax_rows
from scipy import sparse
from scipy.optimize import minimize
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectFromModel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sk_softmax import SoftmaxRegression

TIGHT = 1e-12
FACTOR = np.array([1.0, 0.0, 2.0, 0.5])
PENALTIES = {
    "lasso": {"l1_ratio": 1.0},
    "elastic net": {"l1_ratio": 0.5},
    "ridge with factors": {"penalty_factor": FACTOR},
    "lasso with factors": {"l1_ratio": 1.0, "penalty_factor": FACTOR},
    "positive": {"bounds": (0, np.inf)},
    "positive lasso": {"l1_ratio": 1.0, "bounds": (0, np.inf)},
    "a box": {"l1_ratio": 0.5, "bounds": (-0.3, 0.2)},
    "without zero": {"l1_ratio": 1.0, "bounds": (0.1, 0.5)},
    "signs and fixed": {"l1_ratio": 0.5, "bounds": ([0, -np.inf, 0.3, -1], [np.inf, 0, 0.3, 1])},
}


def fit(X, y, sample_weight=None, **parameters):
    return SoftmaxRegression(tol=TIGHT, C=0.5).set_params(**parameters).fit(X, y, sample_weight)


@pytest.fixture(params=PENALTIES)
def penalty(request):
    return PENALTIES[request.param]


@pytest.fixture(params=[2, 3], ids=["two classes", "three classes"])
def problem(request):
    """X, y and weights."""
    X, y = make_problem(0, n_classes=request.param)
    return X, y, np.random.default_rng(0).integers(1, 4, size=len(y)).astype(float)


def assert_same_coefficients(model, expected, atol=1e-5):
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=atol)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=0, atol=atol)


@pytest.mark.uncertified
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_documented_objective_has_its_minimum_there(problem, penalty, fit_intercept):
    """By L-BFGS-B for differences of two positive vectors, in place of the test's own method."""
    X, y, s = problem
    model = fit(X, y, s, fit_intercept=fit_intercept, **penalty)
    assert model.converged_
    objective, W, b = problem_of(model, X, y, s)
    q = X.shape[1] + 1

    def function(uvb):
        U, V, c = np.split(uvb, [W.size, 2 * W.size])
        point = (U - V).reshape(W.shape), c * fit_intercept
        G = objective.gradient(*point)
        slope = (G[:, :-1] + objective.l2 * point[0]).ravel()
        l1 = objective.l1.ravel()
        value = objective.value(*point) + l1 @ (U + V - abs(U - V))
        return value, np.concatenate([slope + l1, -slope + l1, G[:, -1]])

    low, high = (a.ravel() for a in (objective.lower, objective.upper))
    ends = [
        np.concatenate([np.maximum(low, 0), np.maximum(-high, 0), np.full(len(b), -np.inf)]),
        np.concatenate([np.maximum(high, 0), np.maximum(-low, 0), np.full(len(b), np.inf)]),
    ]
    start = np.clip(np.zeros(len(ends[0])), *ends)
    options = {"maxiter": 5000, "maxfun": 20_000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 4 * q}
    expected = minimize(
        function, start, jac=True, bounds=np.transpose(ends), method="L-BFGS-B", options=options
    ).fun
    value = objective.value(W, b)
    assert value == pytest.approx(expected, rel=1e-8)
    assert model.loss_ * objective.weight.sum() == pytest.approx(value, rel=1e-12)


def test_bounds_hold_and_are_met_exactly(problem):
    X, y, s = problem
    free = fit(X, y, s)
    assert (free.coef_ < 0).any()
    model = fit(X, y, s, bounds=(0.0, 0.4))
    assert model.coef_.min() == 0
    assert model.coef_.max() == 0.4
    lower = np.where(np.arange(free.coef_.size).reshape(free.coef_.shape) % 2, -np.inf, 0.1)
    model = fit(X, y, s, bounds=(lower, np.inf))
    assert (model.coef_ >= lower).all()
    fixed = fit(X, y, s, bounds=([0.3, -np.inf, 0, -np.inf], [0.3, np.inf, 0, np.inf]))
    np.testing.assert_array_equal(fixed.coef_[:, [0, 2]], np.tile([0.3, 0], (len(fixed.coef_), 1)))


def test_bounds_that_hold_anyway_change_nothing(problem):
    """With squares class rows sum to zero at the minimum, within bounds too if none is met."""
    X, y, s = problem
    for l1_ratio in (0.0, 0.5):
        expected = fit(X, y, s, l1_ratio=l1_ratio)
        model = fit(X, y, s, l1_ratio=l1_ratio, bounds=(-50, 50))
        assert model.solver_ == "prox-newton"
        assert_same_coefficients(model, expected)


def test_a_fixed_column_of_zeros_is_a_column_less(problem):
    X, y, s = problem
    model = fit(X, y, s, l1_ratio=0.5, bounds=([-9, 0, -9, -9], [9, 0, 9, 9]))
    expected = fit(X[:, [0, 2, 3]], y, s, l1_ratio=0.5, bounds=(-9, 9))
    np.testing.assert_allclose(model.coef_[:, [0, 2, 3]], expected.coef_, atol=1e-5)


def test_a_factor_of_zero_leaves_a_feature_without_a_penalty(problem):
    """A strong penalty on the others leaves the model of the one column."""
    X, y, s = problem
    for l1_ratio in (0.0, 1.0):
        factor = [1e8, 0, 1e8, 1e8]
        model = fit(X, y, s, l1_ratio=l1_ratio, penalty_factor=factor)
        expected = fit(X[:, [1]], y, s, C=np.inf)
        np.testing.assert_allclose(model.coef_[:, [1]], expected.coef_, atol=1e-5)
        np.testing.assert_allclose(model.coef_[:, [0, 2, 3]], 0, atol=1e-6)


def test_a_common_factor_is_another_C(problem):
    X, y, s = problem
    for l1_ratio in (0.0, 0.7):
        model = fit(X, y, s, l1_ratio=l1_ratio, penalty_factor=np.full(4, 2.0), C=1.0)
        assert_same_coefficients(model, fit(X, y, s, l1_ratio=l1_ratio, C=0.5))


def test_the_gauge_is_the_median(penalty):
    """One number may be added to a column for all classes, which moves no probability."""
    X, y = make_problem(0, n=200, n_classes=5)
    model = fit(X, y, **penalty)
    np.testing.assert_allclose(model.intercept_.sum(), 0, atol=1e-12)
    if "bounds" in penalty:
        return
    objective, W, _ = problem_of(model, X, y)
    for shift in (-1e-3, 1e-3):
        for column in np.eye(4):
            assert objective.penalty(W + shift * column) >= objective.penalty(W)
    if penalty == PENALTIES["lasso"]:
        np.testing.assert_array_equal(np.median(model.coef_, axis=0), 0)


# Invariances


def test_classes_and_rows_and_columns_in_another_order(problem):
    X, y, s = problem
    K, order = y.max() + 1, np.array([2, 0, 3, 1])
    rows = np.random.default_rng(0).permutation(len(y))
    for parameters in ({"l1_ratio": 1.0}, {"l1_ratio": 0.5, "penalty_factor": FACTOR}):
        model = fit(X, y, s, **parameters)
        assert_same_coefficients(fit(X[rows], y[rows], s[rows], **parameters), model)
        relabelled = fit(X, K - 1 - y, s, **parameters)
        expected = -model.coef_ if K == 2 else model.coef_[::-1]
        np.testing.assert_allclose(relabelled.coef_, expected, atol=1e-5)
        if "penalty_factor" in parameters:
            parameters = parameters | {"penalty_factor": FACTOR[order]}
        permuted = fit(X[:, order], y, s, **parameters)
        np.testing.assert_allclose(permuted.coef_, model.coef_[:, order], atol=1e-5)


def test_weights_are_repetitions(problem, penalty):
    X, y, s = problem
    repeated = np.repeat(np.arange(len(y)), s.astype(int))
    assert_same_coefficients(fit(X, y, s, **penalty), fit(X[repeated], y[repeated], **penalty))


def test_sparse_rows_and_other_layouts(problem, penalty):
    X, y, s = problem
    X = np.where(abs(X) < 0.7, 0, X)
    expected = fit(X, y, s, **penalty)
    for layout in (sparse.csr_array, sparse.csc_matrix, np.asfortranarray):
        assert_same_coefficients(fit(layout(X), y, s, **penalty), expected)


def test_float32(problem, penalty):
    X, y, s = problem
    X = X.astype(np.float32)
    model = fit(X, y, s, **penalty)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    expected = fit(X.astype(np.float64), y, s, **penalty)
    np.testing.assert_array_equal(model.coef_, expected.coef_.astype(np.float32))


def test_soft_targets_and_smoothing(penalty):
    """The probabilities are rows with weights; smoothed labels are such probabilities."""
    X, y = make_problem(0)
    Q = np.random.default_rng(0).dirichlet(np.ones(3), size=len(y))
    soft = fit(X, Q, **penalty)
    rows = fit(np.repeat(X, 3, axis=0), np.tile(np.arange(3), len(y)), Q.ravel(), **penalty)
    assert_same_coefficients(soft, rows)
    smoothed = fit(X, y, label_smoothing=0.3, **penalty)
    assert_same_coefficients(smoothed, fit(X, 0.7 * np.eye(3)[y] + 0.1, **penalty))


@pytest.mark.uncertified
def test_offsets(problem):
    """An offset that is linear in the columns is a shift of the coefficients."""
    X, y, s = problem
    K = y.max() + 1
    V = np.random.default_rng(1).standard_normal((K, 4))
    shift = V[1:] - V[:1] if K == 2 else V
    # Without a penalty the box moves with the offset.
    found = SoftmaxRegression(tol=TIGHT, C=np.inf, bounds=(-1 - shift, 1 - shift))
    found.fit(X, y, s, offset=X @ V.T)
    expected = fit(X, y, s, C=np.inf, bounds=(-1, 1))
    P = found.predict_proba(X, offset=X @ V.T)
    np.testing.assert_allclose(P, expected.predict_proba(X), atol=1e-5)
    assert found.loss_ == pytest.approx(expected.loss_, rel=1e-10)


# Without a penalty


def test_bounds_without_a_penalty(problem):
    X, y, s = problem
    for bounds in ((0, np.inf), (-0.5, 0.5), ([0, -np.inf, -1, 0], np.inf)):
        model = fit(X, y, s, C=np.inf, bounds=bounds)
        assert model.stop_reason_ == "tol"
        assert model.gap_ <= TIGHT * model.loss_


@pytest.mark.parametrize("n_classes", [2, 3])
def test_separable_classes_within_bounds(n_classes):
    y = np.repeat(np.arange(n_classes), 20)
    X = (y + np.linspace(0, 0.5, len(y)))[:, np.newaxis]
    boxed = SoftmaxRegression(C=np.inf, bounds=(-3, 3)).fit(X, y)
    assert boxed.stop_reason_ == "tol"
    open_above = SoftmaxRegression(C=np.inf, bounds=(0 if n_classes == 2 else -1, np.inf))
    with pytest.warns(ConvergenceWarning, match="at infinity"):
        open_above.fit(X, y)
    assert open_above.stop_reason_ == "separable"
    assert open_above.gap_ == np.inf
    against = SoftmaxRegression(C=np.inf, bounds=(-np.inf if n_classes == 2 else 0, 0)).fit(X, y)
    assert against.stop_reason_ == "tol"


def test_separable_along_a_column_without_a_penalty():
    X, y = make_problem(0)
    X[:, 2] = y
    with pytest.warns(ConvergenceWarning, match="at infinity"):
        model = SoftmaxRegression(l1_ratio=1, penalty_factor=[1, 1, 0, 1]).fit(X, y)
    assert model.stop_reason_ == "separable"
    assert SoftmaxRegression(l1_ratio=1, penalty_factor=[1, 0, 1, 1]).fit(X, y).converged_


# Classes


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_class_without_weight_is_left_out(n_classes, penalty):
    X, y = make_problem(0, n_classes=n_classes + 1)
    model = fit(X, y, class_weight={1: 0}, **penalty)
    np.testing.assert_array_equal(model.coef_[1], 0)
    assert model.intercept_[1] == -1000
    if n_classes == 2 and "bounds" in penalty:
        return  # here they are of the rows of both classes, not of their difference
    rest = y != 1
    expected = fit(X[rest], y[rest], **penalty)
    P = model.predict_proba(X)
    np.testing.assert_allclose(np.delete(P, 1, axis=1), expected.predict_proba(X), atol=1e-5)
    assert model.loss_ == pytest.approx(expected.loss_, rel=1e-9)


def test_labels_that_do_not_occur(penalty):
    X, y = make_problem(0)
    model = fit(X, y, classes=[0, 1, 2, 7], **penalty)
    assert model.coef_.shape == (4, 4)
    expected = fit(X, y, **penalty)
    np.testing.assert_allclose(model.predict_proba(X)[:, :3], expected.predict_proba(X), atol=1e-5)


# Selection and copies


def test_zeros_select_columns_and_save_memory():
    X, y = load_wine(return_X_y=True)
    X = scale(X)
    model = SoftmaxRegression(C=0.05, l1_ratio=1).fit(X, y)
    chosen = model.coef_.any(axis=0)
    assert 0 < chosen.sum() < X.shape[1]
    selector = SelectFromModel(SoftmaxRegression(C=0.05, l1_ratio=1), threshold=1e-12).fit(X, y)
    np.testing.assert_array_equal(selector.get_support(), chosen)
    by_default = SelectFromModel(SoftmaxRegression(C=0.05, l1_ratio=1)).fit(X, y)
    assert by_default.get_support().sum() <= chosen.sum()
    assert make_pipeline(selector, SoftmaxRegression()).fit(X, y).score(X, y) > 0.9
    P = model.predict_proba(X)
    for how in (pickle.dumps, lambda m: pickle.dumps(m.sparsify())):
        copy = pickle.loads(how(model))
        np.testing.assert_allclose(copy.predict_proba(X), P, rtol=1e-12)
    assert model.coef_.nnz == np.count_nonzero(model.densify().coef_)


def test_a_sparsified_model_is_a_warm_start():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression(l1_ratio=1, warm_start=True, tol=1e-10).fit(X, y).sparsify()
    assert model.fit(X, y).n_iter_[0] <= 1


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("parameters", [{"l1_ratio": 1}, {"bounds": (-0.5, 0.5)}])
def test_a_warm_start_at_the_minimum_stays_there(n_classes, parameters, fit_intercept):
    X, y = make_problem(0, n_classes=n_classes)
    model = SoftmaxRegression(warm_start=True, fit_intercept=fit_intercept, **parameters).fit(X, y)
    coef = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_[0] == 0
    np.testing.assert_array_equal(model.coef_, coef)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_warm_start_outside_the_bounds(n_classes):
    X, y = make_problem(0, n_classes=n_classes)
    model = SoftmaxRegression(warm_start=True, tol=TIGHT).fit(X, y)
    for bounds in ((0, 0.1), (0.2, 0.3), None, (-np.inf, 0)):
        model.set_params(bounds=bounds).fit(X, y)
        expected = SoftmaxRegression(tol=TIGHT, bounds=bounds).fit(X, y)
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_are_those_of_its_coefficients(n_classes):
    X, y = make_problem(0, n_classes=n_classes)
    model = SoftmaxRegression(C=0.1, l1_ratio=1).fit(X, y)
    Z = X @ model.coef_.T + model.intercept_
    Z = np.column_stack([np.zeros(len(Z)), Z]) if n_classes == 2 else Z
    np.testing.assert_allclose(model.predict_proba(X), softmax_rows(Z), rtol=1e-12)


def test_in_a_pipeline_with_raw_columns():
    X, y = load_wine(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegression(C=0.1, l1_ratio=1)).fit(X, y)
    assert pipeline.score(X, y) > 0.95
    assert_optimal(pipeline[-1], pipeline[0].transform(X), y)


# What is refused


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"l1_ratio": -0.1}, "'l1_ratio' parameter .* must be a float in the range"),
        ({"l1_ratio": 1.1}, "'l1_ratio' parameter"),
        ({"l1_ratio": np.nan}, "'l1_ratio' parameter"),
        ({"l1_ratio": None}, "'l1_ratio' parameter"),
        ({"penalty_factor": [1, 1, -1, 1]}, r"penalty_factor must hold .* not negative.*\[-1"),
        ({"penalty_factor": [1, 1, np.nan, 1]}, "penalty_factor must hold finite numbers"),
        ({"penalty_factor": [1, 1, np.inf, 1]}, r"penalty_factor .* set its bounds to \(0, 0\)"),
        ({"penalty_factor": [1, 1, 1]}, "penalty_factor .* each of the 4 features"),
        ({"penalty_factor": np.ones((3, 4))}, "penalty_factor .* each of the 4 features"),
        ({"penalty_factor": ["1", "1", "1", "1"]}, "penalty_factor must hold a number"),
        ({"penalty_factor": 2.0}, "'penalty_factor' parameter"),
        ({"bounds": 1.0}, "'bounds' parameter"),
        ({"bounds": (0, 1, 2)}, "bounds must be a pair"),
        ({"bounds": (None, 1)}, "bounds"),
        ({"bounds": ("a", 1)}, "bounds must be a pair"),
        ({"bounds": (1, 0)}, "bounds: each lower bound must be at most the upper one"),
        ({"bounds": (0, [1, 1, -1, 1])}, "bounds: each lower bound must be at most"),
        ({"bounds": (np.nan, 1)}, "bounds: .* neither NaN"),
        ({"bounds": (np.inf, np.inf)}, "bounds: each lower bound"),
        ({"bounds": (-np.inf, -np.inf)}, "bounds: each lower bound"),
        ({"bounds": (0, [1, 1])}, r"bounds: the upper bound of shape \(2,\) .* shape \(3, 4\)"),
        ({"bounds": (np.zeros((2, 4)), 1)}, r"bounds: the lower bound of shape \(2, 4\)"),
        ({"solver": "lbfgs", "l1_ratio": 1}, "'lbfgs' .*prox-newton"),
        ({"solver": "lbfgs", "bounds": (0, 1)}, "'lbfgs' .*prox-newton"),
        ({"solver": "sgd", "l1_ratio": 0.5}, "'sgd' .*prox-newton"),
        ({"solver": "sgd", "bounds": (0, 1)}, "'sgd' .*prox-newton"),
    ],
)
def test_bad_parameters(parameters, message):
    X, y = make_problem(0)
    model = SoftmaxRegression(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("parameters", [{"l1_ratio": 1.0}, {"bounds": (0, 1)}])
def test_partial_fit_has_no_absolute_values_and_bounds(parameters, state_of):
    X, y = make_problem(0)
    model = SoftmaxRegression(**parameters).fit(X, y)
    before = state_of(model)
    (name,) = parameters
    with pytest.raises(AttributeError, match=f"partial_fit is not available for {name}"):
        model.partial_fit(X, y)
    assert state_of(model) == before
    model.set_params(l1_ratio=0.0, bounds=None).partial_fit(X, y)  # goes on from it
    assert model.stop_reason_ == "partial_fit"
