"""Sums ``R X`` over the rows of a sparse X, for weights R (K, n) that each row yields.

A row of a sparse X has values in few of p columns. If each thread summed some of the rows, it would
need an array of K p numbers of its own, often larger than X. Here threads first compute the weights
of all rows. Then each thread sums some of the columns. That needs X' in CSR as well, which takes as
much memory as X.
"""

from functools import cached_property
from itertools import pairwise

import numpy as np

from sk_softmax._rows._base import MAX_PARTS
from sk_softmax._rows._products import slices
from sk_softmax._rows._storage import rows_view


class ColumnSums:
    """Sums over the rows of X (n, p), CSR, for weights (K, n).

    The tasks that threads share are fixed by shape and sparsity: sums are the same to the
    last bit for any number of threads. `task_work` multiplications are worth one. About
    `chunk_bytes` of the weights are held at once.
    """

    def __init__(self, X, n_weights, threads, *, task_work, chunk_bytes=2**26):
        self._X, self._n_weights, self._threads = X, n_weights, threads
        self._chunk_bytes, self._task_work = chunk_bytes, task_work

    def add(self, make_block, weights, dtype, *sums):
        """Add ``R X`` to the first of `sums`, and ``R X^2`` (squared values) to the second.

        ``weights(make_block(rows, X[rows]))`` returns R[:, rows], in `dtype`, and something else of
        a slice of rows; the latter is returned for all of them, in a list. Sums are (K, p).
        """
        others = []
        for rows, blocks, column_blocks in self._chunks:
            R = np.empty((rows.stop - rows.start, len(sums[0])), dtype=dtype)

            def fill(block, R=R, start=rows.start):
                rows, X = block
                weighted, other = weights(make_block(rows, X))
                R[rows.start - start : rows.stop - start] = weighted.T
                return other

            def add_columns(block, R=R):
                columns, X = block
                X = X.astype(dtype, copy=False)
                for power, total in enumerate(sums, start=1):
                    total[:, columns] += ((X if power == 1 else X.power(power)) @ R).T

            others += self._threads.map(fill, blocks)
            self._threads.map(add_columns, column_blocks)
        return others

    @cached_property
    def _chunks(self):
        """Slices of rows, each with its blocks of rows and of columns, as many as are tasks."""
        n, K = self._X.shape[0], self._n_weights
        chunks = []
        for rows in slices(slice(0, n), size=max(1, self._chunk_bytes // (8 * K))):
            X = rows_view(self._X, rows)
            n_tasks = int(min(MAX_PARTS, 1 + X.nnz * K // self._task_work))
            blocks = [
                (slice(rows.start + part.start, rows.start + part.stop), rows_view(X, part))
                for part in slices(slice(0, X.shape[0]), number=min(n_tasks, X.shape[0]))
            ]
            transposed = X.T.tocsr()
            # Columns differ in their stored values, and each costs K even without one.
            work = transposed.indptr + np.arange(len(transposed.indptr))
            edges = np.searchsorted(work, work[-1] * np.arange(n_tasks + 1) / n_tasks)
            columns = [slice(*edge) for edge in pairwise(edges.tolist()) if edge[0] < edge[1]]
            chunks.append((rows, blocks, [(part, rows_view(transposed, part)) for part in columns]))
        return chunks
