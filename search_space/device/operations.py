"""The layer graph as operations on 8-bit tensors, as a file for a device runs them.

Whatever is constant in use is folded: batch norm, a residual's scale and ReLU into the convolution,
sum or normalization before them [Jacob2018]_; dropout and auxiliary heads are gone. A concatenation
is no operation: its parts are written where they belong. An element-wise operation overwrites its
input where nothing else reads that.

.. [Jacob2018] B. Jacob et al., Quantization and Training of Neural Networks for Efficient
   Integer-Arithmetic-Only Inference, CVPR 2018.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from search_space.graph import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    GlobalPool,
    Layer,
    Linear,
    Node,
    Pool,
    ReLU,
    Scale,
    Shape,
)
from search_space.steps import Step, steps

CONV, AFFINE, MAX_POOL, AVG_POOL, GLOBAL_POOL, ADD, COPY = KINDS = (
    "convolution",
    "affine",
    "max-pool",
    "avg-pool",
    "global avg-pool",
    "add",
    "copy",
)
"""Kinds of operations. A linear layer is a convolution whose kernel is all of its map; affine is a
scale and a shift for each channel, of a batch norm that follows no convolution.
"""

IMAGE = 0
"""The tensor that the caller holds; no part of the arena."""


@dataclass(eq=False)
class Operation:
    """One operation: its tensors, which are numbered, and the layers that are folded into it.

    ``layers`` have their dotted names in the graph; ``name`` is that of the operation's first node.
    ``relu`` says whether it ends with one.
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    output: int
    layers: list[tuple[str, Layer]] = field(default_factory=list)
    relu: bool = False

    @property
    def window(self) -> Conv | Linear | Pool | GlobalPool:
        """The layer that moves over a map; of operations that have one."""
        _, first = self.layers[0]
        assert isinstance(first, Conv | Linear | Pool | GlobalPool), f"{self.kind} has no window"
        return first


class Place(NamedTuple):
    """Where a tensor lies: which buffer, and from which of the buffer's channels on."""

    buffer: int
    channel: int


@dataclass(eq=False)
class Operations:
    """Operations in an order in which they can run, and where their tensors lie.

    ``shapes`` are those of tensors, ``places`` where they lie, ``buffers`` the shapes of buffers,
    by number; the image is tensor 0 and buffer 0. ``wholes`` has the concatenation that a tensor is
    a part of, where it is one. ``output`` is the tensor of the logits.
    """

    operations: list[Operation]
    shapes: list[Shape]
    places: list[Place]
    buffers: dict[int, Shape]
    wholes: dict[int, int]
    output: int

    def size(self, buffer: int) -> int:
        """Bytes of a buffer in the arena, one a value; the image is not in it."""
        return 0 if buffer == IMAGE else prod(self.buffers[buffer])

    def root(self, tensor: int) -> int:
        """The concatenation that a tensor is a part of, or itself."""
        while tensor in self.wholes:
            tensor = self.wholes[tensor]
        return tensor

    def rectified(self) -> dict[int, bool]:
        """Whether no value of a tensor is below 0, by its root; such a tensor's zero is 0."""
        known: dict[int, bool] = {IMAGE: False}
        for one in self.operations:
            kept = one.kind in (MAX_POOL, AVG_POOL, GLOBAL_POOL, COPY)
            never = one.relu or (kept and known.get(self.root(one.inputs[0]), False))
            root = self.root(one.output)
            known[root] = never and known.get(root, True)
        return known


def operations(graph: Node, image: Shape) -> Operations:
    """The operations of a graph on an image; ShapeError names a layer that can't run."""
    made = steps(graph, image)
    building = _Building(list(made.shapes), Counter(t for s in made.steps for t in s.inputs))
    for step in made.steps:
        building.add(step)
    return building.finished()


class _Building:
    """Operations while they are made: which of them made a tensor, and which tensor is another."""

    def __init__(self, shapes: list[Shape], readers: Counter[int]) -> None:
        self.shapes, self.readers = shapes, readers
        self.made: list[Operation] = []
        self.maker: dict[int, Operation] = {}
        self.wholes: dict[int, tuple[int, int]] = {}  # tensor: concatenation, channel in it
        self.overwritten: dict[int, int] = {}  # tensor: what overwrites it
        self.last = IMAGE

    def add(self, step: Step) -> None:
        node = step.node
        if isinstance(node, Concat):
            self._concatenate(step)
        elif isinstance(node, Add):
            self._run(ADD, step.name, step.inputs, step.output)
        elif isinstance(node, BatchNorm | ReLU | Scale):
            self._fold(step, node)
        else:
            self._run(_kind(node), step.name, step.inputs, step.output, node)
        self.last = step.output

    def _run(
        self, kind: str, name: str, inputs: tuple[int, ...], output: int, layer: Layer | None = None
    ) -> Operation:
        made = Operation(kind, name, inputs, output, [] if layer is None else [(name, layer)])
        self.made.append(made)
        self.maker[output] = made
        return made

    def _fold(self, step: Step, layer: BatchNorm | ReLU | Scale) -> None:
        """Into the operation that makes its input, if that is its own; else it is one itself."""
        (source,) = step.inputs
        maker = self.maker.get(source)
        if maker is None or self.readers[source] > 1 or not _takes(maker, layer):
            maker = self._run(AFFINE, step.name, (source,), step.output)
        maker.layers.append((step.name, layer))
        maker.relu = isinstance(layer, ReLU)
        maker.output = step.output
        self.maker[step.output] = maker

    def _concatenate(self, step: Step) -> None:
        channel = 0
        for number, tensor in enumerate(step.inputs):
            width = self.shapes[tensor][0]
            joined = tensor in {whole for whole, _ in self.wholes.values()}
            if not (tensor in self.maker or joined) or self.readers[tensor] > 1:
                self.shapes.append(self.shapes[tensor])
                copied = len(self.shapes) - 1
                self._run(COPY, f"{step.name}.{number}", (tensor,), copied)
                tensor = copied
            self.wholes[tensor] = (step.output, channel)
            channel += width

    def finished(self) -> Operations:
        """With a place for each tensor."""
        self._overwrite()
        places = [self._place(tensor) for tensor in range(len(self.shapes))]
        used = {IMAGE} | {t for one in self.made for t in (*one.inputs, one.output)}
        buffers = {
            places[tensor].buffer: self.shapes[places[tensor].buffer] for tensor in sorted(used)
        }
        wholes = {tensor: whole for tensor, (whole, _) in self.wholes.items()}
        return Operations(self.made, self.shapes, places, buffers, wholes, self.last)

    def _overwrite(self) -> None:
        """Element-wise operations write into their input, if they alone read it."""
        for one in self.made:
            if one.kind in (AFFINE, ADD):
                for tensor in one.inputs:
                    alone = self.readers[tensor] == 1 and tensor not in self.wholes
                    if alone and tensor != IMAGE:
                        self.overwritten[tensor] = one.output
                        break

    def _place(self, tensor: int) -> Place:
        channel = 0
        while tensor in self.wholes or tensor in self.overwritten:
            if tensor in self.overwritten:
                tensor = self.overwritten[tensor]
            else:
                tensor, offset = self.wholes[tensor]
                channel += offset
        return Place(tensor, channel)


def _kind(node: Layer) -> str:
    if isinstance(node, Conv | Linear):
        return CONV
    if isinstance(node, GlobalPool):
        return GLOBAL_POOL
    assert isinstance(node, Pool), f"nothing runs {node.kind} on a device"
    return MAX_POOL if node.mode == "max" else AVG_POOL


def _takes(maker: Operation, layer: BatchNorm | ReLU | Scale) -> bool:
    """Whether an operation can compute a layer along with its own."""
    if maker.relu:
        return False
    return maker.kind in (CONV, AFFINE) or (maker.kind == ADD and isinstance(layer, ReLU))
