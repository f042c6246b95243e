"""How far the minimum can be at most: the Newton decrement and generalised self-concordance.

Along a step u from theta let ``h(t) = f(theta + t u)``, and r the largest range over the classes
of what u adds to the logits of a row. Then ``|h'''| <= r h''``: the third central moment of a
bounded variable is at most its range times its variance. The penalty only adds to h''. So h''
falls at most like ``exp(-r t)``. With the decrement ``lambda^2 = g' H^-1 g``, and kappa the
largest leverage of a row, ``r <= kappa ||u||_H`` for every u, and

    kappa lambda < 1   =>   f - f* <= lambda^2 phi(kappa lambda),
    phi(x) = (x + (1 - x) log(1 - x)) / x^2  =  1/2 + x/6 + x^2/12 + ...

Curvature at ``theta + u`` is at least ``exp(-r)`` times that at theta. So a factor of H(theta) also
bounds lambda by ``exp(r / 2) ||g(theta + u)||`` in the norm of its inverse, and kappa by
``exp(r / 2)`` times that at theta.

The bound also proves that there is a minimum: from theta, f rises without end in every direction
but those that change no logits (F. Bach, "Self-concordant analysis for logistic regression",
Electronic Journal of Statistics 4, 2010; T. Sun, Q. Tran-Dinh, "Generalized self-concordant
functions", Mathematical Programming 178, 2019).
"""

import math
from dataclasses import dataclass

import numpy as np

_EPS = np.finfo(np.float64).eps
# Conjugate gradients have settled once what they may still add is this share of the decrement.
_SETTLED = 0.1


@dataclass(frozen=True)
class Certificate:
    """What the Hessian at some theta proves of the points near it.

    Attributes
    ----------
    T : change of variables
    theta : ndarray
        Where the Hessian was taken, flat.
    smallest : float
        The smallest eigenvalue of ``T' H T``.
    kappa : float
        The largest leverage of a row.
    method : {"cholesky", "cg"}
        Whether these two are exact, as T is made from the whole Hessian, or were estimated by
        conjugate gradients.
    is_sharp : bool
        Whether kappa is as small as it can be found.
    """

    T: object
    theta: np.ndarray
    smallest: float
    kappa: float
    method: str
    is_sharp: bool = True

    def logit_range(self, stage):
        """What a stage in the variables of T has changed logits by since theta."""
        if stage.theta is self.theta:
            return 0.0
        return stage.objective.logit_range(stage.theta - self.theta)

    def bound(self, stage, r=None):
        """The most that f - f* can be where a stage is, whose `logit_range` may be known."""
        r = self.logit_range(stage) if r is None else r
        if r > 1:  # too far for the bound to be of use; exp would overflow
            return math.inf
        decrement = math.exp(r) * 2 * stage.raw_gap / self.smallest
        return self_concordant_bound(decrement, math.exp(r / 2) * self.kappa)


def self_concordant_bound(decrement, kappa):
    """``lambda^2 phi(kappa lambda)``, infinite for ``kappa lambda`` from 1 on."""
    x = kappa * math.sqrt(decrement)
    if not x < 1:
        return math.inf
    if x < 1e-3:  # where the formula loses its digits
        return decrement * (1 / 2 + x / 6)
    return decrement * (x + (1 - x) * math.log1p(-x)) / x**2


def certificate_by_factor(T, is_sharp=True):
    """The `Certificate` of a `FactorisedHessian`, with a kappa that costs a pass over the rows.

    Or, unless it `is_sharp`, with a larger one that costs next to nothing.
    """
    kappa = T.largest_leverage() if is_sharp else T.leverage_bound()
    return Certificate(T, T.theta, 1.0, kappa, "cholesky", is_sharp)


@dataclass(frozen=True)
class NewtonStep:
    """Newton's step by conjugate gradients, flat, the decrement lambda^2, and what they prove.

    `logit_range` is the largest range, over the classes, of what the step adds to the logits of a
    row, and `n_products` the number of Hessian-vector products that it took.
    """

    step: np.ndarray
    decrement: float
    certificate: Certificate
    logit_range: float
    n_products: int

    @property
    def bound(self):
        """The most that f - f* can be where the step begins."""
        return self_concordant_bound(self.decrement, self.certificate.kappa)


def newton_by_cg(objective, theta, gradient, T, max_products):
    """The `NewtonStep` from theta, by conjugate gradients in the variables of T.

    The system ``T' H T y = -T' g`` is solved until the decrement has settled, with Hessian-vector
    products of an `objective` that may be computed in float32. The sum that conjugate gradients
    form approaches the decrement from below. What is missing is ``r' (T' H T)^-1 r`` of their
    residual r, for which the smallest of their Ritz values stands in for the smallest eigenvalue.
    For kappa lambda, which would take a solution for each row, stands twice the range of what the
    step adds to the logits of a row: no more than kappa lambda, and near it where few rows matter.
    """
    shape, product = objective.shape, objective.hessian_operator(theta)
    r = -T.backward(gradient.reshape(shape)).ravel()
    y, d, rho = np.zeros_like(r), r.copy(), float(r @ r)
    decrement, rest, smallest, n_settled = 0.0, rho, 1.0, 0
    beta, previous = 0.0, 1.0
    diagonal, beside = [], []
    while len(diagonal) < max_products and n_settled < 2:
        Hd = product(T.forward(d.reshape(T.shape)).ravel())
        Hd = T.backward(Hd.reshape(shape)).ravel()
        curvature = float(d @ Hd)
        if not curvature > 0:  # rounding, or nothing to gain
            break
        step = rho / curvature
        diagonal.append(1 / step + beta / previous)
        y += step * d
        decrement += step * rho
        r -= step * Hd
        beta, rho, previous = float(r @ r) / rho, float(r @ r), step
        # Their tridiagonal matrix; of a symmetric one the lower triangle is read. What is smallest
        # may be but a rounding error of what is largest.
        ritz = np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, -1))
        smallest = max(ritz[0], _EPS * ritz[-1])
        rest = rho / smallest
        n_settled = n_settled + 1 if rest <= _SETTLED * decrement else 0
        beside.append(math.sqrt(beta) / step)
        d = r + beta * d
    step = T.forward(y.reshape(T.shape)).ravel()
    smallest, decrement = float(smallest), float(decrement + rest)
    logit_range = objective.logit_range(step)
    kappa = 2 * logit_range / math.sqrt(decrement) if decrement > 0 else 0.0
    certificate = Certificate(T, theta, smallest, kappa, "cg")
    return NewtonStep(step, decrement, certificate, logit_range, len(diagonal))
