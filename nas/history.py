"""What a study knows at a moment: the exact losses of its candidates, their accuracy by rung."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from studies.pareto import Floats


@dataclass
class History:
    """Accuracies (0..1) of candidates at each of ``rungs`` rungs; the driver adds as it learns.

    ``known`` has, by the candidate's key, the losses of the objectives that are known before
    training, in the order of the study's axes. Nothing here depends on the order of adding.
    """

    rungs: int
    known: dict[str, tuple[float, ...]] = field(default_factory=dict)
    accuracies: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accuracies = self.accuracies or [{} for _ in range(self.rungs)]

    def add(self, key: str, known: Sequence[float], rung: int, accuracy: float) -> None:
        """A candidate's accuracy at a rung, counted from 0."""
        self.known[key] = tuple(known)
        self.accuracies[rung][key] = accuracy

    def pairs(self, low: int, high: int) -> tuple[Floats, Floats]:
        """Accuracies at two rungs of the candidates known at both, [P] each."""
        both = sorted(self.accuracies[low].keys() & self.accuracies[high].keys())
        return tuple(  # type: ignore[return-value]
            np.array([self.accuracies[rung][key] for key in both]) for rung in (low, high)
        )

    def attained(self, rung: int) -> tuple[list[str], Floats, Floats]:
        """Keys [N], accuracies [N] and known losses [N, K] of what has been at ``rung`` or above.

        The accuracy is the one at the highest rung that the candidate has been at.
        """
        highest: dict[str, float] = {}
        for accuracies in self.accuracies[rung:]:
            highest |= accuracies
        keys = sorted(highest)
        width = len(next(iter(self.known.values()), ()))
        known = np.array([self.known[key] for key in keys]).reshape(len(keys), width)
        return keys, np.array([highest[key] for key in keys]), known
