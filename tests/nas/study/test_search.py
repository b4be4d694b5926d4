"""The driver's loop, with training replaced by a function of the candidate's key."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from nas.sampling.samplers import SAMPLERS
from nas.settings import Recipe, Request, Settings
from nas.short_run.evaluation import Evaluate
from nas.study.loop import FailingError, search
from nas.study.opened import open_study
from nas.study.tracker import Progress
from nas.study.until import Until
from nas.workers.protocol import InDriver
from search_space.architecture import Candidate
from search_space.cost import cost
from search_space.space import SearchSpace
from studies.evaluation import Evaluation
from studies.optuna_parts.write_behind import WriteBehindStorage
from studies.results import Results
from studies.store import Store, StoreError, open_store

UNLIMITED = "optuna.samplers.RandomSampler"
"""A sampler that knows of no limits, and proposes what is over one."""

# Optuna's own samplers and GP say so of themselves; it is not about how we call them
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def pretend(request: Request) -> Evaluation:
    """An evaluation as training would give it, a function of the candidate's key alone."""
    value = int(request.candidate.key, 16) % 1000 / 1000
    return Evaluation(value, 1.0, ((128, 1.5, 0.5),), 0.1, 1e4, "host", {"torch": "0"})


class Power(BaseException):
    """Stands for a process that ends in the middle."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True)


def bring(
    store: Store,
    settings: Settings,
    trials: int,
    evaluate: Evaluate = pretend,
    name: str = "s",
    seconds: float | None = None,
    report: Any = lambda progress: None,
    failures: int | None = None,
) -> Results:
    study = open_study(store, name, settings)
    until = Until(trials, seconds, failures)
    return search(study, until, InDriver(evaluate), report)


def trials_of(store: Store, name: str = "s") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=name, storage=store.storage()).get_trials()


def facts(trials: list[optuna.trial.FrozenTrial]) -> list[tuple[Any, ...]]:
    """All of the trials that a study continued must share with one that was never stopped."""
    return [(t.number, t.state, t.values, t.params, t.distributions, t.user_attrs) for t in trials]


def test_every_trial_has_the_values_of_its_candidate(store: Store, tiny_settings: Settings) -> None:
    bring(store, tiny_settings, 12)
    trials = trials_of(store)
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 12
    for trial in trials:
        candidate = Candidate.from_json(store.candidate(trial.user_attrs["key"]))
        sampled = tiny_settings.space.sample(lambda name, _, t=trial: t.params[name], 8)
        total = cost(candidate.architecture, 8)
        expected = pretend(tiny_settings.request(candidate)).accuracy
        assert candidate == sampled
        assert trial.values == [expected, total.params, total.flops]
        assert trial.user_attrs["params"] == total.params
    study = optuna.load_study(study_name="s", storage=store.storage())
    assert study.metric_names == list(tiny_settings.objectives)
    assert [direction.name for direction in study.directions] == ["MAXIMIZE"] + ["MINIMIZE"] * 2


def test_nothing_is_trained_twice(store: Store, tiny_settings: Settings) -> None:
    trained: list[Request] = []

    def evaluate(request: Request) -> Evaluation:
        trained.append(request)
        return pretend(request)

    narrow = tiny_settings.space.given | {
        f"stage.{name}": (1,) for name in ("share_1x1", "share_3x3", "share_5x5", "share_pool")
    }
    narrow |= {"stage.residual": ("none",), "stage.factorization": ("none",)}
    narrow |= {"head.dropout": (0.0,), "head.label_smoothing": (0.0,), "stage.reduce": (0.5,)}
    few = replace(tiny_settings, space=SearchSpace(narrow))
    bring(store, few, 30, evaluate)
    keys = [request.candidate.key for request in trained]
    assert len(keys) == len(set(keys)) < 25
    assert all(t.state == TrialState.COMPLETE for t in trials_of(store))
    bring(store, replace(few, sampler="tpe"), 10, evaluate, name="another study")
    assert len(trained) == len({request.candidate.key for request in trained})
    bring(store, replace(few, seed=1), 3, evaluate, name="another seed")
    assert len(trained) > len({request.candidate.key for request in trained})


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_stopped_anywhere_continues_as_if_it_never_was(
    tmp_path: Path, tiny_settings: Settings, sampler: str
) -> None:
    settings = replace(tiny_settings, sampler=sampler)
    count = 24 if sampler == "gp" else 30
    whole = open_store(f"sqlite:///{tmp_path / 'whole.db'}", create=True)
    bring(whole, settings, count)
    stopped = open_store(f"sqlite:///{tmp_path / 'stopped.db'}", create=True)
    for runs in (3, 12, 3):
        left = iter(range(runs))

        def evaluate(request: Request, left: Any = left) -> Evaluation:
            if next(left, None) is None:
                raise Power
            return pretend(request)

        with pytest.raises(Power):
            bring(stopped, settings, count, evaluate)
        stopped = open_store(str(stopped.url), create=True)
    bring(stopped, settings, count)
    assert facts(trials_of(stopped)) == facts(trials_of(whole))


@pytest.mark.parametrize("sampler", ["tpe", pytest.param("nsga2", marks=pytest.mark.slow), "nsga3"])
def test_a_study_stopped_in_the_middle_of_a_proposal_continues_likewise(
    tmp_path: Path,
    tiny_settings: Settings,
    sampler: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = replace(tiny_settings, sampler=sampler)
    whole = open_store(f"sqlite:///{tmp_path / 'whole.db'}", create=True)
    bring(whole, settings, 44)
    original = WriteBehindStorage.set_trial_param
    stopped = open_store(f"sqlite:///{tmp_path / 'stopped.db'}", create=True)
    bring(stopped, settings, 19)
    each = len(trials_of(whole)[0].params)
    # within the 20th trial, the 21st, both generations' first, and around the 40th
    for writes in (3, each, each, 16 * each, each, each - 1, 2):
        left = iter(range(writes))

        def set_some(self: Any, *arguments: Any, left: Any = left) -> None:
            if next(left, None) is None:
                raise Power
            original(self, *arguments)

        stopped = open_store(str(stopped.url), create=True)
        monkeypatch.setattr(WriteBehindStorage, "set_trial_param", set_some)
        with pytest.raises(Power):
            bring(stopped, settings, 44)
    monkeypatch.setattr(WriteBehindStorage, "set_trial_param", original)
    bring(stopped, settings, 44)
    assert facts(trials_of(stopped)) == facts(trials_of(whole))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samplers_differ_by_seed_and_work_for_one_objective(
    store: Store, tiny_settings: Settings, sampler: str
) -> None:
    settings = replace(tiny_settings, sampler=sampler, objectives=("accuracy",))
    first = bring(store, settings, 3, name="first")
    second = bring(store, replace(settings, seed=1), 3, name="second")
    assert [r.key for r in first.completed] != [r.key for r in second.completed]


def test_over_a_limit_is_pruned_before_training_through_constraints(
    store: Store, tiny_settings: Settings
) -> None:
    settings = replace(tiny_settings, max_params=1500, max_flops=40_000, sampler=UNLIMITED)

    def evaluate(request: Request) -> Evaluation:
        total = cost(request.candidate.architecture, 8)
        assert total.params <= 1500
        assert total.flops <= 40_000
        return pretend(request)

    bring(store, settings, 40, evaluate)
    states = [t.state for t in trials_of(store)]
    assert set(states) == {TrialState.COMPLETE, TrialState.PRUNED}
    for trial in trials_of(store):
        assert trial.constraints.keys() == {"params", "flops"}
        over = any(value > 0 for value in trial.constraints.values())
        assert over == (trial.state == TrialState.PRUNED)
        assert (trial.constraints["params"] > 0) == (trial.user_attrs["params"] > 1500)


def test_what_is_known_needs_no_training(store: Store, tiny_settings: Settings) -> None:
    def evaluate(request: Request) -> Evaluation:
        raise AssertionError(f"{request} was trained")

    results = bring(store, replace(tiny_settings, objectives=("params", "flops")), 8, evaluate)
    assert [r.values for r in results.completed] == [(r.params, r.flops) for r in results.completed]


def test_a_run_that_diverges_or_breaks_fails_its_trial_with_the_reason(
    store: Store, tiny_settings: Settings
) -> None:
    def evaluate(request: Request) -> Evaluation:
        if int(request.candidate.key, 16) % 2:
            raise MemoryError("no memory")
        return replace(pretend(request), accuracy=None, loss=None, failure="the loss is nan")

    results = bring(store, tiny_settings, 12, evaluate)
    assert results.states == {"fail": 12}
    reasons = {t.user_attrs["failure"].partition(" (")[0] for t in trials_of(store)}
    assert reasons == {"the loss is nan", "MemoryError: no memory"}


def test_a_study_that_keeps_failing_ends_and_continues(
    store: Store, tiny_settings: Settings
) -> None:
    seen: list[Request] = []

    def evaluate(request: Request) -> Evaluation:
        seen.append(request)
        if len(seen) > 3:
            raise MemoryError("no memory")
        return pretend(request)

    with pytest.raises(FailingError, match=r"^3 evaluations in a row failed, .* Mem"):
        bring(store, tiny_settings, 100, evaluate, failures=3)
    ended = [trial.state for trial in trials_of(store)]
    assert ended[-3:] == [TrialState.FAIL] * 3
    assert len(ended) < 100
    assert (
        len(bring(store, tiny_settings, len(ended) + 2).completed)
        == ended.count(TrialState.COMPLETE) + 2
    )


def test_the_total_counts_and_a_finished_study_stays(store: Store, tiny_settings: Settings) -> None:
    bring(store, tiny_settings, 4)
    assert len(bring(store, tiny_settings, 6).completed) == 6
    before = facts(trials_of(store))
    assert len(bring(store, tiny_settings, 5).completed) == 6
    assert facts(trials_of(store)) == before


def test_no_trial_begins_after_the_timeout(store: Store, tiny_settings: Settings) -> None:
    assert bring(store, tiny_settings, 5, seconds=0.0).completed == ()
    assert len(bring(store, tiny_settings, 5, seconds=60.0).completed) == 5


def test_other_settings_are_refused_with_what_differs(
    store: Store, tiny_settings: Settings
) -> None:
    bring(store, tiny_settings, 2)
    before = facts(trials_of(store))
    other = replace(
        tiny_settings,
        seed=5,
        recipe=Recipe(batch_size=32),
        space=SearchSpace(tiny_settings.space.given | {"stage.width": (16,)}),
    )
    with pytest.raises(StoreError) as caught:
        bring(store, other, 3)
    words = str(caught.value)
    assert "seed: the study has 0, this run asks for 5" in words
    assert "recipe.batch_size: the study has 64, this run asks for 32" in words
    assert "space.stage.width: the study has [16, 24], this run asks for [16]" in words
    assert "resolution" not in words
    assert facts(trials_of(store)) == before


def test_other_versions_are_refused(
    store: Store, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(store, tiny_settings, 1)
    monkeypatch.setattr("nas.study.stored.versions", lambda: {"torch": "1.0"})
    with pytest.raises(StoreError, match=r"version of torch: the study has '2.*asks for '1\.0'"):
        bring(store, tiny_settings, 2)


def test_a_study_of_somebody_else_is_refused(store: Store, tiny_settings: Settings) -> None:
    optuna.create_study(study_name="s", storage=str(store.url))
    before = Path(store.url.database or "").read_bytes()
    with pytest.raises(StoreError, match=r"'s' in .* was not made by this tool"):
        bring(store, tiny_settings, 1)
    assert Path(store.url.database or "").read_bytes() == before


def test_progress_counts_what_the_study_has(store: Store, tiny_settings: Settings) -> None:
    seen: list[Progress] = []
    results = bring(store, tiny_settings, 5, report=seen.append)
    assert [progress.ended() for progress in seen] == [0, 1, 2, 3, 4, 5]
    last = seen[-1]
    assert last.front == len(results.front())
    assert last.hypervolume == pytest.approx(results.hypervolume())
    assert last.best == max(r.values[0] for r in results.completed)
    assert last.share() == "5/5 trials, 0:00 left"
    assert last.details().startswith(f"5 done, 0 pruned, 0 failed | front {last.front} | hyperv")
    bring(store, tiny_settings, 7, report=seen.append)
    assert [progress.ended() for progress in seen[6:]] == [5, 6, 7]
    assert seen[6].best == last.best
