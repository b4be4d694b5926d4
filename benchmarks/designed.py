"""The catalog's two networks for 28x28 after equal short runs: googlenet-28 and inception-28."""

import argparse
from dataclasses import replace

from machine import row, table

from nas.datasets import find
from nas.settings import Recipe, Settings
from nas.short_run.evaluation import evaluate
from nas.short_run.precision import best_precision
from search_space.catalog import candidate
from search_space.cost import cost

NAMES = ("googlenet-28", "inception-28")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budgets", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    data = find("fashion-mnist")
    settings = Settings(data=data.digest, recipe=Recipe(precision=best_precision()))
    for name in NAMES:
        total = cost(candidate(name).architecture)
        print(f"{name}: {total.params:,} parameters, {total.flops:,} FLOPs")
    rows = []
    for budget in asked.budgets:
        for name in NAMES:
            accuracies = []
            for seed in range(asked.seeds):
                one = replace(settings, budgets=(budget,), seed=seed)
                accuracies.append(evaluate(one.request(candidate(name), data.directory)).accuracy)
            found = [100 * accuracy for accuracy in accuracies if accuracy is not None]
            rows.append(row(f"{name}, {budget:,} images", found, "%"))
            print(rows[-1], flush=True)
    table(rows)


if __name__ == "__main__":
    main()
