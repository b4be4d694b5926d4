"""What is known of a trial's accuracy: an interval, and whether the trial is on the front.

A measured accuracy deviates from what the network is worth by chance: that of the validation
images, and that of the seed, whose runs of one network differ. And the best of many is, more
likely than not, one that was lucky. Empirical Bayes takes that back ([Efron2010]_, chapter 1): the
logarithm of the error is drawn towards what networks of such cost have on average, the more so the
larger its noise is against the spread among networks. Normal distributions throughout.

.. [Efron2010] B. Efron, Large-Scale Inference, Cambridge University Press, 2010.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from studies.pareto import Floats
from studies.results import Result, Results

SEED_NOISE = 0.04
"""Standard deviation that a seed gives the natural logarithm of the error, as recorded: 0.039 among
15 members of a front, three seeds each, 20,000 images (benchmarks/coverage.py).
"""

RECORDED = 20
"""Repeats that this counts as, beside those of the study itself."""

Z = 1.96
"""Standard deviations on either side of a mean that hold 95 %."""

LEAST = 12
"""Trials before anything is said of what networks of such cost have on average."""

DRAWS = 400
"""Random draws of all accuracies, for the probability of being on the front."""


@dataclass(frozen=True)
class Estimate:
    """What is known of a trial's accuracy (0..1): the mean, and 95 % from ``low`` to ``high``."""

    mean: float
    low: float
    high: float


class Estimates:
    """What is known of the accuracies of a study's candidates.

    ``known``: whether anything is, which takes the noise. What was trained with several seeds has
    their mean, and less noise.
    """

    def __init__(self, results: Results) -> None:
        self._axes, self._place = results.axes, results.place("accuracy")
        self._trials = results.distinct()
        self._row = {trial.key: row for row, trial in enumerate(self._trials)}
        least = 0.0 if self._place is None else self._axes[self._place].least_error
        costs_known = all(trial.params and trial.flops for trial in self._trials)
        self.known = bool(least) and bool(self._trials) and costs_known
        if self.known:
            accuracies = np.array([trial.values[self._place or 0] for trial in self._trials])
            seeds = np.array([trial.seeds for trial in self._trials])
            errors = np.maximum(1 - accuracies, least)
            spread = noise(errors, 0.5 / least, seeds, seed_noise(self._trials, least))
            self._means, self._variances = _posterior(np.log(errors), spread, _costs(self._trials))

    def of(self, trial: Result) -> Estimate | None:
        """What is known of a trial's accuracy; None where nobody knows its noise."""
        return self._found[self._row[trial.key]] if self.known else None

    @cached_property
    def _found(self) -> list[Estimate]:
        """The estimates of all candidates."""
        found = []
        for mean, variance in zip(self._means, self._variances, strict=True):
            away = Z * math.sqrt(variance)
            low, middle, high = (1 - math.exp(mean + sign * away) for sign in (1, 0, -1))
            found.append(Estimate(middle, max(0.0, low), min(1.0, high)))
        return found

    def on_front(self, trial: Result) -> float | None:
        """The probability (0..1) that no other candidate is as accurate at no more cost.

        None where nobody knows the noise.
        """
        if not self.known:
            return None
        row = self._row[trial.key]
        others = (self._losses <= self._losses[row]).all(axis=1)
        others[row] = False
        if not others.any():
            return 1.0
        return float((self._drawn[:, row] < self._drawn[:, others].min(axis=1)).mean())

    def is_best(self, within: Sequence[Result]) -> Floats:
        """The probability [N] of each of these candidates to be the most accurate of them."""
        rows = [self._row[trial.key] for trial in within]
        winners = self._drawn[:, rows].argmin(axis=1)
        share: Floats = np.bincount(winners, minlength=len(rows)) / DRAWS
        return share

    @cached_property
    def _drawn(self) -> Floats:
        """Logarithms of errors as they may be, [DRAWS, N]."""
        rng = np.random.default_rng(0)
        noise = rng.standard_normal((DRAWS, len(self._means)))
        found: Floats = self._means + np.sqrt(self._variances) * noise
        return found

    @cached_property
    def _losses(self) -> Floats:
        """The objectives beside accuracy, all minimised, [N, M - 1]."""
        others = [column for column in range(len(self._axes)) if column != self._place]
        signs = np.array([-1.0 if self._axes[column].maximize else 1.0 for column in others])
        table = np.array([[trial.values[column] for column in others] for trial in self._trials])
        found: Floats = table.reshape(len(self._trials), len(others)) * signs
        return found


def noise(
    errors: Floats, images: float, seeds: Floats | int = 1, seed: float = SEED_NOISE
) -> Floats:
    """Variance [N] of the natural logarithm of measured errors on so many validation images.

    That of a binomial share, which all seeds have in common, and of the mean over ``seeds``; of one
    it is ``seed`` squared.
    """
    share: Floats = (1 - errors) / (errors * images) + seed**2 / seeds
    return share


def seed_noise(trials: Sequence[Result], least: float) -> float:
    """Standard deviation that a seed gives the logarithm of the error, by a study's own repeats.

    These are taken together with what was recorded. ``least`` is the least error that counts.
    """
    return seed_deviation([trial.accuracies for trial in trials], least)


def seed_deviation(several: Iterable[Sequence[float]], least: float) -> float:
    """The same of the accuracies (0..1) that networks had with several seeds each."""
    squares, freedom = RECORDED * SEED_NOISE**2, RECORDED
    for accuracies in several:
        if len(accuracies) > 1:
            logs = np.log(np.maximum(1 - np.array(accuracies), least))
            squares += float(((logs - logs.mean()) ** 2).sum())
            freedom += len(logs) - 1
    return math.sqrt(squares / freedom)


def _posterior(values: Floats, variances: Floats, costs: Floats) -> tuple[Floats, Floats]:
    """Means and variances [N] of what the values [N] are of, given their noise and the costs."""
    terms = np.column_stack([np.ones(len(values)), costs, costs**2, costs.prod(axis=1)])
    if len(values) < max(LEAST, 2 * terms.shape[1]):
        return values, variances
    fit, *_ = np.linalg.lstsq(terms, values, rcond=None)
    expected = terms @ fit
    spread = float(((values - expected) ** 2).sum()) / (len(values) - terms.shape[1])
    between = max(spread - float(variances.mean()), 0.05 * spread, 1e-12)
    share = between / (between + variances)
    means: Floats = expected + share * (values - expected)
    left: Floats = share * variances
    return means, left


def _costs(trials: Sequence[Result]) -> Floats:
    """Logarithms of params and FLOPs, [N, 2], centered so that their squares tell them apart."""
    logs = np.log10([[trial.params, trial.flops] for trial in trials]).reshape(-1, 2)
    centered: Floats = logs - logs.mean(axis=0)
    return centered
