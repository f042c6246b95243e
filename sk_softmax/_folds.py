"""One fold of a cross-validation: a path on some rows, scored on others."""

import copy
from typing import NamedTuple

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from sk_softmax._path import minima_along
from sk_softmax._scorers import (
    accuracy_score,
    log_loss_score,
    neg_soft_log_loss,
    soft_accuracy,
)
from sk_softmax._threads import RowThreads
from sk_softmax._training_data import weigh_rows
from sk_softmax._validation import check_targets


class FoldPath(NamedTuple):
    """What a fold has at each C: coefficients (n_Cs, K or 1, p + 1), score, iterations, end."""

    coefs: np.ndarray
    scores: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray


def scorer_of(scoring):
    """The scorer of a name, of a callable, or of None, which is the accuracy.

    "accuracy" and "neg_log_loss" are those that match the columns of probabilities to classes by
    label, where a fold lacks some, and that take probabilities as targets.
    """
    if scoring is None or (isinstance(scoring, str) and scoring == "accuracy"):
        return soft_accuracy
    if isinstance(scoring, str) and scoring == "neg_log_loss":
        return neg_soft_log_loss
    from sklearn.metrics import get_scorer  # which takes long to import

    return get_scorer(scoring)


def fit_fold(model, Cs, X, y, targets, classes, sample_weight, fold, scorer, score_params, task):
    """The `FoldPath` of a fold (train, test) of rows that are checked.

    Parameters
    ----------
    model : SoftmaxRegression
        Its parameters are those of each fit but for C, its fitted attributes those of the data.
    Cs : ndarray
        Values of C, ascending.
    X, y : {ndarray, CSR}, ndarray
        Rows, and codes into `classes` or probabilities of these.
    targets : array-like
        As the scorer wants y.
    classes : ndarray
        All of them, sorted.
    sample_weight : ndarray or None
        Of all rows.
    fold : tuple (train, test)
        Indices of rows.
    scorer, score_params : callable, dict
        The score and what it is given.
    task : Task
        Told each C that is done.

    Returns
    -------
    found : FoldPath
        With arrays along C.
    """
    train, test = fold
    task.begin()
    s = None if sample_weight is None else sample_weight[train]
    data = weigh_rows(model, X[train], y[train], classes, s, model.class_weight)
    candidate = copy.copy(model)
    vars(candidate).pop("feature_names_in_", None)  # X is an array by now
    score_of = _score_on(
        scorer,
        X[test],
        _safe_indexing(targets, test),
        classes,
        _check_method_params(X, score_params, indices=test),
    )
    steps = []
    with RowThreads(model.n_jobs) as threads:
        for C, found, result in minima_along(model, data, threads, Cs):
            vars(candidate).update(found, C=C)
            score = score_of(candidate)
            W, b = found["coef_"], found["intercept_"][:, np.newaxis]
            coef = np.hstack([W, b]) if model.fit_intercept else W
            steps.append((coef, score, result.n_iter, result.converged))
            task.step("C")
    task.end()
    return FoldPath(*map(np.array, zip(*steps, strict=True)))


def _score_on(scorer, X, y, classes, params):
    """Function from a model to its score on some rows, whose targets are checked once."""
    prepared = {soft_accuracy: accuracy_score, neg_soft_log_loss: log_loss_score}.get(scorer)
    if prepared is None or params.keys() - {"sample_weight"}:
        return lambda model: scorer(model, X, y, **params)
    Q, weight = check_targets(X, y, params.get("sample_weight"), classes)
    return lambda model: prepared(model, X, Q, weight)
