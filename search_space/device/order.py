"""The order of operations in which the fewest bytes are held at once, exactly.

Where one buffer alone is held, everything before it can be done before anything after it, at no
cost: whatever comes after needs that buffer, and the buffer needs all that came before. So a
network is cut there, and each piece, a block as a rule, is searched on its own: from the set of
operations that are done, every operation whose inputs are there leads to another set, and the path
from nothing to everything whose largest step is least is found by Dijkstra's algorithm with the
maximum in the place of the sum.
"""

import heapq
from typing import NamedTuple

from search_space.device.operations import IMAGE, Operation, Operations


class Ordered(NamedTuple):
    """Operations in the best order, and the most bytes of buffers that are held at once in it."""

    operations: list[Operation]
    peak: int


def best_order(given: Operations) -> Ordered:
    """An order of least peak; pieces that aren't where it is stay as they are given."""
    pieces = [_Piece(given, piece) for piece in _pieces(given)]
    peaks = [piece.peak_as_given() for piece in pieces]
    orders = [piece.operations for piece in pieces]
    peak = 0
    for number in sorted(range(len(pieces)), key=lambda one: -peaks[one]):
        if peaks[number] > peak:
            orders[number], peak = pieces[number].search(peak)
    return Ordered([one for order in orders for one in order], peak)


def _buffers(given: Operations, one: Operation) -> tuple[set[int], int]:
    """The buffers that an operation reads, and the one that it writes to."""
    return {given.places[t].buffer for t in one.inputs}, given.places[one.output].buffer


def _pieces(given: Operations) -> list[list[Operation]]:
    """Operations between the moments at which one buffer alone is held."""
    last: dict[int, int] = {}
    for number, one in enumerate(given.operations):
        reads, _ = _buffers(given, one)
        last |= dict.fromkeys(reads, number)
    pieces: list[list[Operation]] = []
    current: list[Operation] = []
    held = {IMAGE}
    for number, one in enumerate(given.operations):
        current.append(one)
        reads, write = _buffers(given, one)
        held.add(write)
        held -= {buffer for buffer in held if last.get(buffer, -1) <= number and buffer != write}
        if len(held) == 1 and not _unfinished(given, number, write):
            pieces.append(current)
            current = []
    return [*pieces, current] if current else pieces


def _unfinished(given: Operations, number: int, buffer: int) -> bool:
    """Whether a buffer, a concatenation's, is written to again after an operation."""
    later = given.operations[number + 1 :]
    return any(given.places[one.output].buffer == buffer for one in later)


class _Piece:
    """Operations of one piece: for each, as bits, what it waits for; for each buffer, who uses it.

    A buffer is held from the first operation that writes to it until all that read it are done; one
    that nothing here reads is held to the end, one that nothing here writes from the beginning.
    """

    def __init__(self, given: Operations, piece: list[Operation]) -> None:
        self.operations = piece
        self.all = (1 << len(piece)) - 1
        makers: dict[int, int] = {}
        self.sizes: list[int] = []
        self.writers: list[int] = []
        self.readers: list[int] = []
        self.writes: list[int] = []
        self.needs: list[int] = []
        places: dict[int, int] = {}
        parts: dict[int, list[int]] = {}
        for number, one in enumerate(piece):
            makers[one.output] = number
            parts.setdefault(given.places[one.output].buffer, []).append(number)

        def place(buffer: int) -> int:
            if buffer not in places:
                places[buffer] = len(self.sizes)
                self.sizes.append(given.size(buffer))
                self.writers.append(0)
                self.readers.append(0)
            return places[buffer]

        for number, one in enumerate(piece):
            _, write = _buffers(given, one)
            self.writes.append(place(write))
            self.writers[place(write)] |= 1 << number
            needs = 0
            for tensor in one.inputs:
                buffer = given.places[tensor].buffer
                if buffer != write:
                    self.readers[place(buffer)] |= 1 << number
                if tensor in makers:
                    needs |= 1 << makers[tensor]
                else:  # a whole concatenation: all that write to it before this
                    for other in parts.get(buffer, []):
                        if other < number:
                            needs |= 1 << other
            self.needs.append(needs)

    def held(self, done: int) -> int:
        """The buffers, as bits, that are held when these operations are done."""
        found = 0
        for buffer, (writers, readers) in enumerate(zip(self.writers, self.readers, strict=True)):
            written = not writers or writers & done
            needed = not readers or readers & ~done or writers & ~done
            if written and needed:
                found |= 1 << buffer
        return found

    def bytes_of(self, buffers: int) -> int:
        """Bytes of buffers, given as bits."""
        return sum(size for number, size in enumerate(self.sizes) if buffers >> number & 1)

    def search(self, floor: int = 0) -> Ordered:
        """An order whose peak is the least, or at most ``floor``; and the larger of both."""
        floor = max(
            floor, *(self.bytes_of(self._touched(number)) for number in range(len(self.needs)))
        )
        best = {0: floor}
        came: dict[int, tuple[int, int]] = {}
        waiting = [(floor, 0, 0)]  # peak, minus how many are done, done
        while waiting:
            peak, _, done = heapq.heappop(waiting)
            if done == self.all:
                break
            if peak > best[done]:
                continue
            for most, after, number in self._next(done, peak):
                if most < best.get(after, most + 1):
                    best[after] = most
                    came[after] = done, number
                    heapq.heappush(waiting, (most, -after.bit_count(), after))
        order: list[Operation] = []
        done = self.all
        while done:
            done, number = came[done]
            order.append(self.operations[number])
        return Ordered(order[::-1], best[self.all])

    def _touched(self, number: int) -> int:
        """The buffers, as bits, that an operation reads or writes."""
        found = 1 << self.writes[number]
        for buffer, readers in enumerate(self.readers):
            found |= (readers >> number & 1) << buffer
        return found

    def _next(self, done: int, peak: int) -> list[tuple[int, int, int]]:
        """What can be done next: the peak then, what is done then, and the operation.

        One that doesn't raise the peak and leaves no more held than before is the only one: it can
        come first in any order, where it frees as much as it would later, and later nothing more
        is held for it.
        """
        held = self.held(done)
        before = self.bytes_of(held)
        found = []
        for number, needs in enumerate(self.needs):
            bit = 1 << number
            if done & bit or needs & ~done:
                continue
            after = done | bit
            most = max(peak, self.bytes_of(held | 1 << self.writes[number]))
            if most == peak and self.bytes_of(self.held(after)) <= before:
                return [(most, after, number)]
            found.append((most, after, number))
        return found

    def peak_as_given(self) -> int:
        """The peak in the order as given."""
        peak = done = 0
        for number in range(len(self.operations)):
            peak = max(peak, self.bytes_of(self.held(done) | 1 << self.writes[number]))
            done |= 1 << number
        return peak
