"""`nas train`: a network, or every member of a front, trained to the end and tested."""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

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
)
from nas.defaults import DATASET
from nas.full_training.job import DEFAULT_EPOCHS
from nas.full_training.loggers import LOGGERS
from studies.wording import counted

if TYPE_CHECKING:
    from nas.subjects import Subject
    from studies.trials import Trial


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
    from nas.full_training import record
    from nas.full_training.task import Wanted, task_of
    from nas.full_training.train import train_all
    from nas.interrupt import Stopped, stop_on_signals

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
        seconds=parsing.duration(time_limit, "time limit") if time_limit else None,
    )
    subjects = _subjects(network, front, study, storage)
    above = out or Path(f"{study}-front") if front else None
    tasks = [task_of(one, wanted, _directory(one, study, out, above)) for one in subjects]
    try:
        with stop_on_signals() as check:
            failures = train_all(tasks, wanted, front, quiet or as_json, check)
    except Stopped as stopped:
        kept = any(record.read_job(task.directory) for task in tasks)
        what = "every finished epoch is kept; the same command continues"
        print(f"stopped: {what if kept else 'nothing was begun'}", file=sys.stderr)
        return 128 + stopped.number
    _show(
        [
            Trained(
                task.directory,
                task.subject.trial,
                record.read_card(task.directory),
                failures.get(task.directory),
            )
            for task in tasks
        ],
        front,
        as_json,
    )
    return 1 if failures else 0


def _subjects(network: str | None, front: bool, study: str, storage: str) -> "list[Subject]":
    from nas.subjects import find_subject, trial_subject
    from studies.results import load_results
    from studies.store import open_store

    if front == (network is not None):
        raise ValueError("network is missing; give a trial, a name, a file, or --front alone")
    if network is not None:
        return [find_subject(network, study, storage)]
    store = open_store(storage)
    members = load_results(store, study).front()
    if not members:
        raise ValueError(f"study {study!r} has no completed trial yet; run it first")
    return [trial_subject(store, study, result.number) for result in members]


def _directory(subject: "Subject", study: str, out: Path | None, above: Path | None) -> Path:
    """Where a network is trained: as asked, or called after it; of a front inside one ``above``."""
    name = Path(subject.name).stem.replace(" ", "-")
    if above is not None:
        return above / name
    return out or Path(f"{study}-{name}" if subject.trial else f"{name}-model")


class Trained(NamedTuple):
    """A training that was asked for: its directory, its trial, its card or why it has none."""

    directory: Path
    trial: "Trial | None"
    card: dict[str, Any] | None
    failure: str | None


def _show(networks: Sequence[Trained], front: bool, as_json: bool) -> None:
    """The cards: as JSON; of a front as a table; of one network with its classes."""
    if as_json:
        shown = [
            {"directory": str(one.directory), "failure": one.failure, "card": one.card}
            for one in networks
        ]
        print(json.dumps(shown if front else shown[0], indent=2))
        return
    for one in networks:
        if one.failure:
            print(f"failed: {one.directory}: {one.failure}", file=sys.stderr)
    done = [one for one in networks if one.card]
    if front and done:
        _print_front(done)
    elif done:
        _print_card(done[0])


def _print_front(done: Sequence[Trained]) -> None:
    from rich.console import Console
    from rich.text import Text

    from nas.reporting.tables import new_table

    table = new_table(f"{counted(len(done), 'network')} of the front, trained to the end")
    for name in ("trial", "searched", "validation", "test", "params", "flops"):
        table.add_column(name, justify="right")
    table.add_column("directory", overflow="fold")
    for one in done:
        assert one.trial is not None
        assert one.card is not None
        validation, rungs = one.card["validation"], one.trial.rungs
        table.add_row(
            str(one.trial.number),
            f"{rungs[-1]:.2%}" if rungs else "",
            f"{validation['accuracy']:.2%}" if validation else "",
            f"{one.card['test']['accuracy']:.2%}",
            f"{one.card['params']:,}",
            f"{one.card['flops']:,}",
            Text(str(one.directory)),
        )
    Console().print(table)
    print("searched: validation accuracy after the search's short run")


def _print_card(one: Trained) -> None:
    from nas.full_training.record import CURVES

    card = one.card
    assert card is not None
    test, validation = card["test"], card["validation"]
    from rich.console import Console
    from rich.text import Text

    from nas.reporting.tables import new_table

    table = new_table(f"{card['name']} on test images, class by class")
    table.add_column("class")
    for name in ("images", "accuracy", "95 % interval"):
        table.add_column(name, justify="right")
    for name, images, accuracy, (low, high) in (row.values() for row in test["per_class"]):
        right = "" if accuracy is None else f"{accuracy:.2%}"
        table.add_row(Text(name), f"{images:,}", right, f"{low:.2%} to {high:.2%}")
    Console().print(table)
    low, high = test["interval"]
    lines = [f"test accuracy: {test['accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%})"]
    if validation:
        lines.append(f"validation accuracy: {validation['accuracy']:.2%}")
    lines += [
        f"cost: {card['params']:,} parameters, {card['flops']:,} FLOPs",
        f"training: {card['seconds']:,.0f} s",
        f"model: {one.directory}",
        f"curves: {one.directory / CURVES}",
        f"next: nas export {shlex.quote(str(one.directory))} --format onnx --out model.onnx",
    ]
    print("\n".join(lines))
