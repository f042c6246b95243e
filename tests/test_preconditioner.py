import numpy as np
import pytest
from reference import make_problem, mean_gradient
from scipy import sparse

from sk_softmax._preconditioner import Diagonal

LAM = 0.05


@pytest.fixture(params=[True, False], ids=["intercept", "no intercept"])
def fit_intercept(request):
    return request.param


def raw_problem(seed):
    """Columns of very different units and offsets."""
    X, y = make_problem(seed, n=150)
    return X * [1, 1e3, 1e-3, 1] + [0, 1e4, 0, 5], y


def random_point(rng, X, shape):
    theta = rng.standard_normal(shape)
    theta[:, : X.shape[1]] /= np.abs(X).max(axis=0)
    return theta


@pytest.mark.parametrize("seed", range(3))
def test_forward_and_backward_are_adjoint(make_objective, seed, fit_intercept):
    X, y = raw_problem(seed)
    objective = make_objective(X, y, lam=LAM, fit_intercept=fit_intercept)
    rng = np.random.default_rng(seed)
    T = Diagonal(objective, random_point(rng, X, objective.shape).ravel())
    V, G = rng.standard_normal((2, *objective.shape))
    forward, backward = T.forward(V), T.backward(G)
    size = np.linalg.norm(forward) * np.linalg.norm(G)
    assert np.vdot(G, forward) == pytest.approx(np.vdot(backward, V), abs=1e-13 * size)


@pytest.mark.parametrize("seed", range(3))
def test_the_image_has_class_rows_that_sum_to_zero(make_objective, seed, fit_intercept):
    X, y = make_problem(seed)
    objective = make_objective(X, y, lam=LAM, fit_intercept=fit_intercept)
    rng = np.random.default_rng(seed)
    T = Diagonal(objective, random_point(rng, X, objective.shape).ravel())
    image = T.forward(rng.standard_normal(objective.shape))
    np.testing.assert_allclose(image.sum(axis=0), 0, atol=1e-14 * np.abs(image).max())


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("seed", range(3))
def test_the_hessian_has_a_unit_diagonal(make_objective, seed, layout, fit_intercept):
    X, y = make_problem(seed, n=150)
    X = X * [1, 30, 0.1, 1] + [0, 100, 0, 5]
    s = np.random.default_rng(seed).uniform(0.5, 2, size=len(y))
    objective = make_objective(layout(X), y, s, lam=LAM, fit_intercept=fit_intercept)
    theta = random_point(np.random.default_rng(seed), X, objective.shape)
    T = Diagonal(objective, theta.ravel())

    def without_gauge(V):
        # The projection of the gauge, theta -> theta - mean, moves no probability: a move of
        # one class alone is what the diagonal is about, so it is undone here.
        image = T.forward(V)
        k = np.flatnonzero(V.any(axis=1))[0]
        return V.any(axis=1)[:, np.newaxis] * (image[k] - image[k - 1])

    for index in np.ndindex(theta.shape):
        V = np.zeros(theta.shape)
        V[index] = 1e-5
        step = without_gauge(V)
        up, down = (mean_gradient(theta + sign * step, X, y, s, LAM) for sign in (1, -1))
        curvature = np.vdot(step, up - down) / 2 / 1e-10
        assert curvature == pytest.approx(1, abs=1e-6)


def test_a_column_that_nothing_depends_on_is_left_alone(make_objective):
    X, y = make_problem(0)
    X = np.column_stack([X, np.full(len(y), 7.0)])
    objective = make_objective(X, y, lam=0.0)
    T = Diagonal(objective, np.zeros(objective.shape).ravel())
    image = T.forward(np.ones(objective.shape) * [[1], [2], [3]])
    assert np.all(np.isfinite(image))
    np.testing.assert_array_equal(image[:, 4], 0)
