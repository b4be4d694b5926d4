"""What accuracy at one rung foretells of the last, from the candidates known at both.

The logarithm of the error at the last rung is a line over that at the earlier one, or a plane over
that and the costs, fitted to those that were nearest at the earlier rung: what had twice the errors
there learns otherwise. Who goes on is decided by just these numbers, so that the candidates known
at both, a choice of the best, still tell how the others would have ended.
"""

import math
from typing import NamedTuple

import numpy as np

from studies.pareto import Floats

LEAST_PAIRS = 6
"""Candidates known at two rungs before anything is said of the second from the first."""

LEAST_NEAR = 12
"""Of these, those that a plane is fitted to, at least; with fewer, costs tell nothing."""

NEAR = 0.5
"""Share of the candidates known at both rungs that a plane is fitted to, the nearest ones."""

RIDGE = 1e-9
"""Added to the variances of what a plane is over, since they may be alike."""


class Foretold(NamedTuple):
    """The natural logarithm of the error at the last rung, as Student's t has it.

    ``error`` is expected, ``variance`` that of a new candidate's, with so many degrees of
    ``freedom``.
    """

    error: float
    variance: float
    freedom: int

    def upper_bound(self, accuracy: float, risk: float) -> float:
        """The accuracy at the last rung that is exceeded with probability ``risk``.

        Few pairs give a wide bound; it is not below ``accuracy``, that of the earlier rung.
        """
        from scipy.stats import t as student

        width = math.sqrt(self.variance) * float(student.ppf(1 - risk, self.freedom))
        return max(accuracy, 1.0 - math.exp(self.error - width))


class Line(NamedTuple):
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

    def of(self, accuracies: Floats, _costs: Floats | None = None) -> list[Foretold]:
        """What accuracies [N] (0..1) at the earlier rung foretell, whatever the costs."""
        return [
            Foretold(self.expected(accuracy), self._variance(accuracy), self.pairs - 2)
            for accuracy in accuracies.tolist()
        ]

    def expected(self, accuracy: float) -> float:
        """Natural logarithm of the error expected at the last rung, from accuracy (0..1)."""
        return self.y + self.slope * (log_error(accuracy) - self.x)

    def _variance(self, accuracy: float) -> float:
        """The residuals' variance, and what the line itself is uncertain by."""
        away = (log_error(accuracy) - self.x) ** 2 / self.spread if self.spread > 0 else 0.0
        return self.deviation**2 * (1 + 1 / self.pairs + away)


class Planes(NamedTuple):
    """The same as a plane over the error at the earlier rung and the costs, for each candidate one.

    ``errors`` and ``ends`` [P] are logarithms of errors at the two rungs, ``costs`` [P, K] those of
    costs. A plane is fitted to the nearest share NEAR of these candidates.
    """

    errors: Floats
    ends: Floats
    costs: Floats

    def of(self, accuracies: Floats, costs: Floats) -> list[Foretold]:
        """What accuracies [N] (0..1) at the earlier rung foretell at those costs [N, K]."""
        asked = _log_errors(accuracies)
        count = max(LEAST_NEAR, int(NEAR * len(self.errors)))
        away = np.abs(self.errors - asked[:, None])
        near = np.argsort(away, axis=1, kind="stable")[:, :count]
        over = np.column_stack([self.errors, self.costs])[near]
        middle = over.mean(axis=1)
        over = over - middle[:, None]
        ends = self.ends[near]
        level = ends.mean(axis=1)
        ridge = RIDGE * count * np.eye(over.shape[2])
        inverse = np.linalg.inv(np.einsum("npi,npj->nij", over, over) + ridge)
        slopes = np.einsum("nij,npj,np->ni", inverse, over, ends - level[:, None])
        residuals = ends - level[:, None] - np.einsum("npi,ni->np", over, slopes)
        freedom = count - 1 - over.shape[2]
        at = np.column_stack([asked, costs]) - middle
        expected = level + np.einsum("ni,ni->n", at, slopes)
        unsure = 1 + 1 / count + np.einsum("ni,nij,nj->n", at, inverse, at)
        variances = (residuals**2).sum(axis=1) / freedom * unsure
        pairs = zip(expected.tolist(), variances.tolist(), strict=True)
        return [Foretold(error, variance, freedom) for error, variance in pairs]


Forecast = Line | Planes


def forecast(low: Floats, high: Floats) -> Line | None:
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
    return Line(float(x.mean()), float(y.mean()), slope, deviation, spread, len(x))


def forecast_at_cost(low: Floats, high: Floats, costs: Floats) -> Forecast | None:
    """The forecast that takes the logarithms of costs [P, K] into account, where there are enough.

    Else the line, or None.
    """
    if len(low) < LEAST_NEAR:
        return forecast(low, high)
    return Planes(_log_errors(low), _log_errors(high), costs)


def log_error(accuracy: float) -> float:
    """Natural logarithm of 1 - accuracy, which stays finite."""
    return float(_log_errors(np.array([accuracy]))[0])


def _log_errors(accuracies: Floats) -> Floats:
    errors: Floats = np.log(np.maximum(1.0 - accuracies, 1e-4))
    return errors
