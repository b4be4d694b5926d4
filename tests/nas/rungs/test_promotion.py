"""Who goes on: the bound's calibration, exact costs, ranks by non-dominated sorting."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.rungs.history import History, Promise, Size
from nas.rungs.names import PROMOTIONS
from nas.rungs.promotion import RISK, RISK_OF_A_LINE, crowding, ranking, upper_bound
from studies.forecast import LEAST_PAIRS
from studies.pareto import front_mask


def history_of(
    rng: np.random.Generator, count: int, noise: float, rungs: int = 2
) -> tuple[History, list[float]]:
    """Candidates at both rungs, errors related by a power law with noise; the true bounds' law."""
    history = History(rungs)
    gains = []
    for index in range(count):
        low = rng.uniform(0.15, 0.5)
        high = 0.6 * low**0.8 * np.exp(noise * rng.normal())
        history.add(f"{index:04}", (rng.uniform(4, 6), rng.uniform(6, 8)), 0, 1 - low)
        history.add(f"{index:04}", history.known[f"{index:04}"], rungs - 1, 1 - high)
        gains.append(high)
    return history, gains


MIDDLE = Size(5, 7)


def bound(history: History, accuracy: float, size: Size = MIDDLE) -> float:
    """What a candidate may reach that has this accuracy at the first rung."""
    history.accuracies[0]["asked"] = accuracy
    history.sizes["asked"] = size
    return upper_bound(history, 0, "asked")


def test_the_bound_is_exceeded_as_often_as_it_says() -> None:
    exceeded = total = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        history, _ = history_of(rng, int(rng.integers(LEAST_PAIRS, 30)), 0.1)
        for _ in range(10):
            low = rng.uniform(0.15, 0.5)
            high = 0.6 * low**0.8 * np.exp(0.1 * rng.normal())
            exceeded += 1 - high > bound(history, 1 - low)
            total += 1
    assert abs(exceeded / total - RISK_OF_A_LINE) < 0.005


def sized(rng: np.random.Generator, count: int, noise: float) -> tuple[History, Callable[[], Any]]:
    """Candidates at both rungs whose errors depend on their size too, and what makes more."""
    history = History(2, at_cost=True)

    def more() -> tuple[float, float, Size]:
        size = Size(rng.uniform(3, 6), rng.uniform(5, 8))
        low = rng.uniform(0.15, 0.5)
        change = 0.1 * (5 - size.params) - 0.1 * (size.flops - 6.5) + noise * rng.normal()
        return low, 0.6 * low**0.8 * np.exp(change), size

    for index in range(count):
        low, high, size = more()
        history.know(str(index), size, {}, size)
        history.add(str(index), size, 0, 1 - low)
        history.add(str(index), size, 1, 1 - high)
    return history, more


def test_the_bound_that_knows_the_cost_is_exceeded_as_often_as_it_says() -> None:
    exceeded, wide, narrow = [], [], []
    for seed in range(300):
        history, more = sized(np.random.default_rng(seed), 12 + seed % 30, 0.05)
        for _ in range(10):
            low, high, size = more()
            narrow.append(bound(history, 1 - low, size))
            exceeded.append(1 - high > narrow[-1])
            history.at_cost = False
            wide.append(bound(history, 1 - low, size))
            history.at_cost = True
    assert abs(np.mean(exceeded) - RISK) < 0.003
    assert np.mean(narrow) < np.mean(wide) - 0.02


def test_a_bound_at_cost_does_not_mind_candidates_of_one_cost() -> None:
    history = History(2, at_cost=True)
    for index in range(20):
        history.know(str(index), (1.0,), {}, Size(4, 6))
        history.add(str(index), (1.0,), 0, 0.5 + 0.01 * index)
        history.add(str(index), (1.0,), 1, 0.6 + 0.01 * index)
    assert 0.7 <= bound(history, 0.6, Size(4, 6)) < 0.75


def test_what_cannot_be_of_use_stops() -> None:
    history, _ = history_of(np.random.default_rng(1), 30, 0.01)
    history.add("cheapest", (0.0, 0.0), 0, 0.55)
    assert not stopped(history, "cheapest")
    history.floor = 0.8
    assert stopped(history, "cheapest")
    reason = PROMOTIONS["known-cost"].decide(history, "cheapest", 0, 3.0).reason
    assert reason.endswith("; 80.00% is of no use yet")
    history.add("good", (0.0, 0.0), 0, 0.8)
    assert not stopped(history, "good")


def test_too_few_pairs_say_nothing() -> None:
    history, _ = history_of(np.random.default_rng(0), LEAST_PAIRS - 1, 0.1)
    assert bound(history, 0.1) == 1.0


@given(st.integers(0, 1000), st.floats(0.0, 0.999), st.booleans())
def test_the_bound_is_an_accuracy_and_not_below_what_is_there(
    seed: int, accuracy: float, at_cost: bool
) -> None:
    history, _ = sized(np.random.default_rng(seed), 14, 0.2)
    history.at_cost = at_cost
    assert accuracy <= bound(history, accuracy) <= 1.0


def test_equal_accuracies_bound_without_a_slope() -> None:
    history = History(2)
    for index in range(8):
        history.add(str(index), (1.0,), 0, 0.5)
        history.add(str(index), (1.0,), 1, 0.7 + 0.01 * index)
    assert 0.75 < bound(history, 0.5) < 0.9


def stopped(history: History, key: str, rung: int = 0, rule: str = "known-cost") -> bool:
    return not PROMOTIONS[rule].decide(history, key, rung, 3.0).go


def test_a_candidate_stops_only_for_what_costs_no_more() -> None:
    history, _ = history_of(np.random.default_rng(1), 30, 0.01)
    history.add("good", (4.0, 6.0), 1, 0.95)
    history.add("bad", (5.0, 7.0), 0, 0.55)
    assert stopped(history, "bad")
    reason = PROMOTIONS["known-cost"].decide(history, "bad", 0, 3.0).reason
    assert reason.startswith("may reach ")
    assert reason.endswith("95.00% is there at no more cost")
    # The same accuracy, cheaper in either objective than everything: it would be on the front.
    for costs in ((3.9, 9.0), (9.0, 5.9)):
        history.add("cheap", costs, 0, 0.55)
        assert not stopped(history, "cheap")


def promised(now: float) -> History:
    """A history in which "asked", for the cheapest cost, promised 1.0 and is worth ``now``."""
    history, _ = history_of(np.random.default_rng(1), 30, 0.01)
    history.budgets = (5_000, 15_000)
    history.add("asked", (0.0, 0.0), 0, 0.55)
    history.promises["asked"] = Promise(1.0)
    history.worth = lambda key: {"asked": now}[key]
    return history


@given(st.floats(0, 3))
def test_a_candidate_goes_on_while_it_promises_as_much_as_another_for_what_is_left(
    now: float,
) -> None:
    """Three quarters of its training are left."""
    assert stopped(promised(now), "asked", rule="improvement") == (now < 0.75)


def test_why_a_candidate_that_promises_less_is_stopped() -> None:
    decision = PROMOTIONS["improvement"].decide(promised(0.3), "asked", 0, 3.0)
    assert decision.reason == (
        "promises 30% of the improvement that it was proposed for, and 75% of its training is "
        "left; another candidate promises more"
    )


def test_what_promises_much_is_stopped_all_the_same_where_it_cannot_reach_the_front() -> None:
    history = promised(9.0)
    history.add("better", (-1.0, -1.0), 1, 0.95)
    assert stopped(history, "asked", rule="improvement")


def test_without_a_promise_or_a_forecast_nobody_is_stopped_for_it() -> None:
    history = promised(0.0)
    history.promises.clear()
    assert not stopped(history, "asked", rule="improvement")
    few, _ = history_of(np.random.default_rng(0), LEAST_PAIRS - 1, 0.1)
    few.add("asked", (0.0, 0.0), 0, 0.55)
    few.budgets, few.promises = (5_000, 15_000), {"asked": Promise(1.0)}
    few.worth = lambda _: 0.0
    assert not stopped(few, "asked", rule="improvement")


def test_its_own_results_do_not_stop_a_candidate() -> None:
    history, _ = history_of(np.random.default_rng(1), 30, 0.01)
    for known in history.known:
        history.known[known] = (9.0, 9.0)
    history.add("alone", (4.0, 6.0), 0, 0.3)
    history.add("alone", (4.0, 6.0), 1, 0.9)
    assert not stopped(history, "alone")


def test_a_better_candidate_never_stops_where_a_worse_one_goes_on() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        history, _ = history_of(rng, 15, 0.1)
        costs = (5.0, 7.0)
        went_on = []
        for accuracy in np.linspace(0.4, 0.9, 20):
            history.add("new", costs, 0, float(accuracy))
            went_on.append(not stopped(history, "new"))
        assert went_on == sorted(went_on)


def test_only_rungs_from_its_own_on_count() -> None:
    history, _ = history_of(np.random.default_rng(1), 30, 0.01, rungs=3)
    history.accuracies[1] = dict.fromkeys(history.accuracies[0], 0.8)
    history.accuracies[0]["first"] = 0.99
    history.known["first"] = (0.0, 0.0)
    history.add("second", (5.0, 7.0), 1, 0.9)
    before = PROMOTIONS["known-cost"].decide(history, "second", 1, 3.0)
    del history.accuracies[0]["first"]
    assert PROMOTIONS["known-cost"].decide(history, "second", 1, 3.0) == before


@given(st.integers(0, 10**6), st.integers(1, 25), st.integers(1, 4))
def test_the_ranking_puts_front_after_front(seed: int, count: int, columns: int) -> None:
    losses = np.random.default_rng(seed).integers(0, 5, (count, columns)).astype(float)
    order = ranking(losses)
    assert sorted(order) == list(range(count))
    left = list(range(count))
    while left:
        mask = front_mask(losses[left])
        layer = {left[i] for i in np.flatnonzero(mask)}
        assert set(order[: len(layer)]) == layer
        order = order[len(layer) :]
        left = [i for i in left if i not in layer]


def test_crowding_prefers_the_ends_and_the_lonely() -> None:
    front = np.array([[0.0, 1.0], [0.1, 0.8], [0.2, 0.75], [0.9, 0.1], [1.0, 0.0]])
    distance = crowding(front)
    assert np.isinf(distance[[0, 4]]).all()
    assert distance[2] > distance[1] > 0
    assert distance[3] > distance[1]


def test_asha_lets_the_best_third_go_on() -> None:
    history = History(2)
    for index in range(9):
        history.add(str(index), (1.0, 1.0), 0, 0.5 + 0.01 * index)
    assert [stopped(history, str(index), rule="asha") for index in range(9)] == [True] * 6 + [
        False
    ] * 3
    decision = PROMOTIONS["asha"].decide(history, "0", 0, 3.0)
    assert decision.reason == "place 9 of 9 at its rung; 3 go on"


@pytest.mark.parametrize("rule", PROMOTIONS)
def test_the_first_candidate_goes_on(rule: str) -> None:
    history = History(3)
    history.add("only", (1.0,), 0, 0.2)
    assert not stopped(history, "only", rule=rule)
