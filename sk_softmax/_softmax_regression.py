"""The estimator: validate, build the objective, solve, unpack."""

import copy
import warnings
from dataclasses import fields
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sk_softmax._callbacks import IterationRecorder
from sk_softmax._objective import Objective
from sk_softmax._softmax import log_softmax, softmax
from sk_softmax._solvers import SOLVERS, StopReason, choose_solver
from sk_softmax._threads import RowThreads
from sk_softmax._validation import check_data, check_training_data

_NOT_CONVERGED = {
    StopReason.MAX_ITER: "stopped after max_iter={n_iter} {unit}; increase max_iter or tol",
    StopReason.PRECISION: (
        "can get no nearer to the minimum in floating point; increase tol, or scale the features"
    ),
    StopReason.SEPARABLE: (
        "stopped after {n_iter} {unit}: hyperplanes separate the classes, so that without a "
        "penalty the minimum is at infinity; set C to a finite number"
    ),
    StopReason.DIVERGED: (
        'diverged after {n_iter} {unit}; lower learning_rate or leave it at "auto", and scale '
        "the features, for example with StandardScaler"
    ),
}


class SoftmaxRegression(ClassifierMixin, BaseEstimator):
    r"""Softmax regression, also known as multinomial logistic regression.

    Minimises, over coefficients W and intercepts b,

    .. math::

        C \sum_i s_i \, H\bigl(q_i, \operatorname{softmax}(W x_i + b)\bigr)
        + \tfrac{1}{2} \lVert W \rVert^2

    with H the cross-entropy, :math:`q_i` the one-hot label of row i and :math:`s_i` its
    weight times that of its class. This is the objective of scikit-learn's
    :class:`~sklearn.linear_model.LogisticRegression`, for any number of classes: with two
    there is one weight vector, and the model is the sigmoid's.

    Parameters
    ----------
    solver : {"auto", "lbfgs", "sgd"}, default="auto"
        "lbfgs" is L-BFGS-B on all rows, which finds the minimum; "sgd" takes steps along
        the gradients of mini-batches, which is of use sooner on large data. "auto" takes
        "lbfgs" unless one product of the data with the coefficients exceeds 1e10
        multiplications (about 1,300,000 rows of 784 features for 10 classes).
    C : float, default=1.0
        Inverse of the regularisation strength; positive, ``np.inf`` for no penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept for each class. It is never penalised.
    class_weight : dict or "balanced", default=None
        Weights of the classes, by label; "balanced" makes the classes count alike. A weight
        of zero takes a class out: see `intercept_`.
    tol : float, default=1e-6
        Relative distance to the minimum at which to stop. For "lbfgs" an estimate of
        ``(f - f*) / abs(f*)``; "sgd" stops when its training loss has not fallen by this
        fraction for `n_iter_no_change` epochs. None to do `max_iter` iterations, or as many
        as floating point allows, without a warning.
    max_iter : int, default=None
        Maximum number of iterations ("lbfgs") or epochs ("sgd"); None for 1000 and 100.
    learning_rate : float or "auto", default="auto"
        Step size of "sgd". A float multiplies the gradient of the mean loss in the features
        as given; "auto" derives the step from the data and scales it feature by feature.
    batch_size : int or "auto", default="auto"
        Rows per step of "sgd"; "auto" for a 64th of the rows, at least 8 and at most 256.
    momentum : float, default=0.0
        Momentum of "sgd", in [0, 1).
    n_iter_no_change : int, default=5
        Epochs without progress by `tol` after which "sgd" stops.
    warm_start : bool, default=False
        Whether `fit` starts at the previous solution, whose classes are matched by label.
    random_state : int, RandomState instance or None, default=None
        Determines the order of rows in "sgd". "lbfgs" does not use it.
    n_jobs : int, default=None
        Number of threads, at most as many as BLAS may use; None for that many.
    verbose : int, default=0
        Whether to print a line for each iteration or epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        Coefficients; one row when there are two classes. With more, rows sum to zero at the
        minimum. In the precision of X.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts. ``-inf``, probability zero, for a class whose rows all have zero weight;
        the others are fitted as if it were absent.
    loss_ : float
        The objective reached, divided by C times the sum of the weights: mean cross-entropy
        plus penalty.
    n_iter_ : ndarray of shape (1,)
        Iterations or epochs done.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.
    solver_ : {"lbfgs", "sgd"}
        The solver used.
    converged_ : bool
        Whether `tol` was met.
    stop_reason_ : str
        "tol", "max_iter", "precision" (floating point allows no further progress),
        "separable" (the minimum is at infinity) or "no_improvement".
    history_ : dict of ndarray
        One entry per iteration or epoch under each key: "n_iter", "loss", and "time" in
        seconds since the start; for "lbfgs" also "gap", the estimate of f - f*,
        "n_evaluations" so far, and the kind of "preconditioner"; for "sgd" "learning_rate".

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same objective.
    sklearn.linear_model.SGDClassifier : One-vs-rest by stochastic gradient descent.

    References
    ----------
    .. [1] C. Zhu, R. H. Byrd, P. Lu, J. Nocedal, "Algorithm 778: L-BFGS-B", ACM
       Transactions on Mathematical Software 23(4), 1997.
    .. [2] C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_softmax import SoftmaxRegression
    >>> X, y = load_wine(return_X_y=True)
    >>> model = SoftmaxRegression().fit(X, y)  # raw features, no scaler
    >>> model.solver_, model.converged_
    ('lbfgs', True)
    >>> round(model.loss_ * len(y), 3)
    11.078
    >>> round(model.score(X, y), 3)
    0.994
    """

    _parameter_constraints = {
        "solver": [StrOptions({"auto", *SOLVERS})],
        "C": [Interval(Real, 0, None, closed="right")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        solver="auto",
        *,
        C=1.0,
        fit_intercept=True,
        class_weight=None,
        tol=1e-6,
        max_iter=None,
        learning_rate="auto",
        batch_size="auto",
        momentum=0.0,
        n_iter_no_change=5,
        warm_start=False,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.solver = solver
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.momentum = momentum
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        A fit that fails or is interrupted leaves the estimator as it was.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. float32 and float64 are kept, other types become float64; sparse
            matrices become CSR and stay sparse.
        y : array-like of shape (n_samples,)
            Labels: strings, booleans, integers or integer-valued floats.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative. A weight of k is k repetitions, zero leaves the row out.

        Returns
        -------
        self : SoftmaxRegression
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data cannot be used: wrong shapes, NaN or infinity, fewer than two classes
            with positive weight, labels that are not classes; or if "sgd" diverges because
            the learning rate is too large.
        FloatingPointError
            If the objective overflows because values in X are too large.

        Warns
        -----
        ConvergenceWarning
            If the solver ended before `tol` was met.
        """
        fitted = copy.copy(self)
        fitted._fit(X, y, sample_weight)
        self.__dict__ = fitted.__dict__  # all of the new state, or nothing
        return self

    def _fit(self, X, y, sample_weight):
        """`fit`, on an object of its own."""
        data = check_training_data(self, X, y, sample_weight, self.class_weight)
        with RowThreads(self.n_jobs) as threads:
            objective = self._make_objective(data, threads)
            theta = self._initial_theta(objective, data)
            solver = self._make_solver(objective)
            recorder = IterationRecorder(solver.metrics, self.verbose)
            result = solver.minimize(objective, theta, recorder)
        if result.stop_reason is StopReason.DIVERGED:
            raise ValueError(f"The solver {self._complaint(result)}.")
        self._unpack(objective, result.theta, data)
        self.loss_ = result.value
        self.n_iter_ = np.array([result.n_iter], dtype=np.int32)
        self.converged_ = result.converged
        self.stop_reason_ = str(result.stop_reason)
        self.history_ = recorder.history()
        expected = result.converged or self.tol is None
        if result.stop_reason in _NOT_CONVERGED and not expected:
            warnings.warn(
                f"The solver {self._complaint(result)}.", ConvergenceWarning, stacklevel=4
            )

    def _make_solver(self, objective):
        """Set `solver_` and make it, from the parameters that its fields name."""
        self.solver_ = self.solver
        if self.solver == "auto":
            self.solver_ = choose_solver(objective.n_stored, objective.n_classes)
        solver_class = SOLVERS[self.solver_]
        options = {field.name: getattr(self, field.name) for field in fields(solver_class)}
        if "random_state" in options:
            options["random_state"] = check_random_state(self.random_state)
        return solver_class(**options)

    def _complaint(self, result):
        """What went wrong and what to do about it."""
        unit = "epochs" if self.solver_ == "sgd" else "iterations"
        reason = _NOT_CONVERGED[result.stop_reason]
        return f"{self.solver_!r} " + reason.format(n_iter=result.n_iter, unit=unit)

    def _make_objective(self, data, threads):
        """The objective on the classes that have weight.

        With two classes a softmax of two rows at C/2 is the sigmoid model at C.
        """
        n_classes = len(data.weighted)
        C = self.C / 2 if n_classes == 2 else self.C
        return Objective(
            data.X,
            data.y,
            data.sample_weight,
            n_classes=n_classes,
            lam=float(1 / (C * data.sample_weight.sum())),
            fit_intercept=self.fit_intercept,
            threads=threads,
        )

    def _initial_theta(self, objective, data):
        """Zero coefficients and the log class priors as intercepts, or the previous fit's."""
        W, b = np.zeros((objective.n_classes, objective.n_features)), objective.log_priors()
        if self.warm_start and hasattr(self, "coef_"):
            self._check_warm_start(data)
            previous_W, previous_b = self.coef_, self.intercept_
            if len(self.classes_) == 2:
                previous_W, previous_b = previous_W * [[-0.5], [0.5]], previous_b * [-0.5, 0.5]
            row_of = {label: row for row, label in enumerate(self.classes_)}
            for k, label in enumerate(data.classes[data.weighted]):
                row = row_of.get(label)
                if row is not None and np.isfinite(previous_b[row]):
                    W[k], b[k] = previous_W[row], previous_b[row]
        theta = np.column_stack([W, b]) if self.fit_intercept else W
        return (theta - theta.mean(axis=0)).ravel()

    def _check_warm_start(self, data):
        """The previous solution must have the shape of the new one."""
        shapes = {
            "features": (data.X.shape[1], self.coef_.shape[1]),
            "classes": (len(data.classes), len(self.classes_)),
        }
        for what, (now, before) in shapes.items():
            if now != before:
                raise ValueError(
                    f"warm_start=True needs the {what} of the previous fit, which had {before}; "
                    f"now there are {now}. Set warm_start=False to start anew."
                )

    def _unpack(self, objective, theta, data):
        """Set `classes_`, and `coef_` and `intercept_` for all of them."""
        self.classes_ = data.classes
        W, b = objective.unpack(theta)
        b = np.zeros(objective.n_classes) if b is None else b
        if len(self.classes_) == 2:
            coef, intercept = W[1:] - W[:1], b[1:] - b[:1]
        else:
            coef = np.zeros((len(self.classes_), objective.n_features))
            intercept = np.full(len(self.classes_), -np.inf)
            coef[data.weighted], intercept[data.weighted] = W, b
        self.coef_ = coef.astype(objective.X.dtype)
        self.intercept_ = intercept.astype(objective.X.dtype)

    def decision_function(self, X):
        """Logits: signed scores of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            ``X @ coef_.T + intercept_``. With two classes one number for each row, the log
            odds of ``classes_[1]``.
        """
        check_is_fitted(self)
        scores = check_data(self, X) @ self.coef_.T + self.intercept_
        return scores.ravel() if len(self.classes_) == 2 else scores

    def predict(self, X):
        """Most probable labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Members of `classes_`.
        """
        scores = self.decision_function(X)
        codes = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; each row sums to one.
        """
        return np.ascontiguousarray(softmax(self._logits(X)).T)

    def predict_log_proba(self, X):
        """Logarithms of the probabilities, finite where the probability underflows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_P : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return np.ascontiguousarray(log_softmax(self._logits(X)).T)

    def _logits(self, X):
        """Logits of all classes, (n_classes, n_samples)."""
        scores = self.decision_function(X)
        return np.stack([np.zeros_like(scores), scores]) if scores.ndim == 1 else scores.T

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
