"""What the objective adds to the mean loss."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Penalty:
    """``1/2 sum_jk l2_j W_kj^2``, for coefficients W (K, p); intercepts have no part in it.

    Attributes
    ----------
    l2 : float or ndarray of shape (p,)
        Strength for all features, or for each; not negative. Zero is no penalty.
    """

    l2: float | np.ndarray = 0.0

    def value(self, W):
        """The penalty of W."""
        return 0.5 * float(np.einsum("kj,kj->", self.l2 * W, W))

    def gradient(self, W):
        """Its gradient, (K, p); also its Hessian, which is diagonal, times W."""
        return self.l2 * W

    @property
    def is_isotropic(self):
        """Whether it is the same in any rotated columns."""
        return np.ndim(self.l2) == 0

    @property
    def bounds_coefficients(self):
        """Whether it rises without end in each coefficient."""
        return bool(np.all(np.asarray(self.l2) > 0))

    @property
    def is_none(self):
        """Whether it is zero."""
        return not np.any(self.l2)
