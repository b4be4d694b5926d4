"""SVG text of a drawing's marks: boxes, lines, pluses, frames, words, and the document around them.

Coordinates are in pixels, x to the right and y down. Everything is written as presentation
attributes: no style sheet, script, id or reference, so a document may stand inside any page.
Colours are those of [Okabe2008]_, which colour-blind readers can tell apart.

.. [Okabe2008] M. Okabe and K. Ito, Color Universal Design, 2008.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import NamedTuple

INK = "#1a1a1a"
QUIET = "#595959"
LINES = "#707070"
SIZE = 12
SMALL = 11
STRIP = 4
RADIUS = 9


class Kind(NamedTuple):
    """How boxes of one kind look, and what the legend calls them."""

    words: str
    fill: str
    ink: str = INK
    dashes: str = ""


class Strip(NamedTuple):
    """How a strip looks, and what the legend calls it."""

    words: str
    fill: str


KINDS = {
    "1x1": Kind("1x1 convolution", "#56b4e9"),
    "3x3": Kind("3x3 convolution", "#e69f00"),
    "large": Kind("5x5 or larger convolution", "#d55e00"),
    "asymmetric": Kind("1xn or nx1 convolution", "#cc79a7"),
    "pool": Kind("max-pool or avg-pool", "#009e73"),
    "global": Kind("global or adaptive avg-pool", "#0072b2", "#ffffff"),
    "linear": Kind("linear", "#f0e442"),
    "dropout": Kind("dropout", "#ffffff", dashes="4 3"),
    "other": Kind("reshaping or elementwise", "#ffffff"),
    "concat": Kind("concatenation", "#d9d9d9"),
    "end": Kind("image, logits", "#ffffff"),
}
"""Kind of box to its look, in the legend's order."""

STRIPS = {"batch norm": Strip("batch norm", "#ffffff"), "relu": Strip("ReLU", INK)}
"""Kind of a layer that is drawn as a strip along a box, to its look."""


class Box(NamedTuple):
    """A layer or a concatenation: (x, y) is its top left corner.

    ``before`` and ``after`` are strips along its upper and lower edge, from top to bottom.
    ``role`` is its class in the document: box, or key in the legend.
    """

    x: int
    y: int
    width: int
    height: int
    kind: str
    label: str = ""
    number: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    role: str = "box"


class Plus(NamedTuple):
    """An addition: (x, y) is the centre of its circle. ``after`` are strips below it."""

    x: int
    y: int
    after: tuple[str, ...] = ()
    role: str = "plus"


class Line(NamedTuple):
    """A line from (x, y) by ``steps``, relative ones like ``h20v14``.

    ``arrow`` is the direction of its arrowhead: v (down), h (left), or none.
    """

    x: int
    y: int
    steps: str
    arrow: str = ""


class Dot(NamedTuple):
    """Where a line leaves another."""

    x: int
    y: int


class Frame(NamedTuple):
    """A rectangle behind other marks: a tinted ``part``, or a dashed ``aside``."""

    x: int
    y: int
    width: int
    height: int
    role: str = "part"


class Words(NamedTuple):
    """Text on the middle line y; x is its start, middle or end, as ``anchor`` says."""

    x: int
    y: int
    text: str
    size: int = SIZE
    anchor: str = "start"
    colour: str = INK
    bold: bool = False


Mark = Frame | Line | Dot | Box | Plus | Words
ORDER = (Frame, Line, Dot, Box, Plus, Words)

ARROWS = {"": "", "v": "m-3.5-5 3.5 5 3.5-5", "h": "m5-3.5-5 3.5 5 3.5"}
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def moved(marks: Iterable[Mark], x: int, y: int) -> list[Mark]:
    """The marks, each ``x`` further to the right and ``y`` further down."""
    return [mark._replace(x=mark.x + x, y=mark.y + y) for mark in marks]


def text_width(text: str, size: int = SIZE) -> int:
    """Pixels that ``text`` takes at most in the usual system fonts; even."""
    return 2 * -(-len(text) * size * 31 // 100)


def document(width: int, height: int, title: str, description: str, marks: Iterable[Mark]) -> str:
    """A whole SVG document of ``width`` x ``height`` pixels on white."""
    ordered = sorted(marks, key=lambda mark: ORDER.index(type(mark)))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="{SIZE}">',
        f"<title>{_safe(title)}</title>",
        f"<desc>{_safe(description)}</desc>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *map(_written, ordered),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _safe(text: str) -> str:
    """``text`` as XML: escaped, and what XML can't say at all replaced."""
    return escape(NOT_XML.sub("\ufffd", text))


def _written(mark: Mark) -> str:
    match mark:
        case Box():
            return _box(mark)
        case Plus(x, y, after, role):
            cross = f"M{x - 5} {y}h10M{x} {y - 5}v10"
            strips = _strips(x - RADIUS - 3, y + RADIUS, 2 * RADIUS + 6, after)
            return (
                f'<g class="{role}" stroke="{INK}">'
                f'<circle cx="{x}" cy="{y}" r="{RADIUS}" fill="#ffffff"/>'
                f'<path d="{cross}" stroke-width="2"/>{strips}</g>'
            )
        case Line(x, y, steps, arrow):
            path = f"M{x} {y}{steps}{ARROWS[arrow]}"
            return (
                f'<path d="{path}" fill="none" stroke="{LINES}" stroke-width="2" '
                'stroke-linecap="square"/>'
            )
        case Dot(x, y):
            return f'<circle cx="{x}" cy="{y}" r="3" fill="{LINES}"/>'
        case Frame(x, y, width, height, role):
            look = (
                'fill="#f3f5f7"'
                if role == "part"
                else f'fill="#ffffff" stroke="{QUIET}" stroke-dasharray="5 4"'
            )
            return (
                f'<rect class="{role}" x="{x}" y="{y}" width="{width}" height="{height}" '
                f'rx="6" {look}/>'
            )
        case Words(x, y, text, size, anchor, colour, bold):
            weight = ' font-weight="600"' if bold else ""
            return (
                f'<text x="{x}" y="{_baseline(y, size)}" font-size="{size}" fill="{colour}" '
                f'text-anchor="{anchor}"{weight}>{_safe(text)}</text>'
            )


def _box(box: Box) -> str:
    x, y, width, height = box.x, box.y, box.width, box.height
    look = KINDS[box.kind]
    dashes = f' stroke-dasharray="{look.dashes}"' if look.dashes else ""
    parts = [
        f'<g class="{box.role} {box.kind}"><rect x="{x}" y="{y}" width="{width}" '
        f'height="{height}" rx="3" fill="{look.fill}" stroke="{INK}"{dashes}/>'
    ]
    top, bottom = STRIP * len(box.before), STRIP * len(box.after)
    if top or bottom:
        parts.append(
            f'<g stroke="{INK}">{_strips(x, y, width, box.before)}'
            f"{_strips(x, y + height - bottom, width, box.after)}</g>"
        )
    if box.label:
        middle = _baseline(y + (top + height - bottom) / 2, SIZE)
        number = f' <tspan font-weight="600">{_safe(box.number)}</tspan>' if box.number else ""
        parts.append(
            f'<text x="{x + width // 2}" y="{middle}" text-anchor="middle" fill="{look.ink}">'
            f"{_safe(box.label)}{number}</text>"
        )
    return "".join(parts) + "</g>"


def _strips(x: int, y: int, width: int, strips: tuple[str, ...]) -> str:
    return "".join(
        f'<rect class="strip" x="{x}" y="{y + STRIP * index}" width="{width}" height="{STRIP}" '
        f'fill="{STRIPS[strip].fill}"/>'
        for index, strip in enumerate(strips)
    )


def _baseline(middle: float, size: int) -> str:
    return f"{middle + 0.35 * size:.1f}"
