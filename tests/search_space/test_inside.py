"""Tests of looking for a candidate in a space: the hand-drawn ones are in the default one."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.architecture import Candidate
from search_space.catalog import candidate
from search_space.cost import cost
from search_space.dimensions import DEFAULTS_0_1
from search_space.inside import params_of
from search_space.space import SearchSpace

NETWORKS = Path(__file__).parents[2] / "benchmarks" / "networks"


@pytest.mark.parametrize(
    ("name", "params"), [("inception-28", 316_410), ("100k", 98_410), ("300k", 285_258)]
)
def test_the_default_space_has_what_was_drawn_by_hand(name: str, params: int) -> None:
    path = NETWORKS / f"{name}.json"
    drawn = Candidate.from_json(json.loads(path.read_text())) if path.exists() else candidate(name)
    assert cost(drawn.architecture).params == params
    found = params_of(SearchSpace(), drawn, 28)
    assert found is not None
    assert SearchSpace().sample(lambda asked, _: found[asked]) == drawn
    assert params_of(SearchSpace(DEFAULTS_0_1), drawn, 28) is None


@given(st.booleans(), st.integers(0, 2**32), st.sampled_from([12, 28, 64]))
def test_a_sampled_candidate_is_found(divided: bool, seed: int, resolution: int) -> None:
    space = SearchSpace(DEFAULTS_0_1 if divided else {})
    rng = Random(seed)
    sampled = space.sample(lambda _, options: rng.choice(options), resolution)
    found = params_of(space, sampled, resolution)
    assert found is not None
    assert space.sample(lambda asked, _: found[asked], resolution) == sampled


@pytest.mark.parametrize("name", ["googlenet", "googlenet-residual-block", "googlenet-torchvision"])
def test_what_is_no_candidate_of_it_is_not(name: str) -> None:
    assert params_of(SearchSpace(), candidate(name), 224) is None
