"""The layer graph as steps on numbered tensors, in the order in which they run, plain and fused."""

from collections import Counter
from math import prod
from typing import NamedTuple

from search_space.graph import Add, Concat, Layer, Node, Sequence, Shape, ShapeError


class Step(NamedTuple):
    """One layer, concatenation or sum: the tensors that it reads, and the one that it makes.

    ``name`` is its dotted name in the graph. Layers that hand their input on make no step.
    """

    name: str
    node: Layer | Concat | Add
    inputs: tuple[int, ...]
    output: int


class Steps(NamedTuple):
    """Steps in order, and the shape of every tensor; tensor 0 is the image."""

    steps: list[Step]
    shapes: list[Shape]


class FusedStep(NamedTuple):
    """A layer or sum that passes over memory, with the element-wise layers computed along with it.

    ``params`` are those of all of these layers, ``flops`` of one image. ``reads`` are the tensors
    in memory that it needs, each named once; ``writes`` is the one that it makes.
    """

    name: str
    kind: str
    params: int
    flops: int
    reads: tuple[int, ...]
    writes: int


class Program(NamedTuple):
    """Fused steps in order, and the tensors in memory; tensor 0 is the image.

    ``buffers`` names, for every tensor, the tensor whose memory it stands in: mostly itself, for
    a part of a concatenation the whole, for an element-wise result its source. ``result`` is the
    buffer that the output stands in.
    """

    steps: list[FusedStep]
    shapes: list[Shape]
    buffers: list[int]
    result: int

    def values(self, tensor: int) -> int:
        """How many values one image's tensor has."""
        return prod(self.shapes[tensor])


def steps(graph: Node, shape: Shape) -> Steps:
    """The steps of ``graph`` on an image of ``shape``; ShapeError names a layer that can't run."""
    made = Steps([], [shape])
    _add(made, graph, "", 0, shape)
    return made


def _add(made: Steps, node: Node, name: str, source: int, shape: Shape) -> tuple[int, Shape]:
    """Append the steps of ``node`` on tensor ``source``, seen as ``shape``; what comes out."""
    if isinstance(node, Layer):
        try:
            output = node.output(shape)
        except ShapeError as error:
            raise error.within(name) from None
        if node.passes:
            return source, output
        return _step(made, node, name, (source,), output), output
    names = [f"{name}.{child}" if name else child for child, _ in node.children]
    children = [child for _, child in node.children]
    if isinstance(node, Sequence):
        for child_name, child in zip(names, children, strict=True):
            source, shape = _add(made, child, child_name, source, shape)
        return source, shape
    parts = [_add(made, c, n, source, shape) for n, c in zip(names, children, strict=True)]
    output = parts[0][1]
    if isinstance(node, Concat):
        output = (sum(part[0] for _, part in parts), *output[1:])
    inputs = tuple(tensor for tensor, _ in parts)
    return _step(made, node, name, inputs, output), output


def _step(
    made: Steps, node: Layer | Concat | Add, name: str, inputs: tuple[int, ...], shape: Shape
) -> int:
    made.shapes.append(shape)
    made.steps.append(Step(name, node, inputs, len(made.shapes) - 1))
    return len(made.shapes) - 1


def fuse(made: Steps) -> Program:
    """The steps as a compiler would run them, with no element-wise pass and no concatenation.

    An element-wise layer is computed with the step that makes its input. Where that is a
    concatenation or the image, or something else reads it too, the layer is computed by whatever
    reads its result, each time; its parameters count for the first of these. A concatenation is no
    step: its branches write into its memory. What can't be written there, because it is the image
    or something else reads it too, is copied there by a step of the kind "copy"; so is an output
    that no step would make.
    """
    readers = Counter(tensor for step in made.steps for tensor in step.inputs)
    fused: list[FusedStep] = []
    shapes = list(made.shapes)
    stored = list(range(len(shapes)))
    buffers = list(range(len(shapes)))
    makers: dict[int, int] = {}
    waiting: dict[int, tuple[Layer, ...]] = {}

    def run(name: str, node: Layer | Add | None, inputs: tuple[int, ...], output: int) -> None:
        layers = [layer for tensor in inputs for layer in waiting.pop(tensor, ())]
        kind, flops = ("copy" if node is None else "add"), 0
        if isinstance(node, Layer):
            layers.append(node)
            kind, flops = node.kind, node.flops(shapes[output])
        reads = tuple(dict.fromkeys(stored[tensor] for tensor in inputs))
        makers[output] = len(fused)
        params = sum(layer.params for layer in layers)
        fused.append(FusedStep(name, kind, params, flops, reads, output))

    def copy(name: str, tensor: int) -> int:
        shapes.append(shapes[tensor])
        stored.append(len(stored))
        buffers.append(len(buffers))
        run(name, None, (tensor,), len(stored) - 1)
        return len(stored) - 1

    def in_memory(tensor: int) -> bool:
        return tensor in makers or stored[tensor] == tensor

    for name, node, inputs, output in made.steps:
        if isinstance(node, Concat):
            for tensor in inputs:
                own = tensor != 0 and readers[tensor] == 1 and in_memory(tensor)
                buffers[stored[tensor] if own else copy(name, tensor)] = output
        elif isinstance(node, Layer) and node.elementwise:
            (source,) = inputs
            stored[output] = stored[source]
            if source in makers and readers[source] == 1:
                maker = makers[output] = makers[source]
                fused[maker] = fused[maker]._replace(params=fused[maker].params + node.params)
            else:
                waiting[output] = (*waiting.pop(source, ()), node)
        else:
            run(name, node, inputs, output)

    result = made.steps[-1].output if made.steps else 0
    if not in_memory(result):
        result = copy(made.steps[-1].name, result)

    def buffer(tensor: int) -> int:
        while tensor != (outer := buffers[stored[tensor]]):
            tensor = outer
        return tensor

    return Program(fused, shapes, [buffer(tensor) for tensor in range(len(shapes))], buffer(result))
