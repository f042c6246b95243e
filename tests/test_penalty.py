"""The penalty against its definition, and against brute force."""

import numpy as np
import pytest
from penalised import conjugate
from reference import central_differences
from scipy.optimize import minimize_scalar

from sk_softmax._penalty import Penalty

K, P = 4, 5
RNG = np.random.default_rng(0)
W = RNG.standard_normal((K, P)) * (RNG.random((K, P)) < 0.7)
STRENGTHS = {
    "ridge": (0.3, 0.0),
    "lasso": (0.0, 0.4),
    "elastic net": (0.2, 0.5),
    "by feature": (np.array([0.0, 1, 0, 2, 0.1]), np.array([0.0, 0, 1, 0.3, 2])),
    "none": (0.0, 0.0),
}
BOUNDS = {
    "free": (-np.inf, np.inf),
    "box": (-0.5, 0.7),
    "signs": (np.where(np.arange(P) < 2, 0.0, -np.inf), np.where(np.arange(P) > 3, 0.0, np.inf)),
    "without zero": (0.2, 0.9),
    "fixed": (np.full((K, P), 0.3), np.full((K, P), 0.3)),
}


@pytest.fixture(params=STRENGTHS)
def strengths(request):
    return STRENGTHS[request.param]


def test_value_and_gradient_of_the_squares(strengths):
    l2, l1 = (np.broadcast_to(s, P) for s in strengths)
    expected = sum(
        l2[j] / 2 * W[k, j] ** 2 + l1[j] * abs(W[k, j]) for k in range(K) for j in range(P)
    )
    penalty = Penalty(*strengths)
    assert penalty.value(W) == pytest.approx(expected, rel=1e-14)
    squares = Penalty(penalty.l2)
    np.testing.assert_allclose(
        penalty.gradient(W), central_differences(squares.value, W), rtol=1e-8, atol=1e-9
    )
    assert penalty.times(3.0).value(W) == pytest.approx(3 * expected, rel=1e-14)


def test_other_units_of_the_coefficients(strengths):
    scale = np.array([0.1, 1, 3, 100, 7])
    penalty = Penalty(*strengths, *BOUNDS["signs"])
    scaled = penalty.in_units(scale)
    assert scaled.value(W / scale) == pytest.approx(penalty.value(W), rel=1e-13)
    np.testing.assert_array_equal(scaled.lower * scale, penalty.lower)
    np.testing.assert_array_equal(scaled.upper * scale, penalty.upper)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_conjugate(strengths, bounds):
    penalty = Penalty(*strengths, *BOUNDS[bounds])
    H = 2 * RNG.standard_normal((K, P))
    H[0], H[1, :2] = np.broadcast_to(strengths[1], P), 0  # where it begins to rise; where it is 0
    found = penalty.conjugate(H)
    l2, l1 = (np.broadcast_to(s, (K, P)) for s in strengths)
    lower, upper = (np.broadcast_to(b, (K, P)) for b in BOUNDS[bounds])
    for at in np.ndindex(K, P):
        low, high = max(lower[at], -1e5), min(upper[at], 1e5)

        def rises(w, at=at):
            return l2[at] / 2 * w**2 + l1[at] * abs(w) - H[at] * w

        candidates = [low, high, np.clip(0, low, high)]
        if low < high:
            options = {"xatol": 1e-12}
            found_by_search = minimize_scalar(
                rises, bounds=(low, high), method="bounded", options=options
            )
            candidates.append(found_by_search.x)
        best = -min(map(rises, candidates))
        if best > 500:  # the search went to the end of what it may
            assert found[at] == np.inf
        else:
            assert found[at] == pytest.approx(best, rel=1e-9, abs=1e-12)
    finite = np.isfinite(found)
    by_candidates = conjugate(H, l2, l1, lower, upper)[finite]
    np.testing.assert_allclose(by_candidates, found[finite], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n_classes", [2, 3, 6, 7])
def test_the_centre_is_where_the_penalty_is_least(strengths, n_classes):
    penalty = Penalty(*strengths)
    V = RNG.standard_normal((n_classes, P)) * 3
    moved = V.copy()
    penalty.centre(moved)
    shift = moved[0] - V[0]
    np.testing.assert_allclose(moved - V, np.broadcast_to(shift, V.shape), atol=1e-14)
    l2, l1 = (np.broadcast_to(s, P) for s in strengths)
    for j in range(P):
        if l2[j] == l1[j] == 0:
            assert abs(moved[:, j].sum()) < 1e-13
            continue

        def value(t, j=j):
            return Penalty(l2[j], l1[j]).value(V[:, j : j + 1] + t)

        least = minimize_scalar(value, bounds=(-10, 10), method="bounded", options={"xatol": 1e-9})
        at_kinks = [value(-v) for v in V[:, j]]
        assert value(shift[j]) <= min(least.fun, *at_kinks) + 1e-13
        if l2[j] == 0:  # a median, one of the coefficients
            assert (moved[:, j] == 0).any()


def test_within_bounds_nothing_is_centred():
    moved = W.copy()
    Penalty(0.1, 0.2, -np.inf, 5.0).centre(moved)
    np.testing.assert_array_equal(moved, W)


@pytest.mark.parametrize(
    ("penalty", "has_bounds", "is_smooth", "is_isotropic", "bounds_coefficients", "is_none"),
    [
        (Penalty(), False, True, True, False, True),
        (Penalty(0.1), False, True, True, True, False),
        (Penalty(np.array([0.1, 0.0])), False, True, False, False, False),
        (Penalty(np.array([0.1, 0.2])), False, True, False, True, False),
        (Penalty(0.0, 0.1), False, False, False, True, False),
        (Penalty(np.array([0.1, 0]), np.array([0, 0.1])), False, False, False, True, False),
        (Penalty(0.1, 0.0, 0.0, np.inf), True, False, False, True, False),
        (Penalty(0.0, 0.0, 0.0, np.inf), True, False, False, False, True),
        (Penalty(0.0, 0.0, -1.0, 1.0), True, False, False, True, True),
    ],
)
def test_kinds(penalty, has_bounds, is_smooth, is_isotropic, bounds_coefficients, is_none):
    assert penalty.has_bounds == has_bounds
    assert penalty.is_smooth == is_smooth
    assert penalty.is_isotropic == is_isotropic
    assert penalty.bounds_coefficients == bounds_coefficients
    assert penalty.is_none == is_none
