"""
Start, learning rate and log-softmax of SGD
===========================================

A program with MXNet fits softmax regression to Fashion-MNIST twice: with the library's layer,
and written by hand. It leaves two good questions open. Why is the library's version ten points
better? And why is subtracting the largest logit, which cured the overflow, "still not ideal"? Both
have answers that can be measured, and each belongs to a choice that everyone makes who writes such a
program.

On the program's data (the figures in the text are from this run)::

    python docs/examples/plot_04_start_and_step.py --data fashion_mnist --data-dir FOLDER

Without ``--data`` it uses the digits that come with scikit-learn, for as many steps.
"""

# %%
# Four runs
# ---------
# The library's version takes 5 epochs of batches of 256 rows with a learning rate of 0.1. The
# other one draws its weights from N(0, 1) and has a learning rate of 0.0004. So two things differ,
# and four runs tell them apart. `fit` starts at zero, or with ``warm_start=True`` at the
# coefficients that the model has: here we put them there. Neither version has a penalty.

# sphinx_gallery_thumbnail_path = '_static/examples/04_fashion_mnist.png'
import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_softmax import CoefficientDisplay, SoftmaxRegression, TrainingDisplay

if "--data" in sys.argv:  # in a clone: 60,000 images, which this module loads
    from images import load_chosen_images

    X_train, X_test, y_train, y_test = load_chosen_images()
else:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X / 16, y.astype(str), test_size=0.3, stratify=y, random_state=0
    )
classes, n_features = np.unique(y_train), X_train.shape[1]
side = int(n_features**0.5)
n_epochs = max(5, 300_000 // len(X_train))

rng = np.random.default_rng(0)
starts = {
    "zero": (np.zeros((len(classes), n_features)), np.zeros(len(classes))),
    "N(0, 1)": (
        rng.standard_normal((len(classes), n_features)),
        rng.standard_normal(len(classes)),
    ),
}


def start_at(coef, intercept, learning_rate):
    """A model that `fit` will start at given coefficients."""
    model = SoftmaxRegression(
        "sgd",
        C=np.inf,
        learning_rate=learning_rate,
        batch_size=256,
        max_iter=n_epochs,
        tol=None,
        warm_start=True,
        random_state=0,
    )
    model.classes_, model.coef_, model.intercept_ = classes, coef, intercept
    return model


models = {}
print(
    f"\n{'start':8}{'learning rate':>14}{'training loss':>15}"
    f"{'accuracy: training':>20}{'test':>8}"
)
for learning_rate in (0.1, 0.0004):
    for start, (coef, intercept) in starts.items():
        model = start_at(coef, intercept, learning_rate)
        model.fit(X_train, y_train, X_val=X_test, y_val=y_test)
        models[start, learning_rate] = model
        loss, accuracy = model.history_["loss"][-1], model.score(X_train, y_train)
        scores = f"{loss:>15.3f}{accuracy:>20.3f}{model.score(X_test, y_test):>8.3f}"
        print(f"{start:8}{learning_rate:>14}{scores}")

# %%
# And epoch by epoch, for the settings of the library's version:

history = models["zero", 0.1].history_
print(
    f"{'epoch':>5}{'training loss':>16}{'training accuracy':>20}{'test accuracy':>16}"
)
for k in np.linspace(0, n_epochs - 1, 5).astype(int):
    accuracies = (
        f"{history['accuracy'][k]:>20.3f}{history['validation_accuracy'][k]:>16.3f}"
    )
    print(f"{history['n_iter'][k]:>5}{history['loss'][k]:>16.3f}{accuracies}")

# %%
# It is the start
# ---------------
# On Fashion-MNIST:
#
# ========== ================= ================= =================== ================
# start      learning rate     training loss     training accuracy   test accuracy
# ========== ================= ================= =================== ================
# zero       0.1               0.486             0.831               **0.816**
# N(0, 1)    0.1               1.308             0.728               **0.714**
# zero       0.0004            1.677             0.662               0.652
# N(0, 1)    0.0004            7.517             0.240               0.237
# ========== ================= ================= =================== ================
#
# A hand-written loss is often the sum over the batch where the library's is the mean. The step of
# 0.0004 along the gradient of a sum of 256 losses is a step of 0.1024 along that of their mean: the
# two learning rates are the same, and the first two lines are the program's two versions. They
# differ by the start alone, and by ten points. If its loss was a mean, the step was 256 times
# shorter, and the gap would have been 58 points.
#
# Softmax regression has no symmetry to break: the objective is convex, and zero, where all classes
# are equally probable and the loss is log 10 = 2.3, is the natural start. Weights from N(0, 1) make
# logits whose standard deviation is the length of a row, about 10: the first predictions are
# certain, and wrong.

names = [f"{start}, {rate}" for start, rate in models]
display = TrainingDisplay.from_estimator(
    list(models.values()), names=names, metrics=["loss", "accuracy"]
)
display.ax_.set(yscale="log", yticks=(ticks := [0.5, 1, 2, 5, 10]), yticklabels=ticks)
display.ax_.minorticks_off()
plt.show()

# %%
# What remains of the start
# -------------------------
# Gradient steps move the coefficients along the rows, and fast only where the rows vary. What the
# random start has in other directions stays: five epochs later it still is most of what the
# coefficients show, and the model pays for it on every image. The first row is a class from the
# start at zero, the second the same from N(0, 1). On Fashion-MNIST:
#
# .. image:: /_static/examples/04_fashion_mnist.png
#    :alt: Clear outlines of clothes above, noise below
#    :width: 100%
#
# and on the digits, where 1,170 steps are many more epochs:

figure, axes = plt.subplots(2, 4, figsize=(8, 4), layout="constrained")
for row, start in zip(axes, starts, strict=True):
    fitted = models[start, 0.1]
    display = CoefficientDisplay(coef=fitted.coef_[:4], classes=fitted.classes_[:4])
    display.plot(row, image_shape=(side, side))
    row[0].set_ylabel(f"from {start}")
plt.show()

# %%
# Why shifting by the maximum is not the end
# ------------------------------------------
# Three ways to the logarithm of a probability, in float32. The first overflows where a logit
# exceeds 88. Subtracting the largest logit, which changes no probability, cures that. But the
# smaller probabilities then underflow to zero, and the logarithm of zero is minus infinity: loss
# and gradient are lost where the model is most wrong. The third never forms the probability, and
# subtracts logarithms instead.


def log_of_softmax(z):
    """As in the textbook."""
    return np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))


def log_of_shifted_softmax(z):
    """The largest logit becomes zero."""
    return log_of_softmax(z - z.max(axis=1, keepdims=True))


def log_softmax(z):
    """The logarithm of a quotient is a difference."""
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


z = np.array([[0, 1, 2], [0, 50, 100], [0, 500, 1000]], dtype=np.float32)
print(f"{'logits':20}{'softmax':>22}{'shifted':>22}{'log-softmax':>22}")
for row in z:
    cells = []
    for function in (log_of_softmax, log_of_shifted_softmax, log_softmax):
        with np.errstate(all="ignore"):
            values = function(row[np.newaxis])[0]
        cells.append(" ".join(f"{value:.4g}" for value in values))
    print(f"{row.tolist()!s:20}" + "".join(f"{cell:>22}" for cell in cells))

# %%
# That is no corner case. At the start from N(0, 1), with pixels from 0 to 255 as they come from a
# file, this share of the test images has a true label of probability zero in float32, hence an
# infinite loss, and this is what the same images lose by log-softmax:

coef, intercept = starts["N(0, 1)"]
logits = (X_test.astype(np.float32) * 255) @ coef.T.astype(
    np.float32
) + intercept.astype("f4")
true = np.searchsorted(classes, y_test)[:, np.newaxis]
for function in (log_of_softmax, log_of_shifted_softmax, log_softmax):
    with np.errstate(all="ignore"):
        losses = -np.take_along_axis(function(logits), true, axis=1)
    lost = ~np.isfinite(losses)
    mean = (
        f"mean loss of the others {losses[~lost].mean():.1f}" if (~lost).any() else ""
    )
    print(f"{function.__name__:24} not finite: {lost.mean():6.1%}  {mean}")

# %%
# On Fashion-MNIST the loss is not finite for any image with the first formula, nor for 80% of them
# with the second; with the third it always is. `SoftmaxRegression` computes losses,
# gradients and `predict_log_proba` from logits by log-softmax throughout.
#
# The start at zero, a step that is derived from the data and log-softmax are the defaults, and
# with ``solver="lbfgs"`` there is neither a start nor a step to choose.

model = SoftmaxRegression(tol=1e-4).fit(X_train, y_train)
print(f"L-BFGS, C=1: test accuracy {model.score(X_test, y_test):.3f}")
