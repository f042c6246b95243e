"""What two workers do during a fit, as a page: Dask's task stream.

    pip install bokeh
    python benchmarks/task_stream.py task_stream.html

The rows are those of `dask_rows.py`, 800,000 of them. The picture in the documentation is a
screenshot of the page, 1020 x 270 pixels.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from bokeh.embed import file_html
from bokeh.resources import INLINE
from dask_rows import N_PARTS, collections, make_part, two_workers
from distributed import get_task_stream

from sk_softmax.dask import DaskSoftmaxRegression


def main():
    """Fit, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=800_000)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    with TemporaryDirectory() as folder, two_workers() as client:
        X, y = collections(client, make_part, options.rows // N_PARTS)
        DaskSoftmaxRegression(max_iter=1, tol=None).fit(X[:, :2], y)
        page = Path(folder) / "unused.html"
        with get_task_stream(client, plot="save", filename=str(page)) as stream:
            DaskSoftmaxRegression().fit(X, y)
    figure = stream.figure
    figure.width, figure.height, figure.sizing_mode = 1000, 250, "fixed"
    figure.title.text, figure.toolbar_location = "", None
    options.output.write_text(file_html(figure, INLINE))


if __name__ == "__main__":
    main()
