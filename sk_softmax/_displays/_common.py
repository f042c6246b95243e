"""What displays share: the import of matplotlib, colours and axes."""

import numpy as np

#: The colours of Okabe and Ito, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def import_pyplot(display):
    """matplotlib.pyplot, or an ImportError that says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        name = type(display).__name__
        message = f'{name}.plot needs matplotlib: pip install "matplotlib>=3.8"'
        raise ImportError(message) from error
    return plt


def make_axes(plt, ax, n_panels, n_columns, panel_size):
    """`ax` as an array of `n_panels` Axes, or those of a new figure in rows of `n_columns`."""
    if ax is not None:
        axes = np.array(ax, dtype=object).ravel()
        if len(axes) != n_panels:
            raise ValueError(f"ax must be None or {n_panels} Axes, got {len(axes)}.")
        return axes
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    size = (panel_size[0] * n_columns, panel_size[1] * n_rows)
    _, axes = plt.subplots(n_rows, n_columns, squeeze=False, figsize=size, layout="constrained")
    for spare in axes.flat[n_panels:]:
        spare.remove()
    return axes.ravel()[:n_panels]


def check_image_shape(image_shape, n_features):
    """Raise ValueError unless a row of `n_features` can be reshaped to `image_shape`."""
    n_pixels = np.prod(image_shape)
    if n_pixels != n_features:
        raise ValueError(
            f"image_shape={image_shape!r} has {n_pixels} pixels, but there are {n_features} "
            "features."
        )
