"""The record of a fit that early stopping ended, with the epoch that was kept."""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_softmax import SoftmaxRegression

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=1 / 3, random_state=0)
model = SoftmaxRegression("sgd", C=100.0, early_stopping=True, tol=1e-3, random_state=0)
model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
record = model.history_
kept = record["validation_loss"].argmin()

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
curves = {"loss": ("training rows", "-"), "validation_loss": ("held-out rows", "--")}
for key, (name, style) in curves.items():
    axes.plot(record["n_iter"], record[key], style, color="#0072B2", label=name)
axes.axvline(record["n_iter"][kept], color="#D55E00", ls=":", label="the model that is kept")
axes.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
axes.grid(alpha=0.3)
axes.legend(frameon=False)
