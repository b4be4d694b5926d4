"""The command `nas run`: from what was asked, to a study brought to its trials and shown."""

import contextlib
import json
import os
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from nas.commands import tables
from nas.commands.parsing import budgets, count, duration, names, read_space, short_time, study_name
from nas.commands.subjects import View, catalog_subject
from nas.commands.workers import check_options, choose_workers
from nas.datasets import Found, find
from nas.datasets.found import shown
from nas.datasets.sources import full_name, source
from nas.objectives import chosen
from nas.promotion import PROMOTIONS
from nas.samplers import check_sampler
from nas.settings import PRECISIONS, TRIALS, Settings, differences
from search_space.checks import check_choice, check_range
from search_space.limits import check_limits
from studies.results import Results, load_results
from studies.store import Store, open_store


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
    max_failures: int
    memory_limit: str | None
    gpus_per_trial: float | None
    cluster: str | None
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    insecure: bool
    cluster_timeout: str


def run_command(asked: Asked, quiet: bool, as_json: bool) -> None:
    """Check everything, then search, then show the front. ValueError on bad input.

    Ends the process with 128 + the signal's number if a signal stopped it, with 1 if its trials
    kept failing.
    """
    name = study_name(asked.study)
    with contextlib.closing(open_store(asked.storage, create=True)) as store:
        code = _run(asked, name, store, quiet, as_json)
    if code:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: what is left of a cluster that was killed could keep the process waiting.
        os._exit(code)


def _run(asked: Asked, name: str, store: Store, quiet: bool, as_json: bool) -> int:
    """The code that the process ends with."""
    stored = _stored(store, name)
    settings = settings_of(asked, stored)
    check_range("trials", asked.trials, *TRIALS)
    check_options(asked)
    check_choice("precision", asked.precision, ("auto", *PRECISIONS))
    seconds = duration(asked.timeout) if asked.timeout else None
    settings, found = _on_images(settings, asked, stored)
    limits = {limit: value for limit, value in settings.limits().items() if limit != "latency"}
    check_limits(settings.space, settings.resolution, settings.channels, settings.classes, limits)
    for start in settings.start_from:
        View(settings.image, settings.classes).graph(catalog_subject(start))
    settings, workers = choose_workers(settings, store, name, asked, found)
    from nas.commands.drive import drive  # with all that searches and trains
    from nas.search import FailingError, Until

    until = Until(asked.trials, seconds, asked.max_failures)
    stopped, failing = 0, ""
    try:
        stopped = drive(settings, store, name, until, workers, quiet)
    except FailingError as error:
        failing = f": {error}"
    if workers.words is not None and not quiet:
        print(workers.words(), file=sys.stderr)
    results = load_results(store, name)
    _show(results, store, Path(f"{name}-pareto.html"), as_json)
    if stopped or failing:
        kept = sum(results.states.get(state, 0) for state in ("complete", "pruned", "fail"))
        print(
            f"stopped{failing}: {kept} of {asked.trials} trials are kept; the same command "
            "continues",
            file=sys.stderr,
        )
    return 128 + stopped if stopped else int(bool(failing))


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


def _limit(option: str, text: str | None) -> int | None:
    return None if text is None else count(option, text)


def _show(results: Results, store: Store, page: Path, as_json: bool) -> None:
    """The front, the plot's path, and what to try next."""
    from nas.commands.report import write_front

    if as_json:
        print(json.dumps(tables.front_json(results) | {"plot": str(page)}, indent=2))
        write_front(store, results.study, page)
        return
    tables.print_front(results)
    write_front(store, results.study, page)
    print(f"plot: {page}")
    options = f"--study {shlex.quote(results.study)} --storage {shlex.quote(store.shown)}"
    front = results.front()
    if front:
        print(f"next: nas show {front[-1].number} {options}")
        print(f"      nas report {options} --out report.html")
    print(f"      nas studies --storage {shlex.quote(store.shown)}")
