"""The commands `nas show` and `nas shapes`: one network, layer by layer or stage by stage."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from nas.commands import tables
from nas.commands.subjects import Subject, View
from search_space.catalog import CATALOG
from search_space.cost import graph_cost
from search_space.diagram import Row, rows, table
from search_space.graph import Sequence
from search_space.shapes import last_map, smallest
from search_space.words import describe
from studies.store import Store
from studies.wording import counted


def write_svg(subject: Subject, view: View, path: Path) -> None:
    """Draw the network into a file; ValueError where that can't be written."""
    from search_space.drawing.page import svg

    tables.write_text(path, svg(view.graph(subject), view.shape, _title(subject, view)), "drawing")


def code(subject: Subject, view: View) -> str:
    """The network as a plain PyTorch module's source."""
    from search_space.source.module import source

    return source(view.graph(subject), view.shape, _title(subject, view))


def _title(subject: Subject, view: View) -> str:
    shape = "x".join(map(str, view.shape))
    return f"{subject.name} for {shape} images and {counted(view.classes, 'class', 'classes')}"


def network_json(subject: Subject, view: View) -> dict[str, Any]:
    """The network as JSON data; its candidate's, where it has one, is what files are made of."""
    graph = view.graph(subject)
    total = graph_cost(graph, view.shape)
    candidate = subject.candidate
    return {
        "name": subject.name,
        "channels": view.shape[0],
        "resolution": view.shape[1],
        "classes": view.classes,
        "params": total.params,
        "macs": total.macs,
        "flops": total.flops,
        "activation_bytes": total.activation_bytes,
        "architecture": describe(candidate) if candidate else None,
        "candidate": candidate.to_json() if candidate else None,
    }


def trial_json(store: Store, study: str, subject: Subject) -> dict[str, Any]:
    """A trial as JSON data: its state, values, attributes, candidate, learning curve."""
    assert subject.trial is not None
    assert subject.candidate is not None
    found, evaluation = subject.trial, _evaluation(store, subject)
    names = [axis.name for axis in store.axes(study)]
    return {
        "trial": found.number,
        "state": found.state.name.lower(),
        "values": dict(zip(names, found.values or (), strict=False)),
        **found.user_attrs,
        "candidate": subject.candidate.to_json(),
        "curve": evaluation["curve"] if evaluation else None,
    }


def _evaluation(store: Store, subject: Subject) -> dict[str, Any] | None:
    """What is stored of the highest rung that the trial has been at."""
    assert subject.trial is not None
    assert subject.candidate is not None
    assert subject.settings is not None
    settings = subject.settings
    rung = len(subject.trial.user_attrs.get("rungs", settings.budgets)) - 1
    return store.evaluation(settings.request(subject.candidate, rung=rung).identity())


def print_trial(store: Store, study: str, subject: Subject, view: View, depth: int) -> None:
    """A trial for people: state, values, layers, learning curve."""
    assert subject.trial is not None
    assert subject.settings is not None
    layers = table(view.graph(subject), view.shape, depth)
    budgets, evaluation = subject.settings.budgets, _evaluation(store, subject)
    tables.print_trial(subject.trial, store.axes(study), budgets, evaluation, layers)


def print_network(subject: Subject, view: View, depth: int) -> None:
    """A network for people: what it is, in words, and its layers."""
    console = Console(soft_wrap=True)
    console.print(Text(_title(subject, view)))
    if subject.name in CATALOG:
        console.print(Text(f"  {CATALOG[subject.name].words}"))
    if subject.candidate:
        key = subject.candidate.key
        console.print(Text(f"  key: {key}\n  architecture: {describe(subject.candidate)}"))
    console.print(Text("\n" + table(view.graph(subject), view.shape, depth)))


def stages(graph: Sequence, view: View) -> list[Row]:
    """The network stage by stage: its parts, those of the stem and of the head one by one."""
    whole = rows(graph, view.shape, 2)
    out: list[Row] = []
    part = ""
    for row in whole:
        part = row.name if row.depth == 0 else part
        if row.depth == 0 or part in ("stem", "head"):
            out.append(row)
    return out


def shapes_json(subject: Subject, view: View, extent: int) -> dict[str, Any]:
    """The output shape stage by stage, and the two smallest resolutions, as JSON data."""
    graph, channels = view.graph(subject), view.shape[0]
    return {
        "name": subject.name,
        "channels": channels,
        "resolution": view.shape[1],
        "stages": [{"name": row.name, "output": list(row.output)} for row in stages(graph, view)],
        "last_map": list(last_map(graph, view.shape)),
        "smallest": smallest(view.at(subject), channels),
        "extent": extent,
        "smallest_with_extent": smallest(view.at(subject), channels, extent),
    }


def print_shapes(subject: Subject, view: View, extent: int) -> None:
    """The same for people."""
    data = shapes_json(subject, view, extent)
    shown = tables.new_table(f"{subject.name} at {view.shape[1]}x{view.shape[2]}")
    shown.add_column("stage")
    shown.add_column("output", justify="right")
    shown.add_row("image", "x".join(map(str, view.shape)))
    for row in stages(view.graph(subject), view):
        shown.add_row(Text("  " * row.depth + row.name), "x".join(map(str, row.output)))
    console = Console()
    console.print(shown)
    last = "x".join(map(str, data["last_map"][1:]))
    least = data["smallest_with_extent"] or "none up to 1,024"
    console.print(f"last map before the head: {last}", highlight=False)
    console.print(f"smallest resolution that runs: {data['smallest']}", highlight=False)
    console.print(
        f"smallest that leaves the last map at least {extent}x{extent}: {least}", highlight=False
    )
