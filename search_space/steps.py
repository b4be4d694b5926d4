"""The layer graph as steps on numbered tensors, in the order in which they run."""

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
        return (
            (source, output)
            if node.passes
            else (_step(made, node, name, (source,), output), output)
        )
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
