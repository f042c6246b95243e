"""Softmax regression on Dask collections, spread over the workers of a cluster."""

import copy
import inspect

import dask
import distributed
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sk_softmax._cluster import Cluster, Here
from sk_softmax._collections import is_collection, lazily, partitions_of, right_and_total
from sk_softmax._partial_fit import available_if, can_stream
from sk_softmax._placed_data import PlacedData, placed, placed_held_out
from sk_softmax._softmax_regression import SoftmaxRegression
from sk_softmax._solver_choice import asks_for_sgd

_NO_SGD = (
    'The solver "sgd" takes rows at random, which the workers of a cluster cannot. Take '
    'solver="lbfgs", which reaches the minimum; or call partial_fit with the computed partitions '
    'one after the other, as the page "Beyond one machine" of the user guide does.'
)


def _with_parameters_of(base):
    """Give an `__init__` the signature of another one, and its own keywords at the end."""

    def decorate(init):
        signatures = inspect.signature(base), inspect.signature(init)
        ours = signatures[1].parameters
        own = [p for p in ours.values() if p.kind is p.KEYWORD_ONLY]
        init.__signature__ = signatures[0].replace(
            parameters=[*signatures[0].parameters.values(), *own]
        )
        return init

    return decorate


def _refuse_offset(offset):
    """Offsets of collections are not supported."""
    if offset is not None:
        raise ValueError("offset is of rows in memory only: leave it out where X is a collection.")


class DaskSoftmaxRegression(SoftmaxRegression):
    """Softmax regression on Dask arrays and data frames, spread over workers.

    The minimum of the objective of :class:`SoftmaxRegression`, with its parameters and its
    attributes. Workers keep the rows and sum over them; coefficients, sums and matrices are all
    that comes to the process that calls `fit`. It works with NumPy arrays as well, in this process.

    Data are arrays of whole or cut rows, dense or in chunks that are CSR matrices, or data frames
    of numeric columns. Targets and weights are cut like X. They are read and checked once and kept
    in the memory of workers, small partitions joined. The model is fitted by "lbfgs": "sgd" takes
    rows at random, for which there is `partial_fit` on one partition after the other.

    Predictions of collections are lazy Dask arrays.

    Parameters
    ----------
    *args, **parameters
        Those of :class:`SoftmaxRegression`. `n_jobs` is the number of threads of each worker, at
        most as many as it has. `random_state` determines the rows that `early_stopping` holds out.
    client : distributed.Client, default=None
        Whose workers keep the rows. None for the current client; if there is none, for the threads
        of this process. Copies of the estimator share it, pickles do not have it.

    See Also
    --------
    SoftmaxRegression : The same in the memory of one machine.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_wine
    >>> from sk_softmax.dask import DaskSoftmaxRegression
    >>> X, y = load_wine(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(60, -1)), da.from_array(y, chunks=60)
    >>> model = DaskSoftmaxRegression().fit(X, y)
    >>> model.converged_, round(model.loss_ * len(y), 3)
    (True, 11.078)
    >>> P = model.predict_proba(X)  # lazy
    >>> P.shape, P.chunks[0]
    ((178, 3), (60, 60, 58))
    """

    _parameter_constraints = {
        **SoftmaxRegression._parameter_constraints,
        "client": "no_validation",
    }

    @_with_parameters_of(SoftmaxRegression.__init__)
    def __init__(self, *args, client=None, **parameters):
        super().__init__(*args, **parameters)
        self.client = client

    def to_local(self):
        """The model as one that knows nothing of Dask, for export, displays and inference.

        Returns
        -------
        model : SoftmaxRegression
            With the same parameters and, if it has been fitted, the same attributes.
        """
        model = SoftmaxRegression()
        vars(model).update({name: value for name, value in vars(self).items() if name != "client"})
        return model

    @available_if(can_stream)
    def partial_fit(self, X, y, classes=None, sample_weight=None, *, offset=None):
        """Go through some rows once, after all that were seen before, in this process.

        Parameters
        ----------
        X, y, classes, sample_weight, offset : array-like
            As for :meth:`SoftmaxRegression.partial_fit`: rows in memory, such as a computed
            partition.

        Returns
        -------
        self : DaskSoftmaxRegression
            The fitted estimator.

        Raises
        ------
        TypeError
            If X is a collection of Dask.
        """
        if is_collection(X):
            raise TypeError(
                "partial_fit takes rows in memory, and X is a dask collection: call it with one "
                "computed partition after the other, for example X.partitions[i].compute(), or "
                "call fit."
            )
        return super().partial_fit(X, y, classes, sample_weight, offset=offset)

    def decision_function(self, X, *, offset=None):
        """Logits, as :meth:`SoftmaxRegression.decision_function`.

        Parameters
        ----------
        X : dask array, dask data frame, or what SoftmaxRegression takes
            Rows.
        offset : array-like, default=None
            As for SoftmaxRegression; only of rows in memory.

        Returns
        -------
        scores : dask array, or ndarray, of shape (n_samples, n_classes) or (n_samples,)
            Lazy if X is a collection.
        """
        return self._predicted("decision_function", X, offset)

    def predict(self, X, *, offset=None):
        """Most probable labels.

        Parameters
        ----------
        X : dask array, dask data frame, or what SoftmaxRegression takes
            Rows.
        offset : array-like, default=None
            As for SoftmaxRegression; only of rows in memory.

        Returns
        -------
        labels : dask array, or ndarray, of shape (n_samples,)
            Lazy if X is a collection.
        """
        return self._predicted("predict", X, offset)

    def predict_proba(self, X, *, offset=None):
        """Probabilities of the classes.

        Parameters
        ----------
        X : dask array, dask data frame, or what SoftmaxRegression takes
            Rows.
        offset : array-like, default=None
            As for SoftmaxRegression; only of rows in memory.

        Returns
        -------
        P : dask array, or ndarray, of shape (n_samples, n_classes)
            Lazy if X is a collection.
        """
        return self._predicted("predict_proba", X, offset)

    def predict_log_proba(self, X, *, offset=None):
        """Logarithms of the probabilities.

        Parameters
        ----------
        X : dask array, dask data frame, or what SoftmaxRegression takes
            Rows.
        offset : array-like, default=None
            As for SoftmaxRegression; only of rows in memory.

        Returns
        -------
        log_P : dask array, or ndarray, of shape (n_samples, n_classes)
            Lazy if X is a collection.
        """
        return self._predicted("predict_log_proba", X, offset)

    def score(self, X, y, sample_weight=None, *, offset=None):
        """Return the mean accuracy on rows with labels, computed where they are.

        Parameters
        ----------
        X : dask array, dask data frame, or what SoftmaxRegression takes
            Rows.
        y : dask array or series, or array-like, of shape (n_samples,)
            Labels.
        sample_weight : dask array or series, or array-like, of shape (n_samples,), default=None
            Weights.
        offset : array-like, default=None
            As for SoftmaxRegression; only of rows in memory.

        Returns
        -------
        score : float
            The weighted share of rows whose label is predicted.
        """
        if not is_collection(X):
            return super().score(X, y, sample_weight, offset=offset)
        _refuse_offset(offset)
        check_is_fitted(self)
        judge = dask.delayed(right_and_total, pure=False)
        model = dask.delayed(self.to_local())
        place = self._place()
        tasks = [judge(model, *triple) for triple in partitions_of(X, y, sample_weight)]
        right, total = sum(place.gather(place.compute(tasks)))
        return float(right / total)

    def _predicted(self, method, X, offset):
        """What a method of the local model makes of X, lazily if X is a collection."""
        check_is_fitted(self)
        if is_collection(X):
            _refuse_offset(offset)
            return lazily(method, self.to_local(), X)
        return getattr(super(), method)(X, offset=offset)

    def _place(self):
        """Where partitions are checked and rows are kept."""
        client = self.client
        if client is None:
            try:
                client = distributed.default_client()
            except ValueError:
                if self.verbose:
                    print("[SoftmaxRegression] no client: rows are kept in this process")
                return Here()
        return Cluster(client)

    def _check_data(self, X, y, sample_weight, offset):
        """As `SoftmaxRegression._check_data`, of collections the `PlacedData`."""
        if not is_collection(X):
            return super()._check_data(X, y, sample_weight, offset)
        _refuse_offset(offset)
        if asks_for_sgd(self):
            raise ValueError(_NO_SGD)
        return placed(self, self._place(), X, y, sample_weight)

    def _check_held_out(self, X, y, sample_weight, offset, data):
        """As `SoftmaxRegression._check_held_out`, which collections may be too."""
        if not is_collection(X):
            return super()._check_held_out(X, y, sample_weight, offset, data)
        _refuse_offset(offset)
        if not isinstance(data, PlacedData):
            raise TypeError("X_val is a dask collection, and X is not: pass X_val.compute().")
        if y is None:
            raise ValueError("X_val and y_val must be passed together.")
        return placed_held_out(self, X, y, sample_weight, data)

    def _hold_out(self, data):
        """As `SoftmaxRegression._hold_out`, in each partition."""
        if not isinstance(data, PlacedData):
            return super()._hold_out(data)
        data, held_out = data.hold_out(
            self.validation_fraction, check_random_state(self.random_state)
        )
        if held_out.total_weight == 0:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves no rows of any partition "
                "to be held out; increase it, or pass X_val and y_val."
            )
        return data, held_out

    def __copy__(self):
        """With the client, which pickles do without."""
        model = type(self).__new__(type(self))
        vars(model).update(vars(self))
        return model

    def __sklearn_clone__(self):
        """An unfitted copy with the same client, which cannot be copied."""
        without = copy.copy(self)
        without.client = None
        clone = super(DaskSoftmaxRegression, without).__sklearn_clone__()
        clone.client = self.client
        return clone

    def __getstate__(self):
        return {**super().__getstate__(), "client": None}
