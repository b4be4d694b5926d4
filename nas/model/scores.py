"""How good a classifier's probabilities are: accuracy with its interval, calibration, confusion.

.. [Wilson1927] E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference,
   Journal of the American Statistical Association 22, 1927.
.. [Guo2017] C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Interval = tuple[float, float]

BINS = 15
"""Of confidence, in the calibration error; as many as [Guo2017]_ take."""

LEVEL = 0.95
"""Of every interval."""

LEAST = float(np.finfo(np.float32).tiny)
"""What a probability counts as in the loss if it is less: float32 can't tell it from 0."""


class ClassScore(NamedTuple):
    """Of ``n`` images of the class ``name``, the fraction recognized; NaN where there are none."""

    name: str
    n: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True, eq=False)
class Scores:
    """Of ``images`` images; accuracies are 0..1, with their intervals of Wilson at 95 %.

    loss: mean negative log-likelihood in nats, of the probability itself, without label smoothing.
    calibration_error: as `calibration_error` has it.
    confusion: int64 [classes, classes]; rows are true classes, columns predicted ones.
    """

    images: int
    accuracy: float
    interval: Interval
    loss: float
    calibration_error: float
    confusion: npt.NDArray[np.int64]
    per_class: tuple[ClassScore, ...]

    @property
    def balanced_accuracy(self) -> float:
        """The mean over the classes that have images of the fraction recognized."""
        return fmean(one.accuracy for one in self.per_class if one.n)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; the accuracy of a class without images is null."""
        return {
            "images": self.images,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "balanced_accuracy": self.balanced_accuracy,
            "loss": self.loss,
            "calibration_error": self.calibration_error,
            "per_class": [
                {
                    "class": one.name,
                    "images": one.n,
                    "accuracy": one.accuracy if one.n else None,
                    "interval": list(one.interval),
                }
                for one in self.per_class
            ],
            "confusion": self.confusion.tolist(),
        }


def score(probabilities: npt.ArrayLike, labels: npt.ArrayLike, classes: Sequence[str]) -> Scores:
    """Score probabilities [N, C] of images whose true classes are labels [N], in 0..C-1.

    The first of the most probable classes is the predicted one.

    Raises ValueError for no images, other shapes, labels that name no class, or probabilities
    that are not from 0 to 1 (of a network with NaN among its weights, for one).
    """
    given, truth = _checked(probabilities, labels, len(classes))
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (truth, given.argmax(1)), 1)
    correct, count = int(confusion.trace()), len(truth)
    likelihood = np.maximum(given[np.arange(count), truth], LEAST)
    return Scores(
        images=count,
        accuracy=correct / count,
        interval=wilson_interval(correct, count),
        loss=float(-np.log(likelihood).mean()),
        calibration_error=calibration_error(given, truth),
        confusion=confusion,
        per_class=tuple(
            ClassScore(name, n, right / n if n else math.nan, wilson_interval(right, n))
            for name, n, right in zip(
                classes, confusion.sum(1).tolist(), confusion.diagonal().tolist(), strict=True
            )
        ),
    )


def wilson_interval(correct: int, count: int, level: float = LEVEL) -> Interval:
    """The interval of a binomial proportion ([Wilson1927]_): the p that the count doesn't reject.

    Of no images it is all of 0..1.
    """
    if not count:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    fraction = correct / count
    middle = fraction + z**2 / (2 * count)
    half = z * math.sqrt(fraction * (1 - fraction) / count + z**2 / (4 * count**2))
    low, high = ((middle + sign * half) / (1 + z**2 / count) for sign in (-1, 1))
    return (low if correct else 0.0), (high if correct < count else 1.0)


def calibration_error(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: int = BINS
) -> float:
    """Expected calibration error ([Guo2017]_ section 2), 0..1: confidence against accuracy.

    The confidence is the largest of an image's probabilities. Of each of ``bins`` equally wide
    bins of it, open below and closed above, the gap between mean confidence and accuracy counts
    as much as the bin has images.
    """
    given, truth = np.asarray(probabilities, np.float64), np.asarray(labels)
    confidence = given.max(1)
    gaps = (given.argmax(1) == truth) - confidence
    places = np.searchsorted(np.arange(1, bins) / bins, confidence, side="left")
    return float(np.abs(np.bincount(places, gaps, bins)).sum() / len(truth))


def _checked(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, classes: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    given, truth = np.asarray(probabilities, np.float64), np.asarray(labels)
    if not truth.size:
        raise ValueError("there are no images to score; give at least one")
    if truth.ndim != 1 or given.shape != (len(truth), classes):
        raise ValueError(
            f"probabilities are {list(given.shape)} and labels {list(truth.shape)}; they must be "
            f"[N, {classes}] and [N]"
        )
    wrong = ~((given >= 0) & (given <= 1)).all(1)
    if wrong.any():
        raise ValueError(
            f"the probabilities of {wrong.sum():,} of {len(truth):,} images are not from 0 to 1, "
            f"the first of image {wrong.argmax()}; are there NaN among the network's weights?"
        )
    if truth.dtype.kind not in "iu" or not 0 <= truth.min() <= truth.max() < classes:
        raise ValueError(
            f"labels are from {truth.min()} to {truth.max()}; they must be whole numbers from 0 "
            f"to {classes - 1}"
        )
    return given, truth.astype(np.int64)
