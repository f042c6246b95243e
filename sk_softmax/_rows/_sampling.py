"""Matrices that are summed over some rows, drawn by weight and leverage.

Relative to the whole sum's, the eigenvalues of an estimate from ten rows for each column lie within
about ``(1 +- sqrt(1/10))^2``, near enough for a preconditioner. Rows are drawn in proportion to
their weight in the sum and, so that no column rests on few of them, to their leverage (Drineas,
Mahoney, Muthukrishnan, "Sampling algorithms for l2 regression", 2006), here with uncorrelated
columns.
"""

import numpy as np

from sk_softmax._rows._base import MAX_LARGE_PARTS
from sk_softmax._rows._products import slices

# Multiplications that are worth a task of their own.
_PART_WORK = 2**22
# Bytes of weights held at once, or a tenth of X if that is more.
_WEIGHT_BYTES = 2**24


def drawn_grams(rows, kernel, model, means, n_rows, statistics):
    """As `Rows.drawn_grams`, for rows in memory."""
    n_weights, p = means.shape
    grams = np.empty((n_weights, p, p), dtype=rows.dtype)
    stress = None
    if n_rows < rows.n_samples:  # threads are to find them made
        stress = 1 + leverages(rows, statistics) / p

    def one_matrix(task):
        k, c = task
        drawn, w = None, c
        if stress is not None:
            drawn, w = draw_rows(c, stress, n_rows)
        grams[k] = _gram(rows, drawn, w, means[k].astype(rows.dtype), n_weights)

    work = n_weights * min(n_rows, rows.n_samples) * p**2
    for tasks in _row_weights(rows, kernel, model, n_weights):
        rows.threads.map(one_matrix, tasks, work)
    return grams


def leverages(rows, statistics):
    """How much each row stands out, (n,): its squares in units of their weighted means.

    The weighted mean over the rows is p. A row has a high leverage if it is one of the
    few in which some column is not constant.
    """
    scale = statistics.squares
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0).astype(rows.dtype)
    found = np.empty(rows.n_samples, dtype=rows.dtype)

    def fill(blocks):
        for block in blocks:
            found[block.rows] = block.squares_times(inverse, statistics.center)

    rows.threads.map(fill, rows.parts, rows.work)
    return found


def draw_rows(c, stress, m):
    """About m rows, and weights such that their sums estimate sums weighted by c.

    Systematic sampling: the rows at equal steps of the cumulative ``c * stress``, among which
    heavy ones may come twice.
    """
    cumulative = np.cumsum(c * stress, dtype=np.float64)
    step = cumulative[-1] / m
    rows = np.searchsorted(cumulative, (np.arange(m) + 0.5) * step)
    return rows, (step / stress[rows]).astype(c.dtype)


def _row_weights(rows, kernel, model, n_weights):
    """Yield lists of ``(k, c_k)``, as many of the (n,) weights at once as may be held."""
    n, itemsize = rows.n_samples, rows.dtype.itemsize
    budget = max(_WEIGHT_BYTES, rows.n_stored * itemsize // 10)
    logits = rows.logits_of(model) if model else None
    for chunk in slices(slice(0, n_weights), size=max(1, budget // (n * itemsize))):
        C = np.empty((chunk.stop - chunk.start, n), dtype=rows.dtype)

        def fill(blocks, C=C, chunk=chunk):
            for block in blocks:
                weights, _ = kernel(block, logits and logits(block))
                C[:, block.rows] = weights[chunk]

        rows.threads.map(fill, rows.parts, rows.work)
        yield list(zip(range(chunk.start, chunk.stop), C, strict=True))


def _gram(rows, drawn, w, mean, n_matrices):
    """``sum_i w_i (x_i - mean)(x_i - mean)'`` over drawn rows, or over all if None."""
    work = len(w) * rows.n_features**2
    # Several matrices are each left to one thread.
    n_parts = 1 + min(MAX_LARGE_PARTS - 1, work // _PART_WORK) if n_matrices == 1 else 1

    def part_gram(part):
        G = np.zeros((rows.n_features,) * 2, dtype=rows.dtype)
        for chunk in slices(part, size=rows.chunk_rows):
            some = chunk if drawn is None else drawn[chunk]
            G += rows.gram_of(some, np.sqrt(w[chunk]), mean)
        return G

    grams = rows.threads.map(part_gram, slices(slice(0, len(w)), number=n_parts), work)
    return sum(grams[1:], grams[0])
