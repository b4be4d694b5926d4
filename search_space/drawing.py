"""The layer graph as a picture, by folding it: an SVG in the manner of the Inception papers' figures.

The flow goes from top to bottom. A box is a layer; batch norm and ReLU are strips along the edge
of the box that they follow or precede. Concatenated branches stand side by side above a bar.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from search_space.cost import Cost, graph_cost
from search_space.graph import (
    Add,
    Auxiliary,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    Linear,
    Node,
    Pool,
    ReLU,
    Scale,
    Sequence,
    Shape,
)
from search_space.svg import (
    KINDS,
    QUIET,
    RADIUS,
    SMALL,
    STRIP,
    Box,
    Dot,
    Frame,
    Line,
    Mark,
    Plus,
    Words,
    document,
    moved,
    text_width,
)

MARGIN = 16
GAP = 14
LANE = 9
PADDING = 10
BOX_HEIGHT = 28
BAR_HEIGHT = 20
TITLE_SIZE = 17
PART_SIZE = 13
COLUMNS = ("output", "params", "MACs")


class Cell(NamedTuple):
    """What is drawn as one thing, with the batch norms, ReLUs and scales that it takes in.

    ``path`` are the names of the sequences' children on the way to it.
    """

    path: tuple[str, ...]
    node: Layer | Concat | Add
    before: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()


class Drawn(NamedTuple):
    """Marks about an axis: the flow comes in at (0, 0) and leaves at (0, ``height``).

    ``left`` and ``right`` are the pixels that they need on either side of the axis. ``arrow`` is
    that of the line that comes in.
    """

    left: int
    right: int
    height: int
    marks: list[Mark]
    arrow: str = ""


def svg(graph: Sequence, shape: Shape, title: str) -> str:
    """An SVG document of ``graph`` on an image of ``shape``; the same text for the same graph.

    ShapeError, a ValueError, names the layer that can't run on so small an image.
    """
    total = graph_cost(graph, shape)
    ...


def cells(node: Node, path: tuple[str, ...] = ()) -> list[Cell]:
    """What to draw for ``node`` in sequence; sequences within sequences are laid flat.

    A batch norm or ReLU goes with what it follows in its own sequence, or else with what it
    precedes; so a BN-ReLU-conv unit is one cell, as a conv-BN-ReLU unit is.
    """
    if not isinstance(node, Sequence):
        return [Cell(path, node)]
    found: list[Cell] = []
    waiting: list[Cell] = []
    for name, child in node.children:
        inner = cells(child, (*path, name))
        if isinstance(child, BatchNorm | ReLU | Scale):
            if found and _takes(found[-1], child):
                found[-1] = found[-1]._replace(after=(*found[-1].after, child))
            else:
                waiting += inner
            continue
    return found
