"""A study's trials as they are read by tables and plots: states counted, the front, hypervolume."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from studies.pareto import Axis, front, hypervolume, losses, reference_point
from studies.store import Store, StoreError

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


TRIALS = """
    SELECT trials.trial_id, trials.number, trials.state
    FROM trials JOIN studies ON trials.study_id = studies.study_id
    WHERE studies.study_name = :name ORDER BY trials.number
"""
VALUES = """
    SELECT trial_values.trial_id, trial_values.value
    FROM trial_values JOIN trials ON trial_values.trial_id = trials.trial_id
    JOIN studies ON trials.study_id = studies.study_id
    WHERE studies.study_name = :name ORDER BY trial_values.objective
"""
ATTRIBUTES = """
    SELECT trial_user_attributes.trial_id, trial_user_attributes.key,
        trial_user_attributes.value_json
    FROM trial_user_attributes JOIN trials ON trial_user_attributes.trial_id = trials.trial_id
    JOIN studies ON trials.study_id = studies.study_id
    WHERE studies.study_name = :name
"""


def load_results(store: Store, name: str) -> Results:
    """The results of a study of this store; StoreError if there is no such study.

    Read from Optuna's tables without Optuna, which would load every parameter of every trial too:
    at 1,000 trials all of `nas pareto` took 2.1 s that way, and takes 0.5 s this way.
    """
    axes = store.axes(name)
    with store.transaction() as connection:
        if not sa.inspect(connection).has_table("trials"):
            return Results(name, axes, (), {})
        query = {"name": name}
        trials = connection.execute(sa.text(TRIALS), query).all()
        values: dict[int, list[float]] = {}
        for trial_id, value in connection.execute(sa.text(VALUES), query):
            values.setdefault(trial_id, []).append(value)
        known: dict[int, dict[str, Any]] = {}
        for trial_id, key, text in connection.execute(sa.text(ATTRIBUTES), query):
            known.setdefault(trial_id, {})[key] = json.loads(text)
    completed = [
        _result(trial.number, values[trial.trial_id], known[trial.trial_id])
        for trial in trials
        if trial.state == "COMPLETE"
    ]
    states = Counter(trial.state.lower() for trial in trials)
    return Results(name, axes, tuple(completed), dict(states), *_failures(known.values()))


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
