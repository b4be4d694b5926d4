"""`nas shapes`: shapes stage by stage, and the smallest resolutions of a network."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    AtResolution,
    Channels,
    Json,
    Network,
    Storage,
    Study,
    print_json,
)
from nas.reporting.tables import new_table
from nas.subjects import Subject, View, find_subject, view
from search_space.diagram import Row, rows
from search_space.graph import Sequence
from search_space.shapes import last_map, smallest


def shapes(
    network: Network,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    resolution: AtResolution = None,
    channels: Channels = None,
    extent: Annotated[
        int, typer.Option(min=1, max=64, help="Height and width wanted of the last map.")
    ] = 3,
    as_json: Json = False,
) -> None:
    """Show shapes stage by stage, and the smallest resolutions that a network can work with."""
    subject = find_subject(network, study, storage)
    at = view([subject], resolution, channels)
    at.graph(subject)
    if as_json:
        print_json(shapes_json(subject, at, extent))
    else:
        print_shapes(subject, at, extent)


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


def print_shapes(subject: Subject, view: View, extent: int) -> None:
    """Print the output shapes as a table, and the two smallest resolutions."""
    data = shapes_json(subject, view, extent)
    shown = new_table(f"{subject.name} at {view.shape[1]}x{view.shape[2]}")
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
