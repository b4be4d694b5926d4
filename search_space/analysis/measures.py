"""What a network costs and how it sees: parameters, FLOPs, bytes, shares, receptive field, depth.

.. [Araujo2019] A. Araujo et al., Computing Receptive Fields of Convolutional Neural Networks,
   Distill 2019.
"""

from collections import Counter
from typing import NamedTuple

from search_space.cost import FLOAT32_BYTES, graph_cost
from search_space.graph import Concat, Conv, GlobalPool, Layer, Linear, Pool, Sequence, Shape
from search_space.steps import Program, Steps, fuse, steps


class Measures(NamedTuple):
    """Figures of a network on one image, in evaluation; plain data, so that JSON can hold it.

    ``flops`` are 2 x ``macs``, as in ``search_space.cost``; ``activation_bytes`` is the peak as
    torch runs the module, from there too. ``weight_bytes`` are the parameters in float32.

    ``moved_bytes`` are those that go to and from memory, in float32, if nothing is kept on the chip
    between fused steps: every convolution, linear layer, pooling and sum reads its inputs and its
    weights once and writes its output once. Element-wise layers are computed with the step before
    them and move nothing but their parameters; so does one that stands first (BN-ReLU-conv), on a
    concatenation or on a tensor that several read: it is computed when its result is read.
    Concatenations move nothing, because branches write into them. ``intensity`` is FLOPs per byte
    moved, 0 where nothing moves.

    ``shares`` are, for every kind of layer that has either, its share of the parameters and of the
    FLOPs, from 0 to 1, the largest share of the parameters first.

    ``receptive_field`` is (height, width) in pixels of the image: what one position of the last map
    before the global pooling (or the first linear layer) sees, borders ignored, the largest of all
    paths ([Araujo2019]_). ``depth`` is the longest chain of convolutions and linear layers.
    ``branches`` is how many branches the widest concatenation joins, 1 where there is none.
    """

    params: int
    macs: int
    flops: int
    weight_bytes: int
    activation_bytes: int
    moved_bytes: int
    intensity: float
    shares: dict[str, tuple[float, float]]
    receptive_field: tuple[int, int]
    depth: int
    branches: int


def measure(graph: Sequence, shape: Shape) -> Measures:
    """Measures of ``graph`` on an image of ``shape``; ShapeError names a layer that can't run."""
    total = graph_cost(graph, shape)
    made = steps(graph, shape)
    moved = FLOAT32_BYTES * _moved_values(fuse(made))
    return Measures(
        params=total.params,
        macs=total.macs,
        flops=total.flops,
        weight_bytes=FLOAT32_BYTES * total.params,
        activation_bytes=total.activation_bytes,
        moved_bytes=moved,
        intensity=total.flops / moved if moved else 0.0,
        shares=_shares(made),
        receptive_field=_receptive_field(made),
        depth=_depth(made),
        branches=max((len(s.inputs) for s in made.steps if isinstance(s.node, Concat)), default=1),
    )


def _moved_values(program: Program) -> int:
    return sum(
        step.params + sum(map(program.values, (*step.reads, step.writes))) for step in program.steps
    )


def _shares(made: Steps) -> dict[str, tuple[float, float]]:
    params: Counter[str] = Counter()
    flops: Counter[str] = Counter()
    for step in made.steps:
        if isinstance(step.node, Layer):
            params[step.node.kind] += step.node.params
            flops[step.node.kind] += step.node.flops(made.shapes[step.output])
    all_params, all_flops = params.total() or 1, flops.total() or 1
    return {
        kind: (count / all_params, flops[kind] / all_flops)
        for kind, count in params.most_common()
        if count or flops[kind]
    }


def _receptive_field(made: Steps) -> tuple[int, int]:
    """A window of k positions, each ``step`` pixels from the next, sees (k - 1) x step more."""
    seen = [((1, 1), 1)]
    for _, node, inputs, _ in made.steps:
        height, width = (max(seen[tensor][0][axis] for tensor in inputs) for axis in (0, 1))
        step = max(seen[tensor][1] for tensor in inputs)
        if isinstance(node, GlobalPool | Linear):
            return height, width
        (rows, columns), stride = _window(node)
        field = height + (rows - 1) * step, width + (columns - 1) * step
        seen.append((field, step * stride))
    return seen[-1][0]


def _window(node: object) -> tuple[tuple[int, int], int]:
    """(height, width) and stride of the window that a layer moves over its input."""
    if isinstance(node, Conv):
        return node.kernel, node.stride
    if isinstance(node, Pool):
        return (node.kernel, node.kernel), node.stride
    return (1, 1), 1


def _depth(made: Steps) -> int:
    depths = [0]
    for _, node, inputs, _ in made.steps:
        weighted = isinstance(node, Conv | Linear)
        depths.append(max(depths[tensor] for tensor in inputs) + weighted)
    return depths[-1]
