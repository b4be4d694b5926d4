"""What is known before training, in a search: the catalog's first trials, latency, limits."""

import math
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from nas.objectives import OBJECTIVES, known_of
from nas.sampling.samplers import SAMPLERS
from nas.settings import LIMITS, Request, Settings
from nas.short_run import latency
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.until import Until
from nas.workers.protocol import InDriver
from search_space.architecture import Candidate
from search_space.catalog import candidate
from search_space.cost import cost
from search_space.device.arena import arena
from search_space.device.cores import CORES
from search_space.device.flash import flash
from search_space.device.needs import CODE_BYTES
from search_space.device.operations import operations
from search_space.device.work import cycles
from search_space.expand import expand
from studies.evaluation import Evaluation
from studies.results import Results
from studies.schema import STUDIES
from studies.store import Store, StoreError, open_store

UNLIMITED = "optuna.samplers.RandomSampler"
"""A sampler that knows of no limits, and proposes what is over one."""

# Optuna's own samplers say so of themselves; it is not about how we call them
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

STARTS = ("inception-28", "googlenet-28")


def pretend(request: Request) -> Evaluation:
    value = int(request.candidate.key, 16) % 1000 / 1000
    return Evaluation(value, 1.0, ((128, 1.5, 0.5),), 0.1, 1e4, "host", {"torch": "0"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True)


def bring(store: Store, settings: Settings, trials: int, name: str = "s") -> Results:
    study = open_study(store, name, settings)
    return search(study, Until(trials), InDriver(pretend), lambda _: None)


def trials_of(store: Store, name: str = "s") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=name, storage=store.storage()).get_trials()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_catalogs_candidates_are_the_first_trials(
    store: Store, tiny_settings: Settings, sampler: str
) -> None:
    settings = replace(tiny_settings, sampler=sampler, start_from=STARTS)
    bring(store, settings, 25)
    trials = trials_of(store)
    for trial, name in zip(trials, STARTS, strict=False):
        one = candidate(name)
        assert trial.user_attrs["catalog"] == name
        assert trial.user_attrs["key"] == one.key
        assert trial.params == {}
        total = cost(one.architecture, settings.resolution)
        assert trial.values[1:] == [total.params, total.flops]
    # Samplers that learn from what all trials share still learn: the others have parameters, and
    # a relative sampler proposes all of them together.
    assert all(trial.params for trial in trials[2:])


@pytest.mark.parametrize("sampler", [name for name, one in SAMPLERS.items() if not one.pure])
def test_optunas_samplers_learn_nothing_from_them(
    store: Store, tiny_settings: Settings, sampler: str
) -> None:
    """The same proposals as in a study in which the first trials failed without parameters."""
    settings = replace(tiny_settings, sampler=sampler, start_from=STARTS[:1])
    bring(store, settings, 23)
    other = replace(settings, start_from=STARTS[1:])
    bring(store, other, 23, "t")
    first, second = trials_of(store), trials_of(store, "t")
    assert [t.params for t in first[1:]] == [t.params for t in second[1:]]


def test_a_study_keeps_what_it_started_from(store: Store, tiny_settings: Settings) -> None:
    bring(store, replace(tiny_settings, start_from=STARTS), 3)
    with pytest.raises(StoreError, match="start_from: the study has"):
        open_study(store, "s", tiny_settings)


def test_a_study_of_an_earlier_version_continues(store: Store, tiny_settings: Settings) -> None:
    bring(store, tiny_settings, 2)
    stored = tiny_settings.to_json()
    for name in ("max_activation_bytes", "max_latency", "start_from", "warm_start"):
        del stored[name]
    with store.transaction() as connection:
        connection.execute(sa.update(STUDIES).values(settings=stored))
    assert len(bring(store, tiny_settings, 4).completed) == 4


def test_only_candidates_can_be_started_from(tiny_settings: Settings) -> None:
    with pytest.raises(ValueError, match="'vgg11' is a layer graph only"):
        replace(tiny_settings, start_from=("vgg11",))
    with pytest.raises(ValueError, match="'vgg' is not in the catalog"):
        replace(tiny_settings, start_from=("vgg",))


def test_activation_bytes_are_exact_and_prune(store: Store, tiny_settings: Settings) -> None:
    objectives = ("accuracy", "activation_bytes")
    settings = replace(tiny_settings, objectives=objectives, max_activation_bytes=3000)
    settings = replace(settings, sampler=UNLIMITED)
    bring(store, settings, 16)
    states = set()
    for trial in trials_of(store):
        states.add(trial.state)
        held = trial.user_attrs["activation_bytes"]
        assert (trial.state == TrialState.PRUNED) == (held > 3000)
        assert trial.constraints["activation_bytes"] == held / 3000 - 1
        if trial.values:
            assert trial.values[1] == held
    assert states == {TrialState.COMPLETE, TrialState.PRUNED}


def test_latency_is_measured_once_for_equal_candidates_and_kept(
    store: Store, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def measure(graph: object, shape: object, batch: int = 1) -> latency.Latency:
        measured.append(shape)
        return latency.Latency(len(measured) / 1000, 0.0, 1.0, 9, batch, "cpu")

    monkeypatch.setattr(latency, "measure_latency", measure)
    objectives = ("accuracy", "latency")
    settings = replace(tiny_settings, objectives=objectives, max_latency=0.004)
    settings = replace(settings, start_from=("inception-28",) * 3)
    bring(store, settings, 12)
    before = len(measured)
    trials = trials_of(store)
    by_key = {trial.user_attrs["key"]: trial.user_attrs["latency"] for trial in trials}
    assert len(by_key) == before == 10
    for trial in trials:
        assert trial.user_attrs["latency"] == by_key[trial.user_attrs["key"]]
        assert (trial.state == TrialState.PRUNED) == (trial.user_attrs["latency"] > 0.004)
        assert trial.values is None or trial.values[1] == trial.user_attrs["latency"]
    assert measured[0] == (1, 8, 8)
    bring(store, settings, 20)
    new = {t.user_attrs["key"] for t in trials_of(store)} - by_key.keys()
    assert len(measured) == before + len(new), "a study continued measures nothing again"


def test_what_is_too_large_anyway_is_not_timed(
    store: Store, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "measure_latency", None)
    settings = replace(tiny_settings, objectives=("latency",), max_params=1, sampler=UNLIMITED)
    bring(store, settings, 3)
    assert {trial.state for trial in trials_of(store)} == {TrialState.PRUNED}


def test_a_larger_network_takes_longer() -> None:
    small, large = (
        latency.measure_latency(expand(candidate("googlenet").architecture), (1, side, side))
        for side in (8, 112)
    )
    assert small.median < large.median
    assert small.low <= small.median <= small.high
    assert small.runs >= latency.RUNS[0]


def test_every_limit_has_an_objective_and_a_reference_that_the_catalog_meets() -> None:
    total = cost(candidate("inception-28").architecture, device=CORES["cortex-m4"])
    known = known_of(total) | {"latency": 0.002}
    for name in LIMITS:
        objective = OBJECTIVES[name]
        assert objective.known
        assert 0 < objective.value(known, None) < objective.axis.reference
        assert math.isfinite(objective.axis.reference)


@pytest.mark.parametrize("sampler", ["random", "tpe", "ms-ehvi"])
def test_bytes_on_a_device_are_exact_and_nothing_above_a_limit_is_proposed(
    store: Store, tiny_settings: Settings, sampler: str
) -> None:
    settings = replace(
        tiny_settings,
        sampler=sampler,
        objectives=("accuracy", "flash_bytes"),
        max_flash_bytes=6_500,
        max_arena_bytes=450,
        device="cortex-m4",
        max_cycles=400_000,
    )
    bring(store, settings, 8)
    for trial in trials_of(store):
        assert trial.state == TrialState.COMPLETE
        kept = trial.user_attrs
        architecture = Candidate.from_json(store.candidate(kept["key"])).architecture
        graph = expand(architecture, 1, 10)
        plan = operations(graph, (1, 8, 8))
        assert kept["flash_bytes"] == flash(plan, CODE_BYTES).total <= 6_500
        assert kept["arena_bytes"] == arena(plan).bytes <= 450
        assert kept["cycles"] == cycles(plan, CORES["cortex-m4"]) <= 400_000
        assert trial.values[1] == kept["flash_bytes"]
