"""Probabilities as targets, and label smoothing, with either solver."""

import numpy as np
import pandas as pd
import pytest
from reference import complex_step_gradient, make_problem, split
from scipy import sparse

from sk_softmax import SoftmaxRegression
from sk_softmax._formulation import make_objective
from sk_softmax._training_data import check_training_data

solvers = pytest.mark.parametrize("solver", ["lbfgs", "sgd"])


def random_targets(seed, n, n_classes=3):
    return np.random.default_rng(seed).dirichlet(np.full(n_classes, 0.7), size=n)


def soft_objective(theta, X, Q, s, lam):
    """Weighted mean of H(q_i, softmax(z_i)), plus lam/2 ||W||^2."""
    W, b = split(theta, X.shape[1])
    Z = X @ W.T + b
    losses = np.log(np.exp(Z).sum(axis=1)) - (Q * Z).sum(axis=1)
    return s @ losses / s.sum() + lam / 2 * (W * W).sum()


def as_theta(model):
    return np.column_stack([model.coef_, model.intercept_])


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("soft", [True, False])
def test_value_and_gradient_equal_the_formula(threads, layout, smoothing, soft):
    X, y = make_problem(0)
    target = random_targets(0, len(y)) if soft else y
    Q = (1 - smoothing) * (target if soft else np.eye(3)[y]) + smoothing / 3
    s = np.random.default_rng(0).uniform(0.5, 2, size=len(y))
    estimator = SoftmaxRegression(label_smoothing=smoothing, C=0.2)
    data = check_training_data(estimator, layout(X), target, s, None)
    objective = make_objective(estimator, data, threads)
    theta = np.random.default_rng(1).standard_normal(objective.shape)
    value, G = objective.value_and_gradient(theta.ravel())

    def formula(theta):
        return soft_objective(theta, X, Q, s, 1 / (0.2 * s.sum()))

    assert value == pytest.approx(formula(theta), rel=1e-13)
    exact = complex_step_gradient(formula, theta)
    np.testing.assert_allclose(G.reshape(theta.shape), exact, atol=1e-13)
    np.testing.assert_allclose(np.exp(objective.log_priors()), s @ Q / s.sum(), rtol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_row_of_probabilities_counts_as_weighted_rows_of_every_label(n_classes):
    """s_i H(q_i, p) = sum_k s_i q_ik H(onehot(k), p)."""
    X, y = make_problem(0, n_classes=n_classes)
    Q = random_targets(0, len(y), n_classes)
    s = np.random.default_rng(0).uniform(0.5, 2, size=len(y))
    soft = SoftmaxRegression(tol=1e-16).fit(X, Q, s)
    rows = np.repeat(X, n_classes, axis=0)
    labels, weights = np.tile(np.arange(n_classes), len(X)), (Q * s[:, np.newaxis]).ravel()
    hard = SoftmaxRegression(tol=1e-16).fit(rows, labels, weights)
    np.testing.assert_allclose(soft.coef_, hard.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(soft.intercept_, hard.intercept_, rtol=1e-6, atol=1e-8)


def test_a_smoothed_label_is_a_row_of_probabilities():
    X, y = make_problem(1)
    smoothed = SoftmaxRegression(tol=1e-14, label_smoothing=0.1).fit(X, y)
    given = SoftmaxRegression(tol=1e-14).fit(X, 0.9 * np.eye(3)[y] + 0.1 / 3)
    np.testing.assert_allclose(smoothed.coef_, given.coef_, rtol=1e-6)
    both = SoftmaxRegression(tol=1e-14, label_smoothing=0.1).fit(X, np.eye(3)[y])
    np.testing.assert_allclose(both.coef_, given.coef_, rtol=1e-6)


def test_the_two_targets_of_a_textbook_example_have_a_closed_form():
    """0.9 and 0.1 on one binary feature: without a penalty the minimum reproduces them."""
    X = np.array([[0.0], [1.0]])
    Q = np.array([[0.9, 0.1], [0.1, 0.9]])
    model = SoftmaxRegression(C=np.inf, tol=1e-16).fit(X, Q)
    assert model.converged_
    np.testing.assert_allclose(model.predict_proba(X), Q, atol=1e-8)
    assert model.coef_[0, 0] == pytest.approx(2 * np.log(9), rel=1e-7)


def test_smoothing_keeps_separable_classes_finite():
    X, y = np.array([[-1.0], [1.0]]), np.array(["a", "b"])
    model = SoftmaxRegression(C=np.inf, label_smoothing=0.2, tol=1e-14).fit(X, y)
    assert model.converged_
    np.testing.assert_allclose(model.predict_proba(X), [[0.9, 0.1], [0.1, 0.9]], atol=1e-6)


@solvers
def test_one_hot_probabilities_are_labels(solver):
    X, y = make_problem(2)
    parameters = {"solver": solver, "random_state": 0, "max_iter": 20, "tol": None}
    labels = SoftmaxRegression(**parameters).fit(X, y)
    one_hot = SoftmaxRegression(**parameters).fit(X, np.eye(3)[y])
    np.testing.assert_allclose(one_hot.coef_, labels.coef_, rtol=1e-6, atol=1e-10)


@solvers
def test_votes_of_annotators(solver):
    """The columns' names are the classes, in any order; a class without votes has none."""
    X, y = make_problem(3)
    votes = np.random.default_rng(3).multinomial(5, [0.2, 0.8, 0.0], size=len(y)) / 5
    frame = pd.DataFrame(votes, columns=["no", "maybe", "yes"])
    model = SoftmaxRegression(solver, random_state=0).fit(X, frame)
    assert list(model.classes_) == ["maybe", "no", "yes"]
    P = model.predict_proba(X)
    np.testing.assert_array_equal(P[:, 2], 0)
    assert P[:, 0].mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 3.0, 2: 0.5}])
def test_class_weights_apply_to_what_probabilities_expect(class_weight):
    X, y = make_problem(4)
    labels = SoftmaxRegression(class_weight=class_weight, tol=1e-12).fit(X, y)
    one_hot = SoftmaxRegression(class_weight=class_weight, tol=1e-12).fit(X, np.eye(3)[y])
    np.testing.assert_allclose(one_hot.coef_, labels.coef_, rtol=1e-8)


@pytest.mark.parametrize(
    ("Q", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.6]], "sum of 1 in each row; row 1 is"),
        ([[1.5, -0.5], [0.5, 0.5]], "non-negative.*row 0 is"),
        ([[np.nan, 1.0], [0.5, 0.5]], "NaN"),
        ([[0.5, 0.5]], "inconsistent"),
        (pd.DataFrame([[0.5, 0.5]] * 2, columns=["a", "a"]), "same name"),
    ],
)
def test_what_are_no_probabilities(Q, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxRegression().fit([[0.0], [1.0]], Q)


@solvers
@pytest.mark.parametrize("n_columns", [2, 4])
def test_probabilities_of_another_number_of_classes(solver, n_columns):
    """What was learned from three columns is not told by two or four."""
    X, y = make_problem(5)
    Q = random_targets(5, len(y), n_columns)
    model = SoftmaxRegression(solver, random_state=0)
    model.partial_fit(X, np.eye(3)[y], classes=[0, 1, 2])
    if n_columns == 4:
        with pytest.raises(ValueError, match=r"not among the classes: \[3\]"):
            model.partial_fit(X, Q)
        with pytest.raises(ValueError, match=r"not among the classes: \[3\]"):
            model.fit(X, y, X_val=X, y_val=Q)
    else:  # two columns are the first two classes, as for labels
        model.partial_fit(X, Q)
        assert model.classes_.tolist() == [0, 1, 2]
