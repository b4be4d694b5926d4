"""How far a run of a study is: its trials counted as they end, its front kept as it grows."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from nas.progress import clock
from studies.pareto import front_mask, hypervolume, losses, reference_point
from studies.results import Result, Results, result_of
from studies.trials import Trial

LONGEST = 60
"""Letters of a failure's reason in a line of progress."""


@dataclass(frozen=True)
class Progress:
    """Trials ended of ``total``; ``best`` accuracy 0..1 or None; images/s over all workers.

    ``seconds_left`` is None until a trial of this run has ended; ``workers`` is what there is to
    say of them, ``failure`` the commonest reason why trials failed.
    """

    total: int
    done: int
    pruned: int
    failed: int
    front: int
    hypervolume: float
    best: float | None
    images_per_second: float
    seconds_left: float | None
    workers: str = ""
    failure: str = ""

    def ended(self) -> int:
        """Trials that have ended, in whichever way."""
        return self.done + self.pruned + self.failed

    def share(self) -> str:
        """How much is done, and the time that is left."""
        left = "" if self.seconds_left is None else f", {clock(self.seconds_left)} left"
        return f"{self.ended()}/{self.total} trial{'' if self.total == 1 else 's'}{left}"

    def details(self) -> str:
        """What has come of it."""
        parts = [
            f"{self.done} done, {self.pruned} pruned, {self.failed} failed",
            f"front {self.front}",
            f"hypervolume {self.hypervolume:.3f}",
        ]
        if self.best is not None:
            parts.append(f"best {self.best:.2%}")
        if self.images_per_second:
            parts.append(f"{self.images_per_second:,.0f} images/s")
        if self.workers:
            parts.append(self.workers)
        if self.failure:
            parts.append(f"failed: {self.failure}")
        return " | ".join(parts)


class Tracker:
    """Counts the trials of a run as they end, from what the study had before.

    The front is kept, so that a trial costs no more the more there were before it, unless it is a
    repeat: then another one's accuracy changes, and the front is made anew.
    """

    def __init__(self, before: Results, total: int) -> None:
        self._axes, self._total = before.axes, total
        self._states = Counter(before.states)
        self._failures = Counter(before.failures)
        self._results: dict[str, Result] = {}
        self._front = losses([], self._axes)
        self._volume: float | None = 0.0
        self._best: float | None = None
        for result in before.completed:
            self._add(result)
        self._started = time.monotonic()
        self._ended = self._images = 0
        self._workers = ""

    def on(self, workers: str) -> bool:
        """What there is to say of the workers now; whether that is news."""
        before, self._workers = self._workers, workers
        return workers != before

    def trained(self, images: int) -> None:
        """An evaluation of that many training images has ended."""
        self._images += images

    def ended(self, trial: Trial) -> None:
        """Count a trial that has ended."""
        self._ended += 1
        self._states[trial.state] += 1
        if trial.state == "complete":
            (self._repeated if trial.kept.repeat else self._add)(result_of(trial))
        elif trial.kept.failure is not None:
            self._failures[trial.kept.failure] += 1

    def _add(self, result: Result) -> None:
        """Take a candidate that is new into the front, if it belongs there."""
        if result.key in self._results:
            return
        self._results[result.key] = result
        self._best = self._best_of([result], self._best)
        grown = np.vstack([self._front, losses([result.values], self._axes)])
        mask = front_mask(grown)
        if mask[-1]:
            self._front, self._volume = grown[mask], None

    def _repeated(self, again: Result) -> None:
        """Take in what another seed gave a candidate."""
        before = self._results.get(again.key)
        if before is None:
            return
        seeds = before.seeds + 1
        values = [  # the costs are the same in both
            old + (new - old) / seeds for old, new in zip(before.values, again.values, strict=True)
        ]
        self._results[again.key] = replace(before, values=tuple(values), seeds=seeds)
        known = self._results.values()
        self._best = self._best_of(known)
        table = losses([result.values for result in known], self._axes)
        self._front, self._volume = table[front_mask(table)], None

    def _best_of(self, results: Iterable[Result], before: float | None = None) -> float | None:
        """The best accuracy (0..1) of these, or that from ``before``."""
        places = [place for place, axis in enumerate(self._axes) if axis.name == "accuracy"]
        found = [result.values[place] for result in results for place in places]
        return max(found if before is None else [before, *found], default=before)

    def progress(self) -> Progress:
        """How far the run is at this moment."""
        elapsed = time.monotonic() - self._started
        done, pruned, failed = (self._states[s] for s in ("complete", "pruned", "fail"))
        left = self._total - done - pruned - failed
        if self._volume is None:
            self._volume = hypervolume(self._front, reference_point(self._axes))
        return Progress(
            total=max(self._total, done + pruned + failed),
            done=done,
            pruned=pruned,
            failed=failed,
            front=len(self._front),
            hypervolume=self._volume,
            best=self._best,
            images_per_second=self._images / elapsed if elapsed > 0 else 0.0,
            seconds_left=elapsed / self._ended * max(0, left) if self._ended else None,
            workers=self._workers,
            failure=shortened(max(self._failures, key=self._failures.__getitem__, default="")),
        )


def shortened(words: str) -> str:
    """Words as a part of a line, the first of them where they are many."""
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."
