"""Reading a study back: states, the front without doubles, unknown trials."""

from pathlib import Path

import optuna
import pytest

from studies.axis import Axis
from studies.results import load_results, of_trials, trial_from, trial_of
from studies.store import Store, StoreError, open_store

AXES = (
    Axis("accuracy", "fraction", True, False, 0.1),
    Axis("params", "parameters", False, True, 1e7),
)


def finished(values: tuple[float, float] | None, key: str) -> optuna.trial.FrozenTrial:
    state = optuna.trial.TrialState.COMPLETE if values else optuna.trial.TrialState.PRUNED
    known = {"key": key, "architecture": f"words of {key}", "params": 1000, "flops": 5000}
    return optuna.trial.create_trial(values=values, state=state, user_attrs=known)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True)
    store.add_study("s", {}, AXES, {})
    study = optuna.create_study(
        study_name="s", storage=store.storage(), directions=["maximize", "minimize"]
    )
    for values, key in [
        ((0.8, 1000.0), "a"),
        (None, "b"),
        ((0.8, 1000.0), "a"),
        ((0.7, 2000.0), "c"),
        ((0.9, 3000.0), "d"),
        ((0.8, 1000.0), "e"),
    ]:
        study.add_trial(finished(values, key))
    study.ask()
    return store


def test_the_front_has_each_candidate_once_cheapest_first(store: Store) -> None:
    results = load_results(store, "s")
    assert [result.number for result in results.front()] == [0, 5, 4]
    assert results.states == {"complete": 5, "pruned": 1, "running": 1}
    study = optuna.load_study(study_name="s", storage=store.storage())
    assert results == of_trials("s", AXES, [trial_from(one) for one in study.get_trials()])
    # (0.8 - 0.1) from 10^3 to 10^7 and (0.9 - 0.8) from 3000 to 10^7
    assert results.hypervolume() == pytest.approx(0.7 * 4 + 0.1 * (4 - 0.47712125), abs=1e-6)


def test_a_study_without_trials_has_an_empty_front(store: Store) -> None:
    store.add_study("new", {}, AXES, {})
    results = load_results(store, "new")
    assert (results.front(), results.hypervolume(), results.states) == ([], 0.0, {})


def test_unknown_trials_and_studies_name_the_nearest(store: Store) -> None:
    assert trial_of(store, "s", 4).values == (0.9, 3000.0)
    with pytest.raises(StoreError, match="trial 9 is not in study 's'; the nearest are: 6, 5, 4"):
        trial_of(store, "s", 9)
    store.add_study("new", {}, AXES, {})
    with pytest.raises(StoreError, match="trial 0 is not in study 'new'; it has no trials yet"):
        trial_of(store, "new", 0)
    with pytest.raises(StoreError, match="study 't' is not in"):
        trial_of(store, "t", 0)
