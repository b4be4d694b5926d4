"""What `nas train` shows: networks that were trained to the end, as tables or JSON."""

import json
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from nas.full_training.record import CURVES
from nas.full_training.train import Trained
from nas.full_training.up_to import TrainedUpTo
from nas.reporting.tables import new_table
from studies.best import UNITS
from studies.text_plot import short
from studies.wording import REPLAY_WORDS, counted


def print_up_to(rows: Sequence[TrainedUpTo], study: str, replayed: bool = False) -> None:
    """The table "best up to" again, with test accuracies beside what short runs had told."""
    of = UNITS[rows[0].best.cost]
    if replayed:
        print(REPLAY_WORDS)
    table = new_table(f"Best network of {study} up to each number of {of}, trained to the end")
    for name in ("up to", "trial", "short run", "95 %", "test", "95 %", "parameters"):
        table.add_column(name, justify="right", no_wrap=True)
    for best, searched, one in rows:
        known, trial, card = best.estimate, best.result, one.card
        assert trial is not None
        table.add_row(
            short(best.limit),
            str(trial.number),
            "" if searched is None else f"{searched:.2%}",
            _interval(known.low, known.high) if known else "",
            f"{card['test']['accuracy']:.2%}" if card else "failed",
            _interval(*card["test"]["interval"]) if card else "",
            short(trial.params),
        )
    Console().print(table)
    for best, _, one in rows:
        epochs = f", {counted(one.card['job']['epochs'], 'epoch')}" if one.card else ""
        print(f"{short(best.limit):>5}: {one.directory}{epochs}")
    for failed in {str(one.directory): one.failure for _, _, one in rows if one.failure}.items():
        print("failed: {}: {}".format(*failed), file=sys.stderr)
    print(
        "short run: validation accuracy as the search measured it, and what is known of it; "
        "test: on the test images, which were read once, after the training"
    )


def _interval(low: float, high: float) -> str:
    """The ends of an interval in percent, short enough for a terminal."""
    return f"{100 * low:.1f} to {100 * high:.1f}"


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


def show(networks: Sequence[Trained], front: bool, as_json: bool) -> None:
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
    if (integers := card.get("test_accuracy_int8")) is not None:
        lines.append(f"test accuracy in 8-bit integers: {integers:.2%}")
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
