"""Studies that Optuna keeps and another tool made: read as results, as far as they can be used."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from studies.axis import Axis
from studies.kept import COSTS
from studies.optuna_parts import tables
from studies.results import Result, Results
from studies.store import Store, StoreError

ENDED = ("complete", "pruned", "fail")


@dataclass(frozen=True)
class Foreign:
    """Results of another tool's study, and how long each trial took that has ended, in seconds.

    ``unusable`` counts the completed trials that were left out, as a value of theirs is none.
    """

    results: Results
    seconds: Mapping[int, float]
    unusable: int = 0


def load_foreign(store: Store, name: str, known: Mapping[str, Axis]) -> Foreign:
    """A study of Optuna's; ``known`` are the axes of objectives by the names that they must have.

    Of its trials' user attributes those are used that are costs by our names. StoreError where
    there is no such study, ValueError where its objectives aren't ours, or accuracy isn't 0..1.
    """
    with store.transaction() as connection:
        if not tables.has_study(connection, name):
            near = store.study_names() or tables.study_names(connection)
            there = f"it holds: {', '.join(near[:5])}" if near else "it holds none"
            raise StoreError(f"study {name!r} is not in {store.shown}; {there}")
        objectives = tables.read_objectives(connection, name)
        trials = tables.read_trials(connection, name)
        spent = tables.read_seconds(connection, name)
        params = tables.read_params(connection, name)
    unknown = [one or "one without a name" for one, _ in objectives if one not in known]
    if unknown:
        raise ValueError(
            f"study {name!r} has objectives that this tool doesn't know: {', '.join(unknown)}; "
            f"name them with Optuna's set_metric_names, any of {', '.join(known)}"
        )
    axes = tuple(
        replace(known[one], maximize=maximize, least_error=0.0) for one, maximize in objectives
    )
    completed, unusable = [], 0
    states: dict[str, int] = {}
    for trial in trials:
        states[trial.state] = states.get(trial.state, 0) + 1
        if trial.state != "complete":
            continue
        if not _usable(name, trial.number, trial.values, axes):
            unusable += 1
            continue
        costs = {cost: value for cost in COSTS if (value := _cost(trial.attributes.get(cost)))}
        costs |= {a.name: v for a, v in zip(axes, trial.values, strict=True) if a.name in COSTS}
        own = params.get(trial.number)
        key = json.dumps(own, sort_keys=True) if own else f"trial {trial.number}"
        text = trial.attributes.get("architecture")
        completed.append(
            Result(
                trial.number,
                tuple(trial.values),
                hashlib.sha256(key.encode()).hexdigest()[:16],
                text if isinstance(text, str) else "",
                int(costs.get("params", 0)),
                int(costs.get("flops", 0)),
                spent.get(trial.number, 0.0),
                costs,
            )
        )
    seconds = {one.number: spent.get(one.number, 0.0) for one in trials if one.state in ENDED}
    return Foreign(Results(name, axes, tuple(completed), states), seconds, unusable)


def _usable(study: str, number: int, values: Sequence[Any], axes: Sequence[Axis]) -> bool:
    """Whether all values of a trial have a loss; ValueError where accuracy is not a fraction."""
    if len(values) != len(axes):
        return False
    for axis, value in zip(axes, values, strict=True):
        if value is None or not math.isfinite(value) or (axis.log and value <= 0):
            return False
        if axis.unit == "fraction" and not 0 <= value <= 1:
            raise ValueError(
                f"{axis.name} is {value:g} in trial {number} of study {study!r}; it must be a "
                "fraction from 0 to 1, not percent"
            )
    return True


def _cost(value: Any) -> float:
    """A cost from an attribute that may be anything; 0 where it is none."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) and value > 0 else 0.0
