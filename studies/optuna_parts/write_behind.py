"""Write-behind storage for a study's one driver, on the private parts of Optuna 5 in PRIVATE."""

import copy
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import RDBStorage, _CachedStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

PRIVATE = {
    _CachedStorage: (
        "_add_trials_to_cache",
        "_read_trials_from_remote_storage",
        "check_trial_is_updatable",
    ),
    RDBStorage: ("_get_trials",),
    models.TrialValueModel: ("value_to_stored_repr",),
}
"""What is overridden or called here and is no part of Optuna's public interface.

Beside these attributes of instances: ``_backend``, ``_studies`` and
``_trial_id_to_study_id_and_number`` of the cached storage, ``_trial_id`` of a trial.
"""

for _kind, _names in PRIVATE.items():
    for _name in _names:
        if not hasattr(_kind, _name):
            raise ImportError(f"Optuna's {_kind.__name__} has no {_name}")

TABLES = models.BaseModel.metadata.tables
STUDIES, TRIALS, PARAMS, VALUES = (
    TABLES[name] for name in ("studies", "trials", "trial_params", "trial_values")
)
USER, SYSTEM = TABLES["trial_user_attributes"], TABLES["trial_system_attributes"]


BEFORE = TRIALS.alias()
ADD = sa.insert(TRIALS).values(
    number=sa.select(sa.func.count())
    .where(BEFORE.c.study_id == sa.bindparam("study"))
    .scalar_subquery(),
    study_id=sa.bindparam("study"),
    state=TrialState.RUNNING,
    datetime_start=sa.bindparam("now"),
)
"""A new trial, numbered from 0 on in its study. Made once: SQLAlchemy takes long to compose it."""
NUMBER = sa.select(TRIALS.c.number).where(TRIALS.c.trial_id == sa.bindparam("trial"))


class WriteBehindStorage(_CachedStorage):
    """Optuna's own cached storage, for the driver that holds the study's lock.

    Optuna gives each parameter and attribute a transaction of its own, of which a trial of ours
    would have 40. Here they are held back until ``flush``, or until the trial ends, and written all
    together, in the order in which they were set. What a process had not written when it was
    killed is lost with it; whoever continues its trials sets them again.

    Optuna reads all running trials whenever a new one is asked for, as another process might have
    set something of them. A driver's trials are its own: they are read once, and remembered. Trials
    that another process adds to the study (``Study.enqueue_trial``) are seen.
    """

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._engine = backend.engine
        self._newest: dict[int, int] = {}
        self._open: defaultdict[int, set[int]] = defaultdict(set)
        self._forget()

    def _forget(self) -> None:
        self._params: list[dict[str, Any]] = []
        self._attributes: dict[sa.Table, dict[tuple[int, str], str]] = {USER: {}, SYSTEM: {}}
        self._replaced: dict[sa.Table, set[tuple[int, str]]] = {USER: set(), SYSTEM: set()}

    def flush(self) -> None:
        """Write what is held back, all or nothing; where that fails it is still held back."""
        self._write()

    def _write(self, then: Callable[[sa.Connection], None] | None = None) -> None:
        """Write what is held back, and do ``then`` too, in one transaction."""
        if not self._params and not any(self._attributes.values()) and then is None:
            return
        with self._engine.begin() as connection:
            if self._params:
                connection.execute(sa.insert(PARAMS), self._params)
            for table, held_back in self._attributes.items():
                rows = [
                    {"trial_id": trial, "key": key, "value_json": value}
                    for (trial, key), value in held_back.items()
                ]
                if earlier := self._replaced[table]:
                    same = (
                        table.c.trial_id == sa.bindparam("of"),
                        table.c.key == sa.bindparam("k"),
                    )
                    connection.execute(
                        sa.delete(table).where(*same), [{"of": of, "k": key} for of, key in earlier]
                    )
                if rows:
                    connection.execute(sa.insert(table), rows)
            if then is not None:
                then(connection)
        self._forget()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """One insertion, where Optuna inserts the trial, counts, and updates its number."""
        if template_trial is not None:
            return super().create_new_trial(study_id, template_trial)
        now = datetime.now()
        with self._engine.begin() as connection:
            # As for Optuna: whoever else adds one at the same time would count the same.
            study = sa.select(STUDIES.c.study_id).where(STUDIES.c.study_id == study_id)
            connection.execute(study.with_for_update()).one()
            added = connection.execute(ADD, {"study": study_id, "now": _utc(now)})
            assert added.inserted_primary_key is not None
            trial_id = added.inserted_primary_key[0]
            number = connection.execute(NUMBER, {"trial": trial_id}).scalar_one()
        trial = FrozenTrial(
            number=number,
            trial_id=trial_id,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=now,
            datetime_complete=None,
            params={},
            distributions={},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )
        self._add_trials_to_cache(study_id, [trial])
        return int(trial_id)

    def _remembered(self, trial_id: int) -> FrozenTrial | None:
        place = self._trial_id_to_study_id_and_number.get(trial_id)
        return self._studies[place[0]].trials[place[1]] if place else None

    def _running(self, trial_id: int) -> FrozenTrial:
        """The trial, to be changed; Optuna's error where it has ended or isn't there."""
        trial = self._remembered(trial_id) or self.get_trial(trial_id)
        self.check_trial_is_updatable(trial_id, trial.state)
        return trial

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Hold a parameter back until the next flush."""
        trial = self._running(trial_id)
        self._params.append(
            {
                "trial_id": trial_id,
                "param_name": param_name,
                "param_value": param_value_internal,
                "distribution_json": distribution_to_json(distribution),
            }
        )
        trial.params[param_name] = distribution.to_external_repr(param_value_internal)
        trial.distributions[param_name] = distribution

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Hold a user attribute back until the next flush."""
        self._set_attribute(USER, self._running(trial_id).user_attrs, trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Hold a system attribute back until the next flush."""
        self._set_attribute(SYSTEM, self._running(trial_id).system_attrs, trial_id, key, value)

    def _set_attribute(
        self, table: sa.Table, known: dict[str, Any], trial_id: int, key: str, value: Any
    ) -> None:
        written = self._attributes[table][trial_id, key] = json.dumps(value)
        if key in known:
            self._replaced[table].add((trial_id, key))
        known[key] = json.loads(written)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """End a trial, with all that is held back: it can't be changed any more."""
        before = self._remembered(trial_id)
        if before is None or before.state != TrialState.RUNNING or not state.is_finished():
            self.flush()
            done = super().set_trial_state_values(trial_id, state, values)
            if before is not None:
                self._replace(self._backend.get_trial(trial_id))
            return done
        after = _copied(before)
        after.state, after.datetime_complete = state, (now := datetime.now())
        if values is not None:
            after.values = list(values)

        def write(connection: sa.Connection) -> None:
            ended = {"state": state, "datetime_complete": _utc(now)}
            still = (TRIALS.c.trial_id == trial_id) & (TRIALS.c.state == TrialState.RUNNING)
            if connection.execute(sa.update(TRIALS).where(still).values(ended)).rowcount != 1:
                self.check_trial_is_updatable(trial_id, self._backend.get_trial(trial_id).state)
            for objective, value in enumerate(values or ()):
                number, kind = models.TrialValueModel.value_to_stored_repr(value)
                row = {"trial_id": trial_id, "objective": objective}
                connection.execute(sa.insert(VALUES), {**row, "value": number, "value_type": kind})

        self._write(write)
        self._replace(after)
        return True

    def _replace(self, trial: FrozenTrial) -> None:
        study, _ = self._trial_id_to_study_id_and_number[trial._trial_id]
        self._add_trials_to_cache(study, [trial])

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The trial, with what is held back of it."""
        trial = self._remembered(trial_id)
        if trial is None:
            self.flush()
            return super().get_trial(trial_id)
        return trial if trial.state.is_finished() else _copied(trial)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials of a study; of those that haven't ended alone without a walk through all.

        Optuna asks for waiting ones at every new trial.
        """
        if states is None or any(state.is_finished() and state in states for state in TrialState):
            return super().get_all_trials(study_id, deepcopy, states)
        self._read_trials_from_remote_storage(study_id)
        trials = self._studies[study_id].trials
        found = (trials[number] for number in sorted(self._open[study_id]))
        return [_copied(trial) if deepcopy else trial for trial in found if trial.state in states]

    def _add_trials_to_cache(self, study_id: int, trials: list[FrozenTrial]) -> None:
        super()._add_trials_to_cache(study_id, trials)
        for trial in trials:
            if trial.state.is_finished():
                self._open[study_id].discard(trial.number)
            else:
                self._open[study_id].add(trial.number)

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        """Read the trials that another process has added since the last time."""
        if study_id not in self._newest:
            super()._read_trials_from_remote_storage(study_id)
            known = (trial._trial_id for trial in self._studies[study_id].trials.values())
            self._newest[study_id] = max(known, default=-1)
            return
        newer = (TRIALS.c.study_id == study_id) & (TRIALS.c.trial_id > self._newest[study_id])
        with self._engine.connect() as connection:
            found = connection.scalars(sa.select(TRIALS.c.trial_id).where(newer)).all()
        unknown = set(found) - self._trial_id_to_study_id_and_number.keys()
        if unknown:
            trials = self._backend._get_trials(study_id, None, unknown, sys.maxsize)
            self._add_trials_to_cache(study_id, trials)
        self._newest[study_id] = max(found, default=self._newest[study_id])


def _utc(local: datetime) -> datetime:
    """A local time in UTC without a zone, as Optuna stores it."""
    return local.astimezone(UTC).replace(tzinfo=None)


def _copied(trial: FrozenTrial) -> FrozenTrial:
    """A copy that may be changed or handed out without changing the original."""
    other = copy.copy(trial)
    other.params, other.distributions = dict(trial.params), dict(trial.distributions)
    other.user_attrs, other.system_attrs = dict(trial.user_attrs), dict(trial.system_attrs)
    return other
