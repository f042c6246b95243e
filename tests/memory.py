"""The memory of a fit, and the bound on it that the user guide has."""

import tracemalloc

import numpy as np
from scipy import sparse

from sk_softmax import SoftmaxRegression

_MIB = 2**20


def allowed(X, n_classes):
    """Bytes beyond X: see "Memory" in the user guide."""
    n, p = X.shape
    stored = X.nnz * (X.data.itemsize + 4) if sparse.issparse(X) else X.nbytes
    rotated = n < p and not sparse.issparse(X)
    data = 2 * stored if sparse.issparse(X) or rotated else 0.1 * stored
    if not sparse.issparse(X) and X.dtype != np.float32:
        data += min(4 * n * min(n, p), 256 * _MIB)
    curvature = 8 * (n_classes + 6) * min(n, p) ** 2
    curvature = min(curvature, 2 * max(256 * _MIB, stored))
    return data + curvature + 64 * n + 50 * 8 * n_classes * (p + 1) + 96 * _MIB


def extra_memory(X, y, solver="lbfgs", **parameters):
    """Peak of the bytes that a fit allocates."""
    model = SoftmaxRegression(solver, **parameters)
    few = 2 * (y.max() + 1)
    model.fit(X[:few], np.arange(few) // 2)  # imports and pools
    tracemalloc.start()
    try:
        model.fit(X, y)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
