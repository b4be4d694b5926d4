"""The driver's time per trial on SQLite, with evaluations that take no time."""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from itertools import pairwise

from machine import row, table

from nas.cluster import InDriver
from nas.evaluation import Evaluation
from nas.progress import Progress
from nas.search import Until, open_study, search
from nas.settings import Request, Settings
from studies.store import open_store


def pretend(request: Request) -> Evaluation:
    """An accuracy that grows with the number of blocks, and a little noise from the key."""
    blocks = sum(len(stage.blocks) for stage in request.candidate.architecture.stages)
    accuracy = 0.6 + 0.03 * blocks + int(request.candidate.key, 16) % 100 / 2000
    curve = tuple((1000 * i, 1.0, 0.5) for i in range(1, 21))
    return Evaluation(accuracy, 1.0, curve, 0.0, 0.0, "host", {})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--rungs", type=int, choices=(1, 2), default=1)
    parser.add_argument("--storage", help="keep the study there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        store = open_store(arguments.storage or f"sqlite:///{directory}/a.db", create=True)
        settings = Settings(sampler=arguments.sampler)
        settings = replace(settings, budgets=settings.budgets[-arguments.rungs :])
        study = open_study(store, "driver", settings)
        ends: list[float] = []

        def report(progress: Progress) -> None:
            del progress
            ends.append(time.perf_counter())

        search(settings, store, study, Until(arguments.trials), InDriver(pretend), "", report)
    times = [1000 * (after - before) for before, after in pairwise(ends)]
    window = max(1, arguments.trials // 10)
    rows = [
        row(f"trials {start + 1} to {start + window}", times[start : start + window], "ms")
        for start in range(0, arguments.trials - window + 1, window)
    ]
    table(rows)
    print(f"mean of all: {statistics.mean(times):.1f} ms")


if __name__ == "__main__":
    main()
