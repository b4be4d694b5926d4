"""What a network needs on a device, known before it is trained: flash, memory, cycles."""

from typing import NamedTuple

from search_space.device.arena import arena
from search_space.device.cores import Core
from search_space.device.flash import flash
from search_space.device.operations import operations
from search_space.device.work import cycles
from search_space.graph import Node, Shape

CODE_BYTES = 2_090
"""Of the kernels, as gcc 12 makes them for x86-64 with -Os; they are the same for every network."""


class Needs(NamedTuple):
    """Bytes of the C file: ``flash_bytes`` with its code, ``arena_bytes`` of memory.

    ``cycles`` are those of one image on a core, an estimate; None where no core was named.
    """

    flash_bytes: int
    arena_bytes: int
    cycles: int | None = None


def needs(graph: Node, image: Shape, core: Core | None = None) -> Needs:
    """What a graph needs for one image; ShapeError names a layer that can't run."""
    plan = operations(graph, image)
    took = None if core is None else cycles(plan, core)
    return Needs(flash(plan, CODE_BYTES).total, arena(plan).bytes, took)
