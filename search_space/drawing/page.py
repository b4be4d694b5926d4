"""The layer graph as a picture: an SVG in the manner of the figures in the Inception papers.

Every top-level part of the graph has its name at the left; every block has its name, and at the
right its output shape, parameters and MACs.
"""

from itertools import accumulate, chain, groupby
from typing import NamedTuple

from search_space.cost import graph_cost
from search_space.drawing.layout import (
    BOX_HEIGHT,
    GAP,
    Cell,
    Drawn,
    Widths,
    box_widths,
    cells,
    stack,
)
from search_space.drawing.svg import (
    KINDS,
    QUIET,
    SIZE,
    SMALL,
    STRIPS,
    Box,
    Frame,
    Line,
    Mark,
    Plus,
    Words,
    document,
    moved,
    text_width,
)
from search_space.graph import Auxiliary, Layer, Sequence, Shape

MARGIN = 16
PADDING = 10
TITLE_SIZE = 17
PART_SIZE = 13
KEY_WIDTH = 26
KEY_HEIGHT = 16
KEY_ROW = 22
LEAST_WIDTH = 640
HEADERS = ("output", "params", "MACs")
UNITS = ("", " k", " M", " G", " T", " P")


class Row(NamedTuple):
    """A block, or a box of its own: its name, what it costs, and its top and bottom in the band."""

    part: str
    name: str
    figures: tuple[str, str, str]
    top: int
    bottom: int


class Band(NamedTuple):
    """Parts that are framed together, drawn about the axis; a part of several rows has a total."""

    rows: list[Row]
    drawn: Drawn
    total: tuple[str, ...]


class Page(NamedTuple):
    """The picture's width, and the x of the axis, of blocks' names and of the figures' ends."""

    width: int
    axis: int
    names: int
    figures: list[int]


def svg(graph: Sequence, shape: Shape, title: str) -> str:
    """An SVG document of ``graph`` on an image of ``shape``: equal graphs, equal text.

    ``shape`` is (channels, height, width). A title that is wider than the picture is shortened,
    and whole in the document's ``<title>``. ShapeError, a ValueError, names the layer that can't
    run on so small an image.
    """
    total = graph_cost(graph, shape)
    counts = f"{short(total.params)} parameters, {short(total.macs)} MACs"
    logits = str(total.output[0]) if total.output[1:] == (1, 1) else _size(total.output)
    ends = f"image {_size(shape)}", f"logits {logits}"
    half = max(map(text_width, ends)) // 2 + GAP
    bands = _bands(graph, shape)
    page = _page(bands, half)
    room = page.width - 2 * MARGIN

    y = MARGIN + TITLE_SIZE // 2
    marks: list[Mark] = [Words(MARGIN, y, _fitting(title, room), TITLE_SIZE, bold=True)]
    y += TITLE_SIZE + 4
    marks.append(Words(MARGIN, y, counts, colour=QUIET))
    y += SIZE + GAP
    keys, height = _legend([mark for band in bands for mark in band.drawn.marks], room)
    marks += moved(keys, MARGIN, y)
    y += height + GAP
    for x, header in zip(page.figures, HEADERS, strict=True):
        marks.append(Words(x, y + BOX_HEIGHT // 2, header, SMALL, "end", QUIET))
    end = Box(page.axis - half, y, 2 * half, BOX_HEIGHT, "end", ends[0])
    marks.append(end)
    y += BOX_HEIGHT
    for band in bands:
        marks.append(Line(page.axis, y, f"v{GAP + PADDING}", band.drawn.arrow))
        marks.append(Frame(MARGIN, y + GAP, room, band.drawn.height + 2 * PADDING))
        y += GAP + PADDING
        marks += moved(band.drawn.marks, page.axis, y) + moved(_words(band, page), 0, y)
        y += band.drawn.height
        marks.append(Line(page.axis, y, f"v{PADDING}"))
        y += PADDING
    marks += [Line(page.axis, y, f"v{GAP}", "v"), end._replace(y=y + GAP, label=ends[1])]
    y += GAP + BOX_HEIGHT + MARGIN
    return document(page.width, y, title, _in_words(bands, ends, counts), marks)


def _in_words(bands: list[Band], ends: tuple[str, str], counts: str) -> str:
    rows = (row for band in bands for row in band.rows)
    steps = [" ".join(filter(None, (row.part, row.name, row.figures[0]))) for row in rows]
    return f"Layers from top to bottom: {'; '.join([ends[0], *steps, ends[1]])}. {counts}."


def _page(bands: list[Band], half: int) -> Page:
    """Columns as wide as their texts; ``half`` is half the width of the image's box."""
    rows = [row for band in bands for row in band.rows]
    parts = [text_width(row.part, PART_SIZE) for row in rows]
    totals = [text_width(line, SMALL) for band in bands for line in band.total]
    names = MARGIN + PADDING + max([*parts, *totals], default=0) + GAP
    left = names + max((text_width(row.name) for row in rows), default=0) + GAP
    axis = left + max([half, *(band.drawn.left for band in bands)])
    right = axis + max([half, *(band.drawn.right for band in bands)]) + GAP
    columns = zip(HEADERS, *(row.figures for row in rows), strict=True)
    ends = [right + x for x in accumulate(max(map(text_width, c)) + GAP for c in columns)]
    needed = ends[-1] + PADDING + MARGIN
    spare = max(0, LEAST_WIDTH - needed)
    return Page(needed + spare, axis + spare // 2, names, [x + spare for x in ends])


def short(count: int) -> str:
    """``count`` in three digits and a unit: 164 k, 1.50 G; below 1000 as it is."""
    if count < 1000:
        return str(count)
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}{UNITS[unit]}"


def _size(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _fitting(text: str, room: int) -> str:
    """``text``, shortened to ``room`` pixels at the title's size."""
    if text_width(text, TITLE_SIZE) <= room:
        return text
    while text and text_width(text + "\u2026", TITLE_SIZE) > room:
        text = text[:-1]
    return text + "\u2026"


def _bands(graph: Sequence, shape: Shape) -> list[Band]:
    """One band a part; parts of one layer that follow each other share one."""
    widths = box_widths(graph)
    parts = [list(part) for _, part in groupby(cells(graph), lambda cell: cell.path[0])]
    bands = []
    for _, near in groupby(enumerate(parts), lambda part: -1 if _is_layer(part[1]) else part[0]):
        members = [part for _, part in near]
        bands.append(_band(members, shape, widths))
        for cell in chain(*members):
            shape = graph_cost(cell.node, shape).output
    return bands


def _is_layer(part: list[Cell]) -> bool:
    return len(part) == 1 and isinstance(part[0].node, Layer) and not _is_head(part[0])


def _is_head(cell: Cell) -> bool:
    return isinstance(cell.node, Auxiliary)


def _band(parts: list[list[Cell]], shape: Shape, widths: Widths) -> Band:
    drawn, spans = stack([cell for part in parts for cell in part], shape, widths)
    rows: list[Row] = []
    params = macs = 0
    places = iter(spans)
    for part in parts:
        made = []
        for path, group in groupby(part, lambda cell: cell.path[:2]):
            block = list(group)
            cost = graph_cost(Sequence(tuple(("", cell.node) for cell in block)), shape)
            shape = cost.output
            block_params = cost.params + sum(cell.params for cell in block)
            params, macs = params + block_params, macs + cost.macs
            inside = [next(places) for _ in block]
            figures = _size(shape), short(block_params), short(cost.macs)
            if not all(map(_is_head, block)):
                name = path[-1] if len(path) > 1 else ""
                made.append(Row(path[0], name, figures, inside[0][0], inside[-1][1]))
        rows += [row._replace(name="") for row in made] if _is_layer(part) else made
    several = len(parts) == 1 and len(rows) > 1
    total = (f"{short(params)} params", f"{short(macs)} MACs") if several else ()
    return Band(rows, drawn, total)


def _words(band: Band, page: Page) -> list[Mark]:
    """Names and figures of the band, whose top is y = 0."""
    marks: list[Mark] = []
    y = SIZE // 2
    if band.total:
        marks.append(Words(MARGIN + PADDING, y, band.rows[0].part, PART_SIZE, bold=True))
        for line in band.total:
            y += SMALL + 5
            marks.append(Words(MARGIN + PADDING, y, line, SMALL, colour=QUIET))
    for row in band.rows:
        y = (row.top + row.bottom) // 2
        if not band.total:
            marks.append(Words(MARGIN + PADDING, y, row.part, PART_SIZE, bold=True))
        if row.name:
            marks.append(Words(page.names, y, row.name))
        for x, figure in zip(page.figures, row.figures, strict=True):
            marks.append(Words(x, y, figure, anchor="end"))
    return marks


def _legend(drawn: list[Mark], room: int) -> tuple[list[Mark], int]:
    """Keys to what is drawn, in lines of at most ``room`` pixels, and their height."""
    marks: list[Mark] = []
    x, y = 0, KEY_HEIGHT // 2
    for key, words in _keys(drawn):
        needed = KEY_WIDTH + 6 + text_width(words, SMALL)
        if x and x + needed > room:
            x, y = 0, y + KEY_ROW
        marks += moved([key, Words(KEY_WIDTH + 6, 0, words, SMALL)], x, y)
        x += needed + GAP
    return marks, y + KEY_HEIGHT // 2


def _keys(drawn: list[Mark]) -> list[tuple[Mark, str]]:
    """Each kind of mark that is drawn, about y = 0, and its words."""
    boxes = [mark for mark in drawn if isinstance(mark, Box)]
    pluses = [mark for mark in drawn if isinstance(mark, Plus)]
    found = {box.kind for box in boxes}
    key = Box(0, -KEY_HEIGHT // 2, KEY_WIDTH, KEY_HEIGHT, "other", role="key")
    keys: list[tuple[Mark, str]] = [
        (key._replace(kind=kind), look.words) for kind, look in KINDS.items() if kind in found
    ]
    if pluses:
        keys.append((Plus(KEY_WIDTH // 2, 0, (), "key"), "addition"))
    for strips in sorted({box.before for box in boxes} - {()}):
        keys.append((key._replace(before=strips), f"{_joined(strips)} before it"))
    for strips in sorted({*(box.after for box in boxes), *(plus.after for plus in pluses)} - {()}):
        keys.append((key._replace(after=strips), f"{_joined(strips)} after it"))
    return keys


def _joined(strips: tuple[str, ...]) -> str:
    return ", ".join(STRIPS[strip].words for strip in strips)
