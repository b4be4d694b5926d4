"""What is known of a trial's accuracy: an interval, and whether the trial is on the front.

A measured accuracy deviates from what the network is worth by chance: that of the validation
images, and that of the seed, whose runs of one network differ. And the best of many is, more
likely than not, one that was lucky. Empirical Bayes takes that back ([Efron2010]_, chapter 1): the
logarithm of the error is drawn towards what networks of such cost have on average, the more so the
larger its noise is against the spread among networks. Normal distributions throughout.

.. [Efron2010] B. Efron, Large-Scale Inference, Cambridge University Press, 2010.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from studies.pareto import Floats
from studies.results import Result, Results

SEED_NOISE = 0.04
"""Standard deviation that a seed gives the natural logarithm of the error, as recorded: 0.039 among
15 members of a front, three seeds each, 20,000 images (benchmarks/coverage.py).
"""

Z = 1.96
"""Standard deviations on either side of a mean that hold 95 %."""

LEAST = 12
"""Trials before anything is said of what networks of such cost have on average."""

DRAWS = 400
"""Random draws of all accuracies, for the probability of being on the front."""


@dataclass(frozen=True)
class Estimate:
    """What is known of a trial's accuracy (0..1): the mean, and 95 % from ``low`` to ``high``.

    ``front`` is the probability (0..1) that no other trial is as accurate at no more cost; None
    where it isn't asked for.
    """

    mean: float
    low: float
    high: float
    front: float | None = None


def estimates(results: Results, members: Sequence[Result] = ()) -> dict[int, Estimate]:
    """Estimates by trial of a study's completed trials, none where nobody knows its noise.

    ``members`` get a probability of being on the front.
    """
    place = results.place("accuracy")
    if place is None or not results.axes[place].least_error or not results.completed:
        return {}
    trials = results.completed
    least = results.axes[place].least_error
    errors = np.maximum(1 - np.array([trial.values[place] for trial in trials]), least)
    means, variances = _posterior(np.log(errors), noise(errors, 0.5 / least), _costs(results))
    found = {}
    chances = _on_front(results, means, variances, members) if members else {}
    for number, (trial, mean, variance) in enumerate(zip(trials, means, variances, strict=True)):
        away = Z * math.sqrt(variance)
        low, middle, high = (1 - math.exp(mean + sign * away) for sign in (1, 0, -1))
        chance = chances.get(number)
        found[trial.number] = Estimate(middle, max(0.0, low), min(1.0, high), chance)
    return found


def noise(errors: Floats, images: float) -> Floats:
    """Variance [N] of the natural logarithm of measured errors on so many validation images.

    That of a binomial share, and of the seed.
    """
    share: Floats = (1 - errors) / (errors * images) + SEED_NOISE**2
    return share


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


def _costs(results: Results) -> Floats:
    """Logarithms of params and FLOPs, [N, 2], centered so that their squares tell them apart."""
    logs = np.log10([[trial.params, trial.flops] for trial in results.completed]).reshape(-1, 2)
    centered: Floats = logs - logs.mean(axis=0)
    return centered


def _on_front(
    results: Results, means: Floats, variances: Floats, members: Sequence[Result]
) -> Mapping[int, float]:
    """By the place of a member: how often none that costs no more is as accurate, among draws."""
    place = results.place("accuracy")
    others = [column for column in range(len(results.axes)) if column != place]
    signs = np.array([-1.0 if results.axes[column].maximize else 1.0 for column in others])
    table = np.array([[trial.values[column] for column in others] for trial in results.completed])
    costs = table.reshape(len(results.completed), len(others)) * signs
    rng = np.random.default_rng(0)
    drawn = means + np.sqrt(variances) * rng.standard_normal((DRAWS, len(means)))
    keys = np.array([trial.key for trial in results.completed])
    wanted = {member.number for member in members}
    found = {}
    for row, trial in enumerate(results.completed):
        if trial.number in wanted:
            rivals = (costs <= costs[row]).all(axis=1) & (keys != trial.key)
            best = drawn[:, rivals].min(axis=1) if rivals.any() else np.full(DRAWS, np.inf)
            found[row] = float((drawn[:, row] < best).mean())
    return found
