"""The workers of a run, chosen for its place: of this machine, of a cluster, or on a table."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nas.datasets import Found, find, load
from nas.objectives import OBJECTIVES
from nas.progress import clock
from nas.settings import Settings
from nas.study.few_images import folds_of, following, words_of_few
from nas.tables import table_path
from nas.workers.place import Place
from studies.wording import counted

if TYPE_CHECKING:
    from nas.workers.protocol import Workers

SIMULATED = 2
"""Workers of a replay, whatever the machine has."""


class Workplace(NamedTuple):
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


def choose_workplace(
    settings: Settings, place: Place, begun: Settings | None, trials: int, name: str
) -> tuple[Settings, Workplace]:
    """The settings with the data and the precision of this place, or of the table it replays.

    ``begun`` are the settings of the study ``name`` where it is there.
    """
    if place.replay is not None:
        return _replayed(settings, place.replay, name, place)
    directory = ""
    words: tuple[str, ...] = ()
    if any(not OBJECTIVES[objective].known for objective in settings.objectives):
        found = images_of(settings, place)
        directory, words = found.directory, found.words
        budgets = following(settings.budgets, begun, settings.eta, found.train)
        settings = replace(
            settings,
            data=found.digest,
            classes=len(found.classes),
            budgets=budgets,
            folds=folds_of(settings.folds, begun, found),
        )
        words = (*words, *words_of_few(settings, found))
    precision = _precision(begun, place.precision)
    settings = replace(settings, recipe=replace(settings.recipe, precision=precision))
    if words:
        size = "x".join(map(str, settings.image))
        words = (*words, f"images are taken as {size}; networks are trained in {precision}")
    if place.cluster is not None and settings.data:
        return settings, _joined(settings, directory, place)._replace(found=words)
    return settings, _local(settings, directory, place, trials)._replace(found=words)


def images_of(settings: Settings, place: Place) -> Found:
    """The images of the data set, looked for where they haven't been found already."""
    if isinstance(place.images, Found):
        return place.images
    return find(settings.dataset, place.images, settings.pixel_range)


def _local(settings: Settings, directory: str, place: Place, trials: int) -> Workplace:
    from nas.short_run.evaluation import evaluate
    from nas.workers.local import check_local, count_of, open_workers

    if not settings.data:  # nothing is trained
        return Workplace(directory, lambda: open_workers(0, evaluate))
    count = count_of(place, trials)
    return Workplace(
        directory,
        lambda: open_workers(count, evaluate, place.memory_limit),
        check=lambda: check_local(place, count),
    )


def _joined(settings: Settings, directory: str, place: Place) -> Workplace:
    from nas.workers.preparation import Package, package
    from nas.workers.remote import check_joined, join_at

    said: set[str] = set()

    @cache
    def images() -> Package:
        return package(load(settings.reading(directory)))

    def say(words: str) -> None:
        if words not in said:
            said.add(words)
            print(words, file=sys.stderr)

    def check() -> None:
        check_joined(place, images, say)

    return Workplace(directory, lambda: join_at(place, images, say), check=check)


def _replayed(
    settings: Settings, table: Path, name: str, place: Place
) -> tuple[Settings, Workplace]:
    from nas.short_run.replay import open_replay
    from nas.workers.simulated import Simulated

    replay, settings = open_replay(table_path(table), settings, place.precision, name)
    workers = Simulated(SIMULATED if place.workers is None else place.workers, replay)
    words = [f"{b:,} images: {replay.quality[b].words()}" for b in settings.budgets]
    return settings, Workplace(
        "",
        lambda: contextlib.nullcontext(workers),
        lambda: (
            f"replay of {table}: {'; '.join(words)}; {clock(workers.clock)} simulated on "
            f"{counted(workers.slots, 'worker')}"
        ),
    )


def _precision(begun: Settings | None, asked: str) -> str:
    """The precision asked for; for ``auto`` that of the study, or the best of this machine."""
    if asked != "auto":
        return asked
    if begun is not None:
        return begun.recipe.precision
    from nas.short_run.precision import best_precision

    return best_precision()
