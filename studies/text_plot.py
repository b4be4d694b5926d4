"""A scatter plot in characters: one quantity against another, the front marked, for a terminal."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

FRONT, OTHER = "●", "·"
ASCII = str.maketrans("●·┤│└─┬", "*.||+-+")
"""The same marks and lines for a terminal that knows ASCII alone."""


class Dot(NamedTuple):
    """A trial: its two values in user units, and whether it is on the front."""

    x: float
    y: float
    front: bool


@dataclass(frozen=True)
class Ruler:
    """How an axis is drawn: logarithmic or not, and its values in words."""

    log: bool
    words: Callable[[float], str]

    def drawn(self, value: float) -> bool:
        """Whether a value has a place on the axis."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def scaled(self, value: float) -> float:
        """The value on the axis: its logarithm where the axis is logarithmic."""
        return math.log10(value) if self.log else value

    def reach(self, values: Sequence[float]) -> tuple[float, float]:
        """From where to where it is drawn, scaled; equal values still have room around them."""
        scaled = [self.scaled(value) for value in values]
        low, high = min(scaled), max(scaled)
        pad = 0.0 if high > low else 0.3 if self.log else 0.1 * abs(high) or 1.0
        return low - pad, high + pad

    def ticks(self, low: float, high: float, most: int) -> list[float]:
        """Round values, about ``most`` at the most, between two places that are scaled."""
        if not self.log:
            return _steps(low, high, most)
        decades = range(math.floor(low), math.ceil(high) + 1)
        for digits in ((1, 2, 5), (1, 3), (1,)):
            found = [digit * 10.0**decade for decade in decades for digit in digits]
            found = [value for value in found if low <= math.log10(value) <= high]
            if 2 <= len(found) <= most:
                return found
        return _steps(10.0**low, 10.0**high, most) if len(found) < 2 else found


def text_plot(dots: Sequence[Dot], x: Ruler, y: Ruler, width: int, height: int) -> list[str]:
    """The dots as ``height`` lines, at least 4, of ``width`` characters at most, with ticks.

    None where no dot has a place; a dot of the front hides others in its cell.
    """
    shown = [dot for dot in dots if x.drawn(dot.x) and y.drawn(dot.y)]
    if not shown:
        return []
    rows = max(2, height - 2)
    left, right = x.reach([dot.x for dot in shown])
    low, high = y.reach([dot.y for dot in shown])
    labels = {
        _cell(y.scaled(value), high, low, rows): y.words(value)
        for value in y.ticks(low, high, max(2, rows // 3))
    }
    margin = max(map(len, labels.values()), default=0)
    columns = max(8, width - margin - 2)
    grid = [[" "] * columns for _ in range(rows)]
    for dot in sorted(shown, key=lambda dot: dot.front):
        row = _cell(y.scaled(dot.y), high, low, rows)
        grid[row][_cell(x.scaled(dot.x), left, right, columns)] = FRONT if dot.front else OTHER
    lines = [
        f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'}{''.join(cells)}".rstrip()
        for row, cells in enumerate(grid)
    ]
    rule, below = ["─"] * columns, ""
    for value in x.ticks(left, right, columns // 8):
        place, words = _cell(x.scaled(value), left, right, columns), x.words(value)
        start = max(0, min(place - len(words) // 2, columns - len(words)))
        if not below or start > len(below):
            rule[place] = "┬"
            below = f"{below:<{start}}{words}"
    return [*lines, f"{'':>{margin}} └{''.join(rule)}", f"{'':>{margin}}  {below}"]


def short(value: float) -> str:
    """A number with an SI prefix and at most three digits: 1.2M."""
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{prefix}"
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share with as many digits as it needs, four at the most: 85.25%."""
    return f"{100 * value:.4g}%"


def _cell(place: float, first: float, last: float, cells: int) -> int:
    """Which of the cells from ``first`` to ``last`` the place lies in."""
    return round((place - first) / (last - first) * (cells - 1))


def _steps(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from ``low`` to ``high``."""
    least = (high - low) / most * (1 - 1e-9)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= least)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
