"""Minima along C: each found from the one before, on rows that are made once."""

import copy
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from sk_softmax._fit import minimised
from sk_softmax._formulation import coefficients, make_objective
from sk_softmax._penalty import Penalty
from sk_softmax._regularisation import make_penalty
from sk_softmax._softmax_regression import SoftmaxRegression
from sk_softmax._solver_choice import solver_of
from sk_softmax._solvers import SOLVERS, choose_solver
from sk_softmax._threads import RowThreads
from sk_softmax._training_data import check_training_data


@dataclass(frozen=True)
class SoftmaxPath:
    """Models along C, as `softmax_path` returns them.

    Attributes
    ----------
    Cs : ndarray of shape (n_Cs,)
        Inverse strengths of the penalty, ascending.
    coefs : ndarray of shape (n_Cs, n_classes, n_features) or (n_Cs, 1, n_features)
        As `coef_` of each model.
    intercepts : ndarray of shape (n_Cs, n_classes) or (n_Cs, 1)
        As `intercept_` of each model.
    losses : ndarray of shape (n_Cs,)
        As `loss_` of each model: the objective divided by C times the sum of the weights.
    gaps : ndarray of shape (n_Cs,)
        As `gap_` of each model; infinite for "sgd".
    converged : ndarray of shape (n_Cs,), bool
    n_iter : ndarray of shape (n_Cs,), int
    n_nonzero : ndarray of shape (n_Cs,), int
        Coefficients that are not zero, of all classes.
    classes : ndarray of shape (n_classes,)
    feature_names : ndarray of shape (n_features,) or None
        Names of the columns of X, if it has names that are all strings.
    estimator : SoftmaxRegression
        Whose parameters the models have but for C; not fitted.
    """

    Cs: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    losses: np.ndarray
    gaps: np.ndarray
    converged: np.ndarray
    n_iter: np.ndarray
    n_nonzero: np.ndarray
    classes: np.ndarray
    feature_names: np.ndarray | None
    estimator: SoftmaxRegression

    def __repr__(self):
        return (
            f"SoftmaxPath of {len(self.Cs)} models, C from {self.Cs[0]:.3g} to {self.Cs[-1]:.3g}, "
            f"{self.n_nonzero.min()} to {self.n_nonzero.max()} of {self.coefs[0].size} "
            "coefficients not zero"
        )

    def model(self, index):
        """The fitted model of one C.

        Parameters
        ----------
        index : int
            Of `Cs`.

        Returns
        -------
        model : SoftmaxRegression
            Fitted; without a history.
        """
        model = clone(self.estimator).set_params(C=float(self.Cs[index]))
        model.classes_, model.n_features_in_ = self.classes, self.coefs.shape[-1]
        model.coef_, model.intercept_ = self.coefs[index].copy(), self.intercepts[index].copy()
        model.loss_, model.converged_ = float(self.losses[index]), bool(self.converged[index])
        model.n_iter_ = np.array([self.n_iter[index]], dtype=np.int32)
        if self.feature_names is not None:
            model.feature_names_in_ = self.feature_names
        return model


def softmax_path(estimator, X, y, sample_weight=None, *, offset=None, Cs=100, eps=1e-3):
    """Fit a model for each of many values of C, from the strongest penalty to the weakest.

    Each fit starts where the two minima before it point, by a line along log C, or at the last one
    if the objective is lower there. All share what does not depend on C.

    Parameters
    ----------
    estimator : SoftmaxRegression
        Whose parameters all models have, but for C. It is not changed.
    X, y, sample_weight, offset
        As for :meth:`SoftmaxRegression.fit`.
    Cs : int or array-like, default=100
        Values of C; or how many there are to be, at equal ratios. With L1 in the penalty these
        begin at the largest C at which all penalised coefficients are zero, and end `eps` times
        weaker; with L2 alone they go from 1e-4 to 1e4.
    eps : float, default=1e-3
        The last strength of the penalty in the first one, in (0, 1).

    Returns
    -------
    path : SoftmaxPath
        With arrays along `Cs`, ascending.

    Raises
    ------
    ValueError
        As `fit`; if `Cs` is empty or not positive; if bounds exclude zero, and `Cs` is a number.

    See Also
    --------
    SoftmaxRegressionCV : Chooses C by cross-validation.
    PathDisplay : Draws a path.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani, "Regularization Paths for Generalized Linear
       Models via Coordinate Descent", Journal of Statistical Software 33(1), 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_softmax import SoftmaxRegression, softmax_path
    >>> X, y = load_iris(return_X_y=True)
    >>> path = softmax_path(SoftmaxRegression(l1_ratio=1.0), X, y, Cs=5)
    >>> path.n_nonzero.tolist()
    [0, 2, 3, 6, 6]
    """
    model = copy.copy(estimator)
    model._validate_params()
    if not 0 < eps < 1:
        raise ValueError(f"eps must lie between 0 and 1, got {eps!r}.")
    data = check_training_data(model, X, y, sample_weight, model.class_weight, offset)
    with RowThreads(model.n_jobs) as threads:
        if isinstance(Cs, (int, np.integer)):
            Cs = default_Cs(model, data, threads, Cs, eps)
        steps = list(minima_along(model, data, threads, check_Cs(Cs)))
    results = [result for _, _, result in steps]
    coefs = np.array([found["coef_"] for _, found, _ in steps])
    return SoftmaxPath(
        np.array([C for C, _, _ in steps]),
        coefs,
        np.array([found["intercept_"] for _, found, _ in steps]),
        np.array([result.value for result in results]),
        np.array([result.gap for result in results]),
        np.array([result.converged for result in results]),
        np.array([result.n_iter for result in results]),
        np.count_nonzero(coefs, axis=(1, 2)),
        data.classes,
        getattr(model, "feature_names_in_", None),
        clone(estimator),
    )


def check_Cs(Cs):
    """Values of C, ascending."""
    Cs = np.sort(np.asarray(Cs, dtype=np.float64).ravel())
    if len(Cs) == 0 or not (Cs > 0).all():
        raise ValueError(f"Cs must hold positive numbers, at least one, got {Cs}.")
    return Cs


def minima_along(model, data, threads, Cs):
    """Yield each C, the coefficients there by name, and the `SolverResult`."""
    model = copy.copy(model)
    model.C = float(Cs[0])
    objective = make_objective(model, data, threads)
    (theta, loss), minima = objective.null_model(), []
    for C in Cs:
        model.C = float(C)
        objective = objective.with_penalty(make_penalty(model, data, data.total_weight))
        if len(minima) == 2:
            theta = _start(objective, _ahead(objective, *minima, np.log(C)), theta, loss)
        _, solver = solver_of(model, objective)
        result = minimised(solver, objective, theta, lambda state: False)
        theta = result.theta
        loss = result.value - objective.penalty.value(objective.unpack(theta)[0])
        nearer = theta if result.nearer is None else result.nearer
        minima = [*minima[-1:], (np.log(C), nearer)]
        yield model.C, coefficients(objective, theta, data), result


def _start(objective, guess, theta, loss):
    """A guess, or the last minimum if f is lower there, from its loss."""
    penalty = objective.penalty
    value = loss + penalty.value(objective.unpack(theta)[0])
    with np.errstate(over="ignore", invalid="ignore"):  # a guess without a value is not lower
        at_guess = objective.loss(guess)[0] + penalty.value(objective.unpack(guess)[0])
    return guess if at_guess < value else theta


def _ahead(objective, before, last, x):
    """The minimum at x = log C as the last two, (x, theta), have it.

    By the line through the two, on which a coefficient with an absolute value in its penalty keeps
    its sign, and stays at zero.
    """
    (x_before, theta_before), (x_last, theta) = before, last
    distance = x_last - x_before
    if not (np.isfinite(x) and distance > 0):
        return theta
    guess = theta + (x - x_last) / distance * (theta - theta_before)
    W, penalty = objective.unpack(guess)[0], objective.penalty
    W[(W * objective.unpack(theta)[0] <= 0) & (penalty.l1 > 0)] = 0
    np.clip(W, penalty.lower, penalty.upper, out=W)
    return guess


def default_Cs(model, data, threads, number, eps):
    """Values of C at equal ratios, ascending, see `softmax_path`."""
    if number < 1:
        raise ValueError(f"Cs must be at least 1, got {number}.")
    if model.l1_ratio == 0 or len(data.weighted) == 1:
        return fixed_grid(number)
    smallest = _smallest_C(model, data, threads)
    return np.geomspace(smallest, smallest / eps, number) if number > 1 else np.array([smallest])


def fixed_grid(number):
    """Values of C at equal ratios, ascending, whatever the data are; as LogisticRegressionCV's."""
    return np.geomspace(1e-4, 1e4, number)


def _smallest_C(model, data, threads):
    """The largest C at which all penalised coefficients are zero."""
    model = copy.copy(model)
    model.C = 1.0
    objective = make_objective(model, data, threads)
    penalty = objective.penalty
    l1 = np.broadcast_to(penalty.l1, (objective.n_classes, objective.n_features))
    lower, upper = (
        np.broadcast_to(bound, l1.shape).copy() for bound in (penalty.lower, penalty.upper)
    )
    penalised = l1 > 0
    if (penalised & ((lower > 0) | (upper < 0))).any():
        raise ValueError("bounds that exclude zero leave no C to begin with: pass Cs as values.")
    free = upper > lower
    lower[penalised] = upper[penalised] = 0
    null = objective.with_penalty(Penalty(penalty.l2, penalty.l1, lower, upper))
    solver = SOLVERS[choose_solver(null.rows, null.penalty)](tol=1e-10, max_iter=None)
    theta = solver.minimize(null, objective.null_model()[0], lambda state: False).theta
    G, _ = objective.unpack(objective.evaluate(theta).gradient)
    ratio = (abs(G) / np.where(penalised, l1, 1))[penalised & free]
    if not (ratio > 0).any():
        raise ValueError("No penalised feature is related to the classes: pass Cs as values.")
    return 1 / float(ratio.max())
