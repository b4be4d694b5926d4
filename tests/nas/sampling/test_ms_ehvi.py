"""The sampler that knows its costs: it finds better fronts than chance, and obeys what is known."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from nas.rungs.history import History
from nas.sampling.features import NOTHING, features, log_seconds
from nas.sampling.ms_ehvi import proposals, surrogate
from nas.sampling.ms_ehvi import sampler as ms_ehvi
from nas.sampling.ms_ehvi.sampler import FRESH, MUTATIONS, ROUNDS, STARTUP_TRIALS, MsEhvi
from nas.sampling.ms_ehvi.surrogate import Scale, Surrogate, errors_at_the_end
from nas.settings import Request, Settings
from nas.study.loop import search
from nas.study.opened import open_study, remember
from nas.study.until import Until
from nas.workers.protocol import InDriver
from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.catalog import candidate
from search_space.cost import cost
from search_space.size import size
from search_space.space import SearchSpace
from studies.evaluation import Evaluation
from studies.forecast import LEAST_PAIRS
from studies.pareto import Floats
from studies.results import Results, trial_from
from studies.store import Store, open_store

IMAGE = (1, 28, 28)
SCALE = Scale(np.full(5, 0.5), np.full(5, 0.3))


def landscape(request: Request) -> Evaluation:
    """Accuracy as a smooth function of the architecture, less of it at small budgets."""
    architecture = request.candidate.architecture
    total = cost(architecture, request.images.resolution)
    error = 1.2 * total.params**-0.12 * total.flops**-0.04
    error *= 0.7 if architecture.norm != "none" else 1.0
    error *= 1.0 - 0.1 * (len(architecture.stages) - 1)
    accuracy = 1 - min(0.9, error * (45_000 / request.budget) ** 0.2)
    return Evaluation(accuracy, 1.0, ((128, 1.5, 0.5),), 0.1, 1e4, "host", {"torch": "0"})


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer candidates a proposal, so that whole studies are quick."""
    monkeypatch.setattr(ms_ehvi, "POOL", 60)
    monkeypatch.setattr(ms_ehvi, "FRESH", 5)
    monkeypatch.setattr(ms_ehvi, "MUTATIONS", 10)
    monkeypatch.setattr(ms_ehvi, "ROUNDS", 1)


@pytest.fixture
def store(tmp_path: Path, few: None) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True)


def history_of(settings: Settings, trials: Iterable[FrozenTrial]) -> History:
    """What a study of these trials, all of them ended, would know."""
    history = History(len(settings.budgets))
    for trial in trials:
        remember(history, settings, trial_from(trial), trial.params)
    return history


def bring(store: Store, settings: Settings, trials: int, name: str = "s") -> Results:
    study = open_study(store, name, settings)
    return search(study, Until(trials), InDriver(landscape), lambda _: None)


def trials_of(store: Store, name: str = "s") -> list[FrozenTrial]:
    return optuna.load_study(study_name=name, storage=store.storage()).get_trials()


@pytest.mark.slow
def test_it_finds_more_hypervolume_than_chance(store: Store) -> None:
    settings = Settings(
        sampler="ms-ehvi", budgets=(5_000, 45_000), promotion="none", warm_start=False
    )
    volumes: dict[str, list[float]] = {"ms-ehvi": [], "random": []}
    for seed in (0, 1, 2):
        for name, found in volumes.items():
            one = replace(settings, sampler=name, seed=seed)
            found.append(bring(store, one, 40, f"{name}{seed}").hypervolume())
    pairs = list(zip(*volumes.values(), strict=True))
    assert all(ours > theirs for ours, theirs in pairs), pairs
    assert fmean(volumes["ms-ehvi"]) > 1.05 * fmean(volumes["random"]), pairs


def test_no_candidate_is_proposed_twice_after_the_random_beginning(store: Store) -> None:
    bring(store, Settings(sampler="ms-ehvi", budgets=(5_000, 45_000), repeats=0.0), 40)
    keys = [trial.user_attrs["key"] for trial in trials_of(store)]
    later = keys[STARTUP_TRIALS:]
    assert len(set(later)) == len(later)
    assert not set(later) & set(keys[:STARTUP_TRIALS])


def test_an_exhausted_space_is_answered_at_random(store: Store) -> None:
    given = {name: choices[:1] for name, choices in SearchSpace().items() if name[:5] != "stage"}
    given |= {f"stage.{n}": (1,) for n in ("share_1x1", "share_3x3", "share_5x5", "share_pool")}
    given |= {"stage.reduce": (0.5,), "stage.n": (3,), "stage.scale": (1.0,), "stage.width": (16,)}
    given |= {"stage.residual": ("none",), "stage.factorization": ("none",)}
    space = SearchSpace(given)
    assert size(space).candidates < 30
    settings = Settings(space=space, sampler="ms-ehvi", budgets=(5_000,))
    assert len(bring(store, settings, 40).completed) == 40


def test_limits_are_kept_before_a_trial_is_spent(store: Store) -> None:
    settings = Settings(sampler="ms-ehvi", budgets=(5_000,), max_params=20_000)
    bring(store, settings, 40)
    later = trials_of(store)[STARTUP_TRIALS:]
    assert {trial.state for trial in later} == {TrialState.COMPLETE}
    assert all(trial.user_attrs["params"] <= 20_000 for trial in later)


@pytest.mark.parametrize("objectives", [("params", "flops"), ("accuracy",), ("flops",)])
def test_other_objectives_work(store: Store, objectives: tuple[str, ...]) -> None:
    settings = Settings(sampler="ms-ehvi", budgets=(5_000,), objectives=objectives)
    assert len(bring(store, settings, 20).completed) == 20


def test_latency_is_refused(tiny_settings: Settings) -> None:
    with pytest.raises(ValueError, match=r"ms-ehvi.*latency is an objective.*choose another"):
        MsEhvi(replace(tiny_settings, objectives=("accuracy", "latency")), 0, History(1))


def test_a_proposal_depends_on_the_past_alone(store: Store) -> None:
    """Not on what the sampler was asked before, nor on the order in which trials are told."""
    settings = Settings(sampler="ms-ehvi", budgets=(5_000, 45_000), seed=3)
    bring(store, settings, 25)
    trials = trials_of(store)
    grown = history_of(settings, trials[:20])
    used = MsEhvi(settings, 3, grown)
    used.propose(20)
    for trial in trials[20:]:
        remember(grown, settings, trial_from(trial), trial.params)
    expected = used.propose(25)
    assert expected
    assert MsEhvi(settings, 3, history_of(settings, trials)).propose(25) == expected
    assert MsEhvi(settings, 3, history_of(settings, trials[::-1])).propose(25) == expected
    assert MsEhvi(settings, 4, history_of(settings, trials)).propose(25) != expected


def test_the_surrogate_learns_from_every_rung() -> None:
    rng = np.random.default_rng(0)
    rows = {f"{i:03}": rng.random(5) for i in range(120)}
    history = History(2)
    for key, row in rows.items():
        error = 0.1 + 0.3 * row[0]
        history.add(key, (1.0,), 0, 1 - 1.6 * error)
        if int(key) % 6 == 0:
            history.add(key, (1.0,), 1, 1 - error)
    labels = errors_at_the_end(history)
    assert np.exp(labels["007"].error) == pytest.approx(0.1 + 0.3 * rows["007"][0])
    fresh = rng.random((50, 5))
    mean, std = Surrogate(history, rows, SCALE).predict(fresh)
    assert np.corrcoef(mean, 1 - 0.1 - 0.3 * fresh[:, 0])[0, 1] > 0.95
    assert (std > 0).all()


def test_what_did_not_vary_so_far_makes_no_candidate_unknown() -> None:
    """A feature that is the same of all that are known says nothing, not everything."""
    rng = np.random.default_rng(0)
    rows = {f"{i:03}": np.append(rng.random(5), 0.0) for i in range(60)}
    history = History(1)
    for key, row in rows.items():
        history.add(key, (1.0,), 0, 0.9 - 0.3 * row[0])
    scale = Scale.of(np.vstack([list(rows.values()), [1.0] * 6]))
    fresh = np.column_stack([rng.random((50, 5)), np.ones(50)])
    mean, _ = Surrogate(history, rows, scale).predict(fresh)
    assert np.corrcoef(mean, 0.9 - 0.3 * fresh[:, 0])[0, 1] > 0.9
    assert Scale.of(np.array(list(rows.values()))).spread[5] == 1.0


def test_rungs_are_not_mixed_before_one_foretells_the_other() -> None:
    history = History(2)
    for place in range(LEAST_PAIRS + 3):
        history.add(f"{place:02}", (1.0,), 0, 0.3 + 0.02 * place)
    assert {label.rung for label in errors_at_the_end(history).values()} == {0}
    for place in range(LEAST_PAIRS):
        labels = errors_at_the_end(history)
        if place >= 2:
            assert labels.keys() == {f"{known:02}" for known in range(place)}
            assert {label.rung for label in labels.values()} == {1}
        history.add(f"{place:02}", (1.0,), 1, 0.8 + 0.01 * place)
    labels = errors_at_the_end(history)
    assert len(labels) == LEAST_PAIRS + 3
    assert labels["00"].variance == 0 < labels["08"].variance


def test_per_second_it_proposes_what_trains_faster(store: Store) -> None:
    """And from the same past something else than without."""
    settings = Settings(sampler="ms-ehvi", budgets=(5_000,), promotion="none", seed=1)
    bring(store, settings, 20)
    history = history_of(settings, trials_of(store))
    seconds = {}
    for per_second in (False, True):
        sampler = MsEhvi(settings, 1, history, per_second=per_second)
        answers = [sampler.propose(number) for number in range(20, 26)]
        space = settings.space
        found = [space.sample(lambda name, _, given=given: given[name]) for given in answers]  # type: ignore[misc]
        seconds[per_second] = [log_seconds(row) for row in features(found, IMAGE, 10)]
    assert seconds[True] != seconds[False]
    assert np.mean(seconds[True]) < np.mean(seconds[False])


def test_more_than_it_learns_from_keeps_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate, "MOST", 30)
    rng = np.random.default_rng(0)
    history = History(1)
    rows = {}
    for place in range(100):
        key = f"{place:03}"
        rows[key] = rng.random(5)
        history.add(key, (float(rows[key][1]),), 0, 0.5 + 0.3 * float(rows[key][0]))
    history.add("zzz", (-5.0,), 0, 0.51)
    rows["zzz"] = np.full(5, 3.0)
    mean, std = Surrogate(history, rows, SCALE).predict(rows["zzz"][None])
    assert mean[0] == pytest.approx(0.51, abs=0.05)
    assert std[0] < 0.05


def test_far_from_what_was_seen_accuracy_is_what_the_cost_has_on_average() -> None:
    rng = np.random.default_rng(0)

    def error_of(row: Floats) -> float:
        return float(np.exp(-1.5 - 1.2 * (row[0] - 0.5) - 0.3 * row[1] - 0.2 * row[2]))

    missed = {}
    for at_cost in (False, True):
        history, rows = History(1, at_cost=at_cost), {}
        for place in range(60):  # all of them small
            key = f"{place:02}"
            rows[key] = rng.random(5) * (0.6, 1, 1, 1, 1)
            error = error_of(rows[key]) * np.exp(0.04 * rng.normal())
            history.add(key, (float(rows[key][0]),), 0, 1 - error)
        fresh = rng.random((40, 5)) * (0.2, 1, 1, 1, 1) + (0.6, 0, 0, 0, 0)
        mean, std = Surrogate(history, rows, SCALE).predict_error(fresh)
        away = np.log(10) * mean - np.log([error_of(row) for row in fresh])
        missed[at_cost] = float(np.sqrt(np.mean(away**2)))
        assert (std > 0).all()
    assert missed[True] < 0.1
    assert missed[True] < 0.6 * missed[False]


def test_networks_that_did_not_learn_spoil_no_prediction_of_those_that_did() -> None:
    rng = np.random.default_rng(0)
    missed = []
    for dead in (0, 3):
        history, rows = History(1, at_cost=True), {}
        for place in range(60):
            key = f"{place:02}"
            rows[key] = rng.random(5)
            error = np.exp(-1.5 - 0.8 * rows[key][0] - 0.2 * rows[key][2])
            history.add(key, (float(rows[key][0]),), 0, 0.1 if place < dead else 1 - float(error))
        fresh = rng.random((200, 5))
        mean, _ = Surrogate(history, rows, SCALE).predict_error(fresh)
        away = np.log(10) * mean - (-1.5 - 0.8 * fresh[:, 0] - 0.2 * fresh[:, 2])
        missed.append(float(np.sqrt(np.mean(away**2))))
    assert missed[1] < 2 * missed[0] + 0.02


def test_features_tell_where_the_flops_are_and_how_narrow_the_way_is() -> None:
    stem = Stem(16, stride=2)
    wide = Architecture(stem, (Stage((Block(32),)), Stage((Block(8),), reduction="max-pool")))
    row = features([Candidate(wide)], IMAGE, 10)[0]
    *_, narrowest, large, middle, small, none, block, branch, grown, bare = row
    assert narrowest == math.log2(8 * 7 * 7)
    assert large == math.log2(NOTHING)
    assert middle == math.log2(NOTHING + 2 * 14 * 14 * (9 * 16 + 16 * 32))
    assert small == math.log2(NOTHING + 2 * 7 * 7 * 32 * 8)
    assert (none, block, branch, grown, bare) == (2, 0, 0, 0, 2)


def test_features_tell_architectures_apart_and_are_finite() -> None:
    names = ("inception-28", "googlenet-28", "googlenet", "googlenet-residual-branch")
    found = features([candidate(name) for name in names], IMAGE, 10)
    assert np.isfinite(found).all()
    assert len({tuple(row) for row in found}) == len(names)


def test_what_a_proposal_looks_at_does_not_grow_with_the_trials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its time does so little that seconds need no test; benchmarks/README.md has them."""
    settings = Settings(sampler="ms-ehvi", budgets=(5_000, 45_000))
    looked_at = [0]

    def counting(candidates: Sequence[Candidate], *rest: Any) -> Floats:
        looked_at[0] += len(candidates)
        return features(candidates, *rest)

    monkeypatch.setattr(proposals, "features", counting)
    for count in (60, 200):
        trials = list(_ended(settings.space, settings, count))
        sampler = MsEhvi(settings, 0, history_of(settings, trials))
        sampler.propose(count)
        looked_at[0] = 0
        assert sampler.propose(count + 1)
        assert 0 < looked_at[0] <= 2 * FRESH + (1 + ROUNDS) * MUTATIONS


def _ended(space: SearchSpace, settings: Settings, count: int) -> Iterable[FrozenTrial]:
    """Trials as a study of random candidates would have them."""
    import random

    for number in range(count):
        chance = random.Random(number)
        answers = {}

        def choose(name: str, options: list[object], answers=answers, chance=chance) -> object:  # type: ignore[no-untyped-def]
            answers[name] = chance.choice(options)
            return answers[name]

        one = space.sample(choose)
        total = cost(one.architecture)
        reached = [landscape(settings.request(one, rung=rung)).accuracy for rung in (0, 1)]
        trial = optuna.trial.create_trial(
            state=TrialState.COMPLETE,
            values=[reached[1], total.params, total.flops],
            user_attrs={
                "key": one.key,
                "params": total.params,
                "flops": total.flops,
                "activation_bytes": total.activation_bytes,
                "rungs": reached,
            },
        )
        trial.number = number
        trial._params = answers
        yield trial
