"""scikit-learn's switch for arrays of other libraries: how they come in, and go out as such."""

import copy
import functools

from sklearn import get_config

from sk_softmax._device_array import DeviceArray, Place, is_foreign, to_numpy, view_of

# Arrays of a fitted model, which all are where `coef_` is; but `classes_` perhaps in NumPy.
_FITTED = ("coef_", "intercept_", "n_iter_", "classes_")


def place_of(array):
    """Where a foreign array is; None for all else, and where the switch is off."""
    if get_config()["array_api_dispatch"] and is_foreign(array):
        return Place(array)
    return None


def received(X):
    """X as an ndarray of the same memory, or as a `DeviceArray`; as it is where `place_of` is None.

    That of rows on a device has only to be checked.
    """
    if place_of(X) is None:
        return X
    view = view_of(X)
    if view is not None:
        return view
    if X.ndim != 2:
        raise ValueError(f"X must be an array of 2 dimensions, it has {X.ndim}.")
    return DeviceArray(X)


def received_with(X, *others):
    """X as `received`, and targets, weights and the like as ndarrays."""
    if not get_config()["array_api_dispatch"]:
        return X, *others
    return received(X), *map(to_numpy, others)


def in_numpy(model):
    """A model whose fitted arrays are NumPy's: itself, or a copy."""
    if not is_foreign(getattr(model, "coef_", None)):
        return model
    other = copy.copy(model)
    vars(other).update(state_in_numpy(vars(model)))
    return other


def state_in_numpy(state):
    """Attributes of a model by name, the fitted arrays in NumPy."""
    fitted = {name: to_numpy(state[name]) for name in _FITTED if name in state}
    return {**state, **fitted}


def put(model, place, place_of_labels):
    """Give a fitted model's arrays back where X was, and there the classes where labels were."""
    if place is None:
        return
    for name in _FITTED:
        where = place_of_labels if name == "classes_" else place
        if where is not None:
            setattr(model, name, where.array(getattr(model, name)))


def handed_back(method):
    """Have a method of a fitted model return an array of the namespace of X, where X is.

    A model in NumPy predicts of arrays of any library; one whose arrays are on a device of those.
    """

    @functools.wraps(method)
    def predicted(self, X, **options):
        model, is_on = in_numpy(self), get_config()["array_api_dispatch"]
        if not is_on:
            return method(model, X, **options)
        place = place_of(X)
        if model is not self:
            _check_same_place(self, place, method.__name__)
        X, *values = received_with(X, *options.values())
        found = method(model, X, **dict(zip(options, values, strict=True)))
        return found if place is None else place.array(found)

    return predicted


def _check_same_place(model, place, name):
    """Refuse X that is not where the model is."""
    fitted = Place(model.coef_)
    if place is not None and place == fitted:
        return
    raise ValueError(
        f"Inputs passed to {type(model).__name__}.{name}() must use the same namespace and the "
        f"same device as those passed to fit(): these were of {fitted}, X is of "
        f"{place or 'NumPy'}. "
        "Move X there, or pickle the model and load it again: it is then in NumPy, and predicts "
        "of arrays of any namespace."
    )
