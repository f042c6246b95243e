"""Offsets: numbers that are added to the logits of rows, with a coefficient that is fixed."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length


def check_offset(offset, X, classes, name="offset"):
    """An offset of rows X as an array (n, K) for the sorted `classes`, or None without one.

    It was given as (n, K), or for two classes as (n,), what is added to the log odds of the second.
    """
    if offset is None:
        return None
    if isinstance(offset, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array, whose mask would be ignored.")
    columns = getattr(offset, "columns", None)
    offset = check_array(offset, dtype=np.float64, ensure_2d=False, input_name=name)
    check_consistent_length(X, offset)
    K = len(classes)
    if K == 2 and (offset.ndim == 1 or offset.shape[1] == 1):
        return offset.reshape(-1, 1) * [-0.5, 0.5]
    if offset.ndim != 2 or offset.shape[1] != K:
        alone = " or (n_samples,)" if K == 2 else ""
        raise ValueError(
            f"{name} must have the shape (n_samples, n_classes){alone}, with a column for each of "
            f"the {K} classes {classes[:10]}; got {offset.shape}."
        )
    if columns is None:
        return offset
    columns = np.asarray(columns)
    if isinstance(columns[0], str) == isinstance(classes[0], str):
        order = np.argsort(columns)
        if np.array_equal(columns[order], classes):
            return offset[:, order]
    raise ValueError(
        f"{name} has columns named {columns[:10]}; they must be the classes {classes[:10]}. Pass "
        "an array for columns in the order of the sorted classes."
    )


def check_offset_like(offset, has_offset, name="offset"):
    """Refuse to leave an offset out where the model was fitted with one."""
    if offset is None and has_offset:
        raise ValueError(
            f"The model was fitted with an offset, and needs {name} here too; zeros stand for none."
        )


def centred_scores(offset):
    """What an offset (n, K) adds to a `decision_function`: (n, K), or (n, 1) for two classes."""
    return offset[:, 1:] - offset[:, :1] if offset.shape[1] == 2 else offset
