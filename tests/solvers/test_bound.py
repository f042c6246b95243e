"""The bound on f - f*: against minima known to many more digits."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from reference import make_problem
from scipy import sparse
from sklearn.datasets import load_iris, load_wine

from sk_softmax import SoftmaxRegression
from sk_softmax._curvature import Curvature
from sk_softmax._preconditioner import class_blocks, diagonal, shared, whole
from sk_softmax._solvers._bound import certificate_by_factor, newton_by_cg, self_concordant_bound
from sk_softmax._solvers._stage import Stage


def test_the_bound_is_the_formula():
    """phi(x) = (x + (1 - x) log(1 - x)) / x^2, which is 1/2 at zero and 1 at one."""
    assert self_concordant_bound(2.0, 0.0) == 1
    for x in (0.01, 0.3, 0.99):
        phi = (x + (1 - x) * np.log(1 - x)) / x**2
        assert self_concordant_bound(4.0, x / 2) == pytest.approx(4 * phi, rel=1e-9)
    assert self_concordant_bound(1.0, 1.0) == math.inf
    x = 1e-3  # where the series takes over
    below, above = (self_concordant_bound(1.0, y) for y in (x * (1 - 1e-9), x * (1 + 1e-9)))
    assert below == pytest.approx(above, rel=1e-6)


def test_a_hessian_without_curvature_in_some_direction_proves_nothing():
    """The smallest Ritz value is zero there, but for rounding; the bound is not small."""
    H = np.diag([1.0, 0.0])
    identity = SimpleNamespace(shape=(1, 2), forward=lambda V: V, backward=lambda G: G)
    objective = SimpleNamespace(
        shape=(1, 2), hessian_operator=lambda theta: H.__matmul__, logit_range=lambda step: 1.0
    )
    newton = newton_by_cg(objective, np.zeros(2), np.array([1.0, 1e-3]), identity, 10)
    assert newton.decrement > 1e6
    assert newton.certificate.smallest > 0
    assert newton.bound > 1e3


def stages(make_objective, C, sizes):
    """Stages in the whole Hessian's variables at distances from the minimum, and their true gap."""
    X, y = load_wine(return_X_y=True)
    objective = make_objective(X, y, lam=1 / (C * len(y)) if np.isfinite(C) else 0.0)
    model = SoftmaxRegression("lbfgs", C=C, tol=1e-20).fit(X, y)
    best = np.column_stack([model.coef_, model.intercept_])
    direction = np.random.default_rng(0).standard_normal(best.shape) / np.append(X.std(axis=0), 1)
    direction -= direction.mean(axis=0)
    minimum = objective.evaluate(best.ravel()).value
    for size in sizes:
        theta = (best + size * direction).ravel()
        T = whole(Curvature(objective), theta)
        stage = Stage(objective, theta, T)
        yield stage, stage.value - minimum


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_the_true_distance_is_never_larger(make_objective, C):
    n_useful = 0
    for stage, gap in stages(make_objective, C, 10.0 ** np.arange(-5, 1)):
        bound = certificate_by_factor(stage.T).bound(stage)
        assert gap <= bound * (1 + 1e-6)
        n_useful += bound < 2 * gap
    assert n_useful >= 2


def test_a_certificate_holds_near_where_it_was_made(make_objective):
    (near, gap), (far, _) = stages(make_objective, 1.0, [1e-3, 3e-3])
    moved = Stage(far.objective, near.theta, far.T)
    bound = certificate_by_factor(far.T).bound(moved)
    assert gap <= bound < 3 * gap
    elsewhere = Stage(far.objective, 1e3 * near.theta, far.T)
    assert certificate_by_factor(far.T).bound(elsewhere) == math.inf


@pytest.mark.parametrize("make", [diagonal, shared, class_blocks])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_conjugate_gradients_find_the_decrement_and_the_step(make_objective, make, layout):
    X, y = make_problem(0, n=500)
    objective = make_objective(layout(X), y, lam=1e-3)
    theta = np.zeros(objective.shape).ravel()
    gradient = objective.evaluate(theta).gradient
    T = make(Curvature(objective), theta)
    newton = newton_by_cg(objective, theta, gradient, T, 50)
    exact = whole(Curvature(objective), theta)
    g_v = exact.backward(gradient.reshape(objective.shape))
    assert 1 <= newton.decrement / np.vdot(g_v, g_v) < 1.15
    step = -exact.forward(g_v).ravel()
    assert np.linalg.norm(newton.step - step) < 0.5 * np.linalg.norm(step)


def test_the_smallest_ritz_value_bounds_later_gradients(make_objective):
    """After the step of conjugate gradients no further products are needed."""
    X, y = make_problem(0, n=500)
    objective = make_objective(X, y, lam=1e-3)
    model = SoftmaxRegression("lbfgs", C=1 / (1e-3 * 500), tol=1e-16).fit(X, y)
    best = np.column_stack([model.coef_, model.intercept_]).ravel()
    theta = best + 0.02 * np.sin(np.arange(len(best)))
    theta = (theta.reshape(objective.shape) - theta.reshape(objective.shape).mean(axis=0)).ravel()
    stage = Stage(objective, theta, diagonal(Curvature(objective), theta))
    newton = newton_by_cg(objective, theta, stage.gradient, stage.T, 50)
    after = Stage(objective, theta + newton.step, stage.T)
    gap = after.value - objective.evaluate(best).value
    assert gap <= newton.certificate.bound(after) < 0.5 * newton.bound


def test_a_bound_proves_that_there_is_a_minimum():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression("lbfgs", C=np.inf).fit(X[50:], y[50:])
    assert model.gap_method_ == "cholesky"
    assert model.gap_ <= model.tol * model.loss_
    with pytest.warns(match="minimum is at infinity"):
        model.fit(X[:100], y[:100])
    assert model.gap_ == np.inf
    assert model.gap_method_ is None


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_the_bound_is_public(solver):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression(solver, random_state=0).fit(X, y)
    assert hasattr(model, "gap_") == (solver == "lbfgs")
    if solver == "lbfgs":
        assert model.history_["gap"][-1] == model.gap_ <= model.tol * model.loss_
