"""What a study knows at a moment: the exact losses of its candidates, their accuracy by rung."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from studies.pareto import Floats

if TYPE_CHECKING:
    from studies.earlier import Earlier


@dataclass
class History:
    """Accuracies (0..1) of candidates at each of ``rungs`` rungs; the driver adds as it learns.

    ``known`` has, by the candidate's key, the losses of the objectives that are known before
    training, in the order of the study's axes. ``earlier`` has accuracies by rung from before the
    study began: they foretell, but what is attained is the study's own alone. Nothing here depends
    on the order of adding.
    """

    rungs: int
    known: dict[str, tuple[float, ...]] = field(default_factory=dict)
    accuracies: list[dict[str, float]] = field(default_factory=list)
    earlier: Sequence[Mapping[str, float]] = ()

    def __post_init__(self) -> None:
        self.accuracies = self.accuracies or [{} for _ in range(self.rungs)]
        self.earlier = self.earlier or [{}] * self.rungs

    def add(self, key: str, known: Sequence[float], rung: int, accuracy: float) -> None:
        """A candidate's accuracy at a rung, counted from 0."""
        self.known[key] = tuple(known)
        self.accuracies[rung][key] = accuracy

    def learned(self, rung: int) -> dict[str, float]:
        """Accuracies at a rung from all studies; where both have one, the study's own."""
        return {**self.earlier[rung], **self.accuracies[rung]}

    def pairs(self, low: int, high: int) -> tuple[Floats, Floats]:
        """Accuracies at two rungs of the candidates known at both, [P] each."""
        first, second = self.learned(low), self.learned(high)
        both = sorted(first.keys() & second.keys())
        return np.array([first[key] for key in both]), np.array([second[key] for key in both])

    def attained(self, rung: int) -> tuple[list[str], Floats, Floats]:
        """Keys [N], accuracies [N] and known losses [N, K] of the study's own at ``rung`` or above.

        The accuracy is the one at the highest rung that the candidate has been at.
        """
        highest: dict[str, float] = {}
        for accuracies in self.accuracies[rung:]:
            highest |= accuracies
        keys = sorted(highest)
        width = len(next(iter(self.known.values()), ()))
        known = np.array([self.known[key] for key in keys]).reshape(len(keys), width)
        return keys, np.array([highest[key] for key in keys]), known


def by_rung(earlier: "Sequence[Earlier]", budgets: Sequence[int]) -> list[dict[str, float]]:
    """Accuracies of earlier studies at each of the budgets, by the candidate's key."""
    return [
        {one.key: one.accuracy for one in earlier if one.budget == budget} for budget in budgets
    ]
