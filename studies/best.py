"""The best network up to each size: what people take home from a study."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studies.interval import Estimate, Estimates
from studies.results import Result, Results

SIZES: Mapping[str, tuple[int, ...]] = {
    "params": (3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
    "flops": (300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000),
    "activation_bytes": (16_384, 32_768, 65_536, 131_072, 262_144, 524_288),
    "flash_bytes": (16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 1_048_576),
    "arena_bytes": (8_192, 16_384, 32_768, 65_536, 131_072, 262_144),
    "cycles": (1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000, 300_000_000),
}
"""The sizes up to which the best network is told, by the cost that they are of."""

UNITS = {
    "params": "parameters",
    "flops": "FLOPs",
    "activation_bytes": "bytes",
    "flash_bytes": "bytes of flash",
    "arena_bytes": "bytes of memory",
    "cycles": "cycles",
}


@dataclass(frozen=True)
class Best:
    """The most accurate network of at most ``limit`` of a cost; None where there is none.

    ``useful``: it beats the study's reference in accuracy.
    """

    cost: str
    limit: int
    result: Result | None
    estimate: Estimate | None = None
    useful: bool = True

    def accuracy(self, results: Results) -> float | None:
        """Its measured accuracy (0..1)."""
        place = results.place("accuracy")
        return None if self.result is None or place is None else self.result.values[place]


def best_up_to(
    results: Results,
    estimates: Estimates,
    cost: str = "params",
    sizes: Sequence[int] = (),
) -> list[Best]:
    """The best completed trial up to each size of a cost; empty where accuracy was not searched.

    Which is best is decided by what is known of its accuracy, so that luck is not. Without
    ``sizes`` those of ``SIZES``, up to the first that all networks are within.
    """
    place = results.place("accuracy")
    if place is None or not results.completed:
        return []
    costs = {trial.number: trial.costs[cost] for trial in results.completed if cost in trial.costs}
    if not costs:
        return []
    if not sizes:
        most = max(costs.values())
        below = [size for size in SIZES[cost] if size < most]
        sizes = SIZES[cost][: len(below) + 1]
    axis = results.axes[place]
    found = []
    for size in sizes:
        best = most_accurate(results, estimates, {cost: size})
        useful = best is not None and best.values[place] > axis.reference
        estimate = estimates.of(best) if best else None
        found.append(Best(cost, size, best, estimate, useful))
    return found


def most_accurate(
    results: Results, estimates: Estimates, within: Mapping[str, float]
) -> Result | None:
    """The most accurate candidate ``within`` limits of its costs, by their names; None: no such.

    By what is known of its accuracy, and of equals the one of the fewest parameters.
    """
    place = results.place("accuracy")
    assert place is not None, "accuracy is not among the objectives"

    def worth(trial: Result) -> tuple[float, float]:
        known = estimates.of(trial)
        return known.mean if known else trial.values[place], -trial.params

    allowed = (
        trial
        for trial in results.completed
        if all(trial.costs.get(name, math.inf) <= most for name, most in within.items())
    )
    return max(allowed, key=worth, default=None)


def words_of(results: Results) -> str:
    """What the accuracies of a study and their intervals are, in sentences."""
    place = results.place("accuracy")
    assert place is not None, "accuracy is not among the objectives"
    axis = results.axes[place]
    of = axis.measured or "of validation images"
    words = f"Accuracies are {of} after the short runs of the last rung"
    if not axis.least_error:
        return f"{words}."
    return (
        f"{words}; what is expected of other seeds, by which the best are chosen, takes back the "
        "luck of the best of many, and its intervals (95 %) count the noise of "
        f"{0.5 / axis.least_error:,.0f} validation images and of the seed. A network counts from "
        f"{axis.reference:.2%} on."
    )
