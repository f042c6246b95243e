"""What a fitted model does: logits, labels and probabilities."""

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sk_softmax._array_api import handed_back, state_in_numpy
from sk_softmax._offsets import centred_scores, check_offset, check_offset_like
from sk_softmax._rows import dense
from sk_softmax._softmax import log_softmax, softmax
from sk_softmax._validation import check_data


class SoftmaxPredictionMixin:
    """Predictions from `classes_`, `coef_` and `intercept_`."""

    @handed_back
    def decision_function(self, X, *, offset=None):
        """Logits: signed scores of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        offset : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
            As for `fit`: added to the scores. Needed where `fit` had one.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            ``X @ coef_.T + intercept_ + offset``. With two classes one number for each row, the log
            odds of ``classes_[1]``. In a row that overflows, the differences of the scores to
            the largest one, no larger than fit into a float.
        """
        scores = self._scores(X, offset)
        return scores.ravel() if len(self.classes_) == 2 else scores

    @handed_back
    def predict(self, X, *, offset=None):
        """Most probable labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        offset : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
            As for `fit`: added to the scores. Needed where `fit` had one.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Members of `classes_`.
        """
        scores = self.decision_function(X, offset=offset)
        codes = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[codes]

    @handed_back
    def predict_proba(self, X, *, offset=None):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        offset : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
            As for `fit`: added to the scores. Needed where `fit` had one.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; each row sums to one.
        """
        return np.ascontiguousarray(softmax(self._logits(X, offset)).T)

    @handed_back
    def predict_log_proba(self, X, *, offset=None):
        """Logarithms of the probabilities, finite where the probability underflows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        offset : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
            As for `fit`: added to the scores. Needed where `fit` had one.

        Returns
        -------
        log_P : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return np.ascontiguousarray(log_softmax(self._logits(X, offset)).T)

    def sparsify(self):
        """Convert `coef_` to a sparse matrix, which takes less memory if most of it is zero.

        Returns
        -------
        self : SoftmaxRegression
            The fitted estimator, whose predictions are the same.

        Raises
        ------
        NotFittedError
            If the estimator has not been fitted.
        """
        check_is_fitted(self)
        vars(self).update(state_in_numpy(vars(self)))
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self):
        """Convert `coef_` to an ndarray, the inverse of `sparsify`.

        Returns
        -------
        self : SoftmaxRegression
            The fitted estimator, whose predictions are the same.

        Raises
        ------
        NotFittedError
            If the estimator has not been fitted.
        """
        check_is_fitted(self)
        self.coef_ = dense(self.coef_)
        return self

    def __sklearn_is_fitted__(self):
        """Whether there is a model, by `fit`, `partial_fit` or by hand."""
        return hasattr(self, "coef_")

    def _logits(self, X, offset):
        """Logits of all classes, (n_classes, n_samples)."""
        scores = self.decision_function(X, offset=offset)
        return np.stack([np.zeros_like(scores), scores]) if scores.ndim == 1 else scores.T

    def _scores(self, X, offset):
        """Scores (n_samples, n_classes), or (n_samples, 1), without NaN or infinity."""
        check_is_fitted(self)
        check_offset_like(offset, getattr(self, "_has_offset", False))
        X, W, b = check_data(self, X), self.coef_, self.intercept_
        if offset is not None:
            b = b + centred_scores(check_offset(offset, X, self.classes_)).astype(b.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            scores = dense(X @ W.T) + b
        largest = np.finfo(scores.dtype).max / 4  # differences overflow too
        if scores.max() <= largest and scores.min() >= -largest:
            return scores
        overflows = ~(np.abs(scores) <= largest).all(axis=1)
        b = b if offset is None else b[overflows]
        scores[overflows] = _overflowing_scores(X[overflows], W, b)
        return scores


def _overflowing_scores(X, W, b):
    """The scores of rows where these exceed the range of floats, less the largest of each row."""
    X, W = dense(X), dense(W)
    size_W = max(np.abs(W).max(), 1)
    size_X = np.maximum(np.abs(X).max(axis=1, keepdims=True), 1)
    Z = (X / size_X) @ (W / size_W).T + b / size_X / size_W
    if len(W) > 1:
        Z -= Z.max(axis=1, keepdims=True)
    limits = np.finfo(Z.dtype)
    with np.errstate(over="ignore"):
        Z = Z * size_X * size_W
    return np.clip(Z, limits.min / 2, limits.max / 2)
