"""Store models of this version, and what they predict, for tests of later versions.

`python tools/make_fixtures.py`, once for each release and with the oldest dependencies, whose
pickles newer ones can read. Files of earlier releases are never made again.
"""

import json
import pickle
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

import sk_softmax
from sk_softmax import SoftmaxRegression

FOLDER = Path(__file__).parent.parent / "tests" / "data" / "models"


def models():
    """Models of every kind, by name; classes are words."""
    X, y = load_iris(return_X_y=True)
    words = np.array(["setosa", "versicolor", "virginica"])[y]
    yield "lbfgs", SoftmaxRegression("lbfgs").fit(X, words)
    yield "two_classes", SoftmaxRegression("lbfgs", C=0.1).fit(X[y > 0], words[y > 0])
    yield "sgd", SoftmaxRegression("sgd", tol=None, max_iter=5, random_state=0).fit(X, words)
    stream = SoftmaxRegression(random_state=0, momentum=0.5, average=True)
    for rows in np.split(np.random.default_rng(0).permutation(150), 3):
        stream.partial_fit(X[rows], words[rows], classes=np.unique(words))
    yield "stream", stream


def main():
    X, _ = load_iris(return_X_y=True)
    folder = FOLDER / sk_softmax.__version__
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in models():
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model, protocol=4))
        predictions = {
            "predict": model.predict(X[::10]).tolist(),
            "predict_proba": model.predict_proba(X[::10]).tolist(),
        }
        (folder / f"{name}.json").write_text(json.dumps(predictions, indent=1) + "\n")


if __name__ == "__main__":
    main()
