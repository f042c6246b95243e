import functools
from dataclasses import fields

import hypothesis
import joblib
import numpy as np
import optimality
import penalised
import pytest
from scipy import sparse
from sklearn.utils import check_random_state

from sk_softmax import SoftmaxRegression
from sk_softmax._array_api import in_numpy
from sk_softmax._batches import Batch
from sk_softmax._device_array import to_numpy
from sk_softmax._objective import Objective
from sk_softmax._penalty import Penalty
from sk_softmax._rows import Targets, as_rows
from sk_softmax._solvers import SOLVERS
from sk_softmax._threads import RowThreads

_unhurried = {
    "deadline": None,
    # `certified` below has no state that examples could share.
    "suppress_health_check": list(hypothesis.HealthCheck),
}
hypothesis.settings.register_profile("ci", derandomize=True, max_examples=60, **_unhurried)
hypothesis.settings.register_profile("deep", max_examples=3000, **_unhurried)
hypothesis.settings.load_profile("ci")

# Numbers in a Hessian, and products to sum it, up to which a fit is certified.
_HESSIAN_SIZE, _HESSIAN_WORK = 2**18, 2**26


@pytest.fixture(autouse=True)
def certified(request, monkeypatch):
    """Certify every fit of every test that says that it met `tol`: see the two modules."""
    if request.node.get_closest_marker("uncertified"):
        return
    original = SoftmaxRegression.fit

    @functools.wraps(original)
    def fit(self, X, y, sample_weight=None, **held_out):
        original(self, X, y, sample_weight, **held_out)
        X, y, sample_weight = map(_computed, (X, y, sample_weight))
        model = in_numpy(self)
        if self.stop_reason_ == "tol" and not self.early_stopping and _is_small(model, X):
            # Where all gaps are refused, what is left of one is rounding. Coefficients in float32
            # are rounded once more.
            tol = 1e-4 if model.coef_.dtype == np.float32 else self.tol or 1e-15
            is_smooth = self.l1_ratio == 0 and self.penalty_factor is None and self.bounds is None
            module = optimality if is_smooth else penalised
            module.assert_optimal(model, X, y, sample_weight, tol=tol)
        return self

    monkeypatch.setattr(SoftmaxRegression, "fit", fit)


def _computed(data):
    """Collections of Dask and arrays of other libraries in NumPy, other data as they are."""
    return data.compute() if hasattr(data, "compute") else to_numpy(data)


def _is_small(model, X):
    n = X.shape[0] if hasattr(X, "shape") else len(np.asarray(X))
    hessian = (len(model.classes_) * (min(n, model.n_features_in_) + 1)) ** 2
    return hessian <= _HESSIAN_SIZE and n * hessian <= _HESSIAN_WORK


@pytest.fixture(params=[True, False], ids=["intercept", "no intercept"])
def fit_intercept(request):
    return request.param


@pytest.fixture(params=[np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def layout(request):
    return request.param


@pytest.fixture
def threads():
    with RowThreads() as threads:
        yield threads


@pytest.fixture
def make_objective(threads):
    def make(X, y, s=None, *, lam=0.1, fit_intercept=True, threads=threads, label_smoothing=0.0):
        n_classes = int(y.max()) + 1 if y.ndim == 1 else y.shape[1]
        s = np.ones(len(y)) if s is None else s
        rows = as_rows(X, Targets(y, n_classes, label_smoothing), s, threads)
        return Objective(rows, Penalty(lam), fit_intercept, threads)

    return make


@pytest.fixture
def make_solver():
    def make(name, **parameters):
        estimator = SoftmaxRegression(name, **parameters)
        options = {field.name: getattr(estimator, field.name) for field in fields(SOLVERS[name])}
        if "random_state" in options:
            options["random_state"] = check_random_state(options["random_state"])
        return SOLVERS[name](**options)

    return make


@pytest.fixture
def state_of():
    """A digest of everything that an estimator holds, to the last bit."""
    return lambda estimator: joblib.hash(vars(estimator))


@pytest.fixture
def fail_at_call(monkeypatch):
    """Make the k-th call of a method of Objective or Batch raise, or return what is given."""

    def install(method, k, outcome):
        owner = Objective if hasattr(Objective, method) else Batch
        original = getattr(owner, method)
        calls = []

        def replacement(self, *args, **kwargs):
            calls.append(method)
            if len(calls) < k:
                return original(self, *args, **kwargs)
            if isinstance(outcome, type) and issubclass(outcome, BaseException):
                raise outcome
            return outcome(original(self, *args, **kwargs))

        monkeypatch.setattr(owner, method, replacement)
        return calls

    return install
