"""A section of the report: words, figures with their text alternatives, and tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from studies.page import PageTable


@dataclass(frozen=True)
class Words:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of plain texts."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Drawn:
    """A figure, and in words what it shows; ``picks``: a click on a point shows its trial."""

    element: str
    figure: go.Figure
    words: str
    picks: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of a table that can be sorted: its text, what it is sorted by, the trial it shows."""

    text: str
    sort: float | str
    trial: int | None = None


@dataclass(frozen=True)
class SortTable:
    """A table that is sorted by a click on a heading."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Detail:
    """Where the trial that was chosen in a figure or a table is shown."""


Block = Words | Points | Drawn | PageTable | SortTable | Detail


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    element: str
    title: str
    blocks: Sequence[Block]
