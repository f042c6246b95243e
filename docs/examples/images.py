"""Image data for the examples: a folder, OpenML, or scikit-learn's bundled digits."""

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml, load_digits
from sklearn.model_selection import train_test_split

#: Environment variable that names a folder with mnist.npz and fashion_mnist.npz.
DATA_VARIABLE = "SK_SOFTMAX_DATA"

OPENML_NAMES = {"mnist": "mnist_784", "fashion_mnist": "Fashion-MNIST"}
CLASS_NAMES = {
    "fashion_mnist": (
        *("T-shirt", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
}


def load_chosen_images():
    """`load_images` with what the command line says: ``--data NAME --data-dir FOLDER``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", choices=["digits", *OPENML_NAMES], default="digits")
    parser.add_argument(
        "--data-dir", help="folder with mnist.npz and fashion_mnist.npz"
    )
    options = parser.parse_args()
    return load_images(options.data, options.data_dir)


def load_images(name="digits", folder=None):
    """Return ``X_train, X_test, y_train, y_test`` and say where they came from.

    `name` is "digits" (bundled with scikit-learn), "mnist" or "fashion_mnist". The latter
    two are read from ``<name>.npz`` in `folder`, in the folder that the environment variable
    SK_SOFTMAX_DATA names, or fetched from OpenML. Pixels are float32 in [0, 1], labels are
    strings. SystemExit says what to do where they cannot be had.
    """
    if name == "digits":
        digits = load_digits()
        X, y, source = digits.data / 16, digits.target, "scikit-learn's bundled digits"
        splits = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    else:
        splits, source = _large_images(name, folder)
    X_train, X_test, y_train, y_test = splits
    print(f"{source}: {len(X_train)} training and {len(X_test)} test images")
    names = np.array(CLASS_NAMES.get(name, [str(digit) for digit in range(10)]))
    return (
        *(X.reshape(len(X), -1).astype(np.float32) for X in (X_train, X_test)),
        *(names[np.asarray(y, dtype=int)] for y in (y_train, y_test)),
    )


def _large_images(name, folder):
    """The 60,000 training and 10,000 test images of one of the two large sets."""
    folder = folder or os.environ.get(DATA_VARIABLE)
    if folder:
        path = Path(folder) / f"{name}.npz"
        if not path.exists():
            raise SystemExit(
                f"There is no {path}: name a folder that holds {name}.npz."
            )
        with np.load(path) as data:
            X_train, X_test = (
                data["X_train"] / np.float32(255),
                data["X_test"] / np.float32(255),
            )
            return (X_train, X_test, data["y_train"], data["y_test"]), str(path)
    try:
        bunch = fetch_openml(OPENML_NAMES[name], version=1, as_frame=False)
    except OSError as error:  # which errors of the network are
        raise SystemExit(
            f"OpenML is out of reach ({error}): name a folder that holds {name}.npz by --data-dir "
            f"or {DATA_VARIABLE}, or use --data digits."
        ) from None
    X = bunch.data.astype(np.float32) / 255
    splits = X[:60000], X[60000:], bunch.target[:60000], bunch.target[60000:]
    return splits, f"OpenML's {OPENML_NAMES[name]}"
