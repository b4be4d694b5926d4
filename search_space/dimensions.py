"""The dimensions of the space: default choices, what may be chosen instead, and words for each."""

from dataclasses import dataclass

from search_space.architecture import N_SIZES, POOLS, RESIDUALS
from search_space.checks import check_choice, check_range
from search_space.factorization import FACTORIZATIONS

Choice = bool | int | float | str

UNIT = 4
"""A block's width is divided among its branches in units of this many channels."""

MAX_STAGES = 6


@dataclass(frozen=True)
class Dimension:
    """Default choices of one dimension, what may be chosen instead, and what it is in words.

    ``valid`` lists the possible choices, or, where there is a ``step``, gives the lowest and the
    highest number, whole numbers being multiples of ``step``.
    """

    choices: tuple[Choice, ...]
    valid: tuple[Choice, ...] | tuple[int, int] | tuple[float, float]
    words: str
    step: int = 0

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
    "stem.kernel": Dimension((3, 5, 7), (3, 5, 7), "kernel of the first convolution"),
    "stem.stride": Dimension((1, 2), (1, 2), "its stride"),
    "stem.pool": Dimension((False, True), (False, True), "3x3/2 max-pool after it"),
    "stem.width": Dimension((8, 16, 24), (4, 512), "its channels", UNIT),
    "stem.second": Dimension(
        (False, True), (False, True), "GoogLeNet's second part: 1x1, 3x3 of twice the width, pool"
    ),
    "body.stages": Dimension((1, 2, 3), (1, 6), "stages", 1),
    "stage.blocks": Dimension((1, 2, 3), (1, 8), "Inception blocks of the stage", 1),
    "stage.width": Dimension((16, 32, 48, 64), (16, 2048), "channels of its blocks", UNIT),
    "stage.reduction": Dimension(
        ("max-pool", "inception"), ("max-pool", "inception"), "what halves the maps before it"
    ),
    "stage.share_1x1": Dimension((0, 1, 2), (0, 16), "share of the width: 1x1 branch", 1),
    "stage.share_3x3": Dimension((0, 1, 2), (0, 16), "share of the width: 3x3 branch", 1),
    "stage.share_5x5": Dimension((0, 1, 2), (0, 16), "share of the width: 5x5 branch", 1),
    "stage.share_pool": Dimension((0, 1, 2), (0, 16), "share of the width: pool branch", 1),
    "stage.reduce": Dimension((0.25, 0.5, 0.75), (0.05, 2.0), "1x1 width before a kernel", 1),
    "stage.factorization": Dimension(
        tuple(FACTORIZATIONS), tuple(FACTORIZATIONS), "of the 3x3 and 5x5 branches"
    ),
    "stage.n": Dimension(N_SIZES, N_SIZES, "1xn size of the asymmetric factorization"),
    "stage.pool": Dimension(POOLS, POOLS, "pooling of the pool branch"),
    "stage.residual": Dimension(RESIDUALS, RESIDUALS, "added to the block, or to every branch"),
    "stage.scale": Dimension((0.1, 0.3, 1.0), (0.01, 1.0), "of the block residual", 1),
    "body.batch_norm": Dimension((False, True), (False, True), "batch norm at every convolution"),
    "body.order": Dimension(
        ("conv-bn-relu", "bn-relu-conv"), ("conv-bn-relu", "bn-relu-conv"), "of batch norm"
    ),
    "head.dropout": Dimension((0.0, 0.2), (0.0, 0.9), "before the linear layer", 1),
    "head.label_smoothing": Dimension((0.0, 0.05, 0.1, 0.2), (0.0, 0.5), "epsilon", 1),
}
"""Every dimension by name; ``stage.x`` holds for all stages, unless ``stage2.x`` is given."""


def general(name: str) -> str:
    """The dimension in ``DIMENSIONS`` that ``name`` is, or is of one stage: stage2.n -> stage.n."""
    table, _, key = name.partition(".")
    if table[:5] == "stage" and table[5:] in map(str, range(1, MAX_STAGES + 1)):
        return f"stage.{key}"
    return name
