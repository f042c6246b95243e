"""Numbers at the edges of what floats hold. Numbers in comments are those of the promises."""

import numpy as np
import pytest
from optimality import assert_optimal
from reference import make_problem, model_objective, softmax_rows
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning

from sk_softmax import SoftmaxRegression

solvers = pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
layouts = pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])


def fit(solver, X, y, **parameters):
    options = {"tol": 1e-12} if solver == "lbfgs" else {"tol": None, "max_iter": 20}
    return SoftmaxRegression(solver, random_state=0, **{**options, **parameters}).fit(X, y)


# 17


@solvers
@layouts
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("size", [1e-140, 1e-100, 1e100, 1e150])
def test_large_and_small_units_give_the_same_probabilities(solver, layout, n_classes, size):
    X, y = make_problem(0, n_classes=n_classes)
    model, scaled = (fit(solver, layout(X * unit), y, C=np.inf) for unit in (1, size))
    np.testing.assert_allclose(
        scaled.predict_proba(layout(X * size)), model.predict_proba(layout(X)), atol=1e-6
    )


@solvers
@layouts
@pytest.mark.parametrize("size", [1e160, 1e300])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_squares_that_overflow_are_an_error(solver, layout, size, C):
    X, y = make_problem(0)
    with pytest.raises(ValueError, match=r"too large .* rescale X"):
        fit(solver, layout(X * size), y, C=C)


@solvers
@layouts
@pytest.mark.parametrize("size", [1e-200, 1e-300])
@pytest.mark.parametrize("shape", [(80, 4), (20, 30)], ids=["n > p", "p > n"])
def test_squares_that_vanish_are_an_error(solver, layout, size, shape):
    """Without a penalty, for with one coefficients that small values need are out of reach."""
    X, y = make_problem(0, *shape)
    with pytest.raises(ValueError, match=r"too small.* Rescale X"):
        fit(solver, layout(X * size), y, C=np.inf)
    model = fit(solver, layout(X * size), y, C=1.0)
    frequencies = np.tile(np.bincount(y) / len(y), (len(y), 1))
    np.testing.assert_allclose(model.predict_proba(X * size), frequencies, atol=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e22])
def test_units_beyond_the_squares_of_float32(dtype, size):
    """Data large enough for stages in float32, in which the squares of a column vanish."""
    X, y = make_problem(0, n=60_000, p=20)
    units = np.where(np.arange(20) < 5, size, 1)
    model = SoftmaxRegression("lbfgs", C=np.inf).fit((X * units).astype(dtype), y)
    expected = SoftmaxRegression("lbfgs", C=np.inf).fit(X, y)
    assert model.converged_
    assert model.loss_ == pytest.approx(expected.loss_, rel=1e-5)


@pytest.mark.parametrize("size", [1e-30, 1e-22, 1e22, 1e30])
def test_steps_beyond_the_squares_of_float32(size):
    X, y = make_problem(0)
    units = np.array([size, 1, 1, 1])
    model = fit("sgd", (X * units).astype(np.float32), y, C=np.inf)
    expected = fit("sgd", X.astype(np.float32), y, C=np.inf)
    assert model.loss_ == pytest.approx(expected.loss_, rel=1e-3)


@solvers
@pytest.mark.parametrize("weight", [1e-300, 1e300])
def test_the_size_of_weights_does_not_matter_without_a_penalty(solver, weight):
    X, y = make_problem(0)
    model = SoftmaxRegression(solver, C=np.inf, tol=None, max_iter=10, random_state=0)
    expected = model.fit(X, y).coef_
    model.fit(X, y, sample_weight=np.full(len(y), weight))
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-9, atol=1e-12)


@solvers
def test_weights_whose_sum_overflows(solver):
    X, y = make_problem(0)
    with pytest.raises(ValueError, match=r"sum of the weights .* overflows"):
        SoftmaxRegression(solver).fit(X, y, sample_weight=np.full(len(y), 1e307))
    with pytest.raises(ValueError, match=r"sum of the weights .* overflows"):
        SoftmaxRegression(solver, class_weight={0: 1e308}).fit(X, y, np.full(len(y), 10.0))


@solvers
@pytest.mark.uncertified  # the certificate overflows too
def test_a_penalty_that_overflows(solver):
    X, y = make_problem(0)
    weight = np.full(len(y), 1e-200)
    with pytest.raises(ValueError, match="increase C=1e-200"):
        SoftmaxRegression(solver, C=1e-200).fit(X, y, sample_weight=weight)
    unpenalised = fit(solver, X, y, C=np.inf)
    largest = fit(solver, X, y, C=1e300)
    np.testing.assert_allclose(largest.coef_, unpenalised.coef_, rtol=1e-6)


# 18


@layouts
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_that_overflow_are_still_a_distribution(layout, dtype, n_classes):
    X, y = make_problem(0, n_classes=n_classes)
    model = SoftmaxRegression().fit(X.astype(dtype), y)
    largest = np.finfo(dtype).max / 1e3
    direction = np.clip(X, -1, 1)
    model.coef_ = (model.coef_ * 1e6).astype(dtype)
    far = (direction * largest).astype(dtype)
    P = model.predict_proba(layout(far))
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-6)
    assert np.isfinite(model.predict_log_proba(layout(far))).all()
    assert np.isfinite(model.decision_function(layout(far))).all()
    # The intercepts no longer count: labels are those of the direction.
    scores = direction @ model.coef_.T.astype(np.float64)
    codes = (scores[:, 0] > 0) if n_classes == 2 else scores.argmax(axis=1)
    np.testing.assert_array_equal(model.predict(layout(far)), codes)
    np.testing.assert_array_equal(P.argmax(axis=1), codes)


def test_differences_of_scores_that_overflow():
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(X, y)
    model.coef_ = np.sign(model.coef_)
    far = 1.7e308 * np.eye(4)
    assert np.isfinite(far @ model.coef_.T).all()
    assert np.isfinite(model.predict_log_proba(far)).all()
    np.testing.assert_allclose(model.predict_proba(far).sum(axis=1), 1)


def test_rows_beside_one_that_overflows_are_not_touched():
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(X, y, sample_weight=(y != 2).astype(float))
    far = X.copy()
    far[3] = 1e308
    expected = model.predict_proba(X)
    P = model.predict_proba(far)
    np.testing.assert_array_equal(np.delete(P, 3, axis=0), np.delete(expected, 3, axis=0))
    assert P[3].sum() == pytest.approx(1)
    np.testing.assert_array_equal(P[:, 2], 0)  # the class without weight


# 20


@solvers
@layouts
@pytest.mark.parametrize("n", [50, 300, 5000])
@pytest.mark.parametrize("value", [0.0, 0.1, 3.0, 1e5])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_a_constant_column_adds_nothing(solver, layout, n, value, C):
    """The sum of n equal numbers is off by more rounding errors than there is curvature."""
    X, y = make_problem(0, n=n)
    with_constant = layout(np.column_stack([X, np.full(n, value)]))
    parameters = {"C": C, "max_iter": 5 if solver == "sgd" else 1000}
    model, expected = fit(solver, with_constant, y, **parameters), fit(solver, X, y, **parameters)
    np.testing.assert_allclose(model.coef_[:, 4], 0, atol=1e-7)
    P = expected.predict_proba(X)
    # Batches and steps depend on the number of columns.
    atol = 1e-6 if solver == "lbfgs" else 0.2
    np.testing.assert_allclose(model.predict_proba(with_constant), P, atol=atol)


@layouts
def test_a_constant_column_of_a_stream_adds_nothing(layout):
    X, y = make_problem(0, n=900)
    X = np.column_stack([X, np.full(900, 0.1)])
    model = SoftmaxRegression(C=np.inf, random_state=0)
    for rows in np.split(np.arange(900), 9):
        model.partial_fit(layout(X[rows]), y[rows], classes=[0, 1, 2])
    np.testing.assert_allclose(model.coef_[:, 4], 0, atol=1e-10)


@solvers
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_a_constant_column_is_the_intercept_where_there_is_none(solver, C):
    X, y = make_problem(0)
    ones = np.column_stack([X, np.ones(len(y))])
    model = fit(solver, ones, y, C=C, fit_intercept=False)
    assert np.abs(model.coef_[:, 4]).max() > 0.1
    if solver == "lbfgs":
        assert_optimal(model, ones, y)


COLLINEAR = {
    "twice": lambda X: X[:, :1],
    "in other units": lambda X: 1e3 * X[:, :1],
    "sums": lambda X: X @ np.random.default_rng(0).standard_normal((4, 3)),
    "zero": lambda X: np.zeros((len(X), 2)),
    "dummies": lambda X: np.eye(3)[np.arange(len(X)) % 3],
}


@solvers
@layouts
@pytest.mark.parametrize("kind", COLLINEAR)
@pytest.mark.parametrize("C", [1e6, np.inf])
def test_collinear_columns_have_a_finite_minimum(solver, layout, kind, C):
    X, y = make_problem(0, n=300)
    wide = np.column_stack([X, COLLINEAR[kind](X)])
    model = fit(solver, layout(wide), y, C=C)
    assert np.isfinite(model.coef_).all()
    assert np.abs(model.coef_ * wide.std(axis=0)).max() < 100
    if solver == "lbfgs" and kind != "dummies":
        expected = fit(solver, X, y, C=C)
        assert model.loss_ == pytest.approx(expected.loss_, rel=1e-5)


@pytest.mark.parametrize("kind", ["twice", "in other units", "sums"])
def test_the_largest_C_finds_the_shortest_of_collinear_minima(kind):
    """What lies in the null space of the centred rows changes the penalty alone."""
    X, y = make_problem(0, n=300)
    wide = np.column_stack([X, COLLINEAR[kind](X)])
    model = fit("lbfgs", wide, y, C=1e6, tol=1e-16)
    rows = wide - wide.mean(axis=0)
    scale = rows.std(axis=0)
    in_null_space = model.coef_ - model.coef_ @ np.linalg.pinv(rows, rcond=1e-10) @ rows
    np.testing.assert_allclose(in_null_space * scale, 0, atol=1e-5)


# 21


@pytest.mark.parametrize("rows", [slice(0, 100), slice(None)], ids=["two classes", "three"])
def test_sgd_says_so_where_its_loss_proves_that_classes_are_separable(rows):
    X, y = load_iris(return_X_y=True)
    X, y = X[rows] + 50.0 * y[rows, np.newaxis], y[rows]
    model = SoftmaxRegression("sgd", C=np.inf, max_iter=300, random_state=0, tol=1e-9)
    with pytest.warns(ConvergenceWarning, match="minimum is at infinity; set C"):
        model.fit(X, y)
    assert model.stop_reason_ == "separable"
    assert not model.converged_
    assert model.score(X, y) == 1
    assert np.isfinite(model.coef_).all()


# 22


def correlated(size):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 1)) + size * rng.standard_normal((2000, 8))
    y = (X @ rng.standard_normal((8, 3)) / size + rng.gumbel(size=(2000, 3))).argmax(axis=1)
    return X, y


ILL_CONDITIONED = {
    "iris": lambda: load_iris(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "correlated": lambda: correlated(1e-3),
    "almost collinear": lambda: correlated(1e-5),
}


@pytest.mark.parametrize("name", ILL_CONDITIONED)
@pytest.mark.parametrize("C", [1.0, 1e4])
def test_float32_is_as_good_as_float64_on_ill_conditioned_problems(name, C):
    X, y = ILL_CONDITIONED[name]()
    X = X.astype(np.float32)
    single = SoftmaxRegression("lbfgs", C=C).fit(X, y)
    double = SoftmaxRegression("lbfgs", C=C).fit(X.astype(np.float64), y)
    assert single.loss_ == pytest.approx(double.loss_, rel=1e-9)
    P = double.predict_proba(X.astype(np.float64))
    np.testing.assert_allclose(single.predict_proba(X), P, atol=1e-4)


@pytest.mark.parametrize("offset", [1e3, 1e5])
def test_float32_loses_no_more_than_its_products_round(offset):
    """Far from zero the logits themselves, as float32, are off by eps |w| |x|."""
    X, y = load_wine(return_X_y=True)
    X = (X + offset).astype(np.float32)
    single = SoftmaxRegression("lbfgs").fit(X, y)
    double = SoftmaxRegression("lbfgs").fit(X.astype(np.float64), y)
    assert single.loss_ == pytest.approx(double.loss_, rel=1e-9)
    sizes = np.abs(X) @ np.abs(single.coef_.T) + np.abs(single.intercept_)
    bound = 4 * np.finfo(np.float32).eps * sizes.max()
    P = double.predict_proba(X.astype(np.float64))
    np.testing.assert_allclose(single.predict_proba(X), P, atol=bound)


def test_the_model_on_raw_features_is_the_softmax_of_its_scores():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression().fit(X, y)
    P = softmax_rows(X @ model.coef_.T + model.intercept_)
    np.testing.assert_allclose(model.predict_proba(X), P, rtol=1e-9, atol=1e-300)
    assert model_objective(model, X, y) == pytest.approx(model.loss_ * len(y), rel=1e-10)
