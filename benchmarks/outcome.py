"""What searches find, trained for real with fresh seeds: the proof, or its lack.

``search`` gives a searcher so many minutes of this machine and writes down which networks it
recommends up to each size; ``train`` trains each of them with two fresh seeds at the last budget;
``report`` compares the searchers, size by size and search by search. Rows lie in
data/outcome.jsonl, and studies in ``--studies``, so that every step can be stopped and goes on.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

from scipy.stats import t as student
from worker import each_trained

from nas import Settings, run_study
from nas.datasets import find
from nas.settings import DEFAULT_BUDGETS, Recipe
from search_space.architecture import Candidate
from search_space.cost import cost

ROWS = Path(__file__).parent / "data" / "outcome.jsonl"

ONE_RUNG: dict[str, Any] = {
    "budgets": DEFAULT_BUDGETS[-1:],
    "promotion": "none",
    "repeats": 0.0,
}
SEARCHERS: dict[str, dict[str, Any]] = {
    "default": {},
    "random": {"sampler": "random", **ONE_RUNG},
    "tpe": {"sampler": "tpe", **ONE_RUNG},
    "gp": {"sampler": "gp", **ONE_RUNG},
}
"""Settings by name. All have the same space, limits and recipe; those but the default have one run
at the last budget for each trial, as Optuna's samplers are used."""

LIMITS: dict[str, Any] = {"max_params": 300_000, "max_flops": 100_000_000}
SIZES = (10_000, 30_000, 100_000, 300_000)
FRESH = (3_001, 3_002)
TRIALS = 100_000


def rows(kind: str) -> list[dict[str, Any]]:
    """The rows of a kind: spent, found or fresh."""
    every = [json.loads(line) for line in ROWS.open()] if ROWS.exists() else []
    return [row for row in every if row["kind"] == kind]


def add(row: Mapping[str, Any]) -> None:
    """Keep a row."""
    with ROWS.open("a") as file:
        file.write(json.dumps(row, separators=(",", ":")) + "\n")
    print({name: value for name, value in row.items() if name != "candidate"}, flush=True)


def search(name: str, seed: int, minutes: float, studies: Path) -> None:
    """Bring one search to its time, in as many runs as that takes; then write what it found."""
    about = {"searcher": name, "seed": seed, "minutes": minutes}
    if any(about.items() <= row.items() for row in rows("found")):
        return
    spent = sum(row["seconds"] for row in rows("spent") if about.items() <= row.items())
    studies.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    try:
        result = run_study(
            replace(Settings(seed=seed, warm_start=False, **LIMITS), **SEARCHERS[name]),
            trials=TRIALS,
            study=f"{name}-{seed}-{minutes:g}",
            storage=f"sqlite:///{studies}/{name}-{seed}-{minutes:g}.db",
            timeout=max(0.0, 60 * minutes - spent),
            progress=False,
        )
    finally:
        add({"kind": "spent", **about, "seconds": round(time.monotonic() - began, 1)})
    for best in result.best_up_to(sizes=SIZES):
        if best["trial"] is not None:
            found = result.candidate(best["trial"])
            total = cost(found.architecture)
            add(
                {"kind": "found", **about, "up_to": best["up_to"], "key": found.key}
                | {"params": total.params, "flops": total.flops, "accuracy": best["accuracy"]}
                | {"trials": result.states, "candidate": found.to_json()}
            )


def train(processes: int, precision: str) -> None:
    """Train all that was found with fresh seeds."""
    found = find("fashion-mnist")
    recipe = replace(Recipe(), precision=precision)
    base = replace(Settings(recipe=recipe), data=found.digest)
    done = {(row["key"], row["seed"], row["precision"]) for row in rows("fresh")}
    wanted = {row["key"]: Candidate.from_json(row["candidate"]) for row in rows("found")}
    jobs = [
        ((key, seed), replace(base, seed=seed).request(candidate, found.directory))
        for key, candidate in wanted.items()
        for seed in FRESH
        if (key, seed, precision) not in done
    ]
    print(f"{len(wanted)} networks, {len(jobs)} trainings", flush=True)
    for (key, seed), _, evaluation in each_trained(jobs, processes):
        result = asdict(evaluation)
        kept = {name: result[name] for name in ("accuracy", "seconds", "host", "versions")}
        add({"kind": "fresh", "key": key, "seed": seed, "precision": precision} | kept)


def report(precision: str) -> None:
    """Accuracy with fresh seeds at each size, and by how much the default is ahead."""
    fresh: dict[str, list[float]] = {}
    for row in rows("fresh"):
        if row["precision"] == precision and row["accuracy"] is not None:
            fresh.setdefault(row["key"], []).append(row["accuracy"])
    table: dict[tuple[str, int], dict[int, dict[str, Any]]] = {}
    for row in rows("found"):
        if row["key"] in fresh:
            table.setdefault((row["searcher"], row["up_to"]), {})[row["seed"]] = row
    print(
        "| searcher | up to | searches | fresh seeds | measured | params, MFLOPs | default - it |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in SEARCHERS:
        gaps: list[float] = []
        for size in SIZES:
            found = table.get((name, size), {})
            if not found:
                continue
            worth = {seed: 100 * fmean(fresh[row["key"]]) for seed, row in found.items()}
            measured = fmean(100 * row["accuracy"] for row in found.values())
            sizes = "; ".join(
                f"{row['params']:,}, {row['flops'] / 1e6:.1f}" for _, row in sorted(found.items())
            )
            ours = table.get(("default", size), {})
            pairs = [
                100 * fmean(fresh[ours[seed]["key"]]) - worth[seed]
                for seed in sorted(worth.keys() & ours.keys())
            ]
            gaps += pairs
            print(
                f"| {name} | {size:,} | {len(found)} | {fmean(worth.values()):.2f} | "
                f"{measured:.2f} | {sizes} | {'' if name == 'default' else interval(pairs)} |"
            )
        if name != "default" and gaps:
            print(f"| {name} | all sizes | | | | | {interval(gaps)} |")


def interval(values: Sequence[float]) -> str:
    """A mean with its 95 % interval by Student's t, and how many it is of."""
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:+.2f} (n = 1)"
    away = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    mean = fmean(values)
    return f"{mean:+.2f} ({mean - away:+.2f} to {mean + away:+.2f}, n = {len(values)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["search", "train", "report"])
    parser.add_argument("--searchers", nargs="+", choices=SEARCHERS, default=list(SEARCHERS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--studies", type=Path, default=Path("outcome"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--precision", default="bf16", help="of the fresh trainings")
    asked = parser.parse_args()
    if asked.what == "search":
        for seed in asked.seeds:
            for name in asked.searchers:
                search(name, seed, asked.minutes, asked.studies)
    elif asked.what == "train":
        train(asked.processes, asked.precision)
    else:
        report(asked.precision)


if __name__ == "__main__":
    main()
