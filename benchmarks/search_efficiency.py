"""Searchers on the replayed problem: hypervolume against simulated core-seconds on two workers.

``python search_efficiency.py run`` adds what is missing to data/search_efficiency.jsonl (a line a
method and seed, so it can be stopped and started); ``report`` prints the tables and draws the plot.
"""

import argparse
import ast
import contextlib
import hashlib
import json
import statistics
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from in_memory import open_in_memory
from outside import ABSENT, SEARCHERS
from problem import WORKERS, Problem, Searcher, Trace, simulate

from nas.study.loop import search
from nas.study.until import Until
from nas.workers.simulated import Simulated
from studies.evaluation import REPLAYED, Evaluation

BUDGETS = (5_000, 20_000)
CORE_SECONDS = 3_600.0
"""Half an hour of two workers."""
HERE = Path(__file__).parent
RESULTS = HERE / "data" / "search_efficiency.jsonl"

CODE = (
    "nas/sampling/ms_ehvi/sampler.py",
    "nas/sampling/ms_ehvi/proposals.py",
    "nas/sampling/ms_ehvi/surrogate.py",
    "nas/sampling/features.py",
    "nas/rungs/history.py",
    "studies/forecast.py",
    "nas/rungs/promotion.py",
    "nas/short_run/replay.py",
    "nas/sampling/samplers.py",
    "nas/sampling/uniform.py",
)
"""What results are of; they are recorded anew where it has changed."""

FULL_TRIALS = 200
"""Trials of a stock sampler that the default is compared with."""

OWN_SECONDS = 2_800.0
"""CPU time that a sampler of Optuna's may take for itself, once it has had its full trials."""

MOST_TRIALS = 10 * FULL_TRIALS
"""Trials of one without promotion, at most: those that repeat a candidate cost no core-seconds, and
Optuna's TPESampler seems to repeat for ever.
"""

OURS: dict[str, dict[str, Any]] = {
    "ms-ehvi": {"sampler": "ms-ehvi"},
    "ms-ehvi-per-second": {"sampler": "ms-ehvi-per-second"},
    "ms-ehvi, known-cost": {"sampler": "ms-ehvi", "promotion": "known-cost"},
    "ms-ehvi, asha": {"sampler": "ms-ehvi", "promotion": "asha"},
    "ms-ehvi, one rung": {"sampler": "ms-ehvi", "promotion": "none"},
    "ms-ehvi-per-second, one rung": {"sampler": "ms-ehvi-per-second", "promotion": "none"},
    "tpe, known-cost": {"sampler": "tpe", "promotion": "known-cost"},
    "random, known-cost": {"sampler": "random", "promotion": "known-cost"},
    "tpe": {"sampler": "tpe", "promotion": "none"},
    "nsga2": {"sampler": "nsga2", "promotion": "none"},
    "nsga3": {"sampler": "nsga3", "promotion": "none"},
    "gp": {"sampler": "gp", "promotion": "none"},
    "random": {"sampler": "random", "promotion": "none"},
    "Optuna's TPESampler": {"sampler": "optuna.samplers.TPESampler", "promotion": "none"},
    "Optuna's NSGAIISampler": {"sampler": "optuna.samplers.NSGAIISampler", "promotion": "none"},
    "Optuna's GPSampler": {"sampler": "optuna.samplers.GPSampler", "promotion": "none"},
}
"""Settings by the method's name; the first is the default. Without promotion every trial is one run
at the last rung; with it, there are all rungs. Those of Optuna have its own defaults, one instance
for the whole run.
"""

STOCK = ("tpe", "nsga2", "nsga3", "gp", "random", *(name for name in OURS if "Optuna" in name))

Points = list[list[float]]
"""Of a trace: core-seconds, hypervolume, evaluations at the last rung."""

Method = Callable[[Problem, int, float], Trace]
"""Takes the problem, a seed and core-seconds."""


class _SpentError(Exception):
    """All core-seconds are spent."""


def ours(problem: Problem, seed: int, core_seconds: float, **changes: Any) -> Trace:
    """A study of this tool on simulated workers."""
    settings = replace(problem.settings, seed=seed, warm_start=False, **changes)
    if settings.promotion == "none":
        settings = replace(settings, budgets=settings.budgets[-1:])
    trace = Trace(problem)
    last, started = settings.budgets[-1], time.process_time()

    class Watched(Simulated):
        """Workers that show the trace every evaluation at the last rung as it ends."""

        def next(self, seconds: float) -> Any:
            outcome = super().next(seconds)
            request, result = outcome.request, outcome.result
            enough = settings.promotion != "none" or trace.count >= FULL_TRIALS
            if enough and self.clock * WORKERS > core_seconds:
                raise _SpentError
            if enough and time.process_time() - started > OWN_SECONDS:
                trace.points.append((self.clock * WORKERS, trace.points[-1][1], trace.count))
                raise _SpentError
            if request.budget == last and isinstance(result, Evaluation):
                assert result.accuracy is not None
                trace.add(self.clock * WORKERS, request.candidate, result.accuracy)
            return outcome

    opened = open_in_memory(settings)
    workers = Watched(WORKERS, problem.replay)
    with contextlib.suppress(_SpentError):
        most = MOST_TRIALS if settings.promotion == "none" else 100_000
        search(opened, Until(most), workers, lambda progress: None)
    return trace


def methods() -> dict[str, Method]:
    """Every method by name; the outside tools where they are installed."""
    if ABSENT:
        print(f"left out, since the extra outside is not installed: {'; '.join(ABSENT)}")
    found: dict[str, Method] = {name: _ours(changes) for name, changes in OURS.items()}
    return found | {name: _outside(make) for name, make in SEARCHERS.items()}


def _ours(changes: dict[str, Any]) -> Method:
    return lambda problem, seed, spent: ours(problem, seed, spent, **changes)


def _outside(make: Callable[[Problem, int], Searcher]) -> Method:
    return lambda problem, seed, spent: simulate(make(problem, seed), problem, seed, spent)


def run(names: list[str], seeds: range) -> None:
    """Add what is missing: seeds outside, so that every method has the same ones."""
    problem = Problem(BUDGETS)
    print("\n".join(f"{b:,} images: {problem.replay.quality[b].words()}" for b in BUDGETS))
    done = {(line["method"], line["seed"]) for line in read() if line["problem"] == same(problem)}
    chosen = {name: method for name, method in methods().items() if not names or name in names}
    for seed in seeds:
        for name, method in chosen.items():
            if (name, seed) in done:
                continue
            started, own = time.perf_counter(), time.process_time()
            trace = method(problem, seed, CORE_SECONDS)
            took = time.perf_counter() - started
            stopped = time.process_time() - own > OWN_SECONDS
            line = {
                "method": name,
                "seed": seed,
                "problem": same(problem),
                "evaluations": trace.count,
                "seconds": round(took, 1),
                "points": [[spent, round(volume, 4), n] for spent, volume, n in trace.points],
            } | ({"until": trace.points[-1][0]} if stopped else {})
            with RESULTS.open("a") as file:
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
            print(f"{name} {seed}: {trace.points[-1]}, {took:.0f} s", flush=True)


def same(problem: Problem) -> list[Any]:
    """What results must have in common: the table, the budgets, how long, the code they are of."""
    files = [HERE / "problem.py", HERE / "outside.py", *(HERE.parent / path for path in CODE)]
    code = hashlib.sha256("".join(meaning(path) for path in files).encode()).hexdigest()[:8]
    data = problem.settings.data.removeprefix(REPLAYED)
    return [data, list(BUDGETS), CORE_SECONDS, code]


def meaning(path: Path) -> str:
    """A file's code without comments and docstrings."""
    return ast.dump(_Wordless().visit(ast.parse(path.read_text())))


class _Wordless(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node


def read() -> list[dict[str, Any]]:
    """The results so far; a line that was cut off counts as missing."""
    lines = []
    for line in RESULTS.read_text().splitlines() if RESULTS.exists() else []:
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines


def at(points: Points, spent: float) -> float:
    """Hypervolume once so many core-seconds were spent; 0 before the first point."""
    place = bisect_right([point[0] for point in points], spent)
    return points[place - 1][1] if place else 0.0


def report(page: Path | None) -> None:
    """Regret against the best that any run has found, and the factors, of the newest results."""
    lines = read()
    newest = lines[-1]["problem"]
    traces: dict[str, dict[int, Points]] = {}
    walls: dict[str, list[float]] = {}
    until: dict[str, float] = {}
    for line in lines:
        if line["problem"] == newest:
            traces.setdefault(line["method"], {})[line["seed"]] = line["points"]
            walls.setdefault(line["method"], []).append(line["seconds"] / line["evaluations"])
            until[line["method"]] = min(
                until.get(line["method"], CORE_SECONDS), line.get("until", CORE_SECONDS)
            )
    ends = {
        name: [at(points, until[name]) for points in found.values()]
        for name, found in traces.items()
    }
    best = max(max(found) for found in ends.values())
    order = sorted(traces, key=lambda name: -statistics.median(ends[name]))
    traces = {name: traces[name] for name in order}
    shares = (0.1, 0.25, 0.5, 1.0)
    heads = " | ".join(f"at {share * CORE_SECONDS:,.0f}" for share in shares)
    print(f"| method | seeds | {heads} | default is there after | times less | own seconds |")
    print(f"|{' --- |' * (len(shares) + 5)}")
    default = list(traces[next(iter(OURS))].values())
    for name, found in traces.items():
        cells = [
            quartiles([best - at(p, share * CORE_SECONDS) for p in found.values()])
            if share * CORE_SECONDS <= until[name]
            else ""
            for share in shares
        ]
        reached = staying_at(default, statistics.median(ends[name]))
        if reached is None:
            cells += ["never", ""]
        else:
            cells += [f"{reached:,.0f}", f"{until[name] / reached:.1f}"]
        own = statistics.median(walls[name])
        print(f"| {name} | {len(found)} | {' | '.join(cells)} | {own:.2f} |")
    print(
        f"\nRegret: hypervolume less than {best:.3f}, the best that any run found by "
        f"{CORE_SECONDS:,.0f} core-seconds; median and quartiles. Own seconds: real ones of the "
        "whole process for each evaluation at the last rung."
    )
    for name in order:
        if until[name] < CORE_SECONDS:
            print(f"{name} took too long for itself and was stopped at {until[name]:,.0f}.")
    after_full_trials(
        {name: list(traces[name].values()) for name in STOCK if name in traces}, default
    )
    if page is not None:
        draw(traces, until, best, page)


def after_full_trials(stock: dict[str, list[Points]], default: list[Points]) -> None:
    """When the default has what the best stock sampler has after FULL_TRIALS full trials."""
    reached = {
        name: statistics.median(before(points, FULL_TRIALS)[1] for points in found)
        for name, found in stock.items()
    }
    best = max(reached, key=lambda name: reached[name])
    spent = statistics.median(before(points, FULL_TRIALS)[0] for points in stock[best])
    ours = staying_at(default, reached[best])
    words = "never" if ours is None else f"after {ours:,.0f}, {ours / spent:.0%} of that"
    print(
        f"\nBest stock sampler after {FULL_TRIALS} full trials: {best}, hypervolume "
        f"{reached[best]:.3f} after {spent:,.0f} core-seconds (medians); the default is there "
        f"{words}."
    )


def before(points: Points, count: int) -> tuple[float, float]:
    """Core-seconds and hypervolume as a front last changed within so many evaluations."""
    found = [(spent, volume) for spent, volume, n in points if n <= count]
    return found[-1]


def staying_at(traces: list[Points], goal: float) -> float | None:
    """Core-seconds from which on the median of the traces is at ``goal``; None if it never is."""
    moments = sorted({point[0] for points in traces for point in points})
    staying = None
    for spent in reversed(moments):
        if statistics.median(at(points, spent) for points in traces) < goal:
            break
        staying = spent
    return staying


def quartiles(values: list[float]) -> str:
    """The median, and the quartiles around it."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3f} ({low:.3f}..{high:.3f})"


def draw(
    traces: Mapping[str, Mapping[int, Points]],
    until: Mapping[str, float],
    best: float,
    page: Path,
) -> None:
    """Regret against core-seconds, both logarithmic: the median, and the quartiles as a band."""
    import plotly.graph_objects as go
    from plotly.colors import qualitative

    figure = go.Figure()
    for color, (name, found) in zip(qualitative.Dark24, traces.items(), strict=False):
        grid = np.geomspace(CORE_SECONDS / 60, until[name], 100)
        regrets = np.array([[best - at(p, spent) for spent in grid] for p in found.values()])
        low, middle, high = np.percentile(regrets, [25, 50, 75], axis=0)
        line = {"color": color, "width": 3 if name == next(iter(OURS)) else 1.5}
        figure.add_scatter(x=grid, y=middle, name=name, line=line, legendgroup=name)
        figure.add_scatter(
            x=[*grid, *grid[::-1]],
            y=[*high, *low[::-1]],
            fill="toself",
            fillcolor=color,
            opacity=0.12,
            line={"width": 0},
            showlegend=False,
            legendgroup=name,
            hoverinfo="skip",
        )
    spent, regret = [60, 120, 300, 600, 1200, 1800, 3600], [0.1, 0.2, 0.5, 1, 2, 5, 10]
    figure.update_xaxes(type="log", title="simulated core-seconds, two workers", tickvals=spent)
    figure.update_yaxes(type="log", title="hypervolume regret", tickvals=regret)
    figure.update_layout(template="plotly_white", title="Medians and quartiles over the seeds")
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
