"""Mini-batch stochastic gradient descent."""

import contextlib
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from sk_softmax._batches import Batches
from sk_softmax._curvature import in_dtype_of_data
from sk_softmax._rows import CALL_WORK
from sk_softmax._solvers._base import IterationState, StopReason, planned_iterations
from sk_softmax._solvers._descent import (
    DIVERGED,
    LOST,
    Steady,
    descend,
    rows_per_batch,
)
from sk_softmax._solvers._gradient_table import GradientTable
from sk_softmax._solvers._metric import Preconditioning
from sk_softmax._solvers._remainder import checked, loss_at, null_loss, result_of
from sk_softmax._solvers._schedules import SCHEDULES, Progress
from sk_softmax._solvers._state import SGDState, Stream
from sk_softmax._solvers._stream import go_on

# Growth of a halved rate with each epoch that is kept. One bad epoch may be an accident, and a rate
# that stays too small gains nothing.
_RECOVERY = 1.2
# Share of the last epoch's way that is gone again before the next one, at most.
_EPOCH_MOMENTUM = 0.9
# Factor of the schedule from which a plateau counts even if the rate is still to fall, and the
# momentum of epochs falls with it: steps so short do not make earlier epochs' noise forgotten.
_SETTLED = 0.1
# Share of the longest steps up to which gradients are corrected by a `GradientTable`: what rows
# contributed an epoch ago makes them less stable. SAGA's rate is 1 / (3 L) for 1 / L.
_CORRECTED = 1 / 3


@dataclass(frozen=True)
class SGD:
    """Minimise by steps along the gradients of shuffled mini-batches.

    Each epoch draws a new permutation of the rows and cuts it into batches. The step is

        velocity = momentum * velocity + gradient
        theta -= learning_rate * factor * direction,

    where the direction is the velocity, or ``gradient + momentum * velocity`` with
    `nesterov`, and the factor that of the schedule for the epoch. The gradient is that of
    the objective, penalty included. With a float `learning_rate` it is taken in the features
    as given; with "auto" it is multiplied by a `Metric`.

    The run ends when the training loss has not improved by the fraction `tol` for
    `n_iter_no_change` epochs, and the schedule has brought the rate down. The training loss of an
    epoch is the mean over its batches, each taken just before its step: it costs no further pass
    over the data. It has converged if no more is left, by a `Remainder`, than 1% of what lies
    between the loss of the class frequencies and the minimum.
    """

    tol: float | None
    max_iter: int | None
    learning_rate: float | str
    schedule: str
    batch_size: int | str
    momentum: float
    nesterov: bool
    average: bool
    n_iter_no_change: int
    record_batches: int | None
    random_state: np.random.RandomState

    default_max_iter: ClassVar[int] = 100
    unit: ClassVar[str] = "epoch"
    metrics: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "learning_rate")

    @staticmethod
    def objection(penalty):
        """Whether the penalty is other than the same square of each coefficient."""
        if penalty.is_isotropic:
            return None
        solver = "lbfgs" if penalty.is_smooth else "prox-newton"
        return (
            f'takes neither l1_ratio, penalty_factor nor bounds; take solver="{solver}", or "auto" '
            'with the parameters that are of "sgd" alone at their defaults'
        )

    def minimize(self, objective, theta, on_iteration):
        """Run epochs until the loss stops improving, diverges, or `max_iter` is reached."""
        held = objective.rows.held_columns()
        if not held.all():
            return self._minimize_held(np.flatnonzero(held), objective, theta, on_iteration)
        run = self._prepare(objective, theta)
        run.on_batches = on_iteration
        n_iter, waited, reason = 0, 0, StopReason.MAX_ITER
        for n_iter in range(1, run.max_iter + 1):
            best = run.best
            metrics = run.epoch()
            stop = on_iteration(IterationState(n_iter, run.state.solution, metrics))
            if run.diverged:
                reason = StopReason.DIVERGED
                break
            if self._improves(metrics["loss"], best):
                waited = 0
            elif run.has_settled and not run.undone:
                waited += 1
            if waited >= self.n_iter_no_change:
                reason = StopReason.NO_IMPROVEMENT
                break
            if stop:
                reason = StopReason.CALLBACK
                break
        return result_of(objective, run, n_iter, reason)

    def _minimize_held(self, columns, objective, theta, on_iteration):
        """`minimize` in the columns that rows hold, or else the penalty keeps at zero."""
        start = theta.reshape(objective.shape)
        places = np.append(columns, objective.n_features) if objective.fit_intercept else columns

        def widened(narrow):
            wide = (
                np.zeros(objective.shape) if objective.penalty.bounds_coefficients else start.copy()
            )
            wide[:, places] = narrow.reshape(len(wide), -1)
            return wide.ravel()

        def on_wide_iteration(state):
            get_theta = state.get_theta
            return on_iteration(replace(state, get_theta=lambda: widened(get_theta())))

        narrow = objective.on(objective.rows.select(columns))
        result = self.minimize(narrow, start[:, places].ravel(), on_wide_iteration)
        return replace(result, theta=widened(result.theta))

    def _prepare(self, objective, theta):
        """The epochs before the first."""
        objective = objective.on(objective.rows.by_rows())
        with checked():
            # A warm start may lose as much of what was gained before as of what it gains itself.
            start_loss = max(loss_at(objective, theta), null_loss(objective))
            if self.learning_rate == "auto":
                working, preconditioning = _preconditioned(objective)
            else:
                working, preconditioning = objective.astype(objective.rows.float_dtype), None
        return _Epochs(self, working, preconditioning, start_loss, self._start(working, theta))

    def go_on(self, objective, weight, model, stream):
        """One pass over rows that follow those of a `Stream`, or over the first ones if None.

        See `_stream`.
        """
        return go_on(self, objective, weight, model, stream or Stream(None, None))

    def _start(self, objective, theta):
        """The state before the first epoch; rates and metrics come with a run."""
        start = np.ascontiguousarray(theta.reshape(objective.shape).T, dtype=objective.dtype)
        return SGDState(
            theta=start,
            velocity=np.zeros_like(start) if self.momentum else None,
            average=start.copy() if self.average else None,
            learning_rate=np.nan,
            metric=None,
            random_state=self.random_state,
        )

    def _improves(self, loss, best):
        """Whether an epoch's loss is below the best one by the fraction `tol`."""
        return self.tol is None or best == np.inf or loss < best - self.tol * abs(best)


class _Epochs:
    """Epochs on one objective: what does not change from one to the next, and the state."""

    def __init__(self, options, objective, preconditioning, start_loss, state):
        self._options, self._objective = options, objective
        self._preconditioning, self._start_loss, self.best = preconditioning, start_loss, np.inf
        self.max_iter = planned_iterations(options)
        self.undone = self.diverged = False
        self.on_batches = None
        self._automatic = options.learning_rate == "auto"
        schedule = options.schedule
        if schedule == "auto":
            schedule = "cosine" if self._automatic else "constant"
        self._schedule = SCHEDULES[schedule]
        self._batches = Batches(objective, rows_per_batch(options, objective, preconditioning))
        self._base = self._base_rate()
        self.state = replace(
            state,
            learning_rate=self._base,
            metric=preconditioning.metric(self._batches.batch_size) if self._automatic else None,
        )
        if self._automatic:
            for A in (self.state.theta, self.state.average):
                if A is not None:
                    self.state.metric.settle(A)
        # State before the last epoch that was kept. That epoch's loss says how good it was.
        self._good, self._n_undone = self.state.copy(), 0
        self._reached = start_loss
        self._previous, self._n_in_a_row = None, 0
        self._table, self._losses = None, []

    def _base_rate(self):
        """The learning rate before the schedule's factor.

        With momentum a gradient acts 1 / (1 - momentum) times, which the automatic rate allows
        for.
        """
        if not self._automatic:
            return float(self._options.learning_rate)
        step = self._preconditioning.step_size(self._batches.batch_size)
        return (1 - self._options.momentum) * step

    @property
    def evaluations(self):
        """How many evaluations of the objective an epoch is worth, whose steps cost calls."""
        work, n_steps = self._objective.work, self._objective.n_samples / self._batches.batch_size
        return 1 + n_steps * CALL_WORK / work

    def epoch(self):
        """One pass over the rows; its metrics."""
        state = self.state
        if self._automatic and self._options.momentum == 0:  # two momenta would add up
            self._extrapolate()
        before = state.copy() if self._automatic else None
        epoch = state.n_epochs
        bearable = self._bearable_loss()
        if not self._corrects:
            self._table = None
        elif self._table is None:
            self._table = self._table_of_undone() or GradientTable(self._objective)
            if self._table.value is not None:  # an accident may have made a bad start look good
                bearable = max(bearable, self._table.value)
        metrics = self._pass()
        loss = metrics["loss"]
        self.diverged = not self._automatic and not loss <= DIVERGED * self._start_loss
        self.undone = self._automatic and not loss <= bearable
        if self.undone:
            self.state = replace(self._good.copy(), learning_rate=state.learning_rate / 2)
            self._n_undone += 1
            self._table = self._previous = None  # of an epoch that did not happen
        else:
            # Had the best epochs been an accident, they would stand in the way of all that follow.
            self._reached = loss if self._n_undone else min(self._reached, loss)
            self._good, self._n_undone = before, 0
            self.state.learning_rate = min(_RECOVERY * state.learning_rate, self._base)
        self.state.n_epochs = epoch + 1
        self.state.n_plateaus += not loss < self.best
        self.best = min(self.best, loss)
        self._losses.append(loss)
        return metrics

    def _table_of_undone(self):
        """A full `GradientTable` if the last epoch was undone, perhaps for its noise."""
        if not self._n_undone:
            return None
        with checked():
            return GradientTable.at(self._objective, self.state.iterate())

    @property
    def has_given_rate(self):
        """Whether the learning rate is a number."""
        return not self._automatic

    def fell(self):
        """What the training loss fell by in the last `n_iter_no_change` epochs."""
        return max(self._losses[-1 - self._options.n_iter_no_change :]) - self._losses[-1]

    def _extrapolate(self):
        """Nesterov's momentum, over epochs: go a share of the last epoch's way once more.

        An epoch ends where it began in directions of much curvature, at the minimum but for noise.
        What is left of its way points along the others, in which it needs many more.
        """
        theta, previous = self.state.theta, self._previous
        self._previous = theta.copy()
        if previous is None:
            self._n_in_a_row = 0
            return
        self._n_in_a_row += 1
        share = min(self._n_in_a_row / (self._n_in_a_row + 3), _EPOCH_MOMENTUM)
        share *= min(self._factor / _SETTLED, 1.0)
        theta += theta.dtype.type(share) * (theta - previous)

    @property
    def has_settled(self):
        """Whether the schedule has brought the rate down: a plateau before that is one of noise."""
        epochs, n_plateaus = (self.state.n_epochs - 1, self.max_iter - 1), self.state.n_plateaus
        now, last = (self._schedule(Progress(e, self.max_iter, n_plateaus)) for e in epochs)
        return now <= max(2 * last, _SETTLED)

    def _pass(self):
        """A step for each batch of a permutation of the rows; the metrics."""
        state = self.state
        order = state.random_state.permutation(self._objective.n_samples)
        with checked():
            metrics = self._descend(order, state.learning_rate * self._factor)
        if self._table is not None:
            self._table.complete()
        return metrics

    @property
    def _factor(self):
        """What the schedule multiplies the learning rate of the next epoch by."""
        state = self.state
        return self._schedule(Progress(state.n_epochs, self.max_iter, state.n_plateaus))

    @property
    def _corrects(self):
        """Whether the next epoch's steps are short enough for a `GradientTable`, which fits."""
        rate = self.state.learning_rate * self._factor
        is_short = self._automatic and rate <= _CORRECTED * self._base
        n_bytes = GradientTable.n_bytes(self._objective)
        return is_short and n_bytes <= self._objective.rows.spare_bytes

    def _bearable_loss(self):
        """The training loss above which an automatic epoch is undone.

        Each epoch undone in a row doubles the share of the gain that the next one may lose. A gain
        that was an accident of small noise could not be kept otherwise.
        """
        gained = self._start_loss - self._reached
        share = min(LOST * 2.0 ** min(self._n_undone, 10), 1.0)
        rounding = np.finfo(self._objective.dtype).eps * abs(self._reached)
        return self._reached + share * gained + rounding

    def _descend(self, order, rate):
        """A step for each batch of a permutation of the rows; the metrics."""
        metrics = descend(
            self._objective,
            self._batches,
            self.state,
            order,
            Steady(rate, self.state.n_steps),
            self._options,
            table=self._table,
            report=self.on_batches,
        )
        return {**metrics, "learning_rate": rate}


def _preconditioned(objective):
    """The objective and its `Preconditioning`, in float32 if range and digits allow."""
    working = in_dtype_of_data(objective)
    with contextlib.suppress(FloatingPointError):
        return working, Preconditioning(working)
    return objective, Preconditioning(objective)
