"""Sparse matrices whose arrays contradict each other: SciPy would read and write out of bounds."""

import numpy as np
import pytest
from reference import make_problem
from scipy import sparse

from sk_softmax import SoftmaxRegression

solvers = pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
formats = pytest.mark.parametrize("name", ["csr", "csc", "bsr"])


def broken(name, array, position, value):
    """A matrix of some format, one number of whose arrays was changed after construction."""
    X, y = make_problem(0)
    X = sparse.csr_array(X).asformat(name)
    values = getattr(X, array).copy()
    values[position] = value
    setattr(X, array, values)
    return X, y


@solvers
@formats
@pytest.mark.parametrize(
    ("array", "position", "value"),
    [
        ("indices", 0, -1),
        ("indices", 3, 10**6),
        ("indptr", 0, 1),
        ("indptr", -1, 10**6),
        ("indptr", 2, 10**6),
        ("indptr", 2, -5),
    ],
)
def test_indices_out_of_bounds_are_refused(solver, name, array, position, value):
    X, y = broken(name, array, position, value)
    model = SoftmaxRegression(solver, tol=None, max_iter=20)
    with pytest.raises(ValueError, match=f"'{name}' whose indices are not valid"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="not valid"):
        model.partial_fit(X, y, classes=[0, 1, 2])
    model.fit(*make_problem(0))
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match="not valid"):
            method(X)


@solvers
@pytest.mark.parametrize("array", ["data", "indices", "indptr"])
@formats
def test_arrays_that_are_too_short_are_refused(solver, name, array):
    X, y = make_problem(0)
    X = sparse.csr_array(X).asformat(name)
    setattr(X, array, getattr(X, array)[:-1])
    with pytest.raises(ValueError, match="not valid"):
        SoftmaxRegression(solver).fit(X, y)


@solvers
@pytest.mark.parametrize("coordinate", ["row", "col"])
@pytest.mark.parametrize("value", [-1, 10**6])
def test_coordinates_out_of_bounds_are_refused(solver, coordinate, value):
    X, y = make_problem(0)
    X = sparse.coo_matrix(X)
    getattr(X, coordinate)[3] = value
    with pytest.raises(ValueError, match="'coo' whose indices are not valid"):
        SoftmaxRegression(solver).fit(X, y)


@pytest.mark.parametrize("name", ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"])
@pytest.mark.parametrize("shape", [(1, 4), (80, 1), (0, 4), (80, 4)])
def test_valid_matrices_of_any_format_are_not_refused(name, shape):
    model = SoftmaxRegression().fit(*make_problem(0, p=shape[1]))
    X = sparse.csr_array(np.ones(shape)).asformat(name)
    if shape[0]:
        assert len(model.predict(X)) == shape[0]
    else:
        with pytest.raises(ValueError, match="0 sample"):
            model.predict(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("p", [3, 1000])
@pytest.mark.parametrize("learning_rate", ["auto", 0.1])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_matrix_without_values_is_fitted(p, learning_rate, fit_intercept):
    X, y = sparse.csr_array((60, p)), np.arange(60) % 3
    parameters = {"learning_rate": learning_rate, "fit_intercept": fit_intercept}
    model = SoftmaxRegression("sgd", random_state=0, **parameters)
    for step in (model.fit, model.partial_fit):
        step(X, y)
        assert not model.coef_.any()
        np.testing.assert_allclose(model.predict_proba(X), 1 / 3, atol=0.05)


@solvers
def test_duplicates_are_summed_though_the_matrix_denies_them(solver):
    """SciPy keeps what it found out about the arrays, and so may be out of date."""
    X, y = make_problem(0)
    twice = sparse.csr_array(np.hstack([X, X]))
    assert twice.has_canonical_format
    columns = np.tile(np.repeat(np.arange(4), 1), 2 * len(y)).astype(twice.indices.dtype)
    twice.indices[:] = columns
    assert twice.has_canonical_format, "the case that is tested"
    twice.resize(len(y), 4)
    twice.has_canonical_format = True
    before = twice.data.copy(), twice.indices.copy(), twice.indptr.copy()
    parameters = {"tol": None, "max_iter": 5, "random_state": 0}
    model = SoftmaxRegression(solver, **parameters).fit(twice, y)
    expected = SoftmaxRegression(solver, **parameters).fit(sparse.csr_array(2 * X), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    for array, copy in zip((twice.data, twice.indices, twice.indptr), before, strict=True):
        np.testing.assert_array_equal(array, copy)
