"""Exact cost of a candidate, and sampling plus cost plus key, on fresh random candidates."""

import random
import time
from collections.abc import Sequence
from typing import Any

from machine import row, table

from search_space.architecture import Candidate
from search_space.cost import cost
from search_space.space import SearchSpace

ROUNDS, CANDIDATES = 15, 500


def sampled(space: SearchSpace, seed: int) -> Candidate:
    state = random.Random(seed)

    def choose(_: str, options: Sequence[Any]) -> Any:
        return state.choice(options)

    return space.sample(choose, 28)


def main() -> None:
    space = SearchSpace()
    costs, wholes = [], []
    for number in range(ROUNDS):
        seeds = range(2 * number * CANDIDATES, (2 * number + 1) * CANDIDATES)
        candidates = [sampled(space, seed) for seed in seeds]
        started = time.perf_counter()
        for candidate in candidates:
            cost(candidate.architecture)
        costs.append((time.perf_counter() - started) / CANDIDATES * 1000)
        started = time.perf_counter()
        for seed in seeds:
            candidate = sampled(space, seed + CANDIDATES)
            cost(candidate.architecture)
            assert candidate.key
        wholes.append((time.perf_counter() - started) / CANDIDATES * 1000)
    table(
        [
            row(f"cost, mean of {CANDIDATES} new candidates", costs, "ms"),
            row("sampling, cost and key, likewise", wholes, "ms"),
        ]
    )


if __name__ == "__main__":
    main()
