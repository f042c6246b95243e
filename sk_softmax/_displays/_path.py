"""Coefficients along C."""

import numpy as np

from sk_softmax._displays._common import COLOURS, import_pyplot, make_axes


class PathDisplay:
    """Coefficients of the models of a path against C.

    Better made by :meth:`from_path`. Each line is a feature; those that become large have their
    names at the end.

    Parameters
    ----------
    Cs : ndarray of shape (n_Cs,)
        Inverse strengths of the penalty, ascending.
    coefs : ndarray of shape (n_Cs, n_features)
        What is drawn of each feature.
    feature_names : list of str
        Names of the features.
    n_nonzero : ndarray of shape (n_Cs,)
        Coefficients that are not zero, of all classes.
    label : str
        Of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The lines of the features that are drawn, largest first.

    See Also
    --------
    softmax_path : Makes paths.
    CVDisplay : The scores along C.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_softmax import PathDisplay, SoftmaxRegression, softmax_path
    >>> X, y = load_iris(return_X_y=True)
    >>> path = softmax_path(SoftmaxRegression(l1_ratio=1.0), X, y)
    >>> display = PathDisplay.from_path(path, of_class=2)
    >>> len(display.lines_)
    4
    """

    def __init__(self, *, Cs, coefs, feature_names, n_nonzero, label):
        self.Cs, self.coefs, self.feature_names = Cs, coefs, feature_names
        self.n_nonzero, self.label = n_nonzero, label

    @classmethod
    def from_path(cls, path, *, of_class=None, feature_names=None, n_names=10, ax=None):
        """Plot a path.

        Parameters
        ----------
        path : SoftmaxPath
            As :func:`softmax_path` returns it.
        of_class : label, default=None
            The class whose coefficients are drawn; None for the norm of a feature's coefficients
            over the classes. With two classes there is one coefficient, which is drawn in any case.
        feature_names : list of str, default=None
            Names of the features; None for those that X had, or numbers.
        n_names, ax
            As for :meth:`plot`.

        Returns
        -------
        display : PathDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no such class, or names are too few or too many.
        """
        coefs, label = _drawn(path, of_class)
        if feature_names is None:
            feature_names = path.feature_names
        if feature_names is None:
            feature_names = np.arange(coefs.shape[1])
        if len(feature_names) != coefs.shape[1]:
            raise ValueError(
                f"feature_names has {len(feature_names)} names for {coefs.shape[1]} features."
            )
        display = cls(
            Cs=path.Cs,
            coefs=coefs,
            feature_names=list(map(str, feature_names)),
            n_nonzero=path.n_nonzero,
            label=label,
        )
        return display.plot(ax, n_names=n_names)

    def plot(self, ax=None, *, n_names=10, max_lines=100):
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        n_names : int, default=10
            Features that are named at the end of their lines: the largest ones at the last C.
        max_lines : int, default=100
            Features that are drawn: the largest ones at any C. If there are more, the title says
            so.

        Returns
        -------
        display : PathDisplay
            The display.
        """
        plt = import_pyplot(self)
        (self.ax_,) = make_axes(plt, ax, 1, 1, (7.0, 4.5))
        self.figure_ = self.ax_.figure
        size = abs(self.coefs).max(axis=0)
        order = np.argsort(-size, kind="stable")
        drawn = order[size[order] > 0][:max_lines]
        last = abs(self.coefs[-1])
        named = set(drawn[np.argsort(-last[drawn], kind="stable")][:n_names].tolist())
        self.lines_, ends = [], []
        for rank, j in enumerate(drawn.tolist()):
            colour = COLOURS[rank % len(COLOURS)] if j in named else "0.75"
            (line,) = self.ax_.plot(
                self.Cs,
                self.coefs[:, j],
                color=colour,
                linewidth=1.5 if j in named else 0.8,
                zorder=3 if j in named else 2,
                label=self.feature_names[j],
            )
            self.lines_.append(line)
            if j in named:
                ends.append((self.coefs[-1, j], self.feature_names[j], colour))
        self.ax_.axhline(0, color="0.4", linewidth=0.6, zorder=1)
        self.ax_.set(xscale="log", xlabel="C", ylabel=self.label)
        self._write_names(ends)
        count_above(self.ax_, self.Cs, self.n_nonzero)
        if len(drawn) < len(order):
            self.ax_.set_title(f"{len(drawn)} of {len(order)} features", fontsize="medium")
        return self

    def _write_names(self, ends):
        """Names to the right of the lines, moved apart where they would overlap."""
        low, high = self.ax_.get_ylim()
        lines = self.ax_.bbox.height * 72 / self.figure_.dpi / 11  # of text, in the axes
        step, below = (high - low) / lines, -np.inf
        for value, name, colour in sorted(ends):
            below = max(value, below + step)
            self.ax_.annotate(
                name,
                (1.0, below),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
                color=colour,
                annotation_clip=False,
            )


def count_above(ax, Cs, counts):
    """Write along the top of axes how many coefficients are not zero, at some values of C."""
    places = np.unique(np.linspace(0, len(Cs) - 1, 7).astype(int))
    top = ax.secondary_xaxis("top")
    top.set_xscale("log")
    top.set_xticks(Cs[places], [f"{count:g}" for count in np.round(counts[places], 1)])
    top.minorticks_off()
    top.set_xlabel("coefficients that are not zero")


def _drawn(path, of_class):
    """What is drawn of each feature, (n_Cs, n_features), and its name."""
    if of_class is not None and of_class not in path.classes:
        raise ValueError(f"of_class={of_class!r} is none of the classes {path.classes}.")
    if path.coefs.shape[1] == 1:
        return path.coefs[:, 0], f"coefficient, log odds of {path.classes[-1]}"
    if of_class is None:
        return np.linalg.norm(path.coefs, axis=1), "norm of coefficients over classes"
    return path.coefs[:, path.classes == of_class][:, 0], f"coefficient, class {of_class}"
