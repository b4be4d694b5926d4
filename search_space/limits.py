"""Whether a search space has a candidate within limits on its cost, and what comes nearest."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from search_space.architecture import Candidate
from search_space.cost import Cost, OnDevice, asks_for_device, cost
from search_space.space import SearchSpace

STARTS = 8
SAMPLES = 100


def over(values: Mapping[str, float], limits: Mapping[str, float]) -> dict[str, float]:
    """By how much a value exceeds each limit, relative to it: within it where <= 0."""
    return {name: values[name] / limit - 1 for name, limit in limits.items()}


def within(values: Mapping[str, float], limits: Mapping[str, float]) -> bool:
    """Whether no value exceeds its limit."""
    return all(excess <= 0 for excess in over(values, limits).values())


def check_limits(
    space: SearchSpace,
    resolution: int,
    channels: int,
    classes: int,
    limits: Mapping[str, float],
    device: OnDevice = False,
) -> None:
    """ValueError, with the nearest candidate's cost, if none is found within the limits.

    ``limits`` are by the names of ``Cost``: params, flops, activation_bytes, flash_bytes,
    arena_bytes, cycles, of which the last takes a core as ``device``.
    """
    found, _ = nearest(space, resolution, channels, classes, limits, device)
    if within(found._asdict(), limits):
        return
    given = " and ".join(f"{_option(name)} {limit:,}" for name, limit in limits.items())
    costs = [f"{found.params:,} parameters", f"{found.flops:,} FLOPs"]
    for name in ("activation_bytes", "flash_bytes", "arena_bytes", "cycles"):
        if name in limits:
            costs.append(f"{getattr(found, name):,} {name.replace('_', ' ')}")
    raise ValueError(
        f"no candidate of the space meets {given}; the nearest found has "
        f"{', '.join(costs[:-1])} and {costs[-1]}: raise the limit, or allow smaller choices"
    )


def nearest(
    space: SearchSpace,
    resolution: int,
    channels: int,
    classes: int,
    limits: Mapping[str, float],
    device: OnDevice = False,
) -> tuple[Cost, dict[str, Any]]:
    """A candidate within the limits, or else the nearest to them that is found: cost and params.

    Random candidates first, then from the best of them one answer changed at a time for as long as
    that brings the cost down; costs fall with almost every single choice, so that ends at the
    smallest candidate or close to it.
    """
    random_state, device = random.Random(0), device or asks_for_device(limits)

    def measure(fixed: dict[str, Any]) -> tuple[float, Cost, dict[str, tuple[Any, Sequence[Any]]]]:
        asked: dict[str, tuple[Any, Sequence[Any]]] = {}

        def choose(name: str, options: Sequence[Any]) -> Any:
            answer = fixed.get(name, random_state.choice(options))
            asked[name] = (answer, options)
            return answer

        candidate: Candidate = space.sample(choose, resolution)
        total = cost(candidate.architecture, resolution, channels, classes, device)
        return max(over(total._asdict(), limits).values(), default=0.0), total, asked

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
            break
    return best[1], {name: answer for name, (answer, _) in best[2].items()}


def _option(name: str) -> str:
    return f"--max-{name.replace('_', '-')}"
