"""One network as it is shown: its drawing, its source as a PyTorch module, its JSON, its layers."""

from pathlib import Path
from typing import Any

from nas.files import write_text
from nas.subjects import Subject, View
from search_space.catalog import CATALOG
from search_space.cost import graph_cost
from search_space.diagram import table
from search_space.drawing.page import svg
from search_space.source.module import source
from search_space.words import describe
from studies.wording import counted


def title(subject: Subject, view: View) -> str:
    """The network, and the images and classes that it is looked at for, in a line."""
    shape = "x".join(map(str, view.shape))
    return f"{subject.name} for {shape} images and {counted(view.classes, 'class', 'classes')}"


def drawing(subject: Subject, view: View) -> str:
    """The network as an SVG document."""
    return svg(view.graph(subject), view.shape, title(subject, view))


def write_svg(subject: Subject, view: View, path: Path) -> None:
    """Draw the network into a file; ValueError where that can't be written."""
    write_text(path, drawing(subject, view), "drawing")


def source_of(subject: Subject, view: View) -> str:
    """The network as a plain PyTorch module's source."""
    return source(view.graph(subject), view.shape, title(subject, view))


def words(subject: Subject, view: View, depth: int) -> list[str]:
    """What the network is, and its layers to so many levels, in lines."""
    lines = [title(subject, view)]
    if subject.catalog:
        lines.append(f"  {CATALOG[subject.catalog].words}")
    if subject.candidate:
        lines.append(f"  key: {subject.candidate.key}")
        lines.append(f"  architecture: {describe(subject.candidate)}")
    return [*lines, "", *table(view.graph(subject), view.shape, depth).splitlines()]


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
