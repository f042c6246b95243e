"""The estimator: its parameters, and what scikit-learn asks of it."""

import copy
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from sk_softmax._array_api import in_numpy, place_of, put, received_with, state_in_numpy
from sk_softmax._callbacks import CallbackSupportMixin
from sk_softmax._early_stopping import split_rows
from sk_softmax._fit import fit_to
from sk_softmax._hints import ExplainedParametersMixin, defaults_of, explained
from sk_softmax._partial_fit import available_if, can_stream, go_on
from sk_softmax._prediction import SoftmaxPredictionMixin
from sk_softmax._solver_choice import asks_for_sgd
from sk_softmax._solvers import SCHEDULES, SOLVERS
from sk_softmax._training_data import check_held_out_data, check_training_data, hold_out
from sk_softmax._validation import is_soft


class SoftmaxRegression(
    ExplainedParametersMixin,
    CallbackSupportMixin,
    ClassifierMixin,
    SoftmaxPredictionMixin,
    BaseEstimator,
):
    r"""Softmax regression, also known as multinomial logistic regression.

    Minimises, over coefficients W and intercepts b,

    .. math::

        C \sum_i s_i \, H\bigl(q_i, \operatorname{softmax}(W x_i + b + o_i)\bigr)
        + \sum_{kj} c_j \Bigl( \tfrac{1 - r}{2} W_{kj}^2 + r \, |W_{kj}| \Bigr)

    with H the cross-entropy, :math:`q_i` the one-hot label of row i, :math:`s_i` its weight
    times that of its class, :math:`o_i` its offset, zero unless `fit` is given one, r the
    `l1_ratio`, and :math:`c_j` the `penalty_factor` of feature j, one by default. This is
    the objective of scikit-learn's :class:`~sklearn.linear_model.LogisticRegression`, for any
    number of classes: with two there is one weight vector, and the model is the sigmoid's.

    Parameters
    ----------
    solver : {"auto", "lbfgs", "prox-newton", "sgd"}, default="auto"
        "lbfgs" is L-BFGS-B on all rows, which finds the minimum; "prox-newton" takes proximal
        Newton steps, also with L1 and within bounds, which "lbfgs" and "sgd" refuse; "sgd" takes
        steps along the gradients of mini-batches and comes near it sooner on large data. "auto"
        takes "prox-newton" for L1 and bounds; "sgd" if a parameter that only "sgd" has is not at
        its default (`learning_rate`, `schedule`, `batch_size`, `momentum`, `nesterov`, `average`,
        `record_batches`), or if one product of the data with the coefficients exceeds 1e10
        multiplications (about 1,300,000 rows of 784 features for 10 classes); otherwise "lbfgs".
        The other solvers warn of such parameters.
    C : float, default=1.0
        Inverse of the regularisation strength; positive, ``np.inf`` for no penalty.
    l1_ratio : float, default=0.0
        The share r of L1 in the penalty, in [0, 1]: 0 is L2 alone, 1 is L1 alone, which makes
        coefficients zero.
    penalty_factor : array-like of shape (n_features,), default=None
        Factors :math:`c_j` of the penalty, feature by feature, not negative; zero for features
        without a penalty. None for one.
    bounds : tuple (lower, upper), default=None
        Bounds on `coef_`: numbers or arrays that broadcast to its shape, infinite where there is
        none. They need not contain zero. None for no bounds.
    fit_intercept : bool, default=True
        Whether to fit an intercept for each class. It is never penalised.
    classes : array-like of shape (n_classes,), default=None
        All labels that there are; None for those in y. A class without rows keeps its column. With
        an intercept its probability is zero, see `intercept_`; without, or with `label_smoothing`,
        it has the coefficients at the minimum.
    class_weight : dict or "balanced", default=None
        Weights of the classes, by label, 1 for those it does not name; "balanced" makes the
        classes count alike. A weight of zero takes a class out: see `intercept_`.
    label_smoothing : float, default=0.0
        The share eps, in [0, 1), of the uniform distribution in the targets: a label stands
        for ``(1 - eps) onehot + eps / n_classes``.
    tol : float, default=1e-6
        Relative distance to the minimum at which to stop. "lbfgs" stops when a bound on
        ``f - f*``, `gap_`, is at most ``tol * abs(f)``, and at most ``sqrt(tol)`` times what f is
        below the loss of the class frequencies alone; "sgd" stops when its training loss has
        not fallen by this fraction for `n_iter_no_change` epochs, while the schedule has little
        left to fall, see also `converged_`. None to do `max_iter` iterations, or as many as
        floating point allows, without a warning.
    max_iter : int, default=None
        Maximum number of iterations ("lbfgs") or epochs ("sgd"); None for 1000 and 100. Zero for
        the start: coefficients of zero and the class frequencies, or with `warm_start` the model.
    learning_rate : float or "auto", default="auto"
        Step size of "sgd". A float multiplies the gradient of the mean loss in the features
        as given; "auto" derives the step from the data, scales it feature by feature and
        class by class, and gives epochs Nesterov's momentum. Once steps are short, gradients are
        corrected by what rows contributed before [4]_, which takes the noise out and needs memory
        for a number for each row and class.
    schedule : {"auto", "constant", "inverse_scaling", "cosine", "adaptive"}, default="auto"
        By what the learning rate is multiplied from epoch to epoch of "sgd": 1;
        ``(1 + epoch) ** -0.5``; half a period of the cosine, from 1 to 0 over `max_iter` epochs;
        or one half for each epoch that did not lower the training loss. "auto" takes "cosine"
        if `learning_rate` is "auto", otherwise "constant". In `partial_fit` calls take the place
        of epochs, and with the automatic rate "auto" takes "inverse_scaling", by rows. Ignored by
        "lbfgs", like all parameters from `learning_rate` to `average`.
    batch_size : int or "auto", default="auto"
        Rows per step of "sgd". "auto" takes a 64th of the rows, at most 256, with a float
        `learning_rate`; otherwise so many that the noise of their gradient limits the step as
        much as curvature does, between a 256th and a 32nd of the rows, and for sparse X so many
        that they store as many values as there are columns. In any case at least 8.
    momentum : float, default=0.0
        Momentum of "sgd", in [0, 1), from step to step; then epochs have none of their own.
    nesterov : bool, default=False
        Whether momentum is Nesterov's.
    average : bool, default=False
        Whether "sgd" returns an average of its iterates in place of the last one. The weight of
        the t-th is proportional to about t^3 [3]_, so that the last quarter has most of it. In
        `partial_fit` with the automatic rate the model is that average in any case, and if True
        one with weights proportional to t, which has less noise and a longer memory.
    early_stopping : bool, default=False
        Whether to stop once the loss on held-out rows, `X_val` of `fit` or a
        `validation_fraction` of the rows, has not fallen by the fraction `tol` for
        `n_iter_no_change` epochs or iterations. The model is the one that did best on them. Not
        for `partial_fit`.
    validation_fraction : float, default=0.1
        Share of each class's rows that `early_stopping` holds out, unless `X_val` is given. A
        class with a single row keeps it.
    n_iter_no_change : int, default=5
        Epochs without progress by `tol` after which "sgd" stops, see also `early_stopping`.
    record_batches : int, default=None
        Every so many batches, and at the end of an epoch, "sgd" adds the mean loss and accuracy
        of the batches since to `batch_history_`; None for never. Not for `partial_fit`.
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
        Intercepts. A class whose rows all have zero weight has -1000 and coefficients of zero,
        which makes its probability zero; the others are fitted as if it were absent. Where only
        one class has weight, the model always predicts that one.
    loss_ : float
        The objective reached, divided by C times the sum of the weights: mean cross-entropy
        plus penalty.
    gap_ : float
        For "lbfgs": a bound on what `loss_` is above its minimum, from the Newton decrement and
        generalised self-concordance [5]_; infinite if none was found, as after `max_iter`
        iterations. Where it is finite there is a minimum, also without a penalty. For "prox-newton"
        the duality gap.
    gap_method_ : {"cholesky", "cg", "duality"} or None
        What `gap_` rests on: the factorised Hessian of all rows, with which it is a theorem up to
        rounding; or conjugate gradients, which estimate the Newton decrement and the largest
        leverage of a row; or Fenchel duality, which is a theorem. None if `gap_` is infinite, or
        only one class has weight.
    n_iter_ : ndarray of shape (1,)
        Iterations or epochs done.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.
    solver_ : {"lbfgs", "prox-newton", "sgd"}
        The solver used.
    converged_ : bool
        Whether `tol` was met. For "sgd", by an estimate, whether at the end no more than 1% is left
        of what the loss falls by from the class frequencies alone to the minimum (or no more than
        the rounding of the loss).
    stop_reason_ : str
        "tol", "max_iter", "precision" (floating point allows no further progress),
        "separable" (the minimum is at infinity), "no_improvement", "early_stopping",
        "callback" or "partial_fit".
    history_ : dict of ndarray
        Of the last `fit`. One entry per iteration or epoch under each key: "n_iter", "loss",
        "accuracy" on the training rows, weighted as they are in the loss, and "time" in
        seconds since the start; for "lbfgs" also "gap", an estimate of f - f* and at the end
        `gap_`, "n_evaluations" so far, and the kind of "preconditioner"; for "prox-newton" in place
        of that "n_nonzero", the number of coefficients that are not zero; for "sgd"
        "learning_rate".
        With rows held out also "validation_loss" and "validation_accuracy". Loss and accuracy
        of an epoch of "sgd" are means over its batches, each before its step. A row for which
        all classes are equally probable counts as wrong.
    batch_history_ : dict of ndarray
        If `record_batches` is set, the same for groups of so many batches; "n_iter" counts
        epochs in fractions.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same objective.
    sklearn.linear_model.SGDClassifier : One-vs-rest by stochastic gradient descent.

    References
    ----------
    .. [1] C. Zhu, R. H. Byrd, P. Lu, J. Nocedal, "Algorithm 778: L-BFGS-B", ACM
       Transactions on Mathematical Software 23(4), 1997.
    .. [2] Christopher M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4.
    .. [3] O. Shamir, T. Zhang, "Stochastic Gradient Descent for Non-smooth Optimization:
       Convergence Results and Optimal Averaging Schemes", ICML 2013, section 4.
    .. [4] A. Defazio, F. Bach, S. Lacoste-Julien, "SAGA: A Fast Incremental Gradient Method With
       Support for Non-Strongly Convex Composite Objectives", NIPS 2014.
    .. [5] F. Bach, "Self-concordant analysis for logistic regression", Electronic Journal of
       Statistics 4, 2010.

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

    _doc_link_module = "sk_softmax"
    _doc_link_template = (
        "https://sk-softmax.readthedocs.io/en/stable/generated/"
        "{estimator_module}.{estimator_name}.html"
    )

    _parameter_constraints = {
        "solver": [StrOptions({"auto", *SOLVERS})],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "penalty_factor": ["array-like", None],
        "bounds": [tuple, list, None],
        "fit_intercept": ["boolean"],
        "classes": ["array-like", None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "max_iter": [Interval(Integral, 0, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "schedule": [StrOptions({"auto", *SCHEDULES})],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterov": ["boolean"],
        "average": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "record_batches": [Interval(Integral, 1, None, closed="left"), None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    @explained
    def __init__(
        self,
        solver="auto",
        *,
        C=1.0,
        l1_ratio=0.0,
        penalty_factor=None,
        bounds=None,
        fit_intercept=True,
        classes=None,
        class_weight=None,
        label_smoothing=0.0,
        tol=1e-6,
        max_iter=None,
        learning_rate="auto",
        schedule="auto",
        batch_size="auto",
        momentum=0.0,
        nesterov=False,
        average=False,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        record_batches=None,
        warm_start=False,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.solver = solver
        self.C = C
        self.l1_ratio = l1_ratio
        self.penalty_factor = penalty_factor
        self.bounds = bounds
        self.fit_intercept = fit_intercept
        self.classes = classes
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.tol = tol
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.momentum = momentum
        self.nesterov = nesterov
        self.average = average
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.record_batches = record_batches
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        offset=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        offset_val=None,
    ):
        """Fit the model.

        A fit that fails or is interrupted leaves the estimator as it was.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. float32 and float64 are kept, memory maps included; integers in an
            array are kept too, and converted block by block; other types become float64.
            Sparse matrices become CSR and stay sparse. By scikit-learn's ``array_api_dispatch``
            also tensors of PyTorch, CuPy and the like, which stay on their device.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels: strings, booleans, integers or integer-valued floats. Or, for each row,
            probabilities of the classes, such as the votes of annotators; the classes are the
            names of the columns of a data frame, otherwise ``0 .. n_classes - 1``.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative. A weight of k is k repetitions, zero leaves the row out.
        offset : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
            Numbers that are added to the logits, columns as in `classes_`; for two classes also one
            for each row, added to the log odds of ``classes_[1]``.
        X_val, y_val, sample_weight_val, offset_val : array-like, default=None
            Rows held out of the fit, as X, y, sample_weight and offset. `history_` has the loss and
            accuracy on them, and `early_stopping` goes by them.

        Returns
        -------
        self : SoftmaxRegression
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data cannot be used: wrong shapes, NaN or infinity, fewer than two classes,
            no positive weight, labels that are not among `classes`; if squares of values in X
            overflow, or vanish where no penalty makes up for it (the error is a FloatingPointError,
            too); or if "sgd" diverges because the learning rate is too large.

        Warns
        -----
        ConvergenceWarning
            If the solver ended before `tol` was met. With a float `learning_rate` only if the
            training loss was still falling, or most of what it can fall by is left.
        UserWarning
            If a parameter that only "sgd" has is set, and `solver` is "lbfgs"; or if all
            weight is on one class.
        """
        places, fitted = (place_of(X), place_of(y)), copy.copy(in_numpy(self))
        X, y, sample_weight, offset = received_with(X, y, sample_weight, offset)
        held_out = received_with(X_val, y_val, sample_weight_val, offset_val)
        for warning in fit_to(fitted, X, y, sample_weight, offset, held_out):
            warnings.warn(warning, stacklevel=3)
        put(fitted, *places)
        self.__dict__ = fitted.__dict__  # all of the new state, or nothing
        return self

    @available_if(can_stream)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None, *, offset=None):
        """Go through some rows once, after all that were seen before.

        One epoch of "sgd" on these rows, whatever `solver` says. It goes on from the rows of
        earlier calls, or from a model that `fit` found, whose data then count as seen: new rows
        move it by their share. It starts at `coef_` and `intercept_`, also if these were set by
        hand, and obeys parameters changed between calls. The penalty is that of all rows so far:
        ``C`` times the sum of their losses is held against ``1/2 ||W||^2``. A call that fails
        leaves the estimator as it was.

        With ``learning_rate="auto"`` the step is derived from the means and variances of the
        columns so far, falls with the number of rows, wherever calls cut them, and the model
        is an average of the iterates. It hardly depends on the size of the chunks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or probabilities, as for `fit`. Not all classes need be among them.
        classes : array-like of shape (n_classes,), default=None
            All labels that any call will bring. Needed at the first call, unless the parameter
            `classes` names them, and may be given again.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative.
        offset : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
            As for `fit`. Needed where `fit` or a call before had one.

        Returns
        -------
        self : SoftmaxRegression
            The fitted estimator. `loss_` is the mean over the batches of this call, each before
            its step, and `n_iter_` the number of calls.

        Raises
        ------
        ValueError
            As `fit`; if `classes` is missing at the first call or differs later; if y has a
            label that is not among them; if `coef_` or `intercept_` was set to another shape.
        AttributeError
            If `class_weight` is "balanced": pass a dict. With `l1_ratio`, `penalty_factor`,
            `bounds`, `early_stopping` or `record_batches`, for which there is only `fit`.

        Warns
        -----
        UserWarning
            If all rows are of one class, which after the rows before can hardly be chance: data
            that are sorted by class.
        """
        places, fitted = (place_of(X), place_of(y)), copy.copy(in_numpy(self))
        X, y, sample_weight, offset = received_with(X, y, sample_weight, offset)
        for warning in go_on(fitted, X, y, classes, sample_weight, offset):
            warnings.warn(warning, stacklevel=3)
        put(fitted, *places)
        self.__dict__ = fitted.__dict__
        return self

    def _check_data(self, X, y, sample_weight, offset):
        """The `TrainingData` that `fit` was given."""
        return check_training_data(self, X, y, sample_weight, self.class_weight, offset)

    def _check_held_out(self, X, y, sample_weight, offset, data):
        """The rows held out that `fit` was given, or None."""
        return check_held_out_data(self, X, y, sample_weight, offset, data)

    def _hold_out(self, data):
        """Rows to train on, and a `validation_fraction` of each class."""
        mask = split_rows(data.y, self.validation_fraction, check_random_state(self.random_state))
        if not mask.any():
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(data.y)} rows leaves "
                "none to be held out; increase it, or pass X_val and y_val."
            )
        return hold_out(data, mask)

    def score(self, X, y, sample_weight=None, *, offset=None):
        """Return the mean accuracy on rows with labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels. For probabilities there are :func:`soft_accuracy` and
            :func:`neg_soft_log_loss`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.
        offset : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
            As for `fit`.

        Returns
        -------
        score : float
            The weighted share of rows whose label is predicted.

        Raises
        ------
        ValueError
            If `y` holds probabilities.
        """
        X, y, sample_weight, offset = received_with(X, y, sample_weight, offset)
        if is_soft(y):
            raise ValueError(
                "score is the accuracy on labels, but y holds probabilities of shape "
                f"{np.shape(y)}. For these pass scoring=sk_softmax.soft_accuracy or "
                "scoring=sk_softmax.neg_soft_log_loss to searches and cross-validation, or call "
                "them: sk_softmax.soft_accuracy(model, X, y)."
            )
        from sklearn.metrics import accuracy_score  # which takes long to import

        return float(
            accuracy_score(y, in_numpy(self).predict(X, offset=offset), sample_weight=sample_weight)
        )

    def __setstate__(self, state):
        """Restore a model; parameters that its version did not have get their defaults."""
        super().__setstate__({**defaults_of(SoftmaxRegression), **state})

    def __getstate__(self):
        """Fitted arrays in NumPy: a model can be loaded where other libraries are not."""
        return state_in_numpy(super().__getstate__())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = not asks_for_sgd(self)
        return tags
