"""METRICS: what accuracy is, of how many images of each class were recognized."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from studies.evaluation import PLAIN_METRIC

ACCURACY, BALANCED, INT8 = PLAIN_METRIC, "balanced-accuracy", "int8-accuracy"


class Tally(NamedTuple):
    """Of each class, how many images were recognized, and how many were shown."""

    right: tuple[int, ...]
    shown: tuple[int, ...]

    def __add__(self, other: object) -> "Tally":
        """Both together, of the same classes."""
        if not isinstance(other, Tally):
            return NotImplemented
        return Tally(
            tuple(a + b for a, b in zip(self.right, other.right, strict=True)),
            tuple(a + b for a, b in zip(self.shown, other.shown, strict=True)),
        )


class Metric(NamedTuple):
    """A metric: its words, its value (0..1), and how many images it is as noisy as.

    ``images`` takes the images of each class: a share of so many images has the noise that the
    value has where each class is recognized as often. ``measured`` is what a table says before "of
    validation images". With ``in_integers`` the images are shown to the network in 8-bit integers,
    as its C file runs.
    """

    words: str
    value: Callable[[Tally], float]
    images: Callable[[Sequence[int]], float]
    measured: str = ""
    in_integers: bool = False


def _accuracy(tally: Tally) -> float:
    return sum(tally.right) / sum(tally.shown)


def _balanced(tally: Tally) -> float:
    shares = [right / shown for right, shown in zip(tally.right, tally.shown, strict=True) if shown]
    return sum(shares) / len(shares)


def _even(shown: Sequence[int]) -> float:
    """A mean over classes has the variance of a share of K^2 / sum(1 / n) images."""
    there = [count for count in shown if count]
    return len(there) ** 2 / sum(1 / count for count in there)


METRICS: dict[str, Metric] = {
    ACCURACY: Metric("the share of all images that is recognized", _accuracy, sum),
    BALANCED: Metric(
        "the mean over classes of the share that is recognized",
        _balanced,
        _even,
        measured="means over classes, ",
    ),
    INT8: Metric(
        "the share of all images that is recognized by the network in 8-bit integers",
        _accuracy,
        sum,
        measured="in 8-bit integers, ",
        in_integers=True,
    ),
}
