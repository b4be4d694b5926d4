"""run_study(): what `nas run` does, from Python: a study brought to its trials, and its result."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nas.datasets import Found
from nas.datasets.found import shown
from nas.datasets.sources import source
from nas.defaults import DEFAULT_STORAGE, DEFAULT_STUDY
from nas.objectives import chosen
from nas.sampling.samplers import check_sampler
from nas.settings import Settings, check_study_name
from nas.study.stored import StoredStudy, check_same, read_study
from nas.study.until import MAX_FAILURES, Until
from nas.study.workplace import choose_workplace, images_of
from nas.workers.place import CLUSTER_SECONDS, Place
from nas.workers.spawning import end_where_inheriting
from search_space.architecture import Candidate
from search_space.catalog import entry
from search_space.limits import check_limits
from search_space.shapes import AtResolution, check_runs
from studies.best import best_up_to
from studies.interval import Estimates
from studies.results import Results, load_results
from studies.store import Store, open_store

if TYPE_CHECKING:
    import optuna

    from nas.study.loop import FailingError
    from nas.workers.place import Address


class StudyInterrupt(KeyboardInterrupt):
    """A signal, ``number``, stopped the run of a study. All that had ended is kept."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number


@dataclass(frozen=True)
class StudyResult:
    """What a study has found: its trials and their Pareto front, and the database that has all.

    ``trials`` counts its trials by their state: complete, pruned (stopped early, or over a limit),
    fail. ``hypervolume`` is that of the front against the study's reference point; more is better.
    """

    name: str
    storage: str
    results: Results

    @property
    def front(self) -> list[dict[str, Any]]:
        """The Pareto front, cheapest first: a dictionary a member, for ``pandas.DataFrame``.

        Of each its trial's number, its objectives (accuracy is 0..1), its parameters and FLOPs
        (2 x multiply-adds), its key, and its architecture in words.
        """
        axes = self.results.axes
        return [
            {"trial": member.number}
            | {a.name: a.number(value) for a, value in zip(axes, member.values, strict=True)}
            | {"params": member.params, "flops": member.flops}
            | {"key": member.key, "architecture": member.text}
            for member in self.results.front()
        ]

    def best(self, cost: str = "params", sizes: Sequence[int] = ()) -> list[dict[str, Any]]:
        """The most accurate network up to each size of a cost, a dictionary each.

        ``cost`` is params, flops or activation_bytes; ``sizes`` in its unit, by default from 3,000
        to 1,000,000 parameters and the like. ``accuracy`` is as measured, ``low`` to ``high`` hold
        95 %, where the noise is known; ``useful`` says whether it beats the study's reference.
        """
        found = []
        for one in best_up_to(self.results, Estimates(self.results), cost, sizes):
            known = one.estimate
            found.append(
                {"up_to": one.limit, "trial": one.result.number if one.result else None}
                | {"accuracy": one.accuracy(self.results), "useful": one.useful}
                | ({"low": known.low, "high": known.high} if known else {})
            )
        return found

    @property
    def trials(self) -> dict[str, int]:
        """How many trials are in which state."""
        return dict(self.results.states)

    @property
    def failures(self) -> dict[str, int]:
        """Why trials failed, and how many did for each reason."""
        return dict(self.results.failures)

    @property
    def hypervolume(self) -> float:
        """Hypervolume of the front over accuracy and log cost, against a fixed reference point."""
        return self.results.hypervolume()

    @property
    def study(self) -> "optuna.Study":
        """The study as Optuna has it, read from the database anew."""
        import optuna

        return optuna.load_study(study_name=self.name, storage=open_store(self.storage).storage())

    def candidate(self, trial: int) -> Candidate:
        """The candidate of a completed trial; ValueError where there is no such trial."""
        keys = {result.number: result.key for result in self.results.completed}
        if trial not in keys:
            raise ValueError(
                f"trial is {trial}, but study {self.name!r} has no completed trial of that number, "
                "or it repeats another one; give one of its front"
            )
        with contextlib.closing(open_store(self.storage)) as store:
            return Candidate.from_json(store.candidate(keys[trial]))


def run_study(
    settings: Settings | None = None,
    *,
    trials: int = 200,
    study: str = DEFAULT_STUDY,
    storage: str = DEFAULT_STORAGE,
    timeout: float | None = None,
    max_failures: int = MAX_FAILURES,
    workers: int | None = None,
    memory_limit: int | None = None,
    gpus_per_trial: float | None = None,
    cluster: "Address | None" = None,
    cluster_timeout: float = CLUSTER_SECONDS,
    replay: Path | None = None,
    images: Found | Path | None = None,
    precision: str = "auto",
    progress: bool = True,
) -> StudyResult:
    """Bring a study to so many trials in all: make it, continue it, or read it if it has them.

    A study that was killed is continued by the same call, under the same trial numbers. Parameters
    are named as the options of `nas run`, which does the same, and mean the same.

    settings: what the study is about; default `Settings()`. The digest and the classes of its
        images, and the precision of its recipe, are filled in here.
    study, storage: its name, and its database as an SQLAlchemy URL.
    timeout: seconds after which no new trial is begun.
    max_failures: evaluations that may fail in a row.
    workers, memory_limit, gpus_per_trial, cluster, cluster_timeout, replay, images, precision: of
        the place where it runs, `nas.workers.place.Place`.
    progress: shown on standard error.

    Workers are processes, so a script that calls this must be importable: begin it with
    ``if __name__ == "__main__":``, or give ``workers=0``.

    Raises ValueError where anything asked for can't be, before anything is written; its subclass
    `studies.store.StoreError` where the storage fails; `nas.study.loop.FailingError`, a
    RuntimeError, where the trials do; StudyInterrupt, a KeyboardInterrupt, on Ctrl-C and
    SIGTERM. Whatever had ended by then is kept.
    """
    place = Place(
        workers, memory_limit, gpus_per_trial, cluster, cluster_timeout, replay, images, precision
    )
    until = Until(trials, timeout, max_failures)
    check_study_name(study)
    with contextlib.closing(open_store(storage, create=True)) as store:
        stored = read_study(store, study)
        asked = settings or Settings()
        ended = bring(store, study, stored, asked, place, until, quiet=not progress)
    if ended.failing is not None:
        raise ended.failing
    if ended.signal:
        raise StudyInterrupt(ended.signal)
    return StudyResult(study, storage, ended.results)


class Ended(NamedTuple):
    """How a run ended: with its study's results, whatever stopped it.

    ``signal`` is the number of one that did, else 0; ``failing`` says that its trials did.
    """

    results: Results
    settings: Settings
    signal: int = 0
    failing: "FailingError | None" = None


def bring(
    store: Store,
    name: str,
    stored: StoredStudy | None,
    settings: Settings,
    place: Place,
    until: Until,
    quiet: bool,
) -> Ended:
    """Bring a study to ``until``: what both `nas run` and ``run_study`` do.

    ``stored`` is its row, None where it is new. ValueError where anything can't be, before anything
    is written.
    """
    end_where_inheriting()
    settings = replace(settings, objectives=chosen(settings.objectives))
    check_sampler(settings.sampler, len(settings.objectives))
    if stored is None:
        store.check_writable()
    if stored is not None:
        settings = stored.continued(settings)
    settings, place = _possible(settings, stored, place)
    known = stored.settings if stored else None
    settings, workplace = choose_workplace(settings, place, known, until.trials, name)
    from nas.interrupt import Stopped
    from nas.rungs.history import History
    from nas.sampling.samplers import seeded
    from nas.study.drive import drive  # with all that searches and trains
    from nas.study.loop import FailingError
    from nas.study.measure import measured

    seeded(settings, History(len(settings.budgets)))  # which refuses what it can't search
    if stored is None:
        settings, workplace = measured(settings, workplace)
    if stored is not None:
        check_same(stored, settings)
    signal, failing = 0, None
    try:
        results = drive(store, name, stored, settings, until, workplace, quiet)
    except Stopped as stopped:
        signal = stopped.number
    except FailingError as error:
        failing = error
    if workplace.words is not None and not quiet:
        print(workplace.words(), file=sys.stderr)
    if signal or failing:
        results = load_results(store, name)
    return Ended(results, settings, signal, failing)


def _possible(
    settings: Settings, stored: StoredStudy | None, place: Place
) -> tuple[Settings, Place]:
    """The settings with the classes of their images, and the place with these, if it is a folder.

    ValueError where they can't be searched.
    """
    if isinstance(place.images, Found) and place.images.name != settings.dataset:
        raise ValueError(
            f"images are of {place.images.name}, but the settings' dataset is {settings.dataset}; "
            "give both the same"
        )
    known = source(settings.dataset)
    own = known if known.classes else images_of(settings, place)
    settings = replace(settings, classes=len(own.classes))
    if isinstance(own, Found):
        place = replace(place, images=own)
        if stored is not None and source(stored.settings.dataset) is known:
            before = stored.settings.data
            if before not in ("", own.digest):
                raise ValueError(
                    f"the images in {shown(own.directory)} aren't those with which study "
                    f"{stored.name!r} was begun ({before} then, {own.digest} now); bring the "
                    "original files back, or give another --study"
                )
    of = (settings.resolution, settings.channels, settings.classes)
    check_limits(settings.space, *of, settings.free_limits())
    for start in settings.start_from:
        check_runs(_start(start, settings), start, settings.image)
    return settings, place


def _start(name: str, settings: Settings) -> AtResolution:
    """A network of the catalog for the settings' images, as a function of the resolution."""
    graph = entry(name).graph
    return lambda resolution: graph(resolution, settings.channels, settings.classes)
