"""The surrogate: a candidate's accuracy at the last rung, predicted from those seen at any rung.

.. [Rasmussen2006] C. Rasmussen, C. Williams, Gaussian Processes for Machine Learning, 2006,
   chapter 2.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern
from threadpoolctl import ThreadpoolController

from nas.rungs.history import History
from studies.forecast import log_error
from studies.pareto import Floats, front_mask

LENGTH = 12.0
"""Length scale, in standard deviations of the features over all of their dimensions."""

NOISE = 0.1
"""Variance of an evaluation's noise, as a share of the variance of what is known.

Both were fixed by the likelihood of recorded evaluations out of fold (benchmarks/surrogates.py);
fitting them to every study anew did no better and took longer.
"""

NOISE_AT_COST = 0.1
"""The same as a share of what a trend in the cost leaves, from the second edition on."""

FURTHEST = 0.4
"""How far above that trend the logarithm of an error may lie; one beyond counts as there. A network
that didn't learn at all, with six times the usual error, would outweigh all the others.
"""

ROUNDS = 3
"""Times that the trend is fitted, each time to what lies no further from the one before."""

SHRINKAGE = 1.0
"""Ridge penalty of that trend's coefficients, each term having about unit variance."""

MOST = 600
"""Candidates that are learned from, at most; more would take more time than they tell."""


class Scale(NamedTuple):
    """Center and spread [D] of the features over a space, which makes them comparable."""

    center: Floats
    spread: Floats

    @classmethod
    def of(cls, rows: Floats) -> "Scale":
        """That of the rows [N, D]; what doesn't vary among them keeps its own."""
        spread = rows.std(axis=0)
        return cls(rows.mean(axis=0), np.where(spread > 0, spread, 1.0))

    def __call__(self, rows: Floats) -> Floats:
        """Rows [N, D], scaled."""
        scaled: Floats = (rows - self.center) / self.spread
        return scaled


class Surrogate:
    """Predicts accuracies (0..1) from rows of features.

    A Gaussian process ([Rasmussen2006]_) of the logarithm of the error at the last rung. Where a
    candidate was stopped before, what its rung foretells is its label, with extra variance. From
    the second edition on, the process is of what a quadratic trend in the logarithms of parameters
    and FLOPs leaves: far from what was seen the accuracy is what such cost has on average, and not
    what everything has. Networks that didn't learn count as merely bad ones.
    """

    def __init__(self, history: History, rows: Mapping[str, Floats], scale: Scale) -> None:
        labels = errors_at_the_end(history)
        keys = _telling(history, labels)
        values = np.array([labels[key].error for key in keys])
        variances = np.array([labels[key].variance for key in keys])
        seeds = np.array([labels[key].seeds for key in keys])
        scaled = scale(np.array([rows[key] for key in keys]))
        noise = NOISE_AT_COST if history.at_cost else NOISE
        self._scale = scale
        self._trend: Floats | None = None
        # One thread: workers are on the other cores, and bits may depend on how many there are.
        with _libraries().limit(limits=1):
            if history.at_cost:
                self._trend, values = robust_trend(scaled, values, variances)
            self._middle, self._spread = float(values.mean()), float(values.std()) or 1.0
            self._process = process(noise / seeds + variances / self._spread**2)
            self._process.fit(scaled, (values - self._middle) / self._spread)

    def predict_error(self, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of log10 of the error at the last rung, [N] each."""
        mean, std = self._log_error(rows)
        return mean / math.log(10), std / math.log(10)

    def _log_error(self, rows: Floats) -> tuple[Floats, Floats]:
        scaled = self._scale(rows)
        with _libraries().limit(limits=1):
            mean, std = self._process.predict(scaled, return_std=True)
            usual = 0.0 if self._trend is None else terms_of(scaled) @ self._trend
        return usual + (self._middle + self._spread * mean), self._spread * std

    def predict(self, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the accuracy at the last rung, [N] each."""
        mean, std = self._log_error(rows)
        # Moments of a log-normal error.
        error = np.exp(mean + std**2 / 2)
        return 1 - error, error * np.sqrt(np.expm1(std**2)) + 1e-6


def terms_of(scaled: Floats) -> Floats:
    """A constant, and the first two features, parameters and FLOPs, in two orders, [N, 6]."""
    first, second = scaled[:, 0], scaled[:, 1]
    one = np.ones(len(scaled))
    return np.column_stack([one, first, second, first**2, second**2, first * second])


def robust_trend(scaled: Floats, values: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Coefficients [6] of a robust trend in the cost, and what it leaves of the values, [N].

    Values far above it, of networks that didn't learn, are drawn to FURTHEST above it first.
    """
    terms = terms_of(scaled)
    trend = trend_of(scaled, values, variances)
    for _ in range(ROUNDS):
        usual = terms @ trend
        values = np.minimum(values, usual + FURTHEST)
        trend = trend_of(scaled, values, variances)
    return trend, values - terms @ trend


def trend_of(scaled: Floats, values: Floats, variances: Floats) -> Floats:
    """Coefficients [6] of the trend, by ridge regression; the constant isn't drawn to 0.

    What is uncertain counts for less: against the variance of all values, by half where it is as
    large.
    """
    terms = terms_of(scaled)
    weights = 1 / (1 + variances / (float(values.var()) or 1.0))
    weighted = terms * weights[:, None]
    penalty = SHRINKAGE * np.eye(terms.shape[1])
    penalty[0, 0] = 0.0
    return np.linalg.solve(weighted.T @ terms + penalty, weighted.T @ values).astype(np.float64)


class Label(NamedTuple):
    """Natural logarithm of a candidate's error at the last rung, measured or expected there.

    ``rung`` is the highest that it has been at; ``variance`` that of the expectation, else 0.
    ``seeds`` says of how many trainings it is the mean.
    """

    error: float
    variance: float
    rung: int
    seeds: int = 1


def errors_at_the_end(history: History) -> dict[str, Label]:
    """What every candidate's accuracies say of the last rung, by key.

    Where nothing can be said of the last one yet, the highest rung with two candidates stands for
    it; rungs are never mixed without a forecast between them.
    """
    last = history.rungs - 1
    labels: dict[str, Label] = {}
    ended = _measured(history, last)
    for rung in range(last):
        keys = [key for key in history.learned(rung) if key not in ended]
        foretold = history.foretold(rung, keys) or ()
        for key, found in zip(keys, foretold, strict=False):
            labels[key] = Label(found.error, found.variance, rung)
    labels |= ended
    for rung in reversed(range(last)):
        if len(labels) < 2:
            labels = _measured(history, rung)
    return labels


def _measured(history: History, rung: int) -> dict[str, Label]:
    learned = history.learned(rung)
    last = rung == history.rungs - 1
    seeds = {key: len(found) for key, found in history.repeats.items()} if last else {}
    return {
        key: Label(log_error(accuracy), 0.0, rung, seeds.get(key, 1))
        for key, accuracy in learned.items()
    }


def _telling(history: History, labels: Mapping[str, Label]) -> list[str]:
    """The keys to learn from: the front's first, then those that got furthest, at most MOST.

    Of equals any do, and keys are as good as drawn at random.
    """
    if len(labels) <= MOST:
        return sorted(labels)
    own = [key for key in sorted(labels) if key in history.known]
    losses = np.array([(labels[key].error, *history.known[key]) for key in own])
    front = {own[place] for place in np.flatnonzero(front_mask(losses))} if own else set()
    return sorted(labels, key=lambda key: (key not in front, -labels[key].rung, key))[:MOST]


@cache
def _libraries() -> ThreadpoolController:
    """The linear algebra that is loaded; to find it takes milliseconds."""
    return ThreadpoolController()


def process(noise: float | Floats) -> GaussianProcessRegressor:
    """The Gaussian process, not fitted, with that variance of noise [N] or for all."""
    kernel = Matern(LENGTH, "fixed", nu=2.5)
    return GaussianProcessRegressor(kernel, alpha=noise, optimizer=None)
