"""`nas run`: a study brought to its trials, and its front."""

import contextlib
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli import parsing
from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    PRECISION_HELP,
    Json,
    PixelRange,
    Resolution,
    Space,
    Storage,
    Study,
    needed,
    print_json,
)
from nas.datasets.sources import DATASETS, full_name, source, typed
from nas.defaults import DATASET
from nas.machines import read_core
from nas.metrics import METRICS
from nas.objectives import OBJECTIVES, chosen
from nas.rungs.names import PROMOTIONS
from nas.sampling.samplers import SAMPLERS
from nas.settings import (
    DEFAULT_BUDGETS,
    DEFAULT_ETA,
    DEFAULT_OBJECTIVES,
    DEFAULT_REPEATS,
    Settings,
    check_study_name,
    differences,
    wanted,
)
from nas.study.until import MAX_FAILURES, Until
from nas.tables import names
from nas.workers.place import Place, check_apart
from search_space.device.cores import CORES
from studies.wording import counted

if TYPE_CHECKING:
    from nas.datasets import Found
    from nas.full_training.task import Wanted
    from nas.study.run import Ended
    from nas.study.stored import StoredStudy
    from nas.workers.place import Address
    from studies.results import Results
    from studies.store import Store

TIMED_SAMPLER = "tpe"
"""Who proposes where latency is asked for: to know it, each candidate would have to be timed."""

DATASET_HELP = "; ".join(f"{typed(kind)}, {DATASETS[kind].words}" for kind in DATASETS)
SAMPLER_HELP = "; ".join(f"{name}: {sampler.words}" for name, sampler in SAMPLERS.items())
METRIC_HELP = "; ".join(f"{name}: {metric.words}" for name, metric in METRICS.items())
PROMOTION_HELP = "; ".join(f"{name}: {rule.words}" for name, rule in PROMOTIONS.items())


def run(
    trials: Annotated[int, typer.Option(help="Trials that the study should have in all.")] = 200,
    resolution: Resolution = 28,
    dataset: Annotated[
        str | None, typer.Option(help=f"Images: {DATASET_HELP}. [default: {DATASET}]")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="Image channels, 1 or 3. [default: as the images have]")
    ] = None,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    sampler: Annotated[
        str | None,
        typer.Option(
            help=f"Who proposes: {SAMPLER_HELP}; or the dotted path of an Optuna sampler. "
            f"[default: {Settings.sampler}, or {TIMED_SAMPLER} where latency is asked for]"
        ),
    ] = None,
    objectives: Annotated[
        str,
        typer.Option(help=f"Any of {', '.join(OBJECTIVES)}."),
    ] = ",".join(DEFAULT_OBJECTIVES),
    budgets: Annotated[
        str | None,
        typer.Option(
            "--budgets",
            "--budget",
            help="Training images at the last rung, or at each, such as 5k,20k. "
            f"[default: {DEFAULT_BUDGETS[-1]:,}]",
        ),
    ] = None,
    rungs: Annotated[
        int | None,
        typer.Option(help=f"Rungs, if --budgets is one number. [default: {len(DEFAULT_BUDGETS)}]"),
    ] = None,
    eta: Annotated[
        float | None,
        typer.Option(help=f"Factor by which budgets grow. [default: {DEFAULT_ETA:g}]"),
    ] = None,
    promotion: Annotated[
        str | None,
        typer.Option(
            help=f"Who goes on to the next rung: {PROMOTION_HELP}. [default: {Settings.promotion}]"
        ),
    ] = None,
    repeats: Annotated[
        float | None,
        typer.Option(
            help="Share (0..1) of all training that goes to networks once more, with other seeds, "
            f"where their place on the front isn't decided. [default: {DEFAULT_REPEATS:g}]"
        ),
    ] = None,
    warm_start: Annotated[
        bool | None,
        typer.Option(
            "--warm-start/--no-warm-start",
            help="Begin with what the database's studies of the same space measured. "
            "[default: warm-start]",
        ),
    ] = None,
    max_params: Annotated[
        str | None, typer.Option(help="Most parameters that a network may have.")
    ] = None,
    max_flops: Annotated[
        str | None, typer.Option(help="Most FLOPs that it may do for an image.")
    ] = None,
    max_activation_bytes: Annotated[
        str | None, typer.Option(help="Most bytes of activations that it may hold at once.")
    ] = None,
    max_flash: Annotated[
        str | None,
        typer.Option(
            "--max-flash",
            "--max-flash-bytes",
            help="Most bytes of flash that its C file may take, such as 64k.",
        ),
    ] = None,
    max_ram: Annotated[
        str | None,
        typer.Option(
            "--max-ram",
            "--max-arena-bytes",
            help="Most bytes of memory that its C file may take.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help=f"A microcontroller's core, whose cycles are estimated: {', '.join(CORES)}, or a "
            "TOML file's. [default: none]"
        ),
    ] = None,
    max_cycles: Annotated[
        str | None, typer.Option(help="Most cycles that an image may take there, such as 20M.")
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(help="Prune what takes longer for an image on this machine, such as 2ms."),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            help="Accuracy (0..1) from which on a network counts. [default: what logistic "
            "regression on the pixels has]"
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help=f"What accuracy is: {METRIC_HELP}. [default: {Settings.metric}]"),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Train each network so many times, validating on other images each time. "
            "[default: 1, more where there are few images]"
        ),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(help="First trials, by their names in the catalog, with commas between."),
    ] = None,
    space: Space = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory of the data set's original files.")
    ] = None,
    pixel_range: PixelRange = None,
    seed: Annotated[int, typer.Option(help="Of the sampler and of the training runs.")] = 0,
    precision: Annotated[
        str, typer.Option(help=f"{PRECISION_HELP}; auto measures which is faster.")
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(help="Worker processes; 0 trains in this one. [default: one a core]"),
    ] = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(
            help="Bytes that a worker may hold, such as 4G. [default: its share of the machine]"
        ),
    ] = None,
    gpus_per_trial: Annotated[
        float | None,
        typer.Option(help="Share of a GPU, such as 0.25. [default: 1 where there is one]"),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Train on this Dask cluster's workers, tls://HOST:PORT.", metavar="URL"),
    ] = None,
    tls_ca: Annotated[Path | None, typer.Option(help="The cluster's authority, PEM.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate to show it, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key, PEM.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow tcp:// beyond this machine: anyone may read.")
    ] = False,
    cluster_timeout: Annotated[
        str, typer.Option(help="How long a cluster is waited for that is away.")
    ] = "10m",
    max_failures: Annotated[
        int, typer.Option(help="Stop when so many evaluations have failed in a row.")
    ] = MAX_FAILURES,
    timeout: Annotated[
        str | None, typer.Option(help="Begin no new trial after this time, such as 30m.")
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            help="Then train the best network up to each size to its end and test it, all within "
            "this time, such as 75m."
        ),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            help="Train nothing: answer from this table, with 2 --workers that are simulated; "
            f"{', '.join(names())} comes with the package.",
            metavar="TABLE",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: Json = False,
) -> int:
    """Search: bring a study to --trials trials, and print its Pareto front.

    The same command again continues a study that was interrupted, and prints the results of one
    that is finished.
    """
    check_study_name(study)
    if replay is not None:
        check_apart("--replay", replay, "--dataset", dataset)
    training = None if train is None else parsing.duration(train, "--train")
    if training and replay is not None:
        raise ValueError("--replay trains nothing and --train is given; give one of them")
    if training and "accuracy" not in chosen(parsing.names(objectives)):
        raise ValueError(
            f"--train is given and --objectives is {objectives}; name accuracy among them, since "
            "the best networks are to be trained"
        )
    until = Until(trials, parsing.duration(timeout) if timeout else None, max_failures)
    place = Place(
        workers=workers,
        memory_limit=parsing.limit("memory limit", memory_limit),
        gpus_per_trial=gpus_per_trial,
        cluster=_address(cluster, tls_ca, tls_cert, tls_key, insecure),
        cluster_timeout=parsing.duration(cluster_timeout, "cluster timeout"),
        replay=replay,
        images=data_dir,
        precision=precision,
    )
    limits = {
        "params": parsing.limit("--max-params", max_params),
        "flops": parsing.limit("--max-flops", max_flops),
        "activation_bytes": parsing.limit("--max-activation-bytes", max_activation_bytes),
        "flash_bytes": parsing.limit("--max-flash", max_flash),
        "arena_bytes": parsing.limit("--max-ram", max_ram),
        "cycles": parsing.limit("--max-cycles", max_cycles),
        "latency": parsing.short_limit("--max-latency", max_latency),
    }
    chosen_objectives = chosen(parsing.names(objectives))
    timed = "latency" in chosen_objectives or limits["latency"] is not None
    asked = {
        "space": None if space is None else parsing.read_space(space),
        "objectives": chosen_objectives,
        "sampler": sampler,
        "seed": seed,
        "resolution": resolution,
        "dataset": None if dataset is None else full_name(dataset),
        "channels": channels,
        "pixel_range": parsing.pixel_range(pixel_range),
        "eta": eta,
        "promotion": promotion,
        "repeats": repeats,
        "warm_start": warm_start,
        "min_accuracy": min_accuracy,
        "metric": metric,
        "folds": folds,
        "device": None if device is None else read_core(device),
        "start_from": None if start_from is None else parsing.names(start_from),
        **{f"max_{name}": limit for name, limit in limits.items()},
    }

    from nas.study.run import bring
    from nas.study.stored import read_study
    from studies.store import open_store

    with contextlib.closing(open_store(storage, create=True)) as store:
        stored = read_study(store, study)
        before = stored.settings if stored else Settings(sampler=TIMED_SAMPLER) if timed else None
        settings = wanted(before, asked, parsing.budgets(budgets), rungs)
        settings, place = _on_images(settings, place, stored, chosen_channels=channels)
        ended = bring(store, study, stored, settings, place, until, quiet or as_json)
        page = Path(f"{study}-pareto.html")
        if training is None or ended.signal or ended.failing or ended.results.why_empty():
            code = _show(ended, store, page, trials, as_json)
        else:
            from nas.full_training.task import Wanted

            last = Wanted(data_dir=data_dir, precision=precision, seconds=training)
            code = _show_trained(ended, store, page, trials, last, quiet, as_json)
    if ended.signal or ended.failing:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: what is left of a cluster that was killed could keep the process waiting.
        os._exit(code)
    return code


def _address(
    url: str | None, ca: Path | None, certificate: Path | None, key: Path | None, insecure: bool
) -> "Address | None":
    """The cluster that was asked for. ValueError where there can't be such a one."""
    meant = {"--tls-ca": ca, "--tls-cert": certificate, "--tls-key": key}
    for option, value in (meant | {"--insecure": insecure or None}).items():
        if value is not None and url is None:
            raise ValueError(f"{option} is given without --cluster, which it is for; give both")
    if url is None:
        return None
    from nas.workers.place import Address

    return Address(url, ca, certificate, key, insecure)


def _on_images(
    settings: Settings, place: Place, stored: "StoredStudy | None", chosen_channels: int | None
) -> tuple[Settings, Place]:
    """The settings with the channels of their images, and the place with these, if it is a folder.

    A folder is looked through for these, the others are fetched only once all else is checked.
    """
    known = source(settings.dataset)
    if stored is not None and source(stored.settings.dataset) is not known:
        before = stored.settings.dataset
        (difference,) = differences({"dataset": before}, {"dataset": settings.dataset})
        raise ValueError(
            f"study {stored.name!r} was made with other images: {difference}; "
            "leave out --dataset, or give another --study"
        )
    found: Found | None = None
    if not known.classes:
        from nas.study.workplace import images_of

        found = images_of(settings, place)
        place = replace(place, images=found)
    if chosen_channels is None and stored is None:
        settings = replace(settings, channels=(found or known).channels)
    return settings, place


def _show_trained(
    ended: "Ended",
    store: "Store",
    page: Path,
    trials: int,
    wanted: "Wanted",
    quiet: bool,
    as_json: bool,
) -> int:
    """The front, then its best networks trained to the end, and what they are then; the code."""
    from nas.full_training.up_to import train_up_to
    from nas.interrupt import Stopped
    from nas.reporting.trained import print_up_to, up_to_json

    study = ended.results.study
    if not as_json:
        _show(ended, store, page, trials, as_json)
    try:
        rows = train_up_to(store, study, wanted, Path(f"{study}-front"), quiet or as_json)
    except ValueError:
        if as_json:  # what was searched is there all the same
            _show(ended, store, page, trials, as_json, {"trained": None})
        raise
    if as_json:
        shown = None if isinstance(rows, Stopped) else up_to_json(rows)
        _show(ended, store, page, trials, as_json, {"trained": shown})
    if isinstance(rows, Stopped):
        return 128 + rows.number
    if not as_json:
        print_up_to(rows, study, ended.results.replayed)
    return int(any(row.trained.failure for row in rows))


def _show(
    ended: "Ended",
    store: "Store",
    page: Path,
    trials: int,
    as_json: bool,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """The front, the plot's path, what to try next, and what stopped the run; the exit code.

    It is 1 where no trial has completed or they kept failing, 128 + its number after a signal.
    ``more`` joins the JSON data.
    """
    results = ended.results
    _print_front(results, store, page, as_json, more)
    code = 128 + ended.signal if ended.signal else 1 if ended.failing else 0
    if empty := results.why_empty():
        say_why_empty(empty, results, ended.settings)
        code = code or 1
    if ended.signal or ended.failing:
        stopped = f"stopped: {ended.failing}" if ended.failing else "stopped"
        kept = sum(results.states.get(state, 0) for state in ("complete", "pruned", "fail"))
        of, are = counted(trials, "trial"), "is" if kept == 1 else "are"
        print(f"{stopped}: {kept} of {of} {are} kept; the same command continues", file=sys.stderr)
    return code


def say_why_empty(lines: Sequence[str], results: "Results", settings: Settings) -> None:
    """Say on standard error why no trial has completed, and what the limits would have to be."""
    from search_space.limits import nearest

    for line in lines:
        print(f"error: no result: {line}", file=sys.stderr)
    shape = (settings.resolution, settings.channels, settings.classes)
    for name in results.over:
        if name != "latency":
            found, _ = nearest(settings.space, *shape, {name: 1})
            least = getattr(found, name)
            option = f"--max-{name.replace('_', '-')}"
            print(
                f"the smallest found in the space has {least:,}: give more --trials, or raise "
                f"{option}",
                file=sys.stderr,
            )


def _print_front(
    results: "Results", store: "Store", page: Path, as_json: bool, more: Mapping[str, Any]
) -> None:
    """The front, the plot's path, and what to try next."""
    from nas.reporting.front import front_json, print_results

    written = _write_page(results, store, page)
    if as_json:
        print_json(front_json(results) | {"plot": str(page) if written else None, **more})
        return
    options = f"--study {shlex.quote(results.study)} --storage {shlex.quote(store.shown)}"
    print_results(results, needed(results.study, store.shown))
    if written:
        print(f"plot: {page}")
    front = results.front()
    following = [f"nas studies --storage {shlex.quote(store.shown)}"]
    if front:
        shown = [
            f"nas show {front[-1].number} {options}",
            f"nas report {options} --out report.html",
        ]
        following = shown + following
    for number, command in enumerate(following):
        print(f"{'' if number else 'next:':5} {command}")


def _write_page(results: "Results", store: "Store", page: Path) -> bool:
    """Write the plot; whether that could be done, which is said where it couldn't."""
    from nas.reporting.report import write_front

    try:
        write_front(store, results.study, page)
    except ValueError as error:
        print(f"no plot: {error}", file=sys.stderr)
        return False
    return True
