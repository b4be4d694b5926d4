"""Record the table that searchers are compared on: real short runs of candidates of every size.

Candidates are drawn evenly over the logarithm of their parameters, from a fixed seed, up to a
million parameters and 100 MFLOPs; the hand-drawn networks are among them. What is in the file is
not run again, and every result is written at once, so it can be stopped at any moment.
"""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"

from worker import each_trained

from nas.datasets import find
from nas.settings import Settings
from nas.short_run.reference import reference
from nas.tables import table_path
from search_space.architecture import Candidate
from search_space.catalog import candidate
from search_space.cost import cost
from search_space.space import SearchSpace
from search_space.spread import Spread
from studies.evaluation import Evaluation
from studies.table import Data, Outcome, Run, Setting, Table, read_table

HERE = Path(__file__).parent
TABLE = table_path("fashion-mnist")
CURVES = HERE / "data" / "curves.jsonl"

SEED = 21
CANDIDATES, LONG, SECOND, MIDDLE, TIMED = 420, 64, 80, 120, 45
LIMITS = {"params": 1_000_000, "flops": 100_000_000}
LONG_FLOPS = 30_000_000
SHORT_BUDGETS, MIDDLE_BUDGET, LONG_BUDGET = (5_000, 20_000), 80_000, 500_000


class Wanted(NamedTuple):
    """One evaluation: of which candidate, on how many images, and with the seed of which study."""

    candidate: Candidate
    budget: int
    seed: int = 0


def hand_drawn() -> list[Candidate]:
    """The networks that were drawn by hand for 28x28."""
    files = (HERE / "networks" / name for name in ("100k.json", "300k.json"))
    drawn = [Candidate.from_json(json.loads(path.read_text())) for path in files]
    return [candidate("inception-28"), *drawn]


@cache
def candidates() -> tuple[Candidate, ...]:
    """Those that are recorded, each once; any first n of them are spread evenly."""
    spread, rng = Spread(SearchSpace(), (1, 28, 28), 10, LIMITS), Random(SEED)
    found: dict[str, Candidate] = {}
    while len(found) < CANDIDATES:
        one = spread.draw(rng).candidate
        found.setdefault(one.key, one)
    return tuple(found.values())


def long_ones() -> list[Candidate]:
    """Those that get ten epochs: the first that are cheap enough for it."""
    cheap = [c for c in candidates() if cost(c.architecture).flops <= LONG_FLOPS]
    return cheap[:LONG]


def plan(part: str) -> Iterator[Wanted]:
    """The evaluations of a part, in the order in which they are wanted."""
    if part == "ranking":  # of the long ones: what short runs are judged by
        of = [*hand_drawn(), *long_ones()]
        budgets: tuple[int, ...] = (*SHORT_BUDGETS, MIDDLE_BUDGET)
    elif part == "long":
        of, budgets = long_ones(), (LONG_BUDGET,)
    elif part == "short":
        of, budgets = list(candidates()), SHORT_BUDGETS
    elif part == "middle":
        of, budgets = list(candidates()[:MIDDLE]), (MIDDLE_BUDGET,)
    else:
        yield from (Wanted(one, SHORT_BUDGETS[-1], 1) for one in candidates()[:SECOND])
        return
    for budget in budgets:
        yield from (Wanted(one, budget) for one in of)


def timed_ones() -> set[Wanted]:
    """A few evaluations of which the seconds tell how those of all others grow with the cost."""
    return {Wanted(one, budget) for one in candidates()[:TIMED] for budget in SHORT_BUDGETS}


PARTS = ("ranking", "short", "second", "middle", "long")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin none after")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--timed",
        action="store_true",
        help="only run again, for their seconds, what has none, a few: the machine is idle",
    )
    asked = parser.parse_args()
    found = find("fashion-mnist")
    settings = replace(Settings(), data=found.digest)
    recipe = Setting.of(asdict(settings.recipe), 28, 1, found.digest)
    table = read_table(TABLE) if TABLE.exists() else Table(SearchSpace().to_json())
    known = reference(settings.reading(found.directory), found.digest)
    table.references[Data(found.digest, 28, 1)] = asdict(known)
    queue = []
    for one in dict.fromkeys(wanted for part in asked.parts for wanted in plan(part)):
        study = replace(settings, budgets=(one.budget,), seed=one.seed)
        request = study.request(one.candidate, found.directory)
        run = Run(one.candidate.key, recipe, one.budget, request.seed)
        if asked.timed:
            known_run = table.outcomes.get(run)
            if known_run and known_run.seconds is None and one in timed_ones():
                queue.append((run, request))
        elif run not in table.outcomes:
            queue.append((run, request))
    print(f"{len(table.outcomes)} are recorded, {len(queue)} are wanted", flush=True)
    for run, request, result in each_trained(queue, asked.processes, asked.minutes):
        keep(table, run, request.candidate, result, asked.timed)


def keep(table: Table, run: Run, of: Candidate, result: Evaluation, timed: bool) -> None:
    """Write an evaluation, and its learning curve beside it."""
    table.candidates[run.key] = of.to_json()
    seconds = result.seconds if timed else None
    before = table.outcomes.get(run)
    if before is not None and before.accuracy != result.accuracy:
        print(f"{run.key} {run.budget:,}: {before.accuracy} was recorded before")
    table.outcomes[run] = (before or Outcome(result.accuracy, result.loss, None))._replace(
        seconds=seconds
    )
    table.write(TABLE)
    if before is not None:
        return
    with CURVES.open("a") as curves:
        row = {"key": run.key, "budget": run.budget, "seed": run.seed, "curve": result.curve}
        curves.write(json.dumps(row, separators=(",", ":")) + "\n")
    flops = cost(of.architecture).flops
    print(
        f"{run.key} {run.budget:,}: {result.accuracy} in {result.seconds:.0f} s, "
        f"{cost(of.architecture).params:,} parameters, {flops / 2e6:.1f} MMACs",
        flush=True,
    )


if __name__ == "__main__":
    main()
