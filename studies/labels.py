"""On which side of its point a name is written, so that names stay apart on any screen."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from studies.pareto import Floats
from studies.style import FONT_SIZE

# Plotly's names, and where each puts a text: left to right and bottom to top, -1, 0 or 1.
SIDES: dict[str, tuple[int, int]] = {
    "top center": (0, 1),
    "bottom center": (0, -1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top right": (1, 1),
    "bottom right": (1, -1),
    "top left": (-1, 1),
    "bottom left": (-1, -1),
}
# Width and height of the plot in pixels, on a telephone and on a desk, and how much each counts:
# many names have no room on a telephone anyway, and must not spoil the desk for that.
SIZES = ((310.0, 280.0, 1.0), (1400.0, 550.0, 3.0))
DOT_SIZE = 5.0
# A name on a dot or a line is still read, unlike one on another text.
DOT_WEIGHT = 0.2
LETTER_WIDTH, LINE_HEIGHT = 0.6 * FONT_SIZE, 1.3 * FONT_SIZE
LABEL_MARKER_SIZE = 6
ROUNDS = 4


class Label(NamedTuple):
    """Plain text, of one line or more, that is written on a side (a key of SIDES) of a place.

    Places are 0..1 from the plot's left to its right and from its bottom to its top. The text
    keeps as far away as from a marker of LABEL_MARKER_SIZE.
    """

    text: str
    x: float
    y: float
    side: str


def sides(
    names: Sequence[str],
    places: Floats,
    marker_size: float,
    dots: Floats,
    written: Sequence[Label] = (),
) -> tuple[str, ...]:
    """A side, a key of SIDES, for each name at its place [N, 2].

    A name should not cover another name, a marker (of `marker_size` pixels), what is `written`
    already, the frame, or one of the small `dots` [K, 2]. From each side as a start, name after
    name moves to the side where it covers least while the others stay; the best of these ends is
    returned, the first in the order of SIDES where some are as good.
    """
    count = len(names)
    alone = np.zeros((count, len(SIDES)))
    together = np.zeros((count, len(SIDES), count, len(SIDES)))
    for width, height, weight in SIZES:
        size = np.array([width, height])
        boxes = _text_boxes(names, places * size, marker_size)
        markers = _squares(places * size, marker_size)
        # Dots that lie on each other cover no more than one.
        cells = np.unique(np.round(dots * size / DOT_SIZE), axis=0) * DOT_SIZE
        faint = _squares(cells, DOT_SIZE)
        texts = [_box(label, size) for label in written]
        frame = np.array([[0.0, 0.0, *size]])
        for index, own in enumerate(boxes):
            firm = np.concatenate([np.delete(markers, index, axis=0), *texts])
            outside = _areas(own) - _covered(own, frame).sum(axis=1)
            light = DOT_WEIGHT * _covered(own, faint).sum(axis=1)
            alone[index] += weight * (_covered(own, firm).sum(axis=1) + light + outside)
            together[index] += weight * _covered(own, boxes.reshape(-1, 4)).reshape(
                len(SIDES), count, len(SIDES)
            )
            together[index, :, index] = 0
    ends = [_settled(alone, together, start) for start in range(len(SIDES))]
    keys = tuple(SIDES)
    return tuple(keys[side] for side in min(ends, key=lambda end: end[0])[1])


def _settled(alone: Floats, together: Floats, start: int) -> tuple[float, list[int]]:
    """What all names cover, to a thousandth of a pixel, and their sides, from `start` on."""
    count = len(alone)
    everyone = np.arange(count)
    chosen = np.full(count, start)
    for _ in range(ROUNDS):
        for index in range(count):
            cost = alone[index] + together[index][:, everyone, chosen].sum(axis=1)
            # Rounding must not prefer a later side.
            chosen[index] = int(np.argmax(cost <= cost.min() + 1e-6))
    among = together[everyone, chosen][:, everyone, chosen].sum() / 2
    return round(float(alone[everyone, chosen].sum() + among), 3), chosen.tolist()


def _text_boxes(texts: Sequence[str], pixels: Floats, marker_size: float) -> Floats:
    """[N, sides, 4]: left, bottom, right, top of each text on each side of its marker."""
    lines = [text.split("\n") for text in texts]
    widths = [LETTER_WIDTH * max(map(len, rows)) for rows in lines]
    half = np.column_stack([widths, [LINE_HEIGHT * len(rows) for rows in lines]]) / 2
    # As far from the marker as Plotly writes: 1.25 radii and a pixel.
    away = half + 0.625 * marker_size + 1
    middle = pixels[:, None, :] + np.array(list(SIDES.values())) * away[:, None, :]
    return np.concatenate([middle - half[:, None, :], middle + half[:, None, :]], axis=2)


def _box(label: Label, size: Floats) -> Floats:
    """[1, 4]: the box of a text that is written already."""
    place = np.array([[label.x, label.y]])
    boxes = _text_boxes([label.text], place * size, LABEL_MARKER_SIZE)
    return boxes[:, list(SIDES).index(label.side)]


def _squares(pixels: Floats, size: float) -> Floats:
    return np.concatenate([pixels - size / 2, pixels + size / 2], axis=1)


def _areas(boxes: Floats) -> Floats:
    areas: Floats = np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(axis=-1)
    return areas


def _covered(boxes: Floats, others: Floats) -> Floats:
    """How many pixels each of `boxes` [S, 4] shares with each of `others` [K, 4], as [S, K]."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return _areas(np.concatenate([low, high], axis=-1))
