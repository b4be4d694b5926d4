"""What a new study takes over of earlier ones: which evaluations, averaged, kept as they were."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from studies.axis import Axis
from studies.earlier import find_earlier, load_earlier
from studies.evaluation import Earlier, Evaluation, Identity
from studies.store import Store, open_store

AXES = (Axis("accuracy", "fraction", True, False, 0.1),)
SETTINGS: dict[str, Any] = {
    "space": {"stem.width": [4, 8], "body.batch_norm": [True, False]},
    "resolution": 28,
    "channels": 1,
    "budgets": [200, 600],
    "recipe": {"batch_size": 64, "precision": "float32"},
    "data": "d",
    "seed": 1,
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True)


def add_trials(store: Store, study: str, *keys: str) -> None:
    """Trials of those candidates in Optuna's tables, in states of all kinds."""
    one = optuna.create_study(study_name=study, storage=store.storage(), direction="maximize")
    for key in keys:
        trial = one.ask()
        trial.set_user_attr("key", key)
        if key != keys[0]:
            one.tell(trial, state=optuna.trial.TrialState.PRUNED)


def add_study(store: Store, study: str, settings: dict[str, Any], *keys: str) -> None:
    store.add_study(study, settings, AXES, {})
    add_trials(store, study, *keys)


def evaluate(store: Store, key: str, accuracy: float | None, **other: Any) -> None:
    settings = SETTINGS | {"budget": 200} | other
    names = ("recipe", "resolution", "channels", "budget", "seed", "data")
    identity = Identity(key, *(settings[name] for name in names))
    failure = None if accuracy is not None else "the training loss is nan"
    store.add_evaluation(identity, Evaluation(accuracy, None, (), 1.0, 1.0, "h", {}, failure))
    store.add_candidate(key, {"of": key}, f"words of {key}")


def found(store: Store, settings: dict[str, Any] = SETTINGS) -> list[tuple[Any, ...]]:
    return [one[:3] for one in find_earlier(store, settings)]


def test_what_is_taken_over_is_the_mean_over_seeds_by_candidate_and_budget(store: Store) -> None:
    add_study(store, "s", SETTINGS, "b", "a")
    add_study(store, "t", SETTINGS | {"seed": 2, "objectives": ["accuracy"]}, "c")
    for seed, accuracy in ((3, 0.7), (1, 0.1), (2, 0.4)):
        evaluate(store, "a", accuracy, seed=seed)
    evaluate(store, "b", 0.5)
    evaluate(store, "b", 0.6, budget=600)
    evaluate(store, "c", 0.3, seed=2, budget=600)
    assert find_earlier(store, SETTINGS) == [
        Earlier("a", 200, pytest.approx(0.4), {"of": "a"}),  # type: ignore[arg-type]
        Earlier("b", 200, 0.5, {"of": "b"}),
        Earlier("b", 600, 0.6, {"of": "b"}),
        Earlier("c", 600, 0.3, {"of": "c"}),
    ]


def test_other_evaluations_are_not_taken_over(store: Store) -> None:
    add_study(store, "s", SETTINGS, "a")
    for other in (
        {"recipe": {"batch_size": 64, "precision": "bf16"}},
        {"resolution": 20},
        {"channels": 3},
        {"data": "e"},
        {"budget": 1800},
        {"accuracy": None},
    ):
        evaluate(store, "a", **({"accuracy": 0.5} | other))
        assert found(store) == [], other
    evaluate(store, "a", 0.5, seed=2)
    assert found(store) == [("a", 200, 0.5)]
    assert found(store, SETTINGS | {"budgets": [600]}) == []


def test_candidates_of_other_studies_are_not_taken_over(store: Store) -> None:
    add_study(store, "s", SETTINGS, "a")
    add_study(store, "space", SETTINGS | {"space": SETTINGS["space"] | {"stem.width": [4]}}, "b")
    add_study(store, "resolution", SETTINGS | {"resolution": 20}, "c")
    add_study(store, "channels", SETTINGS | {"channels": 3}, "d")
    add_trials(store, "somebody else's", "e")
    for key in "abcdef":  # the last is no trial at all
        evaluate(store, key, 0.5)
    assert found(store) == [("a", 200, 0.5)]


def test_nothing_is_found_where_there_is_nothing(store: Store, tmp_path: Path) -> None:
    assert find_earlier(store, SETTINGS) == []
    assert list(tmp_path.iterdir()) == []
    store.add_study("s", SETTINGS, AXES, {})
    assert find_earlier(store, SETTINGS) == []
    assert load_earlier(store, "s") == []


def test_what_a_study_took_over_stays_as_it_was(store: Store) -> None:
    add_study(store, "s", SETTINGS, "a", "b")
    evaluate(store, "b", 0.1 + 0.2)
    evaluate(store, "a", 1 / 3)
    earlier = find_earlier(store, SETTINGS)
    store.add_study("new", SETTINGS, AXES, {}, earlier)
    evaluate(store, "a", 0.9, seed=2)
    evaluate(store, "b", 0.9, budget=600)
    assert load_earlier(open_store(str(store.url)), "new") == earlier
    assert load_earlier(store, "s") == []
    assert len(find_earlier(store, SETTINGS)) == 3


def test_a_study_and_what_it_took_over_are_added_together_or_not_at_all(store: Store) -> None:
    twice = Earlier("a", 200, 0.5, {})
    with pytest.raises(ValueError, match="UNIQUE constraint failed: nas_earlier"):
        store.add_study("new", SETTINGS, AXES, {}, [twice, twice])
    assert store.study_names() == []
    assert load_earlier(store, "new") == []
