"""The replayed problem that searchers are compared on, and the trace of what each has found."""

import heapq
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from nas.axes import axes_of
from nas.objectives import known_of
from nas.settings import Recipe, Settings
from nas.short_run.replay import open_replay
from nas.study.measure import with_largest
from nas.tables import table_path
from search_space.architecture import Candidate
from search_space.dimensions import DIMENSIONS, DIVIDED, WIDTHS
from studies.pareto import Floats, front_mask, hypervolume, losses, reference_point

WORKERS = 2
STALE = 1_000
"""Proposals in a row without anything new after which a searcher has ended."""

TABLE = table_path("fashion-mnist")


def default_recipe(recipe: Mapping[str, Any]) -> bool:
    """Whether a table's recipe is the default one, at whatever precision."""
    return Recipe(**recipe) == Recipe(precision=recipe["precision"])


class Problem:
    """Accuracy, params and flops over the default space at 28x28, replayed from a table.

    ``settings`` are a study's of it; ``questions`` its choices by name, every stage's apart.
    """

    def __init__(self, budgets: tuple[int, ...], path: Path = TABLE) -> None:
        asked = Settings(budgets=budgets)
        self.replay, settings = open_replay(path, asked, "auto")
        self.settings = with_largest(settings)
        self.axes = axes_of(self.settings)
        self.reference = reference_point(self.axes)
        stages = max(int(count) for count in self.settings.space.choices("body.stages"))
        self.questions: dict[str, tuple[Any, ...]] = {}
        for name in DIMENSIONS:
            part, _, rest = name.partition(".")
            for own in (
                [f"stage{n + 1}.{rest}" for n in range(stages)] if part == "stage" else [name]
            ):
                choices = self.settings.space.choices(own)
                unused = WIDTHS if self.settings.space.divided else DIVIDED
                asked_for = part != "stage" or rest not in unused
                if len(choices) > 1 and own != "stage1.reduction" and asked_for:
                    self.questions[own] = choices

    def candidate(self, answers: Mapping[str, Any]) -> Candidate:
        """The candidate of those answers to ``questions``; what doesn't apply is ignored."""
        return self.settings.space.sample(lambda name, _: answers[name], self.settings.resolution)

    def known(self, candidate: Candidate) -> dict[str, float]:
        """Its exact params and flops."""
        known = known_of(self.settings.cost(candidate))
        return {"params": known["params"], "flops": known["flops"]}

    def evaluate(self, candidate: Candidate, seed: int, rung: int = -1) -> tuple[float, float]:
        """Accuracy (0..1, with noise) and seconds of one evaluation at a rung."""
        settings = replace(self.settings, seed=seed)
        request = settings.request(candidate, rung=rung)
        found = self.replay(request)
        assert found.accuracy is not None
        return found.accuracy, found.seconds

    def losses(self, candidate: Candidate, accuracy: float) -> Floats:
        """Losses [3] as a study has them."""
        row: Floats = losses([[accuracy, *self.known(candidate).values()]], self.axes)[0]
        return row


class Trace:
    """What a search would hand over at every moment, judged by what it is truly worth.

    ``points`` has (core-seconds, hypervolume, evaluations at the last rung) whenever that changed.
    The front is chosen by measured accuracies; its hypervolume is that of the noiseless ones.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.points: list[tuple[float, float, int]] = []
        self._measured: dict[str, Any] = {}
        self._true: dict[str, Any] = {}
        self._front: set[str] = set()
        self.count = 0

    def add(self, core_seconds: float, candidate: Candidate, accuracy: float) -> None:
        """An evaluation at the last rung has ended."""
        self.count += 1
        key = candidate.key
        if key in self._measured:
            return
        problem = self.problem
        self._measured[key] = problem.losses(candidate, accuracy)
        truth = problem.replay.truth(candidate, problem.settings.budgets[-1])
        self._true[key] = problem.losses(candidate, truth)
        keys = [*self._front, key]
        mask = front_mask(np.array([self._measured[k] for k in keys]))
        front = {k for k, kept in zip(keys, mask, strict=True) if kept}
        if front != self._front:
            self._front = front
            true = np.array([self._true[k] for k in sorted(front)])
            self.points.append(
                (round(core_seconds, 1), hypervolume(true, problem.reference), self.count)
            )


class Proposal(NamedTuple):
    """Answers to the problem's questions, the rung to evaluate them at, the searcher's handle."""

    handle: Any
    answers: Mapping[str, Any]
    rung: int = -1


class Searcher(Protocol):
    """A tool that proposes answers and learns what came of them; several proposals may be open."""

    def ask(self) -> Proposal | None:
        """What to evaluate on a worker that is free; None if it is done."""

    def tell(self, handle: Any, losses: np.ndarray[Any, Any]) -> None:
        """The losses [3] of the proposal with that handle."""


def simulate(searcher: Searcher, problem: Problem, seed: int, core_seconds: float) -> Trace:
    """Let a searcher have ``WORKERS`` workers for so many core-seconds, or until it is done.

    What was evaluated before is answered from memory in no time, as a study of this tool has it;
    a searcher ends when it has proposed nothing new ``STALE`` times in a row.
    """
    trace = Trace(problem)
    budgets = problem.settings.budgets
    running: list[tuple[float, int, Proposal, Candidate, float]] = []
    known: set[tuple[str, int]] = set()
    clock, asked, stale = 0.0, 0, 0
    while stale < STALE:
        while len(running) < WORKERS and (proposal := searcher.ask()):
            candidate = problem.candidate(proposal.answers)
            accuracy, seconds = problem.evaluate(candidate, seed, proposal.rung)
            what = candidate.key, budgets[proposal.rung]
            if what in known:
                seconds, stale = 0.0, stale + 1
            else:
                stale = 0
            known.add(what)
            asked += 1
            heapq.heappush(running, (clock + seconds, asked, proposal, candidate, accuracy))
        if not running:
            return trace
        clock, _, proposal, candidate, accuracy = heapq.heappop(running)
        if clock * WORKERS > core_seconds:
            return trace
        searcher.tell(proposal.handle, problem.losses(candidate, accuracy))
        if budgets[proposal.rung] == budgets[-1]:
            trace.add(clock * WORKERS, candidate, accuracy)
    return trace
