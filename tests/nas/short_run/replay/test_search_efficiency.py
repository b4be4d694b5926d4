"""The comparison of searchers: what a search is charged for, and what its trace says."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import search_efficiency
from problem import STALE, WORKERS, Problem, Proposal, simulate

from studies.pareto import hypervolume

BUDGETS = (5_000, 20_000)
CORE_SECONDS = 1_500.0


class Chance:
    """Proposes at random, out of ``count`` different answers if that is given."""

    def __init__(self, problem: Problem, seed: int, count: int | None = None) -> None:
        self._chance = random.Random(seed)
        self._questions = problem.questions
        self._different = [self._draw() for _ in range(count or 0)]
        self.losses: list[Any] = []
        self.asked = 0

    def _draw(self) -> dict[str, Any]:
        return {name: self._chance.choice(found) for name, found in self._questions.items()}

    def ask(self) -> Proposal | None:
        self.asked += 1
        answers = self._chance.choice(self._different) if self._different else self._draw()
        return Proposal(self.asked, answers)

    def tell(self, handle: Any, losses: Any) -> None:
        self.losses.append(losses)


@pytest.fixture(scope="module")
def problem(path: Path) -> Problem:
    return Problem(BUDGETS, path)


def test_a_search_is_charged_for_what_both_workers_did(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = []
    evaluate = problem.evaluate

    def watched(*what: Any) -> tuple[float, float]:
        accuracy, seconds = evaluate(*what)
        spent.append(seconds)
        return accuracy, seconds

    monkeypatch.setattr(problem, "evaluate", watched)
    chance = Chance(problem, 1)
    trace = simulate(chance, problem, 1, CORE_SECONDS)
    assert trace.count == len(chance.losses) == len(spent) - WORKERS
    assert abs(sum(spent) - CORE_SECONDS) <= WORKERS * max(spent)
    assert all(0 < point[0] <= CORE_SECONDS for point in trace.points)


def test_what_was_evaluated_before_costs_nothing(problem: Problem) -> None:
    chance = Chance(problem, 1, count=3)
    trace = simulate(chance, problem, 1, 1e9)
    assert STALE <= chance.asked <= STALE + 200
    keys = {problem.candidate(answers).key for answers in chance._different}
    longest = max(problem.evaluate(problem.candidate(a), 1)[1] for a in chance._different)
    assert trace.points[-1][0] <= WORKERS * len(keys) * longest


def test_hypervolume_is_that_of_true_accuracies(problem: Problem) -> None:
    chance = Chance(problem, 2)
    trace = simulate(chance, problem, 2, CORE_SECONDS)
    measured = {losses.tobytes() for losses in chance.losses}
    assert len(measured) > 3
    front = [trace._true[key] for key in sorted(trace._front)]
    assert trace.points[-1][1] == hypervolume(front, problem.reference)


@pytest.mark.parametrize("method", ["ms-ehvi", "tpe", "Optuna's NSGAIISampler"])
def test_a_study_of_ours_is_stopped_when_its_seconds_are_spent(
    problem: Problem, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_efficiency, "FULL_TRIALS", 5)
    changes = search_efficiency.OURS[method]
    trace = search_efficiency.ours(problem, 3, 300.0, **changes)
    assert trace.count >= 3
    moments = [point[0] for point in trace.points]
    assert moments == sorted(moments)
    again = search_efficiency.ours(problem, 3, 300.0, **changes)
    assert again.points == trace.points


def points(*rows: tuple[float, float]) -> list[list[float]]:
    return [[spent, volume, n] for n, (spent, volume) in enumerate(rows, 1)]


def test_the_moment_from_which_the_median_stays_at_a_goal() -> None:
    traces = [points((1, 5), (4, 9)), points((2, 6), (3, 8)), points((1, 1), (9, 7))]
    assert search_efficiency.at(traces[0], 3.9) == 5
    assert search_efficiency.at(traces[0], 0.5) == 0
    assert search_efficiency.staying_at(traces, 5) == 2
    assert search_efficiency.staying_at(traces, 7) == 4
    assert search_efficiency.staying_at(traces, 8) == 4
    assert search_efficiency.staying_at(traces, 9) is None
    falls = [points((1, 5), (2, 4), (3, 6))]
    assert search_efficiency.staying_at(falls, 5) == 3


def test_a_result_that_was_cut_off_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.jsonl"
    monkeypatch.setattr(search_efficiency, "RESULTS", path)
    assert search_efficiency.read() == []
    path.write_text('{"method": "a"}\n{"method": "b", "po')
    assert search_efficiency.read() == [{"method": "a"}]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    import optuna

    before = optuna.logging.get_verbosity()
    yield
    optuna.logging.set_verbosity(before)
