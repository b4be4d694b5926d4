"""What a new study takes over from earlier ones: found once as it begins, the same ever after."""

import json
from collections.abc import Mapping
from statistics import fmean
from typing import Any, NamedTuple

import sqlalchemy as sa

from studies.schema import CANDIDATES, EARLIER, EVALUATIONS, STUDIES
from studies.store import Store


class Earlier(NamedTuple):
    """Accuracy (0..1) of an earlier study's candidate at a budget, the mean where seeds differ.

    ``candidate`` is its canonical JSON.
    """

    key: str
    budget: int
    accuracy: float
    candidate: dict[str, Any]


ALIKE = ("space", "resolution", "channels")
"""Settings that make the candidates of two studies comparable."""

KEYS = sa.text("""
    SELECT DISTINCT trial_user_attributes.value_json
    FROM trial_user_attributes JOIN trials ON trial_user_attributes.trial_id = trials.trial_id
    JOIN studies ON trials.study_id = studies.study_id
    WHERE trial_user_attributes.key = 'key' AND studies.study_name IN :names
""").bindparams(sa.bindparam("names", expanding=True))


def find_earlier(store: Store, settings: Mapping[str, Any]) -> list[Earlier]:
    """What a study of those settings, in their JSON, may learn from the database; by key, budget.

    These are evaluations, at its budgets and with its recipe and data, of candidates that are
    trials of this tool's studies in its space.
    """
    if not store.study_names():
        return []
    measured: dict[tuple[str, int], list[float]] = {}
    candidates: dict[str, dict[str, Any]] = {}
    with store.transaction() as connection:
        alike = [
            row.name
            for row in connection.execute(sa.select(STUDIES.c.name, STUDIES.c.settings))
            if all(row.settings.get(name) == settings[name] for name in ALIKE)
        ]
        if not alike or not sa.inspect(connection).has_table("trials"):
            return []
        keys = {json.loads(text) for (text,) in connection.execute(KEYS, {"names": alike})}
        table = EVALUATIONS.c
        query = (
            sa.select(table.key, table.budget, table.accuracy, table.recipe, CANDIDATES.c.candidate)
            .join(CANDIDATES, CANDIDATES.c.key == table.key)
            .where(
                table.resolution == settings["resolution"],
                table.channels == settings["channels"],
                table.data == settings["data"],
                table.budget.in_(settings["budgets"]),
                table.accuracy.is_not(None),
            )
        )
        for row in connection.execute(query):
            # JSON can't be compared in every database's SQL.
            if row.key in keys and row.recipe == settings["recipe"]:
                measured.setdefault((row.key, row.budget), []).append(row.accuracy)
                candidates[row.key] = row.candidate
    return [
        Earlier(key, budget, fmean(sorted(accuracies)), candidates[key])
        for (key, budget), accuracies in sorted(measured.items())
    ]


def load_earlier(store: Store, study: str) -> list[Earlier]:
    """What that study took over as it began, by key and budget."""
    with store.transaction() as connection:
        if not sa.inspect(connection).has_table(EARLIER.name):  # of schema version 1
            return []
        query = (
            sa.select(EARLIER.c.key, EARLIER.c.budget, EARLIER.c.accuracy, CANDIDATES.c.candidate)
            .join(CANDIDATES, CANDIDATES.c.key == EARLIER.c.key)
            .where(EARLIER.c.study == study)
            .order_by(EARLIER.c.key, EARLIER.c.budget)
        )
        return [Earlier(*row) for row in connection.execute(query)]
