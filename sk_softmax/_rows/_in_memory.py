"""Rows whose values lie in the memory of this process, or in a map of a file."""

import copy
from dataclasses import replace
from functools import cached_property

import numpy as np

from sk_softmax._rows._base import (
    CALL_WORK,
    LOGIT_WORK,
    MAX_LARGE_PARTS,
    MAX_PARTS,
    add_in_place,
    combined,
)
from sk_softmax._rows._block import Block, squares
from sk_softmax._rows._products import (
    padded_number,
    slices,
    times_columns,
    times_rows,
    times_transposed,
)
from sk_softmax._rows._sampling import drawn_grams
from sk_softmax._rows._storage import dense, rows_view
from sk_softmax._two_classes import counterpart_of, difference, for_both

# Numbers in the standardised columns of all rows up to which they are kept.
_KEPT_SIZE = 2**22
# Memory that may always be taken beside X.
SPARE_BYTES = 2**28
# Probabilities that are handed on: as many as fit the cache beside what else it holds.
_FEW_PROBABILITIES = 2**17


class InMemoryRows:
    """Rows of an array or a CSR matrix; what does not depend on which.

    The rows are split into parts by the shape of the data alone, each part into blocks that fit the
    cache, and sums are added up in a fixed order.

    Parameters
    ----------
    X : ndarray of shape (n, p) of any real type, or CSR, float32 or float64
    targets : Targets
    weights : ndarray of shape (n,), float64, positive
        They add up to one, over these rows and all others.
    threads : RowThreads, entered
    """

    random_access = True
    block_type = Block
    # Whether X may be kept in another dtype too.
    may_copy = True
    # Multiply-adds below which handing a part to a thread costs more than computing it.
    part_work = 2**19
    # Bytes of X, logits and residuals that a block may span: its second product should still
    # find the rows of the first in the cache of one core.
    block_bytes = 3 * 2**19
    # Drawn rows that are multiplied at once.
    chunk_rows = 512

    has_places = True

    def __init__(self, X, targets, weights, threads):
        self.X, self.targets, self.weights, self.threads = X, targets, weights, threads
        self.n_samples, self.n_features = X.shape
        self.n_classes = targets.n_classes
        # Integers of up to 16 bits, such as pixels, are exact in float32.
        self.float_dtype = np.result_type(X.dtype, np.float16, np.float32)
        self.work = self._value_work() * self.n_stored + CALL_WORK
        self.work += LOGIT_WORK * self.n_classes * self.n_samples
        self.parts = self._split()

    @property
    def dtype(self):
        """What is computed in."""
        return self.weights.dtype

    @property
    def coef_dtype(self):
        """float32 of float32, else float64."""
        return np.dtype(np.float32 if self.X.dtype == np.float32 else np.float64)

    @property
    def spare_bytes(self):
        """256 MiB, or as much as X if that is more."""
        return max(SPARE_BYTES, self.n_stored * self.X.dtype.itemsize)

    @property
    def keeps_probabilities(self):
        """Whether they are few, and float64."""
        size = self.n_classes * self.n_samples
        return size <= _FEW_PROBABILITIES and self.dtype == np.float64

    @cached_property
    def class_weight(self):
        """Share of each class in the targets, by weight, (K,)."""
        return self.targets.totals(self.weights)

    @property
    def has_offset(self):
        """Whether rows have logits beside those of a model."""
        return self.targets.offset is not None

    @cached_property
    def smallest_weight(self):
        """That of all rows."""
        return float(self.weights.min())

    @property
    def are_one_hot(self):
        """Whether all targets are."""
        return self.targets.are_one_hot

    @cached_property
    def have_zeros(self):
        """Whether a class has no probability in some target."""
        return self.targets.have_zeros

    def astype(self, dtype):
        """The same rows computed in `dtype`, block by block."""
        if dtype == self.dtype:
            return self
        other = copy.copy(self)
        other.weights = self.weights.astype(dtype)
        other.targets = self.targets.astype(dtype)
        other.parts = other._split()
        return other

    def with_columns(self, X):
        """The same rows described by other columns, an array or a matrix of this kind."""
        other = type(self)(X, self.targets, self.weights, self.threads)
        other.may_copy = self.may_copy
        return other

    def reduce(self, kernel, *models, combine=None):
        """As `Rows.reduce`."""
        kernel, models = self._folded(kernel, models)
        at = self._at(kernel, *models)

        def part_numbers(blocks):
            if not models:
                return combined(map(kernel, blocks), combine)
            return combined((kernel(*at(block)) for block in blocks), combine)

        return combined(self.threads.map(part_numbers, self.parts, self.work), combine)

    def accumulate(self, kernel, *models):
        """As `Rows.accumulate`. Parts form few groups, each of which has its own arrays."""
        at = self._at(kernel, *models)
        n_groups = min(len(self.parts), MAX_LARGE_PARTS)

        def group_sums(group):
            total = None
            for part in self.parts[group]:
                for block in part:
                    total = kernel(total, *at(block))
            return total

        groups = slices(slice(0, len(self.parts)), number=n_groups)
        n_pairs = self.n_classes * (self.n_classes - 1) // 2
        work = n_pairs * self.n_samples * (self.n_features + 1) ** 2  # that of a Hessian
        return combined(self.threads.map(group_sums, groups, work), add_in_place)

    def drawn_grams(self, kernel, model, means, n_rows, statistics):
        """As `Rows.drawn_grams`."""
        return drawn_grams(self, kernel, model, means, n_rows, statistics)

    def dense(self, rows):
        """The values of some rows, an array in `dtype`."""
        return dense(self.X[rows]).astype(self.dtype, copy=False)

    def gram_of(self, rows, roots, mean):
        """``sum_i (r_i (x_i - mean)) (r_i (x_i - mean))'`` over some rows, (p, p)."""
        X = self.dense(rows) - mean
        X *= roots[:, np.newaxis]
        return X.T @ X

    def standardised(self, center, scale):
        """As `Rows.standardised`."""
        if self.n_samples * (self.n_features + 1) > _KEPT_SIZE:
            return self
        other = copy.copy(self)
        other.parts = [
            [replace(block, kept_columns=block.columns(center, scale)) for block in part]
            for part in self.parts
        ]
        return other

    def select(self, columns):
        """As `Rows.select`."""
        return self.with_columns(self.X[:, columns])

    def take(self, indices):
        """Rows of an array of indices, whose weights stand for those of all rows.

        Sums over them are divided by their number times the mean weight, not by the weight that
        happens to be in them: estimates of sums over all rows without bias.
        """
        weights = self.weights[indices] * self.dtype.type(self.n_samples / len(indices))
        return type(self)(self.X[indices], self.targets[indices], weights, self.threads)

    def sums(self, kernel, *models):
        """As `Rows.sums`."""
        kernel, folded = self._folded(kernel, models)
        numbers, G, G1 = self._sums(kernel, *folded)
        return (numbers, for_both(G), for_both(G1)) if folded is not models else (numbers, G, G1)

    def _folded(self, kernel, models):
        """A kernel and its models; of two classes their counterparts, if there are any."""
        counterpart = counterpart_of(kernel) if self.n_classes == 2 and models else None
        if counterpart is None:
            return kernel, models
        return counterpart, [difference(model) for model in models]

    def logits_of(self, *models):
        """Function from a block to the logits of some models, stacked, in `dtype`."""
        padded = self._padded_logits_of(*models)
        n_logits = sum(len(W) for W, _ in models)
        return lambda block: padded(block.values)[:n_logits]

    def _at(self, kernel, *models):
        """Function from a block to what a kernel gets of it: the block, and logits or None."""
        logits = self.logits_of(*models) if models else lambda block: None
        return lambda block: (block, logits(block))

    def _padded_logits_of(self, *models):
        """As `logits_of`, from values in `dtype`, with rows of zeros below that BLAS computes."""
        W, b = models[0]
        if len(models) > 1:
            W = np.concatenate([W for W, _ in models])
            b = None if b is None else np.concatenate([b for _, b in models])
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

    def _block(self, rows, X):
        return self.block_type(rows, X, self.targets[rows], self.weights[rows])

    def _split(self):
        """Parts, each a list of blocks that share the memory of X."""
        n, K, stored = self.n_samples, self.n_classes, self.n_stored
        n_parts = min(
            MAX_PARTS,
            1 + stored * K // self.part_work,
            # Each part has a gradient of its own. All of them take 5% of X at most, or are four.
            max(4, stored // (20 * K * (self.n_features + 1))),
            n,
        )
        row_bytes = (stored / n + 2 * K) * self.dtype.itemsize
        block_rows = max(64, int(self.block_bytes / row_bytes))
        return [
            [self._block(rows, rows_view(self.X, rows)) for rows in slices(part, size=block_rows)]
            for part in slices(slice(0, n), number=n_parts)
        ]


def moments_by_rows(rows, kernel, model, center, n_weights):
    """As `Rows.moments`, block by block."""
    logits = rows.logits_of(model) if model else None

    def part_sums(blocks):
        first, second = np.zeros((2, n_weights, rows.n_features))
        numbers = []
        for block in blocks:
            C, some = kernel(block, logits and logits(block))
            numbers.append(some)
            X = block.centered(center)
            first += times_rows(C, X)
            second += times_rows(C, squares(X))
        return combined(numbers), first, second

    return added_up(rows.threads.map(part_sums, rows.parts, rows.work))


def added_up(parts):
    """Numbers and two arrays of parts, added up in order, in those of the first."""
    (numbers, first, second), *others = parts
    for some, one, other in others:
        numbers = combined((numbers, some))
        first += one
        second += other
    return numbers, first, second
