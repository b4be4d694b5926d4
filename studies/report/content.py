"""What a report is made of: a study's trials, evaluations, choices and drawings, as plain data."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from studies.axis import Axis
from studies.best import Best, best_up_to
from studies.interval import Estimates
from studies.results import Result, Results, of_trials
from studies.trials import Evaluated, Trial

Shares = Mapping[str, Mapping[str, float]]
"""What a candidate chose: of each factor its levels, with the share of the network that has them.

A factor with a single level is a number. One that the candidate has no part for is left out.
"""


@dataclass(frozen=True)
class Factor:
    """A choice whose effect is told: ``step`` of it is one effect, ``unit`` that step in words.

    A step of 0.1 in a factor of shares tells what a tenth of the network more of a level does.
    """

    name: str
    step: float = 1.0
    unit: str = ""


@dataclass(frozen=True)
class Reference:
    """Another network to compare with, and where its figures come from.

    ``published`` tells apart what others say of it from what this tool measured or counted.
    """

    name: str
    source: str
    accuracy: float | None = None
    params: int | None = None
    flops: int | None = None
    published: bool = False

    def value(self, axis: Axis) -> float | None:
        """Its value on an axis, where that is known."""
        known = {"accuracy": self.accuracy, "params": self.params, "flops": self.flops}
        return known.get(axis.name)


@dataclass(frozen=True)
class Content:
    """Everything that a report says of a study; it looks nothing up.

    ``searched`` and ``budgets`` say what was searched, and at which rungs (training images).
    ``choices`` are by a candidate's key, ``drawings`` (SVG documents) by a trial's number.
    ``facts`` are named groups of named facts. ``refresh`` seconds after it was opened the page
    loads itself anew; None: never. ``replayed``: its accuracies come from a table.
    """

    study: str
    storage: str
    axes: tuple[Axis, ...]
    searched: str
    budgets: tuple[int, ...]
    trials: Sequence[Trial]
    evaluations: Sequence[Evaluated] = ()
    factors: Sequence[Factor] = ()
    choices: Mapping[str, Shares] = field(default_factory=dict)
    drawings: Mapping[int, str] = field(default_factory=dict)
    references: Sequence[Reference] = ()
    facts: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    refresh: int | None = None
    replayed: bool = False

    @cached_property
    def results(self) -> Results:
        """Its completed trials."""
        return of_trials(self.study, self.axes, self.trials, self.replayed)

    @cached_property
    def front(self) -> list[Result]:
        """The Pareto front, cheapest first."""
        return self.results.front()

    @cached_property
    def estimates(self) -> Estimates:
        """What is known of the accuracy of its trials, and whether they are on the front."""
        return Estimates(self.results)

    def best(self, cost: str) -> list[Best]:
        """The best network up to each size of a cost."""
        return best_up_to(self.results, self.estimates, cost)

    @cached_property
    def by_run(self) -> dict[tuple[str, int], Evaluated]:
        """Its evaluations by candidate and budget."""
        return {(one.key, one.budget): one for one in self.evaluations}

    def options(self) -> str:
        """What a command needs to find the study."""
        return f"--study {shlex.quote(self.study)} --storage {shlex.quote(self.storage)}"


def quantity(axis: Axis, value: float) -> str:
    """A value of an objective in words, with its unit."""
    shown = axis.shown(value)
    return shown if axis.unit in ("fraction", "seconds") else f"{shown} {axis.unit}"
