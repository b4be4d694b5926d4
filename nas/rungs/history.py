"""What a study knows at a moment: exact losses of its candidates, their accuracies, who runs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from studies.evaluation import Earlier
from studies.forecast import Foretold, forecast, forecast_at_cost
from studies.pareto import Floats


class Completed(NamedTuple):
    """A trial that has ended its last rung: its candidate's key, and its params."""

    key: str
    params: Mapping[str, Any]


class Size(NamedTuple):
    """Base-10 logarithms of a candidate's parameters and FLOPs."""

    params: float
    flops: float

    @classmethod
    def of(cls, params: float, flops: float) -> "Size":
        """That of so many parameters and FLOPs."""
        return cls(math.log10(params), math.log10(flops))


class Promise(NamedTuple):
    """What a sampler expected of a candidate as it proposed it.

    That is the ``improvement`` of what it was asked for: the front's hypervolume, or but the
    highest accuracy up to a size.
    """

    improvement: float
    most_accurate: bool = False


@dataclass
class History:
    """What the driver's loop has learned; the samplers and the rules of promotion read it.

    ``accuracies`` (0..1) are of candidates at each of ``rungs`` rungs; at the last, the mean of
    what ``repeats`` has by the number of the repeat, 0 the first training. ``known`` has, by the
    candidate's key, the losses of the objectives that are known before training, in the order of
    the study's axes, and ``params`` those of a trial that proposed it; none where it is from the
    catalog. ``pending`` are the keys of trials that run, and ``completed`` trials that have values,
    both by the trial's number. ``earlier`` has accuracies by rung from before the study began, and
    ``candidates`` the JSON of theirs: they foretell, but what is attained is the study's own alone.
    ``sizes`` are candidates' by key; they foretell too where that is ``at_cost``. ``floor`` is the
    accuracy up to which a network is of no use. ``budgets`` are the images of each rung.
    ``promises`` has by key what the sampler expected of candidates, and ``worth`` says what it
    expects of one now, by its key, if the sampler can.
    Nothing here depends on the order of adding.
    """

    rungs: int
    known: dict[str, tuple[float, ...]] = field(default_factory=dict)
    accuracies: list[dict[str, float]] = field(default_factory=list)
    earlier: Sequence[Mapping[str, float]] = ()
    candidates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    params: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    pending: dict[int, str] = field(default_factory=dict)
    completed: dict[int, Completed] = field(default_factory=dict)
    repeats: dict[str, dict[int, float]] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=dict)
    at_cost: bool = False
    floor: float = 0.0
    budgets: tuple[int, ...] = ()
    promises: dict[str, Promise] = field(default_factory=dict)
    worth: Callable[[str], float] | None = None

    def __post_init__(self) -> None:
        self.accuracies = self.accuracies or [{} for _ in range(self.rungs)]
        self.earlier = self.earlier or [{}] * self.rungs

    @classmethod
    def after(cls, earlier: Sequence[Earlier], budgets: Sequence[int]) -> "History":
        """That of a study with these rungs that begins with what earlier ones measured."""
        return cls(
            len(budgets),
            earlier=by_rung(earlier, budgets),
            candidates={one.key: one.candidate for one in earlier},
            budgets=tuple(budgets),
        )

    def know(self, key: str, known: Sequence[float], params: Mapping[str, Any], size: Size) -> None:
        """Record a candidate that a trial has proposed, with its losses and its params."""
        self.known[key] = tuple(known)
        self.sizes[key] = size
        self.params[key] = params

    def add(self, key: str, known: Sequence[float], rung: int, accuracy: float) -> None:
        """Record a candidate's accuracy at a rung, counted from 0."""
        self.known[key] = tuple(known)
        self.accuracies[rung][key] = accuracy
        if rung == self.rungs - 1:
            self.repeat(key, 0, accuracy)

    def repeat(self, key: str, number: int, accuracy: float) -> None:
        """Record what a candidate's training with another seed gave at the last rung."""
        found = self.repeats.setdefault(key, {})
        found[number] = accuracy
        if 0 in found:
            self.accuracies[-1][key] = fmean(found.values())

    def learned(self, rung: int) -> dict[str, float]:
        """Accuracies at a rung from all studies; where both have one, the study's own."""
        return {**self.earlier[rung], **self.accuracies[rung]}

    def foretold(self, rung: int, keys: Sequence[str]) -> list[Foretold] | None:
        """What candidates' accuracies at ``rung`` say of the last one.

        None where too few are known at both.
        """
        first, second = self.learned(rung), self.learned(self.rungs - 1)
        both = sorted(first.keys() & second.keys())
        low = np.array([first[key] for key in both])
        high = np.array([second[key] for key in both])
        accuracies = np.array([first[key] for key in keys])
        if not self.at_cost:
            line = forecast(low, high)
            return line.of(accuracies) if line else None
        costs = np.array([self.sizes[key] for key in both]).reshape(-1, len(Size._fields))
        known = forecast_at_cost(low, high, costs)
        asked = np.array([self.sizes[key] for key in keys]).reshape(-1, len(Size._fields))
        return known.of(accuracies, asked) if known else None

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


def by_rung(earlier: Sequence[Earlier], budgets: Sequence[int]) -> list[dict[str, float]]:
    """Accuracies of earlier studies at each of the budgets, by the candidate's key."""
    return [
        {one.key: one.accuracy for one in earlier if one.budget == budget} for budget in budgets
    ]
