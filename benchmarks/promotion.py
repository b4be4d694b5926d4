"""What promotion rules stop: members of the final front lost, hypervolume lost, images saved.

``orders``: candidates of the table that were measured at every rung come in many random orders, as
a study without a model would have them; every rule decides from what came before. ``searched``:
whole studies on the replayed table, whose sampler chooses the order and learns from what was
stopped; then what was stopped gets the accuracy that it would have had at the last rung.
"""

import argparse
import contextlib
import json
import random
import statistics
import tempfile

import numpy as np
from problem import TABLE, default_recipe

from nas import Settings, run_study
from nas.axes import axes_of
from nas.defaults import DEFAULT_STUDY
from nas.objectives import known_losses, known_of
from nas.rungs.history import Size
from nas.rungs.names import PROMOTIONS
from nas.settings import DEFAULT_BUDGETS, Reference
from nas.short_run.replay import open_replay
from nas.study.measure import with_largest
from nas.study.opened import begun
from search_space.architecture import Candidate
from search_space.cost import cost
from studies.pareto import Floats, front_mask, hypervolume, reference_point
from studies.pareto import losses as losses_of
from studies.store import open_store
from studies.table import Table, read_table
from studies.trials import load_trials

RULES = ("known-cost", "asha")
RULES_OF_A_SEARCH = ("improvement", *RULES)
"""That of improvement too, which asks the sampler."""

HEAD = "| rule | front members lost | worst | hypervolume lost | worst | images saved |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["orders", "searched"])
    parser.add_argument("--budgets", default=",".join(map(str, DEFAULT_BUDGETS)))
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=200)
    asked = parser.parse_args()
    budgets = tuple(int(budget) for budget in asked.budgets.split(","))
    if asked.what == "orders":
        orders(budgets, asked.orders)
    else:
        searched(budgets, asked.seeds, asked.trials)


def show(name: str, lost: list[float], volume: list[float], saved: list[float]) -> None:
    """A line of the table."""
    print(
        f"| {name} | {statistics.mean(lost):.1%} | {max(lost):.1%} | "
        f"{statistics.mean(volume):.2%} | {max(volume):.2%} | {statistics.mean(saved):.0%} |",
        flush=True,
    )


def orders(budgets: tuple[int, ...], count: int) -> None:
    """Every rule on random orders of what was measured at all budgets."""
    table = read_table(TABLE)
    (known_reference,) = table.references.values()
    settings = Settings(budgets=budgets, reference=Reference(**known_reference))
    measured, known, sizes = complete(table, settings)
    settings = with_largest(settings)
    losses = {key: losses_at(settings, rungs[-1], known[key]) for key, rungs in measured.items()}
    print(f"{len(measured)} candidates at {budgets} images, {count} orders\n\n{HEAD}")
    print(f"|{' --- |' * 6}")
    for name in RULES:
        lost, volume, saved = [], [], []
        for order in range(count):
            keys = sorted(measured)
            random.Random(order).shuffle(keys)
            kept, images = replayed(name, keys, measured, known, sizes, settings)
            a, b = compared(losses, kept, settings)
            lost.append(a)
            volume.append(b)
            saved.append(1 - images / (len(keys) * sum(budgets)))
        show(name, lost, volume, saved)


def searched(budgets: tuple[int, ...], seeds: int, trials: int) -> None:
    """The default search on the replay with every rule."""
    print(f"{seeds} studies of {trials} trials at {budgets} images, replayed\n\n{HEAD}")
    print(f"|{' --- |' * 6}")
    for name in RULES_OF_A_SEARCH:
        lost, volume, saved = [], [], []
        for seed in range(seeds):
            settings = Settings(budgets=budgets, seed=seed, promotion=name, warm_start=False)
            a, b, c = of_study(settings, trials)
            lost.append(a)
            volume.append(b)
            saved.append(c)
        show(name, lost, volume, saved)


def of_study(settings: Settings, trials: int) -> tuple[float, float, float]:
    """What a study on the replay has lost by stopping, and the images it saved by that."""
    replay, _ = open_replay(TABLE, settings, "float32")
    with tempfile.TemporaryDirectory() as directory:
        storage = f"sqlite:///{directory}/a.db"
        run_study(
            settings,
            trials=trials,
            storage=storage,
            replay=TABLE,
            precision="float32",
            progress=False,
        )
        with contextlib.closing(open_store(storage)) as store:
            settings = Settings.from_json(store.study(DEFAULT_STUDY)["settings"])
            losses, kept, images, whole = {}, set(), 0, 0
            for trial in load_trials(store, DEFAULT_STUDY):
                key, record = trial.key, trial.kept
                if record.repeat or not record.rungs:
                    continue
                accuracy = record.rungs[-1]
                if trial.state == "complete":
                    kept.add(key)
                else:
                    request = settings.request(Candidate.from_json(store.candidate(key)))
                    accuracy = replay(request).accuracy or 0.0
                images += sum(settings.budgets[: len(record.rungs)])
                whole += sum(settings.budgets)
                known = known_losses(settings.objectives, record.costs)
                losses[key] = losses_at(settings, accuracy, known)
    return (*compared(losses, kept, settings), 1 - images / whole)


def losses_at(settings: Settings, accuracy: float, known: tuple[float, ...]) -> Floats:
    """A candidate's losses [M] with that accuracy."""
    (axis,) = (axis for axis in axes_of(settings) if axis.name == "accuracy")
    return np.array([losses_of([[accuracy]], [axis])[0, 0], *known])


def complete(
    table: Table, settings: Settings
) -> tuple[dict[str, list[float]], dict[str, tuple[float, ...]], dict[str, Size]]:
    """Of the candidates that have all of one seed accuracies at every rung, known losses, sizes."""
    found: dict[tuple[str, int], dict[int, float]] = {}
    for run, outcome in table.outcomes.items():
        if outcome.accuracy is not None and default_recipe(json.loads(run.setting.recipe)):
            found.setdefault((run.key, run.seed), {})[run.budget] = outcome.accuracy
    measured, known, sizes = {}, {}, {}
    for (key, _), rungs in sorted(found.items()):
        if key not in measured and set(settings.budgets) <= rungs.keys():
            measured[key] = [rungs[budget] for budget in settings.budgets]
            total = cost(Candidate.from_json(table.candidates[key]).architecture)
            known[key] = known_losses(settings.objectives, known_of(total))
            sizes[key] = Size.of(total.params, total.flops)
    return measured, known, sizes


def replayed(
    rule: str,
    keys: list[str],
    measured: dict[str, list[float]],
    known: dict[str, tuple[float, ...]],
    sizes: dict[str, Size],
    settings: Settings,
) -> tuple[set[str], int]:
    """The candidates that reach the last rung in that order, and the images of all training."""
    history, kept, images = begun(settings, ()), set(), 0
    for key in keys:
        history.sizes[key] = sizes[key]
        for rung, accuracy in enumerate(measured[key]):
            images += settings.budgets[rung]
            history.add(key, known[key], rung, accuracy)
            if rung == len(settings.budgets) - 1:
                kept.add(key)
            elif not PROMOTIONS[rule].decide(history, key, rung, settings.eta).go:
                break
    return kept, images


def compared(losses: dict[str, Floats], kept: set[str], settings: Settings) -> tuple[float, float]:
    """Shares of the members and of the hypervolume of all candidates' front that were stopped.

    Members are those of use: better than the reference.
    """
    keys = sorted(losses)
    table = np.array([losses[key] for key in keys])
    reference = reference_point(axes_of(settings))
    members = front_mask(table) & (table < reference).all(axis=1)
    front = {keys[place] for place in np.flatnonzero(members)}
    whole = hypervolume(table, reference)
    left = hypervolume(np.array([losses[key] for key in sorted(kept)]), reference)
    return len(front - kept) / len(front), 1 - left / whole


if __name__ == "__main__":
    main()
