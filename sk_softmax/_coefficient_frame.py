"""Coefficients as a data frame with names."""

import importlib

import numpy as np

from sk_softmax._rows import dense
from sk_softmax._unwrap import names_of_columns, unwrap


def coefficient_frame(estimator, *, library="pandas"):
    """Put the coefficients of a fitted model into a data frame with names.

    Parameters
    ----------
    estimator : estimator
        Fitted :class:`SoftmaxRegression` or another linear classifier, also as the last step of a
        pipeline or as `best_estimator_` of a search. In a pipeline coefficients are those of what
        the steps before it make of the features.
    library : {"pandas", "polars"}, default="pandas"
        Whose frame.

    Returns
    -------
    frame : DataFrame
        A row for each term, "intercept" first if there is one, and a column for each class, or for
        ``classes_[1]`` of two. The terms are the index of a pandas frame, which is called "term",
        and the first column of one of polars, whose other columns have the classes as text.

    Raises
    ------
    ValueError
        If `library` is another one.

    See Also
    --------
    summary : With standard errors, tests and intervals.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_softmax import SoftmaxRegression, coefficient_frame
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = SoftmaxRegression(tol=1e-10).fit(X, y)
    >>> print(coefficient_frame(model).round(2))  # doctest: +NORMALIZE_WHITESPACE
                          0     1      2
    term
    intercept          9.85  2.24 -12.09
    sepal length (cm) -0.42  0.53  -0.11
    sepal width (cm)   0.97 -0.32  -0.65
    petal length (cm) -2.52 -0.21   2.72
    petal width (cm)  -1.08 -0.94   2.02
    """
    if library not in ("pandas", "polars"):
        raise ValueError(f'library must be "pandas" or "polars", got {library!r}.')
    model, steps = unwrap(estimator)
    coef = np.asarray(dense(model.coef_))
    terms = [str(name) for name in names_of_columns(model, steps)]
    table = coef.T
    if getattr(model, "fit_intercept", True):
        table = np.vstack([np.ravel(model.intercept_), table])
        terms = ["intercept", *terms]
    classes = model.classes_[1:] if len(coef) == 1 else model.classes_
    frames = importlib.import_module(library)
    if library == "pandas":
        return frames.DataFrame(table, index=frames.Index(terms, name="term"), columns=classes)
    columns = {str(label): column for label, column in zip(classes, table.T, strict=True)}
    return frames.DataFrame({"term": terms, **columns})
