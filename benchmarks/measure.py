"""Climb the contenders' ladders on one problem, then time again what counts."""

import math
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

import numpy as np
from contenders import CONTENDERS, OURS, SCIKIT_LEARN_DEFAULT, two_rows
from reference import Reference
from worker import FitFailed, Worker

GAPS = (1e-2, 1e-3, 1e-4, 1e-6)


@dataclass(eq=False)
class Step:
    """A rung of a ladder: one setting of a contender, fitted at least once."""

    setting: object
    value: float = math.inf
    theta: np.ndarray | None = None
    warning: str | None = None
    error: str | None = None
    times: dict = field(default_factory=dict)  # seconds of each fit, by number of threads

    @property
    def threads(self):
        """The better number of threads."""
        return min(self.times, key=lambda threads: np.median(self.times[threads]))

    @property
    def seconds(self):
        """Median at the better number of threads."""
        return float(np.median(self.times[self.threads])) if self.times else math.inf

    def gap(self, minimum):
        """(f - f*) / |f*|."""
        return (self.value - minimum) / abs(minimum)


class Ladder:
    """A contender's steps on one problem."""

    def __init__(self, contender, worker, reference):
        self.contender, self.worker, self.reference = contender, worker, reference
        self.steps = []

    @property
    def default(self):
        """The step with the setting of the contender's makers."""
        return self.steps[0]

    def climb(self):
        """The default at one thread and at all, the rest at the better, until a fit fails."""
        self.steps = [Step(None)]
        self.time(self.default, None)
        self.time(self.default, 1)
        threads = self.default.threads if self.default.times else None
        for setting in self.contender.settings:
            self.steps.append(Step(setting))
            self.time(self.steps[-1], threads)
            if self.steps[-1].error:
                break

    def time(self, step, threads):
        """One more fit of a step."""
        try:
            fit = self.worker.fit(step.setting, threads)
        except FitFailed as error:
            if not step.times:
                step.error = str(error)
            return
        step.error = None
        if step.theta is None:
            step.theta, step.warning = two_rows(fit.coef, fit.intercept), fit.warning
            value = self.reference.value(step.theta)
            step.value = value if math.isfinite(value) else math.inf
        step.times.setdefault(threads, []).append(fit.seconds)

    def quickest_within(self, gap, minimum):
        """The quickest step that comes within a gap of the minimum, or None."""
        within = [step for step in self.steps if step.gap(minimum) <= gap]
        return min(within, key=lambda step: step.seconds, default=None)


def measure(problem, names, repeats, limit, settings=None):
    """Everything that is reported of a problem, ready for JSON.

    Of the contenders' settings only some, or all if None.
    """
    X, y = problem.load()
    reference = Reference(X, y, problem.C)
    chosen = [c for c in CONTENDERS if c.name in names]
    if settings is not None:
        chosen = [replace(c, settings=[s for s in c.settings if s in settings]) for c in chosen]
    left_out = {c.name: c.objection(X, problem.C) for c in chosen}
    with ExitStack() as stack:
        ladders = [
            Ladder(c, stack.enter_context(closing(Worker(c, problem, limit))), reference)
            for c in chosen
            if not left_out[c.name]
        ]
        for ladder in ladders:
            ladder.climb()
        best = min(ladders, key=lambda ladder: min(step.value for step in ladder.steps))
        best_step = min(best.steps, key=lambda step: step.value)
        again = worth_repeating(ladders, best_step.value)
        repeat(again, repeats, limit)
    return {
        "problem": problem.name,
        "shape": [*X.shape, reference.K],
        "dtype": X.dtype.name,
        "C": str(problem.C),
        "minimum": best_step.value,
        "minimum_by": best.contender.name,
        "remaining_gap": reference.remaining_gap(best_step.theta) / abs(best_step.value),
        "left_out": {name: why for name, why in left_out.items() if why},
        "ladders": {
            ladder.contender.name: [
                as_json(step, best_step.value, (ladder, step) in again) for step in ladder.steps
            ]
            for ladder in ladders
        },
    }


def worth_repeating(ladders, minimum):
    """Pairs (ladder, step): defaults, the quickest within each gap, ours at the rival's."""
    again = [(ladder, ladder.default) for ladder in ladders if ladder.default.times]
    defaults = {ladder.contender.name: step for ladder, step in again}
    for ladder in ladders:
        gaps = list(GAPS)
        if ladder.contender.name == OURS and SCIKIT_LEARN_DEFAULT in defaults:
            gaps.append(max(defaults[SCIKIT_LEARN_DEFAULT].gap(minimum), GAPS[-1]))
        steps = [ladder.quickest_within(gap, minimum) for gap in gaps]
        again += [(ladder, step) for step in steps if step and (ladder, step) not in again]
    return again


def repeat(again, repeats, limit):
    """More fits in turns over the contenders, at one thread and at all.

    Of a step whose fits have taken longer than the limit together, only one at each.
    """
    for k in range(repeats):
        for threads in (None, 1):
            for ladder, step in again:
                done = step.times.get(threads, [])
                spent = sum(map(sum, step.times.values()))
                if len(done) <= k and (not done or spent + step.seconds <= limit):
                    ladder.time(step, threads)


def as_json(step, minimum, chosen):
    """A step as it is kept; `chosen` says that it was timed again."""
    kept = {"setting": step.setting, "chosen": chosen}
    if step.error:
        return {**kept, "error": step.error}
    if math.isinf(step.value):
        return {**kept, "error": "diverged", "seconds": step.seconds}
    return {
        **kept,
        "value": step.value,
        "gap": step.gap(minimum),
        "seconds": step.seconds,
        "threads": step.threads or "all",
        "n_fits": len(step.times[step.threads]),
        "times": {str(threads or "all"): times for threads, times in step.times.items()},
        "warning": step.warning,
    }
