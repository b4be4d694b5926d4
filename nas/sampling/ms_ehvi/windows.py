"""Windows: sizes that trials are divided over, so that the best network up to each gets better.

Expected improvement alone goes where it is cheapest to improve, and stays there. So every trial is
for one window of a cost, half a decade wide. One of two asks for what improves the front most
within it, at whichever of the other costs; one for the most accurate network up to its end.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from nas.objectives import OBJECTIVES
from nas.settings import Settings
from studies.best import SIZES
from studies.pareto import Floats

EVENNESS = 0.5
"""Between 0, as many trials for each window, and 1, as much time for each: to this power a trial's
seconds count."""


class Window(NamedTuple):
    """What has more than ``low`` and at most ``high`` of a ``cost``, as losses.

    ``column`` is that cost's among the known losses; ``seconds`` is how long, but for a constant,
    a random one of its candidates trains.
    """

    cost: str
    column: int
    low: float
    high: float
    seconds: float

    def holds(self, losses: Sequence[float]) -> bool:
        """Whether a candidate of those known losses is in it."""
        return self.low < losses[self.column] <= self.high

    @property
    def params(self) -> tuple[float, float] | None:
        """Between which logarithms of parameters its candidates are; None where that isn't said."""
        return (self.low, self.high) if self.cost == "params" else None


class Turn(NamedTuple):
    """What a trial is for: a ``window``, and there the front, or but what is ``most_accurate``."""

    window: Window
    most_accurate: bool


def windows_of(settings: Settings, losses: Floats, seconds: Floats) -> list[Window]:
    """The windows of a study, from small to large; none where it has no cost but latency.

    ``losses`` [N, K] are known ones of random candidates, ``seconds`` [N] what these take to train.
    A window without any of them is left out.
    """
    names = [name for name in settings.objectives if OBJECTIVES[name].known]
    name = next((name for name in SIZES if name in names), None)
    if name is None:
        return []
    column = names.index(name)
    limit = settings.limits().get(name)
    most = limit or min(settings.largest.get(name, SIZES[name][-1]), SIZES[name][-1])
    edges = [0.0, *(float(np.log10(size)) for size in SIZES[name] if size < most)]
    edges.append(float(np.log10(most)))
    found = []
    for low, high in pairwise(edges):
        inside = (losses[:, column] > low) & (losses[:, column] <= high)
        if inside.any():
            found.append(Window(name, column, low, high, float(np.median(seconds[inside]))))
    return found


def next_turn(
    windows: Sequence[Window], proposed: Iterable[tuple[Sequence[float], float]]
) -> Turn | None:
    """The turn of the window that has had the least so far; None where there is no window.

    That is by the known losses of what was ``proposed``, and by its seconds of training, but for
    the same constant as a window's. Half a turn is counted in advance, as in apportionment by
    Sainte-Lague, so that those with long trainings have not to wait until all others had many. A
    window's turns are of either kind alternately.
    """
    if not windows:
        return None
    seconds_of: dict[Window, list[float]] = {window: [] for window in windows}
    for losses, seconds in proposed:
        for window in windows:
            if window.holds(losses):
                seconds_of[window].append(seconds)

    def had(window: Window) -> float:
        spent = [seconds**EVENNESS for seconds in seconds_of[window]]
        return math.fsum([*spent, window.seconds**EVENNESS / 2])  # in whichever order

    found = min(windows, key=had)
    return Turn(found, len(seconds_of[found]) % 2 == 1)
