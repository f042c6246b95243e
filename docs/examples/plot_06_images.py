"""
Curves, predictions and weights of images
=========================================

The chapter on softmax regression of a well-known book on deep learning fits Fashion-MNIST with
PyTorch. It looks at the data, plots training loss, training accuracy and test accuracy while the
model learns, shows test images with their true and predicted labels, and asks about soft labels,
about overfitting, and about the special case of two classes. Here is the same with
`SoftmaxRegression`, with the same settings: a learning rate of 0.1, batches of 256 rows, 10 epochs.

On its data (the figures in the text are from this run)::

    python docs/examples/plot_06_images.py --data fashion_mnist --data-dir FOLDER

Without ``--data`` it uses the digits that come with scikit-learn, in smaller batches.
"""

# %%
# Curves from one call
# --------------------
# Rows held out are passed to `fit`, which scores them after each epoch.

# sphinx_gallery_thumbnail_path = '_static/examples/06_fashion_mnist_mistakes.png'
import sys

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from sk_softmax import (
    CoefficientDisplay,
    PredictionDisplay,
    SoftmaxRegression,
    TrainingDisplay,
)

if "--data" in sys.argv:  # in a clone: 60,000 images, which this module loads
    from images import load_chosen_images

    X_train, X_test, y_train, y_test = load_chosen_images()
else:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X / 16, y.astype(str), test_size=0.3, stratify=y, random_state=0
    )
side = int(X_train.shape[1] ** 0.5)

model = SoftmaxRegression(
    "sgd",
    C=np.inf,
    learning_rate=0.1,
    batch_size=min(256, len(X_train) // 40),
    max_iter=10,
    tol=None,
    random_state=0,
)
model.fit(X_train, y_train, X_val=X_test, y_val=y_test)
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
TrainingDisplay.from_estimator(model, ax=ax)
plt.show()

# %%
# The book's program checks that the training loss is below 0.5 and both accuracies above 0.7, and
# ends at a test accuracy of 0.83 to 0.84. On Fashion-MNIST the last line here reads 0.447, 0.848
# and 0.830.

history = model.history_
print(
    f"\n{'epoch':>5}{'training loss':>16}{'training accuracy':>20}{'test accuracy':>16}"
)
for k, epoch in enumerate(history["n_iter"]):
    accuracies = (
        f"{history['accuracy'][k]:>20.3f}{history['validation_accuracy'][k]:>16.3f}"
    )
    print(f"{epoch:>5}{history['loss'][k]:>16.3f}{accuracies}")

# %%
# Predictions
# -----------
# The first test images:

PredictionDisplay.from_estimator(model, X_test, y_test, image_shape=(side, side))
plt.show()

# %%
# More is to be learnt from the mistakes, the most surprising ones first. On Fashion-MNIST:
#
# .. image:: /_static/examples/06_fashion_mnist_mistakes.png
#    :alt: Ten images of clothes with wrong predictions
#    :width: 100%

PredictionDisplay.from_estimator(
    model, X_test, y_test, image_shape=(side, side), mistakes_first=True
)
plt.show()

# %%
# Weights are images
# ------------------
# A class has one coefficient for each pixel. Blue pixels speak for the class, red ones against it:
# a trouser is what has two legs, and nothing between them.
#
# .. image:: /_static/examples/06_fashion_mnist_weights.png
#    :alt: Weights of the ten classes of clothes as images
#    :width: 100%

CoefficientDisplay.from_estimator(model, image_shape=(side, side))
plt.show()

# %%
# Overfitting
# -----------
# The book asks what it means if the test accuracy falls while the model goes on learning. With a
# weak penalty, C = 100, L-BFGS learns the training images better and better. On Fashion-MNIST the
# test loss rises from 0.494 to 0.532 meanwhile, and the test accuracy falls from 0.837 to 0.832.
# With C = 1 neither happens, and the test accuracy is 0.844; the paper that introduced the data has
# 0.842, for logistic regression with one model for each class on standardised pixels. The other
# remedy is to stop in time: ``early_stopping=True`` returns the model that did best on rows held
# out. (The digits show little of this: they are easy.)

fits = {f"C = {C}": SoftmaxRegression("lbfgs", C=C, tol=1e-5) for C in (100, 1)}
for fitted in fits.values():
    fitted.fit(X_train, y_train, X_val=X_test, y_val=y_test)
    record = fitted.history_
    best = record["validation_loss"].argmin()
    print(
        f"C = {fitted.C:<4} least test loss {record['validation_loss'][best]:.3f} "
        f"in iteration {record['n_iter'][best]} "
        f"(accuracy {record['validation_accuracy'][best]:.3f}), "
        f"at the end {record['validation_loss'][-1]:.3f} "
        f"({record['validation_accuracy'][-1]:.3f})"
    )
display = TrainingDisplay.from_estimator(list(fits.values()), names=list(fits))
display.axes_[0].set_ylim(0, 1)
display.axes_[1].set_ylim(0.8 * model.score(X_test, y_test), 1)
plt.show()

# %%
# Two classes are the sigmoid
# ---------------------------
# With two classes the softmax of two logits is the sigmoid of their difference, and the model has
# one weight vector. Take the two classes that are confused most often:

counts = confusion_matrix(y_test, model.predict(X_test), labels=model.classes_)
np.fill_diagonal(counts, 0)
pair = model.classes_[
    list(np.unravel_index((counts + counts.T).argmax(), counts.shape))
]
rows = np.isin(y_train, pair)
X_pair, y_pair = X_train[rows].astype(float), y_train[rows]
binary = SoftmaxRegression(C=0.01, tol=1e-10).fit(X_pair, y_pair)
logits, P = binary.decision_function(X_pair), binary.predict_proba(X_pair)
theirs = LogisticRegression(C=0.01, tol=1e-6, max_iter=10_000).fit(X_pair, y_pair)
print(f"{' and '.join(pair)}: coef_ has shape {binary.coef_.shape}")
print(
    f"softmax and sigmoid differ by {abs(P[:, 1] - expit(logits)).max():.0e} at most,"
)
print(
    "and scikit-learn's LogisticRegression gives the same probabilities to",
    f"{abs(P - theirs.predict_proba(X_pair)).max():.0e}",
)

# %%
# Soft labels
# -----------
# With labels alone the loss is least for probabilities of 0 and 1, which no finite logits reach.
# The book proposes 0.9 for the label and 0.1 for the other class. `y` may be probabilities, and
# `label_smoothing` says the same in one number: 0.2 takes 0.2 from the label and gives one half of
# it back.

soft_labels = np.where(y_pair[:, np.newaxis] == binary.classes_, 0.9, 0.1)
by_probabilities = SoftmaxRegression(C=0.01, tol=1e-10).fit(X_pair, soft_labels)
by_smoothing = SoftmaxRegression(C=0.01, tol=1e-10, label_smoothing=0.2).fit(
    X_pair, y_pair
)
difference = abs(by_probabilities.coef_ - by_smoothing.coef_).max()
print(
    "0.9 and 0.1 as probabilities, and label_smoothing=0.2: coefficients equal to "
    f"{difference:.0e}"
)
for name, fitted in (("labels", binary), ("soft labels", by_probabilities)):
    P = fitted.predict_proba(X_pair)
    print(
        f"{name:12} mean probability of the predicted class {P.max(axis=1).mean():.3f}"
    )
