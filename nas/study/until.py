"""When a run of a study ends."""

from dataclasses import dataclass

from nas.settings import TRIALS
from search_space.checks import check_range

MAX_FAILURES = 20
"""Evaluations in a row that may fail, unless something else is asked for."""


@dataclass(frozen=True)
class Until:
    """When a run ends: the number of trials that the study should have, and seconds from now.

    After ``seconds`` no new trial is begun; those that run, and those that an earlier run left, are
    finished. So many ``failures`` in a row end it with FailingError. ValueError where any
    can't be.
    """

    trials: int
    seconds: float | None = None
    failures: int | None = None

    def __post_init__(self) -> None:
        check_range("trials", self.trials, *TRIALS)
        if self.failures is not None:
            check_range("max failures", self.failures, 1, 10**9)
        if self.seconds is not None:
            check_range("timeout", self.seconds, 0, 1e9, integer=False)
