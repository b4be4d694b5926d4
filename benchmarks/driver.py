"""The driver's time per trial, and the sampler's of it, on SQLite; evaluations take no time."""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any

from machine import row, table
from optuna import Study
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from nas.settings import Request, Settings
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.tracker import Progress
from nas.study.until import Until
from nas.workers.protocol import InDriver
from studies.evaluation import Evaluation
from studies.store import open_store


def pretend(request: Request) -> Evaluation:
    """An accuracy that grows with the number of blocks, and a little noise from the key."""
    blocks = sum(len(stage.blocks) for stage in request.candidate.architecture.stages)
    accuracy = 0.6 + 0.03 * blocks + int(request.candidate.key, 16) % 100 / 2000
    curve = tuple((1000 * i, 1.0, 0.5) for i in range(1, 21))
    return Evaluation(accuracy, 1.0, curve, 0.0, 0.0, "host", {})


class Timed(BaseSampler):
    """A sampler whose milliseconds are counted, by the trial's number."""

    def __init__(self, sampler: BaseSampler) -> None:
        self.sampler = sampler
        self.spent: dict[int, float] = defaultdict(float)

    def _timed(self, name: str, study: Study, trial: FrozenTrial, *more: Any) -> Any:
        began = time.perf_counter()
        try:
            return getattr(self.sampler, name)(study, trial, *more)
        finally:
            self.spent[trial.number] += 1000 * (time.perf_counter() - began)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._timed("before_trial", study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Any:
        return self._timed("infer_relative_search_space", study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: Any) -> Any:
        return self._timed("sample_relative", study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        return self._timed("sample_independent", study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: Any, values: Any) -> None:
        self._timed("after_trial", study, trial, state, values)


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
        timed = study.study.sampler = Timed(study.study.sampler)
        ends: list[float] = []

        def report(progress: Progress) -> None:
            del progress
            ends.append(time.perf_counter())

        search(study, Until(arguments.trials), InDriver(pretend), report)
    times = [1000 * (after - before) for before, after in pairwise(ends)]
    spent = [timed.spent[number] for number in range(arguments.trials)]
    window = max(1, arguments.trials // 10)
    rows = [
        row(f"trials {start + 1} to {start + window}", times[start : start + window], "ms")
        for start in range(0, arguments.trials - window + 1, window)
    ]
    rows += [
        row(f"the sampler, {first + 1} to {first + window}", spent[first : first + window], "ms")
        for first in (0, arguments.trials - window)
    ]
    table(rows)
    print(f"mean of all: {statistics.mean(times):.1f} ms")


if __name__ == "__main__":
    main()
