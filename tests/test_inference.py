"""Standard errors against statsmodels, R's nnet, closed forms, and sums written by hand."""

import html
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from high_precision import DATA, election_study, pneumoconiosis
from reference import make_problem
from scipy import sparse
from scipy.special import softmax
from scipy.stats import chi2
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import (
    SoftmaxRegression,
    average_marginal_effects,
    likelihood_ratio_test,
    summary,
)


def lre(found, expected):
    """The fewest correct digits of any number, at most 15."""
    error = np.abs(np.asarray(found) - expected) / np.abs(expected)
    return -np.log10(max(np.max(error), 1e-15))


def unpenalised(X, y, s=None, **parameters):
    return SoftmaxRegression(C=np.inf, **parameters).fit(X, y, sample_weight=s)


def wine():
    X, y = load_wine(return_X_y=True)
    return X[:, [1, 2, 3]], y


def two_species():
    X, y = load_iris(return_X_y=True)
    return X[50:], y[50:] - 1


PROBLEMS = {"election": election_study, "wine": wine, "iris": two_species}


def by_statsmodels(X, y, **options):
    api = pytest.importorskip("statsmodels.api")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it cannot reach such a tolerance
        model = api.MNLogit(y, api.add_constant(X))
        return model.fit(method="newton", tol=1e-14, maxiter=200, disp=0, **options)


# Against other programs


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-14])
def test_statsmodels(name, tol):
    """Whatever the tol of the fit; the numbers of statsmodels are in columns."""
    X, y = PROBLEMS[name]()
    found, expected = summary(unpenalised(X, y, tol=tol), X, y), by_statsmodels(X, y)
    for ours, theirs in (
        (found.coef.T, expected.params),
        (found.std_error.T, expected.bse),
        (found.z.T, expected.tvalues),
        (found.p_value.T, expected.pvalues),
        (found.covariance, expected.cov_params()),
        (found.conf_int().reshape(-1, 2), np.reshape(expected.conf_int(), (-1, 2))),
        (found.conf_int(0.9).reshape(-1, 2), np.reshape(expected.conf_int(0.1), (-1, 2))),
        (found.log_likelihood, expected.llf),
        (found.log_likelihood_null, expected.llnull),
        (found.pseudo_r2, expected.prsquared),
        (found.aic, expected.aic),
        (found.bic, expected.bic),
    ):
        assert lre(ours, theirs) > 8


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_sandwich_of_statsmodels(name):
    X, y = PROBLEMS[name]()
    found = summary(unpenalised(X, y), X, y, covariance="sandwich")
    assert lre(found.std_error.T, by_statsmodels(X, y, cov_type="HC0").bse) > 8


def test_high_school_and_beyond_by_multinom_of_R():
    """As published with ``multinom(prog2 ~ ses + write)``, which stops with five digits right.

    UCLA, "Multinomial Logistic Regression, R Data Analysis Examples".
    """
    table = pd.read_csv(DATA / "hsb2.csv")
    X = pd.DataFrame(
        {"middle": table.ses == "middle", "high": table.ses == "high", "write": table.write}
    ).astype(float)
    y = table.prog.to_numpy(dtype=str)
    found = summary(unpenalised(X, y), X, y, reference="academic")
    assert list(found.labels) == ["general", "vocational"]
    assert list(found.names) == ["intercept", "middle", "high", "write"]
    coef = [
        [2.852198, -0.5332810, -1.1628226, -0.0579287],
        [5.218260, 0.2913859, -0.9826649, -0.1136037],
    ]
    np.testing.assert_allclose(found.coef, coef, rtol=5e-5)
    std_error = [
        [1.166441, 0.4437323, 0.5142196, 0.02141097],
        [1.163552, 0.4763739, 0.5955665, 0.02221996],
    ]
    np.testing.assert_allclose(found.std_error, std_error, rtol=5e-6)
    p_value = [
        [0.0144766100, 0.2294379, 0.02373856, 6.818902e-03],
        [7.299893e-06, 0.5407530, 0.09894976, 3.176045e-07],
    ]
    np.testing.assert_allclose(found.p_value, p_value, rtol=5e-4)
    assert -2 * found.log_likelihood == pytest.approx(359.9635, abs=5e-5)
    assert found.aic == pytest.approx(375.9635, abs=5e-5)


def test_pneumoconiosis_of_miners_by_repeated_rows():
    """Shares of counts with their totals as weights are the miners one by one."""
    X, shares, totals = pneumoconiosis()
    counts = np.rint(shares * totals[:, np.newaxis]).astype(int)
    rows = np.repeat(np.arange(8), totals.astype(int))
    y = np.concatenate([np.repeat(np.arange(3), row) for row in counts])
    grouped = summary(unpenalised(X, shares, totals), X, shares, totals)
    single = summary(unpenalised(X[rows], y), X[rows], y)
    for name in ("coef", "std_error", "log_likelihood", "log_likelihood_null", "aic", "bic"):
        np.testing.assert_allclose(getattr(grouped, name), getattr(single, name), rtol=1e-10)
    assert lre(single.std_error.T, by_statsmodels(X[rows], y).bse) > 8


def test_two_by_two_table_has_a_closed_form():
    """The log odds ratio is that of the counts, its variance the sum of their inverses."""
    counts = np.array([[20.0, 5.0], [8.0, 12.0]])
    X, y, s = [[0.0], [0.0], [1.0], [1.0]], ["no", "yes"] * 2, counts.ravel()
    found = summary(unpenalised(X, y, s), X, y, s)
    slope = np.log(20 * 12 / (5 * 8))
    np.testing.assert_allclose(found.coef, [[np.log(5 / 20), slope]], rtol=1e-12)
    variance = [1 / 20 + 1 / 5, (1 / counts).sum()]
    np.testing.assert_allclose(found.std_error, np.sqrt([variance]), rtol=1e-12)
    assert found.odds_ratio[0, 1] == pytest.approx(6.0, rel=1e-12)
    assert found.n_rows == 45
    assert found.df == pytest.approx(2)


# By hand, for any C


def by_hand(X, y, s, theta, lam, power, fit_intercept):
    """Bread and meat in the parameters of the classes but the first, intercept first."""
    A = np.column_stack([np.ones(len(X)), X]) if fit_intercept else X
    K, q = len(theta) + 1, A.shape[1]
    P = softmax(np.column_stack([np.zeros(len(X)), A @ theta.T]), axis=1)
    H, M = np.zeros((2, (K - 1) * q, (K - 1) * q))
    for a, p, label, weight in zip(A, P, y, s, strict=True):
        H += weight * np.kron((np.diag(p) - np.outer(p, p))[1:, 1:], np.outer(a, a))
        g = np.kron((p - np.eye(K)[label])[1:], a)
        M += weight**power * np.outer(g, g)
    # ||W||^2 of rows that sum to zero, in differences to the first; a sigmoid has one row.
    gauge = np.eye(K - 1) - 1 / K if K > 2 else np.eye(1)
    slopes = np.diag([0.0] * fit_intercept + [1.0] * X.shape[1])
    return H, M, H + lam * np.kron(gauge, slopes)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [np.inf, 0.3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    ("options", "power"),
    [
        ({}, None),
        ({"covariance": "hessian"}, None),
        ({"covariance": "sandwich"}, 1),
        ({"weights": "sampling"}, 2),
    ],
)
def test_covariance_by_hand(n_classes, C, fit_intercept, options, power):
    X, y = make_problem(0, n_classes=n_classes)
    X = X * [1, 10, 0.1, 1] + [0, 3, 0, 0]
    s = np.random.default_rng(0).uniform(0.5, 2, size=len(y))
    model = SoftmaxRegression(C=C, fit_intercept=fit_intercept, tol=1e-14).fit(X, y, s)
    found = summary(model, X, y, s, **options)
    H, M, penalised = by_hand(X, y, s, found.coef, 1 / C, power or 1, fit_intercept)
    inverse = np.linalg.inv(penalised)
    expected = inverse if power is None else inverse @ M @ inverse
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(found.covariance / scale, expected / scale, atol=1e-9)
    assert found.df == pytest.approx(np.trace(inverse @ H), rel=1e-9)
    P = model.predict_proba(X)[np.arange(len(y)), y]
    n_rows = len(y) if power == 2 else s.sum()
    log_likelihood = n_rows * np.average(np.log(P), weights=s)
    assert found.log_likelihood == pytest.approx(log_likelihood, rel=1e-6)
    assert found.n_rows == pytest.approx(n_rows)


# Classes and references


def test_references_and_symmetry_are_the_same_model():
    X, y = wine()
    y = np.array(["a", "b", "c"])[y]
    model = unpenalised(X, y, tol=1e-14)
    first, last = summary(model, X, y), summary(model, X, y, reference="c")
    assert (first.reference, list(first.labels)) == ("a", ["b", "c"])
    assert (last.reference, list(last.labels)) == ("c", ["a", "b"])
    np.testing.assert_allclose(first.coef[1], -last.coef[0], rtol=1e-9)
    np.testing.assert_allclose(first.std_error[1], last.std_error[0], rtol=1e-9)
    mean = summary(model, X, y, symmetric=True)
    assert mean.reference is None
    assert list(mean.labels) == ["a", "b", "c"]
    np.testing.assert_allclose(mean.coef[:, 1:], model.coef_, rtol=1e-6)
    np.testing.assert_allclose(mean.coef.sum(axis=0), 0, atol=1e-9)
    # Var(a - b) of the symmetric estimates is that of the contrast.
    q = len(mean.names)
    for j in range(q):
        contrast = np.zeros((3, q))
        contrast[[0, 1], j] = 1, -1
        variance = contrast.ravel() @ mean.covariance @ contrast.ravel()
        assert np.sqrt(variance) == pytest.approx(first.std_error[0, j], rel=1e-8)


@pytest.mark.filterwarnings("ignore:All weight:UserWarning")
def test_classes_without_weight_are_left_out():
    X, y = wine()
    s = (y != 1).astype(float)
    found = summary(unpenalised(X, y, s), X, y, s)
    kept = y != 1
    expected = summary(unpenalised(X[kept], y[kept]), X[kept], y[kept])
    assert list(found.classes) == [0, 2]
    np.testing.assert_allclose(found.std_error, expected.std_error, rtol=1e-9)
    s = (y == 1).astype(float)
    with pytest.raises(ValueError, match="At least 2 classes must have weight"):
        summary(unpenalised(X, y, s), X, y, s)


# Weights


def test_frequency_weights_are_repetitions():
    X, y = wine()
    s = np.random.default_rng(0).integers(0, 4, size=len(y))
    rows = np.repeat(np.arange(len(y)), s)
    for options in ({}, {"covariance": "sandwich"}):
        weighted = summary(unpenalised(X, y, s), X, y, s, **options)
        repeated = summary(unpenalised(X[rows], y[rows]), X[rows], y[rows], **options)
        np.testing.assert_allclose(weighted.covariance, repeated.covariance, rtol=1e-7)
        assert weighted.bic == pytest.approx(repeated.bic)


def test_the_scale_of_sampling_weights_has_no_influence():
    X, y = wine()
    s = np.random.default_rng(0).uniform(1, 5, size=len(y))
    one = summary(unpenalised(X, y, s), X, y, s, weights="sampling")
    other = summary(unpenalised(X, y, 1e4 * s), X, y, 1e4 * s, weights="sampling")
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-7)
    assert one.covariance_type == "sandwich"
    assert one.log_likelihood == pytest.approx(other.log_likelihood)
    assert np.isnan(one.aic)
    assert np.isnan(one.bic)
    equal = summary(unpenalised(X, y), X, y, weights="sampling")
    plain = summary(unpenalised(X, y), X, y, covariance="sandwich")
    np.testing.assert_allclose(equal.covariance, plain.covariance, rtol=1e-9)


def test_class_weights_are_sampling_weights():
    X, y = wine()
    model = unpenalised(X, y, class_weight="balanced")
    with pytest.raises(ValueError, match=r'class_weight .* weights="sampling"'):
        summary(model, X, y)
    found = summary(model, X, y, weights="sampling")
    s = 1 / np.bincount(y)[y]
    expected = summary(unpenalised(X, y, s), X, y, s, weights="sampling")
    np.testing.assert_allclose(found.std_error, expected.std_error, rtol=1e-7)


# Containers, pipelines, names


@pytest.mark.parametrize(
    "convert",
    [sparse.csr_array, np.asfortranarray, lambda X: X.astype(np.float32), pd.DataFrame],
)
def test_containers(convert):
    X, y = wine()
    X = np.round(X, 1)
    given = convert(X)
    if isinstance(given, pd.DataFrame):
        given.columns = ["u", "v", "w"]
    model = unpenalised(given, y)
    found, expected = summary(model, given, y), summary(unpenalised(X, y), X, y)
    rtol = 1e-5 if getattr(given, "dtype", None) == np.float32 else 1e-8
    np.testing.assert_allclose(found.coef, expected.coef, rtol=rtol)
    np.testing.assert_allclose(found.std_error, expected.std_error, rtol=rtol)
    names = ["u", "v", "w"] if isinstance(given, pd.DataFrame) else ["x0", "x1", "x2"]
    assert list(found.names) == ["intercept", *names]


def test_the_model_stays_as_it_is(state_of):
    X, y = wine()
    model = unpenalised(X, y).sparsify()
    before = state_of(model)
    summary(model, X, y)
    assert state_of(model) == before


def test_pipelines_and_searches():
    X, y = wine()
    frame = pd.DataFrame(X, columns=["u", "v", "w"])
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegression(C=np.inf))
    found = summary(pipeline.fit(frame, y), frame, y)
    assert list(found.names) == ["intercept", "u", "v", "w"]
    raw = summary(unpenalised(X, y), X, y)
    np.testing.assert_allclose(found.z[:, 1:], raw.z[:, 1:], rtol=1e-8)
    search = GridSearchCV(pipeline, {"softmaxregression__C": [np.inf]}, cv=2).fit(frame, y)
    np.testing.assert_allclose(summary(search, frame, y).z, found.z, rtol=1e-8)


def test_large_offsets_and_units():
    """Years in a column, and columns of very different units, leave z alone."""
    X, y = wine()
    expected = summary(unpenalised(X, y), X, y).z[:, 1:]
    X = X * [1e-6, 1.0, 1e6] + [0.0, 2020.0, -1e8]
    np.testing.assert_allclose(summary(unpenalised(X, y), X, y).z[:, 1:], expected, rtol=1e-6)


def test_sgd_is_taken_to_the_minimum_from_near_it():
    X, y = election_study()
    model = SoftmaxRegression("sgd", C=np.inf, max_iter=300, random_state=0, tol=None).fit(X, y)
    expected = summary(unpenalised(X, y), X, y)
    np.testing.assert_allclose(summary(model, X, y).coef, expected.coef, rtol=1e-7)


# Output


def test_text():
    X, y = wine()
    text = repr(summary(unpenalised(X, y), X, y))
    lines = text.splitlines()
    assert lines[0] == "SoftmaxRegression of 3 classes, 178 rows, C=inf"
    assert "pseudo R2" in lines[1]
    assert "AIC" in lines[2]
    assert lines[3] == "Log odds against class 0:"
    tables = text.split("\n\n")[1:]
    assert [table.split("  ")[0] for table in tables] == ["class 1", "class 2"]
    for table in tables:
        assert len({len(line) for line in table.splitlines()}) == 1
        assert [row.split()[0] for row in table.splitlines()[2:]] == ["intercept", "x0", "x1", "x2"]
    penalised = repr(summary(SoftmaxRegression(C=0.1).fit(X, y), X, y, symmetric=True))
    assert "Penalised, with" in penalised
    assert "Log odds against the mean of all:" in penalised
    assert "\nclass 0  " in penalised
    sampled = repr(summary(unpenalised(X, y), X, y, weights="sampling"))
    assert "with sampling weights" in sampled
    assert "AIC" not in sampled


def test_html_escapes_names():
    X, y = wine()
    frame = pd.DataFrame(X, columns=["<b>", "a & b", "w"])
    labels = np.array(["<i>", "x", "z"])[y]
    text = summary(unpenalised(frame, labels), frame, labels)._repr_html_()
    for name in ("<b>", "a & b", "<i>"):
        assert f">{html.escape(name)}<" in text or html.escape(name) in text
    assert text.count("<tr>") == 2 * (1 + 4)
    assert "<td" in text
    assert "<i>" not in text


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library):
    X, y = wine()
    found = summary(unpenalised(X, y), X, y)
    frame = found.to_frame(library=library, level=0.9)
    assert isinstance(frame, {"pandas": pd.DataFrame, "polars": pl.DataFrame}[library])
    assert list(frame.columns) == [
        *("class", "term", "coef", "std_error", "z", "p_value", "ci_lower", "ci_upper"),
        "odds_ratio",
    ]
    assert list(frame["class"]) == [1] * 4 + [2] * 4
    assert list(frame["term"]) == ["intercept", "x0", "x1", "x2"] * 2
    np.testing.assert_array_equal(frame["coef"], found.coef.ravel())
    np.testing.assert_array_equal(frame["ci_upper"], found.conf_int(0.9)[..., 1].ravel())
    np.testing.assert_allclose(np.exp(frame["coef"]), frame["odds_ratio"])


def test_a_copy():
    X, y = wine()
    found = summary(unpenalised(X, y), X, y)
    assert repr(pickle.loads(pickle.dumps(found))) == repr(found)


def test_arguments_of_the_output():
    X, y = wine()
    found = summary(unpenalised(X, y), X, y)
    with pytest.raises(ValueError, match='library must be "pandas" or "polars"'):
        found.to_frame(library="dask")
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match="level must be between 0 and 1"):
            found.conf_int(level)


# The likelihood-ratio test


def test_likelihood_ratio():
    X, y = wine()
    small, large = (summary(unpenalised(X[:, :p], y), X[:, :p], y) for p in (1, 3))
    test = likelihood_ratio_test(small, large)
    expected = 2 * (by_statsmodels(X, y).llf - by_statsmodels(X[:, :1], y).llf)
    assert test.statistic == pytest.approx(expected, rel=1e-9)
    assert test.df == 4
    assert test.p_value == pytest.approx(chi2.sf(expected, 4), rel=1e-6)


def test_models_that_cannot_be_compared():
    X, y = wine()
    small, large = (summary(unpenalised(X[:, :p], y), X[:, :p], y) for p in (1, 3))
    with pytest.raises(ValueError, match="must be a special case"):
        likelihood_ratio_test(large, small)
    with pytest.raises(ValueError, match="must be a special case"):
        likelihood_ratio_test(large, large)
    other = summary(unpenalised(X[:150, :1], y[:150]), X[:150, :1], y[:150])
    with pytest.raises(ValueError, match="other rows"):
        likelihood_ratio_test(other, large)
    penalised = summary(SoftmaxRegression().fit(X, y), X, y)
    with pytest.raises(ValueError, match=r"C=np\.inf, not C=1"):
        likelihood_ratio_test(small, penalised)
    sampled = summary(unpenalised(X, y), X, y, weights="sampling")
    with pytest.raises(ValueError, match="sampling weights have none"):
        likelihood_ratio_test(small, sampled)
    with pytest.raises(TypeError, match="made by summary, got SoftmaxRegression"):
        likelihood_ratio_test(unpenalised(X, y), large)


# Average marginal effects


@pytest.mark.parametrize("name", PROBLEMS)
def test_marginal_effects_of_statsmodels(name):
    X, y = PROBLEMS[name]()
    found = average_marginal_effects(unpenalised(X, y), X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = by_statsmodels(X, y).get_margeff(at="overall", method="dydx")
    assert lre(found.effect.T, expected.margeff) > 7
    assert lre(found.std_error.T, expected.margeff_se) > 6


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("options", [{}, {"weights": "sampling"}])
def test_marginal_effects_by_differences(layout, fit_intercept, options):
    X, y = make_problem(0)
    s = np.random.default_rng(0).uniform(0.5, 2, size=len(y))
    model = SoftmaxRegression(C=3.0, fit_intercept=fit_intercept, tol=1e-12).fit(layout(X), y, s)
    found = average_marginal_effects(model, layout(X), y, s, **options)
    np.testing.assert_allclose(found.effect.sum(axis=0), 0, atol=1e-12)

    def effects(theta):
        A = np.column_stack([np.ones(len(X)), X]) if fit_intercept else X
        theta = np.vstack([np.zeros(A.shape[1]), theta.reshape(2, -1)])
        P, W = softmax(A @ theta.T, axis=1), theta[:, fit_intercept:]
        slopes = P[:, :, np.newaxis] * (W - (P @ W)[:, np.newaxis])
        return np.average(slopes, axis=0, weights=s).ravel()

    made = summary(model, layout(X), y, s, **options)
    theta, h = made.coef.ravel(), 1e-5
    np.testing.assert_allclose(found.effect.ravel(), effects(theta), rtol=1e-8, atol=1e-10)
    J = [(effects(theta + h * e) - effects(theta - h * e)) / (2 * h) for e in np.eye(len(theta))]
    expected = np.transpose(J) @ made.covariance @ np.array(J)
    np.testing.assert_allclose(found.covariance, expected, atol=1e-7 * np.abs(expected).max())


def test_output_of_marginal_effects():
    X, y = wine()
    found = average_marginal_effects(unpenalised(X, y), X, y)
    frame = found.to_frame()
    assert list(frame.columns[:3]) == ["class", "term", "effect"]
    assert "odds_ratio" not in frame
    assert repr(found).startswith("Average marginal effects of 3 classes, 178 rows, C=inf")
    assert "class 2 " in repr(found)
    assert found._repr_html_().count("<tr>") == 3 * (1 + 3)


# What there are no standard errors of


@pytest.mark.parametrize("how", ["separable", "in part", "no tol", "soft"])
def test_separable_classes(how):
    X, y = load_iris(return_X_y=True)
    if how == "in part":
        X, y = X[:, :2], y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = unpenalised(X, np.eye(3)[y] if how == "soft" else y)
        if how == "no tol":
            model = unpenalised(X, y, tol=None, max_iter=15)
    with pytest.raises(ValueError, match="separable"):
        summary(model, X, y)
    penalised = SoftmaxRegression(C=1.0).fit(X, y)
    assert np.isfinite(summary(penalised, X, y).std_error).all()


@pytest.mark.parametrize("unit", [1.0, 1e6])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_collinear_columns_are_named(unit, n_classes):
    X, y = make_problem(0, n_classes=n_classes)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    frame["sum"] = unit * (frame["a"] + 2 * frame["b"])
    with pytest.raises(ValueError, match=r"collinear.*: 'a', 'b', 'sum'\. Drop"):
        summary(unpenalised(frame, y), frame, y)
    penalised = SoftmaxRegression().fit(frame, y)
    assert np.isfinite(summary(penalised, frame, y).std_error).all()


def test_constant_columns_are_named():
    X, y = make_problem(0)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(one=3.0)
    with pytest.raises(ValueError, match=r"constant or collinear.*: 'one'"):
        summary(unpenalised(frame, y), frame, y)
    dummies = pd.get_dummies(pd.Series(y % 2).astype(str) + "s").astype(float)
    dummies["noise"] = X[:, 0]
    target = np.random.default_rng(0).permutation(y)
    with pytest.raises(ValueError, match=r"with the intercept.*: '0s', '1s'"):
        summary(unpenalised(dummies, target), dummies, target)
    without = unpenalised(dummies, target, fit_intercept=False)
    assert np.isfinite(summary(without, dummies, target).std_error).all()


@pytest.mark.parametrize("solver", ["lbfgs", "prox-newton"])
def test_rows_that_it_was_not_fitted_to(solver):
    X, y = wine()
    model = unpenalised(X, y, solver=solver)
    unlikely = model.predict_proba(X)[np.arange(178), y].argmin()
    for rows in (slice(0, 150), np.arange(178) % 2 == 0, np.arange(178) != unlikely):
        with pytest.raises(ValueError, match="not at the minimum on these data"):
            summary(model, X[rows], y[rows])
    with pytest.raises(ValueError, match="not at the minimum on these data"):
        summary(model, X, y, np.arange(1, 179))
    stream = SoftmaxRegression(C=np.inf, learning_rate=1e-9).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="not at the minimum"):
        summary(stream, X, y)
    with pytest.raises(ValueError, match="features"):
        summary(model, X[:, :2], y)
    with pytest.raises(ValueError, match="not among the classes"):
        summary(model, X, y + 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance": "robust"}, 'covariance must be "auto", "hessian" or "sandwich"'),
        ({"weights": "pweights"}, 'weights must be "frequency" or "sampling"'),
        ({"weights": "sampling", "covariance": "hessian"}, 'sampling weights need "sandwich"'),
        ({"reference": 7}, r"reference must be one of the classes \[0 1 2\], got 7"),
        ({"reference": "0"}, "reference must be one of the classes"),
        ({"reference": 1, "symmetric": True}, "symmetric=True or a reference"),
    ],
)
def test_wrong_arguments(options, message):
    X, y = wine()
    with pytest.raises(ValueError, match=message):
        summary(unpenalised(X, y), X, y, **options)


def test_models_without_a_likelihood():
    X, y = wine()
    with pytest.raises(ValueError, match="label_smoothing"):
        summary(unpenalised(X, y, label_smoothing=0.1), X, y)
    with pytest.raises(ValueError, match="early_stopping holds rows out"):
        summary(unpenalised(X, y, early_stopping=True), X, y)
    with pytest.raises(TypeError, match="got LogisticRegression"):
        summary(LogisticRegression(C=1e-3).fit(X, y), X, y)
    with pytest.raises(NotFittedError):
        summary(SoftmaxRegression(), X, y)
    model = SoftmaxRegression().fit(X, y)
    model.l1_ratio = 0.5
    with pytest.raises(ValueError, match="L1 penalty"):
        summary(model, X, y)


def test_estimates_at_a_bound_have_no_standard_errors():
    X, y = wine()
    free = summary(unpenalised(X, y, tol=1e-12), X, y)
    model = unpenalised(X, y, tol=1e-12, bounds=(-1e3, 1e3))
    np.testing.assert_allclose(summary(model, X, y).covariance, free.covariance, rtol=1e-6)
    tight = unpenalised(X, y, bounds=(-0.1, 0.1))
    with pytest.raises(ValueError, match="at one of its bounds"):
        summary(tight, X, y)
    with pytest.raises(ValueError, match="at one of its bounds"):
        summary(tight.sparsify(), X, y)
