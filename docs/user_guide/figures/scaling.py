"""Cross-validated log loss of wine against C, raw and standardised."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegressionCV

X, y = load_wine(return_X_y=True)
figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
Cs = np.logspace(-4, 3, 15)
rows = {"raw": (X, "#D55E00"), "standardised": (StandardScaler().fit_transform(X), "#0072B2")}
for name, (values, colour) in rows.items():
    model = SoftmaxRegressionCV(Cs=Cs, scoring="neg_log_loss", tol=1e-4).fit(values, y)
    axes.plot(Cs, -model.scores_.mean(axis=0)[0], "o-", ms=4, color=colour, label=name)
axes.set(xscale="log", yscale="log", xlabel="C", ylabel="log loss of held-out rows")
ticks = [0.05, 0.1, 0.2, 0.5, 1]
axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
axes.minorticks_off()
axes.grid(alpha=0.3)
axes.legend(frameon=False)
