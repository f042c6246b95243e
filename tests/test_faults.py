"""Faults at every stage of every call: nothing is lost, and nothing global stays changed."""

import copy
import os
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from reference import make_problem
from scipy import sparse
from sklearn.exceptions import NotFittedError
from threadpoolctl import ThreadpoolController

from sk_softmax import (
    SoftmaxRegression,
    _callbacks,
    _curvature,
    _factors,
    _fit,
    _hessian,
    _partial_fit,
    _preconditioner,
    _softmax_regression,
    _validation,
)
from sk_softmax._batches import Batch
from sk_softmax._early_stopping import Validation
from sk_softmax._objective import Objective
from sk_softmax._rows import _column_sums, _rotation
from sk_softmax._rows._in_memory import InMemoryRows
from sk_softmax._solvers import _metric, _sgd
from sk_softmax._solvers._lbfgs import LBFGS
from sk_softmax._solvers._sgd import SGD

pytestmark = pytest.mark.uncertified


class Fault(BaseException):
    """As little expected as KeyboardInterrupt."""


# Where a call may be when it fails: an object, and what of it is called there.
STAGES = {
    "validation of X": (_validation, "validate_data"),
    "validation of weights": (_validation, "_check_sample_weight"),
    "the split": (_softmax_regression, "split_rows"),
    "the objective": (Objective, "__init__"),
    "the start": (Objective, "log_priors"),
    "an evaluation": (Objective, "evaluate"),
    "an estimate": (InMemoryRows, "take"),
    "a batch": (Batch, "gradient"),
    "curvature": (_curvature.Curvature, "pooled"),
    "moments": (_curvature.Curvature, "moments"),
    "blocks of curvature": (_curvature.Curvature, "of_classes"),
    "the hessian": (_hessian.PairSums, "hessian"),
    "its products": (Objective, "hessian_operator"),
    "a factorisation": (_preconditioner, "inverse_cholesky"),
    "a metric": (_metric.Preconditioning, "_metric"),
    "the rotation": (_rotation.Rotation, "__init__"),
    "the way back": (_rotation.Rotation, "backward"),
    "columns": (_column_sums.ColumnSums, "add"),
    "an iteration": (_callbacks.IterationRecorder, "__call__"),
    "the score": (Validation, "score"),
    "the best": (_fit, "_best_of"),
    "the end of lbfgs": (LBFGS, "minimize"),
    "the end of sgd": (SGD, "minimize"),
    "the end of an epoch": (SGD, "go_on"),
    "the result": (_fit, "coefficients"),
    "the result of partial_fit": (_partial_fit, "coefficients"),
    "the history": (_callbacks.IterationRecorder, "history"),
    "the stream": (_sgd.Stream, "as_dict"),
}
CALLS = {
    "lbfgs": lambda model, X, y: model.set_params(solver="lbfgs").fit(X, y, np.ones(len(y))),
    "sgd": lambda model, X, y: model.set_params(solver="sgd").fit(X, y),
    "early stopping": lambda model, X, y: model.set_params(early_stopping=True).fit(X, y),
    "partial_fit": lambda model, X, y: model.partial_fit(X, y, classes=[0, 1, 2]),
    "sparse": lambda model, X, y: model.fit(sparse.csr_array(np.hstack([X] * 300)), y),
    "wide": lambda model, X, y: model.fit(np.hstack([X] * 30)[:40], y[:40]),
    "many classes": lambda model, X, y: model.fit(
        np.hstack([X * k for k in range(1, 11)]), np.argsort(np.argsort(X[:, 0])) // 6
    ),
}


def global_state():
    """What the whole process shares and a fit has to do with."""
    pools = ThreadpoolController().select(user_api="blas").lib_controllers
    state = np.random.get_state(legacy=False)  # noqa: NPY002  the global one
    return (
        [pool.num_threads for pool in pools],
        list(warnings.filters),
        np.geterr(),
        state["state"]["key"].tobytes(),
        state["state"]["pos"],
    )


def fail_at(monkeypatch, stage, k, error):
    """Let the k-th call fail, before it begins for odd k and after its end for even k."""
    owner, name = STAGES[stage]
    original = getattr(owner, name)
    calls = []

    def failing(*args, **kwargs):
        calls.append(stage)
        if len(calls) == k and k % 2:
            raise error
        result = original(*args, **kwargs)
        if len(calls) == k:
            raise error
        return result

    monkeypatch.setattr(owner, name, failing)
    return calls


@pytest.fixture
def one_model():
    """A fitted model that has been through everything that leaves something behind."""
    X, y = make_problem(0)
    model = SoftmaxRegression("lbfgs", max_iter=30, tol=1e-12, random_state=0, verbose=0)
    return model.partial_fit(X, y, classes=[0, 1, 2])


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_whatever_fails_nothing_is_lost(monkeypatch, state_of, one_model, stage):
    """In every call that comes to this stage, the first, second and fifth time it does."""
    X, y = make_problem(1)
    arguments, faults = (X.copy(), y.copy()), 0
    P = one_model.predict_proba(X)
    for name, call in CALLS.items():
        one_model.set_params(early_stopping=name == "early stopping")
        one_model.set_params(solver="sgd" if name == "sgd" else "lbfgs")
        before, everything = state_of(one_model), global_state()
        for k in (1, 2, 5):
            with monkeypatch.context() as patch:
                calls = fail_at(patch, stage, k, Fault)
                try:
                    call(copy.deepcopy(one_model), X, y)
                except Fault:
                    pass
                else:
                    assert len(calls) < k, "the fault was swallowed"
                    break
                calls.clear()
                with pytest.raises(Fault):
                    call(one_model, X, y)
            faults += 1
            assert state_of(one_model) == before
            assert global_state() == everything
            np.testing.assert_array_equal(one_model.predict_proba(X), P)
    for array, original in zip((X, y), arguments, strict=True):
        np.testing.assert_array_equal(array, original)
    assert faults > 0, "no call comes to this stage"


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, Fault])
@pytest.mark.parametrize("call", ["lbfgs", "sgd", "partial_fit"])
def test_a_first_call_that_fails_leaves_nothing(monkeypatch, error, call):
    X, y = make_problem(0)
    model = SoftmaxRegression(solver="sgd" if call == "sgd" else "lbfgs")
    before = dict(vars(model))
    stage = "the result of partial_fit" if call == "partial_fit" else "the result"
    fail_at(monkeypatch, stage, 1, error)
    with pytest.raises(error):
        CALLS[call](model, X, y)
    assert vars(model) == before
    with pytest.raises(NotFittedError):
        model.predict(X)


# Numbers that go bad in the middle of a run


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("what", ["value", "gradient"])
def test_evaluations_that_are_not_finite(monkeypatch, one_model, state_of, bad, k, what):
    X, y = make_problem(1, n=200)
    original, calls = Objective.evaluate, []

    def spoilt(self, theta):
        evaluation = original(self, theta)
        calls.append(1)
        if len(calls) < k:
            return evaluation
        spoilt_part = bad if what == "value" else evaluation.gradient * bad
        return evaluation._replace(**{what: spoilt_part})

    monkeypatch.setattr(Objective, "evaluate", spoilt)
    before = state_of(one_model)
    with pytest.raises(FloatingPointError, match="not finite"), np.errstate(all="ignore"):
        one_model.set_params(early_stopping=False).fit(X, y)
    assert state_of(one_model) == before


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("failures", [1, 3, 8])
@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_a_cholesky_that_fails_is_repeated_on_a_stronger_diagonal(monkeypatch, solver, failures):
    """The change of variables gets worse, the minimum stays."""
    original, calls = _factors.get_lapack_funcs, []

    def unreliable(names, arrays):
        (routine,) = original(names, arrays)

        def failing(A, **options):
            calls.append(1)
            L, failed = routine(A, **options)
            return (L, 1) if len(calls) <= failures else (L, failed)

        return [failing if names == ("potrf",) else routine]

    monkeypatch.setattr(_factors, "get_lapack_funcs", unreliable)
    X, y = make_problem(0, n=300)
    model = SoftmaxRegression(solver, random_state=0, tol=1e-10 if solver == "lbfgs" else 1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    assert len(calls) > failures
    monkeypatch.undo()
    expected = SoftmaxRegression(solver, random_state=0).fit(X, y)
    assert model.loss_ == pytest.approx(expected.loss_, rel=1e-6 if solver == "lbfgs" else 1e-2)


# 48

TOO_LITTLE = textwrap.dedent(
    """
    import resource, sys, joblib, numpy as np
    from sk_softmax import SoftmaxRegression
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((1000, 20)), rng.integers(0, 3, size=1000)
    model = SoftmaxRegression(sys.argv[1], max_iter=3, tol=None, random_state=0, n_jobs=1)
    model.fit(X, y)
    before, P = joblib.hash(vars(model)), model.predict_proba(X)
    large = np.zeros((60_000, 800), dtype=np.float64)
    labels = np.arange(60_000) % 60
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]) * 2**20,) * 2)
    try:
        model.fit(large, labels)
    except MemoryError:
        print("MemoryError", joblib.hash(vars(model)) == before)
        print((model.predict_proba(X) == P).all())
    else:
        print("fitted")
    """
)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
@pytest.mark.parametrize("mebibytes", [1, 8])
def test_too_little_memory_is_an_error_and_no_loss(solver, mebibytes):
    result = subprocess.run(
        [sys.executable, "-c", TOO_LITTLE, solver, str(mebibytes)],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    assert result.stdout.split() == ["MemoryError", "True", "True"], result.stderr[-2000:]
