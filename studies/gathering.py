"""Optuna's storage for a driver: what it sets of running trials is gathered, written at once."""

import json
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import RDBStorage, _CachedStorage
from optuna.trial import FrozenTrial, TrialState

PARAMS = sa.table(
    "trial_params", *map(sa.column, ("trial_id", "param_name", "param_value", "distribution_json"))
)
ATTRIBUTES = sa.table("trial_user_attributes", *map(sa.column, ("trial_id", "key", "value_json")))
"""Optuna's tables, as much of them as is written here."""


class GatheringStorage(_CachedStorage):
    """Optuna's own cached storage, but for parameters and attributes of running trials.

    Optuna gives each a transaction of its own, of which a trial of ours would have 40. Here they
    are kept until ``flush``, or until anything is asked that would show them: then they are written
    in the order in which they were set. What a process had not written when it was killed is lost
    with it; whoever continues its trials sets them again.
    """

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._engine = backend.engine
        self._params: list[dict[str, Any]] = []
        self._attributes: dict[tuple[int, str], str] = {}

    def flush(self) -> None:
        """Write what is gathered, all or nothing; it stays gathered where that fails."""
        if not self._params and not self._attributes:
            return
        with self._engine.begin() as connection:
            if self._params:
                connection.execute(sa.insert(PARAMS), self._params)
            for trial, key in self._attributes:
                same = (ATTRIBUTES.c.trial_id == trial) & (ATTRIBUTES.c.key == key)
                connection.execute(sa.delete(ATTRIBUTES).where(same))
            if self._attributes:
                rows = [
                    {"trial_id": trial, "key": key, "value_json": value}
                    for (trial, key), value in self._attributes.items()
                ]
                connection.execute(sa.insert(ATTRIBUTES), rows)
        self._params, self._attributes = [], {}

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Gathered."""
        self._params.append(
            {
                "trial_id": trial_id,
                "param_name": param_name,
                "param_value": param_value_internal,
                "distribution_json": distribution_to_json(distribution),
            }
        )

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Gathered."""
        self._attributes[trial_id, key] = json.dumps(value)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Any = None) -> bool:
        """After what is gathered: Optuna allows no change to a trial that has ended."""
        self.flush()
        return super().set_trial_state_values(trial_id, state, values)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """With what is gathered."""
        self.flush()
        return super().get_trial(trial_id)

    def get_all_trials(self, *given: Any, **options: Any) -> list[FrozenTrial]:
        """With what is gathered."""
        self.flush()
        return super().get_all_trials(*given, **options)
