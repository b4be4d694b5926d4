"""What the tests of search_space share: GoogLeNet, sampled candidates, Hypothesis strategies.

The strategies are registered by type: ``st.from_type(Block)`` and so on.
"""

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import reject
from hypothesis import strategies as st

from search_space import dimensions
from search_space.architecture import (
    N_SIZES,
    NORMS,
    POOLS,
    REDUCTIONS,
    RESIDUALS,
    Architecture,
    Auxiliary,
    Block,
    Candidate,
    Details,
    Stage,
    Stem,
)
from search_space.catalog import candidate
from search_space.dimensions import DIMENSIONS, DIVIDED, Choice, Dimension, general
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
    return candidate("googlenet").architecture


@pytest.fixture(scope="session")
def sampled() -> list[Candidate]:
    """1,000 candidates of the default space at 28 pixels."""
    return [sample(SearchSpace(), seed) for seed in range(1000)]


def sample(space: SearchSpace, seed: int) -> Candidate:
    random = Random(seed)
    return space.sample(lambda _, options: random.choice(options))


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    first, *others = draw(st.lists(st.from_type(Stage), min_size=1, max_size=3))
    reduced = (replace(s, reduction="max-pool") if s.reduction == "none" else s for s in others)
    stages = (Stage(first.blocks), *reduced)
    places = [(i, j) for i, stage in enumerate(stages, 1) for j in range(1, len(stage.blocks) + 1)]
    heads = draw(st.lists(st.sampled_from(places), max_size=2, unique=True))
    return Architecture(
        draw(st.from_type(Stem)),
        stages,
        draw(st.sampled_from(NORMS)),
        draw(st.integers(0, 90)) / 100,
        draw(st.from_type(Details)),
        tuple(Auxiliary(*place) for place in sorted(heads)),
    )


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    blocks = draw(st.lists(st.from_type(Block), min_size=1, max_size=3).map(tuple))
    reduction = draw(st.sampled_from(REDUCTIONS))
    widths = draw(st.none() | st.tuples(*[WIDTHS] * 4)) if reduction == "inception" else None
    return Stage(blocks, reduction, widths)


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
        draw(st.sampled_from((3, 5))),
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
    other = draw(
        st.sampled_from([dimensions.WIDTHS, DIVIDED])
    )  # which its kind of space doesn't have
    others = {f"stage.{key}" for key in other}
    everywhere = [name for name in DIMENSIONS if name not in others]
    own = [f"stage{n}.{name[6:]}" for n in range(1, 7) for name in everywhere if "stage." in name]
    names = draw(st.lists(st.sampled_from([*everywhere, *own]), max_size=12, unique=True))
    given = {}
    for name in names:
        options = st.lists(choices(DIMENSIONS[general(name)]), min_size=1, max_size=3, unique=True)
        given[name] = tuple(draw(options))
    try:
        return SearchSpace(given)
    except ValueError as error:
        if "can only be 0" in str(error):
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
st.register_type_strategy(Stage, stages())
st.register_type_strategy(
    Details,
    st.builds(
        Details,
        st.booleans(),
        st.booleans(),
        st.sampled_from((1e-5, 1e-3)),
        st.booleans(),
    ),
)
st.register_type_strategy(Architecture, architectures())
st.register_type_strategy(
    Candidate,
    st.builds(
        Candidate,
        st.from_type(Architecture),
        st.integers(0, 50).map(lambda percent: percent / 100),
    ),
)
st.register_type_strategy(SearchSpace, spaces())
