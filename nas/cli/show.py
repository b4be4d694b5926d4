"""`nas show`: one network, layer by layer."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    AtResolution,
    Channels,
    Classes,
    Json,
    Network,
    Storage,
    Study,
    print_json,
)
from nas.files import SVG, check_file
from nas.objectives import OBJECTIVES
from nas.reporting.network import network_json, source_of, words, write_svg
from nas.reporting.tables import new_table
from nas.subjects import Subject, View, find_subject, view
from search_space.diagram import table
from studies.evaluation import REPLAYED
from studies.wording import REPLAY_WORDS

if TYPE_CHECKING:
    from studies.evaluation import Evaluation
    from studies.store import Store


def show(
    network: Network,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    resolution: AtResolution = None,
    channels: Channels = None,
    classes: Classes = None,
    depth: Annotated[int, typer.Option(min=1, help="Levels of layers to show.")] = 2,
    svg: Annotated[Path | None, typer.Option(help="Draw the network into this file.")] = None,
    code: Annotated[bool, typer.Option("--code", help="Print it as a PyTorch module.")] = False,
    as_json: Json = False,
) -> None:
    """Show one network, layer by layer: a trial, one of the catalog, or one of a file."""
    from studies.store import open_store

    if code and as_json:
        raise ValueError("--code and --json exclude each other; give one of them")
    if svg is not None:
        check_file("--svg", svg, SVG)
    subject = find_subject(network, study, storage)
    at = view([subject], resolution, channels, classes)
    at.graph(subject)
    if svg is not None:
        write_svg(subject, at, svg)
    if code:
        print(source_of(subject, at), end="")
    elif as_json and subject.trial is not None:
        print_json(trial_json(open_store(storage), study, subject))
    elif as_json:
        print_json(network_json(subject, at))
    elif subject.trial is not None:
        print_trial(open_store(storage), study, subject, at, depth)
    else:
        Console(soft_wrap=True).print(Text("\n".join(words(subject, at, depth))))
    if svg is not None:
        print(f"drawing: {svg}", file=sys.stderr)


def trial_json(store: "Store", study: str, subject: Subject) -> dict[str, Any]:
    """A trial as JSON data: its state, values, attributes, candidate, learning curve."""
    assert subject.trial is not None
    assert subject.candidate is not None
    found, evaluation = subject.trial, _evaluation(store, subject)
    names = [axis.name for axis in store.axes(study)]
    return {
        "trial": found.number,
        "state": found.state,
        "values": dict(zip(names, found.values, strict=False)),
        **found.kept.to_attributes(),
        "candidate": subject.candidate.to_json(),
        "curve": evaluation[1].curve if evaluation else None,
    }


def _evaluation(store: "Store", subject: Subject) -> "tuple[int, Evaluation] | None":
    """The budget of the highest rung that the trial has been at, and what is stored of it."""
    assert subject.trial is not None
    assert subject.candidate is not None
    assert subject.settings is not None
    settings = subject.settings
    rung = len(subject.trial.rungs or settings.budgets) - 1
    request = settings.request(subject.candidate, rung=rung, repeat=subject.trial.kept.repeat)
    evaluation = store.evaluation(request.identity())
    return None if evaluation is None else (request.budget, evaluation)


def print_trial(store: "Store", study: str, subject: Subject, view: View, depth: int) -> None:
    """A trial for people: state, values, rungs, candidate, layers, learning curve."""
    assert subject.trial is not None
    assert subject.settings is not None
    console = Console(soft_wrap=True)
    trial, kept = subject.trial, subject.trial.kept
    if subject.settings.data.startswith(REPLAYED):
        console.print(REPLAY_WORDS)
    console.print(f"trial {trial.number}: {trial.state}", highlight=False)
    axes = store.axes(study)
    for axis, value in zip(axes, trial.values, strict=False):
        console.print(f"  {axis.name}: {axis.shown(value)}", highlight=False)
    for name, cost in kept.costs.items():
        if name not in {axis.name for axis in axes}:
            console.print(f"  {name}: {OBJECTIVES[name].axis.shown(cost)}", highlight=False)
    if kept.repeat:
        console.print(
            f"  repeat {kept.repeat} of its candidate, with another seed", highlight=False
        )
    for budget, accuracy in zip(subject.settings.budgets, kept.rungs, strict=False):
        console.print(f"  accuracy at {budget:,} images: {accuracy:.2%}", highlight=False)
    if kept.stopped is not None:
        console.print(f"  stopped {kept.stopped}", highlight=False)
    for name in trial.over:
        console.print(f"  over the limit of {name} by {trial.limits[name]:.1%}", highlight=False)
    if kept.failure is not None:
        console.print(Text(f"  reason: {kept.failure}"))
    console.print(Text(f"  key: {kept.key}\n  architecture: {kept.architecture}\n"))
    console.print(Text(table(view.graph(subject), view.shape, depth)))
    for shown in _training(_evaluation(store, subject), subject.settings.data.startswith(REPLAYED)):
        console.print(shown, highlight=False)


def _training(found: "tuple[int, Evaluation] | None", replayed: bool) -> Iterator[str | Table]:
    """What is known of a trial's last training: how long it took, and its learning curve."""
    if found is None:
        yield "\nno learning curve: it was not trained"
        return
    budget, evaluation = found
    if replayed:
        yield f"\nreplayed, {budget:,} images in {evaluation.seconds:.1f} simulated s"
        yield "no learning curve: nothing was trained"
        return
    yield (
        f"\nevaluated with {budget:,} images in {evaluation.seconds:.1f} s "
        f"on {evaluation.host}, {evaluation.images_per_second:,.0f} images/s"
    )
    if not evaluation.curve:
        yield "no learning curve: it diverged at once"
        return
    curve = new_table("Learning curve (training)")
    for name in ("images", "loss", "accuracy"):
        curve.add_column(name, justify="right")
    for images, loss, accuracy in evaluation.curve:
        curve.add_row(f"{images:,}", f"{loss:.4f}", f"{accuracy:.2%}")
    yield curve
