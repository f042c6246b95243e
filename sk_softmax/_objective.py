"""The one objective that every solver minimises: a loss that `Rows` sum, and a penalty.

Symbols, here and in the solvers
--------------------------------
=========  ==============  ====================================================
X          (n, p)          rows x_i
q_i        (K,)            the target of a row: a distribution over the classes
s          (n,)            weights, positive, that add up to one
W, b       (K, p), (K,)    coefficients and intercepts
theta      K (p + 1)       [W, b] of shape (K, p + 1), flattened by rows;
                           K p without an intercept
Z, P       (K, m)          logits W x_i + b and their softmax on a block of m rows
lam        scalar          1 / (C S), S the sum of the weights as given
G          (K, p + 1)      gradient of f, laid out as theta
=========  ==============  ====================================================

    f(theta) = sum_i s_i H(q_i, softmax(W x_i + b + o_i)) + lam/2 ||W||^2

q_i is the label, one-hot or smoothed, ``(1 - eps) onehot + eps / K``, or the row of
probabilities that was given; o_i the offset of the row, zero as a rule; H the cross-entropy; the
intercept is not penalised. Times
``C S`` this is scikit-learn's LogisticRegression objective. Its gradient is

    G_W = (P - Q) diag(s) X + lam W,    G_b = (P - Q) s.
"""

import copy
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from sk_softmax._kernels import (
    hessian_product,
    hessian_product_at,
    logit_range,
    loss_and_accuracy,
    margins,
    mean_offset,
    probabilities,
    residuals,
)
from sk_softmax._penalty import Penalty
from sk_softmax._rows import Model, Rows, largest
from sk_softmax._softmax import log_softmax, softmax

NOT_FINITE = (
    "The objective is not finite. Values in X are too large to be multiplied with each other: "
    "rescale X, for example with StandardScaler."
)

TOO_SMALL = (
    "Values in X are too small: the square of a column vanishes. Rescale X, for example with "
    "StandardScaler."
)


class OutOfRangeError(ValueError, FloatingPointError):
    """Values in X whose products overflow or vanish; with one of the two messages above."""


class Evaluation(NamedTuple):
    """f and its flat gradient at some theta, and the weighted share of rows that it gets right.

    `probabilities` (K, n), of two classes the smaller ones (1, n), are there where rows keep them.
    """

    value: float
    gradient: np.ndarray
    accuracy: float
    probabilities: np.ndarray | None


class Objective:
    """Mean cross-entropy of softmax regression on some rows, with a penalty.

    Parameters
    ----------
    rows : Rows
    penalty : Penalty
    fit_intercept : bool
    threads : RowThreads, entered
        For what is computed of sums, wherever the rows are.

    Attributes
    ----------
    kept : dict
        What solvers keep of the rows alone, for other penalties.
    """

    def __init__(self, rows: Rows, penalty: Penalty, fit_intercept: bool, threads):
        self.kept: dict = {}
        self.rows, self.penalty, self.fit_intercept = rows, penalty, fit_intercept
        self.threads = threads
        self.n_samples, self.n_features = rows.n_samples, rows.n_features
        self.n_classes, self.dtype, self.work = rows.n_classes, rows.dtype, rows.work
        self.shape = (self.n_classes, self.n_features + fit_intercept)

    def on(self, rows: Rows) -> "Objective":
        """The objective of other rows."""
        return Objective(rows, self.penalty, self.fit_intercept, self.threads)

    def with_penalty(self, penalty: Penalty) -> "Objective":
        """The objective with another penalty, for which what was kept is of use, too."""
        other = copy.copy(self)
        other.penalty = penalty
        return other

    def astype(self, dtype: DTypeLike) -> "Objective":
        """The same objective computed in `dtype`."""
        if dtype == self.dtype:
            return self
        if dtype not in self.kept:
            self.kept[dtype] = self.on(self.rows.astype(dtype))
        return self.kept[dtype].with_penalty(self.penalty)

    def unpack(self, theta: np.ndarray) -> Model:
        """Views ``W`` (K, p) and ``b`` (K,) of theta; b is None without an intercept."""
        theta = theta.reshape(-1, self.shape[1])
        return theta[:, : self.n_features], theta[:, -1] if self.fit_intercept else None

    def pack(self, W: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        """The inverse of `unpack`, flat; b is left aside without an intercept."""
        theta = np.empty(self.shape)
        theta[:, : self.n_features] = W
        if self.fit_intercept:
            theta[:, -1] = b
        return theta.ravel()

    def log_priors(self):
        """Logarithms of the class frequencies; a class without rows counts as half a row."""
        frequencies = self.rows.class_weight
        return np.log(np.where(frequencies > 0, frequencies, 0.5 / self.n_samples))

    def null_model(self) -> tuple[np.ndarray, float]:
        """The flat theta that knows the class frequencies alone, and f there.

        Without an intercept it does not even know these. With an offset it is near the best one.
        """
        if "null model" not in self.kept:
            self.kept["null model"] = self._null_model()
        theta, loss = self.kept["null model"]
        return theta.copy(), loss

    def _null_model(self):
        b = self.log_priors() if self.fit_intercept else np.zeros(self.n_classes)
        if self.fit_intercept and self.rows.has_offset:
            b -= self.rows.reduce(mean_offset)[0]
        b -= b.sum() / len(b)
        theta = self.pack(np.zeros((self.n_classes, self.n_features)), b)
        if self.rows.has_offset:
            return theta, self.loss(theta)[0]
        log_P = log_softmax(b[:, np.newaxis])[:, 0]
        return theta, -float(self.rows.class_weight @ log_P)

    def common_probabilities(self, W, b):
        """The probabilities (K, 1) of all rows, where all have the same, as at zero; or None."""
        if W.any() or self.rows.has_offset:
            return None
        return softmax(np.zeros((len(W), 1)) if b is None else b[:, np.newaxis])

    @property
    def may_be_separated(self):
        """Whether hyperplanes that separate classes would leave f without a minimum.

        They do not where each target gives every class a positive probability.
        """
        return not self.penalty.bounds_coefficients and self.rows.have_zeros

    def is_separated(self, value):
        """Whether f = `value` proves that its minimum is at infinity.

        Without a penalty it is if some theta gives every row's own class a probability above
        one half, for multiples of that theta then bring f to zero. One row below it would
        alone contribute s_i log 2. A table of targets may hold rows that keep f above zero, and
        an offset may be what makes probabilities large.
        """
        is_free = self.penalty.is_none and self.rows.are_one_hot and not self.rows.has_offset
        return is_free and value < self.rows.smallest_weight * np.log(2)

    def gains_along(self, step):
        """The most logits that a row's label gains on another class along a step, and loses.

        The labels of a row are the classes that its target gives a positive probability.
        """
        return self.rows.reduce(margins, self.unpack(step), combine=largest)

    def logit_range(self, step):
        """The largest range, over the classes, of what a step adds to the logits of a row."""
        return self.rows.reduce(logit_range, self.unpack(step), combine=largest)[0]

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """``f(theta)`` and its flat gradient, both float64."""
        value, gradient, *_ = self.evaluate(theta)
        return value, gradient

    def evaluate(self, theta: np.ndarray) -> Evaluation:
        """The `Evaluation` at theta; all its parts are float64."""
        W, b = self.unpack(theta)
        kernel = partial(residuals, keeps_probabilities=self.rows.keeps_probabilities)
        (loss, accuracy, P), G, G1 = self.rows.sums(kernel, (W, b))
        G += self.penalty.gradient(W)
        P = (P[0] if len(P) == 1 else np.concatenate(P, axis=1)) if P else None
        return Evaluation(self.penalty.value(W) + loss, self.pack(G, G1), accuracy, P)

    def loss(self, theta: np.ndarray) -> tuple[float, float]:
        """The mean loss at theta, without the penalty, and the weighted share of rows right."""
        return self.rows.reduce(loss_and_accuracy, self.unpack(theta))

    def probabilities(self, theta):
        """The softmax of all rows at theta, (K, n), or None where memory does not allow it."""
        rows, n_bytes = self.rows, self.n_classes * self.n_samples * self.dtype.itemsize
        if not rows.has_places or n_bytes > rows.spare_bytes:
            return None
        (parts,) = rows.reduce(probabilities, self.unpack(theta))
        return np.concatenate(parts, axis=1)

    def hessian_operator(self, theta, P=None):
        """Function ``v -> H v`` of flat v, with the Hessian H of f at theta.

        A product is one pass over the rows. P is what `probabilities` returned, if that is known.
        Where they are not kept each product computes the logits there again.
        """
        P = self.probabilities(theta) if P is None else P
        kernel, models = hessian_product, (self.unpack(theta),)
        if P is not None:
            kernel, models = partial(hessian_product_at, P=P), ()

        def product(v):
            V, c = self.unpack(v)
            _, HV, Hc = self.rows.sums(kernel, *models, (V, c))
            return self.pack(HV + self.penalty.gradient(V), Hc)

        return product
