"""What must not change the model. Numbers in comments are the lines of the list of promises."""

import numpy as np
import pytest
from reference import make_problem, softmax_rows
from scipy import sparse
from sklearn.datasets import load_iris, load_wine

from sk_softmax import SoftmaxRegression

SEEDS = range(3)


def fit_lbfgs(X, y, sample_weight=None, **parameters):
    model = SoftmaxRegression("lbfgs", tol=1e-22, max_iter=20_000).set_params(**parameters)
    return model.fit(X, y, sample_weight=sample_weight)


def fit_gradient_descent(X, y, sample_weight=None, **parameters):
    model = SoftmaxRegression(
        "sgd",
        learning_rate=0.2,
        momentum=0.5,
        batch_size=10**9,
        max_iter=40,
        tol=None,
        random_state=0,
    )
    return model.set_params(**parameters).fit(X, y, sample_weight=sample_weight)


def fit_sgd(X, y, sample_weight=None, **parameters):
    model = SoftmaxRegression("sgd", max_iter=10, tol=None, random_state=0)
    return model.set_params(**parameters).fit(X, y, sample_weight=sample_weight)


def float_learning_rate(fit):
    """The automatic one is an estimate, exact to a percent, whose start has an order."""
    return {"learning_rate": 0.1} if fit is fit_sgd else {}


both_engines = pytest.mark.parametrize("fit", [fit_lbfgs, fit_gradient_descent])
all_three = pytest.mark.parametrize("fit", [fit_lbfgs, fit_gradient_descent, fit_sgd])


def assert_same_coefficients(model, expected, atol):
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=atol)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=0, atol=atol)


@all_three
@pytest.mark.parametrize("seed", SEEDS)
def test_relabelling_permutes_the_rows(fit, seed):  # 1
    X, y = make_problem(seed, n_classes=4)
    order = np.random.default_rng(seed).permutation(4)
    parameters = float_learning_rate(fit)
    model, relabelled = fit(X, y, **parameters), fit(X, order[y], **parameters)
    np.testing.assert_allclose(relabelled.coef_[order], model.coef_, atol=1e-8)
    np.testing.assert_allclose(relabelled.intercept_[order], model.intercept_, atol=1e-8)


@all_three
def test_swapping_two_classes_turns_the_sign(fit):  # 1
    X, y = make_problem(0, n_classes=2)
    model, swapped = fit(X, y), fit(X, 1 - y)
    np.testing.assert_allclose(swapped.coef_, -model.coef_, atol=1e-8)
    np.testing.assert_allclose(swapped.intercept_, -model.intercept_, atol=1e-8)


@both_engines
@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_rows_does_not_matter(fit, seed):  # 2
    X, y = make_problem(seed)
    order = np.random.default_rng(seed).permutation(len(y))
    assert_same_coefficients(fit(X[order], y[order]), fit(X, y), atol=1e-8)


def test_the_order_of_rows_does_not_matter_on_raw_data():  # 2
    X, y = load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    assert_same_coefficients(fit_lbfgs(X[order], y[order]), fit_lbfgs(X, y), atol=1e-8)


@all_three
@pytest.mark.parametrize("seed", SEEDS)
def test_permuting_columns_permutes_coefficients(fit, seed):  # 3
    X, y = make_problem(seed, p=6)
    order = np.random.default_rng(seed).permutation(6)
    parameters = float_learning_rate(fit)
    model, permuted = fit(X, y, **parameters), fit(X[:, order], y, **parameters)
    np.testing.assert_allclose(permuted.coef_, model.coef_[:, order], atol=1e-7)
    np.testing.assert_allclose(permuted.intercept_, model.intercept_, atol=1e-7)


@both_engines
@pytest.mark.parametrize("seed", SEEDS)
def test_a_rotation_rotates_coefficients(fit, seed):  # 3
    X, y = make_problem(seed, p=6)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((6, 6)))
    model, rotated = fit(X, y), fit(X @ rotation, y)
    np.testing.assert_allclose(rotated.coef_, model.coef_ @ rotation, atol=1e-7)
    np.testing.assert_allclose(rotated.intercept_, model.intercept_, atol=1e-7)


@pytest.mark.parametrize("fit", [fit_lbfgs, fit_sgd])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_units_of_columns_do_not_matter_without_penalty(fit, n_classes, seed):  # 4
    X, y = make_problem(seed, n=200, n_classes=n_classes)
    units = np.array([1e-5, 1.0, 1e3, 1e6])
    model, scaled = fit(X, y, C=np.inf), fit(X * units, y, C=np.inf)
    P = model.predict_proba(X)
    np.testing.assert_allclose(scaled.predict_proba(X * units), P, atol=1e-6)
    np.testing.assert_allclose(scaled.coef_ * units, model.coef_, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*at least in part")
def test_units_of_columns_do_not_matter_without_penalty_on_real_data():  # 4
    X, y = load_iris(return_X_y=True)  # of one species the coefficients have no limit
    units = np.array([1e4, 1.0, 1e-4, 10.0])
    model, scaled = (fit_lbfgs(data, y, C=np.inf, tol=1e-13) for data in (X, X * units))
    P = model.predict_proba(X)
    np.testing.assert_allclose(scaled.predict_proba(X * units), P, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_offset_of_the_columns_goes_into_the_intercept(n_classes, seed):  # 5
    X, y = make_problem(seed, n_classes=n_classes)
    model, shifted = fit_lbfgs(X, y), fit_lbfgs(X + 1000, y)
    np.testing.assert_allclose(shifted.coef_, model.coef_, atol=1e-7)
    P = model.predict_proba(X)
    np.testing.assert_allclose(shifted.predict_proba(X + 1000), P, atol=1e-6)


def test_an_offset_hardly_moves_the_default_fit():  # 5
    X, y = load_iris(return_X_y=True)
    best = fit_lbfgs(X, y)
    shifted = SoftmaxRegression().fit(X + 1000, y)
    assert shifted.converged_
    assert shifted.loss_ == pytest.approx(best.loss_, rel=1e-4)


@both_engines
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_integer_weight_counts_as_repetitions(fit, n_classes, seed):  # 6
    X, y = make_problem(seed, n_classes=n_classes)
    weights = np.random.default_rng(seed).integers(0, 4, size=len(y))
    weighted = fit(X, y, sample_weight=weights)
    repeated = fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    assert_same_coefficients(weighted, repeated, atol=1e-7)


@all_three
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("seed", SEEDS)
def test_weight_zero_drops_the_row(fit, layout, seed):  # 6
    X, y = make_problem(seed)
    keep = np.random.default_rng(seed).random(len(y)) < 0.7
    keep[:3] = True
    weighted = fit(layout(X), y, sample_weight=keep.astype(float))
    assert_same_coefficients(weighted, fit(layout(X[keep]), y[keep]), atol=1e-12)


@all_three
@pytest.mark.parametrize("weighted", [False, True])
def test_class_weights_are_sample_weights(fit, weighted):  # 7
    X, y = make_problem(0)
    s = np.random.default_rng(0).uniform(0.5, 2, size=len(y)) if weighted else np.ones(len(y))
    by_class = {0: 0.5, 1: 2.0, 2: 3.0}
    expected = fit(X, y, sample_weight=s * np.array([0.5, 2.0, 3.0])[y])
    model = fit(X, y, sample_weight=s if weighted else None, class_weight=by_class)
    assert_same_coefficients(model, expected, atol=1e-10)


@all_three
def test_balanced_class_weights_make_classes_count_alike(fit):  # 7
    X, y = make_problem(0)
    counts = np.bincount(y)
    assert len(set(counts)) > 1
    expected = fit(X, y, sample_weight=(len(y) / (3 * counts))[y])
    assert_same_coefficients(fit(X, y, class_weight="balanced"), expected, atol=1e-10)


@pytest.mark.parametrize("C", [0.1, 1.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_two_softmax_rows_at_C_are_the_sigmoid_at_twice_C(
    make_objective, make_solver, seed, C
):  # 8
    X, y = make_problem(seed, n_classes=2)
    objective = make_objective(X, y, lam=1 / (C * len(y)))
    solver = make_solver("lbfgs", tol=1e-22)
    start = np.zeros(objective.shape).ravel()
    W, b = objective.unpack(solver.minimize(objective, start, lambda state: False).theta)
    model = fit_lbfgs(X, y, C=2 * C)
    np.testing.assert_allclose(model.coef_[0], W[1] - W[0], atol=1e-8)
    np.testing.assert_allclose(model.intercept_[0], b[1] - b[0], atol=1e-8)


@both_engines
@pytest.mark.parametrize("seed", SEEDS)
def test_a_duplicated_column_shares_its_weight(fit, seed):  # 9
    X, y = make_problem(seed)
    # A column twice is one of sqrt(2) times the size, whose coefficient the two share.
    once = fit(X * [np.sqrt(2), 1, 1, 1], y)
    twice = fit(np.column_stack([X, X[:, 0]]), y)
    np.testing.assert_allclose(twice.coef_[:, 0], once.coef_[:, 0] / np.sqrt(2), atol=1e-8)
    np.testing.assert_allclose(twice.coef_[:, 4], twice.coef_[:, 0], atol=1e-8)
    np.testing.assert_allclose(twice.coef_[:, 1:4], once.coef_[:, 1:], atol=1e-8)


@all_three
@pytest.mark.parametrize("shape", [(80, 4), (20, 50)], ids=["n > p", "p > n"])
def test_dense_sparse_and_memory_mapped_are_one(fit, shape, tmp_path):  # 10
    X, y = make_problem(0, *shape)
    X = np.where(np.abs(X) < 0.5, 0, X)
    np.save(tmp_path / "X.npy", X)
    expected = fit(X, y)
    for same in (sparse.csr_array(X), sparse.csr_matrix(X), np.load(tmp_path / "X.npy", "r")):
        assert_same_coefficients(fit(same, y), expected, atol=1e-8)


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("shape", [(80, 4), (20, 50)], ids=["n > p", "p > n"])
def test_float32_is_float64_within_its_precision(shape, layout):  # 10
    X, y = make_problem(0, *shape)
    X = X.astype(np.float32)
    single = fit_lbfgs(layout(X), y, C=0.1, tol=None)
    double = fit_lbfgs(X.astype(np.float64), y, C=0.1)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-4)
    np.testing.assert_allclose(single.predict_proba(X), double.predict_proba(X), atol=1e-4)


@all_three
def test_refits_and_any_n_jobs_give_the_same_bits(fit):  # 12
    X, y = make_problem(0, n=60_000)  # enough that threads have something to do
    model = fit(X, y)
    first = model.coef_.copy()
    np.testing.assert_array_equal(model.fit(X, y).coef_, first)
    for n_jobs in (1, 2, -1):
        np.testing.assert_array_equal(fit(X, y, n_jobs=n_jobs).coef_, first)


@all_three
@pytest.mark.parametrize("n_classes", [3, 6])
@pytest.mark.parametrize("seed", SEEDS)
def test_class_rows_sum_to_zero(fit, n_classes, seed):  # 14
    X, y = make_problem(seed, n_classes=n_classes)
    model = fit(X, y)
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(model.intercept_.sum(), 0, atol=1e-9)


def test_class_rows_sum_to_zero_on_raw_data_at_default_tol():  # 14
    model = SoftmaxRegression().fit(*load_wine(return_X_y=True))
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(model.intercept_.sum(), 0, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_constant_added_to_all_logits_changes_nothing(seed):  # 15
    X, y = make_problem(seed)
    model = SoftmaxRegression().fit(X, y)
    P, log_P, labels = model.predict_proba(X), model.predict_log_proba(X), model.predict(X)
    model.intercept_ = model.intercept_ + 100.0
    model.coef_ = model.coef_ + np.random.default_rng(seed).standard_normal(4)
    np.testing.assert_allclose(model.predict_proba(X), P, atol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X), log_P, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), labels)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_predictions_are_the_softmax_of_the_scores(n_classes):
    X, y = make_problem(0, n=50, n_classes=n_classes)
    model = SoftmaxRegression().fit(X, y)
    scores = X @ model.coef_.T + model.intercept_
    if n_classes == 2:
        scores = scores.ravel()
    np.testing.assert_allclose(model.decision_function(X), scores, rtol=1e-13, atol=1e-13)
    Z = np.column_stack([np.zeros(50), scores]) if n_classes == 2 else scores
    P = model.predict_proba(X)
    np.testing.assert_allclose(P, softmax_rows(Z), rtol=1e-12)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), P, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.classes_[P.argmax(axis=1)])


def test_log_probabilities_are_finite_where_probabilities_underflow():  # 19
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(X, y)
    far = 1e4 * X
    assert (model.predict_proba(far) == 0).any()
    log_P = model.predict_log_proba(far)
    assert np.isfinite(log_P).all()
    Z = model.decision_function(far)
    np.testing.assert_allclose(log_P - log_P[:, :1], Z - Z[:, :1], rtol=1e-12, atol=1e-9)
