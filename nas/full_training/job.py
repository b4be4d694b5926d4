"""What a full training is of: its recipe and everything else that its weights depend on."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from nas.datasets.found import PixelRange
from nas.defaults import PRECISIONS
from nas.settings import MAX_SEED
from search_space.architecture import Candidate
from search_space.checks import check_choice, check_range
from search_space.record import Record

EPOCHS = (1, 100_000)
DEFAULT_EPOCHS = 30
MOST_THREADS = 4096
LONGEST_EMA = 1000
"""Steps that the average of the weights looks back on, at most; a twentieth of all if fewer."""


@dataclass(frozen=True)
class FullRecipe(Record):
    """SGD with Nesterov momentum, a linear warm-up and half a cosine; the weights' moving average.

    Learning rates are peaks: ``learning_rate`` with batch norm, ``plain_learning_rate`` without,
    where gradients are also clipped to a norm of ``clip``. Weight decay leaves biases and batch
    norms alone. ``warmup`` is a share of all steps. Images are shifted by up to ``shift`` of their
    side, mirrored if ``flip``, and of a share of ``erase`` a rectangle is wiped out [Zhong2020]_.

    .. [Zhong2020] Z. Zhong et al., Random Erasing Data Augmentation. AAAI 2020.
    """

    batch_size: int = 128
    learning_rate: float = 0.2
    plain_learning_rate: float = 0.05
    clip: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: float = 0.05
    shift: float = 1 / 14
    flip: bool = False
    erase: float = 0.25

    def __post_init__(self) -> None:
        check_range("batch size", self.batch_size, 2, 65536)
        check_range("shift", self.shift, 0, 0.5, integer=False)
        check_range("erase", self.erase, 0, 1, integer=False)


@dataclass(frozen=True)
class Job(Record):
    """A full training. Equal jobs give equal weights on a CPU of the same kind.

    ``dataset`` is as `--dataset` names it, ``data`` the digest of its images, ``pixel_range`` their
    values of black and white, where that was asked for. ``train_size`` counts
    the training images, the validation images among them unless ``validate``. ``threads`` are
    torch's, which decide in which order sums are taken. With ``int8`` it goes on for some epochs
    as it will be in 8-bit integers.
    """

    candidate: Candidate = field(metadata={"of": Candidate})
    dataset: str
    data: str
    channels: int
    resolution: int
    train_size: int
    epochs: int
    precision: str
    threads: int
    validate: bool = False
    seed: int = 0
    recipe: FullRecipe = field(default=FullRecipe(), metadata={"of": FullRecipe})
    pixel_range: PixelRange | None = None
    int8: bool = False

    def __post_init__(self) -> None:
        check_range("train size", self.train_size, 2, 10**9)
        check_range("epochs", self.epochs, *EPOCHS)
        check_choice("precision", self.precision, PRECISIONS)
        check_range("threads", self.threads, 1, MOST_THREADS)
        check_range("seed", self.seed, 0, MAX_SEED)

    def whole_json(self) -> dict[str, Any]:
        """The JSON form with every default written out, which later versions may change."""
        whole = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        return whole | {"candidate": self.candidate.to_json(), "recipe": asdict(self.recipe)}

    @property
    def batch_size(self) -> int:
        """Images in a batch: the recipe's, or all that there are."""
        return min(self.recipe.batch_size, self.train_size)

    @property
    def steps_of_an_epoch(self) -> int:
        """Batches of an epoch; a last one of one image, which has no variance, is left out."""
        whole, rest = divmod(self.train_size, self.batch_size)
        return whole + (rest > 1)

    @property
    def steps(self) -> int:
        """The number of batches in all epochs together."""
        return self.epochs * self.steps_of_an_epoch

    @property
    def int8_epochs(self) -> int:
        """The epochs that it goes on for in 8-bit integers: a tenth as many, at least one."""
        return max(1, self.epochs // 10) if self.int8 else 0

    @property
    def ema_decay(self) -> float:
        """The decay of the exponential moving average of the weights, at each step."""
        return 1 - 1 / max(1, min(LONGEST_EMA, self.steps // 20))


def differences(before: Job, now: Job) -> list[str]:
    """One 'name: it has X, asked for is Y' for every field that differs.

    Where images of the same digest lie, and how they are read, makes no difference.
    """
    if before.data == now.data:
        before = replace(before, dataset=now.dataset, pixel_range=now.pixel_range)
    return list(_differences(before.whole_json(), now.whole_json()))


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, old in before.items():
        new = now[name]
        if name == "candidate" and old != new:
            yield "network: it has another"
        elif name == "recipe":
            yield from _differences(old, new)
        elif old != new:
            yield f"{name.replace('_', ' ')}: it has {old}, asked for is {new}"
