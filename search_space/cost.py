"""Exact cost of a layer graph, by folding it: shapes, parameters, FLOPs, activation bytes."""

from functools import lru_cache
from typing import NamedTuple

from search_space.architecture import Architecture
from search_space.expand import expand
from search_space.graph import Add, Concat, Layer, Node, Sequence, Shape

FLOAT32_BYTES = 4


class Cost(NamedTuple):
    """Cost of one image. ``output`` is (channels, height, width).

    ``flops`` are 2 x multiply-adds of convolutions and linear layers (``macs`` is half of that).
    ``activation_bytes`` is the peak of the activations that are alive at one moment, float32,
    layers run one by one in the graph's order; elementwise layers overwrite their input where
    nobody else needs it.
    """

    output: Shape
    params: int
    flops: int
    activation_bytes: int

    @property
    def macs(self) -> int:
        """Multiply-adds: half of ``flops``."""
        return self.flops // 2


def cost(
    architecture: Architecture, resolution: int = 28, channels: int = 1, classes: int = 10
) -> Cost:
    """Cost of ``architecture`` on square images of ``resolution`` pixels, no module built."""
    return graph_cost(expand(architecture, channels, classes), (channels, resolution, resolution))


def graph_cost(graph: Node, shape: Shape) -> Cost:
    """Cost of ``graph`` on an input of ``shape``."""
    return _fold(graph, shape, True)


def _size(shape: Shape) -> int:
    return FLOAT32_BYTES * shape[0] * shape[1] * shape[2]


@lru_cache(maxsize=65536)
def _fold(node: Node, shape: Shape, owned: bool) -> Cost:
    """``owned``: nobody else needs the input, so it may be overwritten, and freed after use."""
    if isinstance(node, Layer):
        output = node.output(shape)
        peak = _size(shape) + (0 if owned and node.elementwise else _size(output))
        return Cost(output, node.params, node.flops(output), peak)
    if isinstance(node, Sequence):
        return _fold_sequence(node, shape, owned)
    return _fold_branches(node, shape, owned)


def _fold_sequence(node: Sequence, shape: Shape, owned: bool) -> Cost:
    params = flops = 0
    held = 0
    peak = _size(shape)
    output = shape
    for index, (_, child) in enumerate(node.children):
        part = _fold(child, output, owned or index > 0)
        params += part.params
        flops += part.flops
        peak = max(peak, held + part.activation_bytes)
        held = 0 if owned else _size(shape)
        output = part.output
    return Cost(output, params, flops, peak)


def _fold_branches(node: Concat | Add, shape: Shape, owned: bool) -> Cost:
    """The input stays alive until the last branch has run; finished outputs wait beside it.

    A sum is gathered in place; a concatenation is a copy.
    """
    params = flops = waiting = peak = channels = 0
    output = shape
    count = len(node.children)
    for index, (_, child) in enumerate(node.children, 1):
        part = _fold(child, shape, owned and index == count)
        params += part.params
        flops += part.flops
        peak = max(peak, waiting + part.activation_bytes)
        output = part.output
        channels += output[0]
        if isinstance(child, Sequence) and not child.children:
            continue
        waiting += _size(output)
    if isinstance(node, Concat):
        output = (channels, output[1], output[2])
        waiting += _size(output)
    if not owned or any(isinstance(c, Sequence) and not c.children for _, c in node.children):
        waiting += _size(shape)
    return Cost(output, params, flops, max(peak, waiting))
