"""The workers of a run: of this machine, of a cluster, or simulated ones on a table."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nas.datasets import Found, find, load
from nas.objectives import OBJECTIVES
from nas.progress import clock
from nas.settings import PRECISIONS, Settings
from search_space.checks import check_choice, check_range
from studies.store import Store
from studies.wording import counted

if TYPE_CHECKING:
    from nas.cluster.joined import Address
    from nas.cluster.workers import Workers

MAX_WORKERS = 1024
SIMULATED = 2
"""Workers of a replay, whatever the machine has."""
LEAST_MEMORY = 2**28
"""Bytes without which a worker could not even begin."""
CLUSTER_SECONDS = 600.0
"""How long a cluster is waited for that is away."""


@dataclass(frozen=True)
class Place:
    """Where the candidates of a run are trained, as `nas run` has it in its options.

    ``workers`` are processes of this machine, 0 is this process alone, None one a core; each may
    hold ``memory_limit`` bytes and has a share of a GPU, ``gpus_per_trial``. Else a ``cluster``,
    waited for ``cluster_timeout`` seconds where it is away; or nothing is trained, and the table
    ``replay`` answers. ``images`` are those that were found, or the directory of their original
    files. ``precision`` is auto, float32 or bf16. ValueError where these can't be together.
    """

    workers: int | None = None
    memory_limit: int | None = None
    gpus_per_trial: float | None = None
    cluster: "Address | None" = None
    cluster_timeout: float = CLUSTER_SECONDS
    replay: Path | None = None
    images: Found | Path | None = None
    precision: str = "auto"

    def __post_init__(self) -> None:
        check_range("workers", self.workers or 0, 0, MAX_WORKERS)
        if self.gpus_per_trial is not None:
            check_range("gpus per trial", self.gpus_per_trial, 0.01, 1, integer=False)
        if self.memory_limit is not None:
            check_range("memory limit", self.memory_limit, LEAST_MEMORY, 2**50)
        check_range("cluster timeout", self.cluster_timeout, 0, 1e9, integer=False)
        check_choice("precision", self.precision, ("auto", *PRECISIONS))
        given = {
            "--workers": self.workers,
            "--memory-limit": self.memory_limit,
            "--gpus-per-trial": self.gpus_per_trial,
            "--cluster": self.cluster,
            "--data-dir": self.images,
            "--replay": self.replay,
        }
        excluded = {
            "--cluster": ("--workers", "--memory-limit"),
            "--replay": ("--data-dir", "--cluster", "--memory-limit", "--gpus-per-trial"),
        }
        for option, others in excluded.items():
            for other in others:
                check_apart(option, given[option], other, given[other])
        for option in ("--memory-limit", "--gpus-per-trial"):
            if self.workers == 0 and given[option] is not None:
                raise ValueError(f"{option} is of workers, and --workers 0 has none; leave one out")

    def found(self, settings: Settings) -> Found:
        """The images of the data set, looked for where they haven't been found already."""
        if isinstance(self.images, Found):
            return self.images
        return find(settings.dataset, self.images, settings.pixel_range)


def check_apart(option: str, value: object, other: str, its: object) -> None:
    """ValueError where both of two options are given."""
    if value is not None and its is not None:
        raise ValueError(f"{option} and {other} exclude each other; give one of them")


class Chosen(NamedTuple):
    """The workers of a study, and the directory of their images.

    ``check`` raises ValueError where they can't be had, before anything is written; ``words`` says
    after a run how good a replay is, and how long it would have taken; ``found`` are lines on the
    images.
    """

    directory: str
    workers: "Callable[[], contextlib.AbstractContextManager[Workers]]"
    words: Callable[[], str] | None = None
    check: Callable[[], None] = lambda: None
    found: tuple[str, ...] = ()


def choose_workers(
    settings: Settings, store: Store, name: str, place: Place, trials: int
) -> tuple[Settings, Chosen]:
    """The settings with the data and the precision of this place, or of the table it replays."""
    if place.replay is not None:
        return _replayed(settings, place.replay, name, place)
    directory = ""
    words: tuple[str, ...] = ()
    if any(not OBJECTIVES[objective].known for objective in settings.objectives):
        found = place.found(settings)
        directory, words = found.directory, found.words
        settings = replace(settings, data=found.digest, classes=len(found.classes))
    precision = _precision(store, name, place.precision)
    settings = replace(settings, recipe=replace(settings.recipe, precision=precision))
    if place.cluster is not None and settings.data:
        return settings, _joined(settings, directory, place.cluster, place)._replace(found=words)
    return settings, _local(settings, directory, place, trials)._replace(found=words)


def _local(settings: Settings, directory: str, place: Place, trials: int) -> Chosen:
    from nas.cluster.local import check_places, default_workers, open_workers
    from nas.cluster.spawning import check_can_spawn
    from nas.evaluation import evaluate

    if not settings.data:  # nothing is trained
        return Chosen(directory, lambda: open_workers(0, evaluate))
    share = place.gpus_per_trial
    wanted = default_workers(share) if place.workers is None else place.workers
    workers = min(wanted, trials)

    def check() -> None:
        check_places(workers, share)
        if workers:
            check_can_spawn()

    return Chosen(
        directory, lambda: open_workers(workers, evaluate, place.memory_limit), check=check
    )


def _joined(settings: Settings, directory: str, cluster: "Address", place: Place) -> Chosen:
    from nas.cluster.joined import join
    from nas.cluster.preparation import Package, package

    said: set[str] = set()

    @cache
    def images() -> Package:
        return package(
            load(
                settings.dataset,
                directory,
                settings.resolution,
                settings.channels,
                settings.pixel_range,
            )
        )

    def say(words: str) -> None:
        if words not in said:
            said.add(words)
            print(words, file=sys.stderr)

    def workers() -> "contextlib.AbstractContextManager[Workers]":
        return join(cluster, images, place.cluster_timeout, place.gpus_per_trial, say)

    def check() -> None:
        if cluster.insecure:
            say(f"warning: whoever reaches {cluster.url} can read and change what goes there")
        with workers():
            pass

    return Chosen(directory, workers, check=check)


def _replayed(settings: Settings, table: Path, name: str, place: Place) -> tuple[Settings, Chosen]:
    from nas.replay import open_replay
    from nas.simulated import Simulated

    replay, settings = open_replay(table, settings, place.precision, name)
    workers = Simulated(SIMULATED if place.workers is None else place.workers, replay)
    words = [f"{b:,} images: {replay.quality[b].words()}" for b in settings.budgets]
    return settings, Chosen(
        "",
        lambda: contextlib.nullcontext(workers),
        lambda: (
            f"replay of {table}: {'; '.join(words)}; {clock(workers.clock)} simulated on "
            f"{counted(workers.slots, 'worker')}"
        ),
    )


def _precision(store: Store, name: str, asked: str) -> str:
    """The precision asked for; for ``auto`` that of the study, or the best of this machine."""
    if asked != "auto":
        return asked
    if name in store.study_names():
        recipe: dict[str, str] = store.study(name)["settings"]["recipe"]
        return recipe["precision"]
    from nas.precision import best_precision

    return best_precision()
