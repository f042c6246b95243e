"""
Quickstart: two engines, one model
==================================

A `Pipeline` of `StandardScaler` and `SoftmaxRegression` reads handwritten digits. A grid
search chooses the learning rate of mini-batch SGD; another chooses the regularisation C of
L-BFGS. Both engines minimise the same objective, so their columns can be compared.

Run it as a program::

    python docs/examples/plot_01_quickstart.py
    python docs/examples/plot_01_quickstart.py --data fashion_mnist --data-dir FOLDER

Without ``--data`` it uses the digits that come with scikit-learn and downloads nothing.
"""

# %%
# The data
# --------
# Pixels in [0, 1], a test set that takes no part in any choice, and labels as strings.

import argparse
import sys
import time

import matplotlib.pyplot as plt
from images import load_images
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import CoefficientDisplay, SoftmaxRegression

parser = argparse.ArgumentParser(description="Grid search over both engines of SoftmaxRegression")
parser.add_argument("--data", choices=["digits", "mnist", "fashion_mnist"], default="digits")
parser.add_argument("--data-dir", help="folder with mnist.npz and fashion_mnist.npz")
parser.add_argument("--figure", default="plot_01_quickstart.png", help="where the figure goes")
run_as_program = "sphinx_gallery" not in sys.modules
options = parser.parse_args(None if run_as_program else [])

X_train, X_test, y_train, y_test = load_images(options.data, options.data_dir)
side = int(X_train.shape[1] ** 0.5)

# %%
# Two grid searches
# -----------------
# `StandardScaler` learns means and deviations from the training folds alone. SGD does a
# fixed number of epochs, ``tol=None``, for each learning rate; L-BFGS stops by itself at
# the minimum for each C.

engines = {
    "SGD": GridSearchCV(
        make_pipeline(
            StandardScaler(),
            SoftmaxRegression("sgd", max_iter=15, tol=None, random_state=0),
        ),
        {"softmaxregression__learning_rate": [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]},
    ),
    "L-BFGS": GridSearchCV(
        make_pipeline(StandardScaler(), SoftmaxRegression("lbfgs", tol=1e-4)),
        {"softmaxregression__C": [0.001, 0.01, 0.1, 1.0, 10.0]},
    ),
}
for search in engines.values():
    search.set_params(scoring=["neg_log_loss", "accuracy"], refit="neg_log_loss", cv=3)

header = (
    "engine",
    "best parameter",
    "CV acc.",
    "CV loss",
    "test acc.",
    "test loss",
    "search",
    "fit",
)
row_format = "{:8}{:>22}{:>9}{:>9}{:>11}{:>11}{:>9}{:>8}"
print("\n" + row_format.format(*header))
for name, search in engines.items():
    start = time.perf_counter()
    search.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    best = search.best_index_
    probabilities = search.predict_proba(X_test)
    cells = [
        f"{search.cv_results_['mean_test_accuracy'][best]:.4f}",
        f"{-search.cv_results_['mean_test_neg_log_loss'][best]:.4f}",
        f"{accuracy_score(y_test, search.predict(X_test)):.4f}",
        f"{log_loss(y_test, probabilities, labels=search.classes_):.4f}",
        f"{seconds:.1f} s",
        f"{search.refit_time_:.2f} s",
    ]
    ((parameter, value),) = search.best_params_.items()
    print(row_format.format(name, f"{parameter.split('__')[1]} = {value:g}", *cells))

# %%
# What the searches saw, and what the model learnt
# ------------------------------------------------
# Above, cross-validated log loss against the parameter searched over. Below, the
# coefficients of the best L-BFGS model, one image for each class: blue pixels speak for the
# class, red ones against it.

figure = plt.figure(figsize=(9, 6.2), layout="constrained")
upper, lower = figure.subfigures(2, 1, height_ratios=[1.25, 1])
for axes, (name, search) in zip(upper.subplots(1, 2, sharey=True), engines.items(), strict=True):
    (parameter,) = search.param_grid
    results, values = search.cv_results_, search.param_grid[parameter]
    loss, spread = -results["mean_test_neg_log_loss"], results["std_test_neg_log_loss"]
    axes.errorbar(values, loss, spread, marker="o", capsize=3, color="#0072B2")
    best = search.best_index_
    axes.plot(values[best], loss[best], "o", markersize=13, fillstyle="none", color="#D55E00")
    axes.annotate(
        f"best: {values[best]:g}",
        (values[best], loss[best]),
        xytext=(0, 28),
        textcoords="offset points",
        ha="center",
        color="#D55E00",
    )
    axes.set(xscale="log", xlabel=parameter.split("__")[1].replace("_", " "), title=name)
    axes.grid(alpha=0.3)
    axes.label_outer()
upper.axes[0].set_ylabel("cross-validated log loss")

model = engines["L-BFGS"].best_estimator_[-1]
CoefficientDisplay.from_estimator(model, image_shape=(side, side), ax=lower.subplots(2, 5))
lower.suptitle("Coefficients (L-BFGS)", fontsize=11)
if run_as_program:
    figure.savefig(options.figure, dpi=150)
    print(f"\nFigure: {options.figure}")
