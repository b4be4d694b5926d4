"""Windows of size: every size of a study's cost is in one, and none is forgotten."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.rungs.history import Completed, History, Size
from nas.sampling.ms_ehvi.sampler import STARTUP_TRIALS, MsEhvi
from nas.sampling.ms_ehvi.windows import Window, next_turn, windows_of
from nas.settings import Settings
from nas.study.measure import with_largest
from search_space.cost import cost

SETTINGS = Settings(largest={"params": 400_000, "flops": 2e8})
RANDOM = np.random.default_rng(0)
LOSSES = np.column_stack([RANDOM.uniform(3, 5.6, 300), RANDOM.uniform(5, 8, 300)])
SECONDS = 10 ** (LOSSES[:, 1] / 2)


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({}, [3_000, 10_000, 30_000, 100_000, 300_000, 400_000]),
        ({"max_params": 50_000}, [3_000, 10_000, 30_000, 50_000]),
        ({"objectives": ("accuracy", "flops")}, [300_000, 1e6, 3e6, 1e7, 3e7, 1e8]),
        ({"objectives": ("accuracy",)}, []),
        ({"objectives": ("accuracy", "latency")}, []),
    ],
)
def test_windows_end_at_the_sizes_that_people_ask_for(
    changes: dict[str, object], ends: list[float]
) -> None:
    settings = replace(SETTINGS, **changes)  # type: ignore[arg-type]
    column = LOSSES if len(settings.objectives) == 3 else LOSSES[:, 1:]
    found = windows_of(settings, column, SECONDS)
    assert [10**window.high for window in found] == pytest.approx(ends)
    assert [window.low for window in found[1:]] == [window.high for window in found[:-1]]


def test_sizes_that_the_space_does_not_have_are_no_windows() -> None:
    large = LOSSES[LOSSES[:, 0] > 4.6]
    found = windows_of(SETTINGS, large, np.ones(len(large)))
    assert [10**window.high for window in found] == pytest.approx([100_000, 300_000, 400_000])


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=7), st.integers(1, 60))
def test_no_window_is_forgotten_and_cheap_ones_get_more(seconds: list[float], rounds: int) -> None:
    windows = [Window("params", 0, n, n + 1.0, spent) for n, spent in enumerate(seconds)]
    had: Counter[Window] = Counter()
    proposed: list[tuple[tuple[float], float]] = []
    for _ in range(rounds * len(windows)):
        turn = next_turn(windows, proposed)
        assert turn is not None
        window = turn.window
        assert window.holds((window.high,))
        assert turn.most_accurate == (had[window] % 2 == 1)
        proposed.append(((window.high,), window.seconds))
        had[window] += 1
    for one in windows:
        for other in windows:
            if one.seconds <= other.seconds:
                assert had[one] >= had[other] - 1
                # As many as the root of the seconds says, give or take one.
                share = math.sqrt(other.seconds / one.seconds)
                assert had[one] <= share * (had[other] + 1) + 1


def test_a_trial_that_takes_long_counts_for_more() -> None:
    """By the root of its seconds: one of 16 is as much as four of one."""
    small, large = Window("params", 0, 0.0, 1.0, 1.0), Window("params", 0, 1.0, 2.0, 1.0)
    for count in range(8):
        turn = next_turn([small, large], [((2.0,), 16.0), *[((1.0,), 1.0)] * count])
        assert turn is not None
        assert turn.window == (small if count <= 4 else large)


def test_there_is_no_turn_without_windows() -> None:
    assert next_turn([], [((3.0, 5.0), 1.0)]) is None


def test_half_of_the_trials_ask_for_accuracy_whatever_it_costs_beside_its_window() -> None:
    """Where more FLOPs are more accurate, these have more of them than those for the front."""
    settings = with_largest(Settings(budgets=(5_000,)))
    history = History(1, at_cost=True)
    sampler = MsEhvi(settings, 0, history)
    flops: dict[bool, list[float]] = {False: [], True: []}
    for number in range(STARTUP_TRIALS + 48):
        turn = next_turn(sampler._windows, sampler._trained())
        assert turn is not None
        params = sampler.propose(number)
        found = settings.space.sample(lambda name, _, params=params: params[name])
        total = cost(found.architecture)
        known = (math.log10(total.params), math.log10(total.flops))
        history.know(found.key, known, params, Size(*known))
        history.add(found.key, known, 0, 1 - 0.3 * total.flops**-0.05 * total.params**-0.02)
        history.completed[number] = Completed(found.key, params)
        if number >= STARTUP_TRIALS:
            assert turn.window.holds(known)
            flops[turn.most_accurate].append(known[1])
    assert abs(len(flops[True]) - len(flops[False])) <= len(sampler._windows)
    assert np.mean(flops[True]) > np.mean(flops[False]) + 0.1


def test_random_beginnings_are_of_every_size() -> None:
    settings = with_largest(Settings())
    history = History(3, at_cost=True)
    sampler = MsEhvi(settings, 0, history)
    counts = Counter()
    for number in range(STARTUP_TRIALS):
        params = sampler.propose(number)
        found = settings.space.sample(lambda name, _, params=params: params[name])
        total = cost(found.architecture)
        known = (math.log10(total.params), math.log10(total.flops))
        history.know(found.key, known, params, Size(*known))
        counts[sum(total.params > size for size in (3e3, 1e4, 3e4, 1e5, 3e5, 1e6))] += 1
    assert set(counts) == set(range(6))
    assert max(counts.values()) <= 4


def test_beginnings_are_costly_where_nothing_but_accuracy_is_asked_for() -> None:
    """Up to a limit, more parameters and FLOPs cost nothing."""
    settings = with_largest(Settings(objectives=("accuracy",), max_params=30_000))
    history, flops = History(3, at_cost=True), []
    sampler = MsEhvi(settings, 0, history)
    for number in range(STARTUP_TRIALS):
        params = sampler.propose(number)
        found = settings.space.sample(lambda name, _, params=params: params[name])
        total = cost(found.architecture)
        assert total.params <= 30_000
        history.know(found.key, (), params, Size.of(total.params, total.flops))
        flops.append(math.log10(total.flops))
    usual = [one.row[1] for one in sampler._pooled()]
    assert np.median(flops) > np.median(usual) + 0.1
