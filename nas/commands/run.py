"""The command `nas run`: from what was asked, to a study brought to its trials and shown."""

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.commands import tables
from nas.commands.parsing import (
    budgets,
    count,
    duration,
    names,
    pixel_range,
    read_space,
    short_time,
)
from nas.datasets import Found, find
from nas.datasets.sources import full_name, source
from nas.objectives import chosen
from nas.rungs.promotion import PROMOTIONS
from nas.running.study import StudyInterrupt, run_study
from nas.running.workers import check_apart
from nas.settings import Settings, check_study_name, differences
from search_space.checks import check_choice
from search_space.limits import nearest
from studies.results import Results, load_results
from studies.store import Store, open_store
from studies.wording import counted

if TYPE_CHECKING:
    from nas.cluster.joined import Address


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
    pixel_range: str | None
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


def run_command(asked: Asked, quiet: bool, as_json: bool) -> int:
    """Check everything, then search, then show the front. ValueError on bad input.

    The exit code: 1 where no trial has completed. Ends the process with 128 + the signal's number
    if a signal stopped it, with 1 if its trials kept failing.
    """
    name = check_study_name(asked.study)
    with contextlib.closing(open_store(asked.storage, create=True)) as store:
        stopped, code = _run(asked, name, store, quiet, as_json)
    if stopped:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: what is left of a cluster that was killed could keep the process waiting.
        os._exit(code)
    return code


def _run(asked: Asked, name: str, store: Store, quiet: bool, as_json: bool) -> tuple[str, int]:
    """What stopped the run, if anything did, and the code that the process ends with."""
    stored = _stored(store, name)
    settings = settings_of(asked, stored)
    _check_options(asked)
    timeout = duration(asked.timeout) if asked.timeout else None
    memory = None if asked.memory_limit is None else count("memory limit", asked.memory_limit)
    patience = duration(asked.cluster_timeout, "cluster timeout")
    settings, found = _on_images(settings, asked, stored)
    stopped, code = "", 0
    try:
        run_study(
            settings,
            trials=asked.trials,
            study=name,
            storage=asked.storage,
            timeout=timeout,
            max_failures=asked.max_failures,
            workers=asked.workers,
            memory_limit=memory,
            gpus_per_trial=asked.gpus_per_trial,
            cluster=_address(asked),
            cluster_timeout=patience,
            replay=asked.replay,
            images=found or asked.data_dir,
            precision=asked.precision,
            progress=not quiet,
        )
    except StudyInterrupt as interrupt:
        stopped, code = "stopped", 128 + interrupt.number
    except RuntimeError as error:
        from nas.search import FailingError

        if not isinstance(error, FailingError):
            raise
        stopped, code = f"stopped: {error}", 1
    results = load_results(store, name)
    _show(results, store, Path(f"{name}-pareto.html"), as_json)
    if empty := results.why_empty():
        say_why_empty(empty, results, settings)
        code = code or 1
    if stopped:
        kept = sum(results.states.get(state, 0) for state in ("complete", "pruned", "fail"))
        of, are = counted(asked.trials, "trial"), "is" if kept == 1 else "are"
        print(f"{stopped}: {kept} of {of} {are} kept; the same command continues", file=sys.stderr)
    return stopped, code


def say_why_empty(lines: Sequence[str], results: Results, settings: Settings) -> None:
    """Say on standard error why no trial has completed, and what the limits would have to be."""
    for line in lines:
        print(f"error: no result: {line}", file=sys.stderr)
    shape = (settings.resolution, settings.channels, settings.classes)
    for name in results.over:
        if name != "latency":
            least = nearest(settings.space, *shape, {name: 1})._asdict()[name]
            option = f"--max-{name.replace('_', '-')}"
            print(
                f"the smallest found in the space has {least:,}: give more --trials, or raise "
                f"{option}",
                file=sys.stderr,
            )


def _check_options(asked: Asked) -> None:
    """ValueError where options exclude each other, or are of another one that isn't given."""
    if asked.replay is not None:
        check_apart("--replay", asked.replay, "--dataset", asked.dataset)
    meant = {"--tls-ca": asked.tls_ca, "--tls-cert": asked.tls_cert, "--tls-key": asked.tls_key}
    for option, value in (meant | {"--insecure": asked.insecure or None}).items():
        if value is not None and asked.cluster is None:
            raise ValueError(f"{option} is given without --cluster, which it is for; give both")


def _address(asked: Asked) -> "Address | None":
    """The cluster that was asked for. ValueError where there can't be such a one."""
    if asked.cluster is None:
        return None
    from nas.cluster.joined import Address

    return Address(asked.cluster, asked.tls_ca, asked.tls_cert, asked.tls_key, asked.insecure)


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
        pixel_range=pixel_range(asked.pixel_range) or before.pixel_range,
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
    """The settings with the channels of their images.

    A folder is looked through for these, the others are fetched only once all else is checked.
    """
    known = source(settings.dataset)
    if stored is not None and source(stored.dataset) is not known:
        (difference,) = differences({"dataset": stored.dataset}, {"dataset": settings.dataset})
        raise ValueError(
            f"study {asked.study!r} was made with other images: {difference}; "
            "leave out --dataset, or give another --study"
        )
    found = None
    if not known.classes:
        found = find(settings.dataset, asked.data_dir, settings.pixel_range)
    own = found or known
    if asked.channels is None and stored is None:
        settings = replace(settings, channels=own.channels)
    return settings, found


def _limit(option: str, text: str | None) -> int | None:
    return None if text is None else count(option, text)


def _show(results: Results, store: Store, page: Path, as_json: bool) -> None:
    """The front, the plot's path, and what to try next."""
    written = _write_page(results, store, page)
    if as_json:
        plot = {"plot": str(page) if written else None}
        print(json.dumps(tables.front_json(results) | plot, indent=2))
        return
    tables.print_front(results)
    if written:
        print(f"plot: {page}")
    options = f"--study {shlex.quote(results.study)} --storage {shlex.quote(store.shown)}"
    front = results.front()
    following = [f"nas studies --storage {shlex.quote(store.shown)}"]
    if front:
        more = [f"nas show {front[-1].number} {options}", f"nas report {options} --out report.html"]
        following = more + following
    for number, command in enumerate(following):
        print(f"{'' if number else 'next:':5} {command}")


def _write_page(results: Results, store: Store, page: Path) -> bool:
    """Write the plot; whether that could be done, which is said where it couldn't."""
    from nas.commands.report import write_front

    try:
        write_front(store, results.study, page)
    except ValueError as error:
        print(f"no plot: {error}", file=sys.stderr)
        return False
    return True
