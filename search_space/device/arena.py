"""The arena: one block of memory in which every buffer has a place for as long as it is held."""

from typing import NamedTuple

from search_space.device.operations import IMAGE, Operation, Operations
from search_space.device.order import best_order


class Arena(NamedTuple):
    """The order in which operations run, where each buffer begins, and how many bytes that takes.

    ``least`` is the most that buffers held at once take together in that order, which no order has
    less of; ``bytes`` is what the file takes, more where buffers of different sizes leave gaps.
    """

    order: list[Operation]
    offsets: dict[int, int]
    bytes: int
    least: int


def arena(given: Operations) -> Arena:
    """The arena of operations in their best order."""
    order, least = best_order(given)
    lives = lifetimes(given, order)
    packed = min((_packed(given, lives, rule) for rule in RULES), key=lambda found: found[1])
    return Arena(order, *packed, least)


def lifetimes(given: Operations, order: list[Operation]) -> dict[int, tuple[int, int]]:
    """The first and the last operation, by number, at which each buffer is held."""
    lives: dict[int, tuple[int, int]] = {}
    for number, one in enumerate(order):
        for tensor in (*one.inputs, one.output):
            buffer = given.places[tensor].buffer
            first, _ = lives.get(buffer, (number, number))
            lives[buffer] = first, number
    return {buffer: life for buffer, life in lives.items() if buffer != IMAGE}


RULES = (
    lambda size, life: (-size, life),  # the largest first
    lambda size, life: (life[0] - life[1], -size),  # the longest held first
    lambda size, life: (life, -size),  # as they are needed
)
"""In which order buffers are given the lowest place that is free while they are held."""


def _packed(
    given: Operations, lives: dict[int, tuple[int, int]], rule: object
) -> tuple[dict[int, int], int]:
    assert callable(rule)
    placed: dict[int, int] = {}
    end = 0
    for buffer in sorted(lives, key=lambda one: rule(given.size(one), lives[one])):
        first, last = lives[buffer]
        taken = sorted(
            (offset, offset + given.size(other))
            for other, offset in placed.items()
            if lives[other][0] <= last and first <= lives[other][1]
        )
        offset, size = 0, given.size(buffer)
        for begin, over in taken:
            if offset + size <= begin:
                break
            offset = max(offset, over)
        placed[buffer] = offset
        end = max(end, offset + size)
    return placed, end
