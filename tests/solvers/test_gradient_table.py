import numpy as np
import pytest
from reference import make_problem, mean_gradient
from scipy import sparse

from sk_softmax._batches import Batches, Parameters
from sk_softmax._solvers._gradient_table import GradientTable


def theta_of(objective, seed):
    return np.random.default_rng(seed).standard_normal(objective.shape)


def visit(table, objective, theta, size, seed):
    """Corrected gradients (K, p + 1) of the batches of an epoch at one theta, and their sizes."""
    parameters, gradients, sizes = Parameters.of(objective, theta.T), [], []
    order = np.random.default_rng(seed).permutation(objective.n_samples)
    for batch in Batches(objective, size).epoch(order):
        G, m = Parameters(objective), len(batch.weights)
        batch.gradient(parameters, G, *np.empty((2, m), dtype=objective.dtype), table)
        table.correct(G, m)
        gradients.append(G.as_array().T)
        sizes.append(m)
    table.complete()
    return np.array(gradients), np.array(sizes)


@pytest.fixture(params=["labels", "smoothed", "soft", "sparse", "without intercept"])
def problem(request, make_objective):
    """An objective, and the gradient of its mean loss as a function of theta."""
    X, y = make_problem(0)
    s = np.random.default_rng(0).uniform(0.2, 3, size=len(y))
    layout = sparse.csr_array if request.param == "sparse" else np.asarray
    fit_intercept = request.param != "without intercept"
    smoothing = 0.2 if request.param == "smoothed" else 0.0
    if request.param == "soft":
        y = np.random.default_rng(1).dirichlet(np.ones(3), size=len(y))
    objective = make_objective(
        layout(X), y, s, fit_intercept=fit_intercept, label_smoothing=smoothing
    )
    if smoothing:
        y = 0.8 * np.eye(3)[y] + 0.2 / 3
    return objective, lambda theta: mean_gradient(theta, X, y, s, 0.0)


@pytest.mark.parametrize("size", [1, 16, 20, 80])
def test_the_first_epoch_is_left_as_it_is(problem, size):
    """Without a bias: the mean over the batches is the gradient itself."""
    objective, gradient = problem
    theta = theta_of(objective, 0)
    G, m = visit(GradientTable(objective), objective, theta, size, seed=0)
    np.testing.assert_allclose(np.average(G, axis=0, weights=m), gradient(theta), atol=1e-14)
    assert size == 80 or np.std(G, axis=0).max() > 1e-3


@pytest.mark.parametrize("size", [1, 16, 20, 80])
def test_at_rest_every_batch_has_the_gradient_of_all_rows(problem, size):
    """Once all were visited there, or at once in a table made there."""
    objective, gradient = problem
    elsewhere, theta = theta_of(objective, 0), theta_of(objective, 1)
    filled, moved = GradientTable(objective), GradientTable.at(objective, elsewhere.ravel())
    for table in (filled, moved):
        visit(table, objective, theta, size, seed=0)
    for table in (filled, moved, GradientTable.at(objective, theta.ravel())):
        G, _ = visit(table, objective, theta, size, seed=1)
        np.testing.assert_allclose(G, np.broadcast_to(gradient(theta), G.shape), atol=1e-13)


@pytest.mark.parametrize("size", [1, 16])
def test_estimates_have_no_bias_after_visits_at_other_coefficients(problem, size):
    """The first batches of many epochs from the same table: their mean is the gradient."""
    objective, gradient = problem
    before, theta = theta_of(objective, 0), theta_of(objective, 1)
    first = []
    for seed in range(400):
        table = GradientTable.at(objective, before.ravel())
        batch = next(Batches(objective, size).epoch(np.random.default_rng(seed).permutation(80)))
        G = Parameters(objective)
        batch.gradient(Parameters.of(objective, theta.T), G, *np.empty((2, size)), table)
        table.correct(G, size)
        first.append(G.as_array().T)
    error = np.std(first, axis=0) / np.sqrt(len(first))
    assert np.abs((np.mean(first, axis=0) - gradient(theta)) / error).max() < 5


def test_the_penalty_is_left_to_the_step(make_objective):
    X, y = make_problem(0)
    theta = np.random.default_rng(0).standard_normal((3, 5))
    sums = [
        GradientTable.at(make_objective(X, y, lam=lam), theta.ravel())._sum.flat
        for lam in (0.0, 10.0)
    ]
    np.testing.assert_allclose(*sums, atol=1e-13)


def test_its_memory_is_that_of_the_probabilities(make_objective):
    objective = make_objective(*make_problem(0))
    assert GradientTable.n_bytes(objective) == GradientTable(objective)._P.nbytes == 80 * 3 * 8
