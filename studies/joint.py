"""Studies beside each other, on axes that they share: the joint front, and how each front grew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from studies.axis import Axis
from studies.best import Best, best_up_to
from studies.interval import Estimates
from studies.pareto import Floats, front, hypervolume_trace, losses, reference_point
from studies.results import Result, Results


class Course(NamedTuple):
    """How the hypervolume of a study grew: after so many trials, and so many core-seconds, [N]."""

    trials: Floats
    seconds: Floats
    volumes: Floats


@dataclass(frozen=True)
class Beside:
    """A study as it is compared: the name it is called by, and its results on the common axes.

    ``seconds`` are what its trials took, by number, of those too that were stopped; ``ours`` says
    whether this tool made it.
    """

    name: str
    results: Results
    seconds: Mapping[int, float]
    ours: bool = True

    @cached_property
    def estimates(self) -> Estimates:
        """What is known of its accuracies: of another tool's, nothing beside what it stored."""
        if self.ours:
            return Estimates(self.results)
        axes = tuple(replace(axis, least_error=0.0) for axis in self.results.axes)
        return Estimates(replace(self.results, axes=axes))

    @cached_property
    def course(self) -> Course:
        """How its hypervolume grew."""
        order = sorted(self.seconds)
        spent = dict(zip(order, np.cumsum([self.seconds[number] for number in order]), strict=True))
        completed = self.results.completed
        rows = losses([result.values for result in completed], self.results.axes)
        volumes = hypervolume_trace(rows, reference_point(self.results.axes))
        place = {number: count for count, number in enumerate(order, 1)}
        trials = np.array([place[result.number] for result in completed], dtype=np.float64)
        seconds = np.array([spent[result.number] for result in completed], dtype=np.float64)
        return Course(trials, seconds, volumes)

    def total(self) -> tuple[int, float]:
        """Its trials, and the core-seconds of all of them."""
        return len(self.seconds), float(sum(self.seconds.values()))

    def best(self, cost: str, sizes: Sequence[int]) -> list[Best]:
        """Its best network up to each size; none anywhere where nobody knows that cost of any."""
        found = best_up_to(self.results, self.estimates, cost, sizes)
        return found or [Best(cost, size, None) for size in sizes]


def volume_at(x: Floats, volumes: Floats, at: float) -> float:
    """The hypervolume that was there after ``at`` trials, or core-seconds, as ``x`` counts them."""
    reached = np.flatnonzero(x <= at)
    return float(volumes[reached[-1]]) if len(reached) else 0.0


def joint_front(studies: Sequence[Beside]) -> list[tuple[int, Result]]:
    """Members of the front of all studies together, cheapest first, each with its study's place.

    A candidate that several have found with equal values is of all of them.
    """
    found = [(place, result) for place, one in enumerate(studies) for result in one.results.front()]
    axes = studies[0].results.axes
    return [found[place] for place in front([result.values for _, result in found], axes)]


def common_axes(axes: Sequence[Sequence[Axis]]) -> tuple[Axis, ...]:
    """Axes for several studies, in the order of the first one's.

    The reference point is the least demanding of those that were measured, as the errors of a
    logistic regression are, or if none was, of all. No error is less than what the study with the
    fewest validation images can tell from none. ValueError where objectives differ.
    """
    measured = [one for one in axes if any(axis.least_error for axis in one)] or axes
    found = []
    for axis in axes[0]:
        same = [other for one in axes for other in one if other.name == axis.name]
        if len(same) < len(axes) or any(len(one) != len(axes[0]) for one in axes):
            raise ValueError("their objectives differ")
        if any((one.maximize, one.log) != (axis.maximize, axis.log) for one in same):
            raise ValueError(f"{axis.name} is maximized in one and minimized in another")
        known = [other for one in measured for other in one if other.name == axis.name]
        references = [one.reference for one in known]
        least = min(references) if axis.maximize else max(references)
        error = max(one.least_error for one in same)
        found.append(replace(axis, reference=least, least_error=error))
    return tuple(found)


def on_axes(results: Results, axes: Sequence[Axis]) -> Results:
    """Results whose values are in the order of other axes, of the same names."""
    places = [results.place(axis.name) for axis in axes]
    completed = tuple(
        replace(one, values=tuple(one.values[place] for place in places if place is not None))
        for one in results.completed
    )
    return replace(results, axes=tuple(axes), completed=completed)
