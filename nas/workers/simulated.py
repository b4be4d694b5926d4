"""Simulated workers: an evaluation's outcome is there at once, its seconds pass on a clock alone.

So a study on a replayed table runs in seconds, in the order of events that real workers would give.
"""

import heapq

from nas.settings import Request
from nas.short_run.evaluation import Evaluate
from nas.workers.protocol import Outcome, error_words
from studies.evaluation import Evaluation


class Simulated:
    """``slots`` workers that evaluate one request each at a time; ``clock`` is in seconds."""

    def __init__(self, slots: int, evaluate: Evaluate) -> None:
        self.slots = max(1, slots)
        self.clock = 0.0
        self._evaluate = evaluate
        self._running: list[tuple[float, int, Outcome]] = []
        self._submitted = 0

    def submit(self, request: Request) -> None:
        """Begin at the clock's time; a free slot is the caller's business."""
        result: Evaluation | str
        try:
            result = self._evaluate(request)
        except Exception as error:  # as a worker would hand it over
            result = error_words(error, error.__traceback__)
        seconds = result.seconds if isinstance(result, Evaluation) else 0.0
        self._submitted += 1
        heapq.heappush(
            self._running, (self.clock + seconds, self._submitted, Outcome(request, result))
        )

    def want(self, more: int) -> None:
        """Ignored: the number of simulated workers is fixed."""

    def next(self, seconds: float) -> Outcome:
        """The outcome that ends first; the clock moves to its end."""
        del seconds
        self.clock, _, outcome = heapq.heappop(self._running)
        return outcome

    def words(self) -> str:
        """Empty: simulated workers never fail."""
        return ""
