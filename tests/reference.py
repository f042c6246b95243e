"""Data and formulas that the tests compare with: plain numpy, nothing of the package."""

import numpy as np
from scipy import sparse


def make_problem(seed, n=80, p=4, n_classes=3):
    """Gaussian rows with labels drawn from a softmax model: every class, not separable."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    logits = X @ rng.standard_normal((p, n_classes)) + rng.gumbel(size=(n, n_classes))
    y = logits.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y


def split(theta, p):
    """W (K, p) and b (K,) of parameters (K, p) or (K, p + 1)."""
    return theta[:, :p], theta[:, p] if theta.shape[1] > p else np.zeros(len(theta))


def mean_objective(theta, X, y, s, lam):
    """Weighted mean loss + lam/2 ||W||^2; holds for complex theta, and moderate logits."""
    W, b = split(theta, X.shape[1])
    Z = X @ W.T + b
    losses = np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(y)), y]
    return s @ losses / s.sum() + lam / 2 * (W * W).sum()


def mean_gradient(theta, X, y, s, lam):
    """Gradient of `mean_objective`, in the shape of theta; y may be probabilities, (n, K)."""
    W, b = split(theta, X.shape[1])
    R = softmax_rows(X @ W.T + b)
    R -= y if y.ndim == 2 else np.eye(len(W))[y]
    R *= (s / s.sum())[:, np.newaxis]
    G_W = R.T @ X + lam * W
    return G_W if theta.shape == W.shape else np.column_stack([G_W, R.sum(axis=0)])


def complex_step_gradient(f, theta, h=1e-30):
    """Gradient of a real-analytic f, to machine precision: there is no difference to cancel."""
    gradient = np.empty(theta.shape)
    for index in np.ndindex(theta.shape):
        shifted = theta.astype(complex)
        shifted[index] += 1j * h
        gradient[index] = f(shifted).imag / h
    return gradient


def central_differences(f, theta, h=1e-5):
    gradient = np.empty(theta.shape)
    for index in np.ndindex(theta.shape):
        up, down = theta.copy(), theta.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (f(up) - f(down)) / (2 * h)
    return gradient


def softmax_rows(Z):
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    return P / P.sum(axis=1, keepdims=True)


def model_objective(model, X, y, sample_weight=None):
    """scikit-learn's form at a fitted model: C sum_i s_i loss_i + 1/2 ||W||^2."""
    W, Z, codes, s = _read(model, X, y, sample_weight)
    top = Z.max(axis=1)
    losses = top + np.log(np.exp(Z - top[:, np.newaxis]).sum(axis=1)) - Z[np.arange(len(y)), codes]
    return model.C * (s @ losses) + 0.5 * (W * W).sum()


def kkt_residual(model, X, y, sample_weight=None):
    """How far a fitted model is from stationary, in units of the objective F.

    The largest ``g_j^2 / (2 H_jj F)``: the fraction by which a Newton step in the single
    coordinate j would lower F. Near the minimum none exceeds the relative gap
    ``(F - F*) / F``, so the bound to test against is the tolerance of the fit.
    """
    W, Z, codes, s = _read(model, X, y, sample_weight)
    X = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=np.float64)
    P = softmax_rows(Z)
    Q = np.eye(Z.shape[1])[codes]
    if len(W) == 1:
        P, Q = P[:, 1:], Q[:, 1:]
    R = model.C * s[:, np.newaxis] * (P - Q)
    curvature = model.C * s[:, np.newaxis] * P * (1 - P)
    gradient, hessian = R.T @ X + W, curvature.T @ (X * X) + 1
    if model.fit_intercept:
        gradient = np.column_stack([gradient, R.sum(axis=0)])
        hessian = np.column_stack([hessian, curvature.sum(axis=0)])
    return (gradient**2 / hessian).max() / (2 * model_objective(model, X, y, sample_weight))


def _read(model, X, y, sample_weight):
    """Coefficients, logits of all classes (n, K), codes of the labels, weights."""
    s = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    W, b = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    Z = np.asarray(X @ W.T) + b
    if len(W) == 1:
        Z = np.column_stack([np.zeros(len(Z)), Z])
    return W, Z, np.searchsorted(model.classes_, y), s
