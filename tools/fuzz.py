"""Random parameters, data and calls, in search of crashes, hangs and undocumented errors.

    python tools/fuzz.py --minutes 30 --seed 0     # as many cases as there is time for
    python tools/fuzz.py --seed 0 --case 123       # one case again, with its traceback

A case is determined by seed and number. Cases run in a process of their own, which is replaced
when it dies or when a case takes longer than `--limit` seconds. What counts as a finding:

- an error other than ValueError, TypeError and MemoryError, or the
  AttributeError by which `partial_fit` is missing with balanced class weights;
- a warning other than ConvergenceWarning, or those of scikit-learn about labels and names;
- a fit that fails and changes the estimator, or any that changes the caller's data;
- a model that is not finite, predicts what is no distribution, or differs when fitted again.
"""

import argparse
import collections
import copy
import multiprocessing
import pickle
import sys
import time
import traceback
import warnings

import joblib
import numpy as np
from fuzz_data import make_labels, make_rows, make_weights
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError

from sk_softmax import SoftmaxRegression, check_gradient

DOCUMENTED = (ValueError, TypeError, MemoryError, NotFittedError)

# The first values are usual and drawn most of the time.
PARAMETERS = {
    "solver": ["auto", "lbfgs", "sgd", "newton", None],
    "C": [1.0, 1e-6, 1e6, np.inf, 1e-300, 1e300, 5e-324, 0, -1, np.nan, "1", 1],
    "fit_intercept": [True, False, 1, None],
    "class_weight": [None, "balanced", {}, {0: 2.0}, {0: 0.0}, {1: 1e300}, {0: np.nan}, "x", [1]],
    "label_smoothing": [0.0, 0.1, 0.999, 1 - 1e-16, 1.0, -0.1, np.nan],
    "tol": [1e-6, None, 0, 1e-3, 1e-300, 1e300, np.inf, np.nan, -1],
    "max_iter": [20, None, 1, 2, 0, 2.5],
    "learning_rate": ["auto", 0.1, 1e-300, 1e-3, 10.0, 1e300, 0, np.inf, "fast"],
    "schedule": ["auto", "constant", "inverse_scaling", "cosine", "adaptive", "linear"],
    "batch_size": ["auto", 1, 7, 10**9, 2**70, 0],
    "momentum": [0.0, 0.9, 1 - 1e-16, 1.0],
    "nesterov": [False, True, "yes"],
    "average": [False, True],
    "early_stopping": [False, True],
    "validation_fraction": [0.1, 0.5, 1e-300, 1 - 1e-16, 0.0, 1],
    "n_iter_no_change": [5, 1, 2**70, 0],
    "warm_start": [False, True],
    "random_state": [0, None, 2**32 - 1, 2**32, -1, "seed"],
    "n_jobs": [None, 1, 2, -1, -1000, 0, 2**70],
    "verbose": [0],
}


class Finding(Exception):
    """A promise that was broken."""


def draw(rng, choices, usual):
    """One of the choices: with probability `usual` the first."""
    return choices[0] if rng.random() < usual else choices[rng.integers(len(choices))]


def make_parameters(rng):
    usual = rng.choice([0.5, 0.8, 0.95])
    return {name: draw(rng, choices, usual) for name, choices in PARAMETERS.items()}


def digest(*things):
    """Of what a caller holds, to the last bit; things that cannot be pickled count as equal.

    Of sparse matrices and data frames the values: they keep other things for themselves.
    """
    try:
        return joblib.hash([_values(thing) for thing in things])
    except Exception:  # whatever an odd container raises
        return None


def _values(thing):
    if hasattr(thing, "to_numpy"):
        return thing.to_numpy(), list(getattr(thing, "columns", []))
    if not sparse.issparse(thing):
        return thing
    names = ("data", "indices", "indptr", "coords", "rows", "offsets")
    return [thing.shape, thing.format, *(getattr(thing, name, None) for name in names)]


def attempt(call, model):
    """Run a call on a model; whether it went through. Else the model is to be as before."""
    before = digest(vars(model))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for allowed in (ConvergenceWarning, DataConversionWarning):
            warnings.simplefilter("ignore", allowed)
        for message in (
            "X (does not have valid|has) feature names",
            "The number of unique classes",
            "All weight",
            "The solver 'lbfgs' does not use",
            "All rows of this call of partial_fit are of one class",
        ):
            warnings.filterwarnings("ignore", message)
        # Data that cannot be converted without a warning are not for us to repair.
        for allowed in (np.exceptions.ComplexWarning, np.exceptions.VisibleDeprecationWarning):
            warnings.simplefilter("ignore", allowed)
        warnings.filterwarnings("ignore", "(overflow|invalid value) encountered in cast")
        warnings.filterwarnings("ignore", "the matrix subclass", PendingDeprecationWarning)
        # scikit-learn sums the values first, of which inf - inf is one; it then says so properly.
        warnings.filterwarnings("ignore", "invalid value encountered in reduce")
        try:
            call()
            return True
        except DOCUMENTED:
            pass
        except AttributeError as error:
            if "partial_fit is not available" not in str(error):
                raise
    if digest(vars(model)) != before:
        raise Finding("an error lost the state of the estimator")
    return False


def check_model(model, X):
    """What holds for every fitted model, and its predictions if X can be predicted from."""
    if not (np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()):
        raise Finding("the model is not finite")
    found = {}
    if not attempt(lambda: found.update(P=model.predict_proba(X), y=model.predict(X)), model):
        return
    P = found["P"]
    if not (np.isfinite(P).all() and (P >= 0).all() and np.abs(P.sum(axis=1) - 1).max() < 1e-5):
        raise Finding("the probabilities are no distribution")
    if not np.isin(found["y"], model.classes_).all():
        raise Finding("a prediction is no distribution's mode: it is not among the classes")


def fuzz_fit(rng):
    """Fit, fit again, predict, and sometimes check the gradient."""
    X, y, s = make_rows(rng), None, None
    y, s = make_labels(rng, X), make_weights(rng, X)
    model = SoftmaxRegression().set_params(**make_parameters(rng))
    data, twin = digest(X, y, s), copy.deepcopy(model)
    if attempt(lambda: model.fit(X, y, s), model):
        check_model(model, X)
        deterministic = model.solver_ == "lbfgs" and not model.early_stopping
        if deterministic or model.random_state is not None:
            attempt(lambda: twin.fit(X, y, s), twin)
            if not np.array_equal(getattr(twin, "coef_", None), model.coef_):
                raise Finding("the fit is not reproducible")
        if rng.random() < 0.1:
            attempt(lambda: check_gradient(model, X, y, s, n_coordinates=5), model)
    if digest(X, y, s) != data:
        raise Finding("the fit wrote to the data")


def one_call(rng, kind, model, X, y):
    """One of six kinds of calls; the model to go on with."""
    if kind == 0:
        attempt(lambda: model.fit(X, y), model)
    elif kind == 1:
        classes = draw(rng, [None, [0, 1, 2], [0, 1, 2, 3], ["a", "b", "c"], [1]], 0.5)
        attempt(lambda: model.partial_fit(X, y, classes=classes), model)
    elif kind == 2:
        for name in ("predict", "predict_log_proba", "decision_function"):
            attempt(lambda name=name: getattr(model, name)(X), model)
    elif kind == 3:
        return pickle.loads(pickle.dumps(model))
    elif kind == 4:
        names, chosen = rng.choice(list(PARAMETERS), size=3), make_parameters(rng)
        model.set_params(**{name: chosen[name] for name in names})
    else:
        attempt(lambda: model.fit(X, y, X_val=X, y_val=y), model)
    return model


def fuzz_life(rng):
    """Calls in random order: fit, partial_fit, predictions, copies, other parameters."""
    model = SoftmaxRegression(max_iter=10)
    X, y = make_rows(rng, plain=True), None
    y = make_labels(rng, X, plain=True)
    for kind in rng.integers(6, size=rng.integers(2, 8)):
        if rng.random() < 0.3:
            X = make_rows(rng, plain=rng.random() < 0.7)
            y = make_labels(rng, X, plain=rng.random() < 0.7)
        data = digest(X, y)
        model = one_call(rng, kind, model, X, y)
        if digest(X, y) != data:
            raise Finding("a call wrote to the data")
        if hasattr(model, "coef_"):
            check_model(model, X)


def run_case(seed, number):
    """One case; raises what it finds."""
    rng = np.random.default_rng([seed, number])
    (fuzz_fit if rng.random() < 0.75 else fuzz_life)(rng)


def work(seed, numbers, pipe):
    """Run cases until the parent hangs up; tell it when one begins, and what it found."""
    for number in numbers:
        pipe.send(("begin", number, None))
        try:
            run_case(seed, number)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            short = f"{type(error).__name__}: {str(error)[:150]} ({where.filename}:{where.lineno})"
            pipe.send(("found", number, short))
    pipe.send(("end", None, None))


def watch(seed, first, last, limit, deadline):
    """Run the cases first..last; yields pairs (number, finding or None)."""
    number = first
    while number < last and time.monotonic() < deadline:
        ours, theirs = multiprocessing.Pipe()
        child = multiprocessing.get_context("spawn").Process(
            target=work, args=(seed, range(number, min(number + 2000, last)), theirs)
        )
        child.start()
        theirs.close()
        found = None
        while True:
            if not ours.poll(limit):
                found = f"no end after {limit} seconds"
                break
            try:
                kind, at, text = ours.recv()
            except EOFError:
                child.join()
                found = f"the process died: exit code {child.exitcode}"
                break
            if kind == "end" or time.monotonic() > deadline:
                break
            number = at
            yield (number, text) if kind == "found" else (number, None)
        child.kill()
        child.join()
        if found:
            yield number, found
        number += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--cases", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--case", type=int, help="run this one only, here, with its traceback")
    parser.add_argument("--limit", type=float, default=60, help="seconds that a case may take")
    options = parser.parse_args()
    if options.case is not None:
        run_case(options.seed, options.case)
        print("nothing found")
        return 0
    deadline = time.monotonic() + 60 * options.minutes
    findings, number = collections.defaultdict(list), options.first
    last = options.first + options.cases
    for number, found in watch(options.seed, options.first, last, options.limit, deadline):
        if found:
            if found not in findings:
                print(f"case {number}: {found}", flush=True)
            findings[found].append(number)
    print(f"{number + 1 - options.first} cases, {len(findings)} different findings")
    for found, numbers in sorted(findings.items(), key=lambda item: -len(item[1])):
        print(f"{len(numbers):6d} times, first case {numbers[0]}: {found}")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
