"""Estimates with their confidence intervals: a forest plot."""

import numpy as np

from sk_softmax._displays._common import COLOURS, import_pyplot, make_axes
from sk_softmax._inference import summary as summarise

_MARKERS = "osD^vP*"


class IntervalDisplay:
    """Coefficients with confidence intervals, class by class: a forest plot.

    Better made by :meth:`from_estimator` or :meth:`from_summary`. Colours and markers tell classes
    apart. An interval that does not reach the vertical line is of a coefficient that differs from
    zero at that level.

    Parameters
    ----------
    coef : array-like of shape (n_classes, n_terms)
        Estimates.
    intervals : array-like of shape (n_classes, n_terms, 2)
        Lower and upper ends.
    labels : array-like of shape (n_classes,)
        The class of each row.
    names : array-like of shape (n_terms,)
        Names of the terms.
    reference : label, default=None
        What the classes are compared with; None for the mean of all.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The panel.
    figure_ : matplotlib Figure
        The figure.
    containers_ : list of matplotlib ErrorbarContainer
        Estimates and intervals, one for each class.

    See Also
    --------
    summary : The numbers.
    CoefficientDisplay : Coefficients without intervals, of many features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from sk_softmax import IntervalDisplay, SoftmaxRegression
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> X = X[["malic_acid", "ash", "alcalinity_of_ash"]]
    >>> model = SoftmaxRegression(C=np.inf).fit(X, y)
    >>> display = IntervalDisplay.from_estimator(model, X, y)
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['malic_acid', 'ash', 'alcalinity_of_ash']
    """

    def __init__(self, *, coef, intervals, labels, names, reference=None):
        self.coef = coef
        self.intervals = intervals
        self.labels = labels
        self.names = names
        self.reference = reference

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        sample_weight=None,
        *,
        covariance="auto",
        weights="frequency",
        reference=None,
        symmetric=False,
        level=0.95,
        terms=None,
        odds_ratio=False,
        ax=None,
        line_kw=None,
    ):
        """Plot the coefficients of a fitted model.

        Parameters
        ----------
        estimator, X, y, sample_weight, covariance, weights, reference, symmetric
            As for :func:`summary`.
        level, terms, odds_ratio, ax, line_kw
            As for :meth:`from_summary`.

        Returns
        -------
        display : IntervalDisplay
            The display, drawn.
        """
        made = summarise(
            estimator,
            X,
            y,
            sample_weight,
            covariance=covariance,
            weights=weights,
            reference=reference,
            symmetric=symmetric,
        )
        return cls.from_summary(
            made, level=level, terms=terms, odds_ratio=odds_ratio, ax=ax, line_kw=line_kw
        )

    @classmethod
    def from_summary(
        cls, summary, *, level=0.95, terms=None, odds_ratio=False, ax=None, line_kw=None
    ):
        """Plot the coefficients of a summary.

        Parameters
        ----------
        summary : CoefficientSummary
            Made by :func:`summary`.
        level : float, default=0.95
            Of the intervals.
        terms : list of str, default=None
            Names of the terms to draw, in this order, such as "intercept"; None for all but the
            intercept.
        odds_ratio, ax, line_kw
            As for :meth:`plot`.

        Returns
        -------
        display : IntervalDisplay
            The display, drawn.
        """
        names = list(summary.names)
        terms = [name for name in names if name != "intercept"] if terms is None else list(terms)
        unknown = [term for term in terms if term not in names]
        if unknown or not terms:
            raise ValueError(f"terms must be some of {names}, got {unknown or terms}.")
        places = [names.index(term) for term in terms]
        display = cls(
            coef=summary.coef[:, places],
            intervals=summary.conf_int(level)[:, places],
            labels=summary.labels,
            names=terms,
            reference=summary.reference,
        )
        return display.plot(ax, odds_ratio=odds_ratio, line_kw=line_kw)

    def plot(self, ax=None, *, odds_ratio=False, line_kw=None):
        """Draw estimates and intervals.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        odds_ratio : bool, default=False
            Whether to draw odds ratios, on a logarithmic axis, in place of coefficients.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.errorbar``.

        Returns
        -------
        self : IntervalDisplay
            The display.
        """
        plt = import_pyplot(self)
        coef, intervals = np.asarray(self.coef, float), np.asarray(self.intervals, float)
        if odds_ratio:
            coef, intervals = np.exp(coef), np.exp(intervals)
        n_classes, n_terms = coef.shape
        width = 4.2 + 0.075 * max(len(str(name)) for name in self.names)
        size = (width, 1.2 + n_terms * (0.16 + 0.14 * n_classes))
        (panel,) = make_axes(plt, ax, 1, 1, size)
        offsets = (np.arange(n_classes) - (n_classes - 1) / 2) * 0.7 / n_classes
        panel.axvline(float(odds_ratio), color="0.3", linewidth=0.8, zorder=0)
        self.containers_ = []
        for k, label in enumerate(self.labels):
            style = {
                "fmt": _MARKERS[k % len(_MARKERS)],
                "color": COLOURS[k % len(COLOURS)],
                "markersize": 4.5,
                "linewidth": 1.4,
                "label": str(label),
                **(line_kw or {}),
            }
            error = np.abs(intervals[k].T - coef[k])
            y = np.arange(n_terms) + offsets[k]
            self.containers_.append(panel.errorbar(coef[k], y, xerr=error, **style))
        self._finish(panel, odds_ratio)
        return self

    def _finish(self, panel, odds_ratio):
        """Scale, labels and legend."""
        if odds_ratio:
            panel.set_xscale("log")
        panel.set_yticks(range(len(self.names)), self.names)
        panel.set_ylim(len(self.names) - 0.4, -0.6)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x", alpha=0.3)
        panel.spines[["top", "right", "left"]].set_visible(False)
        against = "the mean of all" if self.reference is None else f"class {self.reference}"
        what = "odds ratio" if odds_ratio else "coefficient"
        panel.set_xlabel(f"{what}, against {against}")
        panel.legend(title="class", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        self.ax_, self.figure_ = panel, panel.figure
