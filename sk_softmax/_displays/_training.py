"""Loss and accuracy while fitting."""

from dataclasses import dataclass

import numpy as np

from sk_softmax._displays._common import COLOURS, import_pyplot, make_axes
from sk_softmax._unwrap import unwrap

_LONG_NAMES = {"gap": "estimated distance to the minimum"}
_SCALES = ("linear", "log")


class TrainingDisplay:
    """Loss and accuracy of one or several models while they were fitted.

    Better made by :meth:`from_estimator`. Solid lines are of training rows, dashed ones of
    rows held out (`X_val` of `fit`, or `early_stopping`). Colours tell models apart.

    Parameters
    ----------
    histories : dict of ndarray, or list of such
        Records as in `history_` of :class:`SoftmaxRegression`: arrays of equal length by name.
    names : list of str, default=None
        Names of the models for the legend; None for numbers, where there are several.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        The panels.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curves: panel by panel, model by model, training rows first.

    See Also
    --------
    CoefficientDisplay : What was learnt.
    PredictionDisplay : What comes of it.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_softmax import SoftmaxRegression, TrainingDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> models = [
    ...     SoftmaxRegression("lbfgs"),
    ...     SoftmaxRegression("sgd", tol=None, max_iter=20, random_state=0),
    ... ]
    >>> for model in models:
    ...     model = model.fit(X[:1000], y[:1000], X_val=X[1000:], y_val=y[1000:])
    >>> display = TrainingDisplay.from_estimator(models, x="time", metrics="loss")
    >>> [line.get_label() for line in display.lines_]
    ['lbfgs, training', 'lbfgs, held out', 'sgd, training', 'sgd, held out']
    """

    def __init__(self, *, histories, names=None):
        self.histories = histories
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        names=None,
        per="epoch",
        x="n_iter",
        metrics=None,
        xscale="linear",
        yscale=None,
        minimum=None,
        ax=None,
        line_kw=None,
    ):
        """Plot the record of fitted models.

        Parameters
        ----------
        estimator : estimator or list of estimators
            Fitted :class:`SoftmaxRegression`, also as the last step of a pipeline or as
            `best_estimator_` of a search.
        names : list of str, default=None
            Names of the models; None for their solvers, where these differ.
        per : {"epoch", "batch"}, default="epoch"
            Whether to take `history_`, with a point for each epoch of "sgd" or iteration of other
            solvers, or `batch_history_` (`record_batches` was set).
        x, metrics, xscale, yscale, minimum, ax, line_kw
            As for :meth:`plot`.

        Returns
        -------
        display : TrainingDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If a model is no :class:`SoftmaxRegression`, or kept no such record.
        """
        estimators = estimator if isinstance(estimator, list | tuple) else [estimator]
        models = [unwrap(each)[0] for each in estimators]
        for model in models:
            if not hasattr(model, "stop_reason_"):
                raise ValueError(
                    "TrainingDisplay draws the record of a SoftmaxRegression, but got "
                    f"{type(model).__name__}, which keeps none."
                )
        solvers = [getattr(model, "solver_", None) for model in models]
        if names is None and len(models) > 1 and len(set(solvers)) == len(models):
            names = solvers
        display = cls(histories=[_record(model, per) for model in models], names=names)
        return display.plot(
            ax,
            x=x,
            metrics=metrics,
            xscale=xscale,
            yscale=yscale,
            minimum=minimum,
            line_kw=line_kw,
        )

    def plot(
        self,
        ax=None,
        *,
        x="n_iter",
        metrics=None,
        xscale="linear",
        yscale=None,
        minimum=None,
        line_kw=None,
    ):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: one panel for each of `metrics`, or one for all of them. None for a
            new figure with a panel for each.
        x : {"n_iter", "time"}, default="n_iter"
            Horizontal axis: `n_iter`, which counts epochs of "sgd" and iterations of other solvers;
            or seconds.
        metrics : str or list of str, default=None
            "loss", "accuracy", "gap", "learning_rate" or any other key of the records. Values
            on held-out rows, under "validation_loss" and "validation_accuracy", are drawn
            with those of training. None for the loss, and the accuracy if it was recorded.
        xscale : {"linear", "log"}, default="linear"
            Scale of the horizontal axes: "log" shows the first seconds of quick fits beside slow
            ones.
        yscale : {"linear", "log"}, default=None
            Scale of the vertical axes, but for accuracies. None for "log" where "gap" is drawn, or
            the distance to a `minimum`, and "linear" elsewhere.
        minimum : float, default=None
            Is subtracted from training losses: with that of a converged model of the same
            objective, ``loss_ - gap_``, curves show what is left of several runs, of "sgd" too.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.plot``.

        Returns
        -------
        self : TrainingDisplay
            The display.
        """
        plt = import_pyplot(self)
        if x not in ("n_iter", "time"):
            raise ValueError(f'x must be "n_iter" or "time", got {x!r}.')
        histories = [self.histories] if isinstance(self.histories, dict) else list(self.histories)
        if self.names is not None and len(self.names) != len(histories):
            raise ValueError(f"names has {len(self.names)} entries for {len(histories)} models.")
        if xscale not in _SCALES or yscale not in (*_SCALES, None):
            raise ValueError(
                f'xscale and yscale must be "linear" or "log", got {xscale!r} and {yscale!r}.'
            )
        metrics = self._metrics(histories, metrics)
        share = ax is not None and np.size(ax) == 1 < len(metrics)
        axes = make_axes(plt, ax, 1 if share else len(metrics), len(metrics), (4.4, 3.4))
        self.lines_, entries = [], []
        for i, metric in enumerate(metrics):
            panel = axes[0 if share else i]
            for j, history in enumerate(histories):
                colour = COLOURS[(j * len(metrics) + i if share else j) % len(COLOURS)]
                for key in _curves(history, metric, minimum):
                    entry = _Entry(self._name(j, len(histories), metric, share), key, colour)
                    style = {**entry.style(history[x]), **(line_kw or {})}
                    values = history[key]
                    if metric == "loss" and minimum is not None:
                        values = _above(values, minimum)
                    self.lines_ += panel.plot(history[x], values, **style)
                    entries.append((panel, entry))
            is_distance = metric == "gap" or (metric == "loss" and minimum is not None)
            if metric != "accuracy" and (yscale or ("log" if is_distance else "linear")) == "log":
                panel.set_yscale("log")
            panel.set_xscale(xscale)
        names = {"loss": "loss above the minimum"} if minimum is not None else {}
        self._finish(axes, histories, x, metrics, share, {**_LONG_NAMES, **names})
        own_figure_of_several = ax is None and len(histories) > 1
        self._add_legends(plt, axes, entries, outside=own_figure_of_several)
        return self

    def _metrics(self, histories, metrics):
        """The metrics asked for, each of which some record must have."""
        if metrics is None:
            recorded = any(_curves(history, "accuracy") for history in histories)
            metrics = ["loss", "accuracy"] if recorded else ["loss"]
        metrics = [metrics] if isinstance(metrics, str) else list(metrics)
        for metric in metrics:
            if not any(_curves(history, metric) for history in histories):
                known = sorted({key for history in histories for key in history})
                raise ValueError(f"metrics: no record has {metric!r}; there are {known}.")
        return metrics

    def _name(self, j, n_models, metric, share):
        """What a colour stands for: the model, and the metric where panels are shared."""
        parts = []
        if self.names is not None:
            parts.append(str(self.names[j]))
        elif n_models > 1:
            parts.append(f"model {j + 1}")
        if share:
            parts.append(metric.replace("_", " "))
        return ", ".join(parts)

    def _finish(self, axes, histories, x, metrics, share, long_names):
        """Labels and grid."""
        units = {"iteration" if "gap" in history else "epoch" for history in histories}
        label = "seconds" if x == "time" else " or ".join(sorted(units))
        for panel, metric in zip(axes, metrics, strict=False):
            panel.set_xlabel(label)
            if x == "n_iter" and panel.get_xscale() == "linear":
                panel.xaxis.get_major_locator().set_params(integer=True)
            panel.set_ylabel("" if share else long_names.get(metric, metric.replace("_", " ")))
            if panel.get_xscale() == "log":
                _label_log_axis(panel.xaxis)
            panel.grid(alpha=0.3)
            panel.spines[["top", "right"]].set_visible(False)
        self.axes_, self.ax_, self.figure_ = axes, axes[0], axes[0].figure

    def _add_legends(self, plt, axes, entries, outside):
        """A legend for each panel, or a single one below them."""
        if outside:
            handles = _handles(plt, [entry for _, entry in entries])
            longest = max(len(handle.get_label()) for handle in handles)
            n_columns = max(1, int(self.figure_.get_figwidth() / (0.8 + 0.08 * longest)))
            position = {"loc": "outside lower center", "ncols": min(len(handles), n_columns)}
            self.figure_.legend(handles=handles, frameon=False, **position)
            return
        for panel in axes:
            handles = _handles(plt, [entry for owner, entry in entries if owner is panel])
            if len(handles) > 1 or self.names is not None:
                panel.legend(handles=handles, frameon=False)


@dataclass(frozen=True)
class _Entry:
    """What a curve shows: the colour stands for its name, the dashes for its rows."""

    name: str
    key: str
    colour: str

    @property
    def rows(self):
        return "held out" if self.key.startswith("validation_") else "training"

    @property
    def dashes(self):
        return "--" if self.rows == "held out" else "-"

    def style(self, x):
        """Keyword arguments for Axes.plot; markers where points are few."""
        label = ", ".join(part for part in (self.name, self.rows) if part)
        return {
            "color": self.colour,
            "linestyle": self.dashes,
            "marker": "o" if len(x) <= 20 else None,
            "markersize": 3.5,
            "label": label,
        }


def _handles(plt, entries):
    """Colours by name and, where there are two kinds of rows or no names, dashes by rows."""
    names = {entry.name: entry.colour for entry in entries if entry.name}
    rows = {entry.rows: entry for entry in entries}
    handles = [plt.Line2D([], [], color=colour, label=name) for name, colour in names.items()]
    if len(rows) > 1 or not names:
        handles += [
            plt.Line2D([], [], label=name, linestyle=entry.dashes,
                       color="0.4" if names else entry.colour)
            for name, entry in sorted(rows.items(), reverse=True)
        ]  # fmt: skip
    return handles


def _record(model, per):
    """`history_` or `batch_history_` of a model."""
    attributes = {"epoch": "history_", "batch": "batch_history_"}
    if per not in attributes:
        raise ValueError(f'per must be "epoch" or "batch", got {per!r}.')
    record = getattr(model, attributes[per], None)
    if record is None:
        raise ValueError(
            f"per={per!r} needs {attributes[per]}, which this {type(model).__name__} has not: "
            "partial_fit keeps no record, and fit that of batches only with record_batches set."
        )
    return record


def _label_log_axis(axis):
    """Plain numbers: of powers of ten, and between them where there are few."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _above(losses, minimum):
    """Losses less the minimum, NaN where they are not above it."""
    values = np.asarray(losses) - minimum
    return np.where(values > 0, values, np.nan)


def _curves(history, metric, minimum=None):
    """The keys of a record that show a metric; a minimum is one of training rows."""
    keys = (
        (metric,) if metric == "loss" and minimum is not None else (metric, f"validation_{metric}")
    )
    return [key for key in keys if key in history]
