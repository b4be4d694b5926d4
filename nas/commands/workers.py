"""The workers of `nas run`: of this machine, of a cluster, or simulated ones on a table."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nas.commands.parsing import count, duration
from nas.datasets import Found, find, load
from nas.objectives import OBJECTIVES
from nas.progress import clock
from nas.settings import Recipe, Settings
from search_space.checks import check_range
from studies.store import Store

if TYPE_CHECKING:
    from nas.cluster.joined import Address
    from nas.cluster.workers import Workers
    from nas.commands.run import Asked

MAX_WORKERS = 1024
SIMULATED = 2
"""Workers of a replay, whatever the machine has."""
LEAST_MEMORY = 2**28
"""Bytes without which a worker could not even begin."""


class Chosen(NamedTuple):
    """The workers of a study, and the directory of their images.

    ``check`` raises ValueError where they can't be had, before anything is written; ``words`` says
    after a run how good a replay is, and how long it would have taken.
    """

    directory: str
    workers: "Callable[[], contextlib.AbstractContextManager[Workers]]"
    words: Callable[[], str] | None = None
    check: Callable[[], None] = lambda: None


def check_options(asked: "Asked") -> None:
    """ValueError where options of the workers can't be, or exclude each other."""
    check_range("workers", 0 if asked.workers is None else asked.workers, 0, MAX_WORKERS)
    check_range("max failures", asked.max_failures, 1, 10**9)
    if asked.gpus_per_trial is not None:
        check_range("gpus per trial", asked.gpus_per_trial, 0.01, 1, integer=False)
    address(asked)
    duration(asked.cluster_timeout, "cluster timeout")
    if asked.memory_limit is not None:
        check_range("memory limit", count("memory limit", asked.memory_limit), LEAST_MEMORY, 2**50)
    given = {
        "--workers": asked.workers,
        "--memory-limit": asked.memory_limit,
        "--gpus-per-trial": asked.gpus_per_trial,
        "--data-dir": asked.data_dir,
        "--dataset": asked.dataset,
        "--cluster": asked.cluster,
        "--replay": asked.replay,
    }
    excluded = {
        "--cluster": ("--workers", "--memory-limit"),
        "--replay": ("--data-dir", "--dataset", "--cluster", "--memory-limit", "--gpus-per-trial"),
    }
    for option, others in excluded.items():
        for other in others:
            if given[option] is not None and given[other] is not None:
                raise ValueError(f"{option} and {other} exclude each other; give one of them")
    meant = {"--tls-ca": asked.tls_ca, "--tls-cert": asked.tls_cert, "--tls-key": asked.tls_key}
    for option, value in (meant | {"--insecure": asked.insecure or None}).items():
        if value is not None and asked.cluster is None:
            raise ValueError(f"{option} is given without --cluster, which it is for; give both")
    for option in ("--memory-limit", "--gpus-per-trial"):
        if asked.workers == 0 and given[option] is not None:
            raise ValueError(f"{option} is of workers, and --workers 0 has none; leave one out")


def address(asked: "Asked") -> "Address | None":
    """The cluster that was asked for. ValueError where there can't be such a one."""
    if asked.cluster is None:
        return None
    from nas.cluster.joined import Address

    return Address(asked.cluster, asked.tls_ca, asked.tls_cert, asked.tls_key, asked.insecure)


def choose_workers(
    settings: Settings, store: Store, name: str, asked: "Asked", found: Found | None
) -> tuple[Settings, Chosen]:
    """The settings with the data and the recipe of this machine, or of the table it replays."""
    if asked.replay is not None:
        return _replayed(settings, asked.replay, name, asked)
    directory = ""
    if any(not OBJECTIVES[objective].known for objective in settings.objectives):
        found = found or find(settings.dataset, asked.data_dir)
        directory = found.directory
        settings = replace(settings, data=found.digest)
    settings = replace(settings, recipe=Recipe(precision=_precision(store, name, asked.precision)))
    cluster = address(asked)
    if cluster is not None and settings.data:
        return settings, _joined(settings, directory, cluster, asked)
    return settings, _local(settings, directory, asked)


def _local(settings: Settings, directory: str, asked: "Asked") -> Chosen:
    from nas.cluster.local import check_places, default_workers, open_workers
    from nas.evaluation import evaluate

    if not settings.data:  # nothing is trained
        return Chosen(directory, lambda: open_workers(0, evaluate))
    share = asked.gpus_per_trial
    wanted = default_workers(share) if asked.workers is None else asked.workers
    memory = None if asked.memory_limit is None else count("memory limit", asked.memory_limit)
    workers = min(wanted, asked.trials)
    return Chosen(
        directory,
        lambda: open_workers(workers, evaluate, memory),
        check=lambda: check_places(workers, share),
    )


def _joined(settings: Settings, directory: str, cluster: "Address", asked: "Asked") -> Chosen:
    from nas.cluster.joined import join
    from nas.cluster.preparation import Package, package

    said: set[str] = set()

    @cache
    def images() -> Package:
        return package(load(settings.dataset, directory, settings.resolution, settings.channels))

    def say(words: str) -> None:
        if words not in said:
            said.add(words)
            print(words, file=sys.stderr)

    def workers() -> "contextlib.AbstractContextManager[Workers]":
        patience = duration(asked.cluster_timeout, "cluster timeout")
        return join(cluster, images, patience, asked.gpus_per_trial, say)

    def check() -> None:
        if cluster.insecure:
            say(f"warning: whoever reaches {cluster.url} can read and change what goes there")
        with workers():
            pass

    return Chosen(directory, workers, check=check)


def _replayed(
    settings: Settings, table: Path, name: str, asked: "Asked"
) -> tuple[Settings, Chosen]:
    from nas.replay import open_replay
    from nas.simulated import Simulated

    replay, settings = open_replay(table, settings, asked.precision, name)
    workers = Simulated(SIMULATED if asked.workers is None else asked.workers, replay)
    words = [f"{b:,} images: {replay.quality[b].words()}" for b in settings.budgets]
    return settings, Chosen(
        "",
        lambda: contextlib.nullcontext(workers),
        lambda: (
            f"replay of {table}: {'; '.join(words)}; {clock(workers.clock)} simulated on "
            f"{workers.slots} workers"
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
