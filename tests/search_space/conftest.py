"""What the tests of search_space share: GoogLeNet, sampled candidates, Hypothesis strategies.

The strategies are registered by type: ``st.from_type(Block)`` and so on.
"""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import reject
from hypothesis import strategies as st

from search_space.architecture import (
    N_SIZES,
    NORMS,
    POOLS,
    REDUCTIONS,
    RESIDUALS,
    Architecture,
    Block,
    Candidate,
    Stage,
    Stem,
)
from search_space.dimensions import DIMENSIONS, Choice, Dimension, general
from search_space.factorization import FACTORIZATIONS
from search_space.space import SearchSpace

WIDTHS = st.integers(2, 24)
PERCENT = st.integers(1, 100).map(lambda percent: percent / 100)


@pytest.fixture(scope="session")
def golden() -> Any:
    """Counts, shapes and keys that must come out exactly."""
    return json.loads((Path(__file__).parent / "golden.json").read_text())


@pytest.fixture(scope="session")
def googlenet() -> Architecture:
    """GoogLeNet as published, without its auxiliary heads, [Szegedy2015] table 1."""
    return _googlenet(Stem(64, 7, 2, True, (64, 192)))


@pytest.fixture(scope="session")
def googlenet_28() -> Architecture:
    """GoogLeNet for 28x28 images: a 5x5 convolution with stride 1, no pooling after it."""
    return _googlenet(Stem(64, 5, 1, False, (64, 192)))


def _googlenet(stem: Stem) -> Architecture:
    stages = [
        [(64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)],
        [
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128),
        ],
        [(256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)],
    ]
    return Architecture(
        stem,
        tuple(
            Stage(tuple(Block(*widths) for widths in blocks), "max-pool" if index else "none")
            for index, blocks in enumerate(stages)
        ),
    )


@pytest.fixture(scope="session")
def sampled() -> list[Candidate]:
    """1,000 candidates of the default space at 28 pixels."""
    return [sample(SearchSpace(), seed) for seed in range(1000)]


def sample(space: SearchSpace, seed: int) -> Candidate:
    random = Random(seed)
    return space.sample(lambda _, options: random.choice(options))


def first_without_reduction(stages: list[Stage]) -> tuple[Stage, ...]:
    """The stages with reductions where an architecture must have them, and only there."""
    first, *others = stages
    reduced = (Stage(s.blocks, REDUCTIONS[1]) if s.reduction == "none" else s for s in others)
    return (Stage(first.blocks), *reduced)


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    present = draw(st.tuples(*[st.booleans()] * 4).filter(any))
    one, three, five, pool = (draw(WIDTHS) if there else 0 for there in present)
    return Block(
        one,
        *(draw(WIDTHS), three),
        *(draw(WIDTHS), five),
        pool,
        draw(st.sampled_from(POOLS)),
        draw(st.sampled_from(sorted(FACTORIZATIONS))),
        draw(st.sampled_from(N_SIZES)),
        draw(st.sampled_from(RESIDUALS)),
        draw(PERCENT),
    )


def choices(dimension: Dimension) -> st.SearchStrategy[Choice]:
    """Any choice that the dimension allows."""
    if not dimension.step:
        return st.sampled_from(dimension.valid)
    low, high = dimension.valid
    if isinstance(low, float) and isinstance(high, float):
        return st.floats(low, high)
    assert isinstance(low, int)
    assert isinstance(high, int)
    return st.sampled_from(range(low, high + 1, dimension.step))


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    own = [f"stage{n}.{name[6:]}" for n in range(1, 7) for name in DIMENSIONS if "stage." in name]
    names = draw(st.lists(st.sampled_from([*DIMENSIONS, *own]), max_size=12, unique=True))
    given = {}
    for name in names:
        options = st.lists(choices(DIMENSIONS[general(name)]), min_size=1, max_size=3, unique=True)
        given[name] = tuple(draw(options))
    try:
        return SearchSpace(given)
    except ValueError as error:
        if "every share can only be 0" in str(error):
            reject()
        raise


st.register_type_strategy(Block, blocks())
st.register_type_strategy(
    Stem,
    st.builds(
        Stem,
        WIDTHS,
        st.sampled_from((1, 3, 5, 7, 9, 11)),
        st.integers(1, 4),
        st.booleans(),
        st.none() | st.tuples(WIDTHS, WIDTHS),
    ),
)
st.register_type_strategy(
    Stage,
    st.builds(
        Stage,
        st.lists(st.from_type(Block), min_size=1, max_size=3).map(tuple),
        st.sampled_from(REDUCTIONS),
    ),
)
st.register_type_strategy(
    Architecture,
    st.builds(
        Architecture,
        st.from_type(Stem),
        st.lists(st.from_type(Stage), min_size=1, max_size=3).map(first_without_reduction),
        st.sampled_from(NORMS),
        st.integers(0, 90).map(lambda percent: percent / 100),
    ),
)
st.register_type_strategy(
    Candidate,
    st.builds(
        Candidate,
        st.from_type(Architecture),
        st.integers(0, 50).map(lambda percent: percent / 100),
    ),
)
st.register_type_strategy(SearchSpace, spaces())
