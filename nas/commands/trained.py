"""What `nas train` shows: a model's card, or the front with test beside validation accuracy."""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.text import Text

from nas.commands import tables
from nas.full_training.record import CURVES
from studies.wording import counted

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Trained(NamedTuple):
    """A training that was asked for: its directory, its trial, its card or why it has none."""

    directory: Path
    trial: "FrozenTrial | None"
    card: dict[str, Any] | None
    failure: str | None


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
    table = tables.new_table(f"{counted(len(done), 'network')} of the front, trained to the end")
    for name in ("trial", "searched", "validation", "test", "params", "flops"):
        table.add_column(name, justify="right")
    table.add_column("directory", overflow="fold")
    for one in done:
        assert one.trial is not None
        assert one.card is not None
        validation, rungs = one.card["validation"], one.trial.user_attrs.get("rungs")
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
    table = tables.new_table(f"{card['name']} on test images, class by class")
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
