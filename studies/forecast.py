"""What accuracy at one rung foretells of the last: a line through the candidates known at both."""

import math
from typing import NamedTuple

import numpy as np

from studies.pareto import Floats

LEAST_PAIRS = 6
"""Candidates known at two rungs before anything is said of the second from the first."""


class Forecast(NamedTuple):
    """The logarithm of the error at the last rung as a line over that at an earlier one.

    It goes through (``x``, ``y``) with ``slope``; ``deviation`` is the residuals' about it,
    ``spread`` the sum of squares of the ``pairs`` errors it was fitted to.
    """

    x: float
    y: float
    slope: float
    deviation: float
    spread: float
    pairs: int

    def expected(self, accuracy: float) -> float:
        """Natural logarithm of the error expected at the last rung, from accuracy (0..1)."""
        return self.y + self.slope * (log_error(accuracy) - self.x)

    def variance(self, accuracy: float) -> float:
        """Variance of the logarithm of a new candidate's error at the last rung.

        The residuals' variance, and what the line itself is uncertain by.
        """
        away = (log_error(accuracy) - self.x) ** 2 / self.spread if self.spread > 0 else 0.0
        return self.deviation**2 * (1 + 1 / self.pairs + away)

    def upper_bound(self, accuracy: float, risk: float) -> float:
        """The accuracy at the last rung that a new candidate exceeds with probability ``risk``.

        By Student's t, so that few pairs give a wide bound; not below ``accuracy``.
        """
        from scipy.stats import t as student

        width = math.sqrt(self.variance(accuracy)) * float(student.ppf(1 - risk, self.pairs - 2))
        return max(accuracy, 1.0 - math.exp(self.expected(accuracy) - width))


def forecast(low: Floats, high: Floats) -> Forecast | None:
    """The forecast from accuracies (0..1) of the same candidates at two rungs, [P] each.

    None where they are too few.
    """
    if len(low) < LEAST_PAIRS:
        return None
    x, y = _log_errors(low), _log_errors(high)
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else 0.0
    slope = max(slope, 0.0)  # fewer errors never foretell more, whatever a few pairs say
    residuals = y - y.mean() - slope * (x - x.mean())
    deviation = math.sqrt(float((residuals**2).sum()) / (len(x) - 2))
    return Forecast(float(x.mean()), float(y.mean()), slope, deviation, spread, len(x))


def log_error(accuracy: float) -> float:
    """Natural logarithm of 1 - accuracy, which stays finite."""
    return float(_log_errors(np.array([accuracy]))[0])


def _log_errors(accuracies: Floats) -> Floats:
    errors: Floats = np.log(np.maximum(1.0 - accuracies, 1e-4))
    return errors
