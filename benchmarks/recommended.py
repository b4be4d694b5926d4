"""What a search recommends up to each size after so many core-minutes on the replay.

Every variant searches with several seeds within the limits of outcome.py. What it then recommends
is judged by the accuracy that the replay's network has without a seed's noise, and printed in
percent for each seed, and as the mean over them. A constant of the search is set for the run with
``--set``, as in ``--set nas.sampling.ms_ehvi.windows.EVENNESS=1``.
"""

import argparse
import ast
import contextlib
import importlib
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from in_memory import open_in_memory
from outcome import LIMITS, ONE_RUNG, SIZES
from problem import WORKERS, Problem

from nas.settings import DEFAULT_BUDGETS
from nas.study.loop import search
from nas.study.until import Until
from nas.workers.protocol import Outcome
from nas.workers.simulated import Simulated
from studies.best import best_up_to
from studies.interval import Estimates

TRIALS = 100_000

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "known-cost": {"promotion": "known-cost"},
    "asha": {"promotion": "asha"},
    "one rung": {"promotion": "none", "budgets": DEFAULT_BUDGETS[-1:]},
    "5,000 and 80,000": {"budgets": (5_000, 80_000)},
    "20,000 and 80,000": {"budgets": (20_000, 80_000)},
    "no repeats": {"repeats": 0.0},
    "per second": {"sampler": "ms-ehvi-per-second"},
    "random": {"sampler": "random", **ONE_RUNG},
    "tpe": {"sampler": "tpe", **ONE_RUNG},
    "nsga2": {"sampler": "nsga2", **ONE_RUNG},
    "gp": {"sampler": "gp", **ONE_RUNG},
}


class TimeIsUpError(Exception):
    """The simulated workers have had their time."""


class Limited(Simulated):
    """Simulated workers that stop at ``seconds`` on their clock."""

    def __init__(self, problem: Problem, seconds: float) -> None:
        super().__init__(WORKERS, problem.replay)
        self._seconds = seconds

    def next(self, seconds: float) -> Outcome:
        """As ever; TimeIsUpError after the time."""
        outcome = super().next(seconds)
        if self.clock > self._seconds:
            raise TimeIsUpError
        return outcome


def recommended(
    problem: Problem, changes: dict[str, Any], seed: int, core_minutes: float
) -> tuple[list[float], str]:
    """Percent that what is recommended up to each of SIZES truly has, and the study in words.

    Not a number where nothing is so small.
    """
    settings = replace(problem.settings, seed=seed, warm_start=False, **LIMITS)
    settings = replace(settings, **changes)
    opened = open_in_memory(settings)
    workers = Limited(problem, 60 * core_minutes / WORKERS)
    with contextlib.suppress(TimeIsUpError):
        search(opened, Until(TRIALS), workers, lambda _: None)
    results = opened.results()
    found = []
    for best in best_up_to(results, Estimates(results), "params", SIZES):
        if best.result is None:
            found.append(float("nan"))
            continue
        candidate = problem.candidate(opened.study.trials[best.result.number].params)
        found.append(100 * problem.replay.truth(candidate, problem.settings.budgets[-1]))
    stopped = results.states.get("pruned", 0)
    words = (
        f"{len(opened.study.trials)} trials, {stopped} stopped, {results.repeats} repeats, "
        f"hypervolume {results.hypervolume():.3f}"
    )
    return found, words


def set_constants(assignments: Sequence[str]) -> None:
    """Give constants of modules another value, each as in ``package.module.NAME=value``."""
    for assignment in assignments:
        path, _, value = assignment.partition("=")
        module, _, name = path.rpartition(".")
        found = importlib.import_module(module)
        if not hasattr(found, name):
            raise SystemExit(f"{module} has no {name}")
        setattr(found, name, ast.literal_eval(value))


def row(name: str, values: Sequence[float], words: str) -> str:
    """A line of the table."""
    return f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} | {words} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variants", nargs="*", default=list(VARIANTS), metavar="VARIANT")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--core-minutes", type=float, default=80.0)
    parser.add_argument("--set", action="append", default=[], metavar="CONSTANT=VALUE")
    asked = parser.parse_args()
    set_constants(asked.set)
    problem = Problem(DEFAULT_BUDGETS)
    print(f"| replayed | {' | '.join(f'up to {size:,}' for size in SIZES)} | study |")
    print(f"|{' --- |' * (len(SIZES) + 2)}", flush=True)
    for name in asked.variants:
        rows = []
        for seed in range(asked.seeds):
            values, words = recommended(problem, VARIANTS[name], seed, asked.core_minutes)
            rows.append(values)
            print(row(f"{name}, seed {seed}", values, words), flush=True)
        means = np.nanmean(rows, axis=0)
        each = [float(np.nanmean(values)) for values in rows]
        error = statistics.stdev(each) / len(each) ** 0.5 if len(each) > 1 else float("nan")
        words = f"over sizes {statistics.mean(each):.2f}, standard error {error:.2f}"
        print(row(f"**{name}**", means.tolist(), words), flush=True)


if __name__ == "__main__":
    main()
