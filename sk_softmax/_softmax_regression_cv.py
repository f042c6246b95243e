"""Softmax regression that chooses C and `l1_ratio` by cross-validation."""

import copy
from numbers import Integral

import numpy as np
import sklearn
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from sk_softmax._array_api import received_with
from sk_softmax._callbacks import CallbackSupportMixin, SearchTask, with_callbacks
from sk_softmax._folds import FoldPath, fit_fold, scorer_of
from sk_softmax._hints import ExplainedParametersMixin, explained
from sk_softmax._path import check_Cs, fixed_grid
from sk_softmax._prediction import SoftmaxPredictionMixin
from sk_softmax._softmax_regression import SoftmaxRegression
from sk_softmax._training_data import check_rows

# Parameters that are handed on to each fit.
_OF_FITS = (
    "solver",
    "penalty_factor",
    "bounds",
    "fit_intercept",
    "class_weight",
    "label_smoothing",
    "tol",
    "max_iter",
    "random_state",
)


class SoftmaxRegressionCV(
    ExplainedParametersMixin,
    CallbackSupportMixin,
    ClassifierMixin,
    SoftmaxPredictionMixin,
    BaseEstimator,
):
    """Softmax regression whose C and `l1_ratio` are chosen by cross-validation.

    For each fold and each `l1_ratio` models are fitted along C, as by :func:`softmax_path`, and
    scored on the rows of the fold. The parameters are those of
    :class:`~sklearn.linear_model.LogisticRegressionCV`, and the attributes have the shapes that
    they have there with ``use_legacy_attributes=False``.

    Parameters
    ----------
    Cs : int or array-like, default=10
        Values of C, the inverse of the regularisation strength; or how many, from 1e-4 to 1e4 at
        equal ratios.
    l1_ratios : array-like, default=(0.0,)
        Values of `l1_ratio`, in [0, 1], see :class:`SoftmaxRegression`.
    cv : int, cross-validation generator or iterable, default=None
        How to split the rows; None for five folds, stratified by class. Of targets that are
        probabilities the folds are not stratified.
    scoring : str or callable, default=None
        What to choose by; None for the accuracy. "neg_log_loss" and "accuracy" match the columns of
        probabilities to classes by label, so that a fold may lack some, and take probabilities as
        targets; other names are those of scikit-learn.
    selection : {"best", "one_standard_error"}, default="best"
        Whether to take the C of the best mean score; or the smallest, so the strongest penalty,
        whose mean score is within one standard error of that [1]_, at the same `l1_ratio`.
    refit : bool, default=True
        Whether to fit to all rows with the parameters chosen. Otherwise coefficients, intercepts
        and parameters are averages over the folds, each with what is best for it; then `selection`
        has to be "best".
    solver, penalty_factor, bounds, fit_intercept, classes, class_weight, label_smoothing, tol, \
max_iter, random_state
        As in :class:`SoftmaxRegression`, for all fits.
    n_jobs : int, default=None
        Number of processes that share the folds; None for one. The numbers are the same.
    verbose : int, default=0
        Whether to print a line for each fold.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        Coefficients, see :class:`SoftmaxRegression`.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts.
    C_ : float
        The C chosen.
    l1_ratio_ : float
        The `l1_ratio` chosen.
    Cs_ : ndarray of shape (n_Cs,)
        The values of C, ascending.
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
        The values of `l1_ratio`.
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        The score of each model on the rows of its fold.
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs, n_classes or 1, n_features + 1)
        Coefficients, and beside them intercepts if there are any.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        Iterations of each fit.
    converged_ : bool
        Whether all fits met `tol`, the last one included.
    estimator_ : SoftmaxRegression
        The model that was fitted to all rows, if `refit` is set.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    softmax_path : The models along C, without cross-validation.
    CVDisplay : Draws the scores.

    References
    ----------
    .. [1] L. Breiman, J. Friedman, C. J. Stone, R. A. Olshen, "Classification and Regression
       Trees", 1984, section 3.4.3.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_softmax import SoftmaxRegressionCV
    >>> X, y = load_wine(return_X_y=True)
    >>> model = SoftmaxRegressionCV(l1_ratios=[1.0], scoring="neg_log_loss").fit(X, y)
    >>> model.scores_.shape
    (5, 1, 10)
    >>> bool(model.C_ == model.Cs_[model.scores_.mean(axis=0)[0].argmax()])
    True
    """

    _parameter_constraints = {
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "l1_ratios": ["array-like"],
        "cv": ["cv_object"],
        "scoring": [str, callable, None],
        "selection": [StrOptions({"best", "one_standard_error"})],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        **{name: SoftmaxRegression._parameter_constraints[name] for name in (*_OF_FITS, "classes")},
    }

    @explained
    def __init__(
        self,
        *,
        Cs=10,
        l1_ratios=(0.0,),
        cv=None,
        scoring=None,
        selection="best",
        refit=True,
        solver="auto",
        penalty_factor=None,
        bounds=None,
        fit_intercept=True,
        classes=None,
        class_weight=None,
        label_smoothing=0.0,
        tol=1e-6,
        max_iter=None,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.cv = cv
        self.scoring = scoring
        self.selection = selection
        self.refit = refit
        self.solver = solver
        self.penalty_factor = penalty_factor
        self.bounds = bounds
        self.fit_intercept = fit_intercept
        self.classes = classes
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Choose C and `l1_ratio`, and fit the model.

        A fit that fails or is interrupted leaves the estimator as it was.

        Parameters
        ----------
        X, y, sample_weight
            As for :meth:`SoftmaxRegression.fit`. The weights of the rows of a fold are also those
            of its score, unless metadata routing says otherwise.
        **params : dict
            What the splitter and the scorer ask for, such as `groups`, with metadata routing.

        Returns
        -------
        self : SoftmaxRegressionCV
            The fitted estimator.

        Raises
        ------
        ValueError
            As :meth:`SoftmaxRegression.fit`; if `Cs` is empty or not positive; if `l1_ratios` is
            empty or not in [0, 1].

        Warns
        -----
        ConvergenceWarning
            If the last fit ended before `tol` was met.
        """
        fitted = copy.copy(self)
        X, y, sample_weight = received_with(X, y, sample_weight)
        fitted._fit(X, y, sample_weight, params)
        self.__dict__ = fitted.__dict__  # all of the new state, or nothing
        return self

    @with_callbacks
    def _fit(self, X, y, sample_weight, params):
        """`fit`, of a copy that takes the place of the estimator if all goes well."""
        from sklearn.model_selection import check_cv  # which takes long to import

        self._check_selection()
        Cs, l1_ratios = self._grid()
        routed = self._routed(sample_weight, params)
        rows, codes, self.classes_ = check_rows(self, X, y, sample_weight)
        folds = list(check_cv(self.cv, y, classifier=True).split(rows, y, **routed["split"]))
        paths = [(fold, r) for fold in folds for r in l1_ratios]
        task = SearchTask(self, X, y, {"sample_weight": sample_weight}, len(paths))
        # Every fold has all classes, those included that its rows lack.
        y = y if hasattr(y, "columns") else np.asarray(y)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        arguments = rows, codes, y, self.classes_, weights
        results = Parallel(n_jobs=self.n_jobs, verbose=self.verbose)(
            delayed(fit_fold)(
                self._model(l1_ratio=r, classes=self.classes_),
                Cs,
                *arguments,
                fold,
                scorer_of(self.scoring),
                routed["score"],
                task.path(index, len(Cs)),
            )
            for index, (fold, r) in enumerate(paths)
        )
        shape = len(folds), len(l1_ratios), len(Cs)
        found = FoldPath(*(np.array(some) for some in zip(*results, strict=True)))
        found = FoldPath(*(some.reshape(*shape, *some.shape[2:]) for some in found))
        self.Cs_, self.l1_ratios_ = Cs, l1_ratios
        self.scores_, self.n_iter_, self.coefs_paths_ = found.scores, found.n_iter, found.coefs
        self.converged_ = bool(found.converged.all())
        if self.refit:
            self._refit(X, y, sample_weight, task)
        else:
            self._average()
        task.end()

    def _refit(self, X, y, sample_weight, task):
        """Fit to all rows with what `selection` chooses."""
        i, j = chosen(self.scores_, self.selection)
        self.C_, self.l1_ratio_ = float(self.Cs_[j]), float(self.l1_ratios_[i])
        model = self._model(C=self.C_, l1_ratio=self.l1_ratio_, classes=self.classes)
        with task.refit(model):
            model.fit(X, y, sample_weight)
        self.estimator_ = model
        self.coef_, self.intercept_ = model.coef_, model.intercept_
        self.converged_ &= model.converged_

    def _average(self):
        """The averages over the folds of what is best for each."""
        n_folds, _, n_Cs = self.scores_.shape
        best = self.scores_.reshape(n_folds, -1).argmax(axis=1)
        i, j = np.divmod(best, n_Cs)
        coefs = self.coefs_paths_[np.arange(n_folds), i, j].mean(axis=0)
        self.C_, self.l1_ratio_ = float(self.Cs_[j].mean()), float(self.l1_ratios_[i].mean())
        p = self.n_features_in_
        self.coef_ = coefs[:, :p].copy()
        self.intercept_ = coefs[:, p].copy() if self.fit_intercept else np.zeros(len(coefs))

    def _model(self, **parameters):
        """A `SoftmaxRegression` with the parameters of this estimator, and others."""
        own = {name: getattr(self, name) for name in _OF_FITS}
        return SoftmaxRegression(**own, **parameters)

    def _grid(self):
        """Values of C, ascending, and of `l1_ratio`."""
        Cs = fixed_grid(self.Cs) if isinstance(self.Cs, Integral) else self.Cs
        l1_ratios = np.asarray(self.l1_ratios, dtype=np.float64).ravel()
        if len(l1_ratios) == 0 or not ((l1_ratios >= 0) & (l1_ratios <= 1)).all():
            raise ValueError(
                f"l1_ratios must hold numbers from 0 to 1, at least one, got {l1_ratios}."
            )
        return check_Cs(Cs), l1_ratios

    def _check_selection(self):
        """An average over folds is of what is best for each."""
        if not self.refit and self.selection != "best":
            raise ValueError(f'refit=False needs selection="best", got {self.selection!r}.')

    def _routed(self, sample_weight, params):
        """What is for the splitter and what for the scorer, as dicts."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        if sklearn.get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **weights, **params)
            return {"split": routed.splitter.split, "score": routed.scorer.score}
        if params:
            raise ValueError(
                f"fit takes {', '.join(params)} only with metadata routing: call "
                "sklearn.set_config(enable_metadata_routing=True), and set requests."
            )
        return {"split": {}, "score": weights}

    def get_metadata_routing(self):
        """What is asked for by the splitter and the scorer.

        Returns
        -------
        routing : MetadataRouter
            With the requests of this estimator, of `cv` and of `scoring`.
        """
        to_score = MethodMapping().add(caller="fit", callee="score")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
            .add(
                scorer=scorer_of(self.scoring),
                method_mapping=to_score.add(caller="score", callee="score"),
            )
        )

    def score(self, X, y, **params):
        """Score the model on some rows by `scoring`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels or probabilities.
        **params : dict
            `sample_weight`, or what the scorer asks for with metadata routing.

        Returns
        -------
        score : float
            Greater is better.
        """
        if sklearn.get_config()["enable_metadata_routing"]:
            params = process_routing(self, "score", **params).scorer.score
        return scorer_of(self.scoring)(self, X, y, **params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def chosen(scores, selection):
    """Indices of the `l1_ratio` and the C that a rule chooses by scores as in `scores_`."""
    mean = scores.mean(axis=0)
    i, j = np.unravel_index(np.argmax(mean), mean.shape)
    if selection == "best":
        return i, j
    return i, np.argmax(mean[i] >= mean[i, j] - standard_errors(scores)[i, j])


def standard_errors(scores):
    """Of the means over folds (n_folds, ...); infinite for a single fold."""
    if len(scores) == 1:
        return np.full(scores.shape[1:], np.inf)
    return scores.std(axis=0, ddof=1) / np.sqrt(len(scores))
