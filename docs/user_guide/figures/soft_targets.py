"""What a row says to a fit: a label, a smoothed label, the votes of five annotators."""

import matplotlib.pyplot as plt

targets = {
    "a label": [0, 1, 0],
    "label_smoothing=0.3": [0.1, 0.8, 0.1],
    "votes of five annotators": [0.4, 0.6, 0],
}
figure, panels = plt.subplots(1, 3, figsize=(8, 2.4), sharey=True, layout="constrained")
for panel, (title, shares) in zip(panels, targets.items(), strict=True):
    bars = panel.bar(["cat", "dog", "fox"], shares, color="#0072B2")
    panel.bar_label(bars, fmt="{:g}")
    panel.set(title=title, ylim=(0, 1.15))
    panel.spines[["top", "right"]].set_visible(False)
panels[0].set_ylabel("target probability")
