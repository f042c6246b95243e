import numpy as np
import pytest
from reference import make_problem, mean_gradient
from scipy import sparse

from sk_softmax._curvature import Curvature
from sk_softmax._penalty import Penalty
from sk_softmax._preconditioner import (
    DAMPING,
    KINDS,
    PreconditionerCosts,
    block_estimate,
    class_blocks,
    diagonal,
    diagonal_estimate,
    factorised_blocks,
    factorised_diagonal,
    factorised_shared,
    shared,
    shared_estimate,
)

LAM = 0.05
kinds = pytest.mark.parametrize("make", [diagonal, shared, class_blocks])


def raw_problem(seed, n=150, n_classes=3):
    """Columns of very different units and offsets."""
    X, y = make_problem(seed, n=n, n_classes=n_classes)
    return X * [1, 1e3, 1e-3, 1] + [0, 1e4, 0, 5], y


def random_point(rng, X, shape):
    theta = rng.standard_normal(shape)
    theta[:, : X.shape[1]] /= np.abs(X).max(axis=0)
    return theta


def hessian_in_new_variables(T, theta, gradient):
    """T' H T by central differences of the gradient, on flattened variables."""
    columns = []
    for index in np.ndindex(theta.shape):
        V = np.zeros(theta.shape)
        V[index] = 1e-4
        step = T.forward(V)
        columns.append(T.backward(gradient(theta + step) - gradient(theta - step)) / 2e-4)
    return np.array([column.ravel() for column in columns])


@kinds
@pytest.mark.parametrize("seed", range(3))
def test_forward_and_backward_are_adjoint(make_objective, seed, fit_intercept, make):
    X, y = raw_problem(seed)
    objective = make_objective(X, y, lam=LAM, fit_intercept=fit_intercept)
    rng = np.random.default_rng(seed)
    T = make(Curvature(objective), random_point(rng, X, objective.shape).ravel())
    V, G = rng.standard_normal((2, *objective.shape))
    forward, backward = T.forward(V), T.backward(G)
    size = np.linalg.norm(forward) * np.linalg.norm(G)
    assert np.vdot(G, forward) == pytest.approx(np.vdot(backward, V), abs=1e-13 * size)


@kinds
@pytest.mark.parametrize("seed", range(3))
def test_the_image_has_class_rows_that_sum_to_zero(make_objective, seed, fit_intercept, make):
    X, y = make_problem(seed)
    objective = make_objective(X, y, lam=LAM, fit_intercept=fit_intercept)
    rng = np.random.default_rng(seed)
    T = make(Curvature(objective), random_point(rng, X, objective.shape).ravel())
    image = T.forward(rng.standard_normal(objective.shape))
    np.testing.assert_allclose(image.sum(axis=0), 0, atol=1e-14 * np.abs(image).max())


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("seed", range(3))
def test_two_classes_are_solved_by_one_newton_step(make_objective, seed, layout, fit_intercept):
    """Class blocks are the whole Hessian then: it becomes the identity on the gauge."""
    X, y = raw_problem(seed, n_classes=2)
    s = np.random.default_rng(seed).uniform(0.5, 2, size=len(y))
    lam = 0.0
    objective = make_objective(layout(X), y, s, lam=lam, fit_intercept=fit_intercept)
    theta = random_point(np.random.default_rng(seed), X, objective.shape)
    theta -= theta.mean(axis=0)
    T = class_blocks(Curvature(objective), theta.ravel(), damping=0.0)
    H = hessian_in_new_variables(T, theta, lambda t: mean_gradient(t, X, y, s, lam))
    eigenvalues = np.linalg.eigvalsh((H + H.T) / 2)
    half = len(eigenvalues) // 2
    np.testing.assert_allclose(eigenvalues[:half], 0, atol=1e-4)
    np.testing.assert_allclose(eigenvalues[half:], 1, atol=1e-4)


@pytest.mark.parametrize("make", [shared, class_blocks])
@pytest.mark.parametrize("lam", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_the_start_is_solved_by_one_newton_step(make_objective, seed, lam, fit_intercept, make):
    """With equal classes and zero coefficients the Hessian is a Kronecker product."""
    X, _ = raw_problem(seed)
    y = np.arange(len(X)) % 3
    objective = make_objective(X, y, lam=lam, fit_intercept=fit_intercept)
    theta = np.zeros(objective.shape)
    T = make(Curvature(objective), theta.ravel())
    H = hessian_in_new_variables(T, theta, lambda t: mean_gradient(t, X, y, np.ones(len(y)), lam))
    eigenvalues = np.linalg.eigvalsh((H + H.T) / 2)
    third = len(eigenvalues) // 3
    np.testing.assert_allclose(eigenvalues[:third], 0, atol=1e-4)
    np.testing.assert_allclose(eigenvalues[third:], 1, atol=1e-4)


@kinds
def test_rescaling_a_column_rescales_its_coefficients(make_objective, make):
    """Without a penalty the new variables do not know the columns' units."""
    X, y = make_problem(0, n=150)
    unit = np.array([1.0, 1e6, 1e-6, 3.0])
    images = []
    for scale in (1.0, unit):
        objective = make_objective(X * scale, y, lam=0.0)
        T = make(Curvature(objective), np.zeros(objective.shape).ravel())
        V = np.random.default_rng(0).standard_normal(objective.shape)
        image = T.forward(V)
        image[:, :4] *= scale
        images.append(image)
    np.testing.assert_allclose(images[1], images[0], rtol=1e-7, atol=1e-9)


@kinds
def test_drawn_rows_estimate_what_all_rows_sum_to(make_objective, make, monkeypatch):
    """The Hessian that draws would make the identity is near the identity."""
    X, y = raw_problem(0, n=5000)
    objective = make_objective(X, y, lam=LAM)
    theta = random_point(np.random.default_rng(0), X, objective.shape).ravel()
    exact = make(Curvature(objective), theta)
    monkeypatch.setattr("sk_softmax._curvature.rows_per_matrix", lambda objective, n_matrices: 200)
    drawn = make(Curvature(objective), theta)
    G = np.random.default_rng(1).standard_normal(objective.shape) * X.std(axis=0).mean()
    gap, drawn_gap = (np.sum(T.backward(G) ** 2) for T in (exact, drawn))
    assert drawn_gap == pytest.approx(gap, rel=0.5)
    assert make is diagonal or drawn_gap != pytest.approx(gap, rel=1e-9)


@kinds
def test_a_rare_column_keeps_its_scale(make_objective, make, monkeypatch):
    """Drawn rows miss a column that is not zero in three of 20,000 rows."""
    monkeypatch.setattr("sk_softmax._curvature.rows_per_matrix", lambda objective, n_matrices: 50)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20_000, 3)), rng.integers(3, size=20_000)
    X[:, 2] = 0
    X[[5, 500, 15_000], 2] = 1
    objective = make_objective(X, y, lam=0.0)
    T = make(Curvature(objective), np.zeros(objective.shape).ravel())
    V = np.zeros(objective.shape)
    V[:, 2] = [1, -1, 0]
    # Variance of the column times p (1 - p) K / (K - 1) = 1/3: its coefficient's curvature.
    expected = 1 / np.sqrt(3 / 20_000 / 3)
    assert T.forward(V)[0, 2] == pytest.approx(expected, rel=0.5)


@kinds
def test_a_column_that_nothing_depends_on_is_left_alone(make_objective, make):
    X, y = make_problem(0)
    X = np.column_stack([X, np.full(len(y), 7.0)])
    objective = make_objective(X, y, lam=0.0)
    image = make(Curvature(objective), np.zeros(objective.shape).ravel()).forward(
        np.ones(objective.shape) * [[1], [2], [3]]
    )
    assert np.all(np.isfinite(image))
    np.testing.assert_array_equal(image[:, 4], 0)


@kinds
def test_collinear_columns_do_not_break_it(make_objective, make):
    X, y = make_problem(0)
    X = np.column_stack([X, X[:, :2], X[:, 0] + X[:, 1]])
    objective = make_objective(X, y, lam=0.0)
    image = make(Curvature(objective), np.zeros(objective.shape).ravel()).forward(
        np.ones(objective.shape)
    )
    assert np.all(np.isfinite(image))


@kinds
def test_what_rounding_leaves_indefinite_is_made_definite(make_objective, make):
    """Three columns, each a hundred times: 297 eigenvalues are rounding errors of either sign."""
    X, y = make_problem(0, n=300, p=3)
    X = np.tile(X, 100).astype(np.float32) * np.float32(1.1) ** np.arange(300)
    objective = make_objective(X.astype(np.float32), y, lam=0.0).astype(np.float32)
    T = make(Curvature(objective), np.zeros(objective.shape).ravel())
    assert np.all(np.isfinite(T.forward(np.ones(objective.shape) * [[1], [2], [3]])))


def test_the_ladder_starts_with_what_is_cheap(make_objective):
    """One matrix where it costs a few evaluations, otherwise what does not."""
    X, y = make_problem(0)
    costs = PreconditionerCosts(make_objective(X, y))
    assert costs.first().name == "hessian"
    many = np.random.default_rng(0).standard_normal((3000, 40))
    costs = PreconditionerCosts(make_objective(many, np.arange(3000) % 20))
    assert costs.first().name == "shared"
    assert costs.best_within(costs.first(), 1.0).name == "shared"
    assert costs.best_within(costs.first(), 1e6).name == "hessian"
    wide = np.random.default_rng(0).standard_normal((300, 3000))
    costs = PreconditionerCosts(make_objective(wide, np.arange(300) % 3))
    assert costs.first().name == "diagonal"
    costs = [costs.cost(kind) for kind in KINDS[:3]]
    assert costs == sorted(costs)


def test_the_ladder_has_no_matrices_beyond_the_memory_allowed(make_objective):
    X = sparse.csr_array(([1.0, 1.0], ([0, 9], [0, 4])), shape=(10, 50_000))
    costs = PreconditionerCosts(make_objective(X, np.arange(10) % 2))
    assert costs.first().name == "diagonal"
    assert costs.best_within(costs.first(), np.inf).name == "diagonal"


@pytest.mark.parametrize("make", [diagonal, class_blocks])
def test_damping_bounds_what_a_certain_class_takes_for_its_curvature(make_objective, make):
    """All rows certain but one: a step in its direction is no longer than at the start."""
    X, y = make_problem(0, n=200)
    X[1:] *= np.sign(X[1:, :1]) * (2 * (y[1:, np.newaxis] == 0) - 1)
    objective = make_objective(X, y, lam=0.0)
    curvature = Curvature(objective)
    theta = np.zeros(objective.shape)
    theta[:, 0] = [40, -20, -20]
    moments = curvature.moments(theta.ravel())
    T = make(curvature, theta.ravel())
    for k in range(3):
        V = np.zeros(objective.shape)
        V[k, 1] = 1
        step = T.forward(V)[k, :4] * 3 / 2  # the gauge takes a third of it
        if make is diagonal:
            floor = 1.5 * DAMPING * moments.residual[k] * curvature.variance[1]
            assert step[1] ** 2 <= 1 / floor
        else:
            damping = step @ curvature.covariance @ step * moments.residual[k] * 1.5 * DAMPING
            assert damping <= 1 + 1e-9


@kinds
def test_a_step_stays_bounded_where_a_class_is_improbable_for_its_own_rows(
    make_objective, fit_intercept, make
):
    """The class's curvature has vanished, its gradient has not: Newton's step is 1e8 logits."""
    X, y = make_problem(0, n=200)
    y = np.where(np.arange(200) < 4, 2, y % 2)
    X[:, 0] = 4 + 0.1 * X[:, 0]
    objective = make_objective(X, y, lam=0.0, fit_intercept=fit_intercept)
    theta = np.zeros(objective.shape)
    theta[2, 0] = -5  # logits of about -20
    G = objective.value_and_gradient(theta.ravel())[1].reshape(objective.shape)
    T = make(Curvature(objective), theta.ravel())
    W, b = np.split(T.forward(T.backward(G)), [4], axis=1)
    assert abs(X @ W.T + (b.T if fit_intercept else 0)).max() < 1e4


@pytest.mark.parametrize("kind", ["diagonal", "shared", "blocks"])
def test_an_estimate_serves_any_penalty(make_objective, kind):
    """It does not know of one, and is left as it is: along a path over C sums are made once."""
    estimate_of, factorise = {
        "diagonal": (diagonal_estimate, factorised_diagonal),
        "shared": (shared_estimate, factorised_shared),
        "blocks": (block_estimate, factorised_blocks),
    }[kind]
    make = {"diagonal": diagonal, "shared": shared, "blocks": class_blocks}[kind]
    X, y = make_problem(0, n=200)
    objective = make_objective(X, y, lam=0.1)
    theta = 0.3 * np.random.default_rng(0).standard_normal(objective.shape).ravel()
    estimate = estimate_of(Curvature(objective), theta)
    V = np.random.default_rng(1).standard_normal(objective.shape)
    for lam in (10.0, 0.0, 1e-3):
        curvature = Curvature(objective.with_penalty(Penalty(lam)))
        T = factorise(curvature, estimate, DAMPING)
        np.testing.assert_allclose(T.forward(V), make(curvature, theta).forward(V), rtol=1e-12)
