"""Architecture -> layer graph: the one place that knows what an Inception block is made of.

.. [Szegedy2015] C. Szegedy et al., Going Deeper with Convolutions, CVPR 2015.
.. [Szegedy2016] C. Szegedy et al., Rethinking the Inception Architecture, CVPR 2016.
.. [Szegedy2017] C. Szegedy et al., Inception-v4, Inception-ResNet, AAAI 2017.
.. [He2016] K. He et al., Identity Mappings in Deep Residual Networks, ECCV 2016.
"""

from functools import lru_cache

from search_space.architecture import Architecture, Block, Stem
from search_space.factorization import FACTORIZATIONS
from search_space.graph import (
    IDENTITY,
    Add,
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


def expand(architecture: Architecture, channels: int = 1, classes: int = 10) -> Sequence:
    """The layer graph of ``architecture`` for images of ``channels`` and ``classes`` classes."""
    norm = architecture.norm
    parts: list[tuple[str, Node]] = [("stem", _stem(architecture.stem, channels, norm))]
    stem = architecture.stem
    width = stem.second[1] if stem.second else stem.width
    for index, stage in enumerate(architecture.stages, 1):
        if stage.reduction == "max-pool":
            parts.append((f"reduction{index}", pool("max", 2)))
        elif stage.reduction == "inception":
            parts.append((f"reduction{index}", _inception_reduction(width, norm)))
            width += 2 * (width // 2)
        blocks = []
        for number, block in enumerate(stage.blocks, 1):
            blocks.append((f"block{number}", _block(block, width, norm)))
            width = width if block.residual == "block" else block.width
        parts.append((f"stage{index}", Sequence(tuple(blocks))))
    head: list[tuple[str, Node]] = []
    if norm == "bn-relu-conv":
        head += [("bn", batch_norm(width)), ("relu", relu())]
    head.append(("pool", global_pool()))
    if architecture.dropout:
        head.append(("dropout", dropout(architecture.dropout)))
    head.append(("linear", linear(width, classes)))
    return Sequence((*parts, ("head", Sequence(tuple(head)))))


@lru_cache(maxsize=65536)
def _unit(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int],
    norm: str,
    stride: int = 1,
    linear: bool = False,
) -> Sequence:
    """A convolution with its batch norm and activation; ``linear`` leaves the last ReLU out.

    Convolutions are biased only where no batch norm follows or precedes them.
    """
    layer = conv(inputs, outputs, kernel, stride, norm == "none")
    if norm == "bn-relu-conv":
        return Sequence((("bn", batch_norm(inputs)), ("relu", relu()), ("conv", layer)))
    parts: list[tuple[str, Node]] = [("conv", layer)]
    if norm == "conv-bn-relu":
        parts.append(("bn", batch_norm(outputs)))
    if not linear:
        parts.append(("relu", relu()))
    return Sequence(tuple(parts))


def _stem(stem: Stem, channels: int, norm: str) -> Sequence:
    """[Szegedy2015]_ table 1. A BN-ReLU-conv network begins with a plain convolution."""
    kernel = (stem.kernel, stem.kernel)
    first: Node
    if norm == "bn-relu-conv":
        first = conv(channels, stem.width, kernel, stem.stride, False)
    else:
        first = _unit(channels, stem.width, kernel, norm, stem.stride)
    parts: list[tuple[str, Node]] = [("first", first)]
    if stem.pool:
        parts.append(("pool1", pool("max", 2)))
    if stem.second:
        reduce, width = stem.second
        parts.append(("1x1", _unit(stem.width, reduce, (1, 1), norm)))
        parts.append(("3x3", _unit(reduce, width, (3, 3), norm)))
        parts.append(("pool2", pool("max", 2)))
    return Sequence(tuple(parts))


@lru_cache(maxsize=1024)
def _inception_reduction(inputs: int, norm: str) -> Concat:
    """[Szegedy2016]_ figure 10: a strided 3x3, two 3x3 of which the last is strided, a max-pool.

    The convolutional branches are half the input's width each, so the whole is twice as wide.
    """
    if inputs < 2:
        raise ValueError(f"an inception reduction has {inputs} input channels; it needs at least 2")
    width = inputs // 2
    reduce = max(1, width // 2)
    single = (
        ("reduce", _unit(inputs, reduce, (1, 1), norm)),
        ("3x3", _unit(reduce, width, (3, 3), norm, 2)),
    )
    double = (
        ("reduce", _unit(inputs, reduce, (1, 1), norm)),
        ("3x3a", _unit(reduce, width, (3, 3), norm)),
        ("3x3b", _unit(width, width, (3, 3), norm, 2)),
    )
    return Concat(
        (("3x3", Sequence(single)), ("double 3x3", Sequence(double)), ("pool", pool("max", 2)))
    )


@lru_cache(maxsize=16384)
def _block(block: Block, inputs: int, norm: str) -> Node:
    """[Szegedy2015]_ figure 2b with the residuals of [Szegedy2017]_ section 3.3."""
    linear = block.residual == "branch"
    branches: list[tuple[str, Node]] = []
    if block.width_1x1:
        branches.append(("1x1", _unit(inputs, block.width_1x1, (1, 1), norm, 1, linear)))
    for kernel, reduce, width in block.large:
        if width:
            parts: Parts = (("reduce", _unit(inputs, reduce, (1, 1), norm)),)
            parts += _factorized(block, kernel, reduce, width, norm, linear)
            branches.append((f"{kernel}x{kernel}", Sequence(parts)))
    if block.width_pool:
        project = _unit(inputs, block.width_pool, (1, 1), norm, 1, linear)
        branches.append(("pool", Sequence((("pool", pool(block.pool, 1)), ("1x1", project)))))

    if block.residual == "branch":
        widths = [block.width_1x1, block.width_3x3, block.width_5x5, block.width_pool]
        return Concat(
            tuple(
                (name, _added(branch, _projection(inputs, width), norm))
                for (name, branch), width in zip(branches, filter(None, widths), strict=True)
            )
        )
    joined = Concat(tuple(branches))
    if block.residual == "none":
        return joined
    to_input = conv(block.width, inputs, (1, 1))
    path = Sequence((("branches", joined), ("project", to_input), ("scale", scale(block.scale))))
    return _added(path, IDENTITY, norm)


def _factorized(
    block: Block, kernel: int, inputs: int, width: int, norm: str, linear: bool
) -> Parts:
    parts: list[tuple[str, Node]] = []
    steps = FACTORIZATIONS[block.factorization](kernel, width, block.n)
    for number, step in enumerate(steps, 1):
        last = linear and number == len(steps)
        side: Parts = tuple(
            (f"{k.height}x{k.width}", _unit(inputs, k.channels, (k.height, k.width), norm, 1, last))
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
