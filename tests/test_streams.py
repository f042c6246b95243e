"""How streams end: whatever the size of chunks, the columns, the parameters and what was before."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from reference import make_problem
from scipy import sparse
from sklearn.metrics import log_loss

from sk_softmax import SoftmaxRegression

layouts = pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])


def stream(model, X, y, size, **parameters):
    for start in range(0, len(y), size):
        model.partial_fit(X[start : start + size], y[start : start + size], **parameters)
    return model


def loss(model, X, y):
    return log_loss(y, model.predict_proba(X), labels=model.classes_)


def frequencies_loss(y, y_new):
    share = np.bincount(y) / len(y)
    return -np.log(share[y_new]).mean()


def noise(n=20_000, p=20, share=0.15):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2 * n, p)), (rng.random(2 * n) < share).astype(int)
    return X[:n], y[:n], X[n:], y[n:]


def raw_columns(n=20_000, p=20, correlated=True):
    """Columns in other units, far off zero, and correlated or with heavy tails."""
    rng = np.random.default_rng(1)
    Z = rng.normal(size=(2 * n, p))
    mixing = rng.normal(size=(p, p)) if correlated else np.eye(p)
    X = (Z if correlated else np.exp(Z)) @ mixing * 10 ** rng.uniform(-2, 3, size=p) + 50
    y = (Z[:, :5] @ rng.normal(size=(5, 3)) * 0.3 + rng.gumbel(size=(2 * n, 3))).argmax(axis=1)
    return X[:n], y[:n], X[n:], y[n:]


# How a pass ends


@pytest.mark.parametrize("size", [10, 200, 2000, 20_000])
@pytest.mark.parametrize("share", [0.01, 0.15, 0.5])
def test_a_pass_over_noise_ends_with_the_class_frequencies(size, share):
    """It ended at .504 in one chunk, where these have .42."""
    n = 2000 if size == 10 else 20_000
    X, y, X_new, y_new = noise(n=n, share=share)
    model = stream(SoftmaxRegression(random_state=0), X, y, size, classes=[0, 1])
    # Four times what the maximum-likelihood estimate of as many coefficients loses.
    allowed = 4 * 20 / (2 * n)
    assert loss(model, X_new, y_new) < frequencies_loss(y, y_new) + allowed + 1e-3


@pytest.mark.parametrize("size", [200, 2000, 20_000])
@pytest.mark.parametrize("tails", ["lognormal", "zipf", "cauchy"])
def test_a_pass_over_noise_with_giants_ends_near_the_class_frequencies(tails, size):
    """Of their deviations the first chunks know nothing; it ended at .50, where these have .43."""
    rng = np.random.default_rng(0)
    _, y, _, y_new = noise()
    X, X_new = {
        "lognormal": lambda: np.exp(3 * rng.normal(size=(2, 20_000, 20))),
        "zipf": lambda: rng.zipf(2, size=(2, 20_000, 20)).astype(float),
        "cauchy": lambda: rng.standard_cauchy((2, 20_000, 20)),
    }[tails]()
    model = stream(SoftmaxRegression(random_state=0), X, y, size, classes=[0, 1])
    assert loss(model, X_new, y_new) < frequencies_loss(y, y_new) + 0.01


@pytest.mark.parametrize("correlated", [True, False])
@pytest.mark.parametrize("size", [100, 1000, 20_000])
def test_a_pass_over_raw_columns_ends_near_the_minimum_and_later_ones_nearer(size, correlated):
    X, y, X_new, y_new = raw_columns(correlated=correlated)
    best = loss(SoftmaxRegression("lbfgs").fit(X, y), X_new, y_new)
    gain = frequencies_loss(y, y_new) - best
    model = SoftmaxRegression(random_state=0)
    losses = [loss(stream(model, X, y, size, classes=[0, 1, 2]), X_new, y_new) for _ in range(3)]
    assert losses[0] - best < 0.02 * gain
    assert losses[2] - best < 0.01 * gain
    assert losses[2] < losses[0] + 1e-3 * gain


def test_a_pass_does_not_know_where_chunks_are_cut():
    X, y, X_new, y_new = raw_columns()
    losses = [
        loss(stream(SoftmaxRegression(random_state=0), X, y, size, classes=[0, 1, 2]), X_new, y_new)
        for size in (50, 500, 5000, 20_000)
    ]
    assert np.ptp(losses) < 2e-3


def test_rare_classes_do_not_upset_a_stream():
    rng = np.random.default_rng(2)
    y = (rng.random(40_000) < 0.004).astype(int)
    X = rng.normal(size=(40_000, 10))
    X[:, :3] += 1.5 * y[:, np.newaxis]
    half = slice(20_000), slice(20_000, None)
    best = loss(SoftmaxRegression("lbfgs").fit(X[half[0]], y[half[0]]), X[half[1]], y[half[1]])
    frequencies = frequencies_loss(y[half[0]], y[half[1]])
    for size in (100, 20_000):
        model = stream(
            SoftmaxRegression(random_state=0), X[half[0]], y[half[0]], size, classes=[0, 1]
        )
        assert loss(model, X[half[1]], y[half[1]]) - best < 0.1 * (frequencies - best)


@pytest.mark.parametrize("factor", [1e-6, 1e3])
def test_the_unit_of_weights_does_not_matter_without_a_penalty(factor):
    X, y = make_problem(0, n=300)
    models = []
    for w in (1.0, factor):
        model = SoftmaxRegression(C=np.inf, random_state=0)
        for i in range(0, 300, 50):
            rows = slice(i, i + 50)
            model.partial_fit(X[rows], y[rows], [0, 1, 2], sample_weight=np.full(50, w))
        models.append(model.predict_proba(X))
    np.testing.assert_allclose(models[1], models[0], atol=0.05)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("far", [1e2, 1e4])
def test_one_giant_takes_away_no_more_than_the_minimum_does(streamed, far):
    """Its own loss falls most if coefficients shrink with the deviations that it multiplies."""
    X, y = make_problem(0, n=4000)
    model = SoftmaxRegression(random_state=0)
    if streamed:
        stream(model, X[:2000], y[:2000], 100, classes=[0, 1, 2])
    else:
        model.fit(X[:2000], y[:2000])
    before = loss(model, X[2000:], y[2000:])
    row = np.add(X[:1], [[far, 0, 0, 0]])
    label = model.decision_function(row).argmin(axis=1)
    model.partial_fit(row, label)
    best = SoftmaxRegression("lbfgs").fit(
        np.vstack([X[:2000], row]), np.concatenate([y[:2000], label])
    )
    minimum = loss(best, X[2000:], y[2000:])
    assert loss(model, X[2000:], y[2000:]) < max(before, minimum) + 0.02


@pytest.mark.parametrize("p", [5, 300])
def test_a_giant_in_correlated_columns(p):
    """What earlier rows may lose is up to p times that of uncorrelated columns."""
    rng = np.random.default_rng(0)
    f = rng.normal(size=(6000, 1))
    X = f + 0.1 * rng.normal(size=(6000, p))
    y = (3 * f[:, 0] + rng.logistic(size=6000) > 0).astype(int)
    model = SoftmaxRegression(random_state=0).fit(X[:3000], y[:3000])
    before = loss(model, X[3000:], y[3000:])
    row = X[:1] + 300
    model.partial_fit(row, (model.decision_function(row) < 0).astype(int))
    assert loss(model, X[3000:], y[3000:]) < before + 0.02


def test_rows_that_an_automatic_stream_has_not_seen_count_too():
    """With a given rate moments are not kept: the first row has no deviation to compare with."""
    X, y = make_problem(0, n=2000)
    for start in range(0, 60, 4):
        model = SoftmaxRegression(learning_rate=0.02, random_state=0)
        stream(model, X, y, 200, classes=[0, 1, 2])
        before = loss(model, X, y)
        rows = slice(start, start + 2)
        stream(model.set_params(learning_rate="auto"), X[rows], y[rows], 1)
        assert loss(model, X, y) < before + 0.01


# Columns far off zero


def years(n=6000):
    r = np.random.default_rng(0)
    X = r.normal([2020, 0], [5, 1], (n, 2))
    return X, (X[:, 1] + (X[:, 0] - 2020) / 5 + r.logistic(size=n) > 0).astype(int)


@layouts
@pytest.mark.parametrize("offset", [0, 1e4, 1e8])
@pytest.mark.parametrize("size", [50, 500])
def test_columns_off_zero_are_centred_in_every_layout(layout, offset, size):
    """Sparse chunks ended at .688 where chance has .693."""
    X, y = years()
    X[:, 0] += offset
    model = stream(SoftmaxRegression(random_state=0), layout(X), y, size, classes=[0, 1])
    assert loss(model, X, y) < 0.54


@pytest.mark.parametrize("offset", [0, 1e4, 1e8])
def test_columns_off_zero_beside_many_that_are_sparse(offset):
    X, y = years()
    X[:, 0] += offset
    rng = np.random.default_rng(1)
    one_hot = (np.ones(6000), (np.arange(6000), rng.integers(0, 1000, 6000)))
    X = sparse.hstack([sparse.csr_array(X), sparse.csr_array(one_hot, shape=(6000, 1000))]).tocsr()
    models = [
        stream(SoftmaxRegression(random_state=0), A, y, 500, classes=[0, 1])
        for A in (X, X.toarray())
    ]
    losses = [loss(model, X, y) for model in models]
    assert max(losses) < 0.5
    assert losses[0] == pytest.approx(losses[1], abs=0.01)


@layouts
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("step", "size"), [(1.0, 20), (1.0, 64), (1.0, 500), (30.0, 500)])
def test_a_clock_of_few_digits_does_no_harm(layout, dtype, step, size):
    """In float32 the first chunk has a handful of instants, or one; the loss was 264."""
    n, rng = 6000, np.random.default_rng(0)
    t, Z = np.arange(n), rng.normal(size=(n, 2))
    y = (Z[:, 0] + (t - n / 2) / (n / 3.5) + rng.logistic(size=n) > 0).astype(int)
    X = np.column_stack([1.7e9 + step * t, Z]).astype(dtype)
    model = SoftmaxRegression(random_state=0)
    for i in range(0, n, size):
        model.partial_fit(layout(X[i : i + size]), y[i : i + size], classes=[0, 1])
        assert i + size < 500 or loss(model, X[: i + size], y[: i + size]) < 0.7
    best = SoftmaxRegression("lbfgs").fit(X.astype(np.float64), y)
    assert loss(model, X, y) < loss(best, X, y) + 0.02


@layouts
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [20, 50, 300])
def test_a_constant_column_is_left_to_the_intercept(layout, dtype, n):
    """Its gradient is a rounding error, of which the penalty alone made long steps."""
    X, y = make_problem(0, n=n)
    X, y = np.column_stack([np.full(n, 1.7e9), X]).astype(dtype), y % 2
    for model in (
        SoftmaxRegression("sgd", random_state=0).fit(layout(X), y),
        SoftmaxRegression(random_state=0).partial_fit(layout(X), y, classes=[0, 1]),
    ):
        assert model.coef_[0, 0] == 0
        assert loss(model, X, y) < np.log(2)


def test_no_chunk_multiplies_the_loss():
    """One whose first column is in another unit, and far away."""
    X, y = make_problem(0, n=600)
    model = stream(SoftmaxRegression(random_state=0), X[:500], y[:500], 100, classes=[0, 1, 2])
    odd = X[500:].copy()
    odd[:, 0] = 1e3 * odd[:, 0] + 1e4
    before = loss(model, odd, y[500:])
    model.partial_fit(odd, y[500:])
    assert loss(model, odd, y[500:]) < 1.2 * before


# After a fit


def fitted(solver, n=1000, p=10):
    rng = np.random.default_rng(3)
    W, X = rng.normal(size=(p, 3)), rng.normal(size=(n + 4000, p))
    y = (X @ W * 0.5 + rng.gumbel(size=(n + 4000, 3))).argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SoftmaxRegression(solver, random_state=0).fit(X[:n], y[:n])
    return model, X, y, n


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
@layouts
def test_a_few_rows_after_a_fit_move_it_by_their_share(solver, layout):
    """.530 became 1.366 after two more rows."""
    model, X, y, n = fitted(solver)
    held_out = X[-2000:], y[-2000:]
    before = loss(model, *held_out)
    for m in (1, 2, 10, 100):
        more = copy.deepcopy(model).partial_fit(layout(X[n : n + m]), y[n : n + m])
        assert abs(loss(more, *held_out) - before) < 0.01
        assert np.abs(more.coef_ - model.coef_).max() < 0.2


@pytest.mark.filterwarnings("ignore:All rows of this call")
@pytest.mark.parametrize("m", [20, 100])
def test_a_chunk_of_one_class_after_a_fit(m):
    model, X, y, n = fitted("lbfgs")
    held_out = X[-2000:], y[-2000:]
    before = loss(model, *held_out)
    rows = n + np.flatnonzero(y[n : n + 2000] == 0)[:m]
    assert loss(model.partial_fit(X[rows], y[rows]), *held_out) < before + 0.02


def test_as_many_rows_after_a_fit_improve_it():
    model, X, y, n = fitted("lbfgs", n=300, p=20)
    held_out = X[-2000:], y[-2000:]
    before = loss(model, *held_out)
    together = SoftmaxRegression("lbfgs").fit(X[: n + 900], y[: n + 900])
    after = loss(stream(model, X[n : n + 900], y[n : n + 900], 100), *held_out)
    assert before - after > 0.6 * (before - loss(together, *held_out))


def test_a_model_that_noted_less_of_its_fit_streams_too():
    """As those of earlier versions."""
    model, X, y, n = fitted("lbfgs")
    del model._stream
    before = loss(model, X[-2000:], y[-2000:])
    model.partial_fit(X[n : n + 2], y[n : n + 2])
    assert abs(loss(model, X[-2000:], y[-2000:]) - before) < 0.01


# Order


def test_a_chunk_of_one_class_is_said():
    X, y = make_problem(0, n=300)
    model = stream(SoftmaxRegression(random_state=0), X[:200], y[:200], 50, classes=[0, 1, 2])
    rows = np.flatnonzero(y == 1)[:30]
    with pytest.warns(UserWarning, match="sorted by class"):
        model.partial_fit(X[rows], y[rows])
    with pytest.warns(UserWarning, match="sorted by class"):
        model.partial_fit(X[rows], np.eye(3)[y[rows]])


def test_a_stream_that_is_sorted_from_the_start_is_said():
    X, y = make_problem(0, n=300)
    order = np.argsort(y, kind="stable")
    model = SoftmaxRegression(random_state=0).partial_fit(X[order[:20]], y[order[:20]], [0, 1, 2])
    model.partial_fit(X[order[20:40]], y[order[20:40]])  # the frequent class, for all that is known
    with pytest.warns(UserWarning, match="sorted by class"):
        model.partial_fit(X[order[-20:]], y[order[-20:]])


def test_a_frequent_class_alone_is_no_sorted_stream():
    X, y = make_problem(0, n=300)
    rare = (np.arange(300) % 100 == 0).astype(int)
    stream(SoftmaxRegression(random_state=0), X, rare, 50, classes=[0, 1])
    stream(SoftmaxRegression(random_state=0), X[:40], y[:40], 1, classes=[0, 1, 2])


# Coefficients set by hand


@pytest.mark.parametrize("learning_rate", ["auto", 0.05])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_coefficients_set_between_calls_are_where_the_next_starts(layout, n_classes, learning_rate):
    X, y = make_problem(0, n_classes=n_classes)
    model = SoftmaxRegression(learning_rate=learning_rate, random_state=0)
    model.partial_fit(layout(X), y, classes=np.arange(n_classes))
    rng = np.random.default_rng(0)
    model.coef_ = rng.normal(size=model.coef_.shape)
    model.intercept_ = rng.normal(size=model.intercept_.shape)
    P = model.predict_proba(X)
    model.set_params(learning_rate=1e-12).partial_fit(layout(X), y)
    np.testing.assert_allclose(model.predict_proba(X), P, atol=1e-9)


def test_pruning_in_place_counts():
    X, y = make_problem(0)
    model = SoftmaxRegression(random_state=0).partial_fit(X, y, [0, 1, 2])
    pruned = copy.deepcopy(model)
    pruned.coef_[:, 1] = 0
    kept = model.partial_fit(X, y).coef_[:, 1]
    assert np.abs(pruned.partial_fit(X, y).coef_[:, 1]).max() < 0.9 * np.abs(kept).max()


@pytest.mark.parametrize("columns", [4, 600])
@layouts
def test_a_model_may_begin_with_coefficients(layout, columns):
    X, y = make_problem(0)
    X = np.hstack([X, np.zeros((len(y), columns - 4))])
    coef = np.random.default_rng(0).normal(size=(3, columns))
    model = SoftmaxRegression(learning_rate=1e-12)
    model.classes_, model.coef_, model.intercept_ = [0, 1, 2], coef, np.ones(3)
    model.partial_fit(layout(X), y)
    assert model.n_features_in_ == columns
    np.testing.assert_allclose(model.coef_, coef - coef.mean(axis=0), atol=1e-9)


WRONG = {
    "coef_": {"coef_": np.zeros((3, 7)), "intercept_": np.zeros(3)},
    "intercept_": {"coef_": np.zeros((3, 4)), "intercept_": np.zeros(2)},
    "without the other": {"coef_": np.zeros((3, 4))},
    "classes_ must be sorted": {
        "classes_": np.array([2, 0, 1]),
        "coef_": np.zeros((3, 4)),
        "intercept_": np.zeros(3),
    },
    "coef_ must hold finite numbers": {
        "coef_": np.full((3, 4), np.inf),
        "intercept_": np.zeros(3),
    },
    "NaN": {"coef_": np.zeros((3, 4)), "intercept_": np.full(3, np.nan)},
}


@pytest.mark.parametrize("case", WRONG)
def test_coefficients_of_another_shape_are_refused(case):
    X, y = make_problem(0)
    model = SoftmaxRegression()
    vars(model).update({"classes_": np.arange(3), **WRONG[case]})
    with pytest.raises(ValueError, match=case):
        model.partial_fit(X, y)
    assert not hasattr(model, "n_features_in_")


# Parameters changed between calls

CHANGES = [
    {"fit_intercept": False},
    {"average": True},
    {"momentum": 0.9},
    {"class_weight": {0: 5.0}},
    {"C": 1e-3},
    {"batch_size": 1},
    {"random_state": 7},
    {"label_smoothing": 0.3},
    {"learning_rate": 0.2},
    {"schedule": "cosine"},
]


@pytest.mark.parametrize("learning_rate", ["auto", 0.05])
@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_a_stream_obeys_parameters_changed_between_calls(layout, change, learning_rate):
    """`average` was an IndexError or ignored, `fit_intercept` an IndexError."""
    X, y = make_problem(0)
    X = layout(X)
    model = SoftmaxRegression(learning_rate=learning_rate, random_state=0, max_iter=5)
    model.partial_fit(X, y, [0, 1, 2])
    before = {name: model.get_params()[name] for name in change}
    other = copy.deepcopy(model).set_params(**change).partial_fit(X, y)
    model.partial_fit(X, y)
    assert np.abs(other.coef_ - model.coef_).max() > 1e-6
    assert other.set_params(**before).partial_fit(X, y).score(X, y) > 0.5


@pytest.mark.parametrize("parameters", [{"early_stopping": True}, {"record_batches": 2}], ids=str)
def test_parameters_of_fit_alone_are_refused(parameters):
    X, y = make_problem(0)
    model = SoftmaxRegression(random_state=0).partial_fit(X, y, [0, 1, 2])
    with pytest.raises(AttributeError, match=f"not available for {next(iter(parameters))}"):
        model.set_params(**parameters).partial_fit(X, y)


def test_an_average_that_begins_later_is_one_of_later_iterates():
    X, y = make_problem(0)
    options = {"learning_rate": 0.05, "batch_size": 16, "C": np.inf, "random_state": 0}
    model = SoftmaxRegression(**options).partial_fit(X, y, [0, 1, 2])
    start = copy.deepcopy(model)
    model.set_params(average=True).partial_fit(X, y)
    iterates = [start]
    for size in range(1, 6):  # the same batches, one more each time
        order = copy.deepcopy(start._stream["state"]["random_state"]).permutation(80)
        theta = copy.deepcopy(start)
        for rows in np.split(order, 5)[:size]:
            theta.partial_fit(X[rows], y[rows])
        iterates.append(theta)
    t = np.arange(1, 6)
    expected = np.average([m.coef_ for m in iterates[1:]], axis=0, weights=t * (t + 1) * (t + 2))
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-9)


# Class weights


def test_class_weights_refer_to_the_classes_of_the_stream():
    X = np.arange(8.0)[:, np.newaxis]
    model = SoftmaxRegression(class_weight={2: 10.0}).partial_fit(X, [0, 1] * 4, classes=[0, 1, 2])
    model.partial_fit(X, [0, 2] * 4)
    with pytest.raises(ValueError, match=r"class_weight|classes"):
        model.set_params(class_weight={9: 1.0}).partial_fit(X, [0, 1] * 4)


def test_the_last_line_on_balanced_weights_says_what_to_do():
    model = SoftmaxRegression(class_weight="balanced")
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match=r"partial_fit .*as a dict"):
        model.partial_fit([[0.0], [1.0]], [0, 1], [0, 1])


# Sparse columns


def text_like(n=400, p=5000, seed=0):
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, p // 10 + 1)
    columns = rng.choice(p // 10, size=(n, 20), p=share / share.sum()) * 10
    X = sparse.csr_array((np.ones(20 * n), columns.ravel(), np.arange(0, 20 * n + 1, 20)), (n, p))
    X.sum_duplicates()
    return X, (np.asarray(X[:, [0]].todense()).ravel() > 1).astype(int) + (columns[:, 0] > 300)


@pytest.mark.parametrize(
    "options",
    [{}, {"average": True}, {"momentum": 0.9}, {"schedule": "inverse_scaling"}],
    ids=str,
)
@pytest.mark.parametrize("C", [1.0, 1e-2])
def test_a_given_rate_does_the_same_on_sparse_rows(options, C):
    """With the penalty in the columns that no row holds, too."""
    X, y = text_like()
    models = [
        stream(
            SoftmaxRegression(learning_rate=0.5, C=C, random_state=0, **options),
            A, y, 100, classes=[0, 1, 2],
        )
        for A in (X, X.toarray())
    ]  # fmt: skip
    np.testing.assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(models[0].intercept_, models[1].intercept_, rtol=1e-8)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.5}, {"average": True}], ids=str)
def test_the_automatic_rate_does_nearly_the_same_on_sparse_rows(options):
    X, y = text_like()
    losses = [
        loss(
            stream(SoftmaxRegression(random_state=0, **options), A, y, 100, classes=[0, 1, 2]), A, y
        )
        for A in (X, X.toarray())
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_a_stream_keeps_no_more_than_the_columns_that_it_has_seen():
    X, y = text_like(p=200_000)
    model = stream(SoftmaxRegression(random_state=0), X, y, 100, classes=[0, 1, 2])
    held = len(np.unique(X.indices))
    model.coef_ = sparse.csr_matrix(model.coef_)
    assert len(pickle.dumps(model)) < 40 * 8 * held
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.partial_fit(X, y).coef_, model.partial_fit(X, y).coef_)


def test_dense_and_sparse_chunks_may_take_turns():
    X, y = text_like()
    model = SoftmaxRegression(random_state=0)
    for i in range(0, 400, 100):
        rows = X[i : i + 100]
        model.partial_fit(rows if i % 200 else rows.toarray(), y[i : i + 100], classes=[0, 1, 2])
        model.partial_fit(rows.toarray() if i % 200 else rows, y[i : i + 100])
    assert model.score(X, y) > 0.8
