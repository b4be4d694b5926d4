"""What a new study takes over from earlier ones: found once as it begins, the same ever after."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

import sqlalchemy as sa

from studies.evaluation import Earlier, recipe_of
from studies.optuna_parts import tables
from studies.schema import CANDIDATES, EARLIER, EVALUATIONS, STUDIES
from studies.store import Store

ALIKE = ("space", "resolution", "channels")
"""Settings that make the candidates of two studies comparable."""


def find_earlier(store: Store, settings: Mapping[str, Any]) -> list[Earlier]:
    """What a study of those settings, in their JSON, may learn from the database; by key, budget.

    These are evaluations, at its budgets and with its recipe and data, of candidates that are
    trials of this tool's studies in its space.
    """
    if not store.study_names():
        return []
    measured: dict[tuple[str, int], list[float]] = {}
    candidates: dict[str, dict[str, Any]] = {}
    recipe = recipe_of(settings)
    with store.transaction() as connection:
        alike = [
            row.name
            for row in connection.execute(sa.select(STUDIES.c.name, STUDIES.c.settings))
            if all(row.settings.get(name) == settings[name] for name in ALIKE)
        ]
        keys = tables.attribute_of(connection, alike, "key") if alike else set()
        if not keys:
            return []
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
            if row.key in keys and row.recipe == recipe:
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
