"""The best networks up to each size, and what part of a time each of them is trained for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from nas.full_training.task import Wanted, task_of
from nas.full_training.train import Trained, train_until_stopped
from nas.interrupt import Stopped
from nas.subjects import trial_subject
from studies.best import Best, best_up_to
from studies.interval import Estimates
from studies.results import Result, Results, load_results
from studies.store import Store


class TrainedUpTo(NamedTuple):
    """A row of the table "best up to": what the search had measured (0..1), what came of it."""

    best: Best
    searched: float | None
    trained: Trained


def train_up_to(
    store: Store,
    study: str,
    wanted: Wanted,
    above: Path,
    quiet: bool,
    cost: str = "params",
    sizes: Sequence[int] = (),
) -> list[TrainedUpTo] | Stopped:
    """The best network of a study up to each size, trained to the end in directories in ``above``.

    A time that is asked for is divided over them. ValueError where the study has none, or they
    can't be trained.
    """
    results = load_results(store, study)
    best = best_of_use(results, cost, sizes)
    members = networks(best)
    weight = weights(results, members)
    tasks = [
        replace(
            task_of(trial_subject(store, study, one.number), wanted, above / f"trial-{one.number}"),
            weight=weight[one.key],
        )
        for one in members
    ]
    trained = train_until_stopped(tasks, wanted, True, quiet)
    if isinstance(trained, Stopped):
        return trained
    by_key = {member.key: one for member, one in zip(members, trained, strict=True)}
    return [
        TrainedUpTo(row, row.accuracy(results), by_key[row.result.key])
        for row in best
        if row.result is not None
    ]


def networks(best: Sequence[Best]) -> list[Result]:
    """The networks of a table "best up to", each once, the smallest size's first."""
    found = {one.result.key: one.result for one in best if one.result is not None}
    return list(found.values())


def best_of_use(results: Results, cost: str = "params", sizes: Sequence[int] = ()) -> list[Best]:
    """The table "best up to", without networks of no use where there are others.

    ValueError where there is none yet.
    """
    if results.place("accuracy") is None:
        raise ValueError(
            f"study {results.study!r} has no accuracy to be best in; give a trial's number"
        )
    best = best_up_to(results, Estimates(results), cost, sizes)
    useful = [one for one in best if one.result is not None and one.useful]
    found = useful or [one for one in best if one.result is not None]
    if not results.completed:
        raise ValueError(f"study {results.study!r} has no completed trial yet; run it first")
    if not found:
        most = max(sizes, default=0)
        raise ValueError(
            f"study {results.study!r} has no completed trial of at most {most:,} {cost}; "
            "raise --up-to"
        )
    return found


def weights(results: Results, members: Sequence[Result]) -> Mapping[str, float]:
    """How many epochs each network gets against the others, by key: from 1 to 2.

    Twice as many where it is open whether the next smaller or larger one of the table is better: a
    longer training tells, and one that is worse than a smaller one would not be taken.
    """
    known = Estimates(results)
    found = {one.key: 1.0 for one in members}
    if not known.known:
        return found
    for smaller, larger in pairwise(members):
        chance = float(known.is_best([smaller, larger])[0])
        doubt = 4 * chance * (1 - chance)
        for one in (smaller, larger):
            found[one.key] = max(found[one.key], 1 + doubt)
    return found
