"""
One objective, two engines
==========================

A program in NumPy fits softmax regression to MNIST by a class of its own, with a method for
mini-batch SGD, another that hands loss and gradient to L-BFGS-B, and a gradient check. It has no
intercept, and starts at small random weights. Here are its figures of merit, the mean error of the
gradient and the error rates of both methods, beside those of `SoftmaxRegression`.

On the program's data (the figures in the text are from this run)::

    python docs/examples/plot_05_two_engines.py --data mnist --data-dir FOLDER

Without ``--data`` it uses the digits that come with scikit-learn.
"""

# %%
# The program, in few lines
# -------------------------
# `loss_and_gradient` sums over rows. SGD divides the sum over a batch by the size of the batch, but
# L-BFGS-B is given the sum itself: the two minimise different functions once there is a penalty,
# and neither loss can be compared with the other. In `SoftmaxRegression` both engines minimise the
# same mean, and `loss_` is comparable.

import time

import matplotlib.pyplot as plt
import numpy as np
from images import load_chosen_images
from scipy.optimize import minimize

from sk_softmax import SoftmaxRegression, check_gradient

X_train, X_test, y_train, y_test = load_chosen_images("Two engines, by hand and in one estimator")
classes, codes = np.unique(y_train, return_inverse=True)
n, n_features = X_train.shape
shape = len(classes), n_features
one_hot = np.eye(len(classes), dtype=np.float32)[codes]


def loss_and_gradient(theta, X=X_train, Q=one_hot):
    """Cross-entropy, summed over rows, and its gradient."""
    logits = X @ theta.reshape(shape).T.astype(np.float32)
    logits -= logits.max(axis=1, keepdims=True)
    log_P = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    gradient = (np.exp(log_P) - Q).T @ X
    return -float((Q * log_P).sum()), gradient.ravel().astype(float)


def train_by_sgd(theta, rng, learning_rate=0.06, batch_size=200, max_epochs=50, tol=5e-4):
    """Stop when an epoch lowers the mean loss by no more than `tol`."""
    losses = [loss_and_gradient(theta)[0] / n]
    for _ in range(max_epochs):
        order = rng.permutation(n)
        for start in range(0, n, batch_size):
            rows = order[start : start + batch_size]
            _, gradient = loss_and_gradient(theta, X_train[rows], one_hot[rows])
            theta = theta - learning_rate * gradient / len(rows)
        losses.append(loss_and_gradient(theta)[0] / n)
        if losses[-2] - losses[-1] <= tol:
            break
    return theta, losses


rng = np.random.default_rng(0)
bound = np.sqrt(6 / sum(shape))
start = rng.uniform(-bound, bound, shape).ravel()

# %%
# Is the gradient right?
# ----------------------
# The program compares the gradient with central differences in 300 random coordinates, epsilon
# 1e-4. `check_gradient` does it for the objective of an estimator on given data, with its penalty,
# weights and soft targets.

check = check_gradient(SoftmaxRegression(fit_intercept=False), X_train, y_train, random_state=0)
print(f"mean error {check.mean_error:.1e}, largest {check.max_error:.1e}, of a gradient of about "
      f"{np.abs(check.analytic).mean():.1e}")  # fmt: skip

# %%
# Four fits
# ---------
# `tol` of ``solver="sgd"`` is a fraction of the loss: 0.0005 of a loss of about 0.28 is 0.0018.
# The program's L-BFGS-B stops after 50 iterations; ours stops where it is within `tol` of the
# minimum. A weak penalty, C = 1, keeps that minimum finite.


def error_rates(coef):
    """Shares of training and test images that are misclassified, in percent."""
    pairs = (X_train, y_train), (X_test, y_test)
    return [100 * np.mean(classes[(X @ coef.T).argmax(axis=1)] != y) for X, y in pairs]


def cross_entropy(coef):
    """Mean over the training rows, without the penalty."""
    return loss_and_gradient(coef.ravel())[0] / n


print(f"\n{'':28}{'passes':>8}{'loss':>9}{'error: training':>17}{'test':>9}{'time':>9}")


def report(name, coef, passes, seconds):
    """A line of the table."""
    training, test = error_rates(coef)
    loss = cross_entropy(coef)
    print(f"{name:28}{passes:>8}{loss:>9.4f}{training:>16.2f}%{test:>8.2f}%{seconds:>7.1f} s")


began = time.perf_counter()
theta, by_hand_sgd = train_by_sgd(start, rng)
seconds = time.perf_counter() - began
report("SGD by hand", theta.reshape(shape), len(by_hand_sgd) - 1, seconds)

by_hand_lbfgs = []


def recorded(theta):
    """Loss and gradient, each loss kept."""
    loss, gradient = loss_and_gradient(theta)
    by_hand_lbfgs.append(loss / n)
    return loss, gradient


began = time.perf_counter()
result = minimize(recorded, start, jac=True, method="L-BFGS-B", options={"maxiter": 50})
seconds = time.perf_counter() - began
report("L-BFGS-B by hand", result.x.reshape(shape), result.nfev, seconds)

models = {
    "sgd": SoftmaxRegression(
        "sgd",
        fit_intercept=False,
        learning_rate=0.06,
        batch_size=200,
        max_iter=50,
        tol=0.0018,
        n_iter_no_change=1,
        random_state=0,
    ),
    "lbfgs": SoftmaxRegression("lbfgs", fit_intercept=False, tol=1e-4),
}
for name, model in models.items():
    began = time.perf_counter()
    model.fit(X_train, y_train)
    seconds = time.perf_counter() - began
    record = model.history_
    passes = record["n_evaluations"][-1] if name == "lbfgs" else model.n_iter_[0]
    report(f'SoftmaxRegression("{name}")', model.coef_, passes, seconds)
