"""The order of least memory against every order there is, and the arena against the order."""

from collections.abc import Iterator
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from search_space.architecture import Architecture
from search_space.device.arena import arena, lifetimes
from search_space.device.operations import IMAGE, Operation, Operations, operations
from search_space.device.order import _Piece, _pieces, best_order
from search_space.expand import expand
from search_space.graph import ShapeError
from search_space.space import SearchSpace
from search_space.spread import Spread


def made(architecture: Architecture, size: int = 9) -> Operations:
    try:
        return operations(expand(architecture, 1, 3), (1, size, size))
    except ShapeError:
        assume(False)
        raise


def simulated(given: Operations, order: list[Operation]) -> int:
    """The most bytes held at once, from the first and the last use of each buffer."""
    lives = lifetimes(given, order)
    return max(
        sum(given.size(buffer) for buffer, (first, last) in lives.items() if first <= now <= last)
        for now in range(len(order))
    )


def possible(given: Operations, order: list[Operation]) -> bool:
    """Whether every operation comes after those that make its inputs, parts of wholes too."""
    there = {IMAGE}
    parts: dict[int, set[int]] = {}
    for part, whole in given.wholes.items():
        parts.setdefault(whole, set()).add(part)

    def ready(tensor: int) -> bool:
        return tensor in there or (tensor in parts and all(map(ready, parts[tensor])))

    for one in order:
        if not all(map(ready, one.inputs)):
            return False
        there.add(one.output)
    return True


def every_order(given: Operations, left: list[Operation]) -> Iterator[list[Operation]]:
    if not left:
        yield []
    for one in left:
        rest = [other for other in left if other is not one]
        for order in every_order(given, rest):
            yield [one, *order]


@given(st.from_type(Architecture))
def test_an_order_is_possible_and_no_worse_than_as_given(architecture: Architecture) -> None:
    given = made(architecture)
    found = best_order(given)
    assert sorted(map(id, found.operations)) == sorted(map(id, given.operations))
    assert possible(given, given.operations)
    assert possible(given, found.operations)
    assert found.peak == simulated(given, found.operations)
    assert found.peak <= simulated(given, given.operations)


@given(st.from_type(Architecture))
def test_no_order_of_a_piece_takes_less(architecture: Architecture) -> None:
    given = made(architecture)
    pieces = _pieces(given)
    few = [number for number, piece in enumerate(pieces) if 2 < len(piece) <= 7]
    assume(few)
    number = few[0]
    before = [one for piece in pieces[:number] for one in piece]
    after = [one for piece in pieces[number + 1 :] for one in piece]
    least = min(
        simulated(given, [*before, *order, *after])
        for order in every_order(given, pieces[number])
        if possible(given, [*before, *order, *after])
    )
    # The other pieces are as they are given, so the whole is at least as good.
    assert best_order(given).peak <= least


def test_where_one_block_is_all_no_order_takes_less() -> None:
    """Sampled networks whose largest piece is small enough to try every order of it."""
    spread, rng = Spread(SearchSpace(), (1, 28, 28), 10), Random(3)
    checked = 0
    while checked < 12:
        given = operations(expand(spread.draw(rng).candidate.architecture), (1, 28, 28))
        pieces = _pieces(given)
        peaks = [_Piece(given, piece).peak_as_given() for piece in pieces]
        piece = pieces[peaks.index(max(peaks))]
        if not 3 <= len(piece) <= 8:
            continue
        others = max(peak for one, peak in zip(pieces, peaks, strict=True) if one is not piece)
        number = pieces.index(piece)
        before = [one for some in pieces[:number] for one in some]
        orders = (o for o in every_order(given, piece) if possible(given, [*before, *o]))
        least = min(_Piece(given, order).peak_as_given() for order in orders)
        if others <= least:
            assert best_order(given).peak == least
            checked += 1


@given(st.from_type(Architecture))
def test_buffers_that_are_held_at_once_lie_apart(architecture: Architecture) -> None:
    given = made(architecture)
    found = arena(given)
    lives = lifetimes(given, found.order)
    assert lives.keys() == found.offsets.keys()
    spans = [
        (found.offsets[buffer], found.offsets[buffer] + given.size(buffer), *lives[buffer])
        for buffer in lives
    ]
    for place, (begin, end, first, last) in enumerate(spans):
        assert 0 <= begin <= end <= found.bytes
        for other_begin, other_end, other_first, other_last in spans[:place]:
            together = first <= other_last and other_first <= last
            assert not (together and begin < other_end and other_begin < end)
    assert found.least == simulated(given, found.order) <= found.bytes
