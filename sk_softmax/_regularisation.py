"""From `C`, `l1_ratio`, `penalty_factor` and `bounds` to the penalty of a model.

Two classes are two rows of theta and one of `coef_`, w. With squares alone class rows sum to zero
at the minimum, and a softmax of two rows at C/2 is the sigmoid model at C. Absolute values and
bounds are of w: then the row of the first class is fixed at zero, and that of the other is w. Where
more classes have rows of `coef_`, but only two have weight, two rows have twice the squares of one,
and the absolute values and bounds as they are.
"""

import numpy as np

from sk_softmax._penalty import Penalty


def make_penalty(estimator, data, total_weight):
    """The `Penalty` of the mean loss on rows that weigh `total_weight`.

    Two of more classes that are fixed stay a softmax at C, as with few rows of the others.
    """
    is_binary = len(data.weighted if estimator.classes is None else data.classes) == 2
    strength = _penalty_of_mean(estimator.C, total_weight)
    factor = _penalty_factor(estimator.penalty_factor, data.n_features)
    if factor is not None:
        with np.errstate(invalid="ignore"):
            strength = np.where(factor > 0, strength * factor, 0.0)
    lower, upper = _bounds(estimator.bounds, data)
    r = float(estimator.l1_ratio)
    penalty = Penalty((1 - r) * strength, r * strength, lower, upper)
    if not is_binary:
        return penalty
    if penalty.is_smooth:
        return penalty.times(2.0)
    if len(data.classes) > 2:  # the bounds are of two rows of `coef_`
        return Penalty(2 * penalty.l2, penalty.l1, lower, upper)
    first = np.zeros((1, data.n_features))
    lower, upper = (np.concatenate([first, b + first]) for b in (lower, upper))
    return Penalty(penalty.l2, penalty.l1, lower, upper)


def _penalty_of_mean(C, total_weight):
    """``lam = 1 / (C S)``, zero where C S overflows."""
    product = float(C) * float(total_weight)
    lam = 1 / product if product > 0 else np.inf
    if lam == np.inf:
        raise ValueError(f"C times the sum of the weights underflows; increase C={C!r}.")
    return lam


def _penalty_factor(factor, n_features):
    """The factors (n_features,), or None."""
    if factor is None:
        return None
    values = np.asarray(factor)
    if values.shape != (n_features,) or values.dtype.kind not in "iuf":
        raise ValueError(
            f"penalty_factor must hold a number for each of the {n_features} features, got an "
            f"array of {values.dtype} of shape {values.shape}."
        )
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(
            "penalty_factor must hold finite numbers that are not negative, zero for features "
            f"without a penalty; got {values[~(np.isfinite(values) & (values >= 0))][:10]}. To "
            "leave a feature out, remove its column or set its bounds to (0, 0)."
        )
    return values.astype(np.float64)


def _bounds(bounds, data):
    """Lower and upper bounds that broadcast to (K, n_features)."""
    if bounds is None:
        return -np.inf, np.inf
    try:
        lower, upper = (np.asarray(b, dtype=np.float64) for b in bounds)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "bounds must be a pair (lower, upper) of numbers, or arrays that broadcast to coef_; "
            "for one side take -numpy.inf or numpy.inf."
        ) from error
    n_rows = 1 if len(data.classes) == 2 else len(data.classes)
    shape = n_rows, data.n_features
    pair = []
    for name, bound in (("lower", lower), ("upper", upper)):
        try:
            pair.append(np.broadcast_to(bound, shape))
        except ValueError:
            raise ValueError(
                f"bounds: the {name} bound of shape {bound.shape} does not broadcast to coef_ of "
                f"shape {shape}."
            ) from None
    lower, upper = pair
    if not (lower <= upper).all() or np.isposinf(lower).any() or np.isneginf(upper).any():
        raise ValueError("bounds: each lower bound must be at most the upper one, and neither NaN.")
    if n_rows == 1:
        return lower, upper
    return lower[data.weighted], upper[data.weighted]
