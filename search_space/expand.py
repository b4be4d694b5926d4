"""Architecture -> layer graph: the one place that knows what an Inception block is made of.

.. [Szegedy2015] C. Szegedy et al., Going Deeper with Convolutions, CVPR 2015.
.. [Szegedy2016] C. Szegedy et al., Rethinking the Inception Architecture, CVPR 2016.
.. [Szegedy2017] C. Szegedy et al., Inception-v4, Inception-ResNet, AAAI 2017.
.. [He2016] K. He et al., Identity Mappings in Deep Residual Networks, ECCV 2016.
"""

from functools import lru_cache
from typing import NamedTuple

from search_space.architecture import (
    Architecture,
    Block,
    Details,
    Stage,
    Stem,
    doubling,
)
from search_space.factorization import FACTORIZATIONS
from search_space.graph import (
    IDENTITY,
    Add,
    Auxiliary,
    Concat,
    Layer,
    Node,
    Sequence,
    batch_norm,
    conv,
    dropout,
    global_pool,
    linear,
    pool,
    relu,
    scale,
)

Parts = tuple[tuple[str, Node], ...]


class Style(NamedTuple):
    """What holds for every convolution and pooling of a network."""

    norm: str
    details: Details


def expand(architecture: Architecture, channels: int = 1, classes: int = 10) -> Sequence:
    """The layer graph of ``architecture`` for images of ``channels`` and ``classes`` classes."""
    style = Style(architecture.norm, architecture.details)
    stem = architecture.stem
    parts: list[tuple[str, Node]] = [("stem", _stem(stem, channels, style))]
    width = stem.second[1] if stem.second else stem.width
    heads = {(head.stage, head.block): head.weight for head in architecture.auxiliary}
    for index, stage in enumerate(architecture.stages, 1):
        if stage.reduction != "none":
            reduction, width = _reduction(stage, width, style)
            parts.append((f"reduction{index}", reduction))
        blocks: list[tuple[str, Node]] = []
        for number, block in enumerate(stage.blocks, 1):
            blocks.append((f"block{number}", _block(block, width, style)))
            width = width if block.residual == "block" else block.width
            if weight := heads.get((index, number)):
                head = Auxiliary(_auxiliary_head(width, classes, style), weight)
                blocks.append((f"auxiliary{number}", head))
        parts.append((f"stage{index}", Sequence(tuple(blocks))))
    last: list[tuple[str, Node]] = []
    if style.norm == "bn-relu-conv":
        last += [("bn", _norm(width, style)), ("relu", relu())]
    last.append(("pool", global_pool()))
    if architecture.dropout:
        last.append(("dropout", dropout(architecture.dropout)))
    last.append(("linear", linear(width, classes)))
    return Sequence((*parts, ("head", Sequence(tuple(last)))))


def _norm(width: int, style: Style) -> Layer:
    return batch_norm(width, style.details.norm_eps)


def _halving(style: Style, kernel: int = 3) -> Layer:
    """A max-pool with stride 2. A 2x2 one always rounds up, so that it runs on a single pixel."""
    if style.details.unpadded_pools or kernel == 2:
        return pool("max", 2, kernel, 0, ceil=True)
    return pool("max", 2, kernel)


def _auxiliary_head(inputs: int, classes: int, style: Style) -> Sequence:
    """[Szegedy2015]_ section 5: 128 1x1, linear 1024, dropout of 70 %, linear.

    The paper pools 14x14 maps by 5x5/3 to 4x4; here maps of any size are averaged to 4x4.
    """
    return Sequence(
        (
            ("pool", global_pool(4)),
            ("1x1", _unit(inputs, 128, (1, 1), style)),
            ("linear1", linear(128 * 4 * 4, 1024)),
            ("relu", relu()),
            ("dropout", dropout(0.7)),
            ("linear2", linear(1024, classes)),
        )
    )


@lru_cache(maxsize=65536)
def _unit(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int],
    style: Style,
    stride: int = 1,
    linear: bool = False,
) -> Sequence:
    """A convolution with its batch norm and activation; ``linear`` leaves the last ReLU out.

    Convolutions beside a batch norm are biased only if the details say so.
    """
    layer = conv(inputs, outputs, kernel, stride, _bias(style))
    if style.norm == "bn-relu-conv":
        return Sequence((("bn", _norm(inputs, style)), ("relu", relu()), ("conv", layer)))
    parts: list[tuple[str, Node]] = [("conv", layer)]
    if style.norm == "conv-bn-relu":
        parts.append(("bn", _norm(outputs, style)))
    if not linear:
        parts.append(("relu", relu()))
    return Sequence(tuple(parts))


def _bias(style: Style) -> bool:
    return style.norm == "none" or style.details.bias


def _stem(stem: Stem, channels: int, style: Style) -> Sequence:
    """[Szegedy2015]_ table 1. A BN-ReLU-conv network begins with a plain convolution."""
    kernel = (stem.kernel, stem.kernel)
    first: Node
    if style.norm == "bn-relu-conv":
        first = conv(channels, stem.width, kernel, stem.stride, _bias(style))
    else:
        first = _unit(channels, stem.width, kernel, style, stem.stride)
    parts: list[tuple[str, Node]] = [("first", first)]
    if stem.pool:
        parts.append(("pool1", _halving(style)))
    if stem.second:
        reduce, width = stem.second
        parts.append(("1x1", _unit(stem.width, reduce, (1, 1), style)))
        parts.append(("3x3", _unit(reduce, width, (3, 3), style)))
        parts.append(("pool2", _halving(style)))
    return Sequence(tuple(parts))


def _reduction(stage: Stage, width: int, style: Style) -> tuple[Node, int]:
    """What halves the maps before ``stage``, and the width that it makes of ``width``."""
    if stage.reduction == "inception":
        widths = stage.reduction_widths or doubling(width)
        return _inception_reduction(width, widths, style), width + widths[1] + widths[3]
    return _halving(style, 2 if stage.reduction == "max-pool-2x2" else 3), width


@lru_cache(maxsize=1024)
def _inception_reduction(inputs: int, widths: tuple[int, int, int, int], style: Style) -> Concat:
    """[Szegedy2016]_ figure 10: a strided 3x3, two 3x3 of which the last is strided, a max-pool."""
    reduce, width, double_reduce, double = widths
    single = (
        ("reduce", _unit(inputs, reduce, (1, 1), style)),
        ("3x3", _unit(reduce, width, (3, 3), style, 2)),
    )
    twice = (
        ("reduce", _unit(inputs, double_reduce, (1, 1), style)),
        ("3x3a", _unit(double_reduce, double, (3, 3), style)),
        ("3x3b", _unit(double, double, (3, 3), style, 2)),
    )
    return Concat(
        (("3x3", Sequence(single)), ("double 3x3", Sequence(twice)), ("pool", pool("max", 2)))
    )


@lru_cache(maxsize=16384)
def _block(block: Block, inputs: int, style: Style) -> Node:
    """[Szegedy2015]_ figure 2b with the residuals of [Szegedy2017]_ section 3.3."""
    linear = block.residual == "branch"
    branches: list[tuple[str, Node]] = []
    if block.width_1x1:
        branches.append(("1x1", _unit(inputs, block.width_1x1, (1, 1), style, 1, linear)))
    for name, kernel, reduce, width in block.large:
        if width:
            parts: Parts = (("reduce", _unit(inputs, reduce, (1, 1), style)),)
            parts += _factorized(block, kernel, reduce, width, style, linear)
            branches.append((name, Sequence(parts)))
    if block.width_pool:
        pooled: Parts = (("pool", pool(block.pool, 1)),)
        if style.details.pool_norm:
            pooled += (("bn", _norm(inputs, style)),)
        project = _unit(inputs, block.width_pool, (1, 1), style, 1, linear)
        branches.append(("pool", Sequence((*pooled, ("1x1", project)))))

    if block.residual == "branch":
        widths = [block.width_1x1, block.width_3x3, block.width_5x5, block.width_pool]
        return Concat(
            tuple(
                (name, _added(branch, _projection(inputs, width), style.norm))
                for (name, branch), width in zip(branches, filter(None, widths), strict=True)
            )
        )
    joined = Concat(tuple(branches))
    if block.residual == "none":
        return joined
    to_input = conv(block.width, inputs, (1, 1))
    path = Sequence((("branches", joined), ("project", to_input), ("scale", scale(block.scale))))
    return _added(path, IDENTITY, style.norm)


def _factorized(
    block: Block, kernel: int, inputs: int, width: int, style: Style, linear: bool
) -> Parts:
    parts: list[tuple[str, Node]] = []
    steps = FACTORIZATIONS[block.factorization](kernel, width, block.n)
    for number, step in enumerate(steps, 1):
        last = linear and number == len(steps)
        side: Parts = tuple(
            (
                f"{k.height}x{k.width}",
                _unit(inputs, k.channels, (k.height, k.width), style, 1, last),
            )
            for k in step
        )
        parts.append((f"{number}", side[0][1] if len(side) == 1 else Concat(side)))
        inputs = sum(k.channels for k in step)
    return tuple(parts)


def _projection(inputs: int, width: int) -> Node:
    """The input at ``width`` channels: itself, or a linear 1x1 convolution of it."""
    return IDENTITY if inputs == width else conv(inputs, width, (1, 1))


def _added(path: Node, shortcut: Node, norm: str) -> Node:
    """path + shortcut, then ReLU; in BN-ReLU-conv networks nothing follows ([He2016]_)."""
    total = Add((("path", path), ("shortcut", shortcut)))
    if norm == "bn-relu-conv":
        return total
    activation: Layer = relu()
    return Sequence((("add", total), ("relu", activation)))
