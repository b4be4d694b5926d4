"""Trials on their way through the rungs: who is decided upon when, by what, and after a kill."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from nas.rungs.history import History
from nas.rungs.names import PROMOTIONS, Promotion
from nas.rungs.promotion import Decision
from nas.sampling.ms_ehvi.sampler import MsEhvi
from nas.settings import Request, Settings, check_budgets, rungs
from nas.study import loop
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.until import Until
from nas.workers.protocol import InDriver, Outcome
from nas.workers.simulated import Simulated
from studies.evaluation import Evaluation
from studies.kept import Kept
from studies.store import Store, open_store

# Optuna's own samplers say so of themselves; it is not about how we call them
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

BUDGETS = (200, 600, 1800)


class Power(BaseException):
    """Stands for a process that ends in the middle."""


def pretend(request: Request) -> Evaluation:
    """Accuracies that grow with the budget, by the candidate's key; a little noise a rung."""
    digits = int(request.candidate.key, 16)
    error = 0.15 + 0.5 * (digits % 997 / 997)
    noise = 0.02 * (digits // 1000 % 101 / 101 - 0.5) * (1 + request.budget % 7)
    accuracy = 1 - error * (200 / request.budget) ** 0.3 + noise
    curve = ((request.budget, 1.5, 0.5),)
    return Evaluation(accuracy, 1.0, curve, request.budget / 1e3, 1e4, "host", {"torch": "0"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True)


@pytest.fixture
def rung_settings(tiny_settings: Settings) -> Settings:
    return replace(tiny_settings, budgets=BUDGETS)


def bring(
    store: Store,
    settings: Settings,
    trials: int,
    evaluate: Callable[[Request], Evaluation] = pretend,
    name: str = "s",
) -> None:
    study = open_study(store, name, settings)
    search(study, Until(trials), InDriver(evaluate), lambda _: None)


def trials_of(store: Store, name: str = "s") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=name, storage=store.storage()).get_trials()


@pytest.mark.parametrize("rule", PROMOTIONS)
def test_trials_end_complete_at_the_last_rung_or_pruned_below_it(
    store: Store, rung_settings: Settings, rule: str
) -> None:
    settings = replace(rung_settings, promotion=rule, repeats=0.0)
    bring(store, settings, 40)
    trials = trials_of(store)
    for trial in trials:
        reached = trial.user_attrs["rungs"]
        seconds = sum(budget / 1e3 for budget in BUDGETS[: len(reached)])
        assert trial.user_attrs["seconds"] == pytest.approx(seconds)
        if trial.state == TrialState.COMPLETE:
            assert len(reached) == 3
            assert trial.values[0] == reached[-1]
            assert "stopped" not in trial.user_attrs
        else:
            assert trial.state == TrialState.PRUNED
            assert len(reached) < 3
            at = f"at {BUDGETS[len(reached) - 1]:,} images: "
            assert trial.user_attrs["stopped"].startswith(at)
    complete = sum(trial.state == TrialState.COMPLETE for trial in trials)
    assert complete == 40 if rule == "none" else 0 < complete < 30


def test_only_what_was_known_is_seen(
    store: Store, rung_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events in their order: at every decision the history is what had ended before it."""
    ended: set[tuple[str, int, float]] = set()
    decisions = 0

    def evaluate(request: Request) -> Evaluation:
        found = pretend(request)
        assert found.accuracy is not None
        ended.add((request.candidate.key, BUDGETS.index(request.budget), found.accuracy))
        return found

    def decide(history: History, key: str, rung: int, eta: float) -> Decision:
        nonlocal decisions
        decisions += 1
        seen = {(k, r, a) for r, rung in enumerate(history.accuracies) for k, a in rung.items()}
        assert seen == ended
        assert (key, rung) in {(k, r) for k, r, _ in seen}
        return PROMOTIONS["known-cost"].decide(history, key, rung, eta)

    monkeypatch.setitem(PROMOTIONS, "watched", Promotion("", decide))
    bring(store, replace(rung_settings, promotion="watched"), 30, evaluate)
    assert decisions >= 30


def test_with_several_workers_neither_promotion_nor_sampler_sees_what_still_runs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated workers have every outcome as soon as it is asked for: here it could leak."""
    ended: set[tuple[str, int, float]] = set()
    pending = 0

    class Watched(Simulated):
        def next(self, seconds: float) -> Outcome:
            outcome = super().next(seconds)
            request, found, _ = outcome
            assert isinstance(found, Evaluation)
            assert found.accuracy is not None
            ended.add((request.candidate.key, BUDGETS.index(request.budget), found.accuracy))
            return outcome

    def decide(history: History, key: str, rung: int, eta: float) -> Decision:
        seen = {(k, r, a) for r, rung in enumerate(history.accuracies) for k, a in rung.items()}
        assert seen == ended
        return PROMOTIONS["known-cost"].decide(history, key, rung, eta)

    def propose(self: MsEhvi, number: int) -> dict[str, Any]:
        nonlocal pending
        rungs = enumerate(self.history.accuracies)
        assert {(key, r, a) for r, rung in rungs for key, a in rung.items()} == ended
        pending += bool(self.history.pending)
        return genuine(self, number)

    genuine = MsEhvi.propose
    monkeypatch.setitem(PROMOTIONS, "watched", Promotion("", decide))
    monkeypatch.setattr(MsEhvi, "propose", propose)
    settings = Settings(sampler="ms-ehvi", budgets=BUDGETS, promotion="watched")
    study = open_study(store, "s", settings)
    search(study, Until(25), Watched(3, pretend), lambda _: None)
    assert pending >= 15


def test_the_promotion_is_the_same_however_the_past_is_told(
    store: Store, rung_settings: Settings
) -> None:
    """A run that begins anew remembers from its trials what the run before it knew."""
    cold = replace(rung_settings, warm_start=False)
    bring(store, cold, 30, name="whole")
    for trials in (7, 15, 30):
        bring(store, cold, trials, name="parts")
    assert facts(store, "whole") == facts(store, "parts")


def test_a_promise_is_remembered_wherever_the_power_fails(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an evaluation, or before the record of a trial is written that has its params already."""
    settings = Settings(budgets=BUDGETS, warm_start=False, repeats=0.2)

    def uneven(request: Request) -> Evaluation:
        """What no surrogate foresees: half of all candidates are much worse."""
        found = pretend(request)
        worse = 0.1 * (int(request.candidate.key, 16) % 2)
        return replace(found, accuracy=(found.accuracy or 0) - worse)

    bring(store, settings, 30, uneven, name="whole")
    genuine = loop.keep

    def dark(trial: optuna.Trial, before: Kept, **changes: Any) -> Kept:
        if "key" in changes and trial.number in (14, 22):
            raise Power
        return genuine(trial, before, **changes)

    for allowed in (20, 9, 4, 1, 2, 1):
        left = [allowed]

        def until_power_fails(request: Request, left: list[int] = left) -> Evaluation:
            if not left[0]:
                raise Power
            left[0] -= 1
            return uneven(request)

        for with_records in (False, True):
            with monkeypatch.context() as patch, contextlib.suppress(Power):
                if not with_records:
                    patch.setattr(loop, "keep", dark)
                bring(store, settings, 30, until_power_fails, name="parts")
    bring(store, settings, 30, uneven, name="parts")
    assert facts(store, "whole") == facts(store, "parts")
    trials = trials_of(store, "whole")
    assert all("promised" in trials[number].user_attrs for number in (14, 22))
    reasons = [trial.user_attrs.get("stopped", "") for trial in trials]
    assert any("of the improvement that it was proposed for" in one for one in reasons)


def facts(store: Store, name: str) -> list[Any]:
    trials = trials_of(store, name)
    return [(t.number, t.state, t.values, t.params, t.user_attrs) for t in trials]


@pytest.mark.parametrize("at", [1, 2, 5, 11, 20, 33])
def test_a_study_killed_in_the_middle_of_a_rung_is_the_study_never_killed(
    store: Store, rung_settings: Settings, tmp_path: Path, at: int
) -> None:
    bring(store, rung_settings, 25)
    other = open_store(f"sqlite:///{tmp_path / 'b.db'}", create=True)
    left = at

    def cut(request: Request) -> Evaluation:
        nonlocal left
        left -= 1
        if left == 0:
            raise Power
        return pretend(request)

    with pytest.raises(Power):
        bring(other, rung_settings, 25, cut)
    bring(other, rung_settings, 25)
    assert facts(other, "s") == facts(store, "s")


def test_a_run_that_diverges_fails_and_is_not_remembered(
    store: Store, rung_settings: Settings
) -> None:
    def evaluate(request: Request) -> Evaluation:
        found = pretend(request)
        if request.budget == 600 and int(request.candidate.key, 16) % 2:
            return replace(found, accuracy=None, loss=None, failure="the training loss is nan")
        return found

    bring(store, rung_settings, 30, evaluate)
    failed = [trial for trial in trials_of(store) if trial.state == TrialState.FAIL]
    assert failed
    assert {trial.user_attrs["failure"] for trial in failed} == {"the training loss is nan"}
    assert all(len(trial.user_attrs["rungs"]) == 1 for trial in failed)


def test_rungs_grow_by_eta() -> None:
    assert rungs(45_000, 3, 3.0) == (5_000, 15_000, 45_000)
    assert rungs(1000, 1, 3.0) == (1000,)
    assert rungs(1000, 3, 1.5) == (444, 667, 1000)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: rungs(1000, 3, 3.0), "3 rungs that grow by 3 would begin at 111 images"),
        (lambda: rungs(45_000, 3, 1.0), "eta is 1.0; it must be a number from 1.01"),
        (lambda: rungs(45_000, 0, 3.0), "rungs is 0"),
        (lambda: check_budgets((200, 200)), "budgets is 200,200; they must increase"),
        (lambda: check_budgets((600, 200)), "budgets is 600,200; they must increase"),
        (lambda: check_budgets((100, 200)), "budget is 100; it must be a whole number from 128"),
        (lambda: check_budgets(()), "budgets is empty"),
    ],
)
def test_rungs_that_are_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_an_earlier_versions_single_budget_is_one_rung(tiny_settings: Settings) -> None:
    stored = tiny_settings.to_json()
    del stored["budgets"], stored["promotion"], stored["eta"]
    read = Settings.from_json(stored | {"budget": 20_000})
    assert (read.budgets, read.promotion) == ((20_000,), "none")
