"""What the C file's kernels do for one image, counted exactly, and the cycles that a core takes."""

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from search_space.device.cores import Core
from search_space.device.operations import (
    AVG_POOL,
    CONV,
    GLOBAL_POOL,
    MAX_POOL,
    Operation,
    Operations,
)
from search_space.graph import Conv, Pool


class Work(NamedTuple):
    """Counts of one image, of one operation or of all.

    ``multiply_adds`` leave out what lies beyond the border, unless its value isn't zero in 8 bits;
    ``rows`` are rows of a kernel inside the map, for each value written; ``values`` are written by
    convolutions and pools, ``pooled`` looked at by pools, ``pointwise`` written by sums,
    normalizations and copies.
    """

    multiply_adds: int = 0
    rows: int = 0
    values: int = 0
    pooled: int = 0
    pointwise: int = 0

    def cycles(self, core: Core) -> float:
        """What it takes a core, an estimate."""
        return (
            self.multiply_adds * core.multiply_add
            + self.rows * core.row
            + self.values * core.value
            + self.pooled * core.pooled
            + self.pointwise * core.pointwise
        )


def work(given: Operations) -> Work:
    """What operations do together."""
    rectified = given.rectified()
    every = [work_of(given, one, rectified) for one in given.operations]
    return Work(*map(sum, zip(*every, strict=True)))


def cycles(given: Operations, core: Core) -> int:
    """Cycles of one image on a core, an estimate."""
    return round(work(given).cycles(core))


def work_of(given: Operations, one: Operation, rectified: Mapping[int, bool]) -> Work:
    """What one operation does; ``rectified`` are those of all tensors."""
    written = prod(given.shapes[one.output])
    if one.kind == CONV:
        return _convolution(given, one, written, rectified[given.root(one.inputs[0])])
    if one.kind in (MAX_POOL, AVG_POOL):
        assert isinstance(one.window, Pool)
        return Work(values=written, pooled=written * one.window.kernel**2)
    if one.kind == GLOBAL_POOL:
        return Work(values=written, pooled=prod(given.shapes[one.inputs[0]]))
    return Work(pointwise=written)


def _convolution(given: Operations, one: Operation, written: int, rectified: bool) -> Work:
    channels, *map_size = given.shapes[one.inputs[0]]
    outputs, *out_size = given.shapes[one.output]
    if not isinstance(one.window, Conv):  # a linear layer, whose kernel is all of its map
        rows = outputs * map_size[0]
        return Work(rows * map_size[1] * channels, rows, written)
    inside = [
        sum(
            0 <= start * one.window.stride - pad + tap < size
            for start in range(count)
            for tap in range(kernel)
        )
        for size, count, kernel, pad in zip(
            map_size, out_size, one.window.kernel, one.window.padding, strict=True
        )
    ]
    rows = outputs * inside[0] * out_size[1]
    if rectified:
        multiply_adds = outputs * inside[0] * inside[1] * channels
    else:
        multiply_adds = written * channels * prod(one.window.kernel)
    return Work(multiply_adds, rows, written)
