"""Rows with their true and predicted labels."""

import numpy as np

from sk_softmax._displays._common import COLOURS, check_image_shape, import_pyplot, make_axes
from sk_softmax._validation import selected_rows

_RIGHT, _WRONG = COLOURS[0], COLOURS[1]
_FRAME = {"fill": False, "edgecolor": _WRONG, "linewidth": 2}


class PredictionDisplay:
    """Rows with their true labels, predicted labels and probabilities.

    Better made by :meth:`from_estimator` or :meth:`from_predictions`. Images are captioned;
    rows that are no images become a table of the probabilities of all classes, with a frame around
    the true one, by number or by the index of a data frame. What is right is blue, mistakes are
    vermilion.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    probabilities : array-like of shape (n_samples, n_classes)
        Predicted probabilities, columns in the order of `classes`.
    classes : array-like of shape (n_classes,)
        Labels of the columns.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        The rows: pixels of images, or a data frame whose index names the rows of a table.

    Attributes
    ----------
    y_pred : ndarray of shape (n_samples,)
        Most probable labels.
    indices_ : ndarray of int
        The rows that are shown, in order.
    axes_ : ndarray of matplotlib Axes
        The panels: one for each image, or a single one for a table.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure
        The figure.
    images_ : list of matplotlib AxesImage
        The images, or the table.

    See Also
    --------
    CoefficientDisplay : What the predictions are made of.
    sklearn.metrics.ConfusionMatrixDisplay : Counts of all predictions.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_softmax import PredictionDisplay, SoftmaxRegression
    >>> X, y = load_digits(return_X_y=True)
    >>> model = SoftmaxRegression(C=0.01).fit(X[:1200], y[:1200])
    >>> display = PredictionDisplay.from_estimator(
    ...     model, X[1200:], y[1200:], image_shape=(8, 8), mistakes_first=True
    ... )
    >>> bool((display.y_pred != y[1200:])[display.indices_].all())
    True
    """

    def __init__(self, *, y_true, probabilities, classes, X=None):
        self.y_true = np.asarray(y_true)
        self.probabilities = np.asarray(probabilities)
        self.classes = np.asarray(classes)
        self.X = X
        if self.y_true.shape != self.probabilities.shape[:1]:
            raise ValueError(
                f"y_true must hold a label for each of the {len(self.probabilities)} rows, got an "
                f"array of shape {self.y_true.shape}."
            )
        self.y_pred = self.classes[self.probabilities.argmax(axis=1)]

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        n_images=10,
        image_shape=None,
        mistakes_first=None,
        cmap=None,
        ax=None,
    ):
        """Plot the predictions of a fitted classifier.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier with `predict_proba`, or a pipeline or search that ends in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Their labels.
        n_images, image_shape, mistakes_first, cmap, ax
            As for :meth:`plot`.

        Returns
        -------
        display : PredictionDisplay
            The display, drawn.
        """
        display = cls(
            y_true=y, probabilities=estimator.predict_proba(X), classes=estimator.classes_, X=X
        )
        return display.plot(
            ax,
            n_images=n_images,
            image_shape=image_shape,
            mistakes_first=mistakes_first,
            cmap=cmap,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        probabilities,
        *,
        classes=None,
        X=None,
        n_images=10,
        image_shape=None,
        mistakes_first=None,
        cmap=None,
        ax=None,
    ):
        """Plot given predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels.
        probabilities : array-like of shape (n_samples, n_classes)
            Predicted probabilities.
        classes : array-like of shape (n_classes,), default=None
            Labels of their columns; None for the sorted labels of `y_true`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            The rows: pixels of images, or a data frame whose index names the rows of a table.
        n_images, image_shape, mistakes_first, cmap, ax
            As for :meth:`plot`.

        Returns
        -------
        display : PredictionDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there are not as many classes as columns.
        """
        classes = np.unique(y_true) if classes is None else np.asarray(classes)
        n_columns = np.shape(probabilities)[1]
        if len(classes) != n_columns:
            raise ValueError(
                f"probabilities has {n_columns} columns for {len(classes)} classes; pass classes."
            )
        display = cls(y_true=y_true, probabilities=probabilities, classes=classes, X=X)
        return display.plot(
            ax,
            n_images=n_images,
            image_shape=image_shape,
            mistakes_first=mistakes_first,
            cmap=cmap,
        )

    def plot(self, ax=None, *, n_images=10, image_shape=None, mistakes_first=None, cmap=None):
        """Draw the predictions.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: one for each image, a single one for a table; None for a new figure.
        n_images : int, default=10
            How many rows to show, at most.
        image_shape : tuple of int, default=None
            Height and width of the images, or height, width and channels. None for a table of
            probabilities.
        mistakes_first : bool, default=None
            Whether to begin with the rows that were predicted wrongly, those with the smallest
            probability of the true label first. Otherwise rows are shown in order. None for True in
            a table, and False for images.
        cmap : str or matplotlib Colormap, default=None
            Colours of grey images or of the table; None for "gray_r" and "Blues".

        Returns
        -------
        self : PredictionDisplay
            The display.
        """
        plt = import_pyplot(self)
        if mistakes_first is None:
            mistakes_first = image_shape is None
        self.indices_ = self._order(mistakes_first)[:n_images]
        self.images_ = []
        if image_shape is None:
            axes = self._table(plt, ax, cmap or "Blues")
        else:
            axes = self._pictures(plt, ax, image_shape, cmap or "gray_r")
        self.axes_, self.ax_, self.figure_ = axes, axes[0], axes[0].figure
        return self

    def _order(self, mistakes_first):
        """All rows, in the order in which they are shown."""
        if not mistakes_first:
            return np.arange(len(self.y_true))
        is_true = self.classes == self.y_true[:, np.newaxis]
        p_true = (self.probabilities * is_true).sum(axis=1)
        return np.lexsort([p_true, self.y_pred == self.y_true])

    def _pictures(self, plt, ax, image_shape, cmap):
        """Images with captions, blue where the prediction is right."""
        if self.X is None:
            raise ValueError("image_shape needs X, the pixels of the images.")
        images = selected_rows(self.X, self.indices_)
        check_image_shape(image_shape, images.shape[1])
        axes = make_axes(plt, ax, len(self.indices_), 5, (1.6, 2.0))
        for panel, i, image in zip(axes, self.indices_, images, strict=True):
            self.images_.append(panel.imshow(image.reshape(image_shape), cmap=cmap))
            colour = _RIGHT if self.y_pred[i] == self.y_true[i] else _WRONG
            percent = f"{100 * self.probabilities[i].max():.0f}%"
            panel.set_title(
                f"true: {self.y_true[i]}\npred.: {self.y_pred[i]} {percent}",
                fontsize=8.5,
                color=colour,
            )
            panel.set(xticks=[], yticks=[])
            for spine in panel.spines.values():
                spine.set(color=colour, linewidth=1 if colour == _RIGHT else 2.5)
        return axes

    def _names_of_rows(self):
        """The rows that are shown by the index of a data frame, or by number."""
        index = self.X.index if hasattr(self.X, "iloc") else np.arange(len(self.y_true))
        return [str(index[i]) for i in self.indices_]

    def _table(self, plt, ax, cmap):
        """Probabilities of all classes, with a frame around the true one."""
        table = self.probabilities[self.indices_]
        n_rows, n_columns = table.shape
        labels = [str(label) for label in self.classes]
        longest = max(map(len, labels))
        size = (1.2 + n_columns * max(0.6, 0.1 * longest), 1.1 + 0.3 * n_rows)
        axes = make_axes(plt, ax, 1, 1, size)
        panel = axes[0]
        image = panel.imshow(table, aspect="auto", cmap=cmap, vmin=0, vmax=1)
        for (i, k), value in np.ndenumerate(table):
            colour = "white" if value > 0.6 else "black"
            panel.text(k, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
            if self.classes[k] == self.y_true[self.indices_[i]]:
                panel.add_patch(plt.Rectangle((k - 0.48, i - 0.46), 0.96, 0.92, **_FRAME))
        panel.set_xticks(range(n_columns), labels)
        panel.set_yticks(range(n_rows), self._names_of_rows())
        for label, i in zip(panel.get_yticklabels(), self.indices_, strict=True):
            label.set_color(_RIGHT if self.y_pred[i] == self.y_true[i] else _WRONG)
        n_wrong = np.count_nonzero(self.y_pred != self.y_true)
        panel.set_title(
            f"{n_rows} of {len(self.y_true)} rows; wrong predictions: {n_wrong}", fontsize=10
        )
        panel.set(xlabel="probability\n(frame: true class)", ylabel="row")
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
        self.images_.append(image)
        return axes
