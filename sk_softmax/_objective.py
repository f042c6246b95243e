"""The one objective that every solver minimises.

Symbols, here and in the solvers
--------------------------------
=========  ==============  ====================================================
X          (n, p)          rows x_i; dense or CSR
y          (n,) or (n, K)  class codes 0 .. K - 1, or probabilities
s          (n,)            weights, positive; S is their sum
W, b       (K, p), (K,)    coefficients and intercepts
theta      K (p + 1)       [W, b] of shape (K, p + 1), flattened by rows;
                           K p without an intercept
Z, P       (K, m)          logits W x_i + b and their softmax on a block of m rows
lam        scalar          1 / (C S)
G          (K, p + 1)      gradient of f, laid out as theta
=========  ==============  ====================================================

    f(theta) = 1/S sum_i s_i H(q_i, softmax(W x_i + b)) + lam/2 ||W||^2

q_i is the label, one-hot or smoothed, ``(1 - eps) onehot + eps / K``, or the row of
probabilities that was given; H the cross-entropy; the intercept is not penalised. Times
``C S`` this is scikit-learn's LogisticRegression objective. Its gradient is

    G_W = 1/S (P - Q) diag(s) X + lam W,    G_b = 1/S (P - Q) s.
"""

import copy
from typing import NamedTuple

import numpy as np
from scipy import sparse

from sk_softmax._blocks import (
    is_mapped,
    padded_number,
    rows_view,
    slices,
    times_columns,
    times_rows,
    times_transposed,
)
from sk_softmax._column_sums import ColumnSums
from sk_softmax._softmax import cross_entropy, log_softmax, softmax

# Bytes of X, logits and residuals that a block may span: its second product should still
# find the rows of the first in the cache of one core.
_BLOCK_BYTES = 3 * 2**19
# Multiply-adds below which handing a part to a thread costs more than computing it.
_PART_WORK = 2**19
_MAX_PARTS = 64
# Logits that an evaluation keeps: as many as fit the cache beside what else it holds.
_FEW_LOGITS = 2**17
# Multiplications of square products that the overhead of NumPy and SciPy is worth, of an
# evaluation as of a factorisation.
CALL_WORK = 3e6

NOT_FINITE = (
    "The objective is not finite. Values in X are too large to be multiplied with each other: "
    "rescale X, for example with StandardScaler."
)

TOO_SMALL = (
    "Values in X are too small: the square of a column vanishes. Rescale X, for example with "
    "StandardScaler."
)


class Evaluation(NamedTuple):
    """f and its flat gradient at some theta, and the weighted share of rows that it gets right.

    `logits` (K, n) are kept where they are few, and in float64.
    """

    value: float
    gradient: np.ndarray
    accuracy: float
    logits: np.ndarray | None


class Objective:
    """Mean cross-entropy of softmax regression with an L2 penalty, on given data.

    The sums over rows are split into parts by the shape of the data alone, each part into
    blocks that fit the cache, and added up in a fixed order: the result is the same to the
    last bit for any number of threads. Blocks are computed in `dtype`, float64 unless `astype`
    says otherwise; sums are always accumulated in float64.

    Parameters
    ----------
    X : ndarray of shape (n, p) of any real type, or CSR, float32 or float64
    y : ndarray of shape (n,), int, or (n, K), float
    s : ndarray of shape (n,), float64, positive
    n_classes : int
    lam : float
    fit_intercept : bool
    threads : RowThreads, entered
    label_smoothing : float
        The share eps of the uniform distribution in the targets; with codes only.
    """

    def __init__(self, X, y, s, *, n_classes, lam, fit_intercept, threads, label_smoothing=0.0):
        self.X, self.y, self.lam, self.fit_intercept = X, y, lam, fit_intercept
        self.label_smoothing = label_smoothing
        self.n_samples, self.n_features = X.shape
        self.n_classes = n_classes
        self.is_sparse = sparse.issparse(X)
        self.n_stored = X.nnz if self.is_sparse else X.size
        self.dtype = np.dtype(np.float64)
        # Integers of up to 16 bits, such as pixels, are exact in float32.
        self.float_dtype = np.result_type(X.dtype, np.float16, np.float32)
        self.s = s / s.sum()  # sums to one
        self.shape = (n_classes, self.n_features + fit_intercept)
        self.threads = threads
        self.work = self._work()
        self.parts = self._split_rows()
        self.column_sums = ColumnSums(X, n_classes, threads) if self.is_sparse else None

    def _work(self):
        """What an evaluation is worth in multiplications of square matrix products.

        Reading X and thin products are as slow as 40 of them a value, sparse products 50 a
        multiplication; the softmax of one logit takes as long as 150.
        """
        K = self.n_classes
        value_work = 50 * K if self.is_sparse else 40 + 2 * K
        return value_work * self.n_stored + 150 * K * self.n_samples + CALL_WORK

    def astype(self, dtype):
        """The same objective computed in `dtype`, block by block; X is not copied."""
        if dtype == self.dtype:
            return self
        other = copy.copy(self)
        other.dtype = np.dtype(dtype)
        other.s = self.s.astype(dtype)
        if self.y.ndim == 2:
            other.y = self.y.astype(dtype)
        return other

    def by_rows(self):
        """The objective with the values of each row of X side by side in memory, for random access.

        Where columns are side by side instead, as in most data frames, that takes a copy. A
        memory map is left as it is.
        """
        if self.is_sparse or is_mapped(self.X) or abs(self.X.strides[0]) >= abs(self.X.strides[1]):
            return self
        return self.with_columns(np.ascontiguousarray(self.X))

    def with_columns(self, X):
        """The objective of the same rows described by other columns."""
        return Objective(
            X,
            self.y,
            self.s,
            n_classes=self.n_classes,
            lam=self.lam,
            fit_intercept=self.fit_intercept,
            threads=self.threads,
            label_smoothing=self.label_smoothing,
        )

    def _split_rows(self):
        """Parts, each a list of ``(rows, X[rows])`` that shares the memory of X."""
        n, K, stored = self.n_samples, self.n_classes, self.n_stored
        n_parts = min(
            _MAX_PARTS,
            1 + stored * K // _PART_WORK,
            # Each part sums into a gradient of its own: in all 5% of X, or four of them.
            max(4, stored // (20 * K * self.shape[1])),
            n,
        )
        row_bytes = (stored / n + 2 * K) * self.dtype.itemsize
        block_rows = max(64, int(_BLOCK_BYTES / row_bytes))
        return [
            [(rows, rows_view(self.X, rows)) for rows in slices(part, size=block_rows)]
            for part in slices(slice(0, n), number=n_parts)
        ]

    def map_parts(self, part_sums):
        """`part_sums` of each part, summed in order; it returns a tuple of arrays or floats.

        A part is a list of ``(rows, X[rows])`` with slices of rows.
        """
        totals, *others = self.threads.map(part_sums, self.parts)
        for sums in others:
            totals = tuple(total + part for total, part in zip(totals, sums, strict=True))
        return totals

    def unpack(self, theta):
        """Views ``W`` (K, p) and ``b`` (K,) of theta; b is None without an intercept."""
        theta = theta.reshape(-1, self.shape[1])
        return theta[:, : self.n_features], theta[:, -1] if self.fit_intercept else None

    def targets(self, rows):
        """The q_i of a slice of rows, (K, m)."""
        y = self.y[rows]
        if y.ndim == 2:
            return y.T
        eps = self.label_smoothing
        Q = np.full((self.n_classes, len(y)), eps / self.n_classes, dtype=self.dtype)
        Q[y, np.arange(len(y))] += 1 - eps
        return Q

    def class_frequencies(self):
        """The weighted share of each class in the targets, (K,)."""
        if self.y.ndim == 2:
            return self.s @ self.y
        frequencies = np.bincount(self.y, weights=self.s, minlength=self.n_classes)
        eps = self.label_smoothing
        return (1 - eps) * frequencies + eps / self.n_classes

    def log_priors(self):
        """Logarithms of the class frequencies; a class without rows counts as half a row."""
        frequencies = self.class_frequencies()
        frequencies[frequencies <= 0] = 0.5 / self.n_samples
        return np.log(frequencies)

    def null_model(self):
        """The flat theta that knows the class frequencies alone, and f there.

        Without an intercept it does not even know these.
        """
        theta = np.zeros(self.shape)
        if self.fit_intercept:
            log_priors = self.log_priors()
            theta[:, -1] = log_priors - log_priors.mean()
        log_P = log_softmax(theta[:, -1:] * self.fit_intercept)[:, 0]
        return theta.ravel(), -float(self.class_frequencies() @ log_P)

    def is_separated(self, value):
        """Whether f = `value` proves that its minimum is at infinity.

        Without a penalty it is if some theta gives every row's own class a probability above
        one half, for multiples of that theta then bring f to zero. One row below it would
        alone contribute s_i log 2. A table of targets may hold rows that keep f above zero.
        """
        one_label = self.may_be_separated and self.y.ndim == 1
        return one_label and value < float(self.s.min()) * np.log(2)

    def gains_along(self, step):
        """The most logits that a row's label gains on another class along a step, and loses.

        The labels of a row are the classes that its target gives a positive probability.
        """

        def gains(Z, rows):
            labels = self.is_label(rows)
            best = np.where(labels, Z, -np.inf).max(axis=0)
            worst = np.where(labels, Z, np.inf).min(axis=0)
            return (best - Z.min(axis=0)).max(), (Z.max(axis=0) - worst).max()

        return self._largest(gains, step)

    def is_label(self, rows):
        """Whether the target of a row gives a class a positive probability, (K, m)."""
        return self.targets(rows) > 0

    def logit_range(self, step):
        """The largest range, over the classes, of what a step adds to the logits of a row."""
        return float(self._largest(lambda Z, rows: (np.ptp(Z, axis=0).max(),), step)[0])

    def _largest(self, numbers, step):
        """The largest of each of the `numbers(Z, rows)` that blocks of logits of a step yield."""
        logits = self.logits_at(step)

        def part(blocks):
            return np.max([numbers(logits(self.in_dtype(X)), rows) for rows, X in blocks], axis=0)

        return np.max(self.threads.map(part, self.parts), axis=0)

    @property
    def may_be_separated(self):
        """Whether hyperplanes that separate classes would leave f without a minimum.

        They do not where each target gives every class a positive probability.
        """
        if self.lam > 0 or self.label_smoothing > 0:
            return False
        return self.y.ndim == 1 or not self.y.all()

    def value_and_gradient(self, theta):
        """``f(theta)`` and its flat gradient, both float64."""
        value, gradient, *_ = self.evaluate(theta)
        return value, gradient

    def evaluate(self, theta):
        """The `Evaluation` at theta; all its parts are float64."""

        n_logits = self.n_classes * self.n_samples
        keeps = n_logits <= _FEW_LOGITS and self.dtype == np.float64
        logits = np.empty((self.n_classes, self.n_samples)) if keeps else None

        def residuals(Z, rows):
            if keeps:
                logits[:, rows] = Z
            return cross_entropy(Z, self.y[rows], self.s[rows], self.label_smoothing)

        penalty, G = self._penalty(theta)
        sums, G_loss = self._row_sums(residuals, theta)
        loss, accuracy = sums.tolist()
        G += G_loss
        return Evaluation(penalty + loss, G.ravel(), accuracy, logits)

    def loss(self, theta):
        """The mean loss at theta, without the penalty, and the weighted share of rows right."""
        logits = self.logits_at(theta)

        def part_sums(blocks):
            loss = correct = 0.0
            for rows, X in blocks:
                Z = logits(self.in_dtype(X))
                sums = cross_entropy(Z, self.y[rows], self.s[rows], self.label_smoothing)
                loss += sums[0]
                correct += sums[1]
            return loss, correct

        return self.map_parts(part_sums)

    def hessian_operator(self, theta):
        """Function ``v -> H v`` of flat v, with the Hessian H of f at theta.

        A product is one pass over the rows, in which the logits at theta are computed again.
        """

        def product(v):
            _, Hv = self._row_sums(self._curve, theta, v)
            return (Hv + self._penalty(v)[1]).ravel()

        return product

    def _curve(self, Z, rows):
        """Turn Z, the logits at theta and at v, into ``s (diag(p) - p p')`` times the latter."""
        K = self.n_classes
        P, D = softmax(Z[:K]), Z[K:]
        D -= np.einsum("km,km->m", P, D)
        np.multiply(P, D, out=Z[:K])
        Z[:K] *= self.s[rows]
        return ()

    def _row_sums(self, kernel, *thetas):
        """Sums of the numbers that a kernel yields, and ``sum_i r_i [x_i, 1]'`` (K, p + 1).

        ``kernel(Z, rows)`` takes the logits at each theta, stacked, turns the first K rows of
        them into the r_i and returns a tuple of numbers.
        """
        K, p = self.n_classes, self.n_features
        logits = self._padded_logits_at(*thetas)
        n_logits, n_padded = len(thetas) * K, padded_number(K)

        def weights(rows, X):
            Z = logits(X)
            numbers = kernel(Z[:n_logits], rows)
            Z[K:n_padded] = 0  # where they are logits at another theta
            return Z, numbers

        def part_sums(blocks):
            G, totals = np.zeros(self.shape), 0.0
            for rows, X in blocks:
                X = self.in_dtype(X)
                Z, numbers = weights(rows, X)
                G[:, :p] += times_rows(Z[:n_padded], X)[:K]
                if self.fit_intercept:
                    G[:, -1] += Z[:K].sum(axis=1, dtype=np.float64)
                totals = totals + np.array(numbers)
            return totals, G

        def sparse_weights(rows, X):
            Z, numbers = weights(rows, self.in_dtype(X))
            return Z[:K], (np.array(numbers), Z[:K].sum(axis=1, dtype=np.float64))

        if not self.is_sparse:
            return self.map_parts(part_sums)
        G = np.zeros(self.shape)
        sums = self.column_sums.add(sparse_weights, self.dtype, G[:, :p])
        if self.fit_intercept:
            G[:, -1] = sum(residual for _, residual in sums)
        return sum(numbers for numbers, _ in sums), G

    def batch_value_and_gradient(self, theta, rows):
        """`value_and_gradient` estimated without bias from an array of `rows`.

        The sum over the batch is divided by the number of its rows times the mean weight,
        not by the weight that happens to be in it.
        """
        penalty, G = self._penalty(theta)
        s = self.s[rows] * self.dtype.type(self.n_samples / len(rows))
        X = self.in_dtype(self.X[rows])
        loss, _ = self._add_block(X, self.y[rows], s, self._padded_logits_at(theta), G)
        return penalty + loss, G.ravel()

    def logits_at(self, theta):
        """Function from a block of X to its logits (K, m), both in `dtype`."""
        logits = self._padded_logits_at(theta)
        return lambda X: logits(X)[: self.n_classes]

    def _padded_logits_at(self, *thetas):
        """`logits_at`, stacked, with rows of zeros below those that BLAS computes."""
        W, b = self.unpack(np.concatenate(thetas) if len(thetas) > 1 else thetas[0])
        K, p = W.shape
        if times_columns(K, self.X, self.dtype):
            padded = np.asfortranarray(W, dtype=self.dtype)
        else:
            padded = np.zeros((padded_number(K), p), dtype=self.dtype)
            padded[:K] = W
        b = 0 if b is None else b.astype(self.dtype)[:, np.newaxis]

        def logits(X):
            Z = np.ascontiguousarray(times_transposed(padded, X))
            Z[:K] += b
            return Z

        return logits

    def in_dtype(self, X):
        """A block of X in `dtype`."""
        return X.astype(self.dtype, copy=False)

    def _add_block(self, X, y, s, logits, G):
        """Add one block's gradient to `G`; return its loss and the weight that it gets right."""
        padded = logits(X)
        Z = padded[: self.n_classes]
        sums = cross_entropy(Z, y, s, self.label_smoothing)
        G[:, : self.n_features] += times_rows(padded, X)[: self.n_classes]
        if self.fit_intercept:
            G[:, -1] += Z.sum(axis=1, dtype=np.float64)
        return sums

    def _penalty(self, theta):
        """``lam/2 ||W||^2`` and its gradient (K, p + 1)."""
        G = self.lam * theta.reshape(self.shape)
        if self.fit_intercept:
            G[:, -1] = 0
        return 0.5 * float(G.ravel() @ theta.ravel()), G
