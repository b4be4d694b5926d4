"""What promotion rules stop: members of the final front lost, hypervolume lost, images saved.

Candidates of the table that were measured at every rung come in many random orders, as a study
without a model would have them; every rule decides from what came before.
"""

import argparse
import json
import random
import statistics

import numpy as np
from problem import TABLE, default_recipe

from nas.axes import axes_of
from nas.objectives import known_losses, known_of
from nas.rungs.history import History
from nas.rungs.names import PROMOTIONS
from nas.settings import Reference, Settings
from nas.study.measure import with_largest
from search_space.architecture import Candidate
from search_space.cost import cost
from studies.pareto import Floats, front_mask, hypervolume, reference_point
from studies.pareto import losses as losses_of
from studies.table import Table, read_table


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--budgets", default="5000,20000")
    parser.add_argument("--orders", type=int, default=100)
    asked = parser.parse_args()
    budgets = tuple(int(budget) for budget in asked.budgets.split(","))
    table = read_table(TABLE)
    (known_reference,) = table.references.values()
    settings = Settings(budgets=budgets, reference=Reference(**known_reference))
    measured, known = complete(table, settings)
    settings = with_largest(settings)
    (accuracy,) = (axis for axis in axes_of(settings) if axis.name == "accuracy")
    losses = {
        key: np.array([losses_of([[rungs[-1]]], [accuracy])[0, 0], *known[key]])
        for key, rungs in measured.items()
    }
    print(f"{len(measured)} candidates at {asked.budgets} images, {asked.orders} orders\n")
    print("| rule | front members lost | worst order | hypervolume lost | worst | images saved |")
    print(f"|{' --- |' * 6}")
    for name in PROMOTIONS:
        lost, volume, saved = [], [], []
        for order in range(asked.orders):
            keys = sorted(measured)
            random.Random(order).shuffle(keys)
            kept, images = replayed(name, keys, measured, known, settings)
            a, b = compared(losses, kept, settings)
            lost.append(a)
            volume.append(b)
            saved.append(1 - images / (len(keys) * sum(budgets)))
        print(
            f"| {name} | {statistics.mean(lost):.1%} | {max(lost):.1%} | "
            f"{statistics.mean(volume):.2%} | {max(volume):.2%} | {statistics.mean(saved):.0%} |"
        )


def complete(
    table: Table, settings: Settings
) -> tuple[dict[str, list[float]], dict[str, tuple[float, ...]]]:
    """Accuracies at every rung, and known losses, of the candidates that have all of one seed."""
    found: dict[tuple[str, int], dict[int, float]] = {}
    for run, outcome in table.outcomes.items():
        if outcome.accuracy is not None and default_recipe(json.loads(run.setting.recipe)):
            found.setdefault((run.key, run.seed), {})[run.budget] = outcome.accuracy
    measured, known = {}, {}
    for (key, _), rungs in sorted(found.items()):
        if key not in measured and set(settings.budgets) <= rungs.keys():
            measured[key] = [rungs[budget] for budget in settings.budgets]
            total = cost(Candidate.from_json(table.candidates[key]).architecture)
            known[key] = known_losses(settings.objectives, known_of(total))
    return measured, known


def replayed(
    rule: str,
    keys: list[str],
    measured: dict[str, list[float]],
    known: dict[str, tuple[float, ...]],
    settings: Settings,
) -> tuple[set[str], int]:
    """The candidates that reach the last rung in that order, and the images of all training."""
    history, kept, images = History(len(settings.budgets)), set(), 0
    for key in keys:
        for rung, accuracy in enumerate(measured[key]):
            images += settings.budgets[rung]
            history.add(key, known[key], rung, accuracy)
            if rung == len(settings.budgets) - 1:
                kept.add(key)
            elif not PROMOTIONS[rule].decide(history, key, rung, settings.eta).go:
                break
    return kept, images


def compared(losses: dict[str, Floats], kept: set[str], settings: Settings) -> tuple[float, float]:
    """Shares of the members and of the hypervolume of all candidates' front that were stopped."""
    keys = sorted(losses)
    front = {keys[i] for i in np.flatnonzero(front_mask(np.array([losses[k] for k in keys])))}
    reference = reference_point(axes_of(settings))
    whole = hypervolume(np.array(list(losses.values())), reference)
    left = hypervolume(np.array([losses[key] for key in sorted(kept)]), reference)
    return len(front - kept) / len(front), 1 - left / whole


if __name__ == "__main__":
    main()
