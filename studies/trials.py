"""A study's trials and evaluations as they are stored, whatever became of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from studies.schema import CANDIDATES, EVALUATIONS
from studies.store import Store

CONSTRAINT = "constraints:"
"""How Optuna begins the names of what a trial's limits are kept under."""

TRIALS = """
    SELECT trials.trial_id, trials.number, trials.state
    FROM trials JOIN studies ON trials.study_id = studies.study_id
    WHERE studies.study_name = :name ORDER BY trials.number
"""
VALUES = """
    SELECT trial_values.trial_id, trial_values.value
    FROM trial_values JOIN trials ON trial_values.trial_id = trials.trial_id
    JOIN studies ON trials.study_id = studies.study_id
    WHERE studies.study_name = :name ORDER BY trial_values.objective
"""
ATTRIBUTES = """
    SELECT trial_{kind}_attributes.trial_id, trial_{kind}_attributes.key,
        trial_{kind}_attributes.value_json
    FROM trial_{kind}_attributes
    JOIN trials ON trial_{kind}_attributes.trial_id = trials.trial_id
    JOIN studies ON trials.study_id = studies.study_id
    WHERE studies.study_name = :name
"""
BY_KIND = {kind: ATTRIBUTES.format(kind=kind) for kind in ("user", "system")}


@dataclass(frozen=True)
class Trial:
    """A trial: its number, its state in lower case, its values if it has any, and its attributes.

    ``known`` is what was written down of its candidate; ``limits`` by how much it is above each
    limit of the study, as a share of that, negative where it is below.
    """

    number: int
    state: str
    values: tuple[float, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its candidate's key; empty where it has none yet."""
        return str(self.known.get("key", ""))

    @property
    def text(self) -> str:
        """Its architecture in words."""
        return str(self.known.get("architecture", ""))

    @property
    def rungs(self) -> tuple[float, ...]:
        """Accuracy at each rung that it has been at."""
        return tuple(self.known.get("rungs", ()))

    @property
    def seconds(self) -> float:
        """What its evaluations took, all rungs together."""
        return float(self.known.get("seconds", 0.0))

    @property
    def over(self) -> list[str]:
        """The limits that it is above: it was pruned untrained then."""
        return [name for name, excess in self.limits.items() if excess > 0]


class Evaluated(NamedTuple):
    """A stored evaluation: ``curve`` has [images seen, training loss, training accuracy]."""

    key: str
    budget: int
    accuracy: float | None
    seconds: float
    curve: tuple[tuple[int, float, float], ...]
    host: str
    created: datetime


def load_trials(store: Store, name: str) -> list[Trial]:
    """The trials of a study in order, none where it has not begun.

    Read from Optuna's tables without Optuna, which would load every parameter of every trial too:
    at 1,000 trials all of `nas pareto` took 2.1 s that way, and takes 0.5 s this way.
    """
    with store.transaction() as connection:
        if not sa.inspect(connection).has_table("trials"):
            return []
        query = {"name": name}
        trials = connection.execute(sa.text(TRIALS), query).all()
        values: dict[int, list[float]] = {}
        for trial_id, value in connection.execute(sa.text(VALUES), query):
            values.setdefault(trial_id, []).append(value)
        found: dict[str, dict[int, dict[str, Any]]] = {}
        for kind, statement in BY_KIND.items():
            of_kind = found.setdefault(kind, {})
            for trial_id, key, text in connection.execute(sa.text(statement), query):
                of_kind.setdefault(trial_id, {})[key] = json.loads(text)
    out = []
    for trial_id, number, state in trials:
        system = found["system"].get(trial_id, {})
        limits = {
            key.removeprefix(CONSTRAINT): float(excess)
            for key, excess in system.items()
            if key.startswith(CONSTRAINT)
        }
        known = found["user"].get(trial_id, {})
        out.append(Trial(number, state.lower(), tuple(values.get(trial_id, ())), known, limits))
    return out


def mark(store: Store, name: str) -> tuple[Any, ...]:
    """What changes whenever the study does: its trials by state, and how many evaluations."""
    with store.transaction() as connection:
        if not sa.inspect(connection).has_table("trials"):
            return ()
        query = (
            "SELECT trials.state, COUNT(*) FROM trials JOIN studies ON trials.study_id = "
            "studies.study_id WHERE studies.study_name = :name GROUP BY trials.state"
        )
        states = sorted(map(tuple, connection.execute(sa.text(query), {"name": name})))
        return (
            *states,
            connection.execute(sa.text("SELECT COUNT(*) FROM nas_evaluations")).scalar(),
        )


def load_evaluations(store: Store, identity: Mapping[str, Any]) -> list[Evaluated]:
    """What is stored with these values of an evaluation's identity, of whichever study.

    ``identity`` has all of it but the key and the budget.
    """
    columns = ("key", "budget", "accuracy", "seconds", "curve", "host", "created", "recipe")
    query = sa.select(*(EVALUATIONS.c[column] for column in columns)).order_by(
        EVALUATIONS.c.key, EVALUATIONS.c.budget
    )
    for name in ("resolution", "channels", "seed", "data"):
        query = query.where(EVALUATIONS.c[name] == identity[name])
    with store.transaction() as connection:
        return [
            Evaluated(
                row.key,
                row.budget,
                row.accuracy,
                row.seconds,
                tuple((images, loss, accuracy) for images, loss, accuracy in row.curve),
                row.host,
                row.created,
            )
            for row in connection.execute(query)
            if row.recipe == identity["recipe"]
        ]


def load_candidates(store: Store, keys: set[str]) -> dict[str, dict[str, Any]]:
    """The canonical JSON of those candidates, by key."""
    query = sa.select(CANDIDATES.c.key, CANDIDATES.c.candidate)
    with store.transaction() as connection:
        return {
            row.key: dict(row.candidate) for row in connection.execute(query) if row.key in keys
        }
