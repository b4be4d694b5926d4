"""The command `nas run`: from what was asked, to a study brought to its trials and shown."""

import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nas.commands import tables
from nas.commands.parsing import budgets, count, duration, names, read_space, short_time, study_name
from nas.commands.subjects import View, catalog_subject
from nas.datasets import Found, find
from nas.datasets.found import shown
from nas.datasets.sources import full_name, source
from nas.objectives import OBJECTIVES, chosen
from nas.progress import clock
from nas.promotion import PROMOTIONS
from nas.samplers import check_sampler
from nas.settings import PRECISIONS, TRIALS, Recipe, Settings, differences
from search_space.checks import check_choice, check_range
from search_space.limits import check_limits
from studies.connection import ConnectionLostError, Patience
from studies.lock import only_driver
from studies.results import Results, load_results
from studies.store import Store, open_store

if TYPE_CHECKING:
    from nas.cluster import Workers
    from nas.search import Until

OUTAGE_SECONDS = 300.0
"""How long a server that is away is waited for."""
OUTAGES = 100
"""Transactions that may break in a run; a server that breaks all of them is not waited for."""
MAX_WORKERS = 1024
SIMULATED = 2
"""Workers of a replay, whatever the machine has."""


@dataclass(frozen=True)
class Asked:
    """The options of `nas run` as they were typed; see its help."""

    trials: int
    dataset: str | None
    resolution: int
    channels: int | None
    study: str
    storage: str
    sampler: str | None
    objectives: str
    budget: str | None
    rungs: int | None
    eta: float | None
    promotion: str | None
    warm_start: bool | None
    max_params: str | None
    max_flops: str | None
    max_activation_bytes: str | None
    max_latency: str | None
    start_from: str | None
    space: Path | None
    data_dir: Path | None
    seed: int
    precision: str
    workers: int | None
    timeout: str | None
    replay: Path | None


def run_command(asked: Asked, quiet: bool, as_json: bool) -> None:
    """Check everything, then search, then show the front. ValueError on bad input.

    Ends the process with 128 + the signal's number if a signal stopped it.
    """
    name = study_name(asked.study)
    with contextlib.closing(open_store(asked.storage, create=True)) as store:
        stopped = _run(asked, name, store, quiet, as_json)
    if stopped:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: what is left of a cluster that was killed could keep the process waiting.
        os._exit(128 + stopped)


def _run(asked: Asked, name: str, store: Store, quiet: bool, as_json: bool) -> int:
    """The number of the signal that stopped the search, or 0."""
    stored = _stored(store, name)
    settings = settings_of(asked, stored)
    check_range("trials", asked.trials, *TRIALS)
    check_range("workers", 0 if asked.workers is None else asked.workers, 0, MAX_WORKERS)
    check_choice("precision", asked.precision, ("auto", *PRECISIONS))
    for option, value in (("--data-dir", asked.data_dir), ("--dataset", asked.dataset)):
        if asked.replay is not None and value is not None:
            raise ValueError(f"--replay and {option} exclude each other; give one of them")
    seconds = duration(asked.timeout) if asked.timeout else None
    settings, found = _on_images(settings, asked, stored)
    limits = {limit: value for limit, value in settings.limits().items() if limit != "latency"}
    check_limits(settings.space, settings.resolution, settings.channels, settings.classes, limits)
    for start in settings.start_from:
        View(settings.image, settings.classes).graph(catalog_subject(start))
    settings, bench = _bench(settings, store, name, asked, found)
    stopped = _search(settings, store, name, asked, seconds, bench, quiet)
    if bench.words is not None and not quiet:
        print(bench.words(), file=sys.stderr)
    results = load_results(store, name)
    _show(results, store, Path(f"{name}-pareto.html"), as_json)
    if stopped:
        kept = sum(results.states.get(state, 0) for state in ("complete", "pruned", "fail"))
        print(
            f"stopped: {kept} of {asked.trials} trials are kept; the same command continues",
            file=sys.stderr,
        )
    return stopped


def _stored(store: Store, name: str) -> Settings | None:
    """The settings of the study of that name, where it is there."""
    if name not in store.study_names():
        return None
    return Settings.from_json(store.study(name)["settings"])


def settings_of(asked: Asked, stored: Settings | None = None) -> Settings:
    """The settings that were asked for, without those that the machine or the images decide.

    Where nothing was asked, how a study searches is as it was ``stored``.
    """
    objectives = chosen(names(asked.objectives))
    timed = "latency" in objectives or asked.max_latency is not None
    before = stored or Settings(sampler="tpe" if timed else Settings.sampler)
    sampler = before.sampler if asked.sampler is None else asked.sampler
    check_sampler(sampler, len(objectives))
    promotion = before.promotion if asked.promotion is None else asked.promotion
    check_choice("promotion", promotion, PROMOTIONS)
    eta = before.eta if asked.eta is None else asked.eta
    images = before.budgets
    if asked.budget is not None or asked.rungs is not None or asked.eta is not None:
        count_of_rungs = len(images) if asked.rungs is None else asked.rungs
        images = budgets(asked.budget or str(images[-1]), count_of_rungs, eta)
    return Settings(
        space=read_space(asked.space),
        objectives=objectives,
        sampler=sampler,
        seed=asked.seed,
        resolution=asked.resolution,
        dataset=before.dataset if asked.dataset is None else full_name(asked.dataset),
        channels=before.channels if asked.channels is None else asked.channels,
        budgets=images,
        eta=eta,
        promotion=promotion,
        warm_start=before.warm_start if asked.warm_start is None else asked.warm_start,
        max_params=_limit("--max-params", asked.max_params),
        max_flops=_limit("--max-flops", asked.max_flops),
        max_activation_bytes=_limit("--max-activation-bytes", asked.max_activation_bytes),
        max_latency=short_time("--max-latency", asked.max_latency)
        if asked.max_latency is not None
        else None,
        start_from=names(asked.start_from) if asked.start_from is not None else (),
    )


def _on_images(
    settings: Settings, asked: Asked, stored: Settings | None
) -> tuple[Settings, Found | None]:
    """The settings with the channels and the classes of their images.

    A folder is looked through for these, the others are fetched only once all else is checked.
    """
    if stored is not None and stored.dataset != settings.dataset:
        (difference,) = differences({"dataset": stored.dataset}, {"dataset": settings.dataset})
        raise ValueError(
            f"study {asked.study!r} was made with other images: {difference}; "
            "leave out --dataset, or give another --study"
        )
    known = source(settings.dataset)
    found = None if known.classes else find(settings.dataset, asked.data_dir)
    if found and stored and stored.data not in ("", found.digest):
        raise ValueError(
            f"the images in {shown(found.directory)} have changed since study {asked.study!r} was "
            f"begun ({stored.data} then, {found.digest} now); bring the original files back, or "
            "give another --study"
        )
    own = found or known
    if asked.channels is None and stored is None:
        settings = replace(settings, channels=own.channels)
    return replace(settings, classes=len(own.classes)), found


class _Bench(NamedTuple):
    """Where a study's evaluations come from: the workers, and the directory of their images.

    ``words`` says after a run how good a replay is, and how long it would have taken.
    """

    directory: str
    workers: "Callable[[], contextlib.AbstractContextManager[Workers]]"
    words: Callable[[], str] | None = None


def _bench(
    settings: Settings, store: Store, name: str, asked: Asked, found: Found | None
) -> tuple[Settings, _Bench]:
    """The settings with the data and the recipe of this machine, or of the table it replays."""
    if asked.replay is not None:
        return _replayed(settings, asked.replay, name, asked)
    from nas.cluster import default_workers, open_workers
    from nas.evaluation import evaluate

    count = min(default_workers() if asked.workers is None else asked.workers, asked.trials)
    directory = ""
    if any(not OBJECTIVES[objective].known for objective in settings.objectives):
        found = found or find(settings.dataset, asked.data_dir)
        directory = found.directory
        settings = replace(settings, data=found.digest)
    settings = replace(settings, recipe=Recipe(precision=_precision(store, name, asked.precision)))
    return settings, _Bench(
        directory, lambda: open_workers(count if settings.data else 0, evaluate)
    )


def _replayed(settings: Settings, table: Path, name: str, asked: Asked) -> tuple[Settings, _Bench]:
    from nas.replay import open_replay
    from nas.simulated import Simulated

    replay, settings = open_replay(table, settings, asked.precision, name)
    workers = Simulated(SIMULATED if asked.workers is None else asked.workers, replay)
    words = [f"{b:,} images: {replay.quality[b].words()}" for b in settings.budgets]
    return settings, _Bench(
        "",
        lambda: contextlib.nullcontext(workers),
        lambda: (
            f"replay of {table}: {'; '.join(words)}; {clock(workers.clock)} simulated on "
            f"{workers.slots} workers"
        ),
    )


def _limit(option: str, text: str | None) -> int | None:
    return None if text is None else count(option, text)


def _precision(store: Store, name: str, asked: str) -> str:
    """The precision asked for; for ``auto`` that of the study, or the best of this machine."""
    if asked != "auto":
        return asked
    if name in store.study_names():
        recipe: dict[str, str] = store.study(name)["settings"]["recipe"]
        return recipe["precision"]
    from nas.precision import best_precision

    return best_precision()


def _search(
    settings: Settings,
    store: Store,
    name: str,
    asked: Asked,
    seconds: float | None,
    bench: _Bench,
    quiet: bool,
) -> int:
    """Bring the study to its trials; the number of the signal that stopped it, or 0.

    A server that goes away is waited for. Where that broke a transaction, of which nobody knows
    whether it was kept, the search begins again from what was, as after a kill.
    """
    from nas.search import Until, check_study

    def say(words: str) -> None:
        print(words, file=sys.stderr)

    check_study(store, name, settings)
    until = None if seconds is None else time.monotonic() + seconds
    with only_driver(store, name) as held:
        store.patience = Patience(OUTAGE_SECONDS, say)
        for left in reversed(range(OUTAGES)):
            rest = None if until is None else max(0.0, until - time.monotonic())
            try:
                return _searched(
                    settings, store, name, Until(asked.trials, rest), bench, quiet, held
                )
            except ConnectionLostError:
                if not left:
                    raise
                say(f"storage {store.shown} broke off: going on from what is kept")
        raise AssertionError


def _searched(
    settings: Settings,
    store: Store,
    name: str,
    until: "Until",
    bench: _Bench,
    quiet: bool,
    held: Callable[[], None],
) -> int:
    from nas.interrupt import Stopped, stop_on_signals
    from nas.progress import shown
    from nas.search import open_study, search

    study = open_study(store, name, settings)
    trials = study.get_trials(deepcopy=False)
    if len(trials) >= until.trials and all(trial.state.is_finished() for trial in trials):
        return 0
    try:
        with (
            stop_on_signals() as asked_to_stop,
            shown(quiet) as report,
            bench.workers() as workers,
        ):

            def check() -> None:
                asked_to_stop()
                held()

            search(settings, store, study, until, workers, bench.directory, report, check)
    except Stopped as stopped:
        return stopped.number
    return 0


def _show(results: Results, store: Store, page: Path, as_json: bool) -> None:
    """The front, the plot's path, and what to try next."""
    if as_json:
        print(json.dumps(tables.front_json(results) | {"plot": str(page)}, indent=2))
        tables.write_page(results, page)
        return
    tables.print_front(results)
    tables.write_page(results, page)
    print(f"plot: {page}")
    options = f"--study {shlex.quote(results.study)} --storage {shlex.quote(store.shown)}"
    front = results.front()
    if front:
        print(f"next: nas show {front[-1].number} {options}")
        print(f"      nas pareto {options} --json")
    print(f"      nas studies --storage {shlex.quote(store.shown)}")
