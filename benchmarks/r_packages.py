"""Packages of R, each fit in an Rscript process of its own that times itself.

Data go there, and coefficients come back, as binary files; `fit.R` reads and writes them.
"""

import functools
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from fits import Fit
from scipy import sparse

_RSCRIPT = ["Rscript", "--vanilla"]


@functools.cache
def package_version(package):
    """Version of an R package, or None."""
    if not shutil.which("Rscript"):
        return None
    call = [*_RSCRIPT, "-e", f'cat(as.character(packageVersion("{package}")))']
    answer = subprocess.run(call, capture_output=True, text=True, check=False)
    return answer.stdout if answer.returncode == 0 else None


def installed(package):
    """Condition that R has the package."""
    return lambda X, C: None if package_version(package) else f"R's {package} is not installed"


def dense(X, C):
    """Why nnet does not take the data, or None."""
    return "it wants dense data" if sparse.issparse(X) else None


def fit(package, X, y, C, setting, *, alpha=0, path=()):
    """Fit by `package`; `setting` goes to `fit.R`, None is its default; alpha is glmnet's.

    With a `path` of lambdas, rows for each of them, one after the other.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, X, y)
        if len(path):
            np.asarray(path, dtype=np.float64).tofile(folder / "path")
        numbers = (*X.shape, int(y.max()) + 1, 1 / (C * len(y)), alpha)
        arguments = map(repr, (*numbers, *(setting or ())))
        script = Path(__file__).with_name("fit.R")
        subprocess.run(
            [*_RSCRIPT, script, folder, package, *arguments],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        theta = np.fromfile(folder / "theta").reshape(-1, X.shape[1] + 1)
        seconds, *said = (folder / "report").read_text().splitlines()
    return Fit(theta[:, :-1], theta[:, -1], float(seconds), said[0] if said else None)


def _write(folder, X, y):
    """X by columns, dense or compressed, and y."""
    y.astype(np.int32).tofile(folder / "y")
    if sparse.issparse(X):
        X = X.tocsc()
        X.indices.astype(np.int32).tofile(folder / "i")
        X.indptr.astype(np.int32).tofile(folder / "p")
        X.data.astype(np.float64).tofile(folder / "x")
    else:
        X.T.astype(np.float64).tofile(folder / "x")
