"""Models that earlier versions stored are read and predict as they did: line 42 of the promises."""

import json
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris

PICKLES = sorted((Path(__file__).parent / "data" / "models").rglob("*.pickle"))


@pytest.fixture(params=PICKLES, ids=lambda path: f"{path.parent.name} {path.stem}")
def stored(request):
    expected = json.loads(request.param.with_suffix(".json").read_text())
    return request.param, expected


def test_there_are_models_of_every_kind():
    assert {path.stem for path in PICKLES} == {"lbfgs", "two_classes", "sgd", "stream"}


def test_it_predicts_as_it_did(stored):
    path, expected = stored
    X, _ = load_iris(return_X_y=True)
    model = pickle.loads(path.read_bytes())
    assert model.predict(X[::10]).tolist() == expected["predict"]
    np.testing.assert_allclose(
        model.predict_proba(X[::10]), expected["predict_proba"], rtol=1e-12, atol=1e-300
    )


@pytest.mark.filterwarnings("ignore:The solver 'lbfgs' does not use")
def test_it_can_be_fitted_and_streamed_on(stored):
    path, _ = stored
    X, y = load_iris(return_X_y=True)
    model = pickle.loads(path.read_bytes())
    labels = model.classes_[np.minimum(y, len(model.classes_) - 1)]
    before = model.coef_
    model.partial_fit(X, labels)
    assert not np.array_equal(model.coef_, before)
    clone(model).set_params(solver="lbfgs", max_iter=None, tol=1e-6).fit(X, labels)
    repr(model)


def test_it_names_no_private_path(stored):
    path, _ = stored
    names = [argument for _, argument, _ in pickletools.genops(path.read_bytes())]
    assert not [name for name in names if str(name).startswith("sk_softmax._")]
