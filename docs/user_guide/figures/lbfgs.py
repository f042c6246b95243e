"""Distance to the minimum of raw wine: L-BFGS-B in the coefficients, and in other variables."""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_wine

from sk_softmax import SoftmaxRegression

X, y = load_wine(return_X_y=True)
n, n_features = X.shape
one_hot = np.eye(3)[y]


def objective(theta):
    """Mean loss with the penalty of C = 1, and its gradient."""
    W, b = theta[:-3].reshape(3, n_features), theta[-3:]
    logits = X @ W.T + b
    logits -= logits.max(axis=1, keepdims=True)
    log_P = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    residuals = (np.exp(log_P) - one_hot) / n
    value = -np.mean(log_P[np.arange(n), y]) + np.sum(W**2) / (2 * n)
    return value, np.r_[(residuals.T @ X + W / n).ravel(), residuals.sum(axis=0)]


losses = []
options = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 1e-15, "gtol": 1e-10}
minimize(
    objective,
    np.zeros(3 * (n_features + 1)),
    jac=True,
    method="L-BFGS-B",
    options=options,
    callback=lambda theta: losses.append(objective(theta)[0]),
)
minimum = SoftmaxRegression(tol=1e-14).fit(X, y).loss_
ours = SoftmaxRegression("lbfgs", tol=1e-10).fit(X, y).history_["loss"]

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
curves = {
    "L-BFGS-B in the coefficients": (losses, "#0072B2"),
    'solver="lbfgs"': (ours, "#D55E00"),
}
for name, (values, colour) in curves.items():
    gaps = np.maximum(np.array(values) / minimum - 1, 1e-10)
    axes.plot(1 + np.arange(len(gaps)), gaps, color=colour, label=name)
axes.axhline(1e-6, color="0.5", ls=":", lw=1)
axes.annotate("tol", (1, 1e-6), va="bottom", color="0.4")
axes.set(xscale="log", yscale="log", xlabel="iteration", ylabel="relative distance to the minimum")
axes.grid(alpha=0.3)
axes.legend(frameon=False)
