"""Arrays of other libraries than NumPy, by the array API standard, wherever they are."""

import numpy as np

_CPU = 1  # the number that DLPack has for it
# By namespace and device; to ask takes as long as a product.
_HAVE_DOUBLE = {}
_NEEDED = (
    "Arrays of other libraries than NumPy need the package array-api-compat: "
    "pip install 'array-api-compat>=1.12'."
)


def is_foreign(array):
    """Whether it is an array of another library than NumPy."""
    if not hasattr(type(array), "__dlpack__") or isinstance(array, (np.ndarray, np.generic)):
        return False
    try:
        from array_api_compat import is_array_api_obj
    except ImportError as error:
        raise ImportError(_NEEDED) from error
    return is_array_api_obj(array)


def without_gradients(array):
    """An array of torch that does not record what is computed of it; others as they are."""
    return array.detach() if hasattr(array, "detach") else array


def view_of(array):
    """A foreign array as an ndarray of the same memory, or None if it is on another device."""
    if array.__dlpack_device__()[0] != _CPU:
        return None
    try:
        return np.asarray(without_gradients(array))
    except (RuntimeError, TypeError):  # array_api_strict's other devices say they were the CPU
        return None


def to_numpy(array):
    """A foreign array as an ndarray, copied if it is on another device; all else as it is."""
    if not is_foreign(array):
        return array
    view = view_of(array)
    if view is not None:
        return view
    from array_api_compat import to_device

    array, xp = without_gradients(array), Place(array).xp
    cpu = xp.Device("CPU_DEVICE") if xp.__name__ == "array_api_strict" else "cpu"
    return np.asarray(to_device(array, cpu))


class Place:
    """Namespace and device of a foreign array."""

    def __init__(self, array):
        from array_api_compat import array_namespace, device

        self.xp, self.device = array_namespace(array), device(array)

    def __eq__(self, other):
        return (self.xp, self.device) == (other.xp, other.device)

    def __str__(self):
        return f"{self.xp.__name__.removeprefix('array_api_compat.')} on {self.device}"

    def dtype(self, dtype):
        """The namespace's dtype of a name; float32 where the device has no float64."""
        name = np.dtype(dtype).name
        return getattr(self.xp, "float32" if name == "float64" and not self._has_double() else name)

    def _has_double(self):
        """Whether the device has float64."""
        key = self.xp.__name__, str(self.device)
        if key not in _HAVE_DOUBLE:
            info = self.xp.__array_namespace_info__()
            _HAVE_DOUBLE[key] = "float64" in info.dtypes(device=self.device, kind="real floating")
        return _HAVE_DOUBLE[key]

    def array(self, values):
        """An ndarray of numbers as an array there; all else as it is."""
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
            return values
        values = np.require(values, requirements=["C", "W"])  # torch warns of arrays that are not
        return self.xp.asarray(values, dtype=self.dtype(values.dtype), device=self.device)


class DeviceArray:
    """A matrix on a device, and the little that validation and rows ask of one in NumPy.

    Slices and selected rows stay on the device. `astype`, `T` and `np.asarray` copy what they are
    asked for into memory here.

    Parameters
    ----------
    array : array of shape (n, p), foreign
    """

    ndim = 2

    def __init__(self, array):
        self.place = Place(array)
        array, xp = without_gradients(array), self.place.xp
        if not (xp.isdtype(array.dtype, ("bool", "integral")) or _name(array) in _FLOATS):
            array = xp.astype(array, self.place.dtype(np.float64))
        self.array, self.shape = array, tuple(array.shape)
        self.dtype = dtype_of(array)

    def __len__(self):
        return self.shape[0]

    @property
    def size(self):
        """Number of values."""
        return self.shape[0] * self.shape[1]

    def __getitem__(self, key):
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        return self._taken(rows, 0)._taken(columns, 1)

    def _taken(self, places, axis):
        """Some of the rows, or of the columns, by a slice, a mask, or indices."""
        if isinstance(places, slice):
            whole = places == slice(None)
            key = (places, ...) if axis == 0 else (..., places)
            return self if whole else DeviceArray(self.array[key])
        places = np.atleast_1d(places)
        places = np.flatnonzero(places) if places.dtype == bool else places.astype(np.int64)
        return DeviceArray(self.place.xp.take(self.array, self.place.array(places), axis=axis))

    @property
    def is_writable(self):
        """Whether arrays of the library can be changed in place."""
        from array_api_compat import is_writeable_array

        return is_writeable_array(self.array)

    def values(self, dtype):
        """The array on the device, in a dtype or the one nearest to it there."""
        return self.place.xp.astype(self.array, self.place.dtype(dtype), copy=False)

    def is_finite(self):
        """Whether there is neither NaN nor infinity."""
        return self.dtype.kind != "f" or bool(self.place.xp.all(self.place.xp.isfinite(self.array)))

    def __array__(self, dtype=None, copy=None):
        values = to_numpy(self.array)
        return values.astype(dtype or values.dtype, copy=bool(copy))

    def astype(self, dtype, copy=True):
        """The values here."""
        return self.__array__(dtype, copy)

    @property
    def T(self):
        """The transposed values here."""
        return self.__array__().T

    def __matmul__(self, matrix):
        """The product with an ndarray, computed on the device, here."""
        dtype = np.result_type(self.dtype, matrix.dtype)
        there = self.place.xp.astype(self.place.array(matrix), self.place.dtype(dtype))
        return to_numpy(self.values(dtype) @ there).astype(dtype, copy=False)

    def add_weighted_grams(self, sums, weights):
        """Add ``sum_i c_ri x_i x_i'`` to sums (r, p, p) here, for weights C (r, n).

        The x_i are columns, and weights are not negative.
        """
        xp, weights = self.place.xp, self.place.array(weights)
        for k, total in enumerate(sums):
            root = xp.astype(xp.sqrt(weights[k, ...]), self.array.dtype, copy=False)
            weighted = self.array * root
            total += to_numpy(weighted @ weighted.T)


_FLOATS = ("float32", "float64")


def _name(array):
    """The name of a dtype, which some libraries write after their own."""
    return str(array.dtype).rsplit(".", 1)[-1]


def dtype_of(array):
    """NumPy's dtype of an array of any library."""
    return np.dtype(_name(array))
