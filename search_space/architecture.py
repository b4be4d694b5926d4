"""Architectures and candidates: frozen data and its validation.

Equal networks are equal values: a choice that changes nothing (a 1xn size where nothing is
asymmetric, a pooling kind without a pool branch) is set to its default on construction.

.. [Szegedy2015] C. Szegedy et al., Going Deeper with Convolutions, CVPR 2015.
.. [Szegedy2016] C. Szegedy et al., Rethinking the Inception Architecture, CVPR 2016.
.. [Szegedy2017] C. Szegedy et al., Inception-v4, Inception-ResNet, AAAI 2017.
.. [Ioffe2015] S. Ioffe and C. Szegedy, Batch Normalization, ICML 2015.
.. [He2016] K. He et al., Identity Mappings in Deep Residual Networks, ECCV 2016.
"""

from dataclasses import dataclass, field, replace

from search_space.checks import check_choice, check_range, check_type
from search_space.factorization import FACTORIZATIONS
from search_space.record import Record

POOLS = ("max", "avg")
RESIDUALS = ("none", "block", "branch")
REDUCTIONS = ("none", "max-pool", "max-pool-2x2", "inception")
NORMS = ("none", "conv-bn-relu", "bn-relu-conv")
N_SIZES = (3, 5, 7)


@dataclass(frozen=True)
class Stem(Record):
    """What stands before the first stage ([Szegedy2015]_ table 1, first five rows).

    ``width`` channels out of a ``kernel`` x ``kernel`` convolution with ``stride``, then a 3x3/2
    max-pool if ``pool``; ``second`` adds GoogLeNet's second part, a 1x1 convolution of
    ``second[0]`` and a 3x3 convolution of ``second[1]`` channels, and its 3x3/2 max-pool.
    """

    width: int
    kernel: int = 3
    stride: int = 1
    pool: bool = False
    second: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_range("stem width", self.width, 1, 4096)
        check_choice("stem kernel", self.kernel, (1, 3, 5, 7, 9, 11))
        check_range("stem stride", self.stride, 1, 4)
        check_choice("stem pool", self.pool, (False, True))
        if self.second is not None:
            if not isinstance(self.second, tuple) or len(self.second) != 2:
                raise ValueError(
                    f"stem second is {self.second!r}; it must be the widths of its 1x1 and its 3x3"
                )
            for width in self.second:
                check_range("stem second width", width, 1, 4096)


@dataclass(frozen=True)
class Block(Record):
    """One Inception block ([Szegedy2015]_ figure 2b): up to four branches, concatenated.

    Widths are output channels; a branch of width 0 is absent. ``reduce_3x3`` and ``reduce_5x5``
    are the widths of the 1x1 convolutions before the large kernels. ``n`` is the 1xn size of the
    asymmetric factorization ([Szegedy2016]_ section 3.2). ``residual`` is ``block``: the
    concatenation, projected to the input's width and multiplied by ``scale``, is added to the
    input ([Szegedy2017]_ section 3.3), so the output is as wide as the input; or ``branch``: the
    input is added to every branch, projected where widths differ. ``kernel_5x5`` is the kernel of
    the 5x5 branch: 3 in torchvision's GoogLeNet.
    """

    width_1x1: int = 0
    reduce_3x3: int = 0
    width_3x3: int = 0
    reduce_5x5: int = 0
    width_5x5: int = 0
    width_pool: int = 0
    pool: str = "max"
    factorization: str = "none"
    n: int = 3
    residual: str = "none"
    scale: float = 1.0
    kernel_5x5: int = 5

    def __post_init__(self) -> None:
        for name in ("width_1x1", "width_3x3", "width_5x5", "width_pool"):
            check_range(f"block {name}", getattr(self, name), 0, 4096)
        if not self.width:
            raise ValueError("block width is 0; give at least one branch a width above 0")
        check_choice("block kernel_5x5", self.kernel_5x5, (3, 5))
        for name, _, reduce, width in self.large:
            check_range(f"block reduce_{name}", reduce, 1 if width else 0, 4096)
            if not width:
                object.__setattr__(self, f"reduce_{name}", 0)
            elif width < 2:
                raise ValueError(f"block width_{name} is {width}; at least 2")
        check_choice("block pool", self.pool, POOLS)
        check_choice("block factorization", self.factorization, FACTORIZATIONS)
        check_choice("block n", self.n, N_SIZES)
        check_choice("block residual", self.residual, RESIDUALS)
        check_range("block scale", self.scale, 0.01, 1.0, integer=False)
        self._drop_what_changes_nothing()

    def _drop_what_changes_nothing(self) -> None:
        widths = [(kernel, width) for _, kernel, _, width in self.large if width]

        def steps(factorization: str, n: int) -> list[object]:
            return [FACTORIZATIONS[factorization](kernel, width, n) for kernel, width in widths]

        if not self.width_pool:
            object.__setattr__(self, "pool", "max")
        if not self.width_5x5:
            object.__setattr__(self, "kernel_5x5", 5)
        if self.kernel_5x5 == 3 and not self.width_3x3:
            moved = {"width_3x3": self.width_5x5, "reduce_3x3": self.reduce_5x5}
            moved |= {"width_5x5": 0, "reduce_5x5": 0, "kernel_5x5": 5}
            for name, value in moved.items():
                object.__setattr__(self, name, value)
        if steps(self.factorization, self.n) == steps("none", self.n):
            object.__setattr__(self, "factorization", "none")
        if steps(self.factorization, 3) == steps(self.factorization, 5):
            object.__setattr__(self, "n", 3)
        if self.residual != "block":
            object.__setattr__(self, "scale", 1.0)

    @property
    def width(self) -> int:
        """Channels of the concatenated branches."""
        return self.width_1x1 + self.width_3x3 + self.width_5x5 + self.width_pool

    @property
    def large(self) -> tuple[tuple[str, int, int, int], ...]:
        """(name, kernel, reduce, width) of the 3x3 and of the 5x5 branch."""
        return (
            ("3x3", 3, self.reduce_3x3, self.width_3x3),
            ("5x5", self.kernel_5x5, self.reduce_5x5, self.width_5x5),
        )


@dataclass(frozen=True)
class Stage(Record):
    """Blocks at one resolution, and the reduction that halves the maps before them.

    ``max-pool`` is a 3x3/2 max-pool, ``max-pool-2x2`` a 2x2/2 one; ``inception`` the strided
    Inception reduction ([Szegedy2016]_ figure 10), which doubles the width as it halves the maps.
    ``reduction_widths`` gives it other widths: (1x1, 3x3) of its single and of its double branch.
    """

    blocks: tuple[Block, ...] = field(metadata={"of": Block})
    reduction: str = "none"
    reduction_widths: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.blocks, tuple) or not self.blocks:
            raise ValueError(f"stage blocks is {self.blocks!r}; a stage has at least one block")
        for number, block in enumerate(self.blocks, 1):
            check_type(f"block {number} of a stage", block, Block)
        check_choice("stage reduction", self.reduction, REDUCTIONS)
        if self.reduction_widths is not None:
            if self.reduction != "inception":
                raise ValueError(
                    f"stage reduction is {self.reduction!r}; only an inception reduction has widths"
                )
            if not isinstance(self.reduction_widths, tuple) or len(self.reduction_widths) != 4:
                raise ValueError(
                    f"stage reduction_widths is {self.reduction_widths!r}; it must be the 1x1 and "
                    "3x3 widths of its single and of its double branch"
                )
            for width in self.reduction_widths:
                check_range("stage reduction_widths", width, 1, 4096)


def doubling(inputs: int) -> tuple[int, int, int, int]:
    """Widths of an inception reduction that doubles ``inputs`` channels, half in each branch."""
    if inputs < 2:
        raise ValueError(f"an inception reduction has {inputs} input channels; it needs at least 2")
    width = inputs // 2
    reduce = max(1, width // 2)
    return reduce, width, reduce, width


@dataclass(frozen=True)
class Details(Record):
    """What implementations of one paper do differently; the search always has the defaults.

    ``bias``: convolutions have a bias although a batch norm stands beside them. ``pool_norm``: a
    batch norm follows the pooling of the pool branch too. ``norm_eps`` is added to the variance.
    ``unpadded_pools``: max-pools that halve have no padding and round up, as Caffe's do (not the
    one inside an inception reduction, whose other branches are padded).
    """

    bias: bool = False
    pool_norm: bool = False
    norm_eps: float = 1e-5
    unpadded_pools: bool = False

    def __post_init__(self) -> None:
        for name in ("bias", "pool_norm", "unpadded_pools"):
            check_choice(f"details {name}", getattr(self, name), (False, True))
        check_range("details norm_eps", self.norm_eps, 1e-12, 1.0, integer=False)


@dataclass(frozen=True)
class Auxiliary(Record):
    """A second head for training alone ([Szegedy2015]_ section 5), after a block of a stage.

    Stages and blocks are counted from 1; its loss is added with ``weight``.
    """

    stage: int
    block: int
    weight: float = 0.3

    def __post_init__(self) -> None:
        check_range("auxiliary stage", self.stage, 1, 1024)
        check_range("auxiliary block", self.block, 1, 1024)
        check_range("auxiliary weight", self.weight, 0.001, 10.0, integer=False)


@dataclass(frozen=True)
class Architecture(Record):
    """A stem, stages of Inception blocks, and a head: global average pool, dropout, linear.

    ``norm`` is the batch norm of [Ioffe2015]_ in one of two orders; in ``bn-relu-conv`` the first
    stem convolution is plain, nothing follows an addition, and one BN-ReLU stands before the
    head ([He2016]_).
    """

    stem: Stem = field(metadata={"of": Stem})
    stages: tuple[Stage, ...] = field(metadata={"of": Stage})
    norm: str = "none"
    dropout: float = 0.0
    details: Details = field(default=Details(), metadata={"of": Details})
    auxiliary: tuple[Auxiliary, ...] = field(default=(), metadata={"of": Auxiliary})

    def __post_init__(self) -> None:
        check_type("stem", self.stem, Stem)
        if not isinstance(self.stages, tuple) or not self.stages:
            raise ValueError(f"stages is {self.stages!r}; an architecture has at least one stage")
        for number, stage in enumerate(self.stages, 1):
            check_type(f"stage {number}", stage, Stage)
        for number, stage in enumerate(self.stages, 1):
            if (stage.reduction == "none") is not (number == 1):
                raise ValueError(
                    f"stage {number} reduction is {stage.reduction!r}; the first stage has none "
                    "(the stem pools instead), every other has one"
                )
        check_choice("norm", self.norm, NORMS)
        check_range("dropout", self.dropout, 0.0, 0.9, integer=False)
        check_type("details", self.details, Details)
        self._check_auxiliary()
        self._drop_what_changes_nothing()

    def _check_auxiliary(self) -> None:
        if not isinstance(self.auxiliary, tuple):
            raise ValueError(f"auxiliary is {self.auxiliary!r}; it must be a list of heads")
        for number, head in enumerate(self.auxiliary, 1):
            check_type(f"auxiliary {number}", head, Auxiliary)
            check_range(f"auxiliary {number} stage", head.stage, 1, len(self.stages))
            blocks = len(self.stages[head.stage - 1].blocks)
            check_range(f"auxiliary {number} block", head.block, 1, blocks)
        places = [(head.stage, head.block) for head in self.auxiliary]
        if places != sorted(set(places)):
            raise ValueError("auxiliary heads must be in the order of their blocks, one a block")

    def _drop_what_changes_nothing(self) -> None:
        self._drop_usual_reduction_widths()
        details = self.details
        if details == Details():
            return
        after = self.norm == "conv-bn-relu"
        pools = any(block.width_pool for stage in self.stages for block in stage.blocks)
        halves = self.stem.pool or self.stem.second is not None
        halves = halves or any(stage.reduction == "max-pool" for stage in self.stages)
        normed = self.norm != "none"
        kept = Details(
            bias=details.bias and normed,
            pool_norm=details.pool_norm and after and pools,
            norm_eps=details.norm_eps if normed else Details.norm_eps,
            unpadded_pools=details.unpadded_pools and halves,
        )
        object.__setattr__(self, "details", kept)

    def _drop_usual_reduction_widths(self) -> None:
        if all(stage.reduction_widths is None for stage in self.stages):
            return
        width = self.stem.second[1] if self.stem.second else self.stem.width
        stages = []
        for stage in self.stages:
            widths = stage.reduction_widths
            if widths is not None and width >= 2 and widths == doubling(width):
                stage = replace(stage, reduction_widths=None)
            if stage.reduction == "inception":
                widths = widths or doubling(width)
                width += widths[1] + widths[3]
            for block in stage.blocks:
                width = width if block.residual == "block" else block.width
            stages.append(stage)
        object.__setattr__(self, "stages", tuple(stages))


@dataclass(frozen=True)
class Candidate(Record):
    """What one trial evaluates: an architecture and its label-smoothing epsilon."""

    architecture: Architecture = field(metadata={"of": Architecture})
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_type("architecture", self.architecture, Architecture)
        check_range("label smoothing", self.label_smoothing, 0.0, 0.5, integer=False)
