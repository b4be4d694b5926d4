"""Whether a search space has a candidate within limits on its cost, and what comes nearest."""

import random
from collections.abc import Sequence
from typing import Any

from search_space.architecture import Candidate
from search_space.cost import Cost, cost
from search_space.space import SearchSpace

STARTS = 8
SAMPLES = 100


def over(cost: Cost, max_params: int | None, max_flops: int | None) -> dict[str, float]:
    """By how much a cost exceeds each given limit, relative to it: within it where <= 0."""
    limits = {"params": (cost.params, max_params), "flops": (cost.flops, max_flops)}
    return {name: value / limit - 1 for name, (value, limit) in limits.items() if limit is not None}


def check_limits(
    space: SearchSpace,
    resolution: int,
    channels: int,
    classes: int,
    max_params: int | None,
    max_flops: int | None,
) -> None:
    """ValueError, with the nearest candidate's cost, if none is found within the limits.

    Random candidates first, then from the best of them one answer changed at a time for as long
    as that brings the cost down; costs fall with almost every single choice, so that ends at the
    smallest candidate or close to it.
    """
    random_state = random.Random(0)

    def measure(fixed: dict[str, Any]) -> tuple[float, Cost, dict[str, tuple[Any, Sequence[Any]]]]:
        asked: dict[str, tuple[Any, Sequence[Any]]] = {}

        def choose(name: str, options: Sequence[Any]) -> Any:
            answer = fixed.get(name, random_state.choice(options))
            asked[name] = (answer, options)
            return answer

        candidate: Candidate = space.sample(choose, resolution)
        total = cost(candidate.architecture, resolution, channels, classes)
        return max(over(total, max_params, max_flops).values(), default=0.0), total, asked

    tried = sorted((measure({}) for _ in range(SAMPLES)), key=lambda found: found[0])
    best = tried[0]
    for start in tried[:STARTS]:
        current, before = start, None
        while current[0] > 0 and current is not before:
            before = current
            for name, (_, options) in list(current[2].items()):
                fixed = {name: answer for name, (answer, _) in current[2].items()}
                found = (measure(fixed | {name: option}) for option in options)
                current = min(current, *found, key=lambda found: found[0])
        best = min(best, current, key=lambda found: found[0])
        if best[0] <= 0:
            return
    limits = {"--max-params": max_params, "--max-flops": max_flops}
    given = " and ".join(f"{name} {value:,}" for name, value in limits.items() if value is not None)
    raise ValueError(
        f"no candidate of the space meets {given}; the nearest found has {best[1].params:,} "
        f"parameters and {best[1].flops:,} FLOPs: raise the limit, or allow smaller choices"
    )
