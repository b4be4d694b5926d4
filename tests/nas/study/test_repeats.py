"""Tests of a study's repeats: seeds of their own, means, a share of the training, kills."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from nas.axes import axes_of
from nas.rungs.repeats import LEAST
from nas.seeds import derive
from nas.settings import Request, Settings
from nas.study import loop
from nas.study.drive import _complete
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.stored import read_study
from nas.study.until import Until
from nas.workers.protocol import InDriver
from search_space.cost import cost
from studies.evaluation import Evaluation
from studies.results import load_results
from studies.store import Store, open_store


def noisy(request: Request) -> Evaluation:
    """More parameters are better, and every seed deviates by up to half a point."""
    size = cost(request.candidate.architecture, request.images.resolution).params
    luck = derive(request.seed, request.candidate.key) % 1000 / 1e5
    accuracy = 0.6 + 0.3 * (1 - 300 / (300 + size)) + luck - 10 / request.budget
    return Evaluation(accuracy, 1.0, (), 0.1, 1e4, "host", {"torch": "0"})


class Power(BaseException):
    """Stands for a process that ends in the middle."""


def bring(store: Store, settings: Settings, trials: int, evaluate=noisy) -> None:  # type: ignore[no-untyped-def]
    study = open_study(store, "s", settings)
    search(study, Until(trials), InDriver(evaluate), lambda _: None)


def trials_of(store: Store) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="s", storage=store.storage()).get_trials()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True)


@pytest.mark.parametrize("sampler", ["ms-ehvi", "random", "tpe"])
def test_a_share_of_the_training_goes_to_repeats(
    store: Store, tiny_settings: Settings, sampler: str
) -> None:
    settings = replace(tiny_settings, sampler=sampler, repeats=0.3, promotion="none")
    bring(store, settings, 60)
    results, trials = load_results(store, "s"), trials_of(store)
    repeats = [trial for trial in trials if trial.user_attrs.get("repeat")]
    assert len(trials) == 60
    assert results.repeats == len(repeats) > 5
    images = {True: settings.budgets[-1], False: sum(settings.budgets)}
    spent = {"all": 0, "repeats": 0}
    begin = 1 + [trial.number for trial in trials if trial.values][LEAST - 1]
    assert repeats[0].number >= begin
    for trial in trials[begin:]:
        again = trial in repeats
        work = trial.user_attrs["flops"] * images[again]
        spent["all"] += work
        spent["repeats"] += work * again
    assert 0.2 <= spent["repeats"] / spent["all"] <= 0.4
    first = {t.user_attrs["key"]: t for t in reversed(trials) if t not in repeats}
    for trial in repeats:
        original = first[trial.user_attrs["key"]]
        assert trial.params == original.params
        assert trial.number > original.number
        assert trial.values[1:] == original.values[1:]
        assert trial.values[0] != original.values[0]  # of another seed
    # Every repeat has a number of its own, from 1 on.
    for key in {trial.user_attrs["key"] for trial in repeats}:
        numbers = [t.user_attrs["repeat"] for t in repeats if t.user_attrs["key"] == key]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_candidate_counts_with_the_mean_over_its_seeds(
    store: Store, tiny_settings: Settings
) -> None:
    settings = replace(tiny_settings, repeats=0.4)
    bring(store, settings, 50)
    results, trials = load_results(store, "s"), trials_of(store)
    by_key: dict[str, list[float]] = {}
    for trial in trials:
        if trial.values:
            by_key.setdefault(trial.user_attrs["key"], []).append(trial.values[0])
    assert len(results.completed) == len(by_key)
    for result in results.completed:
        known = by_key[result.key]
        assert result.seeds == len(known)
        assert result.values[0] == pytest.approx(sum(known) / len(known))
    assert max(result.seeds for result in results.completed) > 1
    history = open_study(store, "s", settings).history
    assert history.accuracies[-1] == {
        result.key: pytest.approx(result.values[0]) for result in results.completed
    }


@pytest.mark.parametrize("sampler", ["ms-ehvi", "random"])
@pytest.mark.parametrize("budgets", [(256,), (128, 256, 512)])
def test_killed_anywhere_it_continues_as_if_it_never_was(
    tmp_path: Path, tiny_settings: Settings, sampler: str, budgets: tuple[int, ...]
) -> None:
    settings = replace(tiny_settings, sampler=sampler, repeats=0.4, budgets=budgets)
    whole = open_store(f"sqlite:///{tmp_path / 'whole.db'}", create=True)
    bring(whole, settings, 40)
    broken = open_store(f"sqlite:///{tmp_path / 'broken.db'}", create=True)
    for allowed in (3, 17, 4, 1, 2, 1, 1, 3):
        left = [allowed]

        def until_power_fails(request: Request, left: list[int] = left) -> Evaluation:
            if not left[0]:
                raise Power
            left[0] -= 1
            return noisy(request)

        with pytest.raises(Power):
            bring(broken, settings, 40, until_power_fails)
    bring(broken, settings, 40)
    one, other = trials_of(whole), trials_of(broken)
    assert sum("repeat" in trial.user_attrs for trial in one) > 3
    assert any("stopped" in trial.user_attrs for trial in one) == (len(budgets) > 1)
    for a, b in zip(one, other, strict=True):
        assert (a.state, a.values, a.params, a.user_attrs) == (
            b.state,
            b.values,
            b.params,
            b.user_attrs,
        )


def test_a_repeat_that_was_asked_for_as_the_power_failed_is_not_asked_for_twice(
    store: Store, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(tiny_settings, repeats=0.4)
    enqueue = optuna.Study.enqueue_trial

    def then_dark(*args: object, **kwargs: object) -> None:
        enqueue(*args, **kwargs)  # type: ignore[arg-type]
        raise Power

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "enqueue_trial", then_dark)
        with pytest.raises(Power):
            bring(store, settings, 60)
    before = trials_of(store)
    assert [trial.state.name for trial in before].count("WAITING") == 1
    assert not _complete(store, "s", Until(len(before)))  # the last one is still to be had
    bring(store, settings, 60)
    after = trials_of(store)
    assert len(after) == 60
    assert after[len(before) - 1].user_attrs["repeat"] == 1
    assert all(trial.state.is_finished() for trial in after)


def test_a_start_from_the_catalog_can_be_repeated(
    store: Store, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is in doubt: here it is the start, whose trial has no params."""
    name = "inception-28"
    settings = replace(tiny_settings, start_from=(name,), resolution=28, repeats=0.9)
    monkeypatch.setattr(loop, "next_repeat", lambda results, trained: results.distinct()[0])
    monkeypatch.setattr("nas.rungs.repeats.LEAST", 0)
    bring(store, settings, 6)
    trials = trials_of(store)
    again = [trial for trial in trials if trial.user_attrs.get("catalog") == name]
    assert [trial.user_attrs.get("repeat", 0) for trial in again] == list(range(len(again)))
    assert len(again) > 2
    for trial in again[1:]:
        assert not trial.params
        assert trial.values[1:] == again[0].values[1:]
        assert trial.values[0] != again[0].values[0]


def test_studies_from_before_there_were_repeats_have_none(
    store: Store, tiny_settings: Settings
) -> None:
    stored = tiny_settings.to_json()
    del stored["repeats"]
    assert Settings.from_json(stored).repeats == 0.0
    name = "old"
    store.add_study(name, stored, axes_of(tiny_settings), {})
    begun = read_study(store, name)
    assert begun is not None
    assert begun.continued(tiny_settings).repeats == 0.0  # from Python, where it is the default
    assert begun.continued(replace(tiny_settings, repeats=0.5)).repeats == 0.5
    bring(store, replace(tiny_settings, repeats=0.0), 40)
    assert load_results(store, "s").repeats == 0
    assert axes_of(tiny_settings)[0].least_error
