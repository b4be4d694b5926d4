"""How well short runs rank candidates: Kendall's tau and recall against the long runs in data/."""

import csv
import json
import math
import statistics
from collections import defaultdict
from pathlib import Path

from scipy.stats import kendalltau

DATA = Path(__file__).parent / "data"
LONG = 500_000
"""Training images of a long run: ten epochs."""

LEAST = 8
"""Candidates below which a tau says nothing."""

Run = tuple[int, float, int]
"""Batch size, peak learning rate with batch norm, training images."""


def main() -> None:
    norms = {}
    for line in (DATA / "candidates.jsonl").read_text().splitlines():
        known = json.loads(line)
        norms[known["key"]] = known["candidate"]["architecture"].get("norm", "none")
    accuracies: dict[Run, dict[str, float]] = defaultdict(dict)
    with (DATA / "evaluations.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            accuracy = float(row["accuracy"]) if row["accuracy"] != "None" else 0.0
            run = int(row["batch_size"]), float(row["learning_rate"]), int(row["budget"])
            accuracies[run][row["key"]] = accuracy
    (truth,) = (found for run, found in accuracies.items() if run[2] == LONG)
    print("| batch | rate | images | n | tau | error | tau, batch norm | n | best 3 in 6 | mean |")
    print(f"|{' --- |' * 10}")
    for run, found in sorted(accuracies.items()):
        keys = sorted(found.keys() & truth.keys())
        if run[2] == LONG or len(keys) < LEAST:
            continue
        normed = [key for key in keys if norms[key] != "none"]
        # standard error of tau without ties where there is no relation (Kendall 1938)
        error = math.sqrt(2 * (2 * len(keys) + 5) / (9 * len(keys) * (len(keys) - 1)))
        best = sorted(keys, key=lambda key: -truth[key])[:3]
        chosen = sorted(keys, key=lambda key: -found[key])[:6]
        print(
            f"| {run[0]} | {run[1]:g} | {run[2]:,} | {len(keys)} | {tau(found, truth, keys):.2f} | "
            f"{error:.2f} | {tau(found, truth, normed):.2f} | {len(normed)} | "
            f"{len(set(best) & set(chosen))} of 3 | "
            f"{statistics.mean(found[key] for key in keys):.2%} |"
        )


def tau(found: dict[str, float], truth: dict[str, float], keys: list[str]) -> float:
    """Kendall's tau-b of two rankings of the candidates."""
    return float(kendalltau([found[key] for key in keys], [truth[key] for key in keys])[0])


if __name__ == "__main__":
    main()
