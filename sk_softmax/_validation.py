"""What scikit-learn says of input: containers, labels, weights."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from sk_softmax._array_api import received_with
from sk_softmax._device_array import DeviceArray
from sk_softmax._rows import dense

_FLOATS = (np.float64, np.float32)


def check_labelled_rows(estimator, X, y, sample_weight, *, reset):
    """X, codes (n,) or probabilities (n, K), and the classes that they refer to."""
    X, y, sample_weight = received_with(X, y, sample_weight)
    for name, array in {"X": X, "y": y, "sample_weight": sample_weight}.items():
        _refuse_masked(name, array)
    _refuse_wrong_indices(X)
    options = {"accept_sparse": "csr", "dtype": _kept_dtypes(X), "reset": reset}
    if _is_soft(y):
        classes, y = _probabilities(y)
        X = _validated(estimator, X, **options)
        check_consistent_length(X, y)
        return X, y, classes
    y = _plain_labels(y)
    if _are_certainly_labels(y):
        X = _validated(estimator, X, **options)
        check_consistent_length(X, y)
    elif isinstance(X, DeviceArray):
        X, y = _validated(estimator, X, **options), validate_data(estimator, y=y)
        check_consistent_length(X, y)
    else:
        X, y = validate_data(estimator, X, y, **options)
    classes, y = _codes(y)
    return X, y, classes


def _are_certainly_labels(y):
    """Whether y is an array of which scikit-learn's checks, slow on few rows, let all values pass.

    They would only warn of too many classes.
    """
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuU"


def _codes(labels):
    """The sorted classes, and codes into them."""
    are_certain = _are_certainly_labels(labels)
    if not are_certain:
        check_classification_targets(labels)
    classes = np.unique(labels)  # with the inverse it would sort all labels, which takes longer
    if are_certain and len(classes) > len(labels) // 2:
        check_classification_targets(labels)
    return classes, np.searchsorted(classes, labels)


def check_data(estimator, X):
    """Validate what a fitted estimator is asked to predict from."""
    _refuse_masked("X", X)
    _refuse_wrong_indices(X)
    return _validated(estimator, X, accept_sparse="csr", dtype=_FLOATS, reset=False)


def check_weights(y, sample_weight):
    """Weights of the rows, in an array of their own."""
    if sample_weight is None:
        return np.ones(len(y))
    return _check_sample_weight(
        sample_weight, y, dtype=np.float64, copy=True, ensure_non_negative=True
    )


def check_targets(X, y, sample_weight, classes):
    """Targets (n, K) of rows, with a column for each of the sorted `classes`, and weights.

    y holds labels or probabilities.
    """
    _, y, sample_weight, classes = received_with(None, y, sample_weight, classes)
    for name, array in {"y": y, "sample_weight": sample_weight}.items():
        _refuse_masked(name, array)
    if _is_soft(y):
        seen, y = _probabilities(y)
    else:
        seen, y = _codes(column_or_1d(_plain_labels(y)))
    check_consistent_length(X, y)
    Q = np.eye(len(seen))[y] if y.ndim == 1 else y
    unknown = np.setdiff1d(seen[Q.any(axis=0)], classes)
    if len(unknown):
        raise ValueError(
            f"y has classes that the estimator does not know: {unknown[:10]}. SoftmaxRegression "
            "knows all that its parameter classes names, also without rows of them."
        )
    targets, known = np.zeros((len(Q), len(classes))), np.isin(seen, classes)
    targets[:, np.searchsorted(classes, seen[known])] = Q[:, known]
    if sample_weight is not None:
        sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
    return targets, sample_weight


def selected_rows(X, indices):
    """Some rows of an array, a sparse matrix or a data frame, as an array."""
    X = X.tocsr() if sparse.issparse(X) else np.asarray(X)
    return dense(X[indices])


def is_soft(y):
    """Whether y is a table of numbers in floating point: probabilities rather than labels."""
    return _is_soft(y) and np.asarray(y).dtype.kind == "f"


def _validated(estimator, X, **options):
    """X as scikit-learn's `validate_data` has it; on a device it is left where it is."""
    if isinstance(X, DeviceArray):
        if 0 in X.shape:
            raise ValueError(f"Found array X of shape {X.shape}: it needs a row and a column.")
        if not X.is_finite():
            raise ValueError("Input X contains NaN or infinity.")
    elif not _is_certainly_valid(X):
        return validate_data(estimator, X, **options)
    return validate_data(estimator, X, reset=options["reset"], skip_check_array=True)


def _is_certainly_valid(X):
    """Whether X is an array that `check_array`, which is slow on few rows, returns as it is."""
    if type(X) is not np.ndarray or X.ndim != 2 or X.size == 0 or X.dtype not in _FLOATS:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def _kept_dtypes(X):
    """Floats, and integers in an array as they are: blocks of them are converted when used."""
    if isinstance(X, np.ndarray) and X.dtype.kind in "iub":
        return X.dtype
    return _FLOATS


def _is_soft(y):
    """Whether y is a table of at least two columns: probabilities rather than labels."""
    shape = getattr(y, "shape", None)
    if shape is None and isinstance(y, (list, tuple)) and y and isinstance(y[0], (list, tuple)):
        shape = (len(y), len(y[0]))
    return shape is not None and len(shape) == 2 and shape[1] > 1 and not sparse.issparse(y)


def _probabilities(y):
    """Classes, which the columns' names are if they have any, and sorted by them y (n, K).

    One-hot rows are labels: their codes (n,).
    """
    names = getattr(y, "columns", None)
    if names is not None and len(set(names)) < len(names):
        raise ValueError("y has columns of the same name; each must be a class of its own.")
    Q = check_array(y, dtype=None, input_name="y")
    if Q.dtype.kind != "f":
        raise ValueError(
            "y should be a 1d array of labels, or probabilities in floating point of shape "
            f"(n_samples, n_classes); got an array of {Q.dtype} of shape {Q.shape} instead. If "
            "its rows are one-hot, pass y.argmax(axis=1), or y.astype(float)."
        )
    Q = Q.astype(np.float64)
    valid = (Q >= 0).all(axis=1) & np.isclose(Q.sum(axis=1), 1, rtol=0, atol=1e-6)
    if not valid.all():
        row = int(valid.argmin())
        raise ValueError(
            "y of shape (n_samples, n_classes) must hold probabilities, non-negative and with a "
            f"sum of 1 in each row; row {row} is {np.array2string(Q[row], threshold=10)}."
        )
    classes = np.arange(Q.shape[1]) if names is None else np.asarray(names)
    order = np.argsort(classes)
    Q = Q[:, order] / Q.sum(axis=1, keepdims=True)
    is_one_hot = Q.max(axis=1) == 1
    return classes[order], Q.argmax(axis=1) if is_one_hot.all() else Q


def _plain_labels(y):
    """pandas labels that allow missing values, if none is missing, in the type they hold."""
    plain = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    if plain is None or not hasattr(y, "isna") or y.isna().any():
        return y
    return y.to_numpy(dtype=plain)


def _refuse_wrong_indices(X):
    """SciPy does not check the indices of a sparse matrix, but reads and writes where they point.

    Other formats than these cannot be out of bounds, or are checked when they are converted.
    """
    if not sparse.issparse(X) or X.ndim != 2:
        return
    if X.format == "coo":
        valid = len(X.data) == len(X.row) == len(X.col)
        valid = valid and _are_within(X.row, X.shape[0]) and _are_within(X.col, X.shape[1])
    elif X.format in ("csr", "csc", "bsr"):
        rows, columns = X.blocksize if X.format == "bsr" else (1, 1)
        shape = X.shape[0] // rows, X.shape[1] // columns
        n_major, n_minor = shape[::-1] if X.format == "csc" else shape
        valid = (
            len(X.indptr) == n_major + 1
            and X.indptr[0] == 0
            and bool((X.indptr[1:] >= X.indptr[:-1]).all())
            and X.indptr[-1] <= min(len(X.data), len(X.indices))
            and _are_within(X.indices, n_minor)
        )
    else:
        return
    if not valid:
        raise ValueError(
            f"X is a sparse matrix of format {X.format!r} whose indices are not valid: "
            "X.check_format(full_check=True) has details, if X has this method."
        )


def _are_within(indices, bound):
    """Whether all indices are in ``range(bound)``."""
    return len(indices) == 0 or bool(indices.min() >= 0 and indices.max() < bound)


def _refuse_masked(name, array):
    """A mask would be ignored by the conversion to an array, and masked values used."""
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(
            f"{name} is a masked array, whose mask would be ignored. Fill the masked values "
            f"or drop their rows first, for example with {name}.filled(...)."
        )
