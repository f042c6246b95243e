"""One pass of SGD over rows that come in parts: what `partial_fit` does with them.

With the automatic learning rate all rows are one long run, wherever calls cut it. Let M be the
`Metric`, and q = (m L + R) / 2 the number of rows over which the longest stable steps spread a
change. A row moves theta along M g by

    1 / sqrt((F + q) (F + q + u)),

with F the weight of the rows of a `fit` before, in which theta was found, and u that of the rows
since: at first by the row's share of all that theta rests on, Newton's step if M is the inverse
Hessian, and then by steps that fall like 1 / sqrt(u), with which averages converge at the best rate
(B. T. Polyak, A. B. Juditsky, SIAM J. Control and Optimization 30(4), 1992). What makes them fall
is noise, and a row of which the model is certain adds none: u counts rows by their squared
residuals ``sum_k (p_ik - q_ik)^2``, in units of those where all probabilities are the frequencies.
So do AdaGrad's steps (J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011). The model is the average of
all iterates with weights that grow like the cube of the rows so far, or like their number with
`average`, for less noise and a longer memory.

Where deviations of columns have grown, a call begins with the coefficients as they are, or with the
same ones per deviation if its rows, which are new to both, gain more than earlier rows may lose.

A sparse call computes with the columns that its rows hold, and with those far off zero, which most
rows hold. In the others nothing acts but the penalty, once at the end.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sk_softmax._batches import Batches
from sk_softmax._curvature import are_near_zero
from sk_softmax._preconditioner import gauge_factor
from sk_softmax._softmax import log_softmax
from sk_softmax._solvers._base import planned_iterations
from sk_softmax._solvers._descent import (
    AVERAGE_DEGREE,
    DIVERGED,
    LOST,
    Steady,
    descend,
    rows_per_batch,
)
from sk_softmax._solvers._metric import Preconditioning
from sk_softmax._solvers._moments import RunningMoments, affords_pairs
from sk_softmax._solvers._remainder import checked, loss_at
from sk_softmax._solvers._schedules import SCHEDULES, Progress
from sk_softmax._solvers._state import UNKNOWN_SEED, SGDState, Stream

_HALVINGS = 10
# Most batches of a call, and least rows of one.
_BATCHES = 256
_LEAST_ROWS = 8


@dataclass
class ByRows:
    """The pace of a stream with the automatic learning rate, in rows of the weight of these.

    Parameters
    ----------
    schedule : callable
    progress : Progress
        Before these rows.
    q, fitted, seen, information : float
        q, F, and the weight and the u of all rows so far.
    uncertainty : float
        The mean of ``sum_k (p_ik - q_ik)^2`` where probabilities are the frequencies.
    share_of_rate : float
        What the learning rate is multiplied by.
    degree : int
        By which power of the rows so far the weights of iterates in the average grow.

    Attributes
    ----------
    total_rate, kept : float
        The sum of the rates so far, and the weight in the average of what it was before.
    """

    schedule: Callable
    progress: Progress
    q: float
    fitted: float
    seen: float
    information: float
    uncertainty: float
    share_of_rate: float
    degree: int
    total_rate: float = 0.0
    kept: float = 1.0

    def next_rate(self, m):
        """The learning rate for a batch of m rows."""
        time = self.fitted + self.q
        progress = replace(self.progress, elapsed=self.information / time)
        rate = self.share_of_rate * m / time * self.schedule(progress)
        self.total_rate += rate
        return rate

    def share(self, m):
        """The share of the iterate after that batch in the average."""
        kept = (1 - m / (self.q + self.seen + m)) ** (self.degree + 1)
        self.seen += m
        self.kept *= kept
        return 1 - kept

    def note(self, batch):
        """Count rows by their squared residuals, which are weighted like the rows."""
        doubt = np.square(batch.residuals).sum(axis=0) @ (1 / batch.weights)
        self.information += len(batch.weights) * float(doubt) / self.uncertainty

    def pull(self, state, scale, lam):
        """The penalty's pull on coefficients of columns that no row holds, in one implicit step."""
        state.theta /= 1 + self.total_rate * lam * scale
        state.average += (1 - self.kept) * (state.theta - state.average)


class Calls(Steady):
    """The pace of a stream at a given learning rate: each call is an epoch."""

    def __init__(self, rate, n_steps):
        super().__init__(rate, n_steps)
        self._shares, self._n_batches = [], 0

    def next_rate(self, m):
        self._n_batches += 1
        return super().next_rate(m)

    def share(self, m):
        self._shares.append(super().share(m))
        return self._shares[-1]

    def pull(self, state, scale, lam):
        """The penalty's pull on coefficients of columns that no row holds, as of all steps."""
        factor = 1 - self.rate * lam
        decay, kept, added = 1.0, 1.0, 0.0
        for share in self._shares:
            decay *= factor
            kept, added = (1 - share) * kept, (1 - share) * added + share * decay
        if state.average is not None:
            state.average[:] = kept * state.average + added * state.theta
        state.theta *= factor**self._n_batches


def go_on(options, objective, weight, model, stream):
    """One pass over rows that follow those of a `Stream`.

    `weight` is the sum of the rows' weights and `model` the `PreviousModel`. Returns the mean of
    the batch losses, and the stream after it, or None if the pass diverged.
    """
    objective = objective.on(objective.rows.by_rows())
    automatic = options.learning_rate == "auto"
    pairs = automatic and affords_pairs(objective)
    columns = None if pairs else _columns(objective, model, stream)
    stream = stream.on(columns, objective.n_features)
    if columns is not None:
        objective = objective.on(objective.rows.select(columns))
    running = stream.running
    with checked():
        if automatic:
            running = RunningMoments.of(objective, weight, pairs=pairs)
            if stream.running is not None:
                running = stream.running.joined_with(running)
    state = _continued(options, model, columns, stream)
    knows_rows = stream.running is not None and stream.running.weight >= model.weight_seen
    if automatic and knows_rows:
        with checked():
            state = _standardised(objective, weight, state, stream.running, running)
    noise = 0.0 if stream.state is None else stream.state.noise
    run = _Pass(options, objective, weight, running, stream.fitted, model.weight_seen, noise)
    loss, state = run.run(state)
    class_weight = weight * objective.rows.class_weight
    if stream.class_weight is not None:
        class_weight = class_weight + stream.class_weight
    if state is None:
        return loss, None
    return loss, Stream(state, running, columns, stream.fitted, class_weight, model.seed)


class _Pass:
    """One pass over some rows, in the columns that they hold and those far off zero."""

    def __init__(self, options, objective, weight, running, fitted, seen, noise):
        self._options, self._whole = options, objective
        self._automatic = options.learning_rate == "auto"
        self._places = self._held_columns(running)
        if not isinstance(self._places, slice):
            objective = objective.on(objective.rows.select(self._places))
        working = objective.astype(objective.rows.float_dtype)
        self._preconditioning = None
        if self._automatic:
            moments = running
            if not isinstance(self._places, slice):
                moments = running.of_columns(self._places)
            if not _bears_float32(moments):
                working = objective
            with checked():
                self._preconditioning = Preconditioning(working, moments, noise)
        self._working, self._running = working, running
        self._row_weight = weight / objective.n_samples
        self._weight = weight
        self._fitted, self._seen = fitted / self._row_weight, seen / self._row_weight
        self._batches = Batches(working, self._rows_per_batch())

    def _rows_per_batch(self):
        """`batch_size`; for "auto" and the automatic rate as few as cost no more than many do."""
        if self._automatic and self._options.batch_size == "auto":
            n_samples = self._working.n_samples
            return min(max(n_samples // _BATCHES, _LEAST_ROWS), n_samples)
        return rows_per_batch(self._options, self._working, self._preconditioning)

    def _held_columns(self, running):
        """Places of the columns to compute with; all with momentum or a full metric."""
        if self._options.momentum or (self._automatic and running.scatter is not None):
            return slice(None)
        held = self._whole.rows.held_columns()
        if self._automatic and self._whole.fit_intercept:
            held |= running.is_offset
        return slice(None) if held.all() else np.flatnonzero(held)

    def run(self, state):
        """The mean of the batch losses, and the state after it, or None if it diverged.

        An automatic rate that does not bear these rows is halved: they will not come again.
        """
        inner = state.map(self._inner)
        inner = inner.map(lambda A: A.astype(self._working.dtype))
        if self._automatic:
            inner.metric = self._preconditioning.metric(self._batches.batch_size, of_stream=True)
        start, inner.random_state = inner, state.random_state
        rows = np.arange(0, self._working.n_samples, max(1, self._working.n_samples // 1024))
        with checked():
            sample = self._working.on(self._working.rows.take(rows))
            start_loss = loss_at(sample, start.solution())
        bearable = DIVERGED * max(start_loss, np.log(self._working.n_classes))
        for attempt in range(_HALVINGS if self._automatic else 1):
            inner = start.copy()
            pace = self._pace(inner, 0.5**attempt)
            order = inner.random_state.permutation(self._working.n_samples)
            with checked():
                metrics = descend(self._working, self._batches, inner, order, pace, self._options)
                finite = all(np.isfinite(A).all() for A in (inner.theta, inner.solution()))
                diverged = not (metrics["loss"] <= bearable and finite)
                harmful = not diverged and self._automatic and self._harms(start, inner)
            if not (diverged or harmful):
                break
        if diverged:
            return metrics["loss"], None
        return metrics["loss"], self._joined(state, inner, pace, metrics["loss"])

    def _pace(self, state, share_of_rate):
        """The pace from a state on."""
        options, n_epochs = self._options, state.n_epochs
        max_iter = max(planned_iterations(options), 1)
        schedule = options.schedule
        if schedule == "auto":  # a stream has no last epoch
            schedule = "inverse_scaling" if self._automatic else "constant"
        schedule = SCHEDULES[schedule]
        progress = Progress(n_epochs, max_iter, state.n_plateaus)
        if not self._automatic:
            state.learning_rate = options.learning_rate
            return Calls(options.learning_rate * schedule(progress), state.n_steps)
        m = self._batches.batch_size
        time = self._preconditioning.time(m)
        state.learning_rate = m / time
        return ByRows(
            schedule,
            progress,
            q=time,
            fitted=self._fitted,
            seen=self._seen,
            information=state.information / self._row_weight,
            uncertainty=self._running.at_start(True).weight.sum(),
            share_of_rate=share_of_rate * (1 - options.momentum),
            degree=1 if options.average else AVERAGE_DEGREE,
        )

    def _harms(self, before, after):
        """Whether at the iterate the rows themselves lose more than their noise and `LOST`.

        By convexity the average then rises by no more than its share of that. It cannot be asked
        itself: it follows what earlier rows said, whatever these do.
        """
        thetas = (state.iterate() for state in (before, after))
        rise, error, gained = _change(self._working, *thetas)
        return rise > max(2 * error, LOST * gained) and rise > 1e-12

    def _joined(self, state, inner, pace, loss):
        """The state of all columns after a pass in some of them."""
        if isinstance(self._places, slice):
            joined = inner
        else:
            joined, p = state.map(lambda A: A.astype(self._working.dtype)), self._whole.n_features
            if self._whole.penalty.l2 > 0:  # of all columns: the others follow
                scale = _scale(self._whole, self._running) if self._automatic else None
                views = joined.map(lambda A: A[:p])
                pace.pull(views, scale, self._whole.penalty.l2)
            for name in ("theta", "velocity", "average"):
                A, B = getattr(joined, name), getattr(inner, name)
                if A is not None:
                    A[self._places] = B[: len(self._places)]
                    A[p:] = B[len(self._places) :]
            joined = replace(joined, n_steps=inner.n_steps, random_state=inner.random_state)
        joined.n_plateaus += not loss < joined.best
        joined.best = min(joined.best, loss)
        joined.n_epochs += 1
        joined.learning_rate = inner.learning_rate
        if self._automatic:
            joined.information = pace.information * self._row_weight
            share = self._weight / self._running.weight
            joined.noise += share * (self._preconditioning.noise - joined.noise)
        return joined

    def _inner(self, A):
        """The rows of an array of parameters that these columns have."""
        if isinstance(self._places, slice):
            return A
        return np.concatenate([A[self._places], A[self._whole.n_features :]])


def _columns(objective, model, stream):
    """All columns that are or may be other than zero, sorted; None if that is each of them."""
    if stream.columns is None and stream.state is not None:
        return None
    known = model.nonzero_columns() | objective.rows.held_columns()
    if stream.columns is not None:
        known[stream.columns] = True
    return None if known.all() else np.flatnonzero(known)


def _continued(options, model, columns, stream):
    """The state that a pass begins with: the stream's, or one at the model if that is another.

    It is another if coefficients were set by hand, or parameters ask for another kind of state.
    """
    state, theta = stream.state, model.at(columns)
    start = np.ascontiguousarray(theta.T)
    averages = options.average or options.learning_rate == "auto"
    if state is None:
        state = SGDState(start, None, None, np.nan, None, options.random_state)
    else:
        state = replace(state.copy(), random_state=copy.deepcopy(state.random_state))
        if stream.seed not in (UNKNOWN_SEED, model.seed):
            state.random_state = options.random_state
        if not model.is_at(state.solution(), theta):
            state = replace(state, theta=start, velocity=None, average=None, n_steps=0)
    if averages and state.average is None:
        state.average, state.n_steps = state.theta.copy(), 0
    elif not averages and state.average is not None:
        state.theta, state.average = state.average, None
    if options.momentum == 0:
        state.velocity = None
    elif state.velocity is None:
        state.velocity = np.zeros_like(state.theta)
    return state


def _standardised(objective, weight, state, before, now):
    """The state, or one with the same coefficients per deviation of columns, if that has grown.

    As if rows had been standardised by the deviations so far. Rare giants multiply these, and
    coefficients that earlier rows found with an error in proportion to the inverse of theirs would
    make the giants' logits giant. What the new rows gain has to outweigh what earlier rows may
    lose: at a minimum, half the square of the change in the norm of their Hessian.
    """
    grows = now.variance > before.variance
    if not grows.any():
        return state
    share = np.divide(before.variance, now.variance, out=np.ones(len(grows)), where=grows) ** 0.5
    p = len(share)

    def rescale(A):
        A = A.copy()
        if len(A) > p:  # about where rows were
            A[p] += (before.total_mean * (1 - share)) @ A[:p]
        A[:p] *= share[:, np.newaxis]
        return A

    other = replace(state.map(rescale), velocity=state.velocity)
    here, there = (objective.unpack(some.solution())[0] for some in (state, other))
    if before.scatter is not None:
        squares = np.einsum("kj,kj->k", (here - there) @ before.scatter, here - there)
    else:  # as much as if columns were collinear
        squares = before.weight * np.square(np.abs(here - there) @ np.sqrt(before.variance))
    lost = 0.5 * float(before.at_start(True).weight @ squares)
    here, there = (objective.loss(some.solution())[0] for some in (state, other))
    return other if weight * (here - there) > lost else state


def _bears_float32(running):
    """Whether the columns leave enough digits, and are in units whose squares exist in float32."""
    mean, variance = running.total_mean, running.variance
    info, second = np.finfo(np.float32), variance + mean**2
    least, most = info.tiny / info.eps, info.max * info.eps
    if ((second > 0) & ~((least < second) & (second < most))).any():
        return False
    return are_near_zero(mean, variance)


def _scale(objective, running):
    """The diagonal (p, K) of the metric in some columns."""
    second = running.at_start(objective.fit_intercept).second
    return 1 / (gauge_factor(objective) * second + objective.penalty.l2).T


def _change(objective, before, after):
    """What the mean loss rises by between two thetas, its standard error, and what was gained.

    The gain is that of `before` over equal probabilities. The penalty is part of the rise.
    """
    here, there = objective.unpack(before), objective.unpack(after)
    rise, squares, gained = objective.rows.reduce(_rises, here, there)
    weights = float(np.square(objective.rows.weights).sum())
    error = np.sqrt(max(squares - weights * rise**2, 0.0))
    penalty = objective.penalty.value(there[0]) - objective.penalty.value(here[0])
    return rise + penalty, error, gained


def _rises(block, Z):
    """Sums of ``s_i d_i``, ``s_i^2 d_i^2`` and of gains, d_i what the loss rises by for a row."""
    K, s = block.targets.n_classes, block.weights
    Q, logits = block.targets.matrix(Z.dtype), block.targets.logits
    log_P = log_softmax(logits(Z[:K]))
    rises = np.einsum("km,km->m", Q, log_P - log_softmax(logits(Z[K:])))
    gained = s @ (np.log(K) + np.einsum("km,km->m", Q, log_P))
    return float(s @ rises), float(np.square(s) @ np.square(rises)), float(gained)
