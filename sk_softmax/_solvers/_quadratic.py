"""Quadratic models with absolute values and bounds, minimised face by face.

The model of a step from x_0 is, with d = x - x_0,

    m(x) = g d + 1/2 d' H d + sum_j l1_j |x_j|,   lower <= x <= upper.

Within an orthant it is a quadratic. A face of the orthant holds some coefficients at zero or at a
bound. Newton's step on the free ones is cut off where it leaves the orthant or the bounds, and
shortened until it lowers m; those that it sends to zero are on the next face. (D. P. Bertsekas,
"Projected Newton methods for optimization problems with simple constraints", SIAM Journal on
Control and Optimization 20(2), 1982; R. H. Byrd, G. M. Chin, J. Nocedal, F. Oztoprak, "A family of
second-order methods for convex l1-regularized optimization", Mathematical Programming 159, 2016.)
"""

from typing import NamedTuple

import numpy as np

from sk_softmax._factors import solver_of

# Faces that are tried, each with a solve; most models take a handful.
_MAX_FACES = 100
# Lengths that are tried of a step before it is short enough that nothing leaves the box.
_MAX_CUTS = 10
# Products with H for a step on a face.
_MAX_PRODUCTS = 100
# Curvature along a step, relative to that of its parts, which may be a rounding error of zero.
_FLAT = 1e-14
# Residual of such a step, relative to that of no step.
_FORCING = 0.1


class MatrixModel:
    """H as a matrix, whose faces are solved by factors.

    Parameters
    ----------
    H : ndarray of shape (m, m)
        To be overwritten.
    more : ndarray of shape (m,)
        To be added to its diagonal.
    """

    def __init__(self, H, more):
        self._H = H
        diagonal = np.einsum("jj->j", H)  # a view
        diagonal += more
        diagonal *= 1 + _FLAT
        self.diagonal = diagonal
        self._face, self._solve = None, None

    def damped(self, more):
        """The model with more on its diagonal."""
        return MatrixModel(self._H.copy(), more)

    def product(self, d):
        """H d."""
        return self._H @ d

    def step(self, free, slope):
        """``-H^-1 slope`` on the coefficients of a mask."""
        if self._face is None or not np.array_equal(free, self._face):
            self._face, self._solve = free.copy(), solver_of(self._H[np.ix_(free, free)])
        return -self._solve(slope)


class OperatorModel:
    """H as a function, whose faces are solved by preconditioned conjugate gradients.

    Parameters
    ----------
    times : callable
        From a vector to its product with the Hessian of the loss.
    diagonal : ndarray of shape (m,)
        Of that Hessian.
    blocks : tuple of ndarray or None
        Its blocks on the diagonal, which precondition; without them the diagonal does.
    more
        As in `MatrixModel`.
    """

    def __init__(self, times, diagonal, blocks, more):
        self._times, self._diagonal, self._blocks, self._more = times, diagonal, blocks, more
        self.diagonal = diagonal + more

    def damped(self, more):
        """The model with more on its diagonal."""
        return OperatorModel(self._times, self._diagonal, self._blocks, self._more + more)

    def product(self, d):
        """H d."""
        return self._times(d) + self._more * d

    def _preconditioner(self, free):
        """Function from a vector to about ``H^-1`` times it, on the coefficients of a mask."""
        if self._blocks is None:
            M = _inverse(self.diagonal)[free]
            return lambda r: M * r
        ends = np.cumsum([len(B) for B in self._blocks])[:-1]
        solvers = []
        for B, some, more in zip(
            self._blocks, np.split(free, ends), np.split(self._more, ends), strict=True
        ):
            A = B[np.ix_(some, some)]
            A[np.diag_indices(len(A))] += more[some]
            solvers.append(solver_of(A) if len(A) else np.copy)
        counts = [np.count_nonzero(some) for some in np.split(free, ends)]
        ends = np.cumsum(counts)[:-1]
        return lambda r: np.concatenate(
            [solve(v) for solve, v in zip(solvers, np.split(r, ends), strict=True)]
        )

    def step(self, free, slope):
        """About ``-H^-1 slope`` on the coefficients of a mask."""
        M, full = self._preconditioner(free), np.zeros(len(free))
        r, y = -slope, np.zeros_like(slope)
        z = M(r)
        d, rho = z, float(r @ z)
        enough = _FORCING**2 * rho
        for _ in range(_MAX_PRODUCTS):
            full[free] = d
            Hd = self.product(full)[free]
            curvature = float(d @ Hd)
            least = _FLAT * float(d @ (self.diagonal[free] * d))
            if not curvature > least:  # m falls along d as far as the box goes
                return y + rho / least * d if least > 0 else y
            t = rho / curvature
            y += t * d
            r = r - t * Hd
            z = M(r)
            rho, previous = float(r @ z), rho
            if rho <= enough:
                break
            d = z + (rho / previous) * d
        return y


def _inverse(diagonal):
    """Of a diagonal, as if none of it were but a rounding error."""
    return 1 / np.maximum(diagonal, np.finfo(float).eps * diagonal.max())


class Terms(NamedTuple):
    """What is beside the quadratic: `l1`, `lower` and `upper` for each coefficient."""

    l1: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def at(self, mask):
        """Those of the coefficients of a mask."""
        return Terms(*(values[mask] for values in self))

    def orthant(self, x, g):
        """Signs of the orthant that x lies in, or enters along -g; the slope of m in it."""
        sign = np.sign(x)
        entering = (x == 0) & (abs(g) > self.l1)
        sign[entering] = -np.sign(g[entering])
        return sign, g + self.l1 * sign

    def free(self, x, sign, slope):
        """Mask of the coefficients that may move."""
        at_lower = (x <= self.lower) & (slope >= 0)
        at_upper = (x >= self.upper) & (slope <= 0)
        return ((sign != 0) | (self.l1 == 0)) & ~at_lower & ~at_upper

    def box(self, sign):
        """The part of the orthant within the bounds."""
        penalised = self.l1 > 0
        low = np.where(penalised & (sign > 0), np.maximum(self.lower, 0), self.lower)
        high = np.where(penalised & (sign < 0), np.minimum(self.upper, 0), self.upper)
        return low, high


def minimised(model, x, g, terms, forcing):
    """The minimum of the model that is g and H at x, and what it lies below.

    Ends with a step on a face whose decrement is at most `forcing` times the decrease so far.
    """
    decrease = 0.0
    for _ in range(_MAX_FACES):
        sign, slope = terms.orthant(x, g)
        free = terms.free(x, sign, slope)
        if not free.any():
            break
        box = terms.box(sign)
        d = _newton(model, free, slope)
        decrement = -float(slope @ d)
        if not decrement > 0:
            break
        is_last = decrement <= forcing * decrease
        step, Hs, change = _cut(model, x, d, slope, box, 1.0)
        if not (change < 0 or is_last):
            step, Hs, change = _along_face(model, x, d, slope, free, box)
        if not change < 0:
            break
        x, g, decrease = x + step, g + Hs, decrease - change
        if is_last:
            break
    return x, decrease


def _newton(model, free, slope):
    """Newton's step on the coefficients of a mask."""
    d = np.zeros_like(slope)
    d[free] = model.step(free, slope[free])
    return d


def _cut(model, x, d, slope, box, t):
    """t times a step, cut off at the box; H times it, and the change of the model."""
    step = np.clip(x + t * d, *box) - x
    Hs = model.product(step)
    return step, Hs, float(slope @ step) + 0.5 * float(step @ Hs)


def _along_face(model, x, d, slope, free, box):
    """As `_cut` for a step of which nothing leaves the box at once, so that some of it descends.

    Those that would leave stay, or all move against the slope where nothing else is to gain.
    """
    low, high = box
    blocked = free & (((x <= low) & (d < 0)) | ((x >= high) & (d > 0)))
    while blocked.any():
        free = free & ~blocked
        d = _newton(model, free, slope) if free.any() else np.zeros_like(d)
        blocked = free & (((x <= low) & (d < 0)) | ((x >= high) & (d > 0)))
    if not -float(slope @ d) > 0:
        free = (slope < 0) & (x < high) | (slope > 0) & (x > low)
        d = np.where(free, -slope * _inverse(model.diagonal), 0.0)
    room = np.where(d > 0, high - x, x - low)
    moves = d != 0
    first = float((room[moves] / abs(d[moves])).min()) if moves.any() else 1.0
    # Where H is singular, as with equal columns, nearly all of a step is along its null space: then
    # the first that leaves the box may do so at a tiny t, below which m falls along the step.
    shorter, least = min(0.5, first ** (1 / _MAX_CUTS)), 1e-10 * min(first, 1.0)
    t = 1.0
    while True:
        step, Hs, change = _cut(model, x, d, slope, box, t)
        if change < 0 or t < least:
            return step, Hs, change
        t = max(t * shorter, first) if t > first else t / 2
