"""Dask arrays and data frames: their partitions, and lazy predictions."""

import dask
import dask.array as da
import numpy as np

_HOW = {
    "array": "rechunk both alike, for example y = y.rechunk(X.chunks[0])",
    "frame": "take both from the same data frame, or repartition y like X",
}


def is_collection(X):
    """Whether data are a collection of Dask."""
    return dask.is_dask_collection(X)


def partitions_of(X, y, sample_weight=None, suffix=""):
    """Delayed triples (X_i, y_i, sample_weight_i), one for each partition of the rows.

    `suffix` is what errors add to the names.
    """
    X, kind = _in_row_chunks(X, f"X{suffix}")
    columns = [X.to_delayed().ravel().tolist() if kind == "array" else X.to_delayed()]
    for name, other in {"y": y, "sample_weight": sample_weight}.items():
        columns.append(
            [None] * len(columns[0])
            if other is None and name == "sample_weight"
            else _aligned(other, X, kind, name + suffix, f"X{suffix}")
        )
    return list(zip(*columns, strict=True))


def _in_row_chunks(X, name):
    """An array of chunks that hold whole rows, or a data frame, and which of both it is."""
    if isinstance(X, da.Array):
        if X.ndim != 2:
            raise ValueError(
                f"{name} must be a dask array of 2 dimensions, (n_samples, n_features); it has "
                f"{X.ndim}."
            )
        return X if X.numblocks[1] == 1 else X.rechunk({1: -1}), "array"
    if hasattr(X, "divisions") and getattr(X, "ndim", 0) == 2:
        return X, "frame"
    raise TypeError(
        f"{name} must be a dask array or a dask data frame, got {type(X).__name__}. "
        "dask.array.from_array and dask.dataframe.from_pandas make them."
    )


def _aligned(other, X, kind, name, X_name):
    """The delayed partitions of targets or weights, which must be cut like X."""
    if not is_collection(other):
        raise TypeError(
            f"{name} must be a dask collection like {X_name}, got {type(other).__name__}; "
            f"dask.array.from_array({name}, chunks=...) makes one, in the chunks of {X_name}."
        )
    if isinstance(other, da.Array):
        other = _like(other, X, kind, name, X_name)
        delayed = other.to_delayed().ravel().tolist()
    else:
        known = kind == "frame" and X.known_divisions and other.known_divisions
        if known and X.divisions != other.divisions:
            raise ValueError(f"{name} and {X_name} have different divisions: {_HOW[kind]}.")
        delayed = other.to_delayed()
    n_partitions = X.numblocks[0] if kind == "array" else X.npartitions
    if len(delayed) != n_partitions:
        raise ValueError(
            f"{X_name} has {n_partitions} partitions, and {name} {len(delayed)}: {_HOW[kind]}."
        )
    return delayed


def _like(other, X, kind, name, X_name):
    """An array in whole rows, and in the chunks of X where both are known."""
    if other.ndim > 1 and other.numblocks[1] > 1:
        other = other.rechunk({1: -1})
    if kind == "frame" or np.isnan([*X.chunks[0], *other.chunks[0]]).any():
        return other
    if len(other) != len(X):
        raise ValueError(f"{X_name} has {len(X)} rows, and {name} {len(other)}.")
    return other.rechunk({0: X.chunks[0]})


def lazily(method, model, X):
    """The dask array of what a method of a fitted model predicts of a collection."""
    X, kind = _in_row_chunks(X, "X")
    n_features = X.shape[1]
    if n_features != model.n_features_in_:
        raise ValueError(
            f"X has {n_features} features, but the model was fitted to {model.n_features_in_}."
        )
    dtypes = [X.dtype] if kind == "array" else X.dtypes
    dtype = np.float32 if all(dtype == np.float32 for dtype in dtypes) else np.float64
    meta = _of_no_rows(method, model, dtype)
    if kind == "frame":
        return X.map_partitions(_predicted, method, model, meta=meta)
    chunks = X.chunks[:1] + tuple((width,) for width in meta.shape[1:])
    drop_axis = [1] if meta.ndim == 1 else []
    return X.map_blocks(
        _predicted, method, model, dtype=meta.dtype, meta=meta, chunks=chunks, drop_axis=drop_axis
    )


def _predicted(X, method, model):
    """What a method makes of a partition, which may be empty."""
    return getattr(model, method)(X) if X.shape[0] else _of_no_rows(method, model)


def _of_no_rows(method, model, dtype=np.float64):
    """What a method would make of no rows, which it refuses."""
    row = np.zeros((1, model.n_features_in_), dtype=dtype)
    if hasattr(model, "feature_names_in_"):
        import pandas as pd

        row = pd.DataFrame(row, columns=model.feature_names_in_)
    return getattr(model, method)(row)[:0]


def right_and_total(model, X, y, sample_weight):
    """The weight of the rows of a partition whose label a model predicts, and of all."""
    if X.shape[0] == 0:
        return np.zeros(2)
    weight = X.shape[0] if sample_weight is None else float(np.sum(sample_weight))
    if weight == 0:
        return np.zeros(2)
    return np.array([weight * model.score(X, y, sample_weight), weight])
