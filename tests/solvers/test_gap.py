import math

import pytest

from sk_softmax._solvers._gap import GapEstimate


def linear_convergence(rate, trust, n=40, minimum=1.0):
    """f and the raw estimate of a run whose gap falls by `rate`; raw is `trust` times the gap."""
    gaps = [0.5 * rate**k for k in range(n)]
    return [(minimum + gap, trust * gap, gap) for gap in gaps]


def run(points):
    (value, raw, _), *others = points
    estimate = GapEstimate(value, raw)
    for value, raw, _ in others:
        estimate.add(value, raw)
    return estimate


@pytest.mark.parametrize("rate", [0.3, 0.9])
def test_an_exact_estimate_stays_one(rate):
    points = linear_convergence(rate, trust=1.0)
    # The geometric mean over eight iterations lags by three and a half of them.
    lag = min(rate**-3.5, 4)
    assert run(points).gap / points[-1][2] == pytest.approx(lag, rel=0.05)


@pytest.mark.parametrize("trust", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("rate", [0.7, 0.9])
def test_one_that_falls_short_is_corrected_by_the_decrease_that_follows(rate, trust):
    points = linear_convergence(rate, trust)
    ratio = run(points).gap / points[-1][2]
    # What is still to come cannot be known: only the decrease of the last eight is.
    assert (1 - rate**8) * 0.9 < ratio < 4


def test_one_iteration_may_prove_it_too_small():
    """f fell by the whole estimate, and as much seems to remain: it was half the truth."""
    estimate = GapEstimate(2.0, 0.125)
    estimate.add(1.875, 0.125)
    assert estimate.factor == pytest.approx(2)
    assert estimate.gap == pytest.approx(0.25)


def test_one_that_is_too_large_is_left_alone():
    points = linear_convergence(0.5, trust=5.0)
    estimate = run(points)
    assert estimate.factor == 1
    assert estimate.gap >= 5 * points[-1][2]


def test_a_single_small_estimate_does_not_end_a_run():
    """A quarter of a typical one at the most, by the mean over four iterations."""
    estimate = run(linear_convergence(0.95, trust=1.0))
    before = estimate.gap
    estimate.add(1.0, before * 1e-6)
    assert before * 1e-6 <= estimate.gap <= 4 * before * 1e-6
    estimate.add(1.0, before)
    assert estimate.gap > before / 40


def test_it_foretells_the_iterations_that_remain():
    rate = 0.8
    estimate = run(linear_convergence(rate, trust=1.0))
    assert estimate.iterations_to(estimate.gap * rate**10) == pytest.approx(10, rel=0.01)
    assert estimate.iterations_to(2 * estimate.gap) == 0
    assert math.isinf(GapEstimate(1.0, 0.5).iterations_to(1e-6))


def test_without_progress_the_end_is_not_in_sight():
    estimate = GapEstimate(1.0, 0.5)
    for _ in range(20):
        estimate.add(1.0, 0.5)
    assert math.isinf(estimate.iterations_to(1e-6))


def test_it_begins_with_the_raw_estimate_times_the_factor():
    assert GapEstimate(2.0, 0.5, 3.0).gap == 1.5
    assert GapEstimate(2.0, 0.5).gap == 0.5
