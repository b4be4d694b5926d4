"""Searchers on the replayed problem: hypervolume against simulated core-seconds on two workers.

``python search_efficiency.py run`` adds what is missing to data/search_efficiency.jsonl (a line a
method and seed, so it can be stopped and started); ``report`` prints the tables and draws the plot.
"""

import argparse
import contextlib
import json
import statistics
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from outside import ABSENT, SEARCHERS
from problem import WORKERS, Problem, Trace, simulate

from nas.evaluation import Evaluation
from nas.objectives import OBJECTIVES
from nas.samplers import seeded
from nas.search import Until, search
from nas.simulated import Simulated

BUDGETS = (5_000, 20_000)
CORE_SECONDS = 6_000.0
RESULTS = Path(__file__).parent / "data" / "search_efficiency.jsonl"

OURS: dict[str, dict[str, Any]] = {
    "ms-ehvi, known-cost": {"sampler": "ms-ehvi", "promotion": "known-cost"},
    "ms-ehvi, asha": {"sampler": "ms-ehvi", "promotion": "asha"},
    "ms-ehvi, none": {"sampler": "ms-ehvi", "promotion": "none"},
    "tpe, known-cost": {"sampler": "tpe", "promotion": "known-cost"},
    "random, known-cost": {"sampler": "random", "promotion": "known-cost"},
    "tpe": {"sampler": "tpe"},
    "nsga2": {"sampler": "nsga2"},
    "nsga3": {"sampler": "nsga3"},
    "gp": {"sampler": "gp"},
    "random": {"sampler": "random"},
}
"""Settings by the method's name; where there is no promotion, every trial is one full run."""


class InMemory:
    """As much of a Store as a search needs, without a database."""

    def __init__(self) -> None:
        self._evaluations: dict[str, Mapping[str, Any]] = {}

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        yield

    def add_candidate(self, *candidate: Any) -> None:
        pass

    def evaluation(self, identity: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return self._evaluations.get(json.dumps(identity, sort_keys=True))

    def add_evaluation(self, identity: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        self._evaluations[json.dumps(identity, sort_keys=True)] = result


class _SpentError(Exception):
    """All core-seconds are spent."""


def ours(problem: Problem, seed: int, core_seconds: float, **changes: Any) -> Trace:
    """A study of this tool on simulated workers."""
    settings = replace(problem.settings, seed=seed, **changes)
    if "promotion" not in changes:
        settings = replace(settings, budgets=settings.budgets[-1:], promotion="none")
    trace = Trace(problem)
    last = settings.budgets[-1]

    class Watched(Simulated):
        """Workers that show the trace every evaluation at the last rung as it ends."""

        def next(self, seconds: float) -> Any:
            request, outcome = super().next(seconds)
            if self.clock * WORKERS > core_seconds:
                raise _SpentError
            if request.budget == last and isinstance(outcome, Evaluation):
                assert outcome.accuracy is not None
                trace.add(self.clock * WORKERS, request.candidate, outcome.accuracy)
            return request, outcome

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    directions = [
        "maximize" if OBJECTIVES[name].axis.maximize else "minimize" for name in settings.objectives
    ]
    study = optuna.create_study(directions=directions, sampler=seeded(settings))
    store: Any = InMemory()
    workers = Watched(WORKERS, problem.replay)
    with contextlib.suppress(_SpentError):
        search(settings, store, study, Until(100_000), workers, "", lambda progress: None)
    return trace


def methods() -> dict[str, Callable[[Problem, int, float], Trace]]:
    """Every method by name; the outside tools where they are installed."""
    found: dict[str, Callable[[Problem, int, float], Trace]] = {
        name: lambda problem, seed, spent, changes=changes: ours(problem, seed, spent, **changes)
        for name, changes in OURS.items()
    }
    if ABSENT:
        print(f"left out, since the extra outside is not installed: {'; '.join(ABSENT)}")
    for name, make in SEARCHERS.items():
        found[name] = lambda problem, seed, spent, make=make: simulate(
            make(problem, seed), problem, seed, spent
        )
    return found


def run(names: list[str], seeds: range) -> None:
    """Add what is missing: seeds outside, so that every method has the same ones."""
    problem = Problem(BUDGETS)
    for budget, quality in problem.replay.quality.items():
        print(f"{budget:,} images: {quality}", flush=True)
    done = {(line["method"], line["seed"]) for line in read() if line["data"] == data(problem)}
    chosen = {name: method for name, method in methods().items() if not names or name in names}
    for seed in seeds:
        for name, method in chosen.items():
            if (name, seed) in done:
                continue
            started = time.perf_counter()
            trace = method(problem, seed, CORE_SECONDS)
            took = time.perf_counter() - started
            line = {
                "method": name,
                "seed": seed,
                "data": data(problem),
                "evaluations": trace.count,
                "seconds": round(took, 1),
                "points": [[spent, round(volume, 4), n] for spent, volume, n in trace.points],
            }
            with RESULTS.open("a") as file:
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
            print(f"{name} {seed}: {trace.points[-1]}, {took:.0f} s", flush=True)


def data(problem: Problem) -> str:
    """What tells apart results on different tables."""
    return problem.settings.data.removeprefix("replay of ")


def read() -> list[dict[str, Any]]:
    """The results so far."""
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text().splitlines()]


def at(points: list[list[float]], spent: float) -> float:
    """Hypervolume once so many core-seconds were spent; 0 before the first point."""
    place = bisect_right([point[0] for point in points], spent)
    return points[place - 1][1] if place else 0.0


def report(page: Path | None) -> None:
    """Regret against the best that any run has found, and the factors, of the newest table."""
    lines = read()
    newest = lines[-1]["data"]
    traces: dict[str, dict[int, list[list[float]]]] = {}
    for line in lines:
        if line["data"] == newest:
            traces.setdefault(line["method"], {})[line["seed"]] = line["points"]
    best = max(points[-1][1] for found in traces.values() for points in found.values())
    shares = (0.1, 0.25, 0.5, 1.0)
    heads = " | ".join(f"at {share * CORE_SECONDS:,.0f}" for share in shares)
    print(f"| method | seeds | {heads} | core-seconds of the default to its end | factor |")
    print(f"|{' --- |' * (len(shares) + 4)}")
    default = next(iter(OURS))
    for name, found in traces.items():
        cells = [quartiles([best - at(p, share * CORE_SECONDS) for p in found.values()])
                 for share in shares]  # fmt: skip
        goal = statistics.median(at(points, CORE_SECONDS) for points in found.values())
        reached = first_reaching(list(traces[default].values()), goal)
        words = ("more than all", "") if reached is None else (
            f"{reached:,.0f}", f"{CORE_SECONDS / reached:.1f}")  # fmt: skip
        print(f"| {name} | {len(found)} | {' | '.join(cells)} | {words[0]} | {words[1]} |")
    print(f"\nbest hypervolume found by any: {best:.3f}; regret is the difference to it")
    if page is not None:
        draw(traces, best, page)


def first_reaching(traces: list[list[list[float]]], goal: float) -> float | None:
    """Core-seconds after which the median of the traces is at ``goal``; None if it never is."""
    for spent in sorted(point[0] for points in traces for point in points):
        if statistics.median(at(points, spent) for points in traces) >= goal:
            return spent
    return None


def quartiles(values: list[float]) -> str:
    """The median, and the quartiles around it."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3f} ({low:.3f}..{high:.3f})"


def draw(traces: Mapping[str, Mapping[int, list[list[float]]]], best: float, page: Path) -> None:
    """Regret against core-seconds, both logarithmic: the median, and the quartiles as a band."""
    import plotly.graph_objects as go
    from plotly.colors import qualitative

    figure = go.Figure()
    grid = np.geomspace(CORE_SECONDS / 60, CORE_SECONDS, 100)
    for color, (name, found) in zip(qualitative.Dark24, traces.items(), strict=False):
        regrets = np.array([[best - at(p, spent) for spent in grid] for p in found.values()])
        low, middle, high = np.percentile(regrets, [25, 50, 75], axis=0)
        line = {"color": color, "width": 3 if name == next(iter(OURS)) else 1.5}
        figure.add_scatter(x=grid, y=middle, name=name, line=line, legendgroup=name)
        figure.add_scatter(
            x=[*grid, *grid[::-1]], y=[*high, *low[::-1]], fill="toself", fillcolor=color,
            opacity=0.12, line={"width": 0}, showlegend=False, legendgroup=name, hoverinfo="skip",
        )  # fmt: skip
    figure.update_xaxes(type="log", title="simulated core-seconds on two workers")
    figure.update_yaxes(type="log", title="hypervolume regret")
    figure.write_html(page, include_plotlyjs=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=("run", "report"))
    parser.add_argument("--methods", default="", help="names, with ; between; all if not given")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--html", type=Path, help="draw the plot there")
    asked = parser.parse_args()
    if asked.action == "run":
        run([name for name in asked.methods.split(";") if name], range(asked.seeds))
    else:
        report(asked.html)


if __name__ == "__main__":
    main()
