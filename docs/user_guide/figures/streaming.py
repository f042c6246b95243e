"""Log loss of held-out rows while chunks of digits arrive, and of a fit to all of them."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from sk_softmax import SoftmaxRegression

X, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(y))
X, y = X[order], y[order]
X_new, y_new = X[1400:], y[1400:]
model = SoftmaxRegression("sgd", C=0.01, classes=np.arange(10), random_state=0)
seen, losses = [], []
for start in range(0, 1400, 50):
    model.partial_fit(X[start : start + 50], y[start : start + 50])
    seen.append(start + 50)
    losses.append(log_loss(y_new, model.predict_proba(X_new)))
whole = SoftmaxRegression(C=0.01).fit(X[:1400], y[:1400])

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
axes.plot(seen, losses, "o-", ms=3, color="#0072B2", label="partial_fit, chunks of 50 rows")
at_once = log_loss(y_new, whole.predict_proba(X_new))
axes.axhline(at_once, color="#D55E00", ls="--", label="fit to 1,400 rows at once")
axes.set(xlabel="rows seen, each once", ylabel="log loss of held-out rows", ylim=(0, None))
axes.grid(alpha=0.3)
axes.legend(frameon=False)
