"""Bounds on the minimum from below, against minima that owe nothing to the package."""

import numpy as np
import pytest
from penalised import Penalised
from reference import make_problem, softmax_rows
from scipy import sparse

from sk_softmax._curvature import Curvature
from sk_softmax._objective import Objective
from sk_softmax._penalty import Penalty
from sk_softmax._rows import Targets, as_rows
from sk_softmax._solvers._duality import lower_bound

P = 5
FACTOR = np.array([1.0, 2.0, 0.0, 0.5, 1.0])
SIGNS = np.array([0.0, -np.inf, -0.1, 0.0, -np.inf])
PENALTIES = {
    "lasso": Penalty(0.0, 0.02),
    "elastic net": Penalty(0.01, 0.02),
    "factors": Penalty(0.01 * FACTOR, 0.02 * FACTOR),
    "factors, lasso": Penalty(0.0, 0.02 * FACTOR),
    "signs": Penalty(0.01, 0.01, SIGNS, np.inf),
    "signs, lasso": Penalty(0.0, 0.02, SIGNS, np.inf),
    "a box alone": Penalty(0.0, 0.0, -0.3, 0.4),
    "a box without zero": Penalty(0.01, 0.01, 0.1, 0.4),
}
DATA = {
    "labels": {},
    "two classes": {"n_classes": 2},
    "soft targets": {"is_soft": True},
    "smoothed": {"smoothing": 0.2},
    "offsets": {"has_offset": True},
    "sparse": {"layout": sparse.csr_array},
    "no intercept": {"fit_intercept": False},
}


def uncorrected(G, among):
    """No step."""
    return np.zeros_like(G)


class Case:
    """An objective, the same problem without the package, and its minimum (V, f*)."""

    def __init__(self, penalty, threads, *, n_classes=3, is_soft=False, smoothing=0.0,
                 has_offset=False, layout=np.asarray, fit_intercept=True):  # fmt: skip
        rng = np.random.default_rng(0)
        X, y = make_problem(0, n=70, p=P, n_classes=n_classes)
        X = X * [1, 10, 1, 0.1, 1] + 0.5
        s = rng.uniform(0.2, 2, size=len(y))
        s /= s.sum()
        Q = np.eye(n_classes)[y]
        if is_soft:
            Q = y = rng.dirichlet(np.ones(n_classes), size=len(y))
        offset = rng.standard_normal(Q.shape) if has_offset else None
        targets = Targets(y, n_classes, smoothing, offset)
        rows = as_rows(layout(X), targets, s, threads)
        Q = (1 - smoothing) * Q + smoothing / n_classes
        self.objective = Objective(rows, penalty, fit_intercept, threads)
        self.columns = Curvature(self.objective).standardised_columns
        shape = n_classes, P
        parts = (penalty.l2, penalty.l1, penalty.lower, penalty.upper)
        l2, l1, lower, upper = (np.array(np.broadcast_to(a, shape)) for a in parts)
        self.problem = Penalised(
            X, Q, s, l2, l1, lower, upper, fit_intercept, 0.0 if offset is None else offset
        )
        W, b = self.problem.improved(np.clip(np.zeros(shape), lower, upper), np.zeros(n_classes))
        self.minimum = self.problem.value(W, b)
        self.theta = np.column_stack([W, b]) if fit_intercept else W

    def bound(self, theta, D, corrected=uncorrected, allowed=0.0):
        """`lower_bound` at theta (K, q) along D, in standardised columns."""
        evaluation = self.objective.evaluate(theta.ravel())
        gradient = self.columns.gradient_of(evaluation.gradient.reshape(theta.shape))
        V = self.columns.of_theta(theta.copy())
        penalty = self.objective.penalty.in_units(self.columns.scale)
        return lower_bound(
            self.objective,
            self.columns,
            penalty,
            V,
            gradient,
            evaluation.value,
            D,
            corrected,
            allowed,
        )

    def with_intercepts(self, theta, D):
        """D with intercepts that make sums of the residuals zero, to first order."""
        if theta.shape[1] == P:
            return D
        s, offset = self.problem.weight, self.problem.offset
        A = (self.problem.X - self.columns.mean) * self.columns.scale
        probabilities = softmax_rows(self.problem.X @ theta[:, :P].T + theta[:, P] + offset)
        change = A @ D[:, :P].T
        change = probabilities * (change - (probabilities * change).sum(axis=1, keepdims=True))
        residual = s @ (probabilities + change - self.problem.Q)
        H = np.diag(s @ probabilities) - (probabilities.T * s) @ probabilities
        D = D.copy()
        D[:, P] = -np.linalg.lstsq(H, residual, rcond=1e-12)[0]
        return D


@pytest.fixture(params=DATA)
def make_case(request, threads):
    return lambda penalty: Case(penalty, threads, **DATA[request.param])


@pytest.mark.parametrize("name", PENALTIES)
def test_no_bound_is_above_the_minimum_and_there_it_is_the_minimum(make_case, name):
    case = make_case(PENALTIES[name])
    rng = np.random.default_rng(1)
    bounds = []
    for size in (0.0, 1e-4, 1e-2, 1.0):
        theta = case.theta + size * rng.standard_normal(case.theta.shape)
        D = case.with_intercepts(theta, 0.3 * size * rng.standard_normal(theta.shape))
        bounds.append(case.bound(theta, D))
        assert bounds[-1] <= case.minimum * (1 + 1e-12), size
    if "factors" not in name:  # a coefficient without a penalty has a gradient, by rounding
        # Up to gradients that vanish less than f has digits.
        assert bounds[0] == pytest.approx(case.minimum, rel=1e-5)


def test_without_intercepts_at_their_minimum_there_is_no_bound(threads):
    case = Case(PENALTIES["elastic net"], threads)
    theta = case.theta + [[0.1], [0], [0]] * (np.arange(P + 1) == P)
    D = np.zeros_like(theta)
    assert case.bound(theta, D) == -np.inf
    assert case.bound(theta, case.with_intercepts(theta, D)) > -np.inf


def test_steps_that_lead_to_no_probabilities_give_no_bound(threads):
    case = Case(PENALTIES["elastic net"], threads)
    D = case.with_intercepts(case.theta, 10 * np.ones_like(case.theta) * [[1], [0], [-1]])
    assert case.bound(case.theta, D) == -np.inf


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_bound_is_the_same_without_memory_for_probabilities(
    penalty, data, threads, monkeypatch
):
    case = Case(PENALTIES[penalty], threads, **DATA[data])
    D = np.zeros(case.theta.shape)
    expected = case.bound(case.theta, D)
    monkeypatch.setattr(Objective, "probabilities", lambda objective, theta: None)
    assert case.bound(case.theta, D) == pytest.approx(expected, rel=1e-12)


def test_corrections_end_where_the_bound_is_near_enough(threads):
    """Intercepts are brought to where they have no gradient, coefficients as far as it matters."""
    case = Case(PENALTIES["lasso"], threads)
    columns, shape = case.columns, case.theta.shape
    product = case.objective.hessian_operator(case.theta.ravel())
    directions = np.eye(case.theta.size).reshape(-1, *shape)
    H = np.array(
        [
            columns.gradient_of(product(columns.theta_of(V).ravel()).reshape(shape)).ravel()
            for V in directions
        ]
    )
    V = columns.of_theta(case.theta.copy())
    face = abs(V) > 1e-6
    face[:, -1] = [True, True, False]
    slope = np.zeros(shape)
    slope[:, :P] = 0.02 * columns.scale * np.sign(V[:, :P])
    found = {}
    for allowed in (1.0, 0.0):
        asked = []

        def corrected(G, among, asked=asked):
            asked.append(bool(among.all()))
            some, step = face & among, np.zeros(shape)
            at = some.ravel()
            step[some] = -np.linalg.solve(H[np.ix_(at, at)], (G + slope)[some])
            return step

        D = np.where(face, 1e-2, 0.0)
        found[allowed] = case.bound(case.theta, D, corrected, allowed), any(asked)
    assert found[1.0][0] < found[0.0][0] <= case.minimum * (1 + 1e-12)
    assert found[0.0][0] == pytest.approx(case.minimum, rel=1e-9)
    assert found[1.0][0] > 0
    assert [corrects for _, corrects in found.values()] == [False, True]
