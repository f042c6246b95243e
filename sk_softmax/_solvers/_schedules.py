"""Learning-rate schedules: the factor by which an epoch's steps are scaled.

A schedule is a pure function of `Progress` and a line in `SCHEDULES`.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    `epoch` counts from 0, `max_iter` is the number of epochs planned, and `n_plateaus` the
    number of epochs so far that did not lower the training loss. `elapsed` are epochs too, or in a
    stream with the automatic learning rate times after which a distance is e times as short.
    """

    epoch: int
    max_iter: int
    n_plateaus: int
    elapsed: float | None = None


def constant(progress):
    """1."""
    return 1.0


def inverse_scaling(progress):
    """``1 / sqrt(1 + epoch)``, with which averaged iterates converge for convex losses.

    B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging",
    SIAM J. Control and Optimization 30(4), 1992, allow exponents in [1/2, 1).
    """
    elapsed = progress.epoch if progress.elapsed is None else progress.elapsed
    return (1 + elapsed) ** -0.5


def cosine(progress):
    """Half a period of the cosine, from 1 to 0 over `max_iter` epochs, taken mid-epoch.

    I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, without restarts. Epochs beyond `max_iter`
    go on with the factor of the last one.
    """
    epoch = min(progress.epoch, progress.max_iter - 1)
    return 0.5 * (1 + math.cos(math.pi * (epoch + 0.5) / progress.max_iter))


def adaptive(progress):
    """Half as much after each epoch that did not lower the training loss."""
    return 0.5**progress.n_plateaus


SCHEDULES = {
    "constant": constant,
    "inverse_scaling": inverse_scaling,
    "cosine": cosine,
    "adaptive": adaptive,
}
