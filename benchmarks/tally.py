"""What a fit does, counted: passes over the rows, matrices, products, iterations.

    with Tally() as tally:
        model.fit(X, y)
    tally.work, tally.counts

Unlike seconds, counts are the same in each run. `work` weighs them: in multiplications of square
products, as the package's own estimates are, of which an evaluation of the objective is worth
``objective.work``. Half of that counts for what needs only the logits, and for float32.
"""

from collections import Counter
from contextlib import ExitStack
from functools import wraps
from unittest.mock import patch

import numpy as np

from sk_softmax._batches import Batch
from sk_softmax._coordinates import Coordinates
from sk_softmax._curvature import Curvature
from sk_softmax._objective import Objective
from sk_softmax._preconditioner import KINDS, WHOLE, ChangeOfVariables
from sk_softmax._rows import CALL_WORK
from sk_softmax._rows._rotation import Rotation
from sk_softmax._solvers import _metric, _prox_newton, _quadratic


class TooMuchError(BaseException):
    """Raised out of a fit that has done more work than it may; no handler takes it for another."""


class Tally:
    """Counts what is done while it is entered; raises `TooMuchError` beyond `limit`."""

    def __init__(self, limit=np.inf):
        self.work, self.counts, self._limit = 0.0, Counter(), limit

    def __enter__(self):
        self._stack = ExitStack()
        self._count(Objective, "evaluate", "evaluations", _pass)
        for name in ("loss", "logit_range", "gains_along"):
            self._count(Objective, name, "passes", lambda f, *_: 0.5 * _pass(f))
        self._count_products()
        self._count_kinds()
        for name in ("forward", "backward"):
            self._count(ChangeOfVariables, name, None, _change_of_variables)
        self._count(Curvature, "moments", None, lambda c, *_: _pass(c.objective))
        self._count(
            Rotation, "__init__", "rotations", lambda r, rows: min(rows.X.shape) * rows.X.size
        )
        self._count_proximal()
        self._count(Batch, "gradient", "steps", _batch)
        self._count(_metric.Metric, "multiply", None, _metric_product)
        self._count(_metric.Preconditioning, "__init__", "metrics", _preconditioning)
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    def add(self, what, work):
        """Count one of a kind, or none for None, and its work."""
        self.work += float(work)
        if what:
            self.counts[what] += 1
        if self.work > self._limit:
            raise TooMuchError

    def _count(self, owner, name, what, work_of):
        original = getattr(owner, name)

        @wraps(original)
        def counted(*args, **kwargs):
            self.add(what, work_of(*args, **kwargs))
            return original(*args, **kwargs)

        self._stack.enter_context(patch.object(owner, name, counted))

    def _count_products(self):
        original = Objective.hessian_operator

        def counted(objective, theta, P=None):
            self.add(None, 0.5 * _pass(objective))
            product = original(objective, theta, P)

            def counted_product(v):
                self.add("products", 1.5 * _pass(objective))
                return product(v)

            return counted_product

        self._stack.enter_context(patch.object(Objective, "hessian_operator", counted))

    def _count_kinds(self):
        for kind in KINDS:
            make = kind.make

            def counted(curvature, *args, kind=kind, make=make, **kwargs):
                objective = curvature.objective
                what = "Hessians" if kind is WHOLE else "preconditioners"
                self.add(what, 2 * _pass(objective) + _share(objective) * kind.work(objective))
                return make(curvature, *args, **kwargs)

            object.__setattr__(kind, "make", counted)
            self._stack.callback(object.__setattr__, kind, "make", make)

    def _count_proximal(self):
        self._count(
            Coordinates, "hessian", "matrices",
            lambda c: len(c) ** 2 * c._loss.n_samples + c.work,
        )  # fmt: skip
        self._count(
            Coordinates,
            "class_blocks",
            "matrices",
            lambda c: c.n_pairs * c._loss.n_samples + c.work,
        )
        self._count(Coordinates, "diagonal", "diagonals", lambda c, *_: c.work)
        self._count(
            _quadratic.MatrixModel, "step", "faces",
            lambda model, free, slope: np.count_nonzero(free) ** 3 / 3 + CALL_WORK / 8,
        )  # fmt: skip
        self._count(_quadratic.MatrixModel, "product", None, lambda model, d: len(d) ** 2)
        self._count(_prox_newton, "lower_bound", "bounds", lambda f, *_: _pass(f))


def _share(objective):
    return 0.5 if objective.dtype == np.float32 else 1.0


def _pass(objective, *_):
    return _share(objective) * objective.work


def _change_of_variables(T, V):
    K, q = V.shape
    matrices = {"DiagonalFactor": 0, "SharedFactor": 1, "BlockFactors": 1}
    return matrices[type(T._factor).__name__] * K * q**2


def _batch(batch, theta, *_):
    m, p = batch.X.shape
    stored = getattr(batch.X, "nnz", m * p)
    share = 0.5 if batch.weights.dtype == np.float32 else 1
    return 2 * stored * len(batch.Q) * share + CALL_WORK / 8


def _metric_product(metric, G, _):
    p, K = G.W.shape
    return K * p * (p if metric.matrix is not None else 1)


def _preconditioning(preconditioning, objective, *_):
    return 3 * _pass(objective)
