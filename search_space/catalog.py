"""CATALOG: named networks of the literature, as candidates that a search can start from.

AlexNet, VGG-11 and NiN are no Inception architectures; they are there as layer graphs alone.

.. [Szegedy2015] C. Szegedy et al., Going Deeper with Convolutions, CVPR 2015.
.. [Ioffe2015] S. Ioffe and C. Szegedy, Batch Normalization, ICML 2015.
.. [Szegedy2016] C. Szegedy et al., Rethinking the Inception Architecture, CVPR 2016.
.. [Szegedy2017] C. Szegedy et al., Inception-v4, Inception-ResNet, AAAI 2017.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from search_space.architecture import (
    Architecture,
    Auxiliary,
    Block,
    Candidate,
    Details,
    Stage,
    Stem,
)
from search_space.classics import alexnet, nin, vgg11
from search_space.expand import expand
from search_space.graph import Sequence, Shape
from search_space.record import Record

Expand = Callable[[int, int, int], Sequence]
"""(resolution, channels, classes) to a layer graph."""


class Entry(NamedTuple):
    """A network of the catalog: what it is, and its candidate where it has one.

    ``image`` is what it was designed for: channels, height, width.
    """

    words: str
    candidate: Candidate | None
    graph: Expand
    image: Shape


@dataclass(frozen=True)
class Classic(Record):
    """A network of the catalog that is a layer graph alone, where else a candidate stands."""

    catalog: str

    def __post_init__(self) -> None:
        entry(self.catalog)

    @property
    def label_smoothing(self) -> float:
        """Its label-smoothing epsilon: none."""
        return 0.0


def graph_of(of: Candidate | Classic, resolution: int, channels: int, classes: int) -> Sequence:
    """The layer graph of what an evaluation is of."""
    if isinstance(of, Classic):
        return entry(of.catalog).graph(resolution, channels, classes)
    return expand(of.architecture, channels, classes)


STEM = Stem(64, 7, 2, True, (64, 192))
WIDTHS = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""[Szegedy2015]_ table 1: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection; 3a to 5b."""


def _googlenet(
    stem: Stem = STEM,
    norm: str = "none",
    dropout: float = 0.0,
    details: Details = Details(),  # noqa: B008  frozen
    reductions: tuple[str, str] = ("max-pool", "max-pool"),
    **block: object,
) -> Architecture:
    """GoogLeNet with every block changed by ``block``."""
    stages = tuple(
        Stage(tuple(Block(*widths, **block) for widths in stage), reduction)  # type: ignore[arg-type]
        for stage, reduction in zip(WIDTHS, ("none", *reductions), strict=True)
    )
    return Architecture(stem, stages, norm, dropout, details)


def _asymmetric() -> Architecture:
    """[Szegedy2016]_ section 3.2: 1xn is poor on large maps, and best on 12 to 20 wide ones, n = 7.

    At 224 pixels the stages are 28, 14 and 7 wide: none, n = 7, and n = 3 where 7 would be the
    whole map.
    """
    first, second, third = _googlenet().stages
    chosen = (first, _factorized(second, 7), _factorized(third, 3))
    return replace(_googlenet(), stages=chosen)


def _factorized(stage: Stage, n: int) -> Stage:
    blocks = tuple(replace(block, factorization="asymmetric", n=n) for block in stage.blocks)
    return replace(stage, blocks=blocks)


def _bn_inception() -> Architecture:
    """[Ioffe2015]_ figure 5: 5x5 as two 3x3, average pools, strided Inception reductions 3c and 4e.

    The first convolution is a plain one, not the paper's separable one of depth multiplier 8.
    """
    widths = (
        ((64, 64, 64, 64, 96, 32), (64, 64, 96, 64, 96, 64)),
        (
            (224, 64, 96, 96, 128, 128),
            (192, 96, 128, 96, 128, 128),
            (160, 128, 160, 128, 160, 96),
            (96, 128, 192, 160, 192, 96),
        ),
        ((352, 192, 320, 160, 224, 128), (352, 192, 320, 192, 224, 128)),
    )
    reductions = (None, (128, 160, 64, 96), (128, 192, 192, 256))
    stages = [
        Stage(
            tuple(Block(*block, "avg", "stacked") for block in stage),
            "inception" if reduction else "none",
            reduction,
        )
        for stage, reduction in zip(widths, reductions, strict=True)
    ]
    last = replace(stages[2].blocks[1], pool="max")
    stages[2] = replace(stages[2], blocks=(stages[2].blocks[0], last))
    return Architecture(STEM, tuple(stages), "conv-bn-relu")


def _inception_28() -> Architecture:
    """Designed for 28x28; see its words in the catalog, and the comparison in benchmarks/README.md.

    Stem: one cheap 3x3 at full resolution, because a 28x28 image has no pixels to give away, and
    googlenet-28's stem of 64 and 192 channels takes 24 % of its FLOPs. Body: widths double as maps
    halve (28, 14, 7), for 20, 40 and 40 % of the FLOPs; 5x5 as two 3x3 after the first stage;
    batch norm, without which short runs learn slowly. Head: a 7x7 map of 256 channels, averaged, so
    that the last convolutions still see neighbours and the linear layer stays small.
    """
    stages = (
        Stage((Block(16, 16, 32, 8, 8, 8),)),
        Stage((Block(32, 32, 64, 8, 16, 16, factorization="stacked"),) * 2, "max-pool"),
        Stage((Block(64, 64, 128, 16, 32, 32, factorization="stacked"),) * 2, "max-pool"),
    )
    return Architecture(Stem(32, 3), stages, "conv-bn-relu")


IMAGENET, SMALL = (3, 224, 224), (1, 28, 28)


def _entry(
    words: str, architecture: Architecture, label_smoothing: float = 0.0, image: Shape = IMAGENET
) -> Entry:
    def graph(_resolution: int, channels: int, classes: int) -> Sequence:
        return expand(architecture, channels, classes)

    return Entry(words, Candidate(architecture, label_smoothing), graph, image)


CATALOG: dict[str, Entry] = {
    "googlenet": _entry("Szegedy 2015, biased, no batch norm, no auxiliary heads", _googlenet()),
    "googlenet-aux": _entry(
        "with the paper's two auxiliary heads, in training only, weight 0.3",
        replace(_googlenet(), auxiliary=(Auxiliary(2, 1), Auxiliary(2, 4))),
    ),
    "googlenet-bn": _entry(
        "batch norm after every convolution and after the pool branch's pooling, biased",
        _googlenet(norm="conv-bn-relu", details=Details(bias=True, pool_norm=True)),
    ),
    "bn-inception": _entry("Ioffe 2015: Inception with batch norm", _bn_inception()),
    "googlenet-stacked": _entry(
        "5x5 as two 3x3, Szegedy 2016", _googlenet(factorization="stacked")
    ),
    "googlenet-asymmetric": _entry(
        "1xn, nx1 where Szegedy 2016 advises it: not at 28x28, n = 7 at 14x14, 3 at 7x7",
        _asymmetric(),
    ),
    "googlenet-expanded": _entry(
        "1x3 and 3x1 side by side, Szegedy 2016", _googlenet(factorization="expanded")
    ),
    "googlenet-lsr": _entry("label smoothing 0.1, Szegedy 2016", _googlenet(), 0.1),
    "googlenet-residual-block": _entry(
        "blocks scaled by 0.2 and added to their input; Inception reductions widen, Szegedy 2017",
        _googlenet(reductions=("inception", "inception"), residual="block", scale=0.2),
    ),
    "googlenet-residual-branch": _entry(
        "the input added to every branch, projected where widths differ",
        _googlenet(residual="branch"),
    ),
    "googlenet-28": _entry(
        "for 28x28: a 5x5 stride-1 stem without its pooling",
        _googlenet(Stem(64, 5, 1, False, (64, 192))),
        image=SMALL,
    ),
    "inception-28": _entry(
        "designed for 28x28, a tenth of googlenet-28's FLOPs: 3x3 stem, batch norm, 28-14-7",
        _inception_28(),
        image=SMALL,
    ),
    "googlenet-torchvision": _entry(
        "torchvision's: batch norm, 3x3 instead of 5x5, unpadded pools",
        _googlenet(
            norm="conv-bn-relu",
            dropout=0.2,
            details=Details(norm_eps=1e-3, unpadded_pools=True),
            reductions=("max-pool", "max-pool-2x2"),
            kernel_5x5=3,
        ),
    ),
    "alexnet": Entry(
        "Krizhevsky 2012, textbook version; a layer graph only", None, alexnet, IMAGENET
    ),
    "vgg11": Entry("Simonyan 2015, configuration A; a layer graph only", None, vgg11, IMAGENET),
    "nin": Entry("Lin 2014, network in network; a layer graph only", None, nin, IMAGENET),
}
"""Name to network."""


def entry(name: str) -> Entry:
    """The network of that name; ValueError that lists the catalog, the nearest name first."""
    if name in CATALOG:
        return CATALOG[name]
    near = difflib.get_close_matches(name, CATALOG, 1, 0.7)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise ValueError(f"{name!r} is not in the catalog{hint}; it has: {', '.join(CATALOG)}")


def candidate(name: str) -> Candidate:
    """The candidate of that name; ValueError where it isn't in the catalog, or a graph alone."""
    found = entry(name).candidate
    if found is None:
        named = (other for other, known in CATALOG.items() if known.candidate)
        raise ValueError(
            f"{name!r} is a layer graph only, not an Inception architecture; "
            f"choose one of: {', '.join(named)}"
        )
    return found
