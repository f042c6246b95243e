"""Coefficients as images, as a table of colours, or as bars."""

import numpy as np

from sk_softmax._displays._common import check_image_shape, import_pyplot, make_axes
from sk_softmax._rows import dense
from sk_softmax._unwrap import names_of_columns, unwrap


class CoefficientDisplay:
    """Coefficients of a model, class by class.

    Better made by :meth:`from_estimator`. Blue speaks for a class and red against it. All
    classes share one scale; that of colours is symmetric about zero.

    Parameters
    ----------
    coef : {ndarray, sparse matrix} of shape (n_classes, n_features) or (1, n_features)
        Coefficients; one row when there are two classes.
    classes : array-like of shape (n_classes,)
        Labels.
    feature_names : array-like of shape (n_features,), default=None
        Names of the features; None for x0, x1, ...
    scale : array-like of shape (n_features,), default=None
        By what the coefficients of each feature are multiplied, such as its standard deviation.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        The panels: one for each row of `coef`, but a single one for a heat map.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure
        The figure.
    images_ : list of matplotlib AxesImage
        Images, or the heat map.
    bars_ : list of matplotlib BarContainer
        Bars, one container for each panel.

    See Also
    --------
    TrainingDisplay : How the model got there.
    PredictionDisplay : What comes of it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_softmax import CoefficientDisplay, SoftmaxRegression
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> display = CoefficientDisplay.from_estimator(SoftmaxRegression().fit(X, y))
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['sepal length (cm)', 'sepal width (cm)', 'petal length (cm)', 'petal width (cm)']
    """

    def __init__(self, *, coef, classes, feature_names=None, scale=None):
        self.coef = coef
        self.classes = classes
        self.feature_names = feature_names
        self.scale = scale

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        X=None,
        feature_names=None,
        kind=None,
        image_shape=None,
        n_features=20,
        limit=None,
        cmap="RdBu",
        ax=None,
    ):
        """Plot the coefficients of a fitted model.

        Parameters
        ----------
        estimator : estimator
            Fitted :class:`SoftmaxRegression`, also as the last step of a pipeline or as
            `best_estimator_` of a search. In a pipeline, coefficients are those of what the
            steps before it make of the features.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows, by which coefficients are multiplied by the standard deviation of their feature:
            those of features in different units can be compared then. None for the coefficients
            themselves.
        feature_names : array-like of shape (n_features,), default=None
            Names of the features. None for those of the model, or else those that the steps
            before it give to their output.
        kind, image_shape, n_features, limit, cmap, ax
            As for :meth:`plot`.

        Returns
        -------
        display : CoefficientDisplay
            The display, drawn.
        """
        model, steps = unwrap(estimator)
        if feature_names is None:
            feature_names = names_of_columns(model, steps)
        scale = (
            None if X is None else _standard_deviations(X if steps is None else steps.transform(X))
        )
        display = cls(
            coef=model.coef_, classes=model.classes_, feature_names=feature_names, scale=scale
        )
        return display.plot(
            ax, kind=kind, image_shape=image_shape, n_features=n_features, limit=limit, cmap=cmap
        )

    def plot(self, ax=None, *, kind=None, image_shape=None, n_features=20, limit=None, cmap="RdBu"):
        """Draw the coefficients.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw, one for each panel; None for a new figure.
        kind : {"image", "heatmap", "bar"}, default=None
            An image for each class, whose pixels are the features; one table of features by
            classes; or bars, a panel for each class. None for "image" if `image_shape` is
            given, otherwise "heatmap".
        image_shape : tuple of int, default=None
            Height and width of the images.
        n_features : int, default=20
            How many features a heat map or a panel of bars shows: those with the largest
            absolute coefficients, largest first. If there are no more than this, all of them
            in their order.
        limit : float, default=None
            Absolute coefficient at which colours and axes end. None for the largest; in images, for
            one that 99.5% of the coefficients do not exceed, since few pixels at the rim are
            often much larger than the others.
        cmap : str or matplotlib Colormap, default="RdBu"
            A diverging colour map.

        Returns
        -------
        self : CoefficientDisplay
            The display.
        """
        plt = import_pyplot(self)
        coef = np.asarray(dense(self.coef), dtype=float)
        if self.scale is not None:
            coef = coef * self._checked_scale(coef.shape[1])
        if kind is None:
            kind = "heatmap" if image_shape is None else "image"
        if kind not in ("image", "heatmap", "bar"):
            raise ValueError(f'kind must be "image", "heatmap" or "bar", got {kind!r}.')
        if limit is None:
            size = np.abs(coef)
            limit = (np.quantile(size, 0.995) if kind == "image" else size.max()) or 1.0
        colours = {"cmap": cmap, "vmin": -limit, "vmax": limit}
        self.images_, self.bars_ = [], []
        if kind == "image":
            self._images(plt, ax, coef, colours, image_shape)
        elif kind == "heatmap":
            self._heatmap(plt, ax, coef, colours, n_features)
        else:
            self._bars(plt, ax, coef, cmap, limit, n_features)
        return self

    def _checked_scale(self, n_features):
        """What coefficients are multiplied by."""
        scale = np.asarray(self.scale, dtype=float)
        if scale.shape != (n_features,):
            raise ValueError(
                f"scale must have a number for each of the {n_features} features, got an array of "
                f"shape {scale.shape}; X must have as many columns as in fit."
            )
        return scale

    @property
    def _unit(self):
        """What the numbers are."""
        if self.scale is None:
            return "coefficient (logit per unit)"
        return "coefficient \N{MULTIPLICATION SIGN} standard deviation (logit)"

    def _titles(self):
        """What each row of `coef` speaks for."""
        classes = [str(label) for label in self.classes]
        if np.shape(self.coef)[0] == len(classes):
            return classes
        return [f"{classes[1]} against {classes[0]}"]

    def _names(self):
        """Names of all features."""
        if self.feature_names is None:
            return np.array([f"x{j}" for j in range(np.shape(self.coef)[1])])
        names = np.asarray(self.feature_names, dtype=object)
        if len(names) != np.shape(self.coef)[1]:
            raise ValueError(
                f"feature_names has {len(names)} names for {np.shape(self.coef)[1]} features."
            )
        return names

    def _images(self, plt, ax, coef, colours, image_shape):
        """An image for each class."""
        if image_shape is None:
            raise ValueError('kind="image" needs image_shape, such as (28, 28).')
        check_image_shape(image_shape, coef.shape[1])
        axes = make_axes(plt, ax, len(coef), 5, (1.7, 1.8))
        for panel, row, title in zip(axes, coef, self._titles(), strict=True):
            self.images_.append(panel.imshow(row.reshape(image_shape), **colours))
            panel.set_title(title, fontsize=10)
            panel.set(xticks=[], yticks=[])
        self._set_axes(axes)
        extend = "both" if np.abs(coef).max() > colours["vmax"] else "neither"
        bar = self.figure_.colorbar(
            self.images_[0], ax=list(axes), extend=extend, label=self._unit, pad=0.02
        )
        bar.outline.set_visible(False)

    def _heatmap(self, plt, ax, coef, colours, n_features):
        """Features by classes, with numbers in the cells where they are few."""
        order = _largest(np.abs(coef).max(axis=0), n_features)
        table, names, titles = coef[:, order].T, self._names()[order], self._titles()
        n_rows, n_columns = table.shape
        longest = max(map(len, titles))
        oblique = n_columns > 1 and longest > 10
        column = 0.6 if oblique else max(0.6, 0.1 * longest)
        size = (1.5 + _width(names) + column * n_columns, 0.9 + 0.28 * n_rows)
        axes = make_axes(plt, ax, 1, 1, size)
        panel = axes[0]
        image = panel.imshow(table, aspect="auto", **colours)
        panel.set_yticks(range(n_rows), names)
        style = {"rotation": 35, "ha": "left", "rotation_mode": "anchor"} if oblique else {}
        panel.set_xticks(range(n_columns), titles, **style)
        panel.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        panel.spines[:].set_visible(False)
        if n_columns <= 12:
            _write_numbers(panel, table, colours["vmax"])
        self.images_.append(image)
        self._set_axes(axes)
        panel.set_xlabel(_left_out(n_rows, coef.shape[1]))
        bar = self.figure_.colorbar(image, ax=panel, label=self._unit)
        bar.outline.set_visible(False)

    def _bars(self, plt, ax, coef, cmap, limit, n_features):
        """Bars for each class, of features common to all classes or of its own."""
        names, titles = self._names(), self._titles()
        common = coef.shape[1] <= n_features
        n_columns = 5 if common else 4
        orders = [_largest(np.abs(row), n_features) for row in coef]
        shown = np.concatenate([row[order] for row, order in zip(coef, orders, strict=True)])
        ends = [min(0, shown.min()), max(0, shown.max())] if shown.any() else [-limit, limit]
        labels = max(_width(names[order]) for order in orders)
        share = labels / min(n_columns, len(coef)) if common else labels
        size = (1.7 + share, 0.8 + 0.19 * len(orders[0]))
        axes = make_axes(plt, ax, len(coef), n_columns, size)
        left_out = _left_out(len(orders[0]), coef.shape[1])
        positive, negative = (plt.get_cmap(cmap)(end) for end in (0.9, 0.1))
        for k, (panel, row, order) in enumerate(zip(axes, coef, orders, strict=True)):
            values = row[order]
            fill = [positive if value > 0 else negative for value in values]
            self.bars_.append(panel.barh(range(len(order)), values, color=fill))
            panel.set_yticks(range(len(order)), names[order], fontsize=8)
            repeated = common and ax is None and k % n_columns
            panel.tick_params(axis="y", length=0, labelleft=not repeated)
            panel.set_xlim(1.05 * np.clip(ends, -limit, limit))
            panel.margins(y=0.02)
            panel.invert_yaxis()
            panel.axvline(0, color="0.3", linewidth=0.8)
            panel.spines[["top", "right", "left"]].set_visible(False)
            panel.set_title(titles[k], fontsize=10)
            panel.set_xlabel("\n".join(filter(None, [self._unit, left_out])), fontsize=8)
        self._set_axes(axes)

    def _set_axes(self, axes):
        """The attributes that every plot sets."""
        self.axes_, self.ax_, self.figure_ = axes, axes[0], axes[0].figure


def _standard_deviations(X):
    """Those of the columns of rows."""
    from sklearn.preprocessing import StandardScaler  # takes long to import

    return np.sqrt(StandardScaler(with_mean=False).fit(X).var_)


def _left_out(n_shown, n_features):
    """How many features are shown, if that is not all of them."""
    return "" if n_shown == n_features else f"{n_shown} of {n_features} features"


def _largest(size, n):
    """The indices of the n largest, largest first; all in order if there are no more than n."""
    return np.arange(len(size)) if len(size) <= n else np.argsort(-size, kind="stable")[:n]


def _width(names):
    """Inches that the longest name takes, roughly."""
    return 0.075 * max(len(str(name)) for name in names)


def _write_numbers(panel, table, limit):
    """Each value into its cell, with as many decimals as the largest needs."""
    decimals = max(0, 2 - round(np.log10(limit)))
    for (i, j), value in np.ndenumerate(table):
        text = f"{round(value, decimals) + 0.0:.{decimals}f}"  # no negative zero
        colour = "white" if abs(value) > 0.55 * limit else "black"
        panel.text(
            j,
            i,
            text.replace("-", "\N{MINUS SIGN}"),
            ha="center",
            va="center",
            fontsize=8,
            color=colour,
        )
