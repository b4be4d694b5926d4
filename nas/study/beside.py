"""Networks that somebody names, evaluated beside each other with several seeds: `nas try`."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import NamedTuple

import numpy as np

from nas.datasets import Found
from nas.interrupt import Stopped, stop_on_signals
from nas.progress import clock, shown
from nas.settings import Request, Settings
from nas.study.workplace import Workplace, choose_workplace
from nas.subjects import Subject, View
from nas.workers.place import Place
from search_space.analysis.measures import Measures, measure
from search_space.architecture import Candidate
from search_space.catalog import Classic
from search_space.shapes import smallest
from search_space.words import describe
from studies.evaluation import Evaluation
from studies.interval import Z, noise, seed_deviation
from studies.store import Store
from studies.wording import counted

WAIT_SECONDS = 1.0
LEAST_RESOLUTION = 28


@dataclass(frozen=True)
class Tried:
    """A network and what its short runs gave.

    ``accuracies`` (0..1) are of the seeds that have ended; ``low`` to ``high`` hold 95 %: the noise
    of the validation images and of the seeds. ``failure`` is why a run failed, if one did.
    """

    name: str
    measures: Measures
    accuracies: tuple[float, ...]
    seconds: float
    low: float | None = None
    high: float | None = None
    failure: str | None = None

    @property
    def accuracy(self) -> float | None:
        """The mean over its seeds."""
        return fmean(self.accuracies) if self.accuracies else None


@dataclass(frozen=True)
class Beside:
    """All that was tried, the most accurate first; ``images`` counts the validation images.

    ``signal`` is the number of one that ended it before all was done, else 0.
    """

    networks: tuple[Tried, ...]
    view: View
    budget: int
    seeds: int
    images: int
    signal: int = 0


class _Run(NamedTuple):
    """One of the runs that are wanted: of which network, and what it is."""

    name: str
    request: Request


def common_image(
    subjects: Sequence[Subject], found: Found, resolution: int | None, channels: int | None
) -> View:
    """The images that all are tried on: as asked, else the smallest that suit all, at least 28."""
    channels, classes = channels or found.channels, len(found.classes)
    if resolution is None:
        any_size = View((channels, 1, 1), classes)
        least = [smallest(any_size.at(one), channels) or 0 for one in subjects]
        resolution = max(LEAST_RESOLUTION, *least)
    return View((channels, resolution, resolution), classes)


def evaluate_beside(
    store: Store,
    subjects: Sequence[Subject],
    settings: Settings,
    place: Place,
    seeds: int,
    quiet: bool,
) -> Beside:
    """Evaluate each of the subjects with each seed at the settings' one budget; keep what ends.

    ``place`` has the images as they were found. What the database has already is looked up: nothing
    is trained twice. ValueError where a network can't run on such images, before anything is.
    """
    assert isinstance(place.images, Found)
    view = View(settings.image, len(place.images.classes))
    measures = {one.name: measure(view.graph(one), view.shape) for one in subjects}
    count = len(subjects) * seeds
    settings, workplace = choose_workplace(settings, place, None, count, "networks")
    validation = place.images.validation * (settings.folds or 1)
    runs = [
        _Run(one.name, settings.request(_of(one), workplace.directory, repeat=repeat))
        for one in subjects
        for repeat in range(seeds)
    ]
    found = _known(store, runs)
    left = [run for run in runs if run.request.identity().digest() not in found]
    if found and not quiet:
        print(f"{counted(len(runs) - len(left), 'run')} known already", file=sys.stderr)
    signal = _train(store, left, workplace, found, quiet) if left else 0
    rows = [_tried(name, measures[name], runs, found) for name in measures]
    rows = _with_intervals(rows, validation)
    rows.sort(key=lambda one: (-(one.accuracy or 0.0), one.measures.params))
    return Beside(tuple(rows), view, settings.budgets[-1], seeds, validation, signal)


def _of(subject: Subject) -> Candidate | Classic:
    return subject.candidate or Classic(subject.catalog)


def _known(store: Store, runs: Sequence[_Run]) -> dict[str, Evaluation | str]:
    """The evaluations that the database has, by the digests of their identities."""
    if not store.exists() or store.schema_version() is None:
        return {}
    found: dict[str, Evaluation | str] = {}
    for run in runs:
        identity = run.request.identity()
        if (known := store.evaluation(identity)) is not None:
            found[identity.digest()] = known
    return found


def _train(
    store: Store,
    left: Sequence[_Run],
    workplace: Workplace,
    found: dict[str, Evaluation | str],
    quiet: bool,
) -> int:
    """Make the runs that are left; what came of each joins ``found``. The signal that ended it."""
    store.check_writable()
    workplace.check()
    store.create_tables()
    if not quiet:
        print("\n".join(workplace.found), file=sys.stderr)
    progress = _Progress(len(left))
    try:
        with stop_on_signals() as check, shown(quiet) as report, workplace.workers() as workers:
            for run in left:
                workers.submit(run.request)
            while progress.done < progress.total:
                report(progress)
                check()
                outcome = workers.next(WAIT_SECONDS)
                if outcome is None:
                    continue
                identity = outcome.request.identity()
                found[identity.digest()] = outcome.result
                if isinstance(outcome.result, Evaluation):
                    _keep(store, outcome.request, outcome.result)
                    progress.last = _words(left, outcome.request, outcome.result)
                progress.done += 1
            report(progress)
    except Stopped as stopped:
        return stopped.number
    return 0


def _keep(store: Store, request: Request, result: Evaluation) -> None:
    network = request.network
    text = describe(network) if isinstance(network, Candidate) else network.catalog
    store.add_candidate(network.key, network.to_json(), text)
    store.add_evaluation(request.identity(), result)


def _words(runs: Sequence[_Run], request: Request, result: Evaluation) -> str:
    name = next(run.name for run in runs if run.request == request)
    return f"{name} {'failed' if result.accuracy is None else f'{result.accuracy:.2%}'}"


class _Progress:
    """How many of the runs have ended, and what came of the last."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.last = total, 0, ""
        self._started = time.monotonic()

    def ended(self) -> int:
        return self.done

    def share(self) -> str:
        if not self.done:
            return f"0/{counted(self.total, 'run')}"
        each = (time.monotonic() - self._started) / self.done
        left = clock(each * (self.total - self.done))
        return f"{self.done}/{counted(self.total, 'run')}, {left} left"

    def details(self) -> str:
        return self.last


def _tried(
    name: str,
    measures: Measures,
    runs: Sequence[_Run],
    found: Mapping[str, Evaluation | str],
) -> Tried:
    """A network with what came of its runs, without its interval."""
    every = [found.get(run.request.identity().digest()) for run in runs if run.name == name]
    ended = [one for one in every if isinstance(one, Evaluation)]
    accuracies = tuple(one.accuracy for one in ended if one.accuracy is not None)
    failures = [one for one in every if isinstance(one, str)]
    failures += [one.failure for one in ended if one.failure is not None]
    seconds = fmean(one.seconds for one in ended) if ended else 0.0
    return Tried(name, measures, accuracies, seconds, failure=failures[0] if failures else None)


def _with_intervals(rows: Sequence[Tried], images: int) -> list[Tried]:
    """The rows with what is known of their accuracies: the seeds' noise is that of all of them."""
    least = 0.5 / images
    seed = seed_deviation([one.accuracies for one in rows], least)
    out = []
    for one in rows:
        if one.accuracy is not None:
            error = max(1 - one.accuracy, least)
            variance = noise(np.array([error]), images, len(one.accuracies), seed)[0]
            away = Z * math.sqrt(float(variance))
            low, high = (1 - error * math.exp(sign * away) for sign in (1, -1))
            one = replace(one, low=max(0.0, low), high=min(1.0, high))
        out.append(one)
    return out
