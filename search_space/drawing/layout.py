"""Where a drawing's boxes and lines stand, by folding the layer graph: sizes first, then places.

The flow goes from top to bottom. A box is a layer; batch norm and ReLU are strips along the edge
of the box that they follow or precede. Branches stand side by side, above the bar that
concatenates them or beside the plus that adds them. An auxiliary head stands aside, in a frame.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeGuard

from search_space.cost import graph_cost
from search_space.drawing.svg import (
    RADIUS,
    SIZE,
    SMALL,
    STRIP,
    Box,
    Dot,
    Frame,
    Line,
    Mark,
    Plus,
    Words,
    moved,
    text_width,
)
from search_space.graph import (
    Add,
    Auxiliary,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
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

GAP = 14
AROUND = 8
"""From a path to the one that goes around it: nearer than branches are to each other."""

APART = 18
LANE = 9
BOX_HEIGHT = 28
BAR_HEIGHT = 20


class Cell(NamedTuple):
    """What is drawn as one thing, with the batch norms, ReLUs and scales that it takes in.

    ``path`` are the names of the sequences' children on the way to it.
    """

    path: tuple[str, ...]
    node: Layer | Concat | Add
    before: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()

    @property
    def params(self) -> int:
        """Parameters of what the cell takes in, beside those of its node."""
        return sum(layer.params for layer in (*self.before, *self.after))


class Widths(NamedTuple):
    """Pixels that every box on the trunk, and every box on a branch, is wide."""

    trunk: int
    branch: int


class Drawn(NamedTuple):
    """Marks about an axis: the flow comes in at (0, 0) and leaves at (0, ``height``).

    ``left`` and ``right`` are the pixels that they need on either side of the axis. ``arrow`` is
    the arrowhead of the line that comes in.
    """

    left: int
    right: int
    height: int
    marks: list[Mark]
    arrow: str = ""


def cells(node: Node, path: tuple[str, ...] = ()) -> list[Cell]:
    """What to draw for ``node``, one below the other; sequences within sequences are laid flat.

    A batch norm or ReLU goes with what it follows in its own sequence, or else with what it
    precedes: so a BN-ReLU-conv unit is one cell, as a conv-BN-ReLU unit is.
    """
    if not isinstance(node, Sequence):
        return [Cell(path, node)]
    found: list[Cell] = []
    waiting: list[Cell] = []
    for name, child in node.children:
        inner = cells(child, (*path, name))
        if found and not waiting and _is_taken(child, found[-1]):
            found[-1] = found[-1]._replace(after=(*found[-1].after, child))
        elif isinstance(child, BatchNorm | ReLU):
            waiting += inner
        elif inner:
            if _is_box(inner[0]):
                early = (cell.node for cell in waiting)
                layers = tuple(layer for layer in early if isinstance(layer, Layer))
                inner[0] = inner[0]._replace(before=(*layers, *inner[0].before))
            else:
                found += waiting
            found += inner
            waiting = []
    return found + waiting


def _is_taken(node: Node, cell: Cell) -> TypeGuard[BatchNorm | ReLU | Scale]:
    """Whether ``node``, after ``cell``, is shown on it: a scale is words, so not on a plus."""
    if isinstance(node, Scale):
        return _is_box(cell) or isinstance(cell.node, Concat)
    return isinstance(node, BatchNorm | ReLU) and not isinstance(cell.node, Auxiliary)


def _is_box(cell: Cell) -> bool:
    return isinstance(cell.node, Layer) and not isinstance(cell.node, Auxiliary)


def box_widths(graph: Node) -> Widths:
    """The widths that hold every text of ``graph``; boxes of one kind of place are equally wide."""
    trunk, branch = 0, 0
    for inside, cell in _boxes(cells(graph), False):
        needed = text_width(" ".join(filter(None, _texts(cell)))) + GAP
        trunk, branch = max(trunk, needed), max(branch, needed if inside else 0)
    return Widths(trunk, branch)


def _boxes(among: list[Cell], inside: bool) -> Iterator[tuple[bool, Cell]]:
    """Every cell that is a box, and whether it is inside a branch of a concatenation."""
    for cell in among:
        if isinstance(cell.node, Auxiliary):
            yield from _boxes(cells(cell.node.head), inside)
        elif isinstance(cell.node, Concat | Add):
            deeper = inside or isinstance(cell.node, Concat)
            for _, child in cell.node.children:
                yield from _boxes(cells(child), deeper)
        else:
            yield inside, cell


def _kind(node: Layer | Concat | Add) -> str:
    match node:
        case Conv(kernel=(height, width)):
            if height != width:
                return "asymmetric"
            return {1: "1x1", 3: "3x3"}.get(height, "large")
        case Pool():
            return "pool"
        case GlobalPool():
            return "global"
        case Linear():
            return "linear"
        case Dropout():
            return "dropout"
    return "other"


def _texts(cell: Cell) -> tuple[str, str]:
    """The two texts of a box: what it is, and its width, stride and scale."""
    node = cell.node
    label, numbers = node.kind if isinstance(node, Layer) else "", []
    match node:
        case Conv(kernel=(height, width)):
            label, numbers = f"{height}x{width} conv", [str(node.outputs)]
        case Pool():
            label = f"{node.kernel}x{node.kernel} {node.mode}-pool"
        case Linear():
            numbers = [str(node.outputs)]
        case Dropout():
            numbers = [f"{node.p:g}"]
        case Scale():
            numbers = [f"{node.factor:g}"]
    if isinstance(node, Conv | Pool) and node.stride > 1:
        numbers.append(f"/{node.stride}")
    return label, " ".join([*numbers, *_scales(cell)])


def _scales(cell: Cell) -> list[str]:
    return [f"\u00d7 {layer.factor:g}" for layer in cell.after if isinstance(layer, Scale)]


def _strips(layers: tuple[Layer, ...]) -> tuple[str, ...]:
    return tuple(layer.kind for layer in layers if not isinstance(layer, Scale))


def stack(below: list[Cell], shape: Shape, widths: Widths) -> tuple[Drawn, list[tuple[int, int]]]:
    """The cells one below the other, and the top and bottom of each.

    An auxiliary head stands to the right of all that follows, so that it takes no height.
    """
    drawn: list[Drawn] = []
    for cell in below:
        drawn.append(_drawn(cell, shape, widths))
        shape = graph_cost(cell.node, shape).output
    aside = [isinstance(cell.node, Auxiliary) for cell in below]
    trunk = [one for one, head in zip(drawn, aside, strict=True) if not head]
    left = max((one.left for one in trunk), default=LANE)
    right = max((one.right for one in trunk), default=LANE)
    marks: list[Mark] = []
    spans: list[tuple[int, int]] = []
    y = clear = 0
    edge = right
    for one, head in zip(drawn, aside, strict=True):
        if spans:
            gap = max(GAP, clear - y) if head else GAP
            marks.append(Line(0, y, f"v{gap}", "" if head else one.arrow))
            y += gap
        if head:
            x = right + GAP + one.left
            marks += [Dot(0, y), Line(0, y, f"h{x}v{GAP}", one.arrow)]
            marks += moved(one.marks, x, y + GAP)
            clear = y + one.height + 2 * GAP
            edge = max(edge, x + one.right)
            spans.append((y, y))
        else:
            marks += moved(one.marks, 0, y)
            spans.append((y, y + one.height))
            y += one.height
    if clear > y + GAP:
        marks.append(Line(0, y, f"v{clear - GAP - y}"))
        y = clear - GAP
    return Drawn(left, edge, y, marks, drawn[0].arrow if drawn and not aside[0] else ""), spans


def _drawn(cell: Cell, shape: Shape, widths: Widths) -> Drawn:
    match cell.node:
        case Auxiliary():
            return _head(cell, cell.node, shape, widths)
        case Concat():
            return _concat(cell, cell.node, shape, widths)
        case Add():
            return _add(cell, cell.node, shape, widths)
    label, number = _texts(cell)
    half = widths.trunk // 2
    before, after = _strips(cell.before), _strips(cell.after)
    height = max(BOX_HEIGHT, SIZE + STRIP * len(before + after) + 4)
    box = Box(-half, 0, 2 * half, height, _kind(cell.node), label, number, before, after)
    return Drawn(half, half, height, [box], "v")


def _branches(node: Concat | Add, shape: Shape, widths: Widths) -> list[Drawn]:
    return [stack(cells(child), shape, widths)[0] for _, child in node.children]


def _concat(cell: Cell, node: Concat, shape: Shape, widths: Widths) -> Drawn:
    """Branches end on one level, as in the papers; those that have less to do begin later."""
    branches = _branches(node, shape, Widths(widths.branch, widths.branch))
    space = APART * (len(branches) - 1)
    whole = sum(branch.left + branch.right for branch in branches) + space
    label = "concat"
    number = " ".join([str(graph_cost(node, shape).output[0]), *_scales(cell)])
    strips = _strips(cell.after)
    needed = text_width(f"{label} {number}") + GAP
    half = -(-max(whole, needed) // 2)
    deepest = max(branch.height for branch in branches)
    bar = GAP + deepest + GAP
    height = BAR_HEIGHT + STRIP * len(strips)
    marks: list[Mark] = [Box(-half, bar, 2 * half, height, "concat", label, number, (), strips)]
    x = -(whole // 2)
    reach = {0}
    for branch in branches:
        x += branch.left
        reach.add(x)
        top = bar - GAP - branch.height
        marks.append(Line(x, 0, f"v{top}", branch.arrow))
        marks += moved(branch.marks, x, top)
        marks.append(Line(x, bar - GAP, f"v{GAP}", "v"))
        x += branch.right + APART
    marks.append(Line(min(reach), 0, f"h{max(reach) - min(reach)}"))
    return Drawn(half, half, bar + height, marks)


def _add(cell: Cell, node: Add, shape: Shape, widths: Widths) -> Drawn:
    """The first path stays on the axis; the others go around it on the right, into the plus."""
    path, *others = branches = _branches(node, shape, widths)
    deepest = max(branch.height for branch in branches)
    plus = GAP + deepest + GAP + RADIUS
    strips = _strips(cell.after)
    marks: list[Mark] = [
        Dot(0, 0),
        Line(0, 0, f"v{GAP}", path.arrow),
        *moved(path.marks, 0, GAP),
        Line(0, GAP + path.height, f"v{plus - RADIUS - GAP - path.height}", "v"),
        Plus(0, plus, strips),
    ]
    right = path.right
    for other in others:
        x = right + AROUND + other.left
        end = GAP + other.height
        marks += [
            Line(0, 0, f"h{x}v{GAP}", other.arrow),
            *moved(other.marks, x, GAP),
            Line(x, end, f"v{plus - end}h{RADIUS - x}", "h"),
        ]
        right = x + other.right
    left = max(path.left, RADIUS + STRIP)
    return Drawn(left, right, plus + RADIUS + STRIP * len(strips), marks)


def _head(cell: Cell, node: Auxiliary, shape: Shape, widths: Widths) -> Drawn:
    """A column in a dashed frame, with words below it that say what it is."""
    column, _ = stack(cells(node.head), shape, widths)
    name = cell.path[-1] if cell.path else node.kind
    words = [name, "training only", f"loss \u00d7 {node.weight:g}"]
    half = max(column.left, column.right, *(text_width(line, SMALL) // 2 for line in words)) + LANE
    marks: list[Mark] = []
    y = column.height + LANE
    for line in words:
        marks.append(Words(0, y + SMALL // 2, line, SMALL, "middle", bold=line == name))
        y += SMALL + 4
    y += STRIP
    frame = Frame(-half, -LANE, 2 * half, y + LANE, "aside")
    return Drawn(half, half, y, [frame, *column.marks, *marks], column.arrow)
