"""A study's trials as they are read by tables and plots: states counted, the front, hypervolume."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studies.connection import again
from studies.pareto import Axis, front, hypervolume, losses, reference_point
from studies.store import Store, StoreError
from studies.trials import Trial, load_trials

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from studies.plots import Point


@dataclass(frozen=True)
class Result:
    """A completed trial: its number, objective values, and what is known of its candidate.

    ``text`` is the architecture in words, ``seconds`` what its evaluation took.
    """

    number: int
    values: tuple[float, ...]
    key: str
    text: str
    params: int
    flops: int
    seconds: float


@dataclass(frozen=True)
class Results:
    """Completed trials in order, on the study's axes, and how many trials are in which state.

    ``failures`` counts why trials failed, ``lost`` the workers that died over a trial.
    """

    study: str
    axes: tuple[Axis, ...]
    completed: tuple[Result, ...]
    states: dict[str, int]
    failures: dict[str, int] = field(default_factory=dict)
    lost: int = 0

    def front(self) -> list[Result]:
        """The Pareto front, cheapest first; of equal candidates the first trial alone."""
        first: dict[str, Result] = {}
        for result in self.completed:
            first.setdefault(result.key, result)
        distinct = list(first.values())
        return [distinct[i] for i in front([r.values for r in distinct], self.axes)]

    def hypervolume(self) -> float:
        """Of the completed trials, against the study's reference point."""
        minimised = losses([result.values for result in self.completed], self.axes)
        return hypervolume(minimised, reference_point(self.axes))

    def points(self) -> "list[Point]":
        """The completed trials for a plot."""
        from studies.plots import Point

        return [Point(r.number, r.values, r.text) for r in self.completed]


def load_results(store: Store, name: str) -> Results:
    """The results of a study of this store; StoreError if there is no such study."""
    return again(lambda: of_trials(name, store.axes(name), load_trials(store, name)))


def of_trials(name: str, axes: Sequence[Axis], trials: Sequence[Trial]) -> Results:
    """Results from trials as they are stored."""
    completed = [_result(t.number, t.values, t.known) for t in trials if t.state == "complete"]
    states = Counter(trial.state for trial in trials)
    failures = _failures(trial.known for trial in trials)
    return Results(name, tuple(axes), tuple(completed), dict(states), *failures)


def collect(name: str, axes: Sequence[Axis], trials: "Sequence[FrozenTrial]") -> Results:
    """Results from Optuna's trials."""
    states = Counter(trial.state.name.lower() for trial in trials)
    completed = [result_of(trial) for trial in trials if trial.state.name == "COMPLETE"]
    failures = _failures(trial.user_attrs for trial in trials)
    return Results(name, tuple(axes), tuple(completed), dict(states), *failures)


def _failures(known: Iterable[Mapping[str, Any]]) -> tuple[dict[str, int], int]:
    failures: Counter[str] = Counter()
    lost = 0
    for attributes in known:
        if "failure" in attributes:
            failures[attributes["failure"]] += 1
        lost += len(attributes.get("lost_workers", ()))
    return dict(failures), lost


def result_of(trial: "FrozenTrial") -> Result:
    """A completed trial as a result."""
    return _result(trial.number, trial.values, trial.user_attrs)


def _result(number: int, values: Sequence[float], known: Mapping[str, Any]) -> Result:
    return Result(
        number,
        tuple(values),
        known["key"],
        known["architecture"],
        known["params"],
        known["flops"],
        known.get("seconds", 0.0),
    )


def trial_of(store: Store, name: str, number: int) -> "FrozenTrial":
    """A trial of a study by its number; StoreError that says which numbers there are."""
    import optuna

    store.study(name)
    with store.guard():
        try:
            study = optuna.load_study(study_name=name, storage=store.storage())
            trials = study.get_trials(deepcopy=False)
        except KeyError:  # not begun yet, or deleted by Optuna Dashboard
            trials = []
    for trial in trials:
        if trial.number == number:
            return trial
    near = sorted((trial.number for trial in trials), key=lambda n: (abs(n - number), n))[:3]
    known = f"the nearest are: {', '.join(map(str, near))}" if near else "it has no trials yet"
    raise StoreError(f"trial {number} is not in study {name!r}; {known}")
