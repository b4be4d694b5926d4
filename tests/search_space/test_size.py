"""Tests of the size of spaces: brute force over every answer as the oracle."""

from itertools import islice, product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from search_space.architecture import Candidate
from search_space.dimensions import DEFAULTS_0_1, DIMENSIONS, DIVIDED, MAX_STAGES, general
from search_space.size import Size, every, size
from search_space.space import SearchSpace

LEAVES = 20_000

FIXED: dict[str, tuple[Any, ...]] = {
    "stem.kernel": (3,),
    "stem.stride": (1,),
    "stem.pool": (False,),
    "stem.width": (8,),
    "stem.second": (False,),
    "stem.second_1x1": (1.0,),
    "stem.second_3x3": (2.0,),
    "body.stages": (1,),
    "stage.blocks": (1,),
    "stage.width": (32,),
    "stage.reduction": ("max-pool",),
    "stage.share_1x1": (1,),
    "stage.share_3x3": (1,),
    "stage.share_5x5": (1,),
    "stage.share_pool": (1,),
    "stage.reduce": (0.5,),
    "stage.factorization": ("none",),
    "stage.n": (3,),
    "stage.pool": ("max",),
    "stage.residual": ("none",),
    "stage.scale": (1.0,),
    "body.batch_norm": (False,),
    "body.order": ("conv-bn-relu",),
    "head.dropout": (0.0,),
    "head.label_smoothing": (0.0,),
}

SPACES: dict[str, tuple[dict[str, tuple[Any, ...]], int]] = {
    "nothing to choose": ({}, 28),
    "shares that give equal widths": (
        {f"stage.share_{branch}": (0, 1, 2) for branch in ("1x1", "3x3", "5x5", "pool")}
        | {"stage.width": (16, 32, 48)},
        28,
    ),
    "ratios that give equal reductions": (
        {"stage.reduce": (0.2, 0.25, 0.5, 0.75), "stage.width": (16, 32, 64)},
        28,
    ),
    "only the pool branch": (
        {"stage.share_1x1": (0,), "stage.share_3x3": (0,), "stage.share_5x5": (0,)}
        | {"stage.share_pool": (0, 1, 2), "stage.pool": ("max", "avg")},
        28,
    ),
    "factorizations that change nothing": (
        {f"stage.share_{branch}": (0, 1) for branch in ("1x1", "3x3", "5x5", "pool")}
        | {"stage.factorization": ("none", "stacked", "asymmetric", "expanded")}
        | {"stage.n": (3, 5, 7), "stage.pool": ("max", "avg")},
        28,
    ),
    "asymmetric, and no 3 among its sizes": (
        {"stage.share_3x3": (0, 1), "stage.share_5x5": (0, 1), "stage.n": (5, 7)}
        | {"stage.factorization": ("none", "asymmetric")},
        28,
    ),
    "residuals where widths differ": (
        {"stem.width": (8, 16, 32), "stem.second": (False, True), "body.stages": (1, 2)}
        | {"stage.width": (16, 64), "stage.blocks": (1, 2), "stage.scale": (0.1, 1.0)}
        | {"stage.reduction": ("max-pool", "inception")}
        | {"stage.residual": ("none", "block", "branch")},
        28,
    ),
    "only a residual that cannot apply": (
        {"stem.width": (8, 32), "stage.residual": ("block",), "stage.scale": (0.1, 0.3)}
        | {"stage.blocks": (1, 3), "body.stages": (1, 2), "stage.width": (16, 32)},
        28,
    ),
    "stages that the resolution limits": (
        {"stem.stride": (1, 2), "stem.pool": (False, True), "stem.second": (False, True)}
        | {"body.stages": (1, 2, 3, 4, 5, 6), "stage.blocks": (1, 2)},
        12,
    ),
    "halvings that the stages limit": (
        {"stem.stride": (1, 2), "stem.pool": (False, True), "stem.second": (False, True)}
        | {"body.stages": (3, 4), "stage.width": (16, 32)},
        8,
    ),
    "a norm's order only with a norm": (
        {"body.batch_norm": (False, True), "body.order": ("conv-bn-relu", "bn-relu-conv")}
        | {"head.dropout": (0.0, 0.2), "head.label_smoothing": (0.0, 0.1, 0.2)},
        28,
    ),
    "stages of their own": (
        {"body.stages": (1, 2, 3), "stage.width": (16, 32), "stage2.width": (16, 32, 48)}
        | {"stage3.blocks": (1, 2), "stage1.share_5x5": (0,), "stage2.pool": ("max", "avg")}
        | {"stage1.reduction": ("inception", "max-pool"), "stage3.reduction": ("inception",)}
        | {"stage2.residual": ("block", "branch"), "stage2.scale": (0.1, 0.3)},
        28,
    ),
}


NARROW: dict[str, tuple[Any, ...]] = {
    "stage.width_1x1": (8,),
    "stage.width_3x3": (16,),
    "stage.width_5x5": (8,),
    "stage.width_pool": (8,),
    "stage.reduce_3x3": (0.5,),
    "stage.reduce_5x5": (0.5,),
}

WIDE: dict[str, dict[str, tuple[Any, ...]]] = {
    "nothing to choose": {},
    "branches that may be absent": {
        f"stage.width_{branch}": (0, 8, 16) for branch in ("1x1", "3x3", "5x5", "pool")
    },
    "ratios that give equal reductions": {
        "stage.reduce_3x3": (0.4, 0.5, 0.6, 1.0),
        "stage.reduce_5x5": (0.5, 1.0, 2.0),
        "stage.width_3x3": (0, 8, 24, 32),
    },
    "kernels of branches that may be absent": {
        "stage.width_3x3": (0, 16),
        "stage.width_5x5": (0, 8),
        "stage.width_pool": (0, 8),
        "stage.factorization": ("none", "stacked", "asymmetric", "expanded"),
        "stage.n": (3, 7),
        "stage.pool": ("max", "avg"),
    },
    "residuals where widths agree now and then": {
        "stem.width": (8, 24),
        "stage.width_3x3": (0, 8, 16),
        "stage.width_1x1": (0, 8),
        "stage.residual": ("none", "block", "branch"),
        "stage.scale": (0.1, 0.3),
        "stage.blocks": (1, 2),
    },
    "stages of their own": {
        "body.stages": (1, 2),
        "stage.reduction": ("max-pool", "inception"),
        "stage1.width_3x3": (0, 8),
        "stage2.width_3x3": (16, 24, 48),
        "stage.residual": ("none", "block"),
    },
    "a second part of several widths": {
        "stem.second": (False, True),
        "stem.width": (8, 16),
        "stem.second_1x1": (0.5, 1.0),
        "stem.second_3x3": (1.0, 2.0, 3.0),
    },
}


def leaves(space: SearchSpace, resolution: int) -> list[Candidate]:
    """What every sequence of answers gives, up to one more than the most that are counted."""
    answers = every(lambda choose: space.sample(choose, resolution))
    return list(islice(answers, LEAVES + 1))


def brute_force(candidates: list[Candidate]) -> Size:
    keys = {candidate.key for candidate in candidates}
    assert len(keys) == len(set(candidates))
    return Size(len({candidate.architecture.key for candidate in candidates}), len(keys))


@pytest.mark.parametrize("name", SPACES)
def test_sizes_by_brute_force(name: str) -> None:
    wider, resolution = SPACES[name]
    space = SearchSpace(FIXED | wider)
    found = leaves(space, resolution)
    assert len(found) <= LEAVES
    assert size(space, resolution) == brute_force(found)


def test_brute_force_finds_equal_candidates_more_than_once() -> None:
    """Otherwise the cases above say nothing about equal networks."""
    for name in ("shares that give equal widths", "factorizations that change nothing"):
        found = leaves(SearchSpace(FIXED | SPACES[name][0]), 28)
        assert brute_force(found).candidates < len(found)


@st.composite
def small_spaces(draw: st.DrawFn) -> SearchSpace:
    """Spaces of one choice a dimension, but for up to six."""
    own = [
        f"stage{n}.{name[6:]}" for n in range(1, MAX_STAGES) for name in FIXED if "stage." in name
    ]
    wider = draw(st.lists(st.sampled_from([*FIXED, *own]), max_size=6, unique=True))
    given: dict[str, tuple[Any, ...]] = dict(FIXED)
    for name in ["body.stages", *wider]:
        choices = st.sampled_from(DIMENSIONS[general(name)].choices)
        given[name] = tuple(draw(st.lists(choices, min_size=1, max_size=3, unique=True)))
    return SearchSpace(given)


@given(small_spaces(), st.sampled_from([8, 9, 12, 28]))
def test_sizes_of_small_spaces_by_brute_force(space: SearchSpace, resolution: int) -> None:
    answers = every(lambda choose: space.sample(choose, resolution))
    found = list(islice(answers, 1000))
    assume(len(found) < 1000)
    assert size(space, resolution) == brute_force(found)


@pytest.mark.parametrize("name", WIDE)
def test_sizes_by_brute_force_where_branches_have_widths(name: str) -> None:
    shared = [key for key in FIXED if key.startswith("stage.") and key[6:] in DIVIDED]
    fixed = {key: choices for key, choices in FIXED.items() if key not in shared} | NARROW
    space = SearchSpace(fixed | WIDE[name])
    found = leaves(space, 28)
    assert len(found) <= LEAVES
    assert size(space) == brute_force(found)


def test_the_default_space() -> None:
    architectures = 5_754_080_373_812_986_416
    assert size(SearchSpace()) == (architectures, 3 * architectures)


def test_the_default_space_of_0_1() -> None:
    architectures = 445_585_654_614_014_712
    assert size(SearchSpace(DEFAULTS_0_1)) == (architectures, 4 * architectures)


def test_a_space_that_cannot_run_has_no_size() -> None:
    with pytest.raises(ValueError, match="resolution is 8; no candidate of this space can run at"):
        size(SearchSpace({"body.stages": (6,)}), 8)


def test_every_answers_in_every_way() -> None:
    assert list(every(lambda choose: 1)) == [1]
    three = every(lambda choose: tuple(choose("x", "ab") for _ in range(3)))
    assert list(three) == list(product("ab", repeat=3))

    def dependent(choose: Any) -> tuple[int, ...]:
        return tuple(choose("x", range(3)) for _ in range(choose("n", (0, 2, 1))))

    assert list(every(dependent)) == [
        (),
        *product(range(3), repeat=2),
        *product(range(3), repeat=1),
    ]
