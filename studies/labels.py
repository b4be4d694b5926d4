"""On which side of its point a name is written, so that names stay apart on any screen."""

from collections.abc import Sequence
from itertools import combinations
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
ROUNDS = 3


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
    already, the frame, or one of the small `dots` [K, 2]. Each name starts where it would be best
    if it were alone; then pair after pair moves to the two sides where they cover least while the
    others stay, the first such sides in the order of SIDES.
    """
    count = len(names)
    alone = np.zeros((count, len(SIDES)))
    together = np.zeros((count, len(SIDES), count, len(SIDES)))
    for width, height, weight in SIZES:
        size = np.array([width, height])
        boxes = _text_boxes(names, places * size, marker_size)
        # A name that only just misses another's marker would be taken for that one's.
        markers = _squares(places * size, 2 * marker_size)
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
    keys = tuple(SIDES)
    return tuple(keys[side] for side in _settled(alone, together))


def _settled(alone: Floats, together: Floats) -> list[int]:
    """The side of each of N names, from what they cover: `alone` [N, S], `together` [N, S, N, S].

    Names that move one by one stay in each other's way more often than pairs do.
    """
    chosen = [_first_least(cost) for cost in alone]
    for _ in range(ROUNDS):
        for pair in combinations(range(len(chosen)), 2):
            first, second = pair
            others = [name for name in range(len(chosen)) if name not in pair]
            kept = [chosen[name] for name in others]
            costs = [alone[name] + together[name][:, others, kept].sum(axis=1) for name in pair]
            both = costs[0][:, None] + costs[1] + together[first, :, second]
            chosen[first], chosen[second] = divmod(_first_least(both), len(SIDES))
    return chosen


def _first_least(costs: Floats) -> int:
    """The flat index of the least cost; of costs that only rounding sets apart, the first."""
    return int(np.argmax(costs.reshape(-1) <= costs.min() + 1e-6))


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
    """The box [1, 4] of a text that has its place already."""
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
