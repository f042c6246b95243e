import contextlib
import re
import warnings

import numpy as np
import pytest
from reference import make_problem, mean_gradient, mean_objective, model_objective
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression
from sk_softmax._batches import Batch
from sk_softmax._preconditioner import PreconditionerCosts
from sk_softmax._rows._in_memory import InMemoryRows
from sk_softmax._solvers import StopReason, _sgd
from sk_softmax._solvers._gradient_table import GradientTable
from sk_softmax._solvers._metric import Preconditioning
from sk_softmax._solvers._remainder import remainder

DATA = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}


def centred_log_priors(y, s, K, p, fit_intercept=True):
    theta = np.zeros((K, p + fit_intercept))
    if fit_intercept:
        log_priors = np.log([s[y == k].sum() / s.sum() for k in range(K)])
        theta[:, -1] = log_priors - log_priors.mean()
    return theta


def fit(X, y, sample_weight=None, **parameters):
    model = SoftmaxRegression("sgd", tol=None, **parameters)
    return model.fit(X, y, sample_weight=sample_weight)


def assert_parameters(model, theta, p):
    """Rows of theta against a model, whose two rows are folded when there are two classes."""
    if len(theta) == 2:
        theta = theta[1:] - theta[:1]
    np.testing.assert_allclose(model.coef_, theta[:, :p], rtol=1e-10, atol=1e-12)
    intercept = theta[:, p] if theta.shape[1] > p else 0
    np.testing.assert_allclose(model.intercept_, intercept + np.zeros(len(theta)), rtol=1e-10)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_full_batches_are_gradient_descent(momentum, n_classes, fit_intercept):  # behaviour 13
    X, y = make_problem(0, n_classes=n_classes)
    s, C = np.random.default_rng(0).uniform(0.5, 2, size=len(y)), 0.7
    model = fit(
        X,
        y,
        s,
        C=C,
        learning_rate=0.3,
        momentum=momentum,
        batch_size=len(y),
        max_iter=20,
        fit_intercept=fit_intercept,
    )
    # Two classes: a softmax of two rows at C/2 is the sigmoid model at C.
    lam = 1 / ((C / 2 if n_classes == 2 else C) * s.sum())
    theta = centred_log_priors(y, s, n_classes, 4, fit_intercept)
    velocity = np.zeros_like(theta)
    losses = []
    for _ in range(20):
        losses.append(mean_objective(theta, X, y, s, lam))
        velocity = momentum * velocity + mean_gradient(theta, X, y, s, lam)
        theta = theta - 0.3 * velocity
    assert_parameters(model, theta, 4)
    np.testing.assert_allclose(model.history_["loss"], losses, rtol=1e-10)
    assert model.loss_ == pytest.approx(mean_objective(theta, X, y, s, lam), rel=1e-10)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_mini_batches_are_the_loop_written_by_hand(momentum, weighted, seed):
    n, batch_size, learning_rate, epochs = 50, 16, 0.1, 3
    X, y = make_problem(seed, n=n)
    s = np.random.default_rng(seed).uniform(0.5, 2, size=n) if weighted else np.ones(n)
    model = fit(
        X,
        y,
        s if weighted else None,
        learning_rate=learning_rate,
        momentum=momentum,
        batch_size=batch_size,
        max_iter=epochs,
        random_state=seed,
    )
    lam = 1 / s.sum()
    theta = centred_log_priors(y, s, 3, 4)
    velocity = np.zeros_like(theta)
    rng = np.random.RandomState(seed)
    for epoch in range(epochs):
        order, loss = rng.permutation(n), 0.0
        for first in range(0, n, batch_size):
            rows = order[first : first + batch_size]
            # The mean over the batch, in units of the mean weight of all rows.
            share = s[rows].sum() / (len(rows) * s.mean())
            data = X[rows], y[rows], s[rows]
            batch_loss = share * mean_objective(theta, *data, lam / share)
            gradient = share * mean_gradient(theta, *data, lam / share)
            loss += batch_loss * len(rows) / n
            velocity = momentum * velocity + gradient
            theta = theta - learning_rate * velocity
        assert model.history_["loss"][epoch] == pytest.approx(loss, rel=1e-10)
    assert_parameters(model, theta, 4)


def test_history_tells_the_learning_rate():
    model = fit(*make_problem(0), learning_rate=0.25, max_iter=3)
    np.testing.assert_array_equal(model.history_["learning_rate"], [0.25] * 3)
    assert fit(*make_problem(0), max_iter=3).history_["learning_rate"][0] > 0


@pytest.mark.parametrize(("n", "rows"), [(5, 5), (300, 8), (700, 10), (20_000, 256)])
def test_automatic_batches_have_the_size_that_is_documented(n, rows):
    X, y = make_problem(0, n=n, p=2)
    automatic = fit(X, y, learning_rate=0.1, max_iter=1, random_state=0)
    explicit = fit(X, y, learning_rate=0.1, max_iter=1, random_state=0, batch_size=rows)
    other = fit(X, y, learning_rate=0.1, max_iter=1, random_state=0, batch_size=rows - 1)
    np.testing.assert_array_equal(automatic.coef_, explicit.coef_)
    assert not np.array_equal(automatic.coef_, other.coef_)


def test_a_batch_holds_at_most_all_rows():
    X, y = make_problem(0)
    larger, whole = (
        fit(X, y, learning_rate=0.1, max_iter=3, batch_size=size, random_state=0)
        for size in (10**9, len(y))
    )
    np.testing.assert_array_equal(larger.coef_, whole.coef_)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", DATA)
def test_the_automatic_learning_rate_works_on_raw_data(name, seed, momentum):
    X, y = DATA[name](return_X_y=True)
    model = fit(X, y, max_iter=30, momentum=momentum, random_state=seed)
    assert model.stop_reason_ == "max_iter"
    prior = np.bincount(y) / len(y)
    assert model.loss_ < 0.3 * -(prior @ np.log(prior))
    assert model.history_["loss"].max() < 3 * model.history_["loss"][0]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_long_run_reaches_the_minimum_of_lbfgs(n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], y[y < n_classes]
    X = StandardScaler().fit_transform(X)
    best = SoftmaxRegression("lbfgs", C=0.1, tol=1e-12).fit(X, y)
    model = fit(X, y, C=0.1, learning_rate=0.03, batch_size=16, max_iter=300, random_state=0)
    assert best.loss_ < model.loss_ < best.loss_ * (1 + 1e-3)
    expected = model_objective(model, X, y) / (0.1 * len(y))
    assert model.loss_ == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("patience", [2, 5])
def test_it_stops_when_the_loss_stops_falling(patience):
    X, y = make_problem(0)
    model = SoftmaxRegression(
        "sgd", tol=1e-3, learning_rate=1e-9, batch_size=len(y), n_iter_no_change=patience
    )
    with pytest.warns(
        ConvergenceWarning, match=r"an estimated (99\.\d+|100\.0+)% .* solver=\"lbfgs\""
    ):
        model.fit(X, y)
    # The first epoch sets the mark, none of those that follow gets below it.
    np.testing.assert_array_equal(model.n_iter_, [1 + patience])
    assert model.stop_reason_ == "no_improvement"
    assert not model.converged_  # it never left the start


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("C", "tol"), [(0.05, 1e-6), (1.0, 1e-6), (1.0, 0.01)])
def test_it_goes_on_while_the_loss_falls_by_tol(C, tol):
    X, y = make_problem(0)
    model = SoftmaxRegression(
        "sgd", tol=tol, learning_rate=1.0, batch_size=len(y), n_iter_no_change=1, C=C
    ).fit(X, y)
    loss = model.history_["loss"]
    assert np.all(loss[1:-1] < loss[:-2] * (1 - tol))
    assert loss[-1] >= loss[-2] * (1 - tol)
    assert len(loss) > 5


def test_max_iter_warns_and_says_what_to_do():  # behaviour 36
    model = SoftmaxRegression("sgd", max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 epoch; increase max_iter or tol"):
        model.fit(*make_problem(0))
    np.testing.assert_array_equal(model.n_iter_, [1])
    assert model.stop_reason_ == "max_iter"
    assert not model.converged_


def test_on_iteration_can_stop_it(make_objective, make_solver):
    objective = make_objective(*make_problem(0))
    states = []

    def stop_at_third(state):
        states.append(state.n_iter)
        return state.n_iter == 3

    result = make_solver("sgd", tol=None, random_state=0).minimize(
        objective, np.zeros(objective.shape).ravel(), stop_at_third
    )
    assert states == [1, 2, 3]
    assert result.n_iter == 3
    assert result.stop_reason is StopReason.CALLBACK
    assert not result.converged
    value, _ = objective.value_and_gradient(result.theta)
    assert result.value == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    ("stop_at", "reason"), [(None, StopReason.SEPARABLE), (10, StopReason.CALLBACK)]
)
def test_separated_classes_are_the_reason_unless_a_callback_stops_it(
    make_objective, make_solver, stop_at, reason
):
    objective = make_objective(np.array([[-1.0], [1.0]]), np.array([0, 1]), lam=0.0)
    result = make_solver("sgd", learning_rate=1.0, tol=None, max_iter=10).minimize(
        objective, np.zeros(4), lambda state: state.n_iter == stop_at
    )
    assert result.n_iter == 10
    assert objective.is_separated(result.value)
    assert result.stop_reason is reason
    assert not result.converged


def test_the_start_is_not_written_to(make_objective, make_solver):
    objective = make_objective(*make_problem(0))
    theta = np.zeros(objective.shape).ravel()
    make_solver("sgd", tol=None, max_iter=2).minimize(objective, theta, lambda state: False)
    np.testing.assert_array_equal(theta, 0)


# Steps of 10 end an epoch at a finite loss of hundreds, steps of 1e300 at infinity.
@pytest.mark.parametrize("learning_rate", [10.0, 1e300])
@pytest.mark.parametrize("tol", [1e-6, None])
def test_divergence_is_reported_with_what_to_do(learning_rate, tol):  # behaviour 47
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression("sgd", learning_rate=learning_rate, tol=tol, random_state=0)
    # Warnings are errors in this suite: this holds for an error as well as for a warning.
    with pytest.raises((ConvergenceWarning, ValueError, ArithmeticError)) as report:
        model.fit(X, y)
    message = str(report.value)
    assert "diverged" in message
    assert "lower learning_rate" in message
    assert "StandardScaler" in message


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("learning_rate", [10.0, 1e300])
@pytest.mark.parametrize("tol", [1e-6, None])
def test_divergence_keeps_the_old_model(state_of, learning_rate, tol):  # behaviour 47
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression("sgd", tol=None, max_iter=3, random_state=0).fit(X, y)
    model.set_params(learning_rate=learning_rate, tol=tol)
    before = state_of(model)
    with contextlib.suppress(ValueError, ArithmeticError):
        model.fit(X, y)
    assert state_of(model) == before


def test_divergence_stops_early(make_objective, make_solver):
    objective = make_objective(*load_iris(return_X_y=True))
    states = []
    make_solver("sgd", learning_rate=10.0, tol=None, max_iter=50).minimize(
        objective, np.zeros(objective.shape).ravel(), lambda state: states.append(state)
    )
    assert len(states) < 5


def test_a_high_but_useful_learning_rate_is_no_divergence():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = fit(X, y, learning_rate=1.0, max_iter=20, random_state=0)
    assert model.stop_reason_ == "max_iter"
    assert model.score(X, y) > 0.9


def test_nesterov_is_the_textbooks():
    X, y = make_problem(0)
    model = fit(
        X, y, learning_rate=0.1, momentum=0.9, nesterov=True, batch_size=len(y), max_iter=12
    )
    s, lam = np.ones(len(y)), 1 / len(y)
    theta = centred_log_priors(y, s, 3, 4)
    velocity = np.zeros_like(theta)
    for _ in range(12):
        gradient = mean_gradient(theta, X, y, s, lam)
        velocity = 0.9 * velocity + gradient
        theta = theta - 0.1 * (gradient + 0.9 * velocity)
    assert_parameters(model, theta, 4)


def test_the_average_weighs_the_iterates_as_documented():
    X, y = make_problem(0)
    model = fit(X, y, learning_rate=0.5, average=True, batch_size=len(y), max_iter=9)
    s, lam = np.ones(len(y)), 1 / len(y)
    theta, iterates = centred_log_priors(y, s, 3, 4), []
    for _ in range(9):
        theta = theta - 0.5 * mean_gradient(theta, X, y, s, lam)
        iterates.append(theta)
    t = np.arange(1, 10.0)  # the start is none of the iterates
    weights = t * (t + 1) * (t + 2)
    assert_parameters(model, np.average(iterates, axis=0, weights=weights), 4)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1, 1]),
        ("inverse_scaling", [1, 2**-0.5, 3**-0.5, 0.5]),
        ("cosine", 0.5 + 0.5 * np.cos(np.pi * np.array([1, 3, 5, 7]) / 8)),
    ],
)
def test_a_schedule_scales_the_steps_of_an_epoch(schedule, factors):
    X, y = make_problem(0)
    model = fit(X, y, learning_rate=0.3, schedule=schedule, batch_size=len(y), max_iter=4)
    np.testing.assert_allclose(model.history_["learning_rate"], 0.3 * np.array(factors))
    theta = centred_log_priors(y, np.ones(len(y)), 3, 4)
    for factor in factors:
        theta = theta - 0.3 * factor * mean_gradient(theta, X, y, np.ones(len(y)), 1 / len(y))
    assert_parameters(model, theta, 4)


def test_adaptive_halves_the_rate_when_the_loss_does_not_fall():
    X, y = make_problem(0)
    model = fit(X, y, learning_rate=4.0, schedule="adaptive", max_iter=30, random_state=0)
    loss, rate = model.history_["loss"], model.history_["learning_rate"]
    below = loss[1:-1] < np.minimum.accumulate(loss)[:-2]
    np.testing.assert_allclose(rate[2:] / rate[1:-1], np.where(below, 1, 0.5))
    assert rate[-1] < rate[0] == 4.0


def excess(model, X, y):
    """Distance to the minimum in units of what a fit can gain over the class priors."""
    prior = np.bincount(y) / len(y)
    start = -(prior @ np.log(prior))
    best = SoftmaxRegression("lbfgs", C=model.C, tol=1e-9).fit(X, y).loss_
    return (model.loss_ - best) / (start - best)


def correlated():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 4)).repeat(5, axis=1) + 0.1 * rng.standard_normal((1000, 20))
    y = (X[:, ::5] @ rng.standard_normal((4, 3)) + rng.gumbel(size=(1000, 3))).argmax(axis=1)
    return X * 10 ** rng.uniform(-4, 4, size=20), y


def heavy_tailed():
    rng = np.random.default_rng(0)
    X = np.exp(1.5 * rng.standard_normal((1000, 8)))
    y = (np.log(X) @ rng.standard_normal((8, 3)) + rng.gumbel(size=(1000, 3))).argmax(axis=1)
    return X * 10 ** rng.uniform(-3, 3, size=8), y


RAW = {
    **{name: lambda name=name: DATA[name](return_X_y=True) for name in DATA},
    "correlated": correlated,
    "heavy_tailed": heavy_tailed,
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("max_iter", "bound"), [(30, 1e-2), (100, 1e-3)])
@pytest.mark.parametrize("name", RAW)
def test_automatic_steps_come_near_the_minimum_of_raw_data(name, max_iter, bound, seed):
    X, y = RAW[name]()
    assert excess(fit(X, y, max_iter=max_iter, random_state=seed), X, y) < bound


@pytest.mark.parametrize("parameters", [{}, {"average": True}, {"momentum": 0.9}], ids=str)
def test_automatic_steps_do_not_know_the_units_of_features(parameters):
    X, y = make_problem(0)
    A = np.random.default_rng(1).standard_normal((4, 4))
    parameters = {"C": np.inf, "max_iter": 20, "random_state": 0, **parameters}
    plain = fit(X, y, **parameters)
    other = fit(X @ A + 5, y, **parameters)
    np.testing.assert_allclose(other.loss_, plain.loss_, rtol=1e-6)
    np.testing.assert_allclose(other.predict_proba(X @ A + 5), plain.predict_proba(X), atol=1e-6)


def test_the_automatic_learning_rate_allows_for_momentum():
    """With momentum a gradient acts 1 / (1 - momentum) times."""
    X, y = make_problem(0)
    rates = [
        fit(X, y, momentum=momentum, max_iter=1, random_state=0).history_["learning_rate"][0]
        for momentum in (0.0, 0.5, 0.9)
    ]
    np.testing.assert_allclose(rates / rates[0], [1, 0.5, 0.1])


@pytest.mark.parametrize("learning_rate", ["auto", 0.1])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_keep_the_sum_over_the_classes(make_objective, make_solver, momentum, learning_rate):
    """As gradients sum to zero over the classes, which the penalty's does if theta does."""
    objective = make_objective(*make_problem(0))
    sums = []

    def note(state):
        sums.append(state.theta.reshape(objective.shape).sum(axis=0))

    make_solver(
        "sgd", learning_rate=learning_rate, momentum=momentum, tol=None, max_iter=12
    ).minimize(objective, np.zeros(objective.shape).ravel(), note)
    np.testing.assert_allclose(sums, np.zeros((12, 5)), atol=1e-12)


@pytest.mark.parametrize("factor", [30.0, 1e4, 1e200])
def test_an_automatic_divergence_is_undone(monkeypatch, factor):
    original = Preconditioning.step_size
    monkeypatch.setattr(Preconditioning, "step_size", lambda *args: factor * original(*args))
    X, y = load_iris(return_X_y=True)
    # As many halvings as the factor takes, and some epochs to descend.
    max_iter = 20 + int(np.log2(factor))
    model = fit(X, y, max_iter=max_iter, schedule="constant", random_state=0)
    rate = model.history_["learning_rate"]
    assert rate[1] == rate[0] / 2
    assert model.loss_ < 0.5 * np.log(3)


def distance(model, X, y, **parameters):
    """How far from the minimum a model is, in units of what the loss can fall from the start."""
    minimum = SoftmaxRegression("lbfgs", tol=1e-12, **parameters).fit(X, y).loss_
    frequency = np.bincount(y) / len(y)
    return (model.loss_ - minimum) / (-np.log(frequency) @ frequency - minimum)


def starts_and_ends_of_epochs(monkeypatch, make_solver, objective, **parameters):
    starts, ends = [], []
    descend = _sgd._Epochs._descend

    def spy(self, order, rate):
        starts.append(self.state.theta.T.copy())
        return descend(self, order, rate)

    def note(state):
        ends.append(state.theta.reshape(objective.shape))

    monkeypatch.setattr(_sgd._Epochs, "_descend", spy)
    theta = np.zeros(objective.shape)
    make_solver("sgd", tol=None, **parameters).minimize(objective, theta.ravel(), note)
    return starts, [theta, *ends]


def tell_losses(monkeypatch, losses):
    losses, original = iter(losses), _sgd._Epochs._pass
    monkeypatch.setattr(
        _sgd._Epochs, "_pass", lambda self: {**original(self), "loss": next(losses)}
    )


def test_epochs_have_nesterovs_momentum(make_objective, make_solver, monkeypatch):
    tell_losses(monkeypatch, [1.0] * 40)  # none is undone
    objective = make_objective(*make_problem(0))
    starts, ends = starts_and_ends_of_epochs(monkeypatch, make_solver, objective, max_iter=40)
    np.testing.assert_array_equal(starts[0], ends[0])
    for k in range(1, 40):
        factor = (1 + np.cos(np.pi * (k + 0.5) / 40)) / 2
        share = min(k / (k + 3), 0.9) * min(factor / 0.1, 1)
        expected = ends[k] + share * (ends[k] - ends[k - 1])
        np.testing.assert_allclose(starts[k], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("parameters", [{"learning_rate": 0.1}, {"momentum": 0.9}])
def test_epochs_of_a_given_rate_or_momentum_have_none(
    make_objective, make_solver, monkeypatch, parameters
):
    tell_losses(monkeypatch, [1.0] * 5)
    objective = make_objective(*make_problem(0))
    starts, ends = starts_and_ends_of_epochs(
        monkeypatch, make_solver, objective, max_iter=5, **parameters
    )
    np.testing.assert_array_equal(starts, ends[:-1])


def test_an_epoch_undone_begins_the_momentum_anew(make_objective, make_solver, monkeypatch):
    tell_losses(monkeypatch, [1.0, 0.9, 0.8, 5.0, 0.8, 0.7])
    objective = make_objective(*make_problem(0))
    starts, ends = starts_and_ends_of_epochs(
        monkeypatch, make_solver, objective, max_iter=6, schedule="constant"
    )
    np.testing.assert_array_equal(ends[4], starts[2])  # where the last good epoch began
    np.testing.assert_array_equal(starts[4], ends[4])
    np.testing.assert_allclose(starts[5], ends[5] + (ends[5] - ends[4]) / 4, rtol=1e-12)


@pytest.mark.parametrize(("n", "momentum"), [(30, 0.9), (300, 0.9), (300, 0.99)])
def test_momentum_within_epochs_leads_to_the_minimum(n, momentum):
    """Together with that over epochs it left 1e-3 to 3e-2, and said that it had converged."""
    X, y = make_problem(0, n=n)
    assert abs(distance(fit(X, y, momentum=momentum, random_state=0), X, y)) < 1e-4


@pytest.mark.parametrize("max_iter", [100, 1000])
@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_unequal_weights_are_noise_too(max_iter, spread):
    """A batch sees rows of equal chance and large weight: 1e-3 were left, and 1e-2 after 1000."""
    X, y = make_problem(0, n=1000, p=10)
    s = np.exp(spread * np.random.default_rng(0).standard_normal(1000))
    minimum = SoftmaxRegression("lbfgs", tol=1e-12).fit(X, y, s).loss_
    for seed in range(2):
        model = fit(X, y, s, max_iter=max_iter, random_state=seed)
        assert abs(model.loss_ - minimum) < 1e-4


def test_a_warm_start_of_single_epochs_gets_on():
    """Its first epoch may lose of what the start had gained."""
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression("sgd", max_iter=1, tol=None, warm_start=True, random_state=0)
    for _ in range(30):
        model.fit(X, y)
    assert distance(model, X, y) < 0.03


def test_momentum_over_epochs_shortens_the_way():
    """There is none beside momentum over batches, however little."""
    X, y = load_breast_cancer(return_X_y=True)
    left, without = (
        distance(fit(X, y, max_iter=30, random_state=0, momentum=momentum), X, y)
        for momentum in (0.0, 1e-12)
    )
    assert left < 0.2 * without


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("C", [1.0, 1e-3])
@pytest.mark.parametrize("seed", range(2))
def test_it_gets_to_the_minimum_where_only_noise_is_in_the_way(layout, momentum, C, seed):
    """Without what `GradientTable` does, 1e-5 to 1e-3 are left."""
    X, y = make_problem(seed, n=1000)
    X = X @ np.random.default_rng(seed).standard_normal((4, 4)) * [1e-4, 1, 10, 1e4]
    model = fit(layout(X), y, C=C, momentum=momentum, random_state=seed)
    assert abs(distance(model, X, y, C=C)) < 1e-7


@pytest.mark.parametrize("affordable", [True, False], ids=["matrix", "diagonal"])
def test_a_column_that_is_constant_now_is_left_to_the_intercept(monkeypatch, affordable):
    """No step would lead its coefficient to zero."""
    monkeypatch.setattr(PreconditionerCosts, "allows", lambda *args: affordable)
    X, y = make_problem(0, n=300)
    model = SoftmaxRegression("lbfgs", warm_start=True, random_state=0).fit(X, y)
    X[:, 1] = 2.0
    model.set_params(solver="sgd").fit(X, y)
    assert model.converged_
    np.testing.assert_allclose(model.coef_[:, 1], 0, atol=1e-12)
    assert abs(distance(model, X, y)) < 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("max_iter", [5, 7, 10])
def test_few_epochs_come_near(max_iter, dtype):
    """Three to ten times as much was left where rows were remembered at the end of long steps."""
    shares = []
    for seed in range(3):
        X, y = make_problem(seed, n=2000, p=10)
        model = fit(X.astype(dtype), y, max_iter=max_iter, random_state=0)
        shares.append(distance(model, X, y))
    assert np.mean(shares) < 5e-3


@pytest.mark.parametrize("name", DATA)
def test_raw_tables_are_within_a_thousandth_after_a_hundred_epochs(name):
    X, y = DATA[name](return_X_y=True)
    for max_iter, allowed in ((30, 1e-2), (100, 1e-3)):
        assert abs(distance(fit(X, y, max_iter=max_iter, random_state=0), X, y)) < allowed


@pytest.mark.parametrize("max_iter", [30, 100])
def test_a_class_of_one_row_does_not_slow_the_others(max_iter):
    X, y = make_problem(1, n=2000, p=10)
    X[:, :5] = np.sqrt(0.99) * X[:, :1] + 0.1 * X[:, :5]
    y[0] = 3
    assert abs(distance(fit(X, y, max_iter=max_iter, random_state=0), X, y)) < 1e-3


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("offset", [0, 200, 2000, 1e4])
def test_float32_is_left_where_offsets_would_cost_its_digits(layout, offset):
    """From offsets of 1e4 deviations 1e-4 were left after 100 epochs, and more after 300."""
    X, y = make_problem(0, n=1000)
    X = (X + np.array([0, offset, 0, -offset])).astype(np.float32)
    for max_iter in (100, 300):
        model = fit(layout(X), y, max_iter=max_iter, random_state=0)
        assert model.coef_.dtype == np.float32
        assert abs(distance(model, X.astype(np.float64), y)) < 2e-6


def test_rows_are_remembered_only_if_the_table_fits(monkeypatch):
    X, y = make_problem(0, n=1000)
    best = fit(X, y, random_state=0)
    monkeypatch.setattr(InMemoryRows, "spare_bytes", 1000 * 3 * 8 - 1)
    without = fit(X, y, random_state=0)
    monkeypatch.setattr(InMemoryRows, "spare_bytes", 1000 * 3 * 8)
    np.testing.assert_array_equal(fit(X, y, random_state=0).coef_, best.coef_)
    assert 1e-7 < distance(without, X, y) < 1e-3


def test_an_epoch_undone_is_forgotten(monkeypatch):
    """What rows contributed in it is not: its steps are taken back."""
    made, init = [], GradientTable.__init__

    def note(table, objective):
        init(table, objective)
        made.append(table)

    monkeypatch.setattr(GradientTable, "__init__", note)
    # Of nine epochs six are at a third of the rate or less.
    fit_with_losses(monkeypatch, [1] * 3 + [0.5, 0.5, 2, 0.5, 0.5, 0.5], schedule="cosine")
    filled, at_start_of_undone = made
    assert filled.value is None
    assert at_start_of_undone.value > 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [300, 3000])
def test_a_plateau_of_noise_does_not_end_the_run(seed, n):
    """At a rate that is still to fall the loss stays where the noise of the batches holds it."""
    X, y = make_problem(seed, n=n)
    model = SoftmaxRegression("sgd", random_state=seed).fit(X, y)
    best = SoftmaxRegression("lbfgs").fit(X, y)
    start = -np.log(np.bincount(y) / len(y)) @ np.bincount(y) / len(y)
    assert model.loss_ - best.loss_ < 0.01 * (start - best.loss_)


def one_far_value(seed=0, far=1e4):
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1, 2], 200)
    X = rng.normal(size=(600, 2)) + 2 * np.column_stack([y == 1, y == 2])
    X[0, 0] = far
    return X, y


def sentinel(seed=1, n=10_000, far=1e5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    y = (2 * X[:, 0] + rng.logistic(size=n) > 0).astype(int)
    X[0, 0], y[0] = far, 1
    return X, y


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("make", [one_far_value, sentinel])
def test_a_far_value_that_holds_the_fit_up_is_said(layout, make):
    """8% and all of the way were left, and it said that it had converged."""
    X, y = make()
    model = SoftmaxRegression("sgd", random_state=0)
    with pytest.warns(ConvergenceWarning, match="of what the loss can fall by is left") as record:
        model.fit(layout(X), y)
    assert not model.converged_
    assert model.stop_reason_ == "no_improvement"
    assert 'solver="lbfgs"' in str(record[0].message)
    said = float(re.search(r"estimated ([\d.]+)%", str(record[0].message)).group(1)) / 100
    assert said == pytest.approx(distance(model, X, y), rel=0.1)


@pytest.mark.parametrize("budget", [0, 1000])
@pytest.mark.parametrize(("distance", "is_certain"), [(0.03, True), (0.1, True), (3.0, False)])
def test_the_remainder_is_the_distance_to_the_minimum(make_objective, budget, distance, is_certain):
    X, y = make_problem(0, n=500)
    model = SoftmaxRegression("lbfgs", tol=1e-12).fit(X, y)
    objective = make_objective(X, y, lam=1 / len(y))
    theta = np.column_stack([model.coef_, model.intercept_])
    step = np.random.default_rng(0).standard_normal(theta.shape)
    theta += distance * (step - step.mean(axis=0)) / np.linalg.norm(step)
    value, gradient = objective.value_and_gradient(theta.ravel())
    left = remainder(objective, theta.ravel(), value, gradient, budget)
    if is_certain or budget:  # which allows for steps to where it is
        assert left.is_certain
        assert left.amount == pytest.approx(value - model.loss_, rel=0.15)
    else:
        assert not left.is_certain


def test_it_says_that_some_classes_are_separated():
    """Hyperplanes separate one of three classes of iris, and SGD said that it had converged."""
    model = SoftmaxRegression("sgd", C=np.inf, random_state=0)
    with pytest.warns(ConvergenceWarning, match="minimum is at infinity"):
        model.fit(*load_iris(return_X_y=True))
    assert model.stop_reason_ == "separable"
    assert not model.converged_


def test_classes_that_overlap_are_not_separated():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression("sgd", C=np.inf, random_state=0).fit(X[50:], y[50:])
    assert model.stop_reason_ == "no_improvement"
    assert model.converged_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("schedule", ["constant", "adaptive", "cosine"])
def test_a_plateau_at_a_rate_that_has_settled_ends_it(schedule):
    X, y = make_problem(0)
    parameters = {"learning_rate": 0.01, "batch_size": 80, "schedule": schedule, "max_iter": 400}
    model = SoftmaxRegression("sgd", tol=1e-3, **parameters).fit(X, y)
    assert model.stop_reason_ == "no_improvement"
    rate = model.history_["learning_rate"]
    assert rate[-5] <= 0.1 * rate[0] or schedule != "cosine"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("schedule", "max_iter", "first"),
    [
        ("constant", 40, 2),
        ("inverse_scaling", 40, 10),  # 1 / sqrt(10) is twice 1 / sqrt(40)
        ("inverse_scaling", 41, 11),
        ("inverse_scaling", 1000, 100),  # 1 / sqrt(100) is a tenth of the first rate
        ("cosine", 100, 81),  # the first of (1 + cos(pi (e + 1/2) / 100)) / 2 below a tenth
        ("adaptive", 40, 2),
    ],
)
def test_a_plateau_counts_once_the_rate_has_a_half_left_to_fall_or_is_a_tenth(
    schedule, max_iter, first
):
    X, y = make_problem(0)
    plateau = {"tol": 1e-3, "learning_rate": 1e-9, "batch_size": len(y), "n_iter_no_change": 1}
    model = SoftmaxRegression("sgd", schedule=schedule, max_iter=max_iter, **plateau).fit(X, y)
    assert model.stop_reason_ == "no_improvement"
    np.testing.assert_array_equal(model.n_iter_, [first])


def pretend_losses(monkeypatch, shares):
    """Let the losses of batches seem to be `shares` of that at the start; rows with their labels.

    Three classes are equally frequent, so that the start has the loss log 3.
    """
    original = Batch.gradient
    remaining = iter(shares)

    def gradient(self, theta, G, true_logit, normaliser, table=None):
        original(self, theta, G, true_logit, normaliser, table)
        # The loss of a batch is that of weights log(normaliser) less what is returned.
        return float(self.weights @ np.log(normaliser)) - next(remaining) * np.log(3)

    monkeypatch.setattr(Batch, "gradient", gradient)
    X, _ = make_problem(0, n=90)
    return X, np.arange(90) % 3


def fit_with_losses(monkeypatch, shares, **parameters):
    """Fit with one batch an epoch and losses that are pretended."""
    X, y = pretend_losses(monkeypatch, shares)
    parameters = {"schedule": "constant", "C": np.inf, **parameters}
    return fit(X, y, batch_size=90, max_iter=len(shares), **parameters)


@pytest.mark.parametrize(("lost", "undone"), [(0.15, False), (0.25, True)])
def test_an_epoch_that_loses_a_fifth_of_the_gain_is_undone(monkeypatch, lost, undone):
    rate = fit_with_losses(monkeypatch, [1, 0.5, 0.5 + 0.5 * lost, 0.5]).history_["learning_rate"]
    np.testing.assert_allclose(rate / rate[0], [1, 1, 1, 0.5 if undone else 1])


def test_an_epoch_of_luck_does_not_make_all_later_ones_look_bad(monkeypatch):
    """One epoch seems to fit every row: no other can keep four fifths of that gain."""
    rate = fit_with_losses(monkeypatch, [1, 0, *[0.95] * 7]).history_["learning_rate"]
    # They may lose 20%, 40%, 80% of it, and then all. The rate comes back after that, for good.
    halved = [1 / 2, 1 / 4, 1 / 8, 1.2 / 8, 1.2**2 / 8, 1.2**3 / 8]
    np.testing.assert_allclose(rate / rate[0], [1, 1, 1, *halved])


@pytest.mark.parametrize("seed", range(4))
def test_few_rows_of_large_weight_are_fitted_too(seed):
    """One of 600 has 30% of all weight. The rate once collapsed, far from the minimum."""
    X, y = make_problem(0, n=600, p=6)
    s = np.exp(4 * np.random.default_rng(7).standard_normal(600))
    minimum = SoftmaxRegression("lbfgs", tol=1e-10).fit(X, y, s).loss_
    frequency = np.bincount(y, weights=s) / s.sum()
    model = fit(X, y, s, random_state=seed)
    assert model.loss_ - minimum < 0.01 * (-np.log(frequency) @ frequency - minimum)
    assert model.history_["learning_rate"].min() > 1e-8


def test_an_epoch_that_ends_above_the_start_is_always_undone(monkeypatch):
    rate = fit_with_losses(monkeypatch, [1, 0.5, *[1.2] * 6]).history_["learning_rate"]
    np.testing.assert_allclose(rate / rate[0], [1, 1, *0.5 ** np.arange(6)])


def test_a_thousand_epochs_in_a_row_may_be_undone(monkeypatch):
    """Their number is an exponent, which once overflowed."""
    rate = fit_with_losses(monkeypatch, [1, 0.5, *[1.2] * 1030]).history_["learning_rate"]
    assert rate[-1] == pytest.approx(rate[0] * 0.5**1029, rel=1e-3)


@pytest.mark.parametrize(("share", "diverged"), [(9.9, False), (10.1, True)])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_given_rate_diverges_at_ten_times_the_loss_of_the_start(
    monkeypatch, method, share, diverged
):
    refused = pytest.raises(ValueError, match="diverged")
    with refused if diverged else contextlib.nullcontext():
        if method == "fit":
            fit_with_losses(monkeypatch, [1, share, 1], learning_rate=1e-3)
        else:
            X, y = pretend_losses(monkeypatch, [share])
            model = SoftmaxRegression(learning_rate=1e-3, batch_size=90, C=np.inf)
            model.partial_fit(X, y, [0, 1, 2])


def said(model, X, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_ends_near_the_minimum_has_converged_and_is_silent(seed):
    """After all of its epochs, too."""
    X, y = load_digits(return_X_y=True)
    model = SoftmaxRegression("sgd", random_state=seed)
    assert said(model, X, y) == []
    assert model.converged_
    assert distance(model, X, y) < 0.01


def test_a_given_rate_is_named_where_it_is_too_low_and_else_left_in_peace():
    """A grid over rates had eleven warnings."""
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression("sgd", learning_rate=0.01, random_state=0)
    assert said(model, X, y) == []
    (message,) = said(model.set_params(learning_rate=1e-5), X, y)
    assert "learning_rate=1e-05" in message
    assert "raise learning_rate" in message


@pytest.mark.parametrize(
    "parameters", [{}, {"learning_rate": 0.01}, {"momentum": 0.9}, {"max_iter": 5}], ids=str
)
@pytest.mark.parametrize("classes", [(0, 1), (0, 1, 2)])
def test_classes_separable_in_part_have_no_minimum(classes, parameters):
    """It converged, without a word, where one class of iris is separable from the two others."""
    X, y = load_iris(return_X_y=True)
    rows = np.isin(y, classes)
    model = SoftmaxRegression("sgd", C=np.inf, random_state=0, **parameters)
    (message,) = said(model, X[rows], y[rows])
    assert "infinity" in message
    assert model.stop_reason_ == "separable"
    assert not model.converged_


@pytest.mark.parametrize("far", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("seed", range(2))
def test_a_far_value_is_neither_convergence_nor_separation(far, C, seed):
    X, y = one_far_value(seed, far)
    model = SoftmaxRegression("sgd", C=C, random_state=0)
    messages = said(model, X, y)
    best = SoftmaxRegression("lbfgs", C=C).fit(X, y).loss_
    is_near = model.loss_ - best < 0.01 * (np.log(3) - best)
    assert model.stop_reason_ != "separable"
    assert model.converged_ == is_near
    assert (not messages) == is_near


@pytest.mark.parametrize("parameters", [{}, {"learning_rate": 0.1}, {"average": True}], ids=str)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_columns_that_no_row_holds_cost_nothing(parameters, fit_intercept):
    X, y = make_problem(0)
    parameters = {"fit_intercept": fit_intercept, "random_state": 0, "max_iter": 5, **parameters}
    plain = fit(sparse.csr_array(X), y, **parameters)
    places = np.array([3, 40, 41, 2**20 - 1])
    indices = places[sparse.csr_array(X).indices]
    wide = sparse.csr_array((X.ravel(), indices, np.arange(0, X.size + 1, 4)), (len(y), 2**20))
    model = fit(wide, y, early_stopping=False, **parameters)
    np.testing.assert_allclose(model.coef_[:, places], plain.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, plain.intercept_, rtol=1e-10, atol=1e-12)
    assert np.count_nonzero(model.coef_) == plain.coef_.size
    assert model.loss_ == pytest.approx(plain.loss_, rel=1e-12)


def test_a_warm_start_forgets_coefficients_of_columns_that_no_row_holds():
    X, y = make_problem(0)
    model = fit(X, y, warm_start=True, random_state=0, max_iter=3)
    X[:, 1] = 0
    assert np.all(model.fit(sparse.csr_array(X), y).coef_[:, 1] == 0)


def test_a_model_that_is_not_finite_is_an_error():
    """Its average is not: one class weighs so much that nothing is seen of the others."""
    X = (np.random.default_rng(0).random((10, 4)) < 0.5).astype(float)
    y = np.array([2, 0, 1, 0, 1, 1, 0, 0, 2, 1])
    model = SoftmaxRegression(
        "sgd", average=True, C=np.inf, class_weight={1: 1e300}, max_iter=20, batch_size=10
    )
    with pytest.raises(ValueError, match="not finite"):
        model.set_params(schedule="constant", random_state=0).fit(X, y)
    assert not hasattr(model, "coef_")
