"""What the objective adds to the mean loss, and what it allows coefficients to be."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Penalty:
    """``sum_kj l2_j / 2 W_kj^2 + l1_j |W_kj|`` for W (K, p) with ``lower <= W <= upper``.

    Intercepts have no part in it.

    Attributes
    ----------
    l2, l1 : float or ndarray of shape (p,)
        Strengths for all features, or for each; not negative. Zero is no penalty.
    lower, upper : float or ndarray that broadcasts to (K, p)
        Bounds, infinite where there is none; equal where a coefficient is fixed.
    """

    l2: float | np.ndarray = 0.0
    l1: float | np.ndarray = 0.0
    lower: float | np.ndarray = -np.inf
    upper: float | np.ndarray = np.inf

    def value(self, W: np.ndarray) -> float:
        """The penalty of W."""
        value = 0.5 * float(np.vdot(self.l2 * W, W))
        return value if self.is_smooth else value + float((self.l1 * abs(W)).sum())

    def gradient(self, W: np.ndarray) -> np.ndarray:
        """That of the squares, (K, p); also its Hessian, which is diagonal, times W."""
        return self.l2 * W

    def times(self, factor: float) -> "Penalty":
        """The same penalty, `factor` times as strong."""
        return Penalty(self.l2 * factor, self.l1 * factor, self.lower, self.upper)

    def in_units(self, scale: np.ndarray) -> "Penalty":
        """The same penalty of V, where ``W = V * scale``."""
        return Penalty(self.l2 * scale**2, self.l1 * scale, self.lower / scale, self.upper / scale)

    def conjugate(self, H: np.ndarray) -> np.ndarray:
        """``sup_W H W - penalty(W)`` within the bounds, for each coefficient of H (K, p)."""
        excess = np.sign(H) * np.maximum(abs(H) - self.l1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            best = np.where(excess == 0, 0.0, excess / self.l2)  # infinite without squares
        best = np.clip(best, self.lower, self.upper)
        with np.errstate(invalid="ignore"):
            value = H * best - 0.5 * self.l2 * best**2 - self.l1 * abs(best)
        return np.where(np.isfinite(best), value, np.inf)

    def centre(self, W: np.ndarray) -> None:
        """Add to each column of W what makes the penalty least, in place, if there are no bounds.

        That moves no probability. With squares alone class rows then sum to zero; without any, the
        median of the classes is zero.
        """
        if self.has_bounds:
            return
        l1, l2 = (np.broadcast_to(s, W.shape[1:]) for s in (self.l1, self.l2))
        if not l1.any():
            W -= W.mean(axis=0)
            return
        # At the k-th smallest coefficient of a column the penalty falls, to the right, by `slope`.
        K = len(W)
        ordered = np.sort(W, axis=0)
        sides = 2.0 * np.arange(1, K + 1)[:, np.newaxis] - K
        slope = l2 * (K * ordered - W.sum(axis=0)) + l1 * sides
        rank = np.argmax(slope >= 0, axis=0)  # it rises from that one on
        columns = np.arange(W.shape[1])
        shift = ordered[rank, columns]
        before = slope[rank, columns] - 2 * l1  # the slope on its left
        between = (before > 0) & (l2 > 0)  # the least lies between two coefficients
        shift = np.where(between, shift - before / np.where(l2 > 0, K * l2, 1), shift)
        free = (l1 == 0) & (l2 == 0)
        W -= np.where(free, W.mean(axis=0), shift)

    @cached_property
    def has_bounds(self) -> bool:
        """Whether some coefficient is bounded."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    @cached_property
    def is_smooth(self) -> bool:
        """Whether it is made of squares alone, so that class rows sum to zero at the minimum."""
        return not np.any(self.l1) and not self.has_bounds

    @cached_property
    def is_isotropic(self) -> bool:
        """Whether it is the same in any rotated columns."""
        return np.ndim(self.l2) == 0 and self.is_smooth

    @cached_property
    def bounds_coefficients(self) -> bool:
        """Whether it rises without end in each coefficient."""
        rises = (np.asarray(self.l2) > 0) | (np.asarray(self.l1) > 0)
        boxed = np.isfinite(self.lower) & np.isfinite(self.upper)
        return bool(np.all(rises | boxed))

    @cached_property
    def is_none(self) -> bool:
        """Whether it is zero."""
        return not np.any(self.l2) and not np.any(self.l1)
