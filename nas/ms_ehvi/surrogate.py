"""The surrogate: a candidate's accuracy at the last rung, predicted from those seen at any rung.

.. [Rasmussen2006] C. Rasmussen, C. Williams, Gaussian Processes for Machine Learning, 2006,
   chapter 2.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern
from threadpoolctl import threadpool_limits

from nas.forecast import forecast, log_error
from nas.history import History
from studies.pareto import Floats

LENGTH = 12.0
"""Length scale, in standard deviations of the features over all of their dimensions."""

NOISE = 0.1
"""Variance of an evaluation's noise, as a share of the variance of what is known.

Both were fixed by the likelihood of recorded evaluations out of fold (benchmarks/surrogates.py);
fitting them to every study anew did no better and took longer.
"""

MOST = 600
"""Candidates that are learned from, at most; more would take more time than they tell."""


class Surrogate:
    """Predicts accuracies (0..1) from rows of features.

    A Gaussian process ([Rasmussen2006]_) of the logarithm of the error at the last rung. Where a
    candidate was stopped before, a line through the candidates known at both rungs gives its label,
    and the line's scatter the label's extra variance.
    """

    def __init__(self, history: History, rows: Mapping[str, Floats]) -> None:
        labels = errors_at_the_end(history)
        # Those that got furthest; of the others any, and keys are as good as drawn at random.
        keys = sorted(labels, key=lambda key: (-labels[key].rung, key))[:MOST]
        inputs = np.array([rows[key] for key in keys])
        values = np.array([labels[key].error for key in keys])
        self._center, self._scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
        self._middle, self._spread = float(values.mean()), float(values.std()) + 1e-9
        extra = np.array([labels[key].variance for key in keys]) / self._spread**2
        self._process = GaussianProcessRegressor(
            Matern(LENGTH, "fixed", nu=2.5), alpha=NOISE + extra, optimizer=None
        )
        targets = (values - self._middle) / self._spread
        with threadpool_limits(1):  # two cores have workers on them, and bits may depend on it
            self._process.fit((inputs - self._center) / self._scale, targets)

    def predict(self, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the accuracy at the last rung, [N] each."""
        with threadpool_limits(1):
            mean, std = self._process.predict((rows - self._center) / self._scale, return_std=True)
        mean, std = self._middle + self._spread * mean, self._spread * std
        # Moments of a log-normal error.
        error = np.exp(mean + std**2 / 2)
        return 1 - error, error * np.sqrt(np.expm1(std**2)) + 1e-6


class Label(NamedTuple):
    """Natural logarithm of a candidate's error at the last rung, measured or expected there.

    ``rung`` is the highest that it has been at; ``variance`` that of the expectation, else 0.
    """

    error: float
    variance: float
    rung: int


def errors_at_the_end(history: History) -> dict[str, Label]:
    """What every candidate's accuracies say of the last rung, by key."""
    labels: dict[str, Label] = {}
    for rung in range(history.rungs):
        known = forecast(history, rung) if rung < history.rungs - 1 else None
        for key, accuracy in history.learned(rung).items():
            if known:
                labels[key] = Label(known.expected(accuracy), known.deviation**2, rung)
            else:
                labels[key] = Label(log_error(accuracy), 0.0, rung)
    return labels
