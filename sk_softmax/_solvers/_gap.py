"""An estimate of the distance f - f* to the minimum while L-BFGS runs."""

import math
import sys

# Iterations that an estimate is averaged over, and over which it is compared with progress: from
# one to the next it jumps.
_WINDOW = 8
_TINY = sys.float_info.min


class GapEstimate:
    """The quasi-Newton estimate of f - f*, corrected by what it proved to be worth.

    The raw estimate 1/2 ||T' g||^2 jumps from one iteration to the next, and falls short
    wherever T misses a direction of small curvature. So it is smoothed by a geometric mean
    over the last iterations, and multiplied by the factor by which the estimate of some
    iterations ago has since proved too small: the decrease of f since then, and what is
    estimated to remain, over that estimate.

    Attributes
    ----------
    gap : float
        The estimate.
    factor : float
        The correction in it, at least one, or `least_factor`.
    """

    def __init__(self, value, raw, factor=1.0, least_factor=1.0):
        self._least_factor = least_factor
        self._values, self._smooth = [value], [raw]
        self._logs = [math.log(max(raw, _TINY))]
        self.factor = max(factor, least_factor)
        self.gap = self.factor * raw

    def add(self, value, raw):
        """Take in the objective and the raw estimate after an iteration."""
        self._values.append(value)
        self._logs.append(math.log(max(raw, _TINY)))
        recent = self._logs[-_WINDOW:]
        # At most 4 times the last estimate, so that the mean does not lag.
        self._smooth.append(min(math.exp(sum(recent) / len(recent)), 4 * raw))
        past, present = self._smooth[self._past], self._smooth[-1]
        decrease = max(self._values[self._past] - value, 0.0)
        self.factor = max(self._least_factor, (decrease + present) / max(past, _TINY))
        self.gap = self.factor * present

    def iterations_to(self, target):
        """Iterations until the gap is `target`, at the rate of the last ones."""
        if self.gap <= target:
            return 0.0
        elapsed = len(self._smooth) - 1 - self._past
        past, present = self._smooth[self._past], self._smooth[-1]
        if past <= present:  # as at the start
            return math.inf
        return elapsed * math.log(self.gap / max(target, _TINY)) / math.log(past / present)

    @property
    def _past(self):
        """The iteration whose estimate is compared with progress."""
        return max(0, len(self._smooth) - 1 - _WINDOW)
