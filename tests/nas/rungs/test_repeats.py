"""Tests of repeats: who is trained once more, and how much of the training goes to them."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nas.rungs.repeats import DOUBT, LEAST, MOST_SEEDS, Training, doubts_of, next_repeat
from studies.axis import Axis
from studies.interval import Estimates
from studies.kept import Kept
from studies.results import Result, Results
from studies.trials import Trial

AXES = (
    Axis("accuracy", "fraction", True, False, 0.5, least_error=0.5 / 10_000),
    Axis("params", "parameters", False, True, 1e6),
)
BUDGETS = (5_000, 20_000)


def result(number: int, accuracy: float, params: int, seeds: int = 1) -> Result:
    return Result(number, (accuracy, params), f"k{number}", "", params, 10 * params, 1.0, {}, seeds)


def results(*trials: Result) -> Results:
    return Results("s", AXES, trials, {"complete": len(trials)})


def steps(count: int) -> list[Result]:
    """A front whose order nobody doubts, each with four times the parameters of the one before."""
    return [result(n, 1 - 0.45 * 0.8**n, 1000 * 2**n) for n in range(count)]


def test_two_that_are_level_are_trained_again_and_nobody_else() -> None:
    front = steps(LEAST)
    twin = result(99, front[8].values[0] + 0.0002, front[8].params + 1)
    found = doubts_of(results(*front, twin), Estimates(results(*front, twin)))
    level = {front[8].key, twin.key}
    assert min(found[key] for key in level) > 5 * max(found[one.key] for one in front[:6])
    again = next_repeat(results(*front, twin), {})
    assert again is not None
    assert again.key in level


def test_seeds_settle_the_doubt() -> None:
    front = steps(LEAST)
    twin = result(99, front[8].values[0] + 0.01, front[8].params + 1)
    of = results(*front, twin)
    assert next_repeat(of, {one.key: MOST_SEEDS for one in of.completed}) is None
    few = doubts_of(of, Estimates(of))[twin.key]
    sure = results(
        *(result(t.number, t.values[0], t.params, 50) for t in [*front, twin]),
    )
    assert doubts_of(sure, Estimates(sure))[twin.key] < few


def test_what_was_trained_more_often_waits_its_turn() -> None:
    front = steps(LEAST)
    twin = result(99, front[8].values[0] + 0.0002, front[8].params + 1)
    of = results(*front, twin)
    first = next_repeat(of, {})
    assert first is not None
    second = next_repeat(of, {first.key: 3})
    assert second is not None
    assert second.key != first.key


def test_few_candidates_and_those_of_no_use_are_not_repeated() -> None:
    assert next_repeat(results(*steps(LEAST - 1)), {}) is None
    useless = [result(n, 0.4 + 1e-5 * n, 1000 + n) for n in range(2 * LEAST)]
    assert doubts_of(results(*useless), Estimates(results(*useless))) == {}
    assert next_repeat(results(*useless), {}) is None
    assert next_repeat(results(), {}) is None


@given(st.integers(0, 200))
def test_the_choice_is_of_the_most_doubt_and_the_same_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    trials = [
        result(n, 1 - 0.3 * math.exp(-0.2 * size) * rng.uniform(0.9, 1.1), int(1000 * 2**size))
        for n, size in enumerate(rng.uniform(0, 8, 40))
    ]
    of = results(*trials)
    chosen = next_repeat(of, {})
    doubts = doubts_of(of, Estimates(of))
    assert all(0 <= doubt <= 2.5 for doubt in doubts.values())
    if chosen is not None:
        assert doubts[chosen.key] == max(doubts.values()) >= DOUBT


def test_training_counts_images_times_flops_once_there_is_enough_to_repeat() -> None:
    first = [
        Trial(n, "complete", (0.8, 1.0), Kept(key=f"f{n}", flops=1000, rungs=(0.7, 0.8)))
        for n in range(LEAST)
    ]
    records = [
        Trial(30, "complete", (0.8, 1.0), Kept(key="a", flops=100, rungs=(0.7, 0.8))),
        Trial(31, "pruned", (), Kept(key="b", flops=10, rungs=(0.7,))),
        Trial(32, "complete", (0.8, 1.0), Kept(key="a", flops=100, repeat=1)),
        Trial(33, "fail", (), Kept(key="a", flops=100, repeat=2)),
        Trial(34, "running", (), Kept(key="c", flops=100, rungs=(0.7,))),
        Trial(35, "pruned"),
    ]
    training = Training()
    for record in first:
        training.remember(record, BUDGETS)
    assert training.whole == 0  # what was trained before can't have been shared
    for record in records:
        training.remember(record, BUDGETS)
    assert training.repeated == 2 * 100 * 20_000
    assert training.whole == 100 * 25_000 + 10 * 5_000 + training.repeated
    assert training.of == {"a": 3}
