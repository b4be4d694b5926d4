"""Tests of the report's smaller sections: rungs and seconds saved, ranking, growth, references."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from studies.axis import Axis
from studies.evaluation import Evaluation
from studies.kept import Kept
from studies.report import front, learning, ranking, rungs, volume
from studies.report.content import Content, Reference
from studies.report.section import Drawn
from studies.rungs import count
from studies.trials import Evaluated, Trial

MakeContent = Callable[..., Content]
ACCURACY = Axis("accuracy", "fraction", maximize=True, log=False, reference=0.0)
PARAMS = Axis("params", "parameters", maximize=False, log=True, reference=1e4)


def trial(number: int, state: str, reached: list[float], **known: object) -> Trial:
    return Trial(number, state, (), Kept(key=f"k{number}", rungs=tuple(reached), **known))


def run(number: int, budget: int, seconds: float) -> Evaluated:
    found = Evaluation(0.5, 0.5, (), seconds, 1000.0, "here", {})
    return Evaluated(f"k{number}", budget, found, datetime(2026, 1, 1))


def small(trials: list[Trial], evaluations: list[Evaluated] | None = None) -> Content:
    axes = (ACCURACY, PARAMS)
    return Content("s", "", axes, "", (10, 20, 40), trials, evaluations or [])


def test_who_stopped_at_which_rung() -> None:
    trials = [
        trial(0, "complete", [0.1, 0.2, 0.3]),
        trial(1, "pruned", [0.1]),
        trial(2, "pruned", [0.1, 0.2]),
        trial(3, "fail", []),
        trial(4, "fail", [0.1]),
        trial(5, "running", [0.1]),
        Trial(6, "pruned", limits={"params": 0.1}),
    ]
    found = [tuple(rung)[1:] for rung in count(trials, (10, 20, 40))]
    assert found == [(4, 1, 1, 0), (1, 1, 1, 1), (1, 0, 0, 0)]


def test_seconds_saved_by_the_median_growth_of_those_that_went_on() -> None:
    trials = [
        trial(0, "complete", [0.1, 0.2, 0.3], seconds=1 + 2 + 8),
        trial(1, "pruned", [0.1], seconds=3),
        trial(2, "pruned", [0.1], seconds=1),
    ]
    runs = [run(0, 10, 1), run(0, 20, 2), run(0, 40, 8), run(1, 10, 3)]
    # 3 s grow to 6 and 24; of trial 2 no evaluation is stored
    assert rungs.seconds_saved(small(trials, runs)) == (30.0, 15.0, 1)


def test_tau_of_a_drawn_case() -> None:
    up = np.array([(x, x * x) for x in range(1, 20)], dtype=float)
    assert ranking.tau_interval(up) == pytest.approx((1.0, 1.0, 1.0))
    assert ranking.tau_interval(up * (1, -1))[0] == pytest.approx(-1)
    assert ranking.tau_interval(up * (0, 1)) == (0.0, 0.0, 0.0)
    tau, low, high = ranking.tau_interval(np.random.default_rng(0).normal(size=(100, 2)))
    assert low < tau < high
    assert low < 0 < high


def test_ranking_says_that_stopped_candidates_are_missing(make_content: MakeContent) -> None:
    blocks = ranking.section(make_content(90)).blocks
    assert isinstance(blocks[0], Drawn)
    assert "over the 54 candidates that reached both" in blocks[0].words
    assert "Not in these figures: 27 candidates stopped" in str(blocks[1])
    one = replace(make_content(90), budgets=(1_000,))
    assert "one rung" in str(ranking.section(one).blocks[0])


def test_the_hypervolume_grows_with_trials_and_with_everyones_seconds() -> None:
    known = {"key": "a", "architecture": "", "params": 100, "flops": 1}
    trials = [
        Trial(0, "complete", (0.5, 1000.0), Kept(**known, seconds=5.0)),
        Trial(1, "pruned", (), Kept(seconds=7.0)),
        Trial(2, "complete", (0.5, 100.0), Kept(**known, seconds=1.0)),
        Trial(3, "complete", (0.1, 5000.0), Kept(**known, seconds=1.0)),
    ]
    (drawn, _) = volume.section(small(trials)).blocks
    assert isinstance(drawn, Drawn)
    by_trial, by_second = drawn.figure.data
    assert list(by_trial.x) == [1, 3, 4]
    assert list(by_second.x) == [5, 13, 14]
    assert list(by_trial.y) == list(by_second.y) == [0.5, 1.0, 1.0]


def test_curves_are_of_the_last_rung_and_bounded(make_content: MakeContent) -> None:
    made = make_content(900)
    (drawn,) = learning.section(made).blocks
    assert isinstance(drawn, Drawn)
    loss = {trace.name: trace for trace in drawn.figure.data if trace.yaxis == "y"}
    assert list(loss["front"].x).count(None) == len(made.front)
    assert 40 <= list(loss["other candidates"].x).count(None) <= learning.MOST_OTHERS
    assert max(x for x in loss["front"].x if x) == 4_000
    bare = [one._replace(evaluation=replace(one.evaluation, curve=())) for one in made.evaluations]
    replayed = replace(made, evaluations=bare)
    assert "No learning curve" in str(learning.section(replayed).blocks[0])


def test_references_near_the_trials_are_drawn_and_all_are_listed(
    make_content: MakeContent,
) -> None:
    known = [
        Reference("near", "a paper", 0.85, 200_000, None, published=True),
        Reference("far", "a paper", 0.99, 10**9, None, published=True),
        Reference("ours", "measured", 0.8, 100_000, 10**7),
        Reference("cost alone", "counted", None, 100_000, 10**7),
    ]
    section = front.section(make_content(60, references=known))
    figure = next(block for block in section.blocks if isinstance(block, Drawn)).figure
    by_view = {
        (trace.name, trace.xaxis): list(trace.text)
        for trace in figure.data
        if trace.legendgroup in ("published", "catalog")
    }
    assert by_view == {
        ("published results", "x"): ["near"],
        ("measured by this tool", "x"): ["ours"],
        ("measured by this tool", "x2"): ["ours"],
    }
    words = next(block for block in section.blocks if isinstance(block, Drawn)).words
    assert "near (published); ours (measured by this tool)" in words
    (table,) = front._table(make_content(0, references=known))
    assert [row[0] for row in table.rows] == ["near", "far", "ours", "cost alone"]
    assert [row[4] for row in table.rows] == ["published", "published", "this tool", "this tool"]


def test_the_range_makes_room_for_a_reference(make_content: MakeContent) -> None:
    plain = front.section(make_content(60, references=[])).blocks[0]
    assert isinstance(plain, Drawn)
    low = plain.figure.layout.yaxis.range[0]
    known = [Reference("r", "s", low - 0.01, 100_000)]
    drawn = front.section(make_content(60, references=known)).blocks[0]
    assert isinstance(drawn, Drawn)
    assert drawn.figure.layout.yaxis.range[0] < low - 0.01


def test_names_keep_inside_their_view_and_off_the_line_of_use(make_content: MakeContent) -> None:
    """A long name at either end of a view is written towards its middle."""
    accuracy = Axis("accuracy", "fraction", True, False, 0.75, least_error=1e-4)
    costs = (
        Axis("params", "parameters", False, True, 2e6),
        Axis("flops", "FLOPs", False, True, 1e9),
    )
    plain = front.section(make_content(60, (accuracy, *costs), references=[])).blocks[0]
    assert isinstance(plain, Drawn)
    low, high = plain.figure.layout.xaxis.range
    name = "a classifier of a long name"
    known = [Reference(f"{name} {size}", "s", 0.75, round(10**size), None) for size in (low, high)]
    drawn = front.section(make_content(60, (accuracy, *costs), references=known)).blocks[0]
    assert isinstance(drawn, Drawn)
    (trace,) = (t for t in drawn.figure.data if t.legendgroup == "catalog")
    left, right = trace.textposition
    assert left in ("top right", "bottom right")
    assert right in ("top left", "bottom left")
