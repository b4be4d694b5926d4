"""The dimensions of the space: default choices, what may be chosen instead, and words for each."""

from dataclasses import dataclass

from search_space.architecture import N_SIZES, POOLS, RESIDUALS
from search_space.checks import check_choice, check_range
from search_space.factorization import FACTORIZATIONS

Choice = bool | int | float | str

UNIT = 4
"""A block's width is divided among its branches in units of this many channels."""

STEP = 8
"""Widths that are chosen for a branch are multiples of this many channels."""

MAX_STAGES = 6


@dataclass(frozen=True)
class Dimension:
    """Default choices of one dimension, what may be chosen instead, and what it is in words.

    ``valid`` lists the possible choices, or, where there is a ``step``, gives the lowest and the
    highest number, whole numbers being multiples of ``step``. ``grows``: a larger choice makes a
    network of more parameters.
    """

    choices: tuple[Choice, ...]
    valid: tuple[Choice, ...] | tuple[int, int] | tuple[float, float]
    words: str
    step: int = 0
    grows: bool = False

    def check(self, name: str, value: Choice) -> Choice:
        """``value`` as a choice of this dimension; ValueError if it can't be one."""
        if self.step == 0:
            check_choice(name, value, self.valid)
            return value
        low, high = self.valid
        assert not isinstance(low, str)
        assert not isinstance(high, str)
        check_range(name, value, low, high, integer=isinstance(self.choices[0], int))
        if self.step > 1 and isinstance(value, int) and value % self.step:
            raise ValueError(f"{name} is {value}; it must be a multiple of {self.step}")
        return value if isinstance(self.choices[0], int) else float(value)


DIMENSIONS: dict[str, Dimension] = {
    "stem.kernel": Dimension((3, 5), (3, 5, 7), "kernel of the first convolution"),
    "stem.stride": Dimension((1, 2), (1, 2), "its stride"),
    "stem.pool": Dimension((False, True), (False, True), "3x3/2 max-pool after it"),
    "stem.width": Dimension((8, 16, 24, 32, 48, 64), (4, 512), "its channels", UNIT, grows=True),
    "stem.second": Dimension(
        (False, True), (False, True), "GoogLeNet's second part: 1x1, 3x3, and its 3x3/2 max-pool"
    ),
    "stem.second_1x1": Dimension(
        (0.5, 1.0), (0.1, 4.0), "width of its 1x1 over the stem's", 1, grows=True
    ),
    "stem.second_3x3": Dimension(
        (1.0, 2.0), (0.1, 8.0), "width of its 3x3 over the stem's", 1, grows=True
    ),
    "body.stages": Dimension((1, 2, 3), (1, 6), "stages", 1, grows=True),
    "stage.blocks": Dimension((1, 2, 3), (1, 8), "Inception blocks of the stage", 1, grows=True),
    "stage.reduction": Dimension(
        ("max-pool", "inception"), ("max-pool", "inception"), "what halves the maps before it"
    ),
    "stage.width_1x1": Dimension(
        (0, 8, 16, 32, 64), (0, 1024), "channels of the 1x1 branch, 0: none", STEP, grows=True
    ),
    "stage.reduce_3x3": Dimension(
        (0.25, 0.43, 0.5, 0.67, 1.0), (0.05, 2.0), "1x1 width before a 3x3", 1, grows=True
    ),
    "stage.width_3x3": Dimension(
        (0, 8, 16, 24, 32, 48, 64, 80, 112, 128),
        (0, 1024),
        "channels of the 3x3 branch",
        STEP,
        grows=True,
    ),
    "stage.reduce_5x5": Dimension(
        (0.25, 0.5, 0.67, 1.0), (0.05, 2.0), "1x1 width before a 5x5", 1, grows=True
    ),
    "stage.width_5x5": Dimension(
        (0, 8, 16, 32, 48), (0, 1024), "channels of the 5x5 branch", STEP, grows=True
    ),
    "stage.width_pool": Dimension(
        (0, 8, 16, 32), (0, 1024), "channels of the pool branch", STEP, grows=True
    ),
    "stage.width": Dimension(
        (16, 32, 48, 64),
        (16, 2048),
        "channels of its blocks, where shares divide them",
        UNIT,
        grows=True,
    ),
    "stage.share_1x1": Dimension((0, 1, 2), (0, 16), "share of the width: 1x1 branch", 1),
    "stage.share_3x3": Dimension((0, 1, 2), (0, 16), "share of the width: 3x3 branch", 1),
    "stage.share_5x5": Dimension((0, 1, 2), (0, 16), "share of the width: 5x5 branch", 1),
    "stage.share_pool": Dimension((0, 1, 2), (0, 16), "share of the width: pool branch", 1),
    "stage.reduce": Dimension(
        (0.25, 0.5, 0.75), (0.05, 2.0), "1x1 width before a kernel", 1, grows=True
    ),
    "stage.factorization": Dimension(
        tuple(FACTORIZATIONS), tuple(FACTORIZATIONS), "of the 3x3 and 5x5 branches"
    ),
    "stage.n": Dimension((3, 7), N_SIZES, "1xn size of the asymmetric factorization"),
    "stage.pool": Dimension(("max",), POOLS, "pooling of the pool branch"),
    "stage.residual": Dimension(RESIDUALS, RESIDUALS, "added to the block, or to every branch"),
    "stage.scale": Dimension((0.3,), (0.01, 1.0), "of the block residual", 1),
    "body.batch_norm": Dimension((True,), (False, True), "batch norm at every convolution"),
    "body.order": Dimension(
        ("conv-bn-relu", "bn-relu-conv"), ("conv-bn-relu", "bn-relu-conv"), "of batch norm"
    ),
    "head.dropout": Dimension((0.0,), (0.0, 0.9), "before the linear layer", 1),
    "head.label_smoothing": Dimension((0.0, 0.1, 0.2), (0.0, 0.5), "epsilon", 1),
}
"""Every dimension by name; ``stage.x`` holds for all stages, unless ``stage2.x`` is given."""

OF_ONE_STAGE: dict[str, tuple[Choice, ...]] = {
    "stage1.width_1x1": (0, 8, 16, 32),
    "stage1.width_3x3": (0, 8, 16, 24, 32, 48),
    "stage1.width_5x5": (0, 8, 16),
    "stage1.width_pool": (0, 8, 16),
}
"""Default choices that one stage has of its own: the first sees the largest maps, and is narrow."""

WIDTHS = ("width_1x1", "width_3x3", "width_5x5", "width_pool", "reduce_3x3", "reduce_5x5")
"""What is chosen of a stage whose branches have widths of their own."""

SHARES = ("share_1x1", "share_3x3", "share_5x5", "share_pool")

DIVIDED = ("width", *SHARES, "reduce")
"""What is chosen of a stage whose blocks' width is divided by shares."""

BEFORE: dict[str, tuple[Choice, ...]] = {"stem.second_1x1": (1.0,), "stem.second_3x3": (2.0,)}
"""What stored spaces have in which these dimensions aren't: there were none once."""

DEFAULTS_0_1: dict[str, tuple[Choice, ...]] = {
    "stem.kernel": (3, 5, 7),
    "stem.width": (8, 16, 24),
    **BEFORE,
    "stage.width": (16, 32, 48, 64),
    "stage.n": (3, 5, 7),
    "stage.pool": ("max", "avg"),
    "stage.scale": (0.1, 0.3, 1.0),
    "body.batch_norm": (False, True),
    "head.dropout": (0.0, 0.2),
    "head.label_smoothing": (0.0, 0.05, 0.1, 0.2),
}
"""Where the default space of version 0.1 differs: what a TOML file did not give was this."""


def general(name: str) -> str:
    """The dimension in ``DIMENSIONS`` that ``name`` is, or is of one stage: stage2.n -> stage.n."""
    table, _, key = name.partition(".")
    if table[:5] == "stage" and table[5:] in map(str, range(1, MAX_STAGES + 1)):
        return f"stage.{key}"
    return name
