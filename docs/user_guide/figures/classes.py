"""What a model predicts of a class whose rows its fold lacks: no column, zero, or a share."""

import matplotlib.pyplot as plt
import numpy as np

from sk_softmax import SoftmaxRegression

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4))
y = np.where(X[:, 0] + rng.normal(size=90) > 0, "yes", "no").astype("<U4")
y[[10, 70]] = "rare"
names = ["no", "rare", "yes"]
everywhere, fold = np.arange(90), np.arange(18, 70)  # the fold has no row of "rare"
models = {
    "all rows": (SoftmaxRegression(), everywhere),
    "a fold without “rare”": (SoftmaxRegression(), fold),
    "the fold, with classes=": (SoftmaxRegression(classes=names), fold),
    "and label_smoothing=0.03": (SoftmaxRegression(classes=names, label_smoothing=0.03), fold),
}

figure, panels = plt.subplots(
    2, 2, figsize=(6.4, 4.2), sharex=True, sharey=True, layout="constrained"
)
for panel, (title, (model, rows)) in zip(panels.flat, models.items(), strict=True):
    model.fit(X[rows], y[rows])
    shares = dict(zip(model.classes_, model.predict_proba(X).mean(axis=0), strict=True))
    places = [names.index(name) for name in shares]
    bars = panel.bar(places, shares.values(), color="#0072B2")
    panel.bar_label(bars, fmt="{:.2f}")
    if "rare" not in shares:
        panel.text(1, 0.02, "no column", ha="center", color="#D55E00")
    panel.set_title(title, fontsize=10)
    panel.set(xticks=range(3), xticklabels=names, ylim=(0, 0.75))
    panel.spines[["top", "right"]].set_visible(False)
for panel in panels[:, 0]:
    panel.set_ylabel("mean probability")
