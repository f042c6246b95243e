"""Changes of variables theta = theta_0 + T v in which the objective is better conditioned.

With T T' near the inverse Hessian, the gradient T' g in the new variables is the
quasi-Newton step itself, and half its square the quasi-Newton estimate of f - f*:

    1/2 ||T' g||^2 = 1/2 g' T T' g  ~  1/2 g' H^-1 g  ~  f - f*.

A change of variables offers `forward` (T v) and `backward` (T' g) on arrays of theta's
(K, p + 1) layout. The objective itself stays untouched.
"""

import numpy as np


class Diagonal:
    """Centre the columns, scale them by the Hessian's diagonal, and keep to the gauge.

    Three factors, applied in this order:

    - scaling by ``(D_kj + lam)^-1/2`` with the diagonal of the Hessian at `theta`, class by
      class, so that the unit of a column does not matter;
    - centring: the model is written in ``x - mu_k``, mu_k the columns' mean under the
      Hessian's weights of class k, which makes intercepts independent of coefficients. X
      is not touched (it may be sparse): ``b_k = c_k - W_k mu_k``;
    - the gauge: adding one vector to all rows of W moves no probability, so theta is
      projected to rows that sum to zero, as they do at the minimum. The flat direction
      becomes exactly flat and its gradient exactly zero.
    """

    def __init__(self, objective, theta):
        weight, mean, variance = objective.curvature(theta)
        self._mean = mean if objective.fit_intercept else None
        self._scale = np.empty(objective.shape)
        self._scale[:, : objective.n_features] = _inverse_sqrt(
            # Below this a variance is the rounding error of its sum: the column is constant.
            np.where(variance > 1e-14 * weight[:, np.newaxis] * mean**2, variance, 0)
            + objective.lam
        )
        if objective.fit_intercept:
            self._scale[:, -1] = _inverse_sqrt(weight)

    def forward(self, V):
        """T v."""
        theta = V * self._scale
        if self._mean is not None:
            theta[:, -1] -= (theta[:, :-1] * self._mean).sum(axis=1)
        return theta - theta.mean(axis=0)

    def backward(self, G):
        """T' g."""
        G = G - G.mean(axis=0)
        if self._mean is not None:
            G[:, :-1] -= G[:, -1:] * self._mean
        return G * self._scale


def _inverse_sqrt(diagonal):
    """``diagonal^-1/2``, and 0 where it is 0: what nothing depends on is left alone."""
    positive = diagonal > 0
    return np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=positive)
