"""What a surrogate sees of a candidate: numbers from its layer graph and from its architecture."""

import math
from collections.abc import Sequence

import numpy as np

from search_space.architecture import NORMS, RESIDUALS, Architecture, Block, Candidate, Stage
from search_space.cost import graph_cost
from search_space.expand import expand
from search_space.factorization import FACTORIZATIONS
from search_space.graph import Conv, Linear, Shape
from search_space.steps import steps
from studies.pareto import Floats

STAGES = 3
"""Stages that have features of their own: the first ones; later ones count in the sums."""


def features(candidates: Sequence[Candidate], image: Shape, classes: int) -> Floats:
    """One row a candidate, [N, D]: cost, depth, last map, kinds of kernels; then its choices."""
    return np.array([_row(candidate, image, classes) for candidate in candidates])


def _row(candidate: Candidate, image: Shape, classes: int) -> list[float]:
    architecture = candidate.architecture
    return [
        *_graph(architecture, image, classes),
        *_choices(architecture),
        candidate.label_smoothing,
    ]


def _graph(architecture: Architecture, image: Shape, classes: int) -> list[float]:
    graph = expand(architecture, image[0], classes)
    total = graph_cost(graph, image)
    made = steps(graph, image)
    depth = [0] * len(made.shapes)
    large = one = 0
    for step in made.steps:
        weighted = isinstance(step.node, Conv | Linear)
        depth[step.output] = max(depth[tensor] for tensor in step.inputs) + weighted
        if isinstance(step.node, Conv):
            flops = step.node.flops(made.shapes[step.output])
            one += flops if step.node.kernel == (1, 1) else 0
            large += flops if max(step.node.kernel) > 3 else 0
    last = next(s for s in made.steps if s.name == "head.pool").inputs[0]
    return [
        math.log10(total.params),
        math.log10(total.flops),
        math.log10(total.activation_bytes),
        max(depth),
        math.log2(made.shapes[last][0]),
        math.log2(made.shapes[last][1]),
        one / total.flops,
        large / total.flops,
    ]


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


def _one_hot(value: str, options: Sequence[str]) -> list[float]:
    return [float(value == option) for option in options]


STAGE_FEATURES = len(_stage(Stage((Block(1),))))
