"""Models along C, and their display."""

from itertools import pairwise

import numpy as np
import pytest
from reference import make_problem
from scipy import sparse
from sklearn.datasets import load_digits, load_iris, load_wine

from sk_softmax import PathDisplay, SoftmaxRegression, softmax_path
from sk_softmax._path import _ahead, _start
from sk_softmax._penalty import Penalty


def lasso(**parameters):
    return SoftmaxRegression(l1_ratio=1.0, **parameters)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_model_is_that_of_a_fit(l1_ratio, n_classes):
    X, y = make_problem(0, n=120, p=5, n_classes=n_classes)
    estimator = SoftmaxRegression(l1_ratio=l1_ratio, tol=1e-12)
    path = softmax_path(estimator, X, y, Cs=[3.0, 0.1, 0.01])
    np.testing.assert_array_equal(path.Cs, [0.01, 0.1, 3.0])
    for index, C in enumerate(path.Cs):
        alone = SoftmaxRegression(l1_ratio=l1_ratio, tol=1e-12, C=C).fit(X, y)
        model = path.model(index)
        np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-5)
        np.testing.assert_allclose(model.intercept_, alone.intercept_, atol=1e-5)
        assert model.loss_ == pytest.approx(alone.loss_, rel=1e-11)
        np.testing.assert_allclose(model.predict_proba(X), alone.predict_proba(X), atol=1e-5)
    assert path.converged.all()
    assert (path.gaps <= 1e-12 * path.losses).all()


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_the_grid_begins_where_the_first_coefficient_appears(n_classes, l1_ratio):
    X, y = make_problem(1, n=150, p=6, n_classes=n_classes)
    estimator = SoftmaxRegression(l1_ratio=l1_ratio, tol=1e-12)
    path = softmax_path(estimator, X, y, Cs=3, eps=0.1)
    np.testing.assert_allclose(path.Cs / path.Cs[0], [1, 10**0.5, 10])
    below, above = (
        SoftmaxRegression(l1_ratio=l1_ratio, C=f * path.Cs[0]).fit(X, y) for f in (0.999, 1.001)
    )
    assert not below.coef_.any()
    assert above.coef_.any()


def test_the_grid_leaves_features_without_a_penalty_alone():
    X, y = load_iris(return_X_y=True)
    X, y = X[50:], y[50:]
    estimator = lasso(penalty_factor=[1, 0, 2, 1], tol=1e-10)
    first = softmax_path(estimator, X, y, Cs=2).model(0)
    assert first.coef_[0, 1] != 0
    assert np.count_nonzero(first.coef_) == 1


def test_the_grid_of_squares_alone():
    X, y = load_iris(return_X_y=True)
    path = softmax_path(SoftmaxRegression(), X, y, Cs=3)
    np.testing.assert_allclose(path.Cs, [1e-4, 1, 1e4])


def test_losses_fall_and_supports_grow_along_a_path():
    X, y = load_wine(return_X_y=True)
    path = softmax_path(lasso(tol=1e-4), X, y, Cs=30)
    assert (np.diff(path.losses) < 0).all()  # at a weaker penalty every model is better
    assert path.n_nonzero[0] == 0
    assert path.n_nonzero[-1] > 3
    assert (path.gaps <= 1e-4 * path.losses).all()


def test_sparse_rows_weights_and_names():
    pd = pytest.importorskip("pandas")
    X, y = make_problem(2, n=80, p=4)
    s = np.random.default_rng(0).integers(0, 3, size=len(y))
    dense = softmax_path(lasso(tol=1e-10), pd.DataFrame(X, columns=list("abcd")), y, s, Cs=4)
    repeated = np.repeat(X, s, axis=0)
    other = softmax_path(lasso(tol=1e-10), sparse.csr_array(repeated), np.repeat(y, s), Cs=dense.Cs)
    np.testing.assert_allclose(dense.coefs, other.coefs, atol=1e-6)
    assert dense.feature_names.tolist() == list("abcd")
    assert dense.model(3).feature_names_in_.tolist() == list("abcd")


def test_the_estimator_is_left_alone():
    X, y = load_iris(return_X_y=True)
    estimator = lasso(C=7.0)
    softmax_path(estimator, X, y, Cs=2)
    assert vars(estimator) == vars(lasso(C=7.0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"Cs": []}, "Cs"),
        ({"Cs": [1.0, -1.0]}, "Cs"),
        ({"Cs": [np.nan]}, "Cs"),
        ({"Cs": 0}, "Cs"),
        ({"eps": 1.5}, "eps"),
    ],
)
def test_bad_arguments(arguments, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        softmax_path(lasso(), X, y, **arguments)


def test_a_grid_cannot_begin_within_bounds_that_exclude_zero():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="bounds that exclude zero"):
        softmax_path(lasso(bounds=(1, 2)), X, y)


def test_the_support_is_found_first():
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(500, 40)), np.zeros((3, 40))
    W[:, :4] = 3 * rng.normal(size=(3, 4))
    y = (X @ W.T + rng.gumbel(size=(500, 3))).argmax(axis=1)
    path = softmax_path(lasso(), X, y, Cs=20, eps=0.1)
    enters = np.array([np.argmax(path.coefs[:, :, j].any(axis=1)) for j in range(40)])
    enters[~path.coefs.any(axis=(0, 1))] = len(path.Cs)
    assert enters[:4].max() < enters[4:].min()


def test_the_display_of_a_path():
    X, y = load_wine(return_X_y=True)
    path = softmax_path(lasso(), X, y, Cs=10)
    names = [f"f{j}" for j in range(13)]
    display = PathDisplay.from_path(path, of_class=1, feature_names=names, n_names=3)
    used = np.flatnonzero(path.coefs[:, 1].any(axis=0))
    assert len(display.lines_) == len(used)
    largest = max(used, key=lambda j: abs(path.coefs[:, 1, j]).max())
    assert display.lines_[0].get_label() == f"f{largest}"
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), path.coefs[:, 1, largest])
    assert display.ax_.get_xscale() == "log"
    norms = PathDisplay.from_path(path)
    assert norms.lines_[0].get_ydata().min() >= 0
    with pytest.raises(ValueError, match="of_class"):
        PathDisplay.from_path(path, of_class=7)
    with pytest.raises(ValueError, match="feature_names"):
        PathDisplay.from_path(path, feature_names=["a"])


def test_names_at_the_ends_of_lines_do_not_overlap_on_small_axes():
    plt = pytest.importorskip("matplotlib.pyplot")
    X, y = load_wine(return_X_y=True)
    path = softmax_path(lasso(), (X - X.mean(axis=0)) / X.std(axis=0), y, Cs=10)
    figure, ax = plt.subplots(figsize=(4, 2.5))
    PathDisplay.from_path(path, of_class=1, ax=ax)
    figure.canvas.draw()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert len(boxes) > 5
    assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes))
    plt.close(figure)


def test_wide_rows_share_their_rotation():
    X, y = load_digits(return_X_y=True)
    X, y = X[:50], y[:50]
    path = softmax_path(SoftmaxRegression(tol=1e-10), X, y, Cs=[0.01, 1.0])
    alone = SoftmaxRegression(tol=1e-10, C=1.0).fit(X, y)
    np.testing.assert_allclose(path.coefs[1], alone.coef_, atol=1e-4)


@pytest.mark.parametrize("parameters", [{}, {"l1_ratio": 1.0}, {"l1_ratio": 0.5, "bounds": (0, 1)}])
def test_a_fit_starts_where_the_minima_before_it_point(parameters, monkeypatch):
    """Where f is lower there than at the last minimum, and within bounds, with the zeros kept."""
    X, y = load_wine(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    starts = []

    def recorded(objective, guess, theta, loss):
        start = _start(objective, guess, theta, loss)
        W, W_last = (objective.unpack(theta)[0] for theta in (start, theta))
        assert loss == pytest.approx(objective.loss(theta)[0], rel=1e-12, abs=1e-15)
        assert objective.loss(start)[0] + objective.penalty.value(W) <= (
            loss + objective.penalty.value(W_last)
        )
        assert (objective.penalty.lower <= W).all()
        assert (objective.penalty.upper >= W).all()
        starts.append(start is guess)
        return start

    monkeypatch.setattr("sk_softmax._path._start", recorded)
    path = softmax_path(SoftmaxRegression(**parameters), X, y, Cs=30)
    monkeypatch.setattr("sk_softmax._path._start", lambda objective, guess, theta, loss: theta)
    plain = softmax_path(SoftmaxRegression(**parameters), X, y, Cs=30)
    assert np.mean(starts) > 0.5
    assert path.n_iter.sum() < 0.8 * plain.n_iter.sum()
    assert path.converged.all()


def test_a_guess_keeps_signs_zeros_and_bounds(make_objective):
    X, y = make_problem(0, p=4, n_classes=2)
    l1, upper = np.array([0.1, 0.1, 0.1, 0.0]), np.array([np.inf, 1.5, np.inf, np.inf])
    penalty = Penalty(0.0, l1, -np.inf, upper)
    objective = make_objective(X, y, fit_intercept=False).with_penalty(penalty)
    before, last = np.array([[3.0, 0, 1, -1], [0.0] * 4]), np.array([[1.0, 1, 0, 1], [0.0] * 4])
    guess = _ahead(objective, (0.0, before.ravel()), (1.0, last.ravel()), 2.0).reshape(2, 4)
    np.testing.assert_array_equal(guess, [[0, 1.5, 0, 3], [0.0] * 4])


def test_minima_under_absolute_values_are_as_good_as_foreseen():
    """A fit tells where its last step leads, at which the next one is foreseen better."""
    X, y = load_wine(return_X_y=True)
    path = softmax_path(SoftmaxRegression(l1_ratio=1.0, tol=1e-4), X, y)
    assert path.converged.all()
    assert path.n_iter.sum() < 20


def test_a_path_to_no_penalty_at_all():
    """There is no way to infinity to go on along."""
    X, y = make_problem(2, n=200, p=3)
    path = softmax_path(SoftmaxRegression(tol=1e-10), X, y, Cs=[0.1, 1.0, np.inf])
    alone = SoftmaxRegression(C=np.inf, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(path.coefs[-1], alone.coef_, atol=1e-5)
