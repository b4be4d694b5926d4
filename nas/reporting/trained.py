"""The command `nas train`: networks trained to the end; what they are then, as tables or JSON."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from nas.full_training import record
from nas.full_training.record import CURVES
from nas.full_training.task import Task, Wanted, task_of
from nas.full_training.train import train_all
from nas.full_training.up_to import best_of_use, networks, weights
from nas.interrupt import Stopped, stop_on_signals
from nas.reporting.front import Sizes
from nas.reporting.tables import new_table
from nas.subjects import trial_subject
from studies.best import UNITS, Best
from studies.results import load_results
from studies.store import Store
from studies.text_plot import short
from studies.trials import Trial
from studies.wording import counted


def train_and_show(
    tasks: Sequence[Task], wanted: Wanted, several: bool, quiet: bool, as_json: bool
) -> int:
    """Train what isn't trained yet, test it, and show all; the exit code."""
    trained = bring(tasks, wanted, several, quiet or as_json)
    if isinstance(trained, Stopped):
        return 128 + trained.number
    _show(trained, several, as_json)
    return 1 if any(one.failure for one in trained) else 0


def bring(
    tasks: Sequence[Task], wanted: Wanted, several: bool, quiet: bool
) -> "list[Trained] | Stopped":
    """Train what isn't trained yet, and test it; that a signal stopped it is said to people."""
    try:
        with stop_on_signals() as check:
            failures = train_all(tasks, wanted, several, quiet, check)
    except Stopped as stopped:
        kept = any(record.read_job(task.directory) for task in tasks)
        what = "every finished epoch is kept; the same command continues"
        print(f"stopped: {what if kept else 'nothing was begun'}", file=sys.stderr)
        return stopped
    return [
        Trained(
            task.directory,
            task.subject.trial,
            record.read_card(task.directory),
            failures.get(task.directory),
        )
        for task in tasks
    ]


def train_up_to(
    store: Store, study: str, wanted: Wanted, sizes: Sizes, above: Path, quiet: bool
) -> "list[TrainedUpTo] | Stopped":
    """The best network of a study up to each size, trained to the end in directories in ``above``.

    A time that is asked for is divided over them (`nas.full_training.up_to`). ValueError where the
    study has none, or they can't be trained.
    """
    results = load_results(store, study)
    best = best_of_use(results, *sizes)
    members = networks(best)
    weight = weights(results, members)
    tasks = [
        replace(
            task_of(trial_subject(store, study, one.number), wanted, above / f"trial-{one.number}"),
            weight=weight[one.key],
        )
        for one in members
    ]
    trained = bring(tasks, wanted, True, quiet)
    if isinstance(trained, Stopped):
        return trained
    by_key = {member.key: one for member, one in zip(members, trained, strict=True)}
    return [
        TrainedUpTo(row, row.accuracy(results), by_key[row.result.key])
        for row in best
        if row.result is not None
    ]


class Trained(NamedTuple):
    """A training that was asked for: its directory, its trial, its card or why it has none."""

    directory: Path
    trial: Trial | None
    card: dict[str, Any] | None
    failure: str | None


class TrainedUpTo(NamedTuple):
    """A row of the table "best up to": what the search had measured (0..1), what came of it."""

    best: Best
    searched: float | None
    trained: Trained


def print_up_to(rows: Sequence[TrainedUpTo], study: str) -> None:
    """The table "best up to" again, with test accuracies beside what short runs had told."""
    of = UNITS[rows[0].best.cost]
    table = new_table(f"Best network of {study} up to each number of {of}, trained to the end")
    for name in ("up to", "trial", "short run", "95 %", "test", "95 %", "epochs", "parameters"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("FLOPs", justify="right", no_wrap=True)
    table.add_column("directory", overflow="fold")
    for best, searched, one in rows:
        known, trial, card = best.estimate, best.result, one.card
        assert trial is not None
        table.add_row(
            short(best.limit),
            str(trial.number),
            "" if searched is None else f"{searched:.2%}",
            f"{known.low:.1%} to {known.high:.1%}" if known else "",
            f"{card['test']['accuracy']:.2%}" if card else "failed",
            "{:.1%} to {:.1%}".format(*card["test"]["interval"]) if card else "",
            f"{card['job']['epochs']:,}" if card else "",
            short(trial.params),
            short(trial.flops),
            Text(str(one.directory)),
        )
    Console().print(table)
    for failed in {str(one.directory): one.failure for _, _, one in rows if one.failure}.items():
        print("failed: {}: {}".format(*failed), file=sys.stderr)
    print(
        "short run: validation accuracy as the search measured it, and what is known of it; "
        "test: on the test images, which were read once, after the training"
    )


def up_to_json(rows: Sequence[TrainedUpTo]) -> list[dict[str, Any]]:
    """The same as JSON data."""
    return [
        {
            "cost": best.cost,
            "up_to": best.limit,
            "trial": best.result.number if best.result else None,
            "searched": searched,
            **({"low": best.estimate.low, "high": best.estimate.high} if best.estimate else {}),
            "test": one.card["test"]["accuracy"] if one.card else None,
            "test_interval": one.card["test"]["interval"] if one.card else None,
            "epochs": one.card["job"]["epochs"] if one.card else None,
            "directory": str(one.directory),
            "failure": one.failure,
        }
        for best, searched, one in rows
    ]


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
    card = one.card
    assert card is not None
    test, validation = card["test"], card["validation"]
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
