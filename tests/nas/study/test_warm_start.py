"""Warm starts: what earlier studies measured foretells, and a study's front stays its own."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from nas.rungs.history import History
from nas.rungs.names import PROMOTIONS
from nas.sampling.ms_ehvi import sampler as ms_ehvi
from nas.sampling.ms_ehvi.sampler import STARTUP_TRIALS, MsEhvi, startup_trials
from nas.sampling.ms_ehvi.surrogate import errors_at_the_end
from nas.settings import Request, Settings
from nas.study import opened
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.until import Until
from nas.workers.protocol import InDriver
from search_space.space import SearchSpace
from studies.earlier import find_earlier, load_earlier
from studies.evaluation import Evaluation
from studies.forecast import LEAST_PAIRS
from studies.results import Results
from studies.store import Store, open_store

# Optuna's own samplers say so of themselves; it is not about how we call them
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

BUDGETS = (200, 600)


class Power(BaseException):
    """Stands for a process that ends in the middle."""


def pretend(request: Request) -> Evaluation:
    """Accuracies that grow with the budget, by the candidate's key; a little noise a seed."""
    digits = int(request.candidate.key, 16)
    error = 0.15 + 0.5 * (digits % 997 / 997)
    noise = 0.01 * ((digits // 1000 + request.seed + request.budget) % 101 / 101 - 0.5)
    accuracy = 1 - error * (200 / request.budget) ** 0.3 + noise
    return Evaluation(accuracy, 1.0, ((128, 1.5, 0.5),), 0.1, 1e4, "host", {"torch": "0"})


@pytest.fixture(scope="module")
def first(tiny_toml: Path) -> Settings:
    """Settings of the earlier study, in which every candidate goes through all rungs."""
    space = SearchSpace.from_toml(tiny_toml.read_text())
    settings = Settings(space=space, sampler="random", budgets=BUDGETS, resolution=8, seed=5)
    return replace(settings, promotion="none")


@pytest.fixture(scope="module")
def begun(first: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with that study."""
    path = tmp_path_factory.mktemp("begun") / "a.db"
    store = open_store(f"sqlite:///{path}", create=True)
    bring(store, first, STARTUP_TRIALS, "first")
    store.engine.dispose()
    store.storage().engine.dispose()
    assert list(path.parent.iterdir()) == [path]
    return path


@pytest.fixture
def new_store(begun: Path, tmp_path: Path) -> Callable[[str], Store]:
    """Makes copies of that database."""
    return lambda name: open_store(f"sqlite:///{shutil.copy(begun, tmp_path / name)}")


@pytest.fixture
def store(new_store: Callable[[str], Store]) -> Store:
    return new_store("a.db")


@pytest.fixture
def second(first: Settings, few: None) -> Settings:
    return replace(first, sampler="ms-ehvi", promotion="known-cost", seed=6)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer candidates a proposal, so that whole studies are quick."""
    monkeypatch.setattr(ms_ehvi, "POOL", 40)
    monkeypatch.setattr(ms_ehvi, "FRESH", 5)
    monkeypatch.setattr(ms_ehvi, "MUTATIONS", 10)
    monkeypatch.setattr(ms_ehvi, "ROUNDS", 1)


def bring(
    store: Store,
    settings: Settings,
    trials: int,
    name: str,
    evaluate: Callable[[Request], Evaluation] = pretend,
) -> Results:
    study = open_study(store, name, settings)
    return search(study, Until(trials), InDriver(evaluate), lambda _: None)


def trials_of(store: Store, name: str) -> list[FrozenTrial]:
    return optuna.load_study(study_name=name, storage=store.storage()).get_trials()


def facts(store: Store, name: str) -> list[Any]:
    return [(t.number, t.state, t.values, t.params, t.user_attrs) for t in trials_of(store, name)]


def stops(store: Store, name: str) -> list[bool]:
    return [trial.state == TrialState.PRUNED for trial in trials_of(store, name)]


def test_known_cost_decides_from_the_first_comparison_on(store: Store, second: Settings) -> None:
    """A cold study lets everything through until enough candidates are known at two rungs."""
    second = replace(second, sampler="random")
    bring(store, second, LEAST_PAIRS, "warm")
    bring(store, replace(second, warm_start=False), LEAST_PAIRS, "cold")
    assert not any(stops(store, "cold"))
    assert any(stops(store, "warm"))


def test_without_a_warm_start_a_study_is_as_in_a_database_of_its_own(
    store: Store, second: Settings, tmp_path: Path
) -> None:
    alone = open_store(f"sqlite:///{tmp_path / 'alone.db'}", create=True)
    bring(store, replace(second, warm_start=False), STARTUP_TRIALS + 2, "second")
    bring(alone, second, STARTUP_TRIALS + 2, "second")
    assert load_earlier(store, "second") == []
    assert facts(store, "second") == facts(alone, "second")


def test_a_warm_study_killed_is_the_study_never_killed_whatever_others_add(
    new_store: Callable[[str], Store], first: Settings, second: Settings
) -> None:
    whole, killed = new_store("whole.db"), new_store("killed.db")
    bring(whole, second, 14, "second")
    for runs in (0, 5):
        left = iter(range(runs))

        def cut(request: Request, left: Any = left) -> Evaluation:
            if next(left, None) is None:
                raise Power
            return pretend(request)

        with pytest.raises(Power):
            bring(killed, second, 14, "second", cut)
        bring(killed, replace(first, seed=7 + runs), 4, f"between {runs}")
    bring(killed, second, 14, "second")
    assert load_earlier(killed, "second") == load_earlier(whole, "second")
    assert len(find_earlier(killed, second.to_json())) > len(load_earlier(killed, "second"))
    assert facts(killed, "second") == facts(whole, "second")
    assert any(stops(whole, "second"))


def test_ms_ehvi_proposes_from_its_first_trial_on(store: Store, second: Settings) -> None:
    earlier = find_earlier(store, second.to_json())
    proposed = MsEhvi(second, 6, opened.begun(second, earlier)).propose(0)
    assert proposed
    turned = opened.begun(second, earlier[::-1])
    assert MsEhvi(second, 6, turned).propose(0) == proposed
    assert MsEhvi(second, 6, opened.begun(second, ())).propose(0) != proposed
    bring(store, second, 1, "second")
    assert trials_of(store, "second")[0].params == proposed


def test_the_front_has_the_studys_own_trials_alone(store: Store, second: Settings) -> None:
    before = {trial.user_attrs["key"] for trial in trials_of(store, "first")}
    results = bring(store, replace(second, sampler="random"), 8, "second")
    own = {trial.user_attrs["key"] for trial in trials_of(store, "second")}
    assert load_earlier(store, "second")
    assert {one.key for one in results.front()} <= own
    assert not own & before
    assert sum(results.states.values()) == 8


def pairs(count: int) -> list[dict[str, float]]:
    """Accuracies at two rungs of an earlier study's candidates, the second far better."""
    low = {f"{index:03}": 0.5 + 0.005 * index for index in range(count)}
    return [low, {key: 0.4 + accuracy for key, accuracy in low.items()}]


def test_the_random_beginning_is_as_much_shorter_as_is_known() -> None:
    low, high = pairs(20)

    def of(low_count: int, high_count: int) -> int:
        some = [dict(list(low.items())[:low_count]), dict(list(high.items())[:high_count])]
        return startup_trials(History(2, earlier=some))

    assert of(0, 0) == startup_trials(History(2)) == STARTUP_TRIALS
    assert of(0, 5) == of(5, 5) == STARTUP_TRIALS - 5
    # What is known at the first rung alone says nothing as long as it can't be forecast.
    assert of(20, LEAST_PAIRS - 1) == STARTUP_TRIALS - (LEAST_PAIRS - 1)
    assert of(20, LEAST_PAIRS) == of(0, 20) == 0


def test_earlier_pairs_foretell_and_earlier_accuracies_stop_nobody() -> None:
    warm, cold = History(2, earlier=pairs(20)), History(2)
    for history in (warm, cold):
        history.add("mine", (5.0, 6.0), 0, 0.55)
        history.add("good", (4.0, 5.0), 0, 0.6)
        assert history.attained(0)[0] == ["good", "mine"]
        assert history.attained(1)[0] == []
        assert PROMOTIONS["known-cost"].decide(history, "mine", 0, 3.0).go
        history.add("good", (4.0, 5.0), 1, 0.99)
    assert cold.foretold(0, []) is None
    assert not PROMOTIONS["known-cost"].decide(warm, "mine", 0, 3.0).go
    assert PROMOTIONS["known-cost"].decide(cold, "mine", 0, 3.0).go
    labels = errors_at_the_end(warm)
    assert labels.keys() == {"mine", "good", *pairs(20)[0]}
    assert 1 - np.exp(labels["mine"].error) == pytest.approx(0.95, abs=0.02)


def test_asha_ranks_the_studys_own_alone() -> None:
    for earlier in ((), pairs(20)):
        history = History(2, earlier=earlier)
        for index in range(6):
            history.add(str(index), (1.0, 1.0), 0, 0.4 + 0.01 * index)
        decision = PROMOTIONS["asha"].decide(history, "0", 0, 3.0)
        assert decision.reason == "place 6 of 6 at its rung; 2 go on"


def test_the_studys_own_accuracy_counts_where_both_have_one() -> None:
    history = History(2, earlier=pairs(20))
    history.add("000", (5.0,), 0, 0.52)
    own, twin = pairs(20)[0]["001"], "001"
    (before,) = History(2, earlier=pairs(20)).foretold(0, [twin]) or ()
    (told,) = history.foretold(0, [twin]) or ()
    assert history.learned(0)["000"] == 0.52
    assert history.learned(0)[twin] == own
    assert told.error > before.error  # 52 % led to 90 %, so 50.5 % lead to less than was thought
    history.add("000", (5.0,), 1, 0.91)
    assert errors_at_the_end(history)["000"].error == pytest.approx(np.log(0.09))
