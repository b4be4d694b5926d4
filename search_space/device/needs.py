"""What a network needs on a device, known before it is trained: bytes of flash and of memory."""

from typing import NamedTuple

from search_space.device.arena import arena
from search_space.device.flash import flash
from search_space.device.operations import operations
from search_space.graph import Node, Shape

CODE_BYTES = 1_750
"""Of the kernels, as gcc 12 makes them for x86-64 with -Os; they are the same for every network."""


class Needs(NamedTuple):
    """Bytes of the C file: ``flash_bytes`` with its code, ``arena_bytes`` of memory."""

    flash_bytes: int
    arena_bytes: int


def needs(graph: Node, image: Shape) -> Needs:
    """What a graph needs for one image; ShapeError names a layer that can't run."""
    plan = operations(graph, image)
    return Needs(flash(plan, CODE_BYTES).total, arena(plan).bytes)
