"""Scores of a cross-validation along C."""

import numpy as np

from sk_softmax._displays._common import COLOURS, import_pyplot, make_axes
from sk_softmax._displays._path import count_above
from sk_softmax._softmax_regression_cv import SoftmaxRegressionCV, chosen, standard_errors
from sk_softmax._unwrap import unwrap


class CVDisplay:
    """Mean scores over folds against C, with standard errors.

    Better made by :meth:`from_estimator`. Vertical lines mark the best C, and the smallest whose
    score is within one standard error of the best.

    Parameters
    ----------
    Cs : ndarray of shape (n_Cs,)
        Values of C, ascending.
    l1_ratios : ndarray of shape (n_l1_ratios,)
        Values of `l1_ratio`.
    scores : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        The score of each model on the rows of its fold.
    n_nonzero : ndarray of shape (n_l1_ratios, n_Cs)
        Means over the folds of the coefficients that are not zero.
    label : str, default="score"
        Of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The mean scores, one line for each `l1_ratio`.
    best_ : float
        The C of the best mean score.
    one_standard_error_ : float
        The smallest C within one standard error of it, at the same `l1_ratio`.

    See Also
    --------
    PathDisplay : The coefficients along C.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_softmax import CVDisplay, SoftmaxRegressionCV
    >>> X, y = load_wine(return_X_y=True)
    >>> model = SoftmaxRegressionCV(l1_ratios=[1.0], scoring="neg_log_loss").fit(X, y)
    >>> display = CVDisplay.from_estimator(model)
    >>> bool(display.one_standard_error_ <= display.best_ == model.C_)
    True
    """

    def __init__(self, *, Cs, l1_ratios, scores, n_nonzero, label="score"):
        self.Cs, self.l1_ratios, self.scores = Cs, l1_ratios, scores
        self.n_nonzero, self.label = n_nonzero, label

    @classmethod
    def from_estimator(cls, estimator, *, label=None, ax=None):
        """Plot the scores of a fitted cross-validation.

        Parameters
        ----------
        estimator : estimator
            Fitted :class:`SoftmaxRegressionCV`, also as the last step of a pipeline.
        label : str, default=None
            Of the vertical axis; None for the name of the score.
        ax : matplotlib Axes, default=None
            As for :meth:`plot`.

        Returns
        -------
        display : CVDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the model is no :class:`SoftmaxRegressionCV`.
        """
        model = unwrap(estimator)[0]
        if not isinstance(model, SoftmaxRegressionCV):
            raise ValueError(
                f"CVDisplay draws the scores of a SoftmaxRegressionCV, but got "
                f"{type(model).__name__}."
            )
        if label is None:
            scoring = "accuracy" if model.scoring is None else model.scoring
            label = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
        coefs = model.coefs_paths_[..., : model.n_features_in_]
        n_nonzero = np.count_nonzero(coefs, axis=(3, 4)).mean(axis=0)
        display = cls(
            Cs=model.Cs_,
            l1_ratios=model.l1_ratios_,
            scores=model.scores_,
            n_nonzero=n_nonzero,
            label=label,
        )
        return display.plot(ax)

    def plot(self, ax=None):
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : CVDisplay
            The display.
        """
        plt = import_pyplot(self)
        (self.ax_,) = make_axes(plt, ax, 1, 1, (6.5, 4.2))
        self.figure_ = self.ax_.figure
        mean, error = self.scores.mean(axis=0), standard_errors(self.scores)
        error = np.where(np.isfinite(error), error, 0.0)
        i, best = chosen(self.scores, "best")
        _, smallest = chosen(self.scores, "one_standard_error")
        self.lines_ = []
        for row, l1_ratio in enumerate(self.l1_ratios):
            colour, is_best = COLOURS[row % len(COLOURS)], row == i
            (line,) = self.ax_.plot(
                self.Cs,
                mean[row],
                marker="o",
                markersize=3.5,
                color=colour,
                alpha=1.0 if is_best else 0.5,
                label=f"l1_ratio={l1_ratio:g}",
            )
            self.lines_.append(line)
            if is_best:
                self.ax_.errorbar(
                    self.Cs, mean[row], error[row], fmt="none", ecolor=colour, capsize=2, alpha=0.6
                )
        self.best_, self.one_standard_error_ = float(self.Cs[best]), float(self.Cs[smallest])
        for C, style, name in (
            (self.best_, "--", "best"),
            (self.one_standard_error_, ":", "one standard error"),
        ):
            self.ax_.axvline(C, color="0.3", linestyle=style, linewidth=1.0, label=name)
        self.ax_.set(xscale="log", xlabel="C", ylabel=self.label)
        count_above(self.ax_, self.Cs, self.n_nonzero[i])
        self.ax_.legend(fontsize="small")
        return self
