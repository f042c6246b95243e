"""
Quickstart: two engines, one model
==================================

A `Pipeline` of `StandardScaler` and `SoftmaxRegression` reads handwritten digits. One grid
search chooses the learning rate of mini-batch SGD, another the regularisation C of L-BFGS.
SGD with its automatic learning rate needs no search. Both engines minimise the same
objective, so the columns of the table can be compared.

Run it as a program::

    python docs/examples/plot_01_quickstart.py
    python docs/examples/plot_01_quickstart.py --data fashion_mnist --data-dir FOLDER

Without ``--data`` it uses the digits that come with scikit-learn and downloads nothing.
"""

# %%
# The data
# --------
# Pixels in [0, 1], a test set that takes no part in any choice, and labels as strings.

import sys
import time

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import CoefficientDisplay, SoftmaxRegression

large = "--data" in sys.argv
if large:  # in a clone: 60,000 images, which this module loads
    from images import load_chosen_images

    X_train, X_test, y_train, y_test = load_chosen_images()
else:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X / 16, y.astype(str), test_size=0.3, stratify=y, random_state=0
    )
    counts = f"{len(X_train)} training and {len(X_test)} test images"
    print(f"scikit-learn's bundled digits: {counts}")

# %%
# Three searches
# --------------
# `StandardScaler` learns means and deviations from the training folds alone. SGD does a
# fixed number of epochs, ``tol=None``, for each learning rate; L-BFGS stops by itself at
# the minimum for each C. The automatic rate is alone in its grid, and is cross-validated like
# the others. It needs no search; after as few epochs its loss is above that of the best of six.

sgd = SoftmaxRegression("sgd", max_iter=15, tol=None, random_state=0)
lbfgs = SoftmaxRegression("lbfgs", tol=1e-4)
grids = {
    "SGD": (sgd, "learning_rate", [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]),
    "SGD, automatic": (sgd, "learning_rate", ["auto"]),
    "L-BFGS": (lbfgs, "C", [0.001, 0.01, 0.1, 1.0, 10.0]),
}

searches, seconds = {}, {}
for name, (model, parameter, values) in grids.items():
    print(f"{name}: {3 * len(values)} fits ...", flush=True)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), model),
        {f"softmaxregression__{parameter}": values},
        scoring=["neg_log_loss", "accuracy"],
        refit="neg_log_loss",
        cv=3,
        verbose=2 if large else 0,  # a line for each fit, where one takes seconds
    )
    start = time.perf_counter()
    searches[name] = search.fit(X_train, y_train)
    seconds[name] = time.perf_counter() - start

# %%
# The table is of the best model of each search.

header = ["engine", "best parameter", "CV acc.", "CV loss", "test acc.", "test loss"]
row_format = "{:15}{:>20}{:>9}{:>9}{:>11}{:>11}{:>9}{:>8}"
print("\n" + row_format.format(*header, "search", "fit"))
for name, search in searches.items():
    _, parameter, values = grids[name]
    best, results = search.best_index_, search.cv_results_
    probabilities = search.predict_proba(X_test)
    cells = [
        f"{results['mean_test_accuracy'][best]:.4f}",
        f"{-results['mean_test_neg_log_loss'][best]:.4f}",
        f"{accuracy_score(y_test, search.predict(X_test)):.4f}",
        f"{log_loss(y_test, probabilities, labels=search.classes_):.4f}",
        f"{seconds[name]:.1f} s",
        f"{search.refit_time_:.2f} s",
    ]
    print(row_format.format(name, f"{parameter} = {values[best]}", *cells))

# %%
# What the searches saw, and what the model learnt
# ------------------------------------------------
# Above, cross-validated log loss against the parameter searched over; the dashed line is
# the automatic learning rate. Below, the coefficients of the best L-BFGS model, one image
# for each class: blue pixels speak for the class, red ones against it.

figure = plt.figure(figsize=(9, 6.2), layout="constrained")
upper, lower = figure.subfigures(2, 1, height_ratios=[1.25, 1])
panels = dict(zip(["SGD", "L-BFGS"], upper.subplots(1, 2, sharey=True), strict=True))
for name, axes in panels.items():
    _, parameter, values = grids[name]
    results, best = searches[name].cv_results_, searches[name].best_index_
    loss = -results["mean_test_neg_log_loss"]
    spread = results["std_test_neg_log_loss"]
    axes.errorbar(values, loss, spread, marker="o", capsize=3, color="#0072B2")
    axes.plot(values[best], loss[best], "o", ms=13, fillstyle="none", color="#D55E00")
    axes.annotate(
        f"best: {values[best]:g}",
        (values[best], loss[best]),
        xytext=(0, 28),
        textcoords="offset points",
        ha="center",
        color="#D55E00",
    )
    axes.set(xscale="log", yscale="log", title=name)
    axes.set(xlabel=parameter.replace("_", " "))
    axes.grid(alpha=0.3)
automatic = -searches["SGD, automatic"].best_score_
panels["SGD"].axhline(automatic, color="#009E73", ls="--", label="automatic")
panels["SGD"].legend(frameon=False)
panels["SGD"].set_ylabel("cross-validated log loss")
ticks = [tick for tick in (0.1, 0.2, 0.3, 0.5, 1, 2) if axes.get_ylim()[0] < tick]
panels["SGD"].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
panels["SGD"].minorticks_off()

best_model = searches["L-BFGS"].best_estimator_[-1]
side = int(X_train.shape[1] ** 0.5)
CoefficientDisplay.from_estimator(
    best_model, image_shape=(side, side), ax=lower.subplots(2, 5)
)
lower.suptitle("Coefficients (L-BFGS)", fontsize=11)
if "__file__" in globals() and "sphinx_gallery" not in sys.modules:  # run as a program
    figure.savefig("plot_01_quickstart.png", dpi=150)
    print("\nFigure: plot_01_quickstart.png")
else:
    plt.show()
