"""Parameters and values of other estimators are answered by what takes their place."""

import inspect

import pytest
from reference import make_problem
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from sk_softmax import SoftmaxRegression, SoftmaxRegressionCV, _hints


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("penalty", "l1", "l1_ratio=1 makes it L1, and C=numpy.inf none"),
        ("alpha", 1e-4, r"C = 1 / \(alpha \* n_samples\)"),
        ("multi_class", "ovr", "OneVsRestClassifier"),
        ("eta0", 0.1, "learning_rate"),
        ("hidden_layer_sizes", (), "no hidden layers"),
        ("epochs", 10, "max_iter"),
    ],
)
def test_a_parameter_of_another_estimator(name, value, hint):
    with pytest.raises(TypeError, match=f"no parameter '{name}'.*{hint}.*Coming from"):
        SoftmaxRegression(**{name: value})
    with pytest.raises(ValueError, match=f"no parameter '{name}'.*{hint}.*Coming from"):
        SoftmaxRegression().set_params(**{name: value})
    with pytest.raises(ValueError, match=hint):
        GridSearchCV(SoftmaxRegression(), {name: [value]}).fit(*make_problem(0))


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        *(("solver", value, "raw features") for value in ("saga", "newton-cg", "liblinear")),
        ("solver", "l1", "The first argument is the solver"),
        ("learning_rate", "optimal", "schedule"),
        ("learning_rate", "adaptive", "schedule"),
        ("schedule", "invscaling", "inverse_scaling"),
    ],
)
def test_a_value_of_another_estimator(name, value, hint):
    X, y = make_problem(0)
    model = SoftmaxRegression(**{name: value})
    with pytest.raises(ValueError, match=f"The '{name}' parameter.*{hint}.*Coming from"):
        model.fit(X, y)
    with pytest.raises(ValueError, match=f"The '{name}' parameter.*{hint}.*Coming from"):
        model.partial_fit(X, y, classes=[0, 1, 2])


def test_cross_validation_answers_alike():
    with pytest.raises(TypeError, match=r"SoftmaxRegressionCV has no parameter 'penalty'.*Coming"):
        SoftmaxRegressionCV(penalty="l2")
    with pytest.raises(ValueError, match="SoftmaxRegressionCV has no parameter 'dual'"):
        SoftmaxRegressionCV().set_params(dual=False)
    with pytest.raises(ValueError, match=r"The 'solver' parameter.*raw features"):
        SoftmaxRegressionCV(solver="saga").fit(*make_problem(0))


def test_other_mistakes_are_answered_as_usual():
    with pytest.raises(TypeError, match="unexpected keyword argument 'Cs'"):
        SoftmaxRegression(Cs=3)
    with pytest.raises(ValueError, match="Invalid parameter 'Cs'"):
        SoftmaxRegression().set_params(Cs=3)


@pytest.mark.parametrize(
    ("solver", "max_iter", "unit"),
    [("sgd", 1, "1 epoch;"), ("sgd", 2, "2 epochs;"), ("lbfgs", 1, "1 iteration;")],
)
def test_one_epoch_is_not_several(solver, max_iter, unit):
    model = SoftmaxRegression(solver, max_iter=max_iter, random_state=0)
    with pytest.warns(ConvergenceWarning, match=f"max_iter={unit}"):
        model.fit(*make_problem(0))


def test_hints_are_of_parameters_that_others_have_and_we_do_not():
    ours = set(SoftmaxRegression().get_params())
    assert not ours & set(_hints._PARAMETERS)
    theirs = set().union(
        *(e().get_params() for e in (LogisticRegression, SGDClassifier, MLPClassifier))
    )
    # multi_class went with scikit-learn 1.8, the last are PyTorch's and Keras's words.
    assert set(_hints._PARAMETERS) <= theirs | {"multi_class", "lr", "epochs", "n_epochs"}


def test_the_signature_is_the_constructors():
    parameters = inspect.signature(SoftmaxRegression).parameters
    assert list(parameters)[:2] == ["solver", "C"]
    assert clone(SoftmaxRegression(C=3.0)).C == 3.0
