"""Studies that replay a table of evaluations, on a clock that is simulated."""

import json
import math
import random
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from nas.datasets.found import Reading
from nas.sampling.features import features
from nas.seeds import derive
from nas.settings import Recipe, Request, Settings
from nas.short_run.replay import LEAST_CANDIDATES, Model, Replay, open_replay
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.until import Until
from nas.workers.simulated import Simulated
from search_space.architecture import Candidate
from search_space.cost import cost
from studies.evaluation import Evaluation
from studies.store import open_store
from studies.table import Outcome, TableError

BUDGETS = (5_000, 20_000)
NOISE = 0.04
SETTINGS = Settings(sampler="random", budgets=BUDGETS, promotion="none")
BF16 = Recipe(precision="bf16")


def request(candidate: Candidate, budget: int, seed: int = 0) -> Request:
    return Request(candidate, BF16, Reading("fashion-mnist", "", 28, 1), budget, seed, "d")


def accuracy(found: Evaluation) -> float:
    assert found.accuracy is not None
    return found.accuracy


def test_the_model_predicts_what_it_has_not_seen(
    replay: Replay,
    candidates: Any,
    true_error: Any,
) -> None:
    fresh = list(candidates(100, seed=9))
    for budget in BUDGETS:
        assert replay.quality[budget].candidates == 60
        assert replay.quality[budget].tau > 0.5
        assert replay.quality[budget].r2 > 0.5
        answers = [replay.truth(one, budget) for one in fresh]
        truth = [1 - true_error(one, budget) for one in fresh]
        assert kendalltau(answers, truth)[0] > 0.5


def test_a_candidate_of_the_table_has_what_was_measured(
    replay: Replay,
    candidates: Any,
    true_error: Any,
) -> None:
    for one in candidates(10):
        measured = [
            math.log(true_error(one, 5_000))
            + np.random.default_rng(derive(one.key, 5_000, seed)).normal(0, NOISE)
            for seed in (1, 2)
        ]
        assert math.log(1 - replay.truth(one, 5_000)) == pytest.approx(statistics.mean(measured))


def test_noise_is_as_measured_and_of_the_seed_alone(
    replay: Replay,
    candidates: Any,
) -> None:
    assert replay.quality[5_000].noise == pytest.approx(NOISE, rel=0.3)
    one = next(candidates(1, seed=9))
    errors = [math.log(1 - accuracy(replay(request(one, 5_000, seed)))) for seed in range(300)]
    assert statistics.stdev(errors) == pytest.approx(replay.quality[5_000].noise, rel=0.15)
    expected = math.log(1 - replay.truth(one, 5_000))
    assert statistics.mean(errors) == pytest.approx(expected, abs=0.01)
    assert replay(request(one, 5_000, 7)) == replay(request(one, 5_000, 7))


@pytest.fixture
def lucky(path: Path, recorded: Any) -> tuple[Replay, Any]:
    """A replay of a table whose accuracies have luck that nothing foretells, and the table."""
    table = recorded(200, seeds=(1,))
    shifts = {key: random.Random(key).gauss(0, 0.3) for key in table.candidates}
    table.outcomes = {
        run: found._replace(
            accuracy=1 - (1 - (found.accuracy or 0)) * min(1.8, math.exp(shifts[run.key]))
        )
        for run, found in table.outcomes.items()
    }
    shifted = path.with_name("shifted.jsonl")
    table.write(shifted)
    return open_replay(shifted, SETTINGS, "auto")[0], table


def test_candidates_that_are_alike_share_their_deviation(
    lucky: tuple[Replay, Any], candidates: Any, true_error: Any
) -> None:
    replay, _ = lucky

    def deviation(one: Candidate, budget: int) -> float:
        return math.log((1 - replay.truth(one, budget)) / true_error(one, budget))

    def smoothed(one: Candidate) -> Candidate:
        return replace(one, label_smoothing=0.1 if one.label_smoothing != 0.1 else 0.2)

    drawn = list(candidates(150, seed=9))
    found = np.array([[deviation(one, budget) for budget in BUDGETS] for one in drawn])
    alike = np.array([deviation(smoothed(one), BUDGETS[1]) for one in drawn])
    assert 0.05 < found[:, 1].std() < 0.3  # there is something to be wrong about
    assert np.abs(alike - found[:, 1]).mean() < 0.4 * found[:, 1].std()
    assert np.corrcoef(found.T)[0, 1] > 0.7  # what the model can't see is the same at both


def test_nothing_is_better_than_the_best_of_the_table_at_like_cost(
    lucky: tuple[Replay, Any], candidates: Any
) -> None:
    """Whoever draws most tickets wins nothing that was never seen."""
    replay, table = lucky
    budget = BUDGETS[-1]
    seen = []
    for run, outcome in table.outcomes.items():
        if run.budget == budget:
            total = cost(Candidate.from_json(table.candidates[run.key]).architecture)
            seen.append((total.params, total.flops, outcome.accuracy))
    params, flops, accuracy = np.array(seen).T
    for one in candidates(1000, seed=3):
        total = cost(one.architecture)
        like = (params <= 1.26 * total.params) & (flops <= 1.51 * total.flops)
        if like.any():
            assert replay.truth(one, budget) <= accuracy[like].max() + 1e-9


def test_what_the_model_is_not_sure_of_is_never_paid_out(
    lucky: tuple[Replay, Any], candidates: Any
) -> None:
    """Whoever picks the best of many has no better ones than the table makes expect."""
    replay, table = lucky
    budget = BUDGETS[-1]
    errors = {
        run.key: math.log(1 - (found.accuracy or 0))
        for run, found in table.outcomes.items()
        if run.budget == budget
    }
    keys = sorted(errors)
    known = [Candidate.from_json(table.candidates[key]) for key in keys]
    labels = np.array([errors[key] for key in keys])
    expected = Model().fit(features(known, SETTINGS.image, 10), labels)
    drawn = list(candidates(300, seed=3))
    less = [
        math.log(1 - replay.truth(one, budget)) - error
        for one, error in zip(
            drawn, expected.predict(features(drawn, SETTINGS.image, 10)), strict=True
        )
    ]
    assert min(less) > -1e-9
    assert 0.2 < np.mean(np.array(less) > 0.01) < 0.8  # but there is something to be wrong about


def test_the_tables_own_candidates_have_what_was_measured(lucky: tuple[Replay, Any]) -> None:
    replay, table = lucky
    for run, outcome in list(table.outcomes.items())[:40]:
        one = Candidate.from_json(table.candidates[run.key])
        assert replay.truth(one, run.budget) == pytest.approx(outcome.accuracy)


def test_answers_are_of_the_table_whatever_budgets_are_asked_for(
    path: Path,
    candidates: Any,
) -> None:
    both = open_replay(path, SETTINGS, "auto")[0]
    last = open_replay(path, replace(SETTINGS, budgets=(20_000,)), "auto")[0]
    for one in candidates(20, seed=9):
        assert both(request(one, 20_000, 4)) == last(request(one, 20_000, 4))


def test_a_budget_with_few_candidates_follows_the_one_before(
    recorded: Any, candidates: Any, true_error: Any, tmp_path: Path
) -> None:
    table = recorded(100)
    wanted = list(candidates(100))
    for one in wanted[:35]:
        for run in [run for run in table.outcomes if run.key == one.key and run.budget == 20_000]:
            known = table.outcomes[run]
            error = (1 - (known.accuracy or 0.0)) * 4**-0.3
            table.outcomes[run._replace(budget=80_000)] = Outcome(1 - error, known.loss, None)
    table.write(tmp_path / "table.jsonl")
    asked = replace(SETTINGS, budgets=(20_000, 80_000))
    replay, _ = open_replay(tmp_path / "table.jsonl", asked, "bf16")
    assert replay.quality[80_000].candidates == 35
    for one in wanted[35:]:  # measured at 20,000 images alone, which say what follows
        error = 1 - replay.truth(one, 80_000)
        assert error == pytest.approx((1 - replay.truth(one, 20_000)) * 4**-0.3, rel=0.02)
        timed = replay.seconds(one, 80_000) / replay.seconds(one, 20_000)
        assert timed == pytest.approx(4, rel=0.1)
    fresh = list(candidates(60, seed=9))
    answers = [replay.truth(one, 80_000) for one in fresh]
    assert kendalltau(answers, [1 - true_error(one, 80_000) for one in fresh])[0] > 0.5
    # Seeds make a difference there too, as large as at the budget before.
    errors = [math.log(1 - accuracy(replay(request(fresh[0], 80_000, s)))) for s in range(200)]
    assert statistics.stdev(errors) == pytest.approx(NOISE, rel=0.4)


def test_seconds_follow_the_cost(
    replay: Replay,
    candidates: Any,
) -> None:
    for one in candidates(30, seed=9):
        expected = 5_000 * cost(one.architecture).flops ** 0.5 / 2e6
        assert replay.seconds(one, 5_000) == pytest.approx(expected, rel=0.25)
        assert replay(request(one, 5_000)).seconds == replay.seconds(one, 5_000)


def test_simulated_workers_end_in_the_order_of_their_clock(
    candidates: Any,
) -> None:
    seconds = {1: 5.0, 2: 1.0, 3: 2.0}

    def evaluate(asked: Request) -> Evaluation:
        if asked.seed == 4:
            raise RuntimeError("broken")
        return Evaluation(0.5, None, (), seconds[asked.seed], 1.0, "h", {})

    one = next(candidates(1))
    workers = Simulated(2, evaluate)
    ended = []
    workers.submit(request(one, 128, 1))
    workers.submit(request(one, 128, 2))
    for following in (3, 4, None):
        asked, *_ = workers.next(0)
        ended.append((asked.seed, workers.clock))
        if following:
            workers.submit(request(one, 128, following))
    asked, outcome, _ = workers.next(0)
    ended.append((asked.seed, workers.clock))
    assert ended == [(2, 1.0), (3, 3.0), (4, 3.0), (1, 5.0)]
    assert isinstance(outcome, Evaluation)


def test_two_workers_take_half_the_time_of_one(
    path: Path,
    tmp_path: Path,
) -> None:
    replay, settings = open_replay(path, SETTINGS, "auto")
    clocks = []
    for slots in (1, 2):
        store = open_store(f"sqlite:///{tmp_path}/{slots}.db", create=True)
        study = open_study(store, "s", settings)
        workers = Simulated(slots, replay)
        done = search(study, Until(20), workers, lambda _: None)
        clocks.append(workers.clock)
        spent = sum(trial.user_attrs["seconds"] for trial in study.study.get_trials())
        assert workers.clock * slots == pytest.approx(spent, rel=0.15)
        assert len(done.completed) == 20
    assert clocks[1] < 0.65 * clocks[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": {"batch_size": 64}}, "has no evaluation at resolution 28"),
        ({"recipe": {"colour": "red"}}, "a recipe that this version doesn't know"),
        ({"key": "0123"}, "the table's candidate 0123 has the key"),
        ({"candidate": {"architecture": {}}}, "is none: Architecture has no"),
    ],
)
def test_tables_that_are_not_ours_are_refused(
    tmp_path: Path,
    change: dict[str, Any],
    message: str,
    recorded: Any,
) -> None:
    other = tmp_path / "other.jsonl"
    recorded(35).write(other)
    head, first, *rest = map(json.loads, other.read_text().splitlines())
    if "recipe" in change:
        head["settings"][0] |= change
    else:
        first |= change
    other.write_text("\n".join(json.dumps(line) for line in (head, first, *rest)))
    with pytest.raises(TableError, match=message):
        open_replay(other, SETTINGS, "bf16")


def test_candidates_must_be_the_same_at_all_budgets(
    tmp_path: Path,
    recorded: Any,
) -> None:
    table = recorded(70, seeds=(1,))
    kept = {key: BUDGETS[place % 2] for place, key in enumerate(sorted(table.candidates))}
    table.outcomes = {run: o for run, o in table.outcomes.items() if kept[run.key] == run.budget}
    table.write(tmp_path / "apart.jsonl")
    with pytest.raises(
        TableError, match=r"0 candidates that were measured at all of 5,000, 20,000"
    ):
        open_replay(tmp_path / "apart.jsonl", SETTINGS, "auto")


def test_what_one_seed_can_not_tell_is_said(
    tmp_path: Path,
    candidates: Any,
    recorded: Any,
) -> None:
    recorded(40, seeds=(1,)).write(tmp_path / "once.jsonl")
    replay = open_replay(tmp_path / "once.jsonl", SETTINGS, "auto")[0]
    assert replay.quality[5_000].noise is None
    assert "noise unknown" in replay.quality[5_000].words()
    one = next(candidates(1, seed=9))
    assert accuracy(replay(request(one, 5_000, 1))) == accuracy(replay(request(one, 5_000, 2)))


def test_too_few_candidates_are_refused(
    tmp_path: Path,
    recorded: Any,
) -> None:
    few = tmp_path / "few.jsonl"
    recorded(LEAST_CANDIDATES - 1).write(few)
    with pytest.raises(TableError, match=r"has 29 candidates at a budget of 5,000.*30 timed"):
        open_replay(few, SETTINGS, "auto")
    untimed = recorded()
    for run, found in untimed.outcomes.items():
        untimed.outcomes[run] = found._replace(seconds=None)
    untimed.write(few)
    with pytest.raises(TableError, match=r"60 candidates.*0 of them timed"):
        open_replay(few, SETTINGS, "auto")


def test_a_replayed_study_killed_is_the_study_never_killed(
    path: Path,
    tmp_path: Path,
) -> None:
    replay, settings = open_replay(path, Settings(budgets=BUDGETS), "auto")

    class Power(BaseException):
        pass

    def facts(name: str, cuts: tuple[int, ...]) -> list[Any]:
        store = open_store(f"sqlite:///{tmp_path}/{name}.db", create=True)
        for cut in cuts:
            left = iter(range(cut))

            def evaluate(asked: Request, left: Iterator[int] = left) -> Evaluation:
                if next(left, None) is None:
                    raise Power
                return replay(asked)

            study = open_study(store, "s", settings)
            try:
                search(study, Until(16), Simulated(1, evaluate), lambda _: None)
            except Power:
                continue
        return [
            (trial.params, trial.values, trial.user_attrs) for trial in study.study.get_trials()
        ]

    assert facts("cut", (0, 3, 5, 1, 1000)) == facts("whole", (1000,))
