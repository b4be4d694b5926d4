"""How well short runs rank candidates: Kendall's tau and recall against the table's long runs."""

import json
import math
import statistics
from collections import defaultdict

from problem import TABLE
from scipy.stats import kendalltau

from studies.table import read_table

LONG = 500_000
"""Training images of a long run: ten epochs."""

LEAST = 8
"""Candidates below which a tau says nothing."""

Kind = tuple[int, float, int]
"""Batch size, peak learning rate with batch norm, training images."""


def main() -> None:
    table = read_table(TABLE)
    norms = {
        key: candidate["architecture"].get("norm", "none")
        for key, candidate in table.candidates.items()
    }
    seeds: dict[Kind, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run, outcome in table.outcomes.items():
        recipe = json.loads(run.setting.recipe)
        kind = recipe["batch_size"], recipe["learning_rate"], run.budget
        seeds[kind][run.key].append(outcome.accuracy or 0.0)
    accuracies = {
        kind: {key: statistics.mean(values) for key, values in found.items()}
        for kind, found in seeds.items()
    }
    (truth,) = (found for kind, found in accuracies.items() if kind[2] == LONG)
    print("| batch | rate | images | n | tau | error | tau, batch norm | n | best quarter | mean |")
    print(f"|{' --- |' * 10}")
    for kind, found in sorted(accuracies.items()):
        keys = sorted(found.keys() & truth.keys())
        if kind[2] == LONG or len(keys) < LEAST:
            continue
        normed = [key for key in keys if norms[key] != "none"]
        # standard error of tau without ties where there is no relation (Kendall 1938)
        error = math.sqrt(2 * (2 * len(keys) + 5) / (9 * len(keys) * (len(keys) - 1)))
        wanted = len(keys) // 4
        best = sorted(keys, key=lambda key: -truth[key])[:wanted]
        chosen = sorted(keys, key=lambda key: -found[key])[: 2 * wanted]
        print(
            f"| {kind[0]} | {kind[1]:g} | {kind[2]:,} | {len(keys)} | "
            f"{tau(found, truth, keys):.2f} | {error:.2f} | "
            f"{tau(found, truth, normed):.2f} | {len(normed)} | "
            f"{len(set(best) & set(chosen))} of {wanted} | "
            f"{statistics.mean(found[key] for key in keys):.2%} |"
        )
    print(
        "\nbest quarter: how many of the long runs' best quarter are in the short runs' best half"
    )


def tau(found: dict[str, float], truth: dict[str, float], keys: list[str]) -> float:
    """Kendall's tau-b of two rankings of the candidates."""
    return float(kendalltau([found[key] for key in keys], [truth[key] for key in keys])[0])


if __name__ == "__main__":
    main()
