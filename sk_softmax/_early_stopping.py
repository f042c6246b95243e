"""Rows held out of the fit: what a model makes of them, and when that no longer improves."""

import numpy as np

from sk_softmax._kernels import loss_and_accuracy


class Validation:
    """Scores of parameters on held-out rows, and the best parameters so far.

    Parameters
    ----------
    rows : Rows
        That are held out.
    unpack : callable
        From theta to a model of these rows.
    tol : float
        Fraction of itself, and of what it has fallen so far, by which the loss must fall to count
        as an improvement.
    patience : int or None
        Iterations without one after which `should_stop`; None for no limit.
    """

    metrics = ("validation_loss", "validation_accuracy")

    def __init__(self, rows, unpack, tol, patience):
        self._rows, self._unpack, self._tol, self._patience = rows, unpack, tol, patience
        self._waited = 0
        self._first_loss = None
        self.best_loss, self.best_theta = np.inf, None

    @property
    def should_stop(self):
        """Whether the loss has not improved for as long as patience lasts."""
        return self._patience is not None and self._waited >= self._patience

    def judge(self, theta):
        """The `score` at theta; remembers the best theta, and how often there was none better."""
        scores = self.score(theta)
        loss = scores["validation_loss"]
        if self._first_loss is None:
            self._first_loss = loss
        best = self.best_loss
        improved = loss < best - self._tol * min(abs(best), abs(self._first_loss - best))
        self._waited = 0 if improved or self.best_theta is None else self._waited + 1
        if loss < self.best_loss or self.best_theta is None:
            self.best_loss, self.best_theta = loss, np.array(theta)
        return scores

    def score(self, theta):
        """Mean cross-entropy and accuracy at theta, by name."""
        scores = self._rows.reduce(loss_and_accuracy, self._unpack(theta))
        return dict(zip(self.metrics, scores, strict=True))


def split_rows(y, fraction, random_state):
    """Boolean mask of rows to hold out: of each class that fraction, and at least one is left.

    Rows of probabilities go by their most probable class. A class with one row keeps it for
    training.
    """
    codes = y if y.ndim == 1 else y.argmax(axis=1)
    held_out = np.zeros(len(codes), dtype=bool)
    order = random_state.permutation(len(codes))
    # Rounded down in turn from one class to the next, so that the fraction holds over all.
    owed = 0.0
    for k in range(codes.max() + 1):
        rows = order[codes[order] == k]
        owed += fraction * len(rows)
        number = min(int(owed), max(len(rows) - 1, 0))
        held_out[rows[:number]] = True
        owed -= number
    return held_out
