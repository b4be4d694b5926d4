"""A study's trials as they are read by tables and plots: states counted, the front, hypervolume."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from studies.axis import Axis
from studies.connection import again
from studies.evaluation import REPLAYED
from studies.kept import Kept
from studies.pareto import front, hypervolume, losses, reference_point
from studies.store import Store, StoreError
from studies.trials import Trial, load_trials
from studies.wording import counted

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from studies.plots import Point


@dataclass(frozen=True)
class Result:
    """A completed trial: its number, objective values, and what is known of its candidate.

    ``text`` is the architecture in words, ``seconds`` what its evaluation took, ``costs`` all that
    was known of it before training, by name. Its accuracy is the mean over so many ``seeds``, whose
    own are ``accuracies`` where there are several.
    """

    number: int
    values: tuple[float, ...]
    key: str
    text: str
    params: int
    flops: int
    seconds: float
    costs: Mapping[str, float] = field(default_factory=dict)
    seeds: int = 1
    accuracies: tuple[float, ...] = ()


@dataclass(frozen=True)
class Results:
    """Completed trials in order, on the study's axes, and how many trials are in which state.

    A trial that repeats another one's training is none of ``completed``: its accuracy has entered
    that one's mean. ``repeats`` counts them.
    ``failures`` counts why trials failed, ``lost`` the workers that died over a trial; ``over``
    counts the trials above each limit of the study, and ``least`` is the smallest value that any of
    them has of what that limits. ``replayed``: accuracies come from a table, nothing was trained.
    """

    study: str
    axes: tuple[Axis, ...]
    completed: tuple[Result, ...]
    states: dict[str, int]
    failures: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    over: dict[str, int] = field(default_factory=dict)
    least: dict[str, float] = field(default_factory=dict)
    replayed: bool = False
    repeats: int = 0

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

    def place(self, name: str) -> int | None:
        """Where the values of that objective are among a trial's; None if it is none."""
        names = [axis.name for axis in self.axes]
        return names.index(name) if name in names else None

    def useful(self, result: Result) -> bool:
        """Whether a trial is better than the study's reference point in every objective."""
        row = losses([result.values], self.axes)[0]
        return bool((row < reference_point(self.axes)).all())

    def distinct(self) -> list[Result]:
        """The first completed trial of each candidate."""
        first: dict[str, Result] = {}
        for result in self.completed:
            first.setdefault(result.key, result)
        return list(first.values())

    def front(self) -> list[Result]:
        """The Pareto front, cheapest first; of equal candidates the first trial alone."""
        distinct = self.distinct()
        return [distinct[i] for i in front([r.values for r in distinct], self.axes)]

    def hypervolume(self) -> float:
        """Hypervolume of the completed trials against the study's reference point."""
        minimised = losses([result.values for result in self.completed], self.axes)
        return hypervolume(minimised, reference_point(self.axes))

    def points(self) -> "list[Point]":
        """The completed trials for a plot."""
        from studies.plots import Point

        return [Point(r.number, r.values, r.text) for r in self.completed]


def load_results(store: Store, name: str) -> Results:
    """The results of a study of this store; StoreError if there is no such study."""
    return again(lambda: _loaded(store, name))


def _loaded(store: Store, name: str) -> Results:
    replayed = is_replayed(store.study(name)["settings"])
    return of_trials(name, store.axes(name), load_trials(store, name), replayed)


def is_replayed(settings: Mapping[str, Any]) -> bool:
    """Whether the accuracies of a study of such settings, in their JSON, come from a table."""
    return str(settings.get("data", "")).startswith(REPLAYED)


def of_trials(
    name: str, axes: Sequence[Axis], trials: Sequence[Trial], replayed: bool = False
) -> Results:
    """Results from trials as they are stored."""
    complete = [trial for trial in trials if trial.state == "complete"]
    repeats = [trial for trial in complete if trial.kept.repeat]
    completed = [result_of(trial) for trial in complete if not trial.kept.repeat]
    states = Counter(trial.state for trial in trials)
    failures = Counter(trial.kept.failure for trial in trials if trial.kept.failure is not None)
    lost = sum(len(trial.kept.lost_workers) for trial in trials)
    over: Counter[str] = Counter()
    least: dict[str, float] = {}
    for trial in trials:
        for limit in trial.over:
            if limit in trial.kept.costs:
                value = trial.kept.costs[limit]
                over[limit] += 1
                least[limit] = min(least.get(limit, value), value)
    return Results(
        name,
        tuple(axes),
        tuple(_averaged(completed, repeats, axes)),
        dict(states),
        dict(failures),
        lost,
        dict(over),
        least,
        replayed,
        len(repeats),
    )


def _averaged(
    completed: Sequence[Result], repeats: Sequence[Trial], axes: Sequence[Axis]
) -> list[Result]:
    """The results with the mean accuracy of their candidates' trainings."""
    place = next((place for place, axis in enumerate(axes) if axis.name == "accuracy"), None)
    if place is None or not repeats:
        return list(completed)
    others: dict[str, dict[int, float]] = {}
    for trial in repeats:
        others.setdefault(trial.key, {})[trial.kept.repeat] = trial.values[place]
    found = []
    for result in completed:
        known = [result.values[place], *others.get(result.key, {}).values()]
        values = (*result.values[:place], fmean(known), *result.values[place + 1 :])
        found.append(replace(result, values=values, seeds=len(known), accuracies=tuple(known)))
    return found


def trial_from(trial: "FrozenTrial") -> Trial:
    """A trial as Optuna has it in memory, as one that is stored."""
    return Trial(
        trial.number,
        trial.state.name.lower(),
        tuple(trial.values or ()),
        Kept.from_attributes(trial.user_attrs),
        trial.constraints,
    )


def result_of(trial: Trial) -> Result:
    """A completed trial as a result."""
    kept = trial.kept
    assert kept.params is not None, "a completed trial has its cost"
    assert kept.flops is not None, "a completed trial has its cost"
    return Result(
        trial.number,
        trial.values,
        kept.key,
        kept.architecture,
        kept.params,
        kept.flops,
        trial.seconds,
        dict(kept.costs),
    )


def trial_of(store: Store, name: str, number: int) -> Trial:
    """A trial of a study by its number; StoreError that says which numbers there are."""
    store.study(name)
    trials = load_trials(store, name)
    for trial in trials:
        if trial.number == number:
            return trial
    near = sorted((trial.number for trial in trials), key=lambda n: (abs(n - number), n))[:3]
    known = f"the nearest are: {', '.join(map(str, near))}" if near else "it has no trials yet"
    raise StoreError(f"trial {number} is not in study {name!r}; {known}")
