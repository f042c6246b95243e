import numpy as np
import pytest
from reference import kkt_residual, make_problem, mean_objective
from scipy.optimize import OptimizeResult
from scipy.optimize import minimize as scipy_minimize
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning

from sk_softmax import SoftmaxRegression
from sk_softmax._objective import Objective
from sk_softmax._solvers import StopReason, _lbfgs

SEEDS = range(3)
# The reported gap is to be within this factor of the true one near the minimum.
GAP_FACTOR = 10
# Rows of four columns that are so many numbers that a run begins in float32.
FLOAT32_ROWS = 2**18


def keep_going(state):
    return False


def start(objective):
    return np.zeros(objective.shape).ravel()


@pytest.fixture
def well_conditioned(make_objective):
    return lambda seed: make_objective(*make_problem(seed, n=300), lam=0.01)


@pytest.fixture
def minimum(make_solver):
    def find(objective):
        solver = make_solver("lbfgs", tol=1e-25, max_iter=10_000)
        result = solver.minimize(objective, start(objective), keep_going)
        assert result.converged
        return result

    return find


@pytest.mark.parametrize("seed", SEEDS)
def test_reported_gap_is_near_the_true_one(well_conditioned, make_solver, minimum, seed):
    objective = well_conditioned(seed)
    best = minimum(objective).value
    states = []
    solver = make_solver("lbfgs", tol=1e-10)
    solver.minimize(objective, start(objective), lambda state: states.append(state))
    true_gaps = np.array([state.metrics["loss"] - best for state in states])
    reported = np.array([state.metrics["gap"] for state in states])
    # Far away the objective is no parabola, and below 1e-13 differences are rounding errors.
    comparable = (true_gaps < 1e-2 * best) & (true_gaps > 1e-12 * best)
    assert comparable.sum() >= 3
    ratio = reported[comparable] / true_gaps[comparable]
    assert ratio.max() < GAP_FACTOR
    assert ratio.min() > 1 / GAP_FACTOR


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("seed", SEEDS)
def test_tol_bounds_the_relative_distance_to_the_minimum(
    well_conditioned, make_solver, minimum, seed, tol
):
    objective = well_conditioned(seed)
    result = make_solver("lbfgs", tol=tol).minimize(objective, start(objective), keep_going)
    assert result.converged
    assert result.stop_reason is StopReason.TOL
    assert result.value - minimum(objective).value <= tol * result.value + 1e-15


def test_a_looser_tol_stops_earlier(well_conditioned, make_solver):
    objective = well_conditioned(0)
    n_iter = [
        make_solver("lbfgs", tol=tol).minimize(objective, start(objective), keep_going).n_iter
        for tol in (1e-1, 1e-4, 1e-8, 1e-16)
    ]
    assert n_iter == sorted(n_iter)
    assert n_iter[0] < n_iter[1] < n_iter[-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_start_leads_to_the_same_minimum(well_conditioned, make_solver, minimum, seed):
    objective = well_conditioned(seed)
    best = minimum(objective)
    theta = 3 * np.random.default_rng(seed).standard_normal(objective.shape)
    theta -= theta.mean(axis=0)  # solvers start, and stay, where class rows sum to zero
    result = make_solver("lbfgs", tol=1e-22).minimize(objective, theta.ravel(), keep_going)
    # Strong convexity: lam/2 ||W - W*||^2 <= f - f*, for a gap of about 1e-22.
    W, _ = objective.unpack(result.theta)
    best_W, _ = objective.unpack(best.theta)
    np.testing.assert_allclose(W, best_W, atol=1e-9)


def test_the_result_belongs_together(make_objective, make_solver):
    X, y = make_problem(0)
    s = np.random.default_rng(0).uniform(0.5, 2, size=len(y))
    objective = make_objective(X, y, s, lam=0.2)
    states = []
    solver = make_solver("lbfgs", tol=1e-8)
    result = solver.minimize(objective, start(objective), lambda state: states.append(state))
    assert [state.n_iter for state in states] == list(range(1, result.n_iter + 1))
    assert len({frozenset(state.metrics) for state in states}) == 1
    for state in states:
        value = mean_objective(state.theta.reshape(objective.shape), X, y, s, 0.2)
        assert state.metrics["loss"] == pytest.approx(value, rel=1e-12)
    np.testing.assert_array_equal(result.theta, states[-1].theta)
    assert result.value == states[-1].metrics["loss"]
    assert states[-1].metrics["gap"] <= 1e-8 * result.value


@pytest.mark.parametrize("last", [1, 3, 9])
def test_on_iteration_can_stop_it(make_objective, make_solver, last):
    X, y = load_wine(return_X_y=True)
    objective = make_objective(X, y, lam=1e-3)
    states = []

    def stop_at_last(state):
        states.append(state)
        return state.n_iter == last

    result = make_solver("lbfgs", tol=1e-16).minimize(objective, start(objective), stop_at_last)
    assert result.stop_reason is StopReason.CALLBACK
    assert not result.converged
    assert result.n_iter == len(states) == last
    np.testing.assert_array_equal(result.theta, states[-1].theta)


@pytest.mark.parametrize("max_iter", [1, 5, 12])
def test_max_iter_is_the_number_of_iterations(make_objective, make_solver, max_iter):
    X, y = load_wine(return_X_y=True)
    objective = make_objective(X, y, lam=1e-4)
    solver = make_solver("lbfgs", tol=1e-20, max_iter=max_iter)
    result = solver.minimize(objective, start(objective), keep_going)
    assert result.n_iter == max_iter
    assert result.stop_reason is StopReason.MAX_ITER
    assert not result.converged


def test_max_iter_one_warns_and_says_what_to_do():  # behaviour 36
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression("lbfgs", max_iter=1)
    with pytest.warns(ConvergenceWarning, match="increase max_iter or tol"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.n_iter_, [1])
    assert model.stop_reason_ == "max_iter"
    assert not model.converged_


def test_the_end_of_the_arithmetic_is_reported():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression("lbfgs", tol=0)
    with pytest.warns(ConvergenceWarning, match="increase tol"):
        model.fit(X, y)
    assert model.stop_reason_ == "precision"
    assert kkt_residual(model, X, y) < 1e-20


@pytest.mark.parametrize("max_iter", [1, None])
def test_without_tol_nothing_is_said(max_iter):  # every warning is an error in this suite
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression("lbfgs", tol=None, max_iter=max_iter).fit(X, y)
    assert not model.converged_
    assert model.stop_reason_ == ("max_iter" if max_iter else "precision")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_units_of_the_columns_do_not_matter(make_objective, make_solver, seed):
    X, y = make_problem(seed, n=300)
    units = np.array([1e-6, 1.0, 1e3, 1e8])
    values, n_iter = [], []
    for scale in (np.ones(4), units):
        # Without a penalty the minimum is the same in any units.
        objective = make_objective(X * scale, y, lam=0.0)
        solver = make_solver("lbfgs", tol=1e-10)
        result = solver.minimize(objective, start(objective), keep_going)
        assert result.converged
        values.append(result.value)
        n_iter.append(result.n_iter)
    assert values[1] == pytest.approx(values[0], rel=GAP_FACTOR * 1e-10)
    assert abs(n_iter[1] - n_iter[0]) <= 2


@pytest.mark.parametrize("k", [1, 2, 6])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_objective_that_is_not_finite_is_an_error(fail_at_call, state_of, k, bad):
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression("lbfgs").fit(X, y)
    before = state_of(model)
    fail_at_call("evaluate", k, lambda e: e._replace(value=bad))
    with pytest.raises(FloatingPointError, match="rescale X"):
        model.fit(X[:100], y[:100])
    assert state_of(model) == before


def test_a_gradient_that_is_not_finite_is_an_error(fail_at_call):
    fail_at_call("evaluate", 3, lambda e: e._replace(gradient=e.gradient * np.nan))
    with pytest.raises(FloatingPointError, match="rescale X"):
        SoftmaxRegression("lbfgs").fit(*make_problem(0))


@pytest.mark.parametrize("rows", [slice(0, 100), slice(None)], ids=["two classes", "three"])
def test_separable_classes_without_a_penalty_have_their_minimum_at_infinity(rows):  # line 21
    X, y = load_iris(return_X_y=True)
    X, y = X[rows], y[rows]
    if len(y) == 150:  # of the three classes two overlap: pull them apart
        X = X + 5.0 * y[:, np.newaxis]
    model = SoftmaxRegression("lbfgs", C=np.inf)
    with pytest.warns(ConvergenceWarning, match="minimum is at infinity; set C"):
        model.fit(X, y)
    assert model.stop_reason_ == "separable"
    assert not model.converged_
    assert model.score(X, y) == 1


def partly_separable():
    """Problems in which some rows are separated from the others, and these overlap."""
    X, y = make_problem(0, n=300)
    some = np.arange(300) % 10 == 0
    halves = np.arange(8) // 4
    return {
        "one species": load_iris(return_X_y=True),
        "ties": (np.array([[-2.0], [-1], [0], [0], [1], [2]]), np.array([0, 0, 0, 1, 1, 1])),
        "near a tie": (np.array([[-2.0], [-1], [-1e-4], [0], [0], [1e-4], [1], [2]]), halves),
        "off zero": (np.array([[-2.0], [-1], [0.2999], [0.3], [0.3], [0.3002], [1], [3]]), halves),
        "a category of one class": (np.column_stack([X, some & (y == 0)]), y),
        "a category of two classes": (np.column_stack([X, some & (y > 0)]), y),
        "a column": (np.column_stack([X, X[:, 0] + 1e3 * (y == 2)]), y),
    }


@pytest.mark.parametrize("name", partly_separable())
@pytest.mark.parametrize("tol", [1e-4, 1e-6, 1e-9])
def test_classes_separable_in_part_have_their_minimum_at_infinity(name, tol):
    """Also where rows so near a tie go their way that all curvature is gone but its rounding."""
    X, y = partly_separable()[name]
    model = SoftmaxRegression("lbfgs", C=np.inf, tol=tol)
    with pytest.warns(ConvergenceWarning, match="at least in part"):
        model.fit(X, y)
    assert model.stop_reason_ == "separable"
    assert not model.converged_
    assert SoftmaxRegression("lbfgs", C=1e3).fit(X, y).converged_


def test_curvature_of_rounding_errors_is_no_proof_where_a_linear_program_has_no_answer(monkeypatch):
    monkeypatch.setattr(_lbfgs, "is_separable", lambda objective, sums: None)
    X, y = partly_separable()["near a tie"]
    with pytest.warns(ConvergenceWarning):
        model = SoftmaxRegression("lbfgs", C=np.inf).fit(X, y)
    assert model.stop_reason_ == "precision"
    assert not model.converged_
    assert model.gap_ == np.inf


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n", [60, 500])
def test_overlapping_classes_are_not_taken_for_separable(seed, n):
    X, y = make_problem(seed, n=n)
    X[:, 0] = np.random.default_rng(seed).standard_cauchy(n)
    model = SoftmaxRegression("lbfgs", C=np.inf, tol=1e-3).fit(X, y)
    assert model.stop_reason_ == "tol"


def test_classes_that_overlap_have_a_minimum_without_a_penalty():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression("lbfgs", C=np.inf, tol=1e-10).fit(X[50:], y[50:])
    assert model.converged_
    # glm of R, binomial family, on the same rows: deviance 11.899.
    assert 2 * len(y[50:]) * model.loss_ == pytest.approx(11.899, abs=1e-3)


@pytest.mark.parametrize("size", [1e19, 1e30])
def test_what_overflows_in_float32_is_solved_in_float64(size):
    """Data large enough for stages in float32, whose squares or products it cannot hold."""
    X, y = make_problem(0, n=60_000, p=20)
    model = SoftmaxRegression("lbfgs", C=np.inf).fit(X * size, y)
    unit = SoftmaxRegression("lbfgs", C=np.inf).fit(X, y)
    assert model.converged_
    assert model.loss_ == pytest.approx(unit.loss_, rel=1e-5)


@pytest.mark.parametrize("tol", [None, 1e-14])
@pytest.mark.parametrize("seed", SEEDS)
def test_scipy_minimises_a_function_with_its_own_gradient(
    well_conditioned, make_solver, monkeypatch, seed, tol
):
    """From a far start, and from one so near that differences of f are rounding errors."""
    objective = well_conditioned(seed)
    theta = start(objective)
    if tol is not None:
        theta = make_solver("lbfgs", tol=tol).minimize(objective, theta, keep_going).theta
    starts = []

    def checked_minimize(function, u, **parameters):
        direction = np.random.default_rng(seed).standard_normal(u.shape)
        direction *= 1e-2 / np.linalg.norm(direction)
        (up, g_up), (down, g_down) = function(u + direction), function(u - direction)
        value, g = function(u)
        starts.append((value, np.linalg.norm(g)))
        # Of first and of second order; terms of the third are a ten-thousandth.
        assert up - down == pytest.approx(2 * g @ direction, rel=1e-3, abs=1e-6)
        curvature = 0.5 * (g_up - g_down) @ direction
        assert up + down - 2 * value == pytest.approx(curvature, rel=1e-2)
        return scipy_minimize(function, u, **parameters)

    monkeypatch.setattr("sk_softmax._solvers._stage.minimize", checked_minimize)
    make_solver("lbfgs", tol=1e-20).minimize(objective, theta, keep_going)
    np.testing.assert_allclose(starts, [[0, 1]] * len(starts), atol=1e-12)


@pytest.mark.parametrize("tol", [1e-6, 1e-12])
def test_evaluations_are_counted(make_objective, make_solver, fail_at_call, tol):
    calls = fail_at_call("evaluate", np.inf, None)
    X, y = make_problem(0, n=2000, p=30, n_classes=20)
    objective = make_objective(X, y, lam=1e-5)
    states = []
    solver = make_solver("lbfgs", tol=tol)
    solver.minimize(objective, start(objective), lambda state: states.append(state))
    assert len({state.metrics["preconditioner"] for state in states}) > 1  # stages, too
    counts = [state.metrics["n_evaluations"] for state in states]
    assert counts == sorted(set(counts))
    assert len(calls) - counts[-1] in (0, 1)  # that of the start belongs to no iteration


@pytest.mark.parametrize(
    ("n_failures", "reason"),
    [(1, StopReason.TOL), (2, StopReason.TOL), (3, StopReason.PRECISION)],
)
def test_a_stage_that_gets_nowhere_is_followed_by_another(
    well_conditioned, make_solver, monkeypatch, n_failures, reason
):
    """Twice; a third one in a row is the end of the arithmetic."""
    failures = iter(range(n_failures))

    def failing_minimize(function, u, **parameters):
        if next(failures, None) is None:
            return scipy_minimize(function, u, **parameters)
        return OptimizeResult(x=u, status=2)  # as after a line search without success

    monkeypatch.setattr("sk_softmax._solvers._stage.minimize", failing_minimize)
    objective = well_conditioned(0)
    result = make_solver("lbfgs", tol=1e-10).minimize(objective, start(objective), keep_going)
    assert result.stop_reason is reason
    assert result.converged == (reason is StopReason.TOL)


def test_a_class_that_became_improbable_for_its_own_row_does_not_end_the_run():
    """Its curvature vanished on the way, and no line search could bring Newton's step back."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 10))
    X[:, :5] = np.sqrt(0.99) * rng.standard_normal((20_000, 1)) + 0.1 * X[:, :5]
    W = rng.standard_normal((10, 3)) * 2
    y = (X @ W + rng.gumbel(size=(20_000, 3))).argmax(axis=1)
    y[0] = 3  # the only one
    model = SoftmaxRegression("lbfgs", tol=1e-9).fit(X, y)  # without a warning
    assert model.stop_reason_ == "tol"
    assert model.loss_ == pytest.approx(0.2071953759, abs=1e-9)  # and newton-cg's


@pytest.mark.parametrize("last", [1, 2])
def test_the_result_of_a_stage_in_float32_is_evaluated_in_float64(
    make_objective, make_solver, last
):
    X, y = make_problem(0, n=FLOAT32_ROWS)
    objective = make_objective(X, y, lam=0.2)
    solver = make_solver("lbfgs", tol=1e-12, max_iter=last)
    result = solver.minimize(objective, start(objective), keep_going)
    expected = mean_objective(result.theta.reshape(objective.shape), X, y, np.ones(len(y)), 0.2)
    assert result.value == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("offset", [1e2, 1e4, 1e6])
def test_where_float32_can_do_no_more_float64_goes_on(make_objective, make_solver, minimum, offset):
    """Offsets of columns leave logits few digits in it, and do not change the minimum."""
    X, y = make_problem(0, n=FLOAT32_ROWS)
    objective, shifted = (make_objective(X + shift, y, lam=0.01) for shift in (0, offset))
    result = make_solver("lbfgs", tol=1e-12).minimize(shifted, start(shifted), keep_going)
    assert result.converged
    assert result.value - minimum(objective).value <= GAP_FACTOR * 1e-12 * result.value


@pytest.mark.parametrize("tol", [1e-6, 1e-7])
def test_a_gradient_in_float32_proves_nothing(make_objective, make_solver, minimum, tol):
    """That of columns far off zero is of another point, seven times as near to the minimum."""
    X, y = make_problem(0, n=FLOAT32_ROWS, n_classes=2)
    objective, shifted = (make_objective(X + shift, y, lam=0.01) for shift in (0, 1e4))
    result = make_solver("lbfgs", tol=tol).minimize(shifted, start(shifted), keep_going)
    assert result.converged
    assert result.value - minimum(objective).value <= result.gap <= tol * result.value


@pytest.mark.parametrize("offset", [250, 1e4])
def test_newton_steps_in_float32_end_where_float32_does(offset):
    """Columns far off zero leave its gradients few digits; the rest is for float64."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40_000, 30))
    y = (X @ rng.standard_normal((30, 3)) + rng.gumbel(size=(40_000, 3))).argmax(axis=1)
    model = SoftmaxRegression("lbfgs", tol=1e-8).fit(X + offset, y)
    assert model.stop_reason_ == "tol"
    assert model.history_["n_evaluations"][-1] <= 12


def test_no_end_rests_on_float32(monkeypatch):
    """Neither gradients nor the Hessian of a certificate are computed in it."""
    certificates = []
    original = _lbfgs.certificate_by_factor

    def recorded(T, **options):
        certificates.append(T.sums.objective.dtype)
        return original(T, **options)

    monkeypatch.setattr(_lbfgs, "certificate_by_factor", recorded)
    X, y = make_problem(0, n=FLOAT32_ROWS)
    assert SoftmaxRegression("lbfgs").fit(X, y).stop_reason_ == "tol"
    assert set(certificates) == {np.dtype(np.float64)}


def wide_problem(seed, offset):
    """Columns on several scales, too many for a factor of the Hessian, and off zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((3000, 400)) @ (np.eye(400) + 0.1 * rng.standard_normal((400, 400)))
    X *= np.exp(rng.normal(0, 2, 400))
    W = rng.standard_normal((400, 6)) / 5
    y = (X / X.std(axis=0) @ W + rng.gumbel(size=(3000, 6))).argmax(axis=1)
    return X + offset * np.exp(rng.normal(0, 2, 400)), y


@pytest.mark.parametrize("seed", [0, 3])
def test_conjugate_gradients_prove_nothing_with_products_that_float32_does_not_bear(seed):
    X, y = wide_problem(seed, 1e4)
    least = SoftmaxRegression("lbfgs", tol=1e-12).fit(X, y).loss_
    for tol in (1e-6, 1e-8):
        model = SoftmaxRegression("lbfgs", tol=tol).fit(X, y)
        assert (model.stop_reason_, model.gap_method_) == ("tol", "cg")
        # The smallest Ritz value, which stands in for an eigenvalue, is larger than that.
        assert model.loss_ - least <= min(tol * least, 1.1 * model.gap_)


def test_float32_is_left_for_the_last_evaluation(monkeypatch):
    """Newton's step by conjugate gradients is taken in it too, and what they learnt holds on."""
    dtypes = []
    original = Objective.evaluate

    def evaluate(self, theta):
        dtypes.append(self.dtype)
        return original(self, theta)

    monkeypatch.setattr(Objective, "evaluate", evaluate)
    model = SoftmaxRegression("lbfgs").fit(*wide_problem(0, 0.0))
    assert (model.stop_reason_, model.gap_method_) == ("tol", "cg")
    assert dtypes.count(np.float64) == 1
    assert dtypes[-1] == np.float64


def test_what_float32_reached_before_it_overflows_is_kept(monkeypatch):
    """The run goes on from there: no iteration is counted twice, and f keeps falling."""
    evaluations = []
    original = Objective.evaluate

    def evaluate(self, theta):
        if self.dtype == np.float32:
            evaluations.append(theta)
            if len(evaluations) == 4:
                return original(self, theta)._replace(value=np.inf)
        return original(self, theta)

    monkeypatch.setattr(Objective, "evaluate", evaluate)
    X, y = make_problem(0, n=FLOAT32_ROWS // 8, p=32, n_classes=6)
    model = SoftmaxRegression("lbfgs", C=100).fit(X * 10.0 ** np.arange(-8, 8, 0.5), y)
    assert len(evaluations) == 4
    assert model.converged_
    assert len(model.history_["loss"]) == model.n_iter_[0]
    assert np.all(np.diff(model.history_["loss"]) < 1e-6)
