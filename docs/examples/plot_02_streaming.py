"""
Streaming: chunks first, the minimum after
==========================================

Handwritten digits arrive in chunks of 100 rows, and `partial_fit` sees each chunk once. A few
passes bring it near the minimum. L-BFGS, started there by ``warm_start=True``, goes the rest of
the way.
"""

# %%
# The data
# --------
# Raw pixels from 0 to 16, not scaled: the automatic learning rate derives its steps from the
# means and variances of the rows so far.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sk_softmax import SoftmaxRegression

X, X_test, y, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
C, n_passes, chunk_size = 0.01, 5, 100


def objective(model):
    """What `fit` minimises: mean cross-entropy of the training rows, plus penalty."""
    penalty = np.sum(model.coef_**2) / (2 * C * len(y))
    return log_loss(y, model.predict_proba(X), labels=model.classes_) + penalty


# %%
# The stream
# ----------
# Every pass has its own order of rows, so that a chunk is a random sample. Here they are taken
# from an array; the user guide has the same loop for files.

model = SoftmaxRegression("lbfgs", C=C, warm_start=True, random_state=0)
rng = np.random.default_rng(0)
n_seen, test_losses, objectives = [], [], []
for _ in range(n_passes):
    order = rng.permutation(len(y))
    for start in range(0, len(y), chunk_size):
        rows = order[start : start + chunk_size]
        model.partial_fit(X[rows], y[rows], classes=np.arange(10))
        n_seen.append((n_seen[-1] if n_seen else 0) + len(rows))
        test_losses.append(log_loss(y_test, model.predict_proba(X_test)))
        objectives.append(objective(model))

# %%
# The polish
# ----------
# `fit` starts at the coefficients of the stream, and stops at the minimum. Each of its evaluations
# of the objective reads all rows, and counts as a pass.

model.fit(X, y, X_val=X_test, y_val=y_test)
history = model.history_
polish_seen = n_seen[-1] + np.r_[0, history["n_evaluations"]] * len(y)
minimum = SoftmaxRegression("lbfgs", C=C, tol=1e-12).fit(X, y).loss_

print(f"{'':24}{'objective':>12}{'gap':>10}{'test log loss':>15}")
row_format = "{:24}{:>12.5f}{:>10.0e}{:>15.4f}"
n_chunks = -(-len(y) // chunk_size)
for name, last in (("one pass", n_chunks - 1), (f"{n_passes} passes", -1)):
    gap = objectives[last] / minimum - 1
    print(row_format.format(name, objectives[last], gap, test_losses[last]))
cells = (model.loss_, model.loss_ / minimum - 1, history["validation_loss"][-1])
print(row_format.format("polished by L-BFGS", *cells))

# %%
# What happened
# -------------
# On the left the log loss of rows that took no part; on the right how far the objective on the
# training rows is from its minimum. The stream makes most of its progress in the first pass, and
# approaches the minimum ever more slowly in the others. For the predictions that is as good as the
# minimum. The objective still is some percent above it, and so are coefficients that one may want
# to interpret: L-BFGS goes on to below a millionth.

colours = {"partial_fit": "#0072B2", "fit by L-BFGS, from there": "#D55E00"}
markers = {"partial_fit": "", "fit by L-BFGS, from there": "o"}
gaps = np.array(objectives) / minimum - 1
polish_gaps = np.r_[gaps[-1], np.maximum(history["loss"] / minimum - 1, 1e-12)]
panels = {
    "log loss of held-out rows": (
        test_losses,
        np.r_[test_losses[-1], history["validation_loss"]],
    ),
    "relative distance to the minimum": (gaps, polish_gaps),
}
figure, both_axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for axes, (title, curves) in zip(both_axes, panels.items(), strict=True):
    for name, seen, values in zip(colours, (n_seen, polish_seen), curves, strict=True):
        seen, values = np.asarray(seen) / len(y), np.asarray(values)
        axes.plot(
            seen, values, color=colours[name], marker=markers[name], ms=3.5, label=name
        )
    for end in range(1, n_passes + 1):
        axes.axvline(end, color="0.85", lw=0.8, zorder=0)
    axes.set(title=title, xlabel=f"passes over the {len(y)} training rows")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y", alpha=0.3)
both_axes[0].set_ylim(bottom=0)
both_axes[1].set_yscale("log")
both_axes[0].legend(frameon=False)
plt.show()
