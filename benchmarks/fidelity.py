"""Whether the replay says the truth of the networks that searchers find on it.

``search`` lets several samplers search on the replayed table and takes the best network up to each
size of every front; ``train`` trains these for real, with fresh seeds, and adds what they have to
the table, so that the next round searches on it; ``report`` prints what the replay had said of them
against what they have. Picks lie in data/fidelity.jsonl, so every step can be stopped and goes on.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from statistics import fmean
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from record import HERE, TABLE, keep
from scipy.stats import kendalltau
from worker import each_trained

from nas import Settings, run_study
from nas.datasets import find
from nas.settings import Request
from nas.short_run.replay import open_replay
from search_space.architecture import Candidate
from search_space.cost import cost
from studies.table import Run, Setting, read_table

PICKS = HERE / "data" / "fidelity.jsonl"

SEARCHERS: dict[str, dict[str, Any]] = {
    "random": {"sampler": "random", "promotion": "none", "budgets": (20_000,)},
    "tpe": {"sampler": "tpe", "promotion": "none", "budgets": (20_000,)},
    "nsga2": {"sampler": "nsga2", "promotion": "none", "budgets": (20_000,)},
    "ms-ehvi": {"sampler": "ms-ehvi"},
    "ms-ehvi-per-second": {"sampler": "ms-ehvi-per-second"},
}
SEEDS = 2
TRIALS = 200
BUDGETS = (5_000, 20_000)
SIZES = (3_000, 10_000, 30_000, 100_000, 1_000_000)
FRESH = 1_000
"""The seeds of fresh trainings begin there."""

SMALL = 10_000
"""Parameters up to which a network is trained with four seeds rather than two: in a short run its
accuracy depends more on the seed, and it costs little.
"""


def picks() -> list[dict[str, Any]]:
    return [json.loads(line) for line in PICKS.open()] if PICKS.exists() else []


def add(rows: Sequence[Mapping[str, Any]]) -> None:
    with PICKS.open("a") as file:
        file.write("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))


def search(number: int) -> None:
    """The networks that every searcher recommends in a round, with what the replay says of them."""
    there = {(row["searcher"], row["seed"]) for row in picks() if row["round"] == number}
    replay, _ = open_replay(TABLE, Settings(budgets=BUDGETS), "float32")
    known = set(read_table(TABLE).candidates)
    for seed in range(number * SEEDS, (number + 1) * SEEDS):
        for name, changes in SEARCHERS.items():
            if (name, seed) in there:
                continue
            base = Settings(budgets=BUDGETS, seed=seed, warm_start=False)
            settings = replace(base, **changes)
            with tempfile.TemporaryDirectory() as directory:
                result = run_study(
                    settings,
                    trials=TRIALS,
                    storage=f"sqlite:///{directory}/a.db",
                    replay=TABLE,
                    precision="float32",
                    progress=False,
                )
                rows = []
                for best in result.best_up_to(sizes=SIZES):
                    if best["trial"] is None:
                        continue
                    found = result.candidate(best["trial"])
                    rows.append(
                        {
                            "round": number,
                            "searcher": name,
                            "seed": seed,
                            "up_to": best["up_to"],
                            "key": found.key,
                            "params": cost(found.architecture).params,
                            "measured": best["accuracy"],
                            "replayed": replay.truth(found, BUDGETS[-1]),
                            "new": found.key not in known,
                            "candidate": found.to_json(),
                        }
                    )
            add(rows)
            print(f"round {number}, {name}, seed {seed}: {len(rows)} networks", flush=True)


def train(number: int, processes: int) -> None:
    """Train the picks of a round with fresh seeds, at every budget of the table with one."""
    wanted = {row["key"]: Candidate.from_json(row["candidate"]) for row in picks()}
    new = {row["key"] for row in picks() if row["round"] == number and row["new"]}
    found = find("fashion-mnist")
    settings = replace(Settings(), data=found.digest)
    setting = Setting.of(asdict(settings.recipe), 28, 1, found.digest)
    table = read_table(TABLE)
    jobs: list[tuple[Run, Request]] = []
    for key in sorted(new):
        seeds = 4 if cost(wanted[key].architecture).params <= SMALL else 2
        for budget, count in ((BUDGETS[-1], seeds), (BUDGETS[0], 1)):
            for seed in range(FRESH, FRESH + count):
                study = replace(settings, budgets=(budget,), seed=seed)
                request = study.request(wanted[key], found.directory)
                run = Run(key, setting, budget, request.seed)
                if run not in table.outcomes:
                    jobs.append((run, request))
    print(f"{len(new)} networks, {len(jobs)} trainings", flush=True)
    for run, request, result in each_trained(jobs, processes):
        keep(table, run, request.candidate, result, timed=False)


def report() -> None:
    """Replay less truth in every class of size, round by round, and how the two rank."""
    table = read_table(TABLE)
    real: dict[str, list[float]] = {}
    for run, outcome in table.outcomes.items():
        if run.budget == BUDGETS[-1] and outcome.accuracy is not None:
            real.setdefault(run.key, []).append(outcome.accuracy)
    print("| round | parameters | networks | mean of replay - real | worst | tau |")
    print("| --- | --- | --- | --- | --- | --- |")
    for number in sorted({row["round"] for row in picks()}):
        rows = {row["key"]: row for row in picks() if row["round"] == number and row["new"]}
        whole: list[tuple[float, float]] = []
        for low, high in zip((0, *SIZES), SIZES, strict=False):
            pairs = [
                (row["replayed"], fmean(real[key]))
                for key, row in rows.items()
                if low < row["params"] <= high and key in real
            ]
            whole += pairs
            show(str(number), f"up to {high:,}", pairs)
        show(str(number), "all", whole)


def show(number: str, what: str, pairs: Sequence[tuple[float, float]]) -> None:
    """A line of the table."""
    if not pairs:
        print(f"| {number} | {what} | 0 | | | |")
        return
    gaps = 100 * np.array([replayed - real for replayed, real in pairs])
    tau = kendalltau(*zip(*pairs, strict=True))[0] if len(pairs) > 2 else float("nan")
    error = gaps.std(ddof=1) / np.sqrt(len(gaps)) if len(gaps) > 1 else float("nan")
    worst = gaps[np.abs(gaps).argmax()]
    print(
        f"| {number} | {what} | {len(pairs)} | {gaps.mean():+.2f} (standard error {error:.2f}) | "
        f"{worst:+.2f} | {tau:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["search", "train", "report"])
    parser.add_argument("--round", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    if asked.what == "search":
        search(asked.round)
    elif asked.what == "train":
        train(asked.round, asked.processes)
    else:
        report()


if __name__ == "__main__":
    main()
