"""What rows are to be: class codes, smoothed or not, or probabilities of the classes.

And what their logits have beside that of the model: an offset.
"""

from dataclasses import dataclass, replace

import numpy as np

from sk_softmax._anywhere import like, namespace_of


@dataclass(frozen=True)
class Targets:
    """The distributions q_i over the classes that rows are to have.

    Attributes
    ----------
    y : ndarray of shape (m,), int, or (m, K), float
        Class codes, or the q_i themselves.
    n_classes : int
    smoothing : float
        The share eps of the uniform distribution, with codes only: ``(1 - eps) onehot + eps / K``.
    offset : ndarray of shape (m, K), default=None
        What is added to the logits of a model.
    """

    y: np.ndarray
    n_classes: int
    smoothing: float = 0.0
    offset: np.ndarray | None = None

    @classmethod
    def of(cls, y, n_classes, smoothing, offset=None):
        """Smoothed targets from codes or probabilities."""
        if y.ndim == 2:
            y, smoothing = (1 - smoothing) * y + smoothing / n_classes, 0.0
        return cls(y, n_classes, smoothing, offset)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, rows):
        offset = None if self.offset is None else self.offset[rows]
        return replace(self, y=self.y[rows], offset=offset)

    def astype(self, dtype):
        """The same targets, with probabilities and offsets in a dtype."""
        y = self.y if self.are_labels else self.y.astype(dtype)
        offset = None if self.offset is None else self.offset.astype(dtype)
        return replace(self, y=y, offset=offset)

    def logits(self, Z):
        """Logits (K, m) of a model with the offset added, in another array if there is one."""
        return Z if self.offset is None else Z + self.offset.T

    def difference(self, d):
        """Differences (m,) of two classes' logits, with those of the offsets added in place."""
        if self.offset is not None:
            d += self.offset[:, 1] - self.offset[:, 0]
        return d

    def probability(self, is_second, dtype):
        """That of one of two classes in each row, (m,), of the second where a mask says so."""
        if not self.are_labels:
            return np.where(is_second, self.y[:, 1], self.y[:, 0])
        q = (self.y == is_second).astype(dtype)
        if self.smoothing:
            q *= 1 - self.smoothing
            q += self.smoothing / self.n_classes
        return q

    @property
    def are_labels(self):
        """Whether there is a label for each row, if perhaps smoothed."""
        return self.y.ndim == 1

    @property
    def are_one_hot(self):
        """Whether each row has one class with certainty, by its code."""
        return self.are_labels and self.smoothing == 0

    @property
    def have_zeros(self):
        """Whether a class has no probability in some row."""
        return self.smoothing == 0 if self.are_labels else not self.y.all()

    def has(self):
        """Whether a row gives a class a positive probability, (K, m)."""
        return self.matrix(np.float64) > 0

    @property
    def labels(self):
        """The most probable class of each row, (m,)."""
        return self.y if self.are_labels else self.y.argmax(axis=1)

    def matrix(self, dtype):
        """The q_i, (K, m)."""
        if not self.are_labels:
            return self.y.T
        Q = np.full((self.n_classes, len(self.y)), self.smoothing / self.n_classes, dtype=dtype)
        Q[self.y, np.arange(len(self.y))] += 1 - self.smoothing
        return Q

    def is_label(self):
        """Which class `labels` are, (K, m)."""
        return np.arange(self.n_classes)[:, np.newaxis] == self.labels

    def totals(self, weights):
        """``sum_i w_i q_i``, (K,)."""
        if not self.are_labels:
            return weights @ self.y
        totals = np.bincount(self.y, weights=weights, minlength=self.n_classes)
        return (1 - self.smoothing) * totals + weights.sum() * (self.smoothing / self.n_classes)


class DeviceTargets(Targets):
    """The same on a device: for kernels that compute there."""

    @classmethod
    def of_targets(cls, targets, place):
        """Targets with codes or probabilities, and offsets, sent to a `Place`."""
        return cls(
            place.array(targets.y),
            targets.n_classes,
            targets.smoothing,
            place.array(targets.offset),
        )

    @property
    def labels(self):
        """The most probable class of each row, (m,)."""
        return self.y if self.are_labels else namespace_of(self.y).argmax(self.y, axis=1)

    def is_label(self):
        """Which class `labels` are, (K, m)."""
        classes = like(self.y, np.arange(self.n_classes))
        return classes[:, None] == self.labels[None, :]

    def has(self):
        """Whether a row gives a class a positive probability, (K, m)."""
        if self.are_labels:
            return self.is_label() | (self.smoothing > 0)
        return self.y.T > 0

    def matrix(self, dtype):
        """The q_i, (K, m)."""
        if not self.are_labels:
            return self.y.T
        Q = namespace_of(self.y).astype(self.is_label(), dtype)
        return (1 - self.smoothing) * Q + self.smoothing / self.n_classes
