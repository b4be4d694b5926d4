"""Tests of drawing candidates of every size: evenness, limits, what a draw depends on."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.cost import cost
from search_space.dimensions import DEFAULTS_0_1
from search_space.space import SearchSpace
from search_space.spread import Drawn, Spread

IMAGE = (1, 28, 28)


@pytest.fixture(scope="module")
def spread() -> Spread:
    return Spread(SearchSpace(), IMAGE, 10)


@pytest.fixture(scope="module")
def drawn(spread: Spread) -> list[Drawn]:
    rng = Random(1)
    return [spread.draw(rng) for _ in range(1000)]


def test_sizes_are_spread_evenly_over_the_decades(drawn: list[Drawn]) -> None:
    logs = np.log10([one.cost.params for one in drawn])
    counts, _ = np.histogram(logs, np.linspace(3, 6, 7))
    expected = counts.mean()
    assert expected > 100  # most of the space lies there
    assert counts.min() > 0.7 * expected
    assert counts.max() < 1.3 * expected


def test_flops_are_spread_within_candidates_of_like_size(drawn: list[Drawn]) -> None:
    for low, high in ((1e3, 1e4), (1e4, 1e5), (1e5, 1e6)):
        flops = [math.log10(one.cost.flops) for one in drawn if low <= one.cost.params < high]
        counts, _ = np.histogram(flops, np.linspace(*np.quantile(flops, (0.05, 0.95)), 4))
        assert counts.min() > 0.15 * counts.sum()


def test_a_draw_is_what_its_params_make(spread: Spread, drawn: list[Drawn]) -> None:
    for one in drawn[:50]:
        assert SearchSpace().sample(lambda name, _, made=one: made.params[name]) == one.candidate
        assert cost(one.candidate.architecture) == one.cost
    rng = Random(1)
    again = Spread(SearchSpace(), IMAGE, 10)
    assert [again.draw(rng) for _ in range(20)] == drawn[:20]
    assert len({one.candidate.key for one in drawn}) > 950


@given(st.floats(3.3, 5.5), st.floats(5.5, 7.5), st.integers(0, 2**32))
@settings(max_examples=max(8, settings.default.max_examples // 4))
def test_nothing_above_a_limit_is_drawn(params: float, flops: float, seed: int) -> None:
    limits = {"params": 10**params, "flops": 10**flops}
    rng, spread = Random(seed), Spread(SearchSpace(DEFAULTS_0_1), IMAGE, 10, limits)
    found = [spread.draw(rng) for _ in range(3)]
    assert all(one.cost.params <= 10**params and one.cost.flops <= 10**flops for one in found)


def test_where_nothing_is_within_limits() -> None:
    with pytest.raises(ValueError, match="no candidate of the space was found within its limits"):
        Spread(SearchSpace(), IMAGE, 10, {"params": 10})


def test_limits_that_next_to_nothing_meets() -> None:
    """A random candidate doesn't; the smallest, which is looked for, does."""
    spread = Spread(SearchSpace(), IMAGE, 10, {"params": 258})
    assert {spread.draw(Random(seed)).cost.params for seed in range(5)} == {258}


def test_other_images_and_classes() -> None:
    spread = Spread(SearchSpace(), (3, 16, 16), 100)
    one = spread.draw(Random(0))
    assert one.cost == cost(one.candidate.architecture, 16, 3, 100)
