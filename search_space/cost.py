"""Exact cost of a layer graph, by folding it: shapes, parameters, FLOPs, activation bytes."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from search_space.architecture import Architecture
from search_space.device.cores import Core
from search_space.device.needs import Needs, needs
from search_space.expand import expand
from search_space.graph import (
    Add,
    Concat,
    Layer,
    Node,
    Pool,
    ReLU,
    Sequence,
    Shape,
    ShapeError,
    passes,
)

FLOAT32_BYTES = 4
INDEX_BYTES = 8


class Cost(NamedTuple):
    """Cost of one image. ``output`` is (channels, height, width).

    ``flops`` are 2 x multiply-adds of convolutions and linear layers (``macs`` is half of that).
    ``params`` are those of the network in use: auxiliary heads serve training alone.
    ``activation_bytes`` is the most that float32 activations hold at one moment as torch runs the
    module in evaluation: a layer's input and output, branches that wait for their concatenation,
    and the input of every node around the layer, the image among them; ReLU overwrites its input
    where nobody else needs it. A max-pool holds the int64 indices of its output too, as torch's
    does on a CPU. Scratch memory inside a layer's kernel is not counted.
    ``flash_bytes`` and ``arena_bytes`` are those of its C file in 8-bit integers, ``cycles`` an
    estimate of what it takes a core (`search_space.device`); None where they were not asked for.
    """

    output: Shape
    params: int
    flops: int
    activation_bytes: int
    flash_bytes: int | None = None
    arena_bytes: int | None = None
    cycles: int | None = None

    @property
    def macs(self) -> int:
        """Multiply-adds: half of ``flops``."""
        return self.flops // 2


OnDevice = bool | Core
"""Whether costs on a device are wanted; where a core is given, its cycles too."""


def cost(
    architecture: Architecture,
    resolution: int = 28,
    channels: int = 1,
    classes: int = 10,
    device: OnDevice = False,
) -> Cost:
    """Cost of ``architecture`` on square images of ``resolution`` pixels, no module built.

    With ``device`` that on a device too, which takes ten times as long.
    """
    graph, image = expand(architecture, channels, classes), (channels, resolution, resolution)
    total = graph_cost(graph, image)
    if not device:
        return total
    core = device if isinstance(device, Core) else None
    return total._replace(**needs(graph, image, core)._asdict())


def asks_for_device(names: Iterable[str]) -> bool:
    """Whether costs on a device are among these names of objectives or limits."""
    return not set(names).isdisjoint(Needs._fields)


def graph_cost(graph: Node, shape: Shape) -> Cost:
    """Cost of ``graph`` on an input of ``shape``; ShapeError names the layer that can't run."""
    return _fold(graph, shape, False)


def tensor_bytes(shape: Shape) -> int:
    """Bytes of one float32 map."""
    return FLOAT32_BYTES * shape[0] * shape[1] * shape[2]


@lru_cache(maxsize=65536)
def _fold(node: Node, shape: Shape, owned: bool) -> Cost:
    """``owned``: nobody else needs the input, so it may be overwritten."""
    if isinstance(node, Layer):
        output = node.output(shape)
        in_place = node.passes or (owned and isinstance(node, ReLU))
        peak = tensor_bytes(shape) + (0 if in_place else tensor_bytes(output))
        if isinstance(node, Pool) and node.mode == "max":
            peak += INDEX_BYTES * output[0] * output[1] * output[2]
        return Cost(output, node.params, node.flops(output), peak)
    if isinstance(node, Sequence):
        return _fold_sequence(node, shape, owned)
    return _fold_branches(node, shape)


def _child(name: str, child: Node, shape: Shape, owned: bool) -> Cost:
    try:
        return _fold(child, shape, owned)
    except ShapeError as error:
        raise error.within(name) from None


def _fold_sequence(node: Sequence, shape: Shape, owned: bool) -> Cost:
    """The sequence's own input stays alive until its last child has run."""
    params = flops = held = 0
    peak = tensor_bytes(shape)
    output = shape
    for name, child in node.children:
        part = _child(name, child, output, owned)
        params += part.params
        flops += part.flops
        peak = max(peak, held + part.activation_bytes)
        if not passes(child):
            in_place = owned and isinstance(child, ReLU)
            held = held if in_place else tensor_bytes(shape)
            owned = True
        output = part.output
    return Cost(output, params, flops, peak)


def _fold_branches(node: Concat | Add, shape: Shape) -> Cost:
    """The input stays alive until the last branch has run; finished outputs wait beside it.

    A concatenation, and every partial sum, is a new tensor.
    """
    source = tensor_bytes(shape)
    params = flops = waiting = channels = 0
    peak = source
    output = shape
    for index, (name, child) in enumerate(node.children):
        part = _child(name, child, shape, False)
        params += part.params
        flops += part.flops
        peak = max(peak, waiting + part.activation_bytes)
        output = part.output
        channels += output[0]
        waiting += 0 if passes(child) else tensor_bytes(output)
        if index and isinstance(node, Add):
            peak = max(peak, source + waiting + tensor_bytes(output))
            waiting = tensor_bytes(output)
    if isinstance(node, Concat):
        output = (channels, output[1], output[2])
        peak = max(peak, source + waiting + tensor_bytes(output))
    return Cost(output, params, flops, peak)
