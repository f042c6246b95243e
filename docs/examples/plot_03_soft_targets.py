"""
Votes of annotators as targets
==============================

Five annotators label each image, and not all agree. Is it better to train on the majority of
their votes, or on the shares? That depends on what the probabilities are to mean.
"""

# %%
# Simulated annotators
# --------------------
# With probability `error` an annotator names one of the nine wrong digits. Errors are independent
# of each other and of the image.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sk_softmax import SoftmaxRegression

X, y = load_digits(return_X_y=True)
X, n_classes, n_annotators = X / 16, 10, 5


def vote(y, error, rng):
    """The labels that one annotator gives."""
    wrong = (y + rng.integers(1, n_classes, size=len(y))) % n_classes
    return np.where(rng.random(len(y)) < error, wrong, y)


def count_votes(y, error, rng):
    """How many annotators chose each class, (n_samples, n_classes)."""
    return sum(np.eye(n_classes)[vote(y, error, rng)] for _ in range(n_annotators))


# %%
# Two models
# ----------
# One is trained on labels, the majority of the votes with ties broken at random; the other on
# probabilities, the shares of the votes. Both are scored on rows held out, in three ways: by the
# log loss of the vote of a sixth annotator, by that of the true label, and by accuracy.

errors = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
n_repeats = 3
scores = {"majority": [], "shares": []}
for error in errors:
    results = {name: [] for name in scores}
    for seed in range(n_repeats):
        rng = np.random.default_rng(seed)
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.5, random_state=seed
        )
        counts = count_votes(y_train, error, rng)
        tie_breaker = 0.5 * rng.random(counts.shape)
        targets = {
            "majority": (counts + tie_breaker).argmax(axis=1),
            "shares": counts / n_annotators,
        }
        sixth = vote(y_test, error, rng)
        for name, target in targets.items():
            model = SoftmaxRegression(tol=1e-4).fit(X_train, target)
            P = model.predict_proba(X_test)
            accuracy = model.score(X_test, y_test)
            results[name].append((log_loss(sixth, P), log_loss(y_test, P), accuracy))
    for name, rows in results.items():
        scores[name].append(np.mean(rows, axis=0))
scores = {name: np.array(rows) for name, rows in scores.items()}

titles = ["log loss of a sixth vote", "log loss of the true label", "accuracy"]
print(f"{'':7}" + "".join(f"{title:>28}" for title in titles))
print(f"{'error':7}" + f"{'majority':>16}{'shares':>12}" * len(titles))
for i, error in enumerate(errors):
    pairs = zip(scores["majority"][i], scores["shares"][i], strict=True)
    print(f"{error:<7.1f}" + "".join(f"{a:>16.3f}{b:>12.3f}" for a, b in pairs))

# %%
# What to take
# ------------
# The model of the shares predicts how annotators vote, and does so better once they err in a
# tenth of the cases. The model of the majority predicts the majority, which here is nearly always
# the true label: its probabilities are the better ones for the truth. The dotted line is the least
# log loss that any model could have on a sixth vote, that of one who knows the true label and the
# rate of errors. In accuracy the majority is ahead by about a point while most votes are right,
# and the shares are where most are wrong: a majority then throws away more than the noise.
#
# Where images are ambiguous in themselves there is no truth beyond the votes, and the first panel
# is the one that counts.

styles = {"majority": ("#D55E00", "s", "--"), "shares": ("#0072B2", "o", "-")}
figure, all_axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for j, (axes, title) in enumerate(zip(all_axes, titles, strict=True)):
    for name, (colour, marker, line) in styles.items():
        axes.plot(
            errors, scores[name][:, j], line, color=colour, marker=marker, label=name
        )
    axes.set(title=title, xlabel="share of votes that are wrong")
    axes.grid(alpha=0.3)
inner = errors[1:]
entropy = -(1 - inner) * np.log(1 - inner) - inner * np.log(inner / (n_classes - 1))
all_axes[0].plot(errors, np.r_[0, entropy], ":", color="0.3", label="least possible")
all_axes[0].legend(frameon=False)
plt.show()
