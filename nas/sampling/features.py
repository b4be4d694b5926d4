"""What a surrogate sees of a candidate: numbers from its layer graph and from its architecture."""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from nas.settings import EDITION
from search_space.architecture import NORMS, RESIDUALS, Architecture, Block, Candidate, Stage
from search_space.cost import graph_cost
from search_space.expand import expand
from search_space.factorization import FACTORIZATIONS
from search_space.graph import Concat, Conv, Layer, Linear, Node, Sequence, Shape
from studies.pareto import Floats

PACE = (-0.10, 0.80, 0.34, 0.065)
"""How the logarithm of seconds grows with a row's first numbers: log10 of parameters, of FLOPs, of
activation bytes, and depth. From a study's 147 evaluations at three budgets, in bf16
(benchmarks/surrogates.py --seconds).
"""

PACE_OF_THE_FIRST = (0.05, -0.06, 2.04, 0.04)
"""The same in studies of the first edition, from when memory was not kept yet."""

GRAPH = 8
"""How many of a row's numbers, the first ones, are of the layer graph: its cost and its shape."""

STAGES = 3
"""Stages that have features of their own: the first ones; later ones count in the sums."""

GRIDS = 3
"""Sizes of maps whose FLOPs are counted apart."""

NOTHING = 1000
"""FLOPs added before their logarithm is taken: so few are nothing."""


def features(
    candidates: Iterable[Candidate], image: Shape, classes: int, edition: int = EDITION
) -> Floats:
    """One row a candidate, [N, D]: cost, depth, last map, kinds of kernels; then its choices.

    From the second edition on, too: the widths in a stem's second part, the narrowest map, where
    its FLOPs are, and how many blocks have which residual.
    """
    return np.array([_row(candidate, image, classes, edition) for candidate in candidates])


def log_seconds(row: Floats, edition: int = EDITION) -> float:
    """Natural logarithm of the seconds that training takes, but for a constant, from its row."""
    pace = PACE if edition > 1 else PACE_OF_THE_FIRST
    return float(np.dot(row[: len(pace)], pace))


def _row(candidate: Candidate, image: Shape, classes: int, edition: int) -> list[float]:
    architecture = candidate.architecture
    graph = expand(architecture, image[0], classes)
    row = [
        *_graph(graph, image),
        *_choices(architecture),
        candidate.label_smoothing,
    ]
    if edition > 1:
        stem = architecture.stem
        one, three = stem.second or (0, 0)
        row += [one / stem.width, three / stem.width]
        row += [*_flow(graph, image), *_residuals(architecture)]
    return row


def _graph(graph: Sequence, image: Shape) -> list[float]:
    total = graph_cost(graph, image)
    body = Sequence(tuple(part for part in graph.children if part[0] != "head"))
    last = graph_cost(body, image).output
    depth, one, large = 0, 0, 0
    shape = image
    for _, part in graph.children:
        found = _measure(part, shape)
        shape, depth = found.output, depth + found.depth
        one, large = one + found.one, large + found.large
    return [
        math.log10(total.params),
        math.log10(total.flops),
        math.log10(total.activation_bytes),
        depth,
        math.log2(last[0]),
        math.log2(last[1]),
        one / total.flops,
        large / total.flops,
    ]


def _flow(graph: Sequence, image: Shape) -> list[float]:
    """Base-2 logarithms of the fewest activations that the image passes through on its way to the
    head, between parts of the body, and of the FLOPs at each size of map.

    Sizes are above a half of the image, above a quarter of it, and the rest.
    """
    shape, fewest = image, math.inf
    flops = [0] * GRIDS
    for name, part in graph.children:
        if name == "head":
            break
        for layer, output in _layers(part, shape):
            flops[_grid(output, image)] += layer.flops(output)
        shape = _measure(part, shape).output
        fewest = min(fewest, math.prod(shape))
    return [math.log2(fewest), *(math.log2(NOTHING + found) for found in flops)]


def _grid(shape: Shape, image: Shape) -> int:
    """Which of the sizes of maps a map has: 0 is the largest."""
    return min(GRIDS - 1, int(math.log2(max(1.0, image[1] / max(1, shape[1])))))


def _layers(node: Node, shape: Shape) -> Iterable[tuple[Conv, Shape]]:
    """Convolutions with their outputs' shapes."""
    if isinstance(node, Conv):
        yield node, node.output(shape)
    elif not isinstance(node, Layer):
        for _, child in node.children:
            yield from _layers(child, shape)
            if isinstance(node, Sequence):
                shape = _measure(child, shape).output


def _residuals(architecture: Architecture) -> list[float]:
    """How many blocks have each kind of residual; blocks whose sums nothing normalizes; blocks
    without any batch norm.

    Where each branch adds its input and the norm stands in the branch, values grow from block to
    block: some of these networks don't learn at all.
    """
    blocks = [block for stage in architecture.stages for block in stage.blocks]
    counts = [float(sum(block.residual == kind for block in blocks)) for kind in RESIDUALS]
    grown = counts[RESIDUALS.index("branch")] * (architecture.norm == "conv-bn-relu")
    return [*counts, grown, len(blocks) * float(architecture.norm == "none")]


class _Measured(NamedTuple):
    """A node's output shape, its depth in weighted layers, FLOPs in 1x1 and in kernels above 3."""

    output: Shape
    depth: int
    one: int
    large: int


@lru_cache(maxsize=65536)
def _measure(node: Node, shape: Shape) -> _Measured:
    if isinstance(node, Layer):
        output = node.output(shape)
        weighted = isinstance(node, Conv | Linear)
        flops = node.flops(output) if isinstance(node, Conv) else 0
        kernel = node.kernel if isinstance(node, Conv) else (0, 0)
        one, large = flops * (kernel == (1, 1)), flops * (max(kernel) > 3)
        return _Measured(output, int(weighted), one, large)
    parts: list[_Measured] = []
    output = shape
    for _, child in node.children:
        parts.append(_measure(child, output if isinstance(node, Sequence) else shape))
        output = parts[-1].output
    depths = [part.depth for part in parts]
    depth = sum(depths) if isinstance(node, Sequence) else max(depths)
    if isinstance(node, Concat):
        output = (sum(part.output[0] for part in parts), *output[1:])
    return _Measured(output, depth, sum(p.one for p in parts), sum(p.large for p in parts))


def _choices(architecture: Architecture) -> list[float]:
    stem = architecture.stem
    row = [
        float(stem.kernel),
        float(stem.stride),
        float(stem.pool),
        float(stem.second is not None),
        math.log2(stem.width),
        float(len(architecture.stages)),
        float(sum(len(stage.blocks) for stage in architecture.stages)),
        *_one_hot(architecture.norm, NORMS),
        architecture.dropout,
    ]
    for number in range(STAGES):
        there = number < len(architecture.stages)
        row += _stage(architecture.stages[number]) if there else [0.0] * STAGE_FEATURES
    return row


def _stage(stage: Stage) -> list[float]:
    block = stage.blocks[-1]
    return [
        float(len(stage.blocks)),
        float(stage.reduction == "inception"),
        *_block(block),
    ]


def _block(block: Block) -> list[float]:
    widths = (block.width_1x1, block.width_3x3, block.width_5x5, block.width_pool)
    reduce = [reduce / width if width else 0.0 for _, _, reduce, width in block.large]
    return [
        math.log2(block.width),
        *(width / block.width for width in widths),
        *reduce,
        float(block.n),
        float(block.pool == "avg"),
        block.scale if block.residual == "block" else 0.0,
        *_one_hot(block.residual, RESIDUALS),
        *_one_hot(block.factorization, tuple(FACTORIZATIONS)),
    ]


def _one_hot(value: str, options: Iterable[str]) -> list[float]:
    return [float(value == option) for option in options]


STAGE_FEATURES = len(_stage(Stage((Block(1),))))
