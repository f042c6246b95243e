"""PyTorch's L-BFGS on the full batch, on the processor."""

import os
from contextlib import contextmanager

import numpy as np
from fits import timed_fit
from scipy import sparse


def dense(X, C):
    """Why it does not take the data, or None."""
    return "its autograd wants dense data" if sparse.issparse(X) else None


@contextmanager
def limit_threads(threads):
    """Hold PyTorch's own pool, which does not listen to threadpoolctl, at `threads`."""
    import torch

    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    yield


def fit(X, y, C, setting):
    """Fit with `(history_size, max_iter)` and a strong Wolfe line search; None for its defaults.

    In the precision of X, from zero; for two classes the sigmoid model.
    """
    import torch
    from torch.nn import functional

    def minimise():
        n_rows = int(y.max()) + 1 if y.max() > 1 else 1
        rows, lam = torch.from_numpy(X), 1 / (C * len(y))
        W = torch.zeros(n_rows, X.shape[1], dtype=rows.dtype, requires_grad=True)
        b = torch.zeros(n_rows, dtype=rows.dtype, requires_grad=True)
        if n_rows == 1:
            targets = torch.from_numpy(y[:, np.newaxis].astype(X.dtype))
            mean_loss = functional.binary_cross_entropy_with_logits
        else:
            targets, mean_loss = torch.from_numpy(y), functional.cross_entropy
        optimizer = torch.optim.LBFGS([W, b], **_options(setting))

        def closure():
            optimizer.zero_grad()
            value = mean_loss(torch.addmm(b, rows, W.T), targets) + lam / 2 * W.square().sum()
            value.backward()
            return value

        optimizer.step(closure)
        return W.detach().numpy(), b.detach().numpy()

    return timed_fit(minimise)


def _options(setting):
    if setting is None:
        return {}
    history_size, max_iter = setting
    return {
        "history_size": history_size,
        "max_iter": max_iter,
        "max_eval": 2 * max_iter,
        "tolerance_grad": 1e-10,
        "tolerance_change": 1e-14,
        "line_search_fn": "strong_wolfe",
    }
