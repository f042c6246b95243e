"""Parameters and gradients in standardised columns.

With columns ``(x_j - mean_j) scale_j`` the logits are ``V x + c``, and ``W = V scale``,
``b = c - W mean``. X is not copied.
"""

import copy

import numpy as np

from sk_softmax._factors import inverse_sqrt


class StandardisedColumns:
    """The way between theta and its gradient, (K, p + 1), and those in standardised columns.

    Parameters
    ----------
    mean, variance : ndarray of shape (p,)
        Of the columns; the mean is zero without an intercept.
    fit_intercept : bool
    """

    def __init__(self, mean, variance, fit_intercept):
        self.mean = mean.astype(np.float64)
        scale = inverse_sqrt(variance)
        self.scale = np.where(scale > 0, scale, 1.0)
        self._fit_intercept = fit_intercept

    def select(self, columns):
        """The same for some of the columns."""
        some = copy.copy(self)
        some.mean, some.scale = self.mean[columns], self.scale[columns]
        return some

    def theta_of(self, V):
        """theta from V, which it overwrites."""
        p = len(self.scale)
        V[:, :p] *= self.scale
        if self._fit_intercept:
            V[:, -1] -= V[:, :p] @ self.mean
        return V

    def of_theta(self, theta):
        """The inverse of `theta_of`; overwrites theta."""
        p = len(self.scale)
        if self._fit_intercept:
            theta[:, -1] += theta[:, :p] @ self.mean
        theta[:, :p] /= self.scale
        return theta

    def gradient_of(self, G):
        """The gradient with respect to V from that with respect to theta, which it overwrites."""
        p = len(self.scale)
        if self._fit_intercept:
            G[:, :p] -= G[:, -1:] * self.mean
        G[:, :p] *= self.scale
        return G
