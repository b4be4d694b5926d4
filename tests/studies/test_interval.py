"""Tests of what is known of accuracies: coverage of intervals, selection, membership of fronts."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.axis import Axis
from studies.best import SIZES, best_up_to, words_of
from studies.interval import RECORDED, SEED_NOISE, Estimate, Estimates, noise, seed_noise
from studies.results import Result, Results

IMAGES = 2_000
ACCURACY = Axis("accuracy", "fraction", True, False, 0.8, least_error=0.5 / IMAGES)
PARAMS = Axis("params", "parameters", False, True, 1e6)
AXES = (ACCURACY, PARAMS)


def known_of(known: Estimates, trial: Result) -> Estimate:
    found = known.of(trial)
    assert found is not None
    return found


def study(rng: np.random.Generator, count: int, spread: float = 0.1) -> tuple[Results, list[float]]:
    """Networks whose errors fall with their size, measured with noise; and what they are worth."""
    results, truth = [], []
    for number in range(count):
        size = rng.uniform(3.5, 5.9)
        error = math.exp(-1.0 - 0.35 * (size - 3) + spread * rng.normal())
        measured = math.exp(math.log(error) + SEED_NOISE * rng.normal())
        measured = rng.binomial(IMAGES, min(measured, 1.0)) / IMAGES
        params, flops = int(10**size), int(10 ** (size + rng.uniform(1, 2)))
        costs = {"params": params, "flops": flops, "activation_bytes": 4 * params}
        values = (1 - measured, float(params))
        results.append(Result(number, values, f"k{number}", "net", params, flops, 1.0, costs))
        truth.append(1 - error)
    return Results("s", AXES, tuple(results), {"complete": count}), truth


@pytest.mark.parametrize("spread", [0.05, 0.1, 0.3])
def test_intervals_of_the_fronts_members_cover_what_they_are_worth(spread: float) -> None:
    """Of members, which were chosen for being good, or lucky: nine in ten studies' worth."""
    inside, plain, total = 0, 0, 0
    for seed in range(40):
        results, truth = study(np.random.default_rng(seed), 120, spread)
        known = Estimates(results)
        for member in results.front():
            total += 1
            one, worth = known_of(known, member), truth[member.number]
            inside += one.low <= worth <= one.high
            away = 1.96 * math.sqrt(noise(np.array([1 - member.values[0]]), IMAGES)[0])
            plain += abs(math.log((1 - worth) / (1 - member.values[0]))) <= away
    assert total > 300
    assert 0.90 <= inside / total <= 0.985
    assert inside > plain  # what was measured alone, with its noise, covers less


def test_the_best_of_many_is_pulled_to_the_mean() -> None:
    overstated, estimated = [], []
    for seed in range(60):
        results, truth = study(np.random.default_rng(seed), 120, 0.03)
        best = max(results.completed, key=lambda trial: trial.values[0])
        overstated.append(best.values[0] - truth[best.number])
        known = known_of(Estimates(results), best)
        estimated.append(known.mean - truth[best.number])
    assert np.mean(overstated) > 0.004
    assert abs(np.mean(estimated)) < 0.4 * np.mean(overstated)


@given(st.integers(0, 1000), st.integers(0, 40))
def test_an_estimate_is_between_its_ends(seed: int, count: int) -> None:
    results, _ = study(np.random.default_rng(seed), count)
    found = Estimates(results)
    assert found.known == (count > 0)
    for trial in results.completed:
        one = known_of(found, trial)
        assert 0 <= one.low <= one.mean <= one.high <= 1
    for member in results.front():
        chance = found.on_front(member)
        assert chance is not None
        assert 0 <= chance <= 1


def test_few_trials_are_only_what_was_measured() -> None:
    results, _ = study(np.random.default_rng(0), 5)
    known = Estimates(results)
    for trial in results.completed:
        assert known_of(known, trial).mean == pytest.approx(trial.values[0])


def test_membership_is_sure_of_a_clear_front_and_unsure_of_equals() -> None:
    def result(number: int, accuracy: float, params: int) -> Result:
        return Result(number, (accuracy, params), f"k{number}", "", params, params, 1.0)

    clear = Results("s", AXES, (result(0, 0.7, 1000), result(1, 0.9, 9000)), {})
    found = Estimates(clear)
    assert [found.on_front(trial) for trial in clear.completed] == [1.0, 1.0]
    equal = Results("s", AXES, (result(0, 0.9, 1000), result(1, 0.901, 1100)), {})
    found = Estimates(equal)
    first, second = (found.on_front(trial) for trial in equal.completed)
    assert first == 1.0  # nothing costs less
    assert second == pytest.approx(0.5, abs=0.15)


def test_without_a_known_noise_nothing_is_said() -> None:
    results, _ = study(np.random.default_rng(0), 30)
    axes = (replace(ACCURACY, least_error=0.0), PARAMS)
    before = replace(results, axes=axes)
    assert not Estimates(before).known
    assert Estimates(before).of(before.completed[0]) is None
    assert Estimates(before).on_front(before.completed[0]) is None
    assert "interval" not in words_of(before)
    assert "2,000 validation images" in words_of(results)
    assert not Estimates(replace(results, axes=(PARAMS, PARAMS))).known


@given(st.integers(0, 1000), st.sampled_from(list(SIZES)))
def test_the_best_up_to_a_size_is_within_it_and_grows(seed: int, cost: str) -> None:
    results, _ = study(np.random.default_rng(seed), 40)
    known = Estimates(results)
    best = best_up_to(results, known, cost)
    limits = [one.limit for one in best]
    assert limits == list(SIZES[cost][: len(limits)])
    before = -1.0
    for one in best:
        within = [t for t in results.completed if t.costs[cost] <= one.limit]
        assert (one.result is None) == (not within)
        if one.result is not None:
            assert one.result in within
            mean = known_of(known, one.result).mean
            assert mean == max(known_of(known, t).mean for t in within) >= before
            assert one.useful == (one.result.values[0] > 0.8)
            before = mean


def test_sizes_that_are_asked_for() -> None:
    results, _ = study(np.random.default_rng(0), 40)
    best = best_up_to(results, Estimates(results), "params", (10, 50_000))
    assert [one.limit for one in best] == [10, 50_000]
    assert best[0].result is None
    assert best[0].accuracy(results) is None
    for nothing in (replace(results, axes=(PARAMS,)), replace(results, completed=())):
        assert best_up_to(nothing, Estimates(nothing)) == []


def test_seeds_narrow_an_interval_and_settle_who_is_best() -> None:
    results, _ = study(np.random.default_rng(0), 60)
    once = Estimates(results)
    often = Estimates(
        replace(results, completed=tuple(replace(t, seeds=9) for t in results.completed))
    )
    for trial in results.completed:
        few, many = known_of(once, trial), known_of(often, trial)
        assert many.high - many.low < few.high - few.low
    assert once.is_best(results.completed).sum() == pytest.approx(1)
    assert often.is_best(results.completed).max() > once.is_best(results.completed).max()


@pytest.mark.parametrize("true", [0.01, 0.04, 0.1])
def test_a_studys_own_repeats_tell_what_seeds_do(true: float) -> None:
    rng = np.random.default_rng(0)
    results, _ = study(rng, 40)
    assert seed_noise(results.completed, 1e-4) == pytest.approx(SEED_NOISE)
    repeated = []
    for one in results.completed:
        error = (1 - one.values[0]) * np.exp(true * rng.normal(size=5))
        accuracies = tuple((1 - error).tolist())
        values = (float(np.mean(accuracies)), *one.values[1:])
        repeated.append(replace(one, values=values, seeds=5, accuracies=accuracies))
    found, count = seed_noise(repeated, 1e-4), 4 * len(repeated)
    both = (RECORDED * SEED_NOISE**2 + count * true**2) / (RECORDED + count)
    assert found == pytest.approx(math.sqrt(both), rel=0.12)
    wide, narrow = Estimates(results), Estimates(replace(results, completed=tuple(repeated)))
    if true <= SEED_NOISE:
        one, again = (known_of(known, repeated[0]) for known in (wide, narrow))
        assert again.high - again.low < one.high - one.low
