"""Mini-batches: rows in random order, drawn without replacement.

An epoch is one uniformly random permutation of all rows, cut into batches. Every batch is
then a simple random sample, so that its gradient, divided by its number of rows times the
mean weight, has the gradient of f as its expectation; and every row occurs exactly once.

Gathering rows one batch at a time would cost as much as computing with them. They are
gathered a chunk of batches at a time, and where there are two threads one of them gathers
the next chunk while the other computes. The order does not depend on that. Chunks take turns
in two buffers: fresh memory would cost more than the gathering itself.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from scipy import sparse
from scipy.linalg import get_blas_funcs

from sk_softmax._rows._products import padded_number, times_columns, times_rows, times_transposed
from sk_softmax._rows._storage import rows_view


class Parameters:
    """Coefficients and intercepts, or a gradient or step, laid out for products with batches.

    Attributes
    ----------
    flat : ndarray
        All of them, coefficients first; the others are views of it.
    coefficients : ndarray
        Its first part.
    padded : ndarray of shape (p, K'), K' >= K
        The coefficients, the last K' - K columns zero. Its rows are contiguous if `times_columns`
        wants them to be, otherwise its columns.
    W : ndarray of shape (p, K)
        Without the columns of zeros.
    b : ndarray of shape (K,), or None
        The intercepts.
    """

    def __init__(self, objective):
        K, p = objective.n_classes, objective.n_features
        are_rows_contiguous = times_columns(K, objective.rows.X, objective.dtype)
        width = K if are_rows_contiguous else padded_number(K)
        size = p * width
        self.flat = np.zeros(size + K * objective.fit_intercept, dtype=objective.dtype)
        if are_rows_contiguous:
            self.padded = self.flat[:size].reshape(p, K)
        else:
            self.padded = self.flat[:size].reshape(width, p).T
        self.coefficients = self.flat[:size]
        self.W = self.padded[:, :K]
        self.b = self.flat[size:] if objective.fit_intercept else None

    @classmethod
    def of(cls, objective, theta):
        """Those of an array (p + 1, K), intercepts last, or (p, K) without intercepts."""
        parameters = cls(objective)
        p = objective.n_features
        parameters.W[:] = theta[:p]
        if parameters.b is not None:
            parameters.b[:] = theta[p]
        return parameters

    def as_array(self):
        """The inverse of `of`."""
        return self.W.copy() if self.b is None else np.vstack([self.W, self.b])


@dataclass(slots=True)  # frozen ones take three times as long to make
class Batch:
    """m rows `X` (m, p), number `rows` (m,), with `weights` (m,) and weighted targets `Q` (K, m).

    ``weights[i] = s_i / (m mean(s))`` and ``Q[k, i] = weights[i] q_ik``: the residuals
    ``weights P - Q`` times X are the gradient's unbiased estimate. `true` (m,) are the places
    of the rows' most probable classes in a flat array like Q, and `offset` (K, m) what is added to
    their logits. `gradient` leaves `residuals` (K, m).
    """

    X: np.ndarray | sparse.csr_array
    weights: np.ndarray
    Q: np.ndarray
    true: np.ndarray
    rows: np.ndarray
    offset: np.ndarray | None = None
    residuals: np.ndarray | None = None

    def gradient(self, theta, G, true_logit, normaliser, table=None):
        """Write the gradient of the mean loss at `theta` into `G`, both `Parameters`.

        With Z the logits less each row's largest, also write ``Z[true]`` and the sums of
        ``exp(Z)``, both (m,), and return ``sum(Q Z)``: the mean loss is that of
        ``weights log(normaliser)`` less this. With a `GradientTable`, G is the gradient's
        difference from that of the rows' last visits.
        """
        padded = np.ascontiguousarray(times_transposed(theta.padded.T, self.X))
        Z = padded[: len(self.Q)]
        if theta.b is not None:
            Z += theta.b[:, np.newaxis]
        if self.offset is not None:
            Z += self.offset
        Z -= np.maximum.reduce(Z, axis=0)
        Z.take(self.true, out=true_logit, mode="clip")
        target_logits = np.vdot(self.Q, Z)
        np.exp(Z, out=Z)
        np.add.reduce(Z, axis=0, out=normaliser)
        Z *= self.weights / normaliser
        if table is None:
            Z -= self.Q
        else:
            table.exchange(self.rows, Z, self.Q)
        self.residuals = Z
        times_rows(padded, self.X, out=G.padded.T)
        if G.b is not None:
            np.add.reduce(Z, axis=1, out=G.b)
        return float(target_logits)


class Batches:
    """The rows of an objective in its own dtype, `batch_size` at a time.

    About `chunk_bytes` are gathered at once: few calls for small batches, and still in the cache.
    """

    def __init__(self, objective, batch_size, chunk_bytes=2**22):
        self._objective = objective
        self.batch_size = min(batch_size, objective.n_samples)
        itemsize = objective.dtype.itemsize
        row_bytes = (objective.rows.n_stored / objective.n_samples + objective.n_classes) * itemsize
        self._chunk_rows = self.batch_size * max(1, int(chunk_bytes / row_bytes / self.batch_size))
        one_chunk = self._chunk_rows >= objective.n_samples
        self._prefetches = objective.threads.n_threads > 1 and not one_chunk

    def epoch(self, order):
        """Yield the batches of a permutation of the rows."""
        n, size = self._objective.n_samples, self.batch_size
        whole = n - n % size  # a last batch that is smaller is gathered by itself
        starts = range(0, whole, self._chunk_rows)
        buffers = cycle(self._objective.rows.buffers(self._chunk_rows))
        tasks = [(order[i : min(i + self._chunk_rows, whole)], size, next(buffers)) for i in starts]
        if whole < n:
            tasks.append((order[whole:], n - whole, next(buffers)))
        if not self._prefetches:
            for task in tasks:
                yield from self._gather(*task)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="sk_softmax") as pool:
            following = pool.submit(self._gather, *tasks[0])
            for task in tasks[1:]:
                chunk, following = following.result(), pool.submit(self._gather, *task)
                yield from chunk
            yield from following.result()

    def _gather(self, rows, size, buffer):
        """The batches of a chunk, `size` rows each."""
        objective = self._objective
        X = objective.rows.gathered(rows, buffer).astype(objective.dtype, copy=False)
        y, weights = objective.rows.targets.y[rows], self._weights(rows, size)
        number = len(rows) // size
        Q = self._weighted_targets(y, weights, number)
        position = np.arange(len(rows)) % size
        true = (y if y.ndim == 1 else y.argmax(axis=1)) * size + position
        offset = objective.rows.targets.offset
        offset = [None] * number if offset is None else _by_batches(offset[rows], number)
        if number == 1:
            return [Batch(X, weights, Q[0], true, rows, offset[0])]
        edges = [slice(i, i + size) for i in range(0, len(rows), size)]
        return [
            Batch(rows_view(X, i), weights[i], q, true[i], rows[i], o)
            for i, q, o in zip(edges, Q, offset, strict=True)
        ]

    def _weighted_targets(self, y, weights, number):
        """``weights_i q_ik`` of a chunk, (number, K, m), from codes or probabilities."""
        K, size = self._objective.n_classes, len(weights) // number
        if y.ndim == 2:
            return _by_batches(y * weights[:, np.newaxis], number)
        eps = self._objective.rows.targets.smoothing
        Q = np.empty((number, K, size), dtype=weights.dtype)
        Q[:] = (eps / K * weights).reshape(number, 1, size)
        position = np.arange(len(weights))
        Q[position // size, y, position % size] += (1 - eps) * weights
        return Q

    def _weights(self, rows, size):
        """``s_i / (m mean(s))``; the objective's s sum to one."""
        objective = self._objective
        return objective.rows.weights[rows] * objective.dtype.type(objective.n_samples / size)


def _by_batches(A, number):
    """Numbers of rows (n, K), cut into batches: (number, K, n / number)."""
    return np.ascontiguousarray(A.reshape(number, -1, A.shape[1]).transpose(0, 2, 1))


def adder_of_multiples(dtype):
    """Function that adds a multiple of one flat array to another, in one pass over them."""
    (axpy,) = get_blas_funcs(("axpy",), dtype=dtype)
    return lambda y, x, a: axpy(x, y, a=a)
