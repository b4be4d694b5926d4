"""Tests of the peak of activation memory: by hand, and against a simulation tensor by tensor."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.architecture import Architecture, Candidate
from search_space.cost import graph_cost
from search_space.expand import expand
from search_space.graph import (
    IDENTITY,
    Add,
    Concat,
    Layer,
    Node,
    Sequence,
    Shape,
    batch_norm,
    conv,
    global_pool,
    linear,
    pool,
    relu,
)

IMAGE = (1, 4, 4)  # 64 bytes; each convolution below names its channels


def one(outputs: int, inputs: int = 1) -> Layer:
    return conv(inputs, outputs, (3, 3))


def sequence(*nodes: Node) -> Sequence:
    return Sequence(tuple((str(index), node) for index, node in enumerate(nodes)))


def concat(*nodes: Node) -> Concat:
    return Concat(sequence(*nodes).children)


def add(*nodes: Node) -> Add:
    return Add(sequence(*nodes).children)


WIDE = sequence(one(9), one(9, 9), one(1, 9))
GRAPHS: dict[str, tuple[Node, int]] = {
    "a layer: input and output": (one(2), 64 + 128),
    "elementwise: in place": (relu(), 64),
    "elementwise twice": (sequence(batch_norm(1), relu()), 64),
    "sequence: the larger pair": (sequence(one(2), one(3, 2), one(1, 3)), 128 + 192),
    "sequence: relu in place": (sequence(one(4), relu(), one(1, 4)), 64 + 256),
    "pooling: small output": (sequence(pool("max", 2), one(2)), 64 + 16),
    "head": (sequence(global_pool(), linear(1, 10)), 64 + 4),
    "concat: a copy, the input is gone": (concat(one(2), one(2)), 128 + 128 + 256),
    "concat: the input waits for the last branch": (concat(WIDE, one(3)), 64 + 576 + 576),
    "concat: the last branch frees the input": (concat(one(3), WIDE), 192 + 576 + 576),
    "concat: relu copies while the input is needed": (concat(relu(), relu()), 64 + 64 + 128),
    "add: in place of its path": (add(one(1), IDENTITY), 64 + 64),
    "add: then relu in place": (sequence(add(one(1), IDENTITY), relu()), 64 + 64),
    "add: the input waits": (add(sequence(one(4), one(1, 4)), IDENTITY), 64 + 256 + 64),
    "add: the input is gone at the sum": (add(one(2), one(2)), 64 + 128 + 128),
    "add: relu may not overwrite the shortcut": (add(relu(), IDENTITY), 64 + 64),
    "residual over a concat": (
        add(sequence(concat(one(2), one(2)), one(1, 4)), IDENTITY),
        64 + 128 + 128 + 256,
    ),
    "branches with the input added": (
        concat(add(one(1), IDENTITY), add(one(1), IDENTITY)),
        64 + 64 + 128,
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_by_hand(name: str) -> None:
    graph, expected = GRAPHS[name]
    assert graph_cost(graph, IMAGE).activation_bytes == expected
    assert simulated(graph, IMAGE) == expected


class Program:
    """A graph as a list of steps on numbered tensors, run with a count of each tensor's readers."""

    def __init__(self, graph: Node, shape: Shape) -> None:
        self.shapes = [shape]
        self.steps: list[tuple[list[int], int, bool]] = []
        self.result = self.emit(graph, 0)

    def emit(self, node: Node, source: int) -> int:
        """Appends the steps of ``node`` on tensor ``source``; the tensor that comes out."""
        if isinstance(node, Layer):
            return self.step([source], node.output(self.shapes[source]), node.elementwise)
        if isinstance(node, Sequence):
            for _, child in node.children:
                source = self.emit(child, source)
            return source
        parts = [self.emit(child, source) for _, child in node.children]
        channels, *extent = self.shapes[parts[0]]
        if isinstance(node, Concat):
            channels = sum(self.shapes[part][0] for part in parts)
        return self.step(parts, (channels, extent[0], extent[1]), isinstance(node, Add))

    def step(self, reads: list[int], shape: Shape, in_place: bool) -> int:
        self.shapes.append(shape)
        self.steps.append((reads, len(self.shapes) - 1, in_place))
        return len(self.shapes) - 1

    def peak(self) -> int:
        """Bytes alive at the worst moment."""
        readers = [0] * len(self.shapes)
        for reads, _, _ in self.steps:
            for tensor in reads:
                readers[tensor] += 1
        alive, peak = {0}, self.bytes({0})
        for reads, output, in_place in self.steps:
            for tensor in reads:
                readers[tensor] -= 1
            free = [tensor for tensor in reads if not readers[tensor]]
            if in_place and free:
                alive.remove(free[0])
            alive.add(output)
            peak = max(peak, self.bytes(alive))
            alive -= set(free)
        assert alive == {self.result}
        return peak

    def bytes(self, tensors: set[int]) -> int:
        return sum(4 * c * h * w for c, h, w in (self.shapes[tensor] for tensor in tensors))


def simulated(graph: Node, shape: Shape) -> int:
    return Program(graph, shape).peak()


def test_sampled_candidates_as_simulated(sampled: list[Candidate]) -> None:
    for candidate in sampled:
        graph = expand(candidate.architecture)
        assert graph_cost(graph, (1, 28, 28)).activation_bytes == simulated(graph, (1, 28, 28))


@settings(deadline=None, max_examples=100)
@given(st.from_type(Architecture), st.integers(1, 40), st.sampled_from([1, 3]))
def test_any_architecture_as_simulated(
    architecture: Architecture, resolution: int, channels: int
) -> None:
    graph, shape = expand(architecture, channels), (channels, resolution, resolution)
    assert graph_cost(graph, shape).activation_bytes == simulated(graph, shape)


def test_googlenet_peaks_in_its_stem(googlenet: Architecture) -> None:
    # The first convolution's 64x112x112 output and its pooled copy, or the 3x3's 192x56x56.
    expected = 4 * (64 * 112 * 112 + 64 * 56 * 56)
    assert graph_cost(expand(googlenet, 3), (3, 224, 224)).activation_bytes == expected
