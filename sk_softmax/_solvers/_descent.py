"""Steps along the gradients of batches: the loop that epochs of `fit` and streams share."""

import numpy as np

from sk_softmax._batches import Parameters, adder_of_multiples
from sk_softmax._solvers._base import IterationState
from sk_softmax._solvers._tally import Tally

# With a given learning rate, an epoch whose training loss is this many times that of the
# start is a divergence: with a useful learning rate the loss may rise at first, but by less.
DIVERGED = 10.0
# With the automatic learning rate: an epoch that loses more than this share of what was gained is
# undone, and a call of a stream that does so is repeated with half the steps.
LOST = 0.2
# Weights of iterates in the average grow like the cube of their number.
AVERAGE_DEGREE = 3


def rows_per_batch(options, objective, preconditioning):
    """`batch_size`; for "auto" with a float learning rate n/64, at least 8, at most 256.

    Large batches use the hardware better, but an epoch needs a good number of steps.
    """
    n_samples = objective.n_samples
    if options.batch_size != "auto":
        return min(options.batch_size, n_samples)
    if options.learning_rate == "auto":
        return preconditioning.batch_size()
    return min(max(n_samples // 64, 8), 256, n_samples)


class Steady:
    """The pace of an epoch: one learning rate, and an average over the number of steps."""

    def __init__(self, rate, n_steps):
        self.rate, self._n_steps = rate, n_steps

    def next_rate(self, m):
        """The learning rate for a batch of m rows."""
        return self.rate

    def share(self, m):
        """The share of the iterate after that batch in the average."""
        self._n_steps += 1
        return (AVERAGE_DEGREE + 1) / (AVERAGE_DEGREE + self._n_steps)

    def note(self, batch):
        """Nothing: this pace does not depend on the rows."""


def descend(objective, batches, state, order, pace, options, *, table=None, report=None):
    """A step for each batch of a permutation of the rows, from a state; the metrics.

    The state is brought up to date at the end, and for `report`, which is told the metrics of
    every `record_batches` batches.
    """
    every = options.record_batches if report else None
    lam = objective.penalty.l2
    theta, gradient = Parameters.of(objective, state.theta), Parameters(objective)
    velocity = Parameters.of(objective, state.velocity) if options.momentum else None
    average = None if state.average is None else Parameters.of(objective, state.average)

    def solution():
        """Bring the state up to date."""
        state.theta = theta.as_array()
        state.velocity = None if velocity is None else velocity.as_array()
        state.average = None if average is None else average.as_array()
        return state.solution()

    add_multiple = adder_of_multiples(objective.dtype)
    direction_of = _directions(objective, state.metric, options, velocity)
    tally = Tally(objective.rows.weights[order], objective.n_classes)
    for number, batch in enumerate(batches.epoch(order), start=1):
        m = len(batch.weights)
        rows = tally.next_rows(m)
        for_tally = tally.true_logit[rows], tally.normaliser[rows]
        rest = -batch.gradient(theta, gradient, *for_tally, table)
        if table is not None:
            table.correct(gradient, m)
        if lam > 0:
            W = theta.coefficients
            rest += 0.5 * lam * float(np.dot(W, W))
            add_multiple(gradient.coefficients, W, lam)
        tally.add(rest)
        rate = pace.next_rate(m)
        add_multiple(theta.flat, direction_of(gradient), -rate)
        pace.note(batch)
        state.n_steps += 1
        if average is not None:
            change = np.subtract(theta.flat, average.flat, out=gradient.flat)  # used up
            add_multiple(average.flat, change, pace.share(m))
        if every and (number % every == 0 or rows.stop == len(order)):
            metrics = {**tally.since_last_time(), "learning_rate": rate}
            n_iter = state.n_epochs + rows.stop / len(order)
            report(IterationState(n_iter, solution, metrics, within_epoch=True))
    solution()
    return tally.metrics()


def _directions(objective, metric, options, velocity):
    """What turns gradients, `Parameters`, into directions of steps, flat."""
    momentum, nesterov = options.momentum, options.nesterov
    product = Parameters(objective)

    def direction(gradient):
        if metric is not None:
            metric.multiply(gradient, product)
            gradient = product
        if momentum == 0:
            return gradient.flat
        np.multiply(velocity.flat, momentum, out=velocity.flat)
        np.add(velocity.flat, gradient.flat, out=velocity.flat)
        return gradient.flat + momentum * velocity.flat if nesterov else velocity.flat

    return direction
