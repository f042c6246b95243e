"""Scorers for probabilities as targets, which scikit-learn's own do not take."""

import numpy as np

from sk_softmax._device_array import to_numpy
from sk_softmax._validation import check_targets

# Of a probability of zero, for which `predict_log_proba` may have any number below.
_LOG_TINY = np.log(np.finfo(np.float64).tiny)


def neg_soft_log_loss(estimator, X, y, sample_weight=None):
    """Score a classifier by minus its cross-entropy with probabilities as targets.

    For ``scoring=`` of searches and cross-validation. On labels it is scikit-learn's
    "neg_log_loss", with columns matched to the classes of the estimator, also where `y` lacks some.
    A probability below the smallest float, 2e-308, counts as that: a row of a class that the
    estimator knows by its name alone costs 708, whatever the other parameters are.

    Parameters
    ----------
    estimator : classifier
        Fitted, with `classes_` and `predict_log_proba`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples, n_classes) or (n_samples,)
        Probabilities of the classes, as in :meth:`SoftmaxRegression.fit`: the classes are the names
        of the columns of a data frame, otherwise ``0 .. n_classes - 1``. Or labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.

    Returns
    -------
    score : float
        ``-sum_i s_i H(q_i, p_i) / sum_i s_i`` in nats; greater is better.

    Raises
    ------
    ValueError
        If `y` holds no probabilities, or gives some to a class that the estimator does not know.

    See Also
    --------
    soft_accuracy : How often the most probable class is right.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV, KFold
    >>> from sk_softmax import SoftmaxRegression, neg_soft_log_loss
    >>> X, y = load_iris(return_X_y=True)
    >>> Q = 0.9 * np.eye(3)[y] + 0.1 / 3
    >>> search = GridSearchCV(
    ...     SoftmaxRegression(), {"C": [0.01, 1.0]}, scoring=neg_soft_log_loss,
    ...     cv=KFold(5, shuffle=True, random_state=0),
    ... )
    >>> search.fit(X, Q).best_params_
    {'C': 1.0}
    """
    targets = check_targets(X, y, sample_weight, estimator.classes_)
    return log_loss_score(estimator, X, *targets)


def log_loss_score(estimator, X, Q, weight):
    """`neg_soft_log_loss` with targets Q (n, K) of the classes of an estimator, and weights."""
    log_P = np.maximum(to_numpy(estimator.predict_log_proba(X)), _LOG_TINY)
    # A class that has none of a target costs nothing, though its log-probability may be -inf.
    losses = np.multiply(Q, log_P, out=np.zeros_like(Q), where=Q > 0)
    return float(np.average(losses.sum(axis=1), weights=weight))


def soft_accuracy(estimator, X, y, sample_weight=None):
    """Score a classifier by how often it predicts the most probable class of the targets.

    For ``scoring=`` of searches and cross-validation. On labels it is the accuracy.

    Parameters
    ----------
    estimator : classifier
        Fitted, with `classes_`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples, n_classes) or (n_samples,)
        Probabilities of the classes, as in :meth:`SoftmaxRegression.fit`: the classes are the names
        of the columns of a data frame, otherwise ``0 .. n_classes - 1``. Or labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.

    Returns
    -------
    score : float
        The weighted share of rows. Where several classes of a row are most probable, each is right.

    Raises
    ------
    ValueError
        If `y` holds no probabilities, or gives some to a class that the estimator does not know.

    See Also
    --------
    neg_soft_log_loss : Takes the probabilities into account.
    """
    return accuracy_score(estimator, X, *check_targets(X, y, sample_weight, estimator.classes_))


def accuracy_score(estimator, X, Q, weight):
    """`soft_accuracy` with targets Q (n, K) of the classes of an estimator, and weights."""
    classes, labels = map(to_numpy, (estimator.classes_, estimator.predict(X)))
    predicted = np.searchsorted(classes, labels)
    right = Q[np.arange(len(Q)), predicted] == Q.max(axis=1)
    return float(np.average(right, weights=weight))
