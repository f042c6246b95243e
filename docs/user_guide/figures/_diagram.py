"""Boxes and arrows, for figures of where data are and what is sent."""

from matplotlib.patches import FancyBboxPatch

BLUE, RED = "#0072B2", "#D55E00"


def box(axes, x, y, width, height, title, text):
    """A box whose lower left corner is at (x, y)."""
    outline = "round,pad=0,rounding_size=0.1"
    axes.add_patch(
        FancyBboxPatch((x, y), width, height, boxstyle=outline, fc="#EAF3F9", ec=BLUE, lw=1.2)
    )
    middle, centre = x + width / 2, y + height / 2
    top = centre + 0.1 * (text.count("\n") + 1)
    axes.text(middle, top, title, ha="center", va="center", weight="bold", fontsize=11)
    axes.text(middle, top - 0.15, text, ha="center", va="top", fontsize=10, linespacing=1.3)


def arrow(axes, start, end, text, colour):
    """A horizontal arrow with `text` above it."""
    style = {"arrowstyle": "-|>", "color": colour, "lw": 1.6, "mutation_scale": 14}
    axes.annotate("", end, start, arrowprops=style)
    middle = (start[0] + end[0]) / 2
    axes.text(middle, start[1] + 0.05, text, ha="center", va="bottom", fontsize=10, color=colour)
