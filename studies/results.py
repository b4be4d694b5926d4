"""A study's trials as they are read by tables and plots: states counted, the front, hypervolume."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studies.connection import again
from studies.pareto import Axis, front, hypervolume, losses, reference_point
from studies.store import Store, StoreError
from studies.trials import Trial, load_trials
from studies.wording import counted

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

    ``failures`` counts why trials failed, ``lost`` the workers that died over a trial; ``over``
    counts the trials above each limit of the study, and ``least`` is the smallest value that any of
    them has of what that limits.
    """

    study: str
    axes: tuple[Axis, ...]
    completed: tuple[Result, ...]
    states: dict[str, int]
    failures: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    over: dict[str, int] = field(default_factory=dict)
    least: dict[str, float] = field(default_factory=dict)

    def why_empty(self) -> list[str]:
        """Why no trial has completed, in lines; none where one has, or none has ended."""
        if self.completed:
            return []
        ended = counted(sum(self.states.values()) - self.states.get("running", 0), "trial")
        lines = []
        if self.failures:
            reason, count = self.common_failure()
            failed = sum(self.failures.values())
            lines.append(f"{failed:,} of {ended} failed, {count:,} for this: {reason}")
        for name, count in self.over.items():
            lines.append(
                f"{count:,} of {ended} {'was' if count == 1 else 'were'} over the limit "
                f"--max-{name.replace('_', '-')}, before training; the smallest that was proposed "
                f"has {self.least[name]:,.9g}"
            )
        return lines

    def common_failure(self) -> tuple[str, int]:
        """The commonest reason why trials failed, and how many did for it."""
        reason = max(self.failures, key=self.failures.__getitem__)
        return reason, self.failures[reason]

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
    over = _over((trial.known, trial.limits) for trial in trials)
    return Results(name, tuple(axes), tuple(completed), dict(states), *failures, *over)


def collect(name: str, axes: Sequence[Axis], trials: "Sequence[FrozenTrial]") -> Results:
    """Results from Optuna's trials."""
    states = Counter(trial.state.name.lower() for trial in trials)
    completed = [result_of(trial) for trial in trials if trial.state.name == "COMPLETE"]
    failures = _failures(trial.user_attrs for trial in trials)
    over = _over((trial.user_attrs, trial.constraints) for trial in trials)
    return Results(name, tuple(axes), tuple(completed), dict(states), *failures, *over)


def _failures(known: Iterable[Mapping[str, Any]]) -> tuple[dict[str, int], int]:
    failures: Counter[str] = Counter()
    lost = 0
    for attributes in known:
        if "failure" in attributes:
            failures[attributes["failure"]] += 1
        lost += len(attributes.get("lost_workers", ()))
    return dict(failures), lost


def _over(
    trials: Iterable[tuple[Mapping[str, Any], Mapping[str, float]]],
) -> tuple[dict[str, int], dict[str, float]]:
    """How many trials are above each limit, and the least that they have of what it limits."""
    counts: Counter[str] = Counter()
    least: dict[str, float] = {}
    for known, excess in trials:
        for name, share in excess.items():
            if share > 0 and name in known:
                counts[name] += 1
                least[name] = min(least.get(name, known[name]), known[name])
    return dict(counts), least


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
