"""Tests of limits on cost: what is feasible is found, what isn't is said with the nearest cost."""

import re
from functools import cache
from typing import Any

import pytest

from search_space.cost import Cost, cost
from search_space.limits import check_limits, over
from search_space.size import every
from search_space.space import SearchSpace

# Every dimension is asked, also where it changes nothing: one choice keeps brute force short.
ONE: dict[str, tuple[Any, ...]] = {
    "body.order": ("conv-bn-relu",),
    "stage.scale": (1.0,),
    "stage.pool": ("max",),
}
NO_KERNELS: dict[str, tuple[Any, ...]] = {
    "stage.n": (3,),
    "stage.reduce": (0.5,),
    "stage.factorization": ("none",),
}

SMALL: dict[str, dict[str, tuple[Any, ...]]] = {
    "stems and stages": {
        **ONE,
        **NO_KERNELS,
        "stem.kernel": (3, 7),
        "stage.share_1x1": (1,),
        "stage.share_3x3": (0,),
        "stage.share_5x5": (0,),
        "stage.share_pool": (0,),
        "stage.width": (16, 64),
        "stage.residual": ("none",),
        "stage.reduction": ("max-pool",),
        "stage.blocks": (1, 2),
        "body.stages": (1, 2),
        "head.dropout": (0.0,),
        "head.label_smoothing": (0.0,),
    },
    "branches": {
        **ONE,
        "stem.kernel": (3,),
        "stem.stride": (1,),
        "stem.width": (8,),
        "stem.second": (False,),
        "stem.pool": (False,),
        "stage.width": (32,),
        "stage.residual": ("none",),
        "stage.blocks": (1,),
        "stage.n": (3, 7),
        "stage.reduce": (0.25, 0.75),
        "stage.share_1x1": (0, 1),
        "stage.share_5x5": (0, 1),
        "body.stages": (1,),
        "body.batch_norm": (False,),
        "head.dropout": (0.0,),
        "head.label_smoothing": (0.0,),
    },
    "weights against FLOPs": {
        **ONE,
        **NO_KERNELS,
        "stem.kernel": (3,),
        "stem.stride": (1,),
        "stem.pool": (False,),
        "stem.width": (4,),
        "stage.width": (64,),
        "stage.blocks": (2,),
        "stage.share_1x1": (1,),
        "stage.share_3x3": (0,),
        "stage.share_5x5": (0,),
        "stage.share_pool": (0,),
        "stage.residual": ("none",),
        "body.stages": (1,),
        "body.batch_norm": (False,),
    },
}


def limits(params: int | None, flops: int | None) -> dict[str, float]:
    given = {"params": params, "flops": flops}
    return {name: limit for name, limit in given.items() if limit is not None}


@cache
def costs(name: str, resolution: int = 28) -> list[Cost]:
    """The cost of every candidate."""
    space = SearchSpace(SMALL[name])
    candidates = every(lambda choose: space.sample(choose, resolution))
    return [cost(candidate.architecture, resolution) for candidate in candidates]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("resolution", [8, 28])
def test_the_smallest_candidate_is_found(name: str, resolution: int) -> None:
    space = SearchSpace(SMALL[name])
    params = min(cost.params for cost in costs(name, resolution))
    flops = min(cost.flops for cost in costs(name, resolution))
    check_limits(space, resolution, 1, 10, limits(params, None))
    check_limits(space, resolution, 1, 10, limits(None, flops))
    best = min(costs(name, resolution), key=lambda c: (c.flops / flops) * (c.params / params))
    check_limits(space, resolution, 1, 10, limits(best.params, best.flops))


@pytest.mark.parametrize("name", SMALL)
def test_less_than_the_smallest_is_refused_with_the_nearest_cost(name: str) -> None:
    params = min(cost.params for cost in costs(name))
    flops = min(cost.flops for cost in costs(name) if cost.params == params)
    with pytest.raises(ValueError, match="no candidate") as error:
        check_limits(SearchSpace(SMALL[name]), 28, 1, 10, limits(params - 1, None))
    found = re.fullmatch(
        rf"no candidate of the space meets --max-params {params - 1:,}; the nearest found has "
        rf"{params:,} parameters and ([\d,]+) FLOPs: raise the limit, or allow smaller choices",
        str(error.value),
    )
    assert found, str(error.value)
    assert int(found[1].replace(",", "")) >= flops


def test_both_limits_are_named() -> None:
    message = r"^no candidate of the space meets --max-params 1,000 and --max-flops 2,000; the near"
    with pytest.raises(ValueError, match=message):
        check_limits(SearchSpace(), 28, 1, 10, limits(1_000, 2_000))
    with pytest.raises(ValueError, match=r"meets --max-flops 2,000; the nearest found has"):
        check_limits(SearchSpace(), 28, 1, 10, limits(None, 2_000))


def test_limits_that_only_different_candidates_meet_are_refused() -> None:
    """GoogLeNet's second stem part costs weights and, as it halves the maps, saves FLOPs."""
    found = costs("weights against FLOPs")
    params, flops = min(cost.params for cost in found), min(cost.flops for cost in found)
    assert not any(cost.params <= params and cost.flops <= flops for cost in found)
    space = SearchSpace(SMALL["weights against FLOPs"])
    with pytest.raises(ValueError, match="no candidate of the space meets"):
        check_limits(space, 28, 1, 10, limits(params, flops))


def test_tiny_limits_on_the_default_space_are_met() -> None:
    """The smallest candidate: a 3x3 stem of 8 channels, one 1x1 or pool branch of 8."""
    smallest = (9 * 8 + 16) + (8 * 8 + 16) + (8 * 10 + 10)
    check_limits(SearchSpace(), 28, 1, 10, limits(smallest, None))
    check_limits(SearchSpace(), 28, 3, 10, limits(smallest + 2 * 9 * 8, None))


def test_no_limit_is_always_met() -> None:
    check_limits(SearchSpace(), 28, 1, 10, limits(None, None))


def test_a_limit_depends_on_the_images_and_classes() -> None:
    smallest = (9 * 8 + 16) + (8 * 8 + 16) + (8 * 10 + 10)
    for channels, classes in ((3, 10), (1, 11)):
        with pytest.raises(ValueError, match=f"meets --max-params {smallest}; the nearest"):
            check_limits(SearchSpace(), 28, channels, classes, limits(smallest, None))


def test_activation_bytes_have_a_limit_and_are_said() -> None:
    # The image, the stem's convolution in its copy or in the widest block: never below this.
    with pytest.raises(
        ValueError, match=r"meets --max-activation-bytes 5,000; .* activation bytes"
    ):
        check_limits(SearchSpace(), 28, 1, 10, {"activation_bytes": 5_000})
    check_limits(SearchSpace(), 28, 1, 10, {"activation_bytes": 20_000})


def test_over() -> None:
    values = {"params": 150, "flops": 1000, "latency": 0.5}
    assert over(values, {}) == {}
    assert over(values, {"params": 100}) == {"params": 0.5}
    assert over(values, {"flops": 2000}) == {"flops": -0.5}
    assert over(values, {"params": 150, "latency": 0.5}) == {"params": 0.0, "latency": 0.0}
    assert over(values, {"params": 149})["params"] > 0 > over(values, {"flops": 1001})["flops"]
