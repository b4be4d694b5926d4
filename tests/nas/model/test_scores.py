"""Scores against closed forms, and SciPy's interval of Wilson as an oracle."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import recall_score

from nas.model.scores import LEAST, calibration_error, score, wilson_interval

ABC = ("a", "b", "c")


@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    theirs = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert wilson_interval(*counts) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_at_the_ends() -> None:
    """At none of n the upper end is z^2 / (n + z^2); both ends stay in 0..1 exactly."""
    z2 = 1.959963984540054**2
    assert wilson_interval(0, 10) == (0, pytest.approx(z2 / (10 + z2)))
    assert wilson_interval(10, 10) == (pytest.approx(10 / (10 + z2)), 1)
    assert wilson_interval(0, 0) == (0, 1)


def test_scores_of_four_images_by_hand() -> None:
    probabilities = [[0.7, 0.2, 0.1], [0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0, 1, 0]]
    scores = score(probabilities, [0, 1, 1, 0], ABC)
    assert scores.images == 4
    assert scores.accuracy == 0.5
    assert scores.interval == wilson_interval(2, 4)
    assert scores.loss == pytest.approx(-sum(map(math.log, (0.7, 0.25, 0.8, LEAST))) / 4)
    assert scores.confusion.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    # four images in four bins: |1 - 0.7|, |0 - 0.5|, |1 - 0.8|, |0 - 1|
    assert scores.calibration_error == pytest.approx((0.3 + 0.5 + 0.2 + 1) / 4)
    assert scores.per_class[0] == ("a", 2, 0.5, wilson_interval(1, 2))
    assert scores.per_class[2][:2] == ("c", 0)
    assert math.isnan(scores.per_class[2].accuracy)


def test_the_loss_is_torchs() -> None:
    logits = torch.randn(100, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(100) % 7
    scores = score(logits.softmax(1).numpy(), labels.numpy(), "abcdefg")
    assert scores.loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels)))
    assert scores.accuracy == float((logits.argmax(1) == labels).double().mean())


def test_balanced_accuracy_is_scikit_learns() -> None:
    logits = torch.randn(100, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(100) ** 2 % 7  # of classes 0, 1, 2 and 4 alone, unevenly
    scores = score(logits.softmax(1).numpy(), labels.numpy(), "abcdefg")
    said = logits.argmax(1)
    theirs = recall_score(labels, said, labels=labels.unique(), average="macro", zero_division=0)
    assert scores.balanced_accuracy == pytest.approx(theirs)
    assert scores.to_json()["balanced_accuracy"] == scores.balanced_accuracy


def test_who_is_right_as_often_as_he_says_is_calibrated() -> None:
    probabilities = np.tile([0.8, 0.2], (10, 1))
    assert calibration_error(probabilities, [0] * 8 + [1] * 2) == pytest.approx(0)
    assert calibration_error(probabilities, [0] * 10) == pytest.approx(0.2)
    assert calibration_error(probabilities, [1] * 10) == pytest.approx(0.8)


def test_gaps_of_one_bin_cancel_and_of_two_add() -> None:
    """0.6 is the upper edge of the ninth of 15 bins: (0.533, 0.6] and (0.6, 0.667]."""
    labels = [0, 1]
    together = [[0.6, 0.4], [0.59, 0.41]]
    apart = [[0.6, 0.4], [0.61, 0.39]]
    assert calibration_error(together, labels) == pytest.approx((1 - 0.6 - 0.59) / -2)
    assert calibration_error(apart, labels) == pytest.approx((0.4 + 0.61) / 2)


def test_json_is_plain_and_has_no_nan() -> None:
    data = score([[1, 0, 0], [0.2, 0.8, 0]], np.array([0, 0], np.uint8), ABC).to_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["per_class"][1] == {
        "class": "b",
        "images": 0,
        "accuracy": None,
        "interval": [0.0, 1.0],
    }
    assert data["confusion"] == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("probabilities", "labels", "said"),
    [
        (np.zeros((0, 3)), np.zeros(0, np.int64), "there are no images to score"),
        (np.zeros((2, 2)), [0, 1], r"\[2, 2\] and labels \[2\]; they must be \[N, 3\] and \[N\]"),
        ([[1, 0, 0]], [0, 1], r"\[1, 3\] and labels \[2\]"),
        ([[1, 0, 0], [np.nan] * 3], [0, 1], "1 of 2 images .* image 1; are there NaN"),
        ([[1.5, 0, 0]], [0], "not from 0 to 1"),
        ([[1, 0, 0]], [3], "labels are from 3 to 3; .* from 0 to 2"),
        ([[1, 0, 0]], [-1], "labels are from -1 to -1"),
        ([[1, 0, 0]], [0.5], "whole numbers"),
    ],
)
def test_what_cannot_be_scored_is_refused(probabilities: object, labels: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score(probabilities, labels, ABC)  # type: ignore[arg-type]
