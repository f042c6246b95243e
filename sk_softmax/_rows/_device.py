"""Rows of an array that is on a device: what is as large as they are is computed there."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from sk_softmax._anywhere import is_anywhere, like, row_sums
from sk_softmax._device_array import DeviceArray, dtype_of, to_numpy
from sk_softmax._rows._base import combined
from sk_softmax._rows._block import Block
from sk_softmax._rows._dense import DenseRows
from sk_softmax._rows._in_memory import added_up
from sk_softmax._rows._rotation import Rotation, rotation_pays
from sk_softmax._rows._targets import DeviceTargets


class DeviceBlock(Block):
    """Some rows of a `DeviceArray`."""

    @property
    def dtype(self):
        """What is computed in."""
        return dtype_of(self.weights)

    @cached_property
    def moved(self):
        """The block with targets and weights on the device, for kernels that compute there."""
        place = self.X.place
        targets = DeviceTargets.of_targets(self.targets, place)
        return replace(self, targets=targets, weights=place.array(self.weights))

    @property
    def there(self):
        """X on the device, in `dtype`."""
        return self.X.values(self.dtype)

    def weighted_sum(self):
        """As `Block.weighted_sum`."""
        return self.product(self.weights[np.newaxis], self.there)[0]

    def sums_about(self, center, pairs):
        """As `Block.sums_about`."""
        X = self.X.values(np.float64) - self._sent(center, np.float64)
        s = self._sent(self.weights, np.float64)
        second = X.T @ (X * s[:, None]) if pairs else s @ (X * X)
        return tuple(here(sums).astype(np.float64) for sums in (s @ X, second))

    def squares_times(self, weights, center):
        """As `Block.squares_times`."""
        X = self.there - self._sent(center)
        return here((X * X) @ self._sent(weights)).astype(self.dtype, copy=False)

    def columns(self, center, scale, dtype=np.float64):
        """As `Block.columns`, a `DeviceArray`."""
        if self.kept_columns is not None:
            return self.kept_columns
        X, place = self.X.values(dtype), self.X.place
        X = (X - self._sent(center, dtype)) * self._sent(scale, dtype)
        ones = place.xp.ones((len(self.X), 1), dtype=X.dtype, device=place.device)
        return DeviceArray(place.xp.concat([X, ones], axis=1).T)

    def product(self, R, X):
        """``R @ X`` of an array of either place and one there, in float64 here."""
        return here(like(X, R) @ X).astype(np.float64)

    def _sent(self, array, dtype=None):
        """An array on the device, in `dtype` or another one."""
        return self.X.place.array(np.asarray(array, dtype=dtype or self.dtype))


class DeviceRows(DenseRows):
    """Rows of a `DeviceArray`, of any real type.

    X stays where it is, and products with X or with standardised columns are computed there, in the
    dtype of the rows; coefficients go there once for each pass. So are the kernels that can compute
    `anywhere`; for others the logits of a block come here, and what they make of them goes back.
    Sums over the blocks are float64, here.
    """

    block_type = DeviceBlock
    # Bytes of X, logits and residuals of a block: each is worth a call of the device.
    block_bytes = 2**25
    chunk_rows = 2**14
    keeps_probabilities = False
    has_places = False
    random_access = False

    def first_row(self):
        """The values of the first row, (p,)."""
        return self.X[:1].astype(np.float64)[0]

    def rotated(self):
        """As `Rows.rotated`, of few rows of many columns, and then in memory here."""
        if not rotation_pays(self):
            return None
        return Rotation(DenseRows(np.asarray(self.X), self.targets, self.weights, self.threads))

    def _logits_there(self, *models):
        """Function from values on the device to the logits of some models, stacked, there."""
        W = np.concatenate([W for W, _ in models])
        b = None if models[0][1] is None else np.concatenate([b for _, b in models])
        send = self.X.place.array
        W = send(W.astype(self.dtype))
        b = 0 if b is None else send(b.astype(self.dtype))[:, None]
        return lambda X: W @ X.T + b

    def logits_of(self, *models):
        """As `DenseRows.logits_of`."""
        logits = self._logits_there(*models)
        return lambda block: writable(here(logits(block.there)), self.dtype)

    def _folded(self, kernel, models):
        """As they are: two rows of logits cost a device no more than one."""
        return kernel, models

    def _at(self, kernel, *models):
        """As `DenseRows._at`; all of it on the device for kernels that compute there."""
        if not models:
            return lambda block, X=None: (block, None)
        logits, is_there = self._logits_there(*models), is_anywhere(kernel) and self.X.is_writable

        def at(block, X=None):
            Z = logits(block.there if X is None else X)
            return (block.moved, Z) if is_there else (block, writable(here(Z), self.dtype))

        return at

    def _sums(self, kernel, *models):
        """As `DenseRows._sums`."""
        K, at = self.n_classes, self._at(kernel, *models)

        def part_sums(blocks):
            G, G1, numbers = np.zeros((K, self.n_features)), np.zeros(K), []
            for block in blocks:
                X = block.there
                given, Z = at(block, X)
                numbers.append(kernel(given, Z))
                R = Z[:K, ...]
                G += block.product(R, X)
                G1 += here(row_sums(R))
            return combined(numbers), G, G1

        return added_up(self.threads.map(part_sums, self.parts))

    def moments(self, kernel, model, center, n_weights):
        """As `Rows.moments`."""
        at = self._at(kernel, *([model] if model else []))
        there = self.X.place.array(np.asarray(center, dtype=self.dtype))

        def part_sums(blocks):
            first, second = np.zeros((2, n_weights, self.n_features))
            numbers = []
            for block in blocks:
                X = block.there
                C, some = kernel(*at(block, X))
                numbers.append(tuple(map(here, some)))
                X = X - there
                first += block.product(C, X)
                second += block.product(C, X * X)
            return combined(numbers), first, second

        return added_up(self.threads.map(part_sums, self.parts))

    def gram_of(self, rows, roots, mean):
        """As `InMemoryRows.gram_of`."""
        send = self.X.place.array
        X = (self.X[rows].values(self.dtype) - send(mean)) * send(roots)[:, None]
        return here(X.T @ X).astype(self.dtype, copy=False)


def here(array):
    """An array of a device in NumPy."""
    return to_numpy(array)


def writable(Z, dtype):
    """Logits that kernels may overwrite."""
    Z = np.ascontiguousarray(Z, dtype=dtype)
    return Z if Z.flags.writeable else Z.copy()
