"""The driver alone: many workers whose trainings are only waited for, at many times their speed.

An evaluation of ``--seconds`` ends that long divided by ``--speed`` after it began. How busy the
workers are says whether one driver is enough for them; its own time per trial and its memory, how
long a study it is good for.
"""

import argparse
import heapq
import tempfile
import time
from dataclasses import replace
from itertools import count

from driver import pretend
from machine import row, table
from worker_memory import peak

from nas.settings import Request, Settings
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.tracker import Progress
from nas.study.until import Until
from nas.workers.protocol import Outcome
from studies.store import open_store


class Paced:
    """``slots`` workers, each busy for ``seconds`` with one request; what waits, waits in line."""

    def __init__(self, slots: int, seconds: float) -> None:
        self.slots, self.seconds = slots, seconds
        self.busy = self.idle_driver = 0.0
        self._ends: list[tuple[float, int, Request]] = []
        self._number = count()

    def submit(self, request: Request) -> None:
        ends = time.perf_counter() + self.seconds
        heapq.heappush(self._ends, (ends, next(self._number), request))

    def want(self, more: int) -> None:
        pass

    def next(self, seconds: float) -> Outcome | None:
        now = time.perf_counter()
        wait = self._ends[0][0] - now
        if wait > 0:
            time.sleep(min(wait, seconds))
            self.idle_driver += time.perf_counter() - now
        if wait > seconds:
            return None
        _, _, request = heapq.heappop(self._ends)
        self.busy += self.seconds
        return Outcome(request, pretend(request))

    def words(self) -> str:
        return ""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--speed", type=float, default=100.0)
    parser.add_argument("--sampler", default="random")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        store = open_store(f"sqlite:///{directory}/a.db", create=True)
        settings = Settings(sampler=arguments.sampler)
        settings = replace(settings, budgets=settings.budgets[-1:])
        study = open_study(store, "scale", settings)
        workers = Paced(arguments.workers, arguments.seconds / arguments.speed)
        before = peak()

        def report(progress: Progress) -> None:
            del progress

        began = time.perf_counter()
        search(study, Until(arguments.trials), workers, report)
        elapsed = time.perf_counter() - began
    busy = workers.busy / (workers.slots * elapsed)
    own = 1000 * (elapsed - workers.idle_driver) / arguments.trials
    table(
        [
            row("workers busy", [100 * busy], "%"),
            row("the driver's own time per trial", [own], "ms"),
            row("memory per trial", [1e6 * (peak() - before) / arguments.trials], "kB"),
        ]
    )


if __name__ == "__main__":
    main()
