"""Published fits, and their minima to as many digits as floats have: see high_precision.py.

"LRE" is the number of correct digits, -log10 of the relative error, as in the statistical
reference datasets of NIST.
"""

import numpy as np
import pytest
from high_precision import election_study, pneumoconiosis
from sklearn.datasets import load_iris

from sk_softmax import SoftmaxRegression

# Rows: the seven classes or the three states. Computed with thirty and fifty digits.
ELECTION_COEF = [
    [0.07599647494793668, -0.8512352954923822, 0.014101728871168459, -0.14215346974668222],
    [0.06446050038124795, -0.553520943903002, -0.010843266570830068, -0.05966202760733878],
    [-0.012754178082554975, -0.4595666537600032, -0.008796108221820878, 0.03888928776665547],
    [-0.029970224038937839, -0.27778478772775489, -0.00074947801345468142, -0.14930588878896692],
    [-0.015560226744729816, 0.42753649111881686, 0.0054203838410541499, 0.057674485573296616],
    [-0.017288129009397194, 0.49572635021521672, -0.0038023400758907303, 0.074785380133765872],
    [-0.064884217453564805, 1.2188448395491087, 0.0046690801697737479, 0.17977223266926995],
]
ELECTION_INCOME = [
    -0.054999508499201849,
    -0.049802955326690747,
    -0.0071255324116613139,
    0.0025756510421665471,
    0.029498866751319665,
    0.025958903656789951,
    0.053894574787277751,
]
ELECTION_INTERCEPT = [
    4.724281517402607,
    4.350879840044124,
    2.4733683405644724,
    1.0586979871880704,
    -2.8895615730422075,
    -2.3361967290962906,
    -7.381469383060776,
]
ELECTION_LOSS = 1461.9227472481462


def lre(found, expected):
    """The fewest correct digits of any number, at most 15."""
    error = np.abs(np.asarray(found) - expected) / np.abs(expected)
    return -np.log10(max(error.max(), 1e-15))


@pytest.fixture(scope="module")
def election():
    X, y = election_study()
    return SoftmaxRegression("lbfgs", C=np.inf, tol=1e-24, max_iter=20_000).fit(X, y), len(y)


def test_election_study_to_ten_digits(election):
    model, n = election
    assert lre(model.coef_, np.column_stack([ELECTION_COEF, ELECTION_INCOME])) > 9
    assert lre(model.intercept_, ELECTION_INTERCEPT) > 9
    assert lre(n * model.loss_, ELECTION_LOSS) > 13


def test_election_study_as_published_by_statsmodels(election):
    """The first of the six equations of its documentation, against class 0."""
    model, n = election
    published = [-0.0115, 0.2977, -0.0249, 0.0825, 0.0052]
    np.testing.assert_allclose(model.coef_[1] - model.coef_[0], published, atol=5e-5)
    assert model.intercept_[1] - model.intercept_[0] == pytest.approx(-0.3734, abs=5e-5)
    assert -n * model.loss_ == pytest.approx(-1461.9, abs=0.05)


def test_election_study_at_the_default_tol():
    X, y = election_study()
    model = SoftmaxRegression(C=np.inf).fit(X, y)
    assert model.converged_
    assert ELECTION_LOSS <= len(y) * model.loss_ <= ELECTION_LOSS * (1 + 1e-5)


@pytest.mark.parametrize(
    ("C", "coef", "intercept", "value"),
    [
        (
            np.inf,
            [-1.7442797872099083, 0.4210930864550656, 1.3231867007548426],
            [6.970373908270991, -1.9656558292687536, -5.004718079002237],
            204.43444103958342,
        ),
        (
            0.1,
            [-1.0297285479463072, 0.3864079658597529, 0.6433205820865542],
            [4.536466280657486, -1.9042402451979865, -2.6322260354594995],
            21.763120823977616,
        ),
    ],
)
def test_pneumoconiosis_of_miners_to_ten_digits(C, coef, intercept, value):
    """Counts of three states in eight groups: shares as targets, their totals as weights."""
    X, shares, totals = pneumoconiosis()
    model = SoftmaxRegression("lbfgs", C=C, tol=1e-24, max_iter=20_000).fit(X, shares, totals)
    assert lre(model.coef_[:, 0], coef) > 10
    assert lre(model.intercept_, intercept) > 10
    unit = totals.sum() * (C if np.isfinite(C) else 1)
    assert lre(unit * model.loss_, value) > 13


def test_pneumoconiosis_of_miners_as_found_by_VGAM():
    """``vglm(cbind(normal, mild, severe) ~ log(exposure.time), multinomial(refLevel = 1))``."""
    X, shares, totals = pneumoconiosis()
    model = SoftmaxRegression("lbfgs", C=np.inf, tol=1e-20, max_iter=20_000).fit(X, shares, totals)
    slopes = model.coef_[1:, 0] - model.coef_[0, 0]
    np.testing.assert_allclose(slopes, [2.165372874, 3.067466488], rtol=1e-8)
    intercepts = model.intercept_[1:] - model.intercept_[0]
    np.testing.assert_allclose(intercepts, [-8.936029737, -11.975091987], rtol=1e-8)


def test_two_species_of_iris_as_found_by_glm_of_R():
    """``glm(Species ~ ., binomial, iris, Species != "setosa")``."""
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression("lbfgs", C=np.inf, tol=1e-20).fit(X[y > 0], y[y > 0])
    published = [-2.465220, -6.680887, 9.429385, 18.286137]
    np.testing.assert_allclose(model.coef_[0], published, rtol=1e-6)
    assert model.intercept_[0] == pytest.approx(-42.637804, rel=1e-6)


# glmnet 4.1.6 with ``standardize=FALSE, thresh=1e-20`` along lambda = 0.4, 0.2, 0.1, 0.05, 0.02.
GLMNET = {
    "lasso": (
        {"l1_ratio": 1.0},
        [[0, 0, -2.85422812866, 0], [0, 0, 0, 0], [0, 0, 3.14917151062, 1.31971493560]],
        [11.04577504607, 3.26499150729, -14.31076655336],
    ),
    "elastic net": (
        {"l1_ratio": 0.5},
        [
            [0, 0.256655730033, -2.245781753785, -0.344012472176],
            [0.00358678088796, 0, 0, -0.13537289681685],
            [0, 0, 2.19870238494, 1.47938536899],
        ],
        [8.215130159188, 2.60035803990001, -10.81548819909],
    ),
    "lasso, two classes": (
        {"l1_ratio": 1.0},
        [[0, 0, 3.29793907631, 2.46976500573]],
        [-20.21652240514],
    ),
    "lower.limits, upper.limits": (
        {"l1_ratio": 1.0, "bounds": ([0, -np.inf, 0, 0], [np.inf, 0, 1, 2])},
        [[0.0916583512226, 0, 1, 2]],
        [-8.8142441459602],
    ),
    "penalty.factor": (
        {"l1_ratio": 0.5, "penalty_factor": [2, 0, 1, 1]},
        [[0, -1.16702548937, 2.63081042636, 2.07657385131]],
        [-12.97782339416],
    ),
}


@pytest.mark.parametrize("name", GLMNET)
def test_iris_as_found_by_glmnet_of_R(name):
    parameters, coef, intercept = GLMNET[name]
    X, y = load_iris(return_X_y=True)
    if len(coef) == 1:
        X, y = X[y > 0], y[y > 0]
    model = SoftmaxRegression(C=1 / (0.02 * len(y)), tol=1e-14, **parameters).fit(X, y)
    np.testing.assert_allclose(model.coef_, coef, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(model.coef_ == 0, np.equal(coef, 0))
    np.testing.assert_allclose(model.intercept_, intercept, rtol=0, atol=2e-5)
