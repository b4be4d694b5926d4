"""`nas train`: a network, or every member of a front, trained to the end and tested."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import parsing
from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    PRECISION_HELP,
    AtResolution,
    Channels,
    Json,
    PixelRange,
    Storage,
    Study,
    UpTo,
    print_json,
)
from nas.defaults import DATASET
from nas.full_training.job import DEFAULT_EPOCHS
from nas.full_training.loggers import LOGGERS

if TYPE_CHECKING:
    from nas.full_training.task import Wanted
    from nas.subjects import Subject


def train(
    network: Annotated[
        str | None,
        typer.Argument(help="Number of a trial, best, name in the catalog, or JSON file."),
    ] = None,
    front: Annotated[
        bool, typer.Option("--front", help="Train every member of the study's front.")
    ] = False,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    dataset: Annotated[
        str | None, typer.Option(help=f"Images. [default: the trial's, or {DATASET}]")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of their files.")] = None,
    pixel_range: PixelRange = None,
    resolution: AtResolution = None,
    channels: Channels = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help=f"Passes over the training images. [default: {DEFAULT_EPOCHS}, or what fits]"
        ),
    ] = None,
    train_size: Annotated[
        str | None, typer.Option(help="Training images, drawn at random. [default: all]")
    ] = None,
    validate: Annotated[
        bool | None,
        typer.Option(
            "--validate/--no-validate",
            help="Hold the validation images out, and measure on them. [default: no-validate]",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the model. [default: named after it]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of weights, order and augmentation. [default: 0]")
    ] = None,
    time_limit: Annotated[
        str | None,
        typer.Option(help="As many epochs as fit into this, such as 75m; of a front in all."),
    ] = None,
    divided: Annotated[
        str | None,
        typer.Option(
            "--time",
            help="With --front: the best network up to each size alone, within this in all, such "
            "as 6h; more for those of which it's open which is better.",
        ),
    ] = None,
    up_to: UpTo = None,
    max_params: Annotated[
        str | None, typer.Option(help="With best: of networks of no more parameters.")
    ] = None,
    max_flops: Annotated[
        str | None, typer.Option(help="With best: of networks of no more FLOPs.")
    ] = None,
    max_activation_bytes: Annotated[
        str | None, typer.Option(help="With best: of networks of no more bytes of activations.")
    ] = None,
    max_flash: Annotated[
        str | None,
        typer.Option(
            "--max-flash",
            "--max-flash-bytes",
            help="With best: of networks of no more bytes of flash.",
        ),
    ] = None,
    max_ram: Annotated[
        str | None,
        typer.Option(
            "--max-ram",
            "--max-arena-bytes",
            help="With best: of networks of no more bytes of memory.",
        ),
    ] = None,
    max_cycles: Annotated[
        str | None, typer.Option(help="With best: of networks of no more cycles on the device.")
    ] = None,
    int8: Annotated[
        bool | None,
        typer.Option(
            "--int8/--no-int8",
            help="Then go on for a tenth of the epochs as it will be in 8-bit integers, if that is "
            "better for these. [default: no-int8]",
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(help=f"{PRECISION_HELP}; auto: as the trial was searched, else the faster."),
    ] = "auto",
    flip: Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip",
            help="Mirror images at random. [default: where left and right mean nothing]",
        ),
    ] = None,
    logger: Annotated[
        str | None,
        typer.Option(help=f"Log the learning curve: {', '.join(LOGGERS)}."),
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: Json = False,
) -> int:
    """Train a network to the end on all training images, then test it, once.

    The same command again continues a training that was interrupted; options that are left out
    are as they were then.
    """
    from nas.full_training.task import Wanted, directory_of, task_of
    from nas.full_training.train import train_until_stopped
    from nas.interrupt import Stopped
    from nas.reporting.trained import show

    limits = {
        "params": parsing.limit("--max-params", max_params),
        "flops": parsing.limit("--max-flops", max_flops),
        "activation_bytes": parsing.limit("--max-activation-bytes", max_activation_bytes),
        "flash_bytes": parsing.limit("--max-flash", max_flash),
        "arena_bytes": parsing.limit("--max-ram", max_ram),
        "cycles": parsing.limit("--max-cycles", max_cycles),
    }
    within = {name: limit for name, limit in limits.items() if limit is not None}
    _check_together(network, front, divided, time_limit, up_to, within)
    wanted = Wanted(
        dataset=dataset,
        data_dir=data_dir,
        pixel_range=parsing.pixel_range(pixel_range),
        resolution=resolution,
        channels=channels,
        epochs=epochs,
        train_size=None if train_size is None else parsing.count("--train-size", train_size),
        validate=validate,
        seed=seed,
        precision=precision,
        flip=flip,
        logger=logger,
        int8=int8,
        seconds=parsing.duration(divided or time_limit or "", "time limit")
        if divided or time_limit
        else None,
    )
    above = out or Path(f"{study}-front") if front else None
    if above is not None and divided:
        return _front_within(study, storage, wanted, up_to, above, quiet, as_json)
    subjects = _subjects(network, study, storage, within)
    tasks = [task_of(one, wanted, directory_of(one, study, out, above)) for one in subjects]
    trained = train_until_stopped(tasks, wanted, front, quiet or as_json)
    if isinstance(trained, Stopped):
        return 128 + trained.number
    show(trained, front, as_json)
    return 1 if any(one.failure for one in trained) else 0


def _front_within(
    study: str,
    storage: str,
    wanted: "Wanted",
    up_to: str | None,
    above: Path,
    quiet: bool,
    as_json: bool,
) -> int:
    """Train the best network up to each size within a time, and show the table; the exit code."""
    from nas.full_training.up_to import train_up_to
    from nas.interrupt import Stopped
    from nas.reporting.trained import print_up_to, up_to_json
    from studies.results import is_replayed
    from studies.store import open_store

    sizes = parsing.sizes(up_to) if up_to else ("params", ())
    with contextlib.closing(open_store(storage)) as store:
        rows = train_up_to(store, study, wanted, above, quiet or as_json, *sizes)
        replayed = is_replayed(store.study(study)["settings"])
    if isinstance(rows, Stopped):
        return 128 + rows.number
    if as_json:
        print_json(up_to_json(rows))
    else:
        print_up_to(rows, study, replayed)
    return 1 if any(row.trained.failure for row in rows) else 0


def _check_together(
    network: str | None,
    front: bool,
    divided: str | None,
    time_limit: str | None,
    up_to: str | None,
    within: Mapping[str, int],
) -> None:
    """ValueError where options don't go together."""
    if front == (network is not None):
        raise ValueError("network is missing; give a trial, a name, a file, or --front alone")
    if divided and not front:
        raise ValueError("--time is for --front; give --time-limit for one network")
    if divided and time_limit:
        raise ValueError(
            "--time and --time-limit are given; give --time for the best network up to each size, "
            "--time-limit for the whole front"
        )
    if up_to and not divided:
        raise ValueError("--up-to is given without --front --time, which it is for; give them too")
    if within and network != "best":
        option = f"--max-{next(iter(within)).replace('_', '-')}"
        raise ValueError(f"{option} is for the network 'best'; give `nas train best {option} ...`")


def _subjects(
    network: str | None, study: str, storage: str, within: Mapping[str, int]
) -> "list[Subject]":
    from nas.subjects import find_subject, trial_subject
    from studies.results import load_results
    from studies.store import open_store

    if network is not None:
        return [find_subject(network, study, storage, within)]
    store = open_store(storage)
    members = load_results(store, study).front()
    if not members:
        raise ValueError(f"study {study!r} has no completed trial yet; run it first")
    return [trial_subject(store, study, result.number) for result in members]
