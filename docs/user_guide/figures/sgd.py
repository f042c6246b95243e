"""Loss of digits against epochs: given learning rates, and the automatic one."""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from sk_softmax import SoftmaxRegression

X, y = load_digits(return_X_y=True)
C, n_epochs = 0.01, 60
minimum = SoftmaxRegression("lbfgs", C=C, tol=1e-8).fit(X, y).loss_
figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
for rate, colour in {0.0003: "#56B4E9", 0.003: "#0072B2", "auto": "#D55E00"}.items():
    model = SoftmaxRegression(
        "sgd", C=C, learning_rate=rate, max_iter=n_epochs, tol=None, random_state=0
    ).fit(X, y)
    epochs, losses = model.history_["n_iter"], model.history_["loss"]
    axes.plot(epochs, losses, color=colour, label=f"learning_rate={rate!r}")
axes.axhline(minimum, color="0.5", ls="--", label="the minimum")
axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="training loss")
axes.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
axes.set_yticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
axes.minorticks_off()
axes.grid(alpha=0.3)
axes.legend(frameon=False)
