"""Tests of limits: none of our samplers proposes what is over one that is known before training."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from nas.sampling import seeded
from nas.sampling.samplers import SAMPLERS
from nas.settings import Request, Settings
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.until import Until
from nas.workers.protocol import InDriver
from search_space.cost import cost
from search_space.space import SearchSpace
from studies.evaluation import Evaluation
from studies.store import Store, open_store

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


class Power(BaseException):
    """Stands for a process that ends in the middle."""


def pretend(request: Request) -> Evaluation:
    """More is better, so that every sampler is drawn to the limit."""
    size = cost(request.candidate.architecture, request.images.resolution).params
    return Evaluation(1 - 100 / (200 + size), 1.0, (), 0.1, 1e4, "host", {"torch": "0"})


def bring(store: Store, settings: Settings, trials: int, evaluate=pretend) -> None:  # type: ignore[no-untyped-def]
    study = open_study(store, "s", settings)
    search(study, Until(trials), InDriver(evaluate), lambda _: None)


def trials_of(store: Store) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="s", storage=store.storage()).get_trials()


def new_store(path: Path) -> Store:
    return open_store(f"sqlite:///{path}", create=True)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_nothing_is_proposed_above_tight_limits(
    tmp_path: Path, tiny_settings: Settings, sampler: str
) -> None:
    limits = {"max_params": 1500, "max_flops": 40_000}
    settings = replace(tiny_settings, sampler=sampler, **limits)
    store = new_store(tmp_path / "a.db")
    bring(store, settings, 24 if sampler == "gp" else 45)
    trials = trials_of(store)
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    for trial in trials:
        for name, limit in limits.items():
            assert trial.user_attrs[name.removeprefix("max_")] <= limit
    assert len({trial.user_attrs["key"] for trial in trials}) > 5


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2", "ms-ehvi"])
def test_in_the_default_space_too(tmp_path: Path, sampler: str) -> None:
    """A limit that one random candidate in twenty meets."""
    settings = Settings(
        sampler=sampler, max_params=4_000, max_flops=500_000, warm_start=False, budgets=(5_000,)
    )
    store = new_store(tmp_path / "a.db")
    bring(store, settings, 24)
    assert {trial.state for trial in trials_of(store)} == {TrialState.COMPLETE}
    assert max(trial.user_attrs["params"] for trial in trials_of(store)) <= 4_000


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_study_within_limits_that_was_stopped_is_the_one_that_was_not(
    tmp_path: Path, tiny_settings: Settings, sampler: str
) -> None:
    settings = replace(tiny_settings, sampler=sampler, max_params=900)
    whole = new_store(tmp_path / "whole.db")
    bring(whole, settings, 44)
    stopped = new_store(tmp_path / "stopped.db")
    for runs in (3, 16, 5):
        left = iter(range(runs))

        def evaluate(request: Request, left: object = left) -> Evaluation:
            if next(left, None) is None:  # type: ignore[call-overload]
                raise Power
            return pretend(request)

        with pytest.raises(Power):
            bring(stopped, settings, 44, evaluate)
    bring(stopped, settings, 44)
    facts = [[(t.values, t.params, t.user_attrs) for t in trials_of(s)] for s in (whole, stopped)]
    assert facts[0] == facts[1]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_trial_that_somebody_asked_for_with_a_part_fixed(
    tmp_path: Path, tiny_settings: Settings, sampler: str
) -> None:
    settings = replace(tiny_settings, sampler=sampler, max_params=1500)
    store = new_store(tmp_path / "a.db")
    bring(store, settings, 3)
    study = optuna.load_study(study_name="s", storage=store.storage())
    more = max((t.params for t in trials_of(store)), key=len)
    for name, choices in settings.space.items():
        if name in more:
            study.enqueue_trial({name: choices[-1]})
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    bring(store, settings, 12)
    assert len(trials_of(store)) >= 12
    assert all(trial.state.is_finished() for trial in trials_of(store)[:12])


def test_what_a_sampler_never_finds_within_the_limits_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeded, "REDRAWN", 0)
    space = SearchSpace()
    settings = Settings(
        space=space, sampler="tpe", max_params=700, warm_start=False, budgets=(5_000,)
    )
    store = new_store(tmp_path / "a.db")
    bring(store, settings, 4)
    assert {trial.state for trial in trials_of(store)} == {TrialState.COMPLETE}
