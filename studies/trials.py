"""A study's trials and evaluations as they are stored, whatever became of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from studies.evaluation import Evaluation, Identity
from studies.kept import Kept
from studies.optuna_parts import tables
from studies.schema import CANDIDATES, EVALUATIONS
from studies.store import Store


@dataclass(frozen=True)
class Trial:
    """A trial: its number, its state in lower case, its values if it has any, and its record.

    ``limits`` says by how much it is above each limit of the study, as a share of that, negative
    where it is below.
    """

    number: int
    state: str
    values: tuple[float, ...] = ()
    kept: Kept = field(default_factory=Kept)
    limits: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its candidate's key; empty where it has none yet."""
        return self.kept.key

    @property
    def rungs(self) -> tuple[float, ...]:
        """Accuracy at each rung that it has been at."""
        return self.kept.rungs

    @property
    def seconds(self) -> float:
        """What its evaluations took, all rungs together."""
        return self.kept.seconds or 0.0

    @property
    def over(self) -> list[str]:
        """The limits that it is above: it was pruned untrained then."""
        return [name for name, excess in self.limits.items() if excess > 0]


class Evaluated(NamedTuple):
    """A stored evaluation of a candidate at a budget, and when it was made."""

    key: str
    budget: int
    evaluation: Evaluation
    created: datetime


def load_trials(store: Store, name: str) -> list[Trial]:
    """The trials of a study in order, none where it has not begun."""
    with store.transaction() as connection:
        found = tables.read_trials(connection, name)
    return [
        Trial(
            one.number,
            one.state,
            tuple(one.values),
            Kept.from_attributes(one.attributes),
            one.constraints,
        )
        for one in found
    ]


def mark(store: Store, name: str) -> tuple[Any, ...]:
    """What changes whenever the study does: its trials by state, and how many evaluations."""
    with store.transaction() as connection:
        states = sorted(tables.count_states(connection, name).items())
        if not states:
            return ()
        count = sa.select(sa.func.count()).select_from(EVALUATIONS)
        return *states, connection.execute(count).scalar()


def count_states(store: Store, name: str) -> dict[str, int]:
    """How many trials of a study are in which state."""
    with store.transaction() as connection:
        return tables.count_states(connection, name)


def load_evaluations(store: Store, identity: Identity) -> list[Evaluated]:
    """What is stored with the same identity but for its key and budget, of whichever study."""
    query = sa.select(EVALUATIONS).order_by(EVALUATIONS.c.key, EVALUATIONS.c.budget)
    for name in ("resolution", "channels", "seed", "data"):
        query = query.where(EVALUATIONS.c[name] == getattr(identity, name))
    with store.transaction() as connection:
        return [
            Evaluated(row.key, row.budget, Evaluation.from_row(dict(row._mapping)), row.created)
            for row in connection.execute(query)
            if row.recipe == identity.recipe
        ]


def load_candidates(store: Store, keys: set[str]) -> dict[str, dict[str, Any]]:
    """The canonical JSON of those candidates, by key."""
    query = sa.select(CANDIDATES.c.key, CANDIDATES.c.candidate)
    with store.transaction() as connection:
        return {
            row.key: dict(row.candidate) for row in connection.execute(query) if row.key in keys
        }
