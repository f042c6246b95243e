"""
Two checks of a softmax: rows and gradient
==========================================

A program in NumPy fits softmax regression to a part of MNIST. It stayed at 70% with a loss that would not
settle, until its author found the reason: one argument, a softmax over the whole matrix in place of its
rows. Then it reached 86%. Nothing in NumPy warns of that, so it is a mistake that can happen to anybody.
Here is what it does, and two checks that find it in a second.

On its data, 10,000 images of MNIST (the figures in the text are from this run)::

    python docs/examples/plot_07_wrong_axis.py --data mnist --data-dir FOLDER

Without ``--data`` it uses the digits that come with scikit-learn, in smaller batches.
"""

# %%
# One argument
# ------------
# Softmax turns each row of logits into probabilities: the sum goes along ``axis=1``. Without an
# axis NumPy adds up the whole matrix, and nothing complains: shapes agree, all numbers are positive
# and finite.

# sphinx_gallery_thumbnail_path = '_static/examples/07_mnist.png'
import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_softmax import SoftmaxRegression, TrainingDisplay, check_gradient

if "--data" in sys.argv:  # in a clone: 60,000 images, which this module loads
    from images import load_chosen_images

    X_train, X_test, y_train, y_test = load_chosen_images()
else:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X / 16, y.astype(str), test_size=0.3, stratify=y, random_state=0
    )
X_train, y_train = X_train[:10_000], y_train[:10_000]
n_epochs, batch_size = 10, min(256, len(X_train) // 40)
classes, codes = np.unique(y_train, return_inverse=True)
one_hot = np.eye(len(classes))[codes]


def softmax(Z, axis):
    """Right for ``axis=1``, and the mistake for ``axis=None``."""
    E = np.exp(Z - Z.max(axis=axis, keepdims=True))
    return E / E.sum(axis=axis, keepdims=True)


def loss_and_gradient(W, X, Q, axis):
    """Mean cross-entropy of rows whose last feature is 1, and its gradient."""
    P = softmax(X @ W, axis)
    loss = -np.mean(np.sum(Q * np.log(P + 1e-12), axis=1))
    return loss, X.T @ (P - Q) / len(X)


def train(axis, learning_rate=0.1):
    """Coefficients, and a record of each step."""
    X = np.column_stack([X_train, np.ones(len(X_train))])
    W, rng, record = np.zeros((X.shape[1], len(classes))), np.random.default_rng(0), []
    for _ in range(n_epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            loss, gradient = loss_and_gradient(W, X[rows], one_hot[rows], axis)
            accuracy = np.mean((X[rows] @ W).argmax(axis=1) == codes[rows])
            record.append((loss, accuracy))
            W -= learning_rate * gradient
    losses, accuracies = np.transpose(record)
    epochs = np.linspace(0, n_epochs, len(losses) + 1)[1:]
    return W, {"n_iter": epochs, "loss": losses, "accuracy": accuracies}


def accuracy_of(W, X, y):
    """Share of rows whose label is predicted."""
    return np.mean(classes[(X @ W[:-1] + W[-1]).argmax(axis=1)] == y)


W_wrong, wrong = train(axis=None)
W_right, right = train(axis=1)

# %%
# `SoftmaxRegression` with the same settings: zero start, learning rate 0.1, batches of 256, ten
# epochs. ``record_batches=1`` keeps loss and accuracy of every batch in `batch_history_`. The
# program has a progress bar; here, a callback draws one (:doc:`/user_guide/callbacks`).

model = SoftmaxRegression(
    "sgd",
    C=np.inf,
    learning_rate=0.1,
    batch_size=batch_size,
    max_iter=n_epochs,
    tol=None,
    record_batches=1,
    random_state=0,
).fit(X_train, y_train)

print(
    f"\n{'':20}{'training accuracy':>18}{'test accuracy':>15}"
    f"{'last losses: mean, deviation':>31}"
)
rows = {
    "wrong axis": (W_wrong, wrong),
    "right axis": (W_right, right),
    "SoftmaxRegression": (
        np.vstack([model.coef_.T, model.intercept_]),
        model.batch_history_,
    ),
}
for name, (W, record) in rows.items():
    last = record["loss"][-len(record["loss"]) // n_epochs :]
    accuracies = (
        f"{accuracy_of(W, X_train, y_train):>18.3f}"
        f"{accuracy_of(W, X_test, y_test):>15.3f}"
    )
    print(f"{name:20}{accuracies}{last.mean():>23.2f}{last.std():>8.2f}")

# %%
# What it looks like
# ------------------
# On MNIST the wrong axis ends at a test accuracy of 0.704; its loss swings up to 27, and stays.
# With the right axis, and with `SoftmaxRegression`, the test accuracy is 0.893, and the loss 0.39.
#
# In a batch of 256 rows, the probabilities of a row now sum to 1/256 on average, so that the
# gradient, the mean of P - Q, is almost that of -Q: the coefficients of a class grow towards the
# sum of its images. When they are large enough, a single row of each batch has nearly all of the
# probability. For the others it is zero, and the loss is minus the logarithm of the 1e-12 that
# keeps it finite, 27.6. The program learns a good deal all the same, since to compare an image with
# the mean image of each class is not a bad classifier. On MNIST it is right for 0.637 of the test
# images.
#
# .. image:: /_static/examples/07_mnist.png
#    :alt: Loss and accuracy of each batch of MNIST for both axes
#    :width: 100%

means = np.array([X_train[y_train == label].mean(axis=0) for label in classes])
share = np.mean(classes[(X_test @ means.T).argmax(axis=1)] == y_test)
print(f"test accuracy of the inner product with the mean images: {share:.3f}")

display = TrainingDisplay(
    histories=[wrong, right, model.batch_history_],
    names=["wrong axis", "right axis", "SoftmaxRegression"],
)
display.plot(line_kw={"linewidth": 1})
plt.show()

# %%
# Two checks
# ----------
# Probabilities of a row sum to one. And a gradient is the limit of differences: that of the wrong
# softmax is not the gradient of its loss.

X, Q = np.column_stack([X_train[:100], np.ones(100)]), one_hot[:100]
rng = np.random.default_rng(0)
W = 0.1 * rng.standard_normal(W_right.shape)
coordinates = rng.integers(W.size, size=50)
for name, axis in (("wrong axis", None), ("right axis", 1)):
    sums = softmax(X @ W, axis).sum(axis=1)
    gradient = loss_and_gradient(W, X, Q, axis)[1].ravel()
    errors = []
    for k in coordinates:
        step = np.zeros(W.size)
        step[k] = 1e-4
        ends = [
            loss_and_gradient(W + s * step.reshape(W.shape), X, Q, axis)[0]
            for s in (1, -1)
        ]
        errors.append(abs((ends[0] - ends[1]) / 2e-4 - gradient[k]))
    print(
        f"{name:20} sums of rows {sums.min():.4f} to {sums.max():.4f}, "
        f"error {np.mean(errors):.0e}"
    )

P = model.predict_proba(X_test)
check = check_gradient(model, X_train[:1000], y_train[:1000], random_state=0)
sums = P.sum(axis=1)
print(
    f"{'SoftmaxRegression':20} sums of rows {sums.min():.4f} to {sums.max():.4f}, "
    f"error {check.mean_error:.0e}"
)
