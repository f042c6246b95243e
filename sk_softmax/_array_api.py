"""scikit-learn's switch for arrays of other libraries: how they come in, and go out as such."""

import copy
import functools

from sklearn import get_config

from sk_softmax._device_array import DeviceArray, Place, is_foreign, to_numpy, view_of


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
    if not any(_is_fitted(*item) for item in vars(model).items()):
        return model
    other = copy.copy(model)
    vars(other).update(state_in_numpy(vars(model)))
    return other


def state_in_numpy(state):
    """Attributes of a model by name, the fitted arrays in NumPy."""
    return {
        name: to_numpy(value) if _is_fitted(name, value) else value for name, value in state.items()
    }


def put(model, place, place_of_labels):
    """Give a fitted model's arrays back where X was, and the classes where labels were."""
    places = {"coef_": place, "intercept_": place, "n_iter_": place, "classes_": place_of_labels}
    for name, where in places.items():
        if where is not None:
            setattr(model, name, where.array(getattr(model, name)))


def handed_back(method):
    """Have a method of a fitted model return an array of the namespace of X, where X is.

    A model in NumPy predicts of arrays of any library; one whose arrays are on a device of those.
    """

    @functools.wraps(method)
    def predicted(self, X, **options):
        model, place = in_numpy(self), place_of(X)
        if model is not self and get_config()["array_api_dispatch"]:
            _check_same_place(self, place, method.__name__)
        X, *values = received_with(X, *options.values())
        found = method(model, X, **dict(zip(options, values, strict=True)))
        return found if place is None else place.array(found)

    return predicted


def _is_fitted(name, value):
    """Whether an attribute of a model is a fitted array of another library."""
    return name.endswith("_") and is_foreign(value)


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
