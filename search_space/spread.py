"""Spread: random candidates evenly over the logarithm of parameters, and over FLOPs within them.

Where every choice is equally likely, most candidates of a space are of one middling size: the sum
of many choices. So the choices are tilted: of a dimension whose larger choices make a network grow,
the i-th of k is drawn with weight exp(a * i / (k - 1)), and of what halves the maps with weight
exp(-b) for halving. With a and b from end to end, every size that the space has turns up. Which
(a, b) lead where is learned from a fixed sample; a draw then aims at a size, and the nearest of a
few candidates is taken.
"""

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from search_space.architecture import Candidate
from search_space.cost import Cost, OnDevice, asks_for_device, cost
from search_space.dimensions import DIMENSIONS, general
from search_space.graph import Shape
from search_space.limits import nearest, within
from search_space.space import SearchSpace

GROWTH = 7.0
"""Tilts of what grows go from minus to plus this."""

HALVING = 3.0
"""And those of what halves the maps."""

HALVES = ("stem.stride", "stem.pool", "stem.second")

LEARNED = 1_200
"""Candidates from which it is learned which tilts lead where."""

NEIGHBOURS = 60
"""Of these, those that are nearest in parameters tell which FLOPs are had there."""

TRIED = 8
"""Candidates of which a draw takes the one that is nearest to what it aims at."""

EDGE = 0.02
"""Share of the sample beyond the smallest and the largest size that is aimed at."""


COSTS = ("params", "flops", "activation_bytes", "flash_bytes", "arena_bytes", "cycles")


class Drawn(NamedTuple):
    """A candidate, the params that make it, and its exact cost."""

    params: dict[str, Any]
    candidate: Candidate
    cost: Cost


class _Known(NamedTuple):
    params: float
    flops: float
    tilts: tuple[float, float]
    drawn: Drawn


class Spread:
    """Draws candidates of a space for images of one shape and so many classes.

    ``limits`` are by the names of ``Cost``; a candidate above one is never drawn. With ``device``
    costs are those on a device too, also where no limit asks for them; with a core its cycles.
    ValueError where none was found within the limits.
    """

    def __init__(
        self,
        space: SearchSpace,
        image: Shape,
        classes: int,
        limits: Mapping[str, float] | None = None,
        device: OnDevice = False,
    ) -> None:
        self._space, self._image, self._classes = space, image, classes
        self._limits = dict(limits or {})
        self._device = device or asks_for_device(self._limits)
        rng = Random(0)
        found = []
        for _ in range(LEARNED):
            tilts = rng.uniform(-GROWTH, GROWTH), rng.uniform(-HALVING, HALVING)
            found.append((tilts, self._tilted(tilts, rng)))
        allowed = [_known(tilts, drawn) for tilts, drawn in found if self._allowed(drawn.cost)]
        if not allowed:
            allowed = [_known((-GROWTH, HALVING), self._least())]
        self._known = sorted(allowed, key=lambda one: (one.params, one.flops))
        edge = int(EDGE * len(allowed))
        self.least = self._known[edge].params
        self.most = self._known[-1 - edge].params

    def draw(
        self, rng: Random, tried: int = TRIED, between: tuple[float, float] | None = None
    ) -> Drawn:
        """A candidate of a random size; what it is depends on the generator alone.

        Of so many ``tried`` it is the nearest to that size, which lies ``between`` two base-10
        logarithms of parameters where these are given.
        """
        low, high = between or (self.least, self.most)
        low, high = max(low, self.least), min(high, self.most)
        params = rng.uniform(min(low, high), high)
        near = sorted(self._known, key=lambda one: abs(one.params - params))[:NEIGHBOURS]
        flops = sorted(one.flops for one in near)
        edge = int(EDGE * len(flops))
        aim = params, rng.uniform(flops[edge], flops[-1 - edge])
        start = min(near, key=lambda one: _distance(one, aim))
        drawn = (self._tilted(start.tilts, rng) for _ in range(tried))
        allowed = [_known(start.tilts, one) for one in drawn if self._allowed(one.cost)]
        return min([*allowed] or [start], key=lambda one: _distance(one, aim)).drawn

    def _least(self) -> Drawn:
        """The candidate that is found by going down from random ones."""
        channels, resolution, _ = self._image
        total, params = nearest(
            self._space, resolution, channels, self._classes, self._limits, self._device
        )
        if not self._allowed(total):
            raise ValueError("no candidate of the space was found within its limits")
        return Drawn(params, self._space.sample(lambda name, _: params[name], resolution), total)

    @property
    def largest(self) -> Cost:
        """The most that one of the candidates it has learned from has, of each cost."""
        costs = [one.drawn.cost for one in self._known]
        found = {name: [getattr(one, name) for one in costs] for name in COSTS}
        most = {name: max(values) for name, values in found.items() if None not in values}
        return costs[-1]._replace(**most)

    def _allowed(self, total: Cost) -> bool:
        return within(total._asdict(), self._limits)

    def _tilted(self, tilts: tuple[float, float], rng: Random) -> Drawn:
        """A candidate of choices drawn with such tilts, of growth and of halving."""
        growth, halving = tilts
        params: dict[str, Any] = {}

        def choose(name: str, options: Sequence[Any]) -> Any:
            base = general(name.partition("[")[0])
            if DIMENSIONS[base].grows:
                options = sorted(options)
                weights = [math.exp(growth * i / (len(options) - 1)) for i in range(len(options))]
                params[name] = rng.choices(options, weights)[0]
            elif base in HALVES:
                options = sorted(options)
                params[name] = rng.choices(options, (1.0, math.exp(-halving)))[0]
            else:
                params[name] = rng.choice(options)
            return params[name]

        candidate = self._space.sample(choose, self._image[1])
        channels, resolution, _ = self._image
        total = cost(candidate.architecture, resolution, channels, self._classes, self._device)
        return Drawn(params, candidate, total)


def _known(tilts: tuple[float, float], drawn: Drawn) -> _Known:
    total = drawn.cost
    return _Known(math.log10(total.params), math.log10(total.flops), tilts, drawn)


def _distance(one: _Known, aim: tuple[float, float]) -> float:
    return math.hypot(one.params - aim[0], one.flops - aim[1])
