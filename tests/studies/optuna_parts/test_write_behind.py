"""Optuna's storage for a driver says what Optuna's own would, at every moment, in one write."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from studies.optuna_parts.write_behind import WriteBehindStorage
from studies.store import Store, open_store

CHOICES = CategoricalDistribution(("a", "b", "c"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/a.db", create=True)


def study_on(store: Store) -> tuple[optuna.Study, WriteBehindStorage]:
    storage = store.driver_storage()
    study = optuna.create_study(
        study_name="s", storage=storage, directions=["maximize", "minimize"], load_if_exists=True
    )
    return study, storage


def written(store: Store) -> list[optuna.trial.FrozenTrial]:
    """The trials as another process sees them."""
    return optuna.load_study(study_name="s", storage=str(store.url)).trials


def fill(trial: optuna.Trial) -> None:
    assert [trial.suggest_categorical(f"p{n}", "abc") for n in range(5)]
    for value in range(3):
        trial.set_user_attr("again", value)
    trial.set_user_attr("'; DROP TABLE trials; --", {"ünïcode": [None, "</script>"]})


@pytest.fixture
def writes(store: Store) -> Callable[[], int]:
    """Transactions that have written since it was last asked."""
    engine, writing, count = store.storage().engine, [False], [0]

    def executed(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        writing[0] |= statement.startswith(("INSERT", "UPDATE", "DELETE"))

    def committed(_connection: sa.Connection) -> None:
        count[0] += writing[0]
        writing[0] = False

    sa.event.listen(engine, "after_cursor_execute", executed)
    sa.event.listen(engine, "commit", committed)

    def since() -> int:
        before, count[0] = count[0], 0
        return before

    return since


def test_a_trial_is_one_transaction(store: Store, writes: Callable[[], int]) -> None:
    study, _ = study_on(store)
    trial = study.ask()
    writes()
    fill(trial)
    assert writes() == 0
    assert written(store)[0].params == {}
    store.flush()
    assert writes() == 1
    (seen,) = written(store)
    assert list(seen.params) == [f"p{n}" for n in range(5)]
    assert seen.user_attrs == {
        "again": 2,
        "'; DROP TABLE trials; --": {"ünïcode": [None, "</script>"]},
    }
    store.flush()
    assert writes() == 0


def test_it_is_what_optunas_own_storage_would_have(store: Store, tmp_path: Path) -> None:
    own = optuna.create_study(
        study_name="s", storage=f"sqlite:///{tmp_path}/own.db", directions=["maximize", "minimize"]
    )
    study, _ = study_on(store)
    for one in (own, study):
        one.sampler = optuna.samplers.RandomSampler(seed=1)
        for number in range(4):
            trial = one.ask()
            fill(trial)
            one.tell(trial, [number, 1.0], TrialState.COMPLETE)
        one.ask().set_user_attr("left", True)
    store.flush()
    for ours, theirs in zip(written(store), own.trials, strict=True):
        assert (ours.number, ours.state, ours.values) == (
            theirs.number,
            theirs.state,
            theirs.values,
        )
        assert (ours.params, ours.distributions) == (theirs.params, theirs.distributions)
        assert ours.user_attrs == theirs.user_attrs


def test_what_is_remembered_is_what_was_written(store: Store) -> None:
    study, storage = study_on(store)
    for end in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, None):
        trial = study.ask()
        fill(trial)
        trial.set_constraint("params", 3.5)
        trial.set_user_attr("tuple", (1, "2"))
        if end is not None:
            study.tell(trial, [float("inf"), -0.5] if end == TrialState.COMPLETE else None, end)
    store.flush()
    assert study.get_trials() == written(store)
    assert [storage.get_trial(trial._trial_id) for trial in written(store)] == written(store)


def test_a_trial_that_has_ended_cannot_be_changed(store: Store) -> None:
    study, storage = study_on(store)
    trial = study.ask()
    seen = study.get_trials(deepcopy=False)
    study.tell(trial, [1.0, 2.0])
    assert seen[0].state == TrialState.RUNNING
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        storage.set_trial_user_attr(trial._trial_id, "late", 1)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    ended_elsewhere = study.ask()._trial_id
    store.storage().set_trial_state_values(ended_elsewhere, TrialState.FAIL)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        storage.set_trial_state_values(ended_elsewhere, TrialState.PRUNED)


def test_what_is_given_away_is_not_changed_later(store: Store) -> None:
    study, storage = study_on(store)
    trial = study.ask()
    before = storage.get_trial(trial._trial_id)
    before.user_attrs["mine"] = 1
    fill(trial)
    assert (before.user_attrs, before.params) == ({"mine": 1}, {})
    assert "mine" not in storage.get_trial(trial._trial_id).user_attrs


def test_trials_that_another_process_enqueues_come_next(store: Store) -> None:
    study, _ = study_on(store)
    first = study.ask()
    other = optuna.load_study(study_name="s", storage=str(store.url))
    other.enqueue_trial({"p0": "c"})
    optuna.create_study(study_name="t", storage=str(store.url)).enqueue_trial({"p0": "a"})
    second, third = study.ask(), study.ask()
    assert second.suggest_categorical("p0", "abc") == "c"
    assert [trial.number for trial in (first, second, third)] == [0, 1, 2]
    study.tell(second, [1.0, 2.0])
    states = [trial.state.name for trial in written(store)]
    assert states == ["RUNNING", "COMPLETE", "RUNNING"]


def test_a_new_trial_costs_the_same_however_many_run(store: Store) -> None:
    study, _ = study_on(store)
    statements: list[str] = []
    engine = store.storage().engine

    def executed(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    sa.event.listen(engine, "after_cursor_execute", executed)
    counts = []
    for _ in range(20):
        statements.clear()
        study.ask()
        counts.append(len(statements))
        assert not any("trial_params" in statement for statement in statements[1:]), statements
    assert len(set(counts[1:])) == 1


def test_trials_of_a_state_are_those_that_optuna_finds(store: Store) -> None:
    study, storage = study_on(store)
    study.enqueue_trial({"p0": 1})
    for end in (None, TrialState.FAIL, None):
        trial = study.ask()
        if end is not None:
            study.tell(trial, state=end)
    study.enqueue_trial({"p0": 2})
    store.flush()
    for states in ((TrialState.WAITING,), (TrialState.RUNNING, TrialState.WAITING)):
        found = storage.get_all_trials(study._study_id, states=states)
        assert found == [trial for trial in written(store) if trial.state in states]
        assert found
    found[0].user_attrs["changed"] = True
    assert storage.get_all_trials(study._study_id, states=states) != found
    with_ended = (TrialState.FAIL, TrialState.WAITING)
    assert len(storage.get_all_trials(study._study_id, states=with_ended)) == 2


def test_whoever_asks_sees_what_is_gathered(store: Store) -> None:
    study, storage = study_on(store)
    trial = study.ask()
    fill(trial)
    assert storage.get_trial(trial._trial_id).user_attrs["again"] == 2
    trial.set_user_attr("again", 3)
    assert study.get_trials()[0].user_attrs["again"] == 3
    trial.set_user_attr("again", 4)
    study.tell(trial, [1.0, 2.0])
    assert written(store)[0].user_attrs["again"] == 4


def test_a_trial_that_was_never_read_is_shown_with_what_is_gathered(store: Store) -> None:
    study, _ = study_on(store)
    number = study.ask()._trial_id
    storage = store.driver_storage()
    storage.set_trial_user_attr(number, "late", 1)
    assert storage.get_trial(number).user_attrs == {"late": 1}


def test_what_cannot_be_written_stays_gathered(store: Store) -> None:
    study, storage = study_on(store)
    trial = study.ask()
    fill(trial)
    with store.storage().engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE trial_params RENAME TO away"))
    with pytest.raises(sa.exc.OperationalError):
        storage.flush()
    with store.storage().engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO trial_params"))
    storage.flush()
    (seen,) = written(store)
    assert len(seen.params) == 5
    assert seen.user_attrs["again"] == 2


def test_a_killed_drivers_trial_is_set_again(store: Store) -> None:
    """By the next one, whose storage knows nothing of what the first had gathered."""
    study, _ = study_on(store)
    fill(study.ask())
    again, storage = study_on(store)
    (left,) = again.get_trials()
    assert left.params == {}
    storage.set_trial_param(left._trial_id, "p0", 1.0, CHOICES)
    storage.set_trial_user_attr(left._trial_id, "again", 7)
    storage.set_trial_state_values(left._trial_id, TrialState.PRUNED)
    (seen,) = written(store)
    assert (seen.params, seen.user_attrs, seen.state.name) == ({"p0": "b"}, {"again": 7}, "PRUNED")
