"""Rows stay with the workers: coefficients go out, sums come back."""

import matplotlib.pyplot as plt
from _diagram import BLUE, RED, arrow, box

figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
axes.set(xlim=(0, 8), ylim=(0, 3.4))
axes.axis("off")
box(
    axes,
    0.05,
    0.05,
    2.2,
    3.3,
    "your process",
    "L-BFGS: the next\ncoefficients, and\nwhether to stop",
)
for number, y in enumerate((2.35, 1.2, 0.05), start=1):
    box(axes, 5.4, y, 2.5, 1.0, f"worker {number}", "its rows of X and y,\none pass over them")
    arrow(axes, (2.3, y + 0.72), (5.35, y + 0.72), "coefficients", BLUE)
    arrow(axes, (5.35, y + 0.28), (2.3, y + 0.28), "loss, gradient", RED)
