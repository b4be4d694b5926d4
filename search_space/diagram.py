"""The layer graph as a text table: one row a stage, block or layer, with shape and exact cost."""

from typing import NamedTuple

from search_space.cost import graph_cost
from search_space.graph import Add, Concat, Layer, Node, Sequence, Shape


class Row(NamedTuple):
    """One row of the table: ``depth`` of nesting, name, kind, output shape and cost."""

    depth: int
    name: str
    kind: str
    output: Shape
    params: int
    macs: int


def rows(graph: Sequence, shape: Shape, depth: int = 2) -> list[Row]:
    """Rows of ``graph`` on an input of ``shape``, in order, down to ``depth`` levels of nesting."""
    return _rows(graph, shape, 0, depth)


def _rows(graph: Node, shape: Shape, level: int, depth: int) -> list[Row]:
    assert not isinstance(graph, Layer)
    out: list[Row] = []
    for name, child in graph.children:
        cost = graph_cost(child, shape)
        out.append(Row(level, name, kind(child), cost.output, cost.params, cost.macs))
        if not isinstance(child, Layer) and level + 1 < depth:
            out += _rows(child, shape, level + 1, depth)
        if isinstance(graph, Sequence):
            shape = cost.output
    return out


def kind(node: Node) -> str:
    """A layer's kind, or how a node joins its children."""
    match node:
        case Layer():
            return node.kind
        case Concat():
            return "concat"
        case Add():
            return "add"
        case Sequence(()):
            return "identity"
    return ""


def table(graph: Sequence, shape: Shape, depth: int = 2) -> str:
    """The rows as aligned text, with a header and the total."""
    total = graph_cost(graph, shape)
    lines = [("layer", "kind", "output", "params", "MACs")]
    for row in rows(graph, shape, depth):
        name = "  " * row.depth + row.name
        output = "x".join(map(str, row.output))
        lines.append((name, row.kind, output, f"{row.params:,}", f"{row.macs:,}"))
    output = "x".join(map(str, total.output))
    lines.append(("total", "", output, f"{total.params:,}", f"{total.macs:,}"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
