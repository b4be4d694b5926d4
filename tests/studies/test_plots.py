"""Tests of the Pareto figure: views, scales, staircases, hovers, escaping."""

import math
import re
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.axis import Axis
from studies.page import page_html
from studies.plots import Point, pareto_figure

ACCURACY = Axis("accuracy", "fraction", maximize=True, log=False, reference=0.1)
PARAMS = Axis("params", "params", maximize=False, log=True, reference=1e7)
FLOPS = Axis("FLOPs", "operations", maximize=False, log=True, reference=1e10)
LATENCY = Axis("latency", "seconds", maximize=False, log=True, reference=1.0)
SPEED = Axis("speed", "images per second", maximize=True, log=True, reference=1.0)
AXES = (ACCURACY, PARAMS, FLOPS, LATENCY, SPEED)
WORDS = "stem of one 5x5 convolution; stage 1: two blocks, asymmetric; batch norm before ReLU"
HOSTILE = "<script>alert(1)</script> & <b>x</b> \"q\" 'r'"


def trials(count: int, axes: tuple[Axis, ...] = AXES[:3], text: str = WORDS) -> list[Point]:
    """Points whose accuracy grows with their cost, and some noise."""
    random = np.random.default_rng(0)
    points = []
    for number in range(count):
        size = random.uniform(3.5, 6.0)
        accuracy = min(0.91, 0.3 + 0.1 * size + random.normal(0, 0.03))
        row = (accuracy, float(int(10**size)), float(int(10 ** (size + 2))), 0.01, 100.0)
        points.append(Point(number, row[: len(axes)], text))
    return points


def of_kind(figure: go.Figure, kind: str) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.legendgroup == kind]


def axis_of(figure: go.Figure, trace: go.Scatter, letter: str) -> go.layout.XAxis:
    reference = trace[f"{letter}axis"] or letter
    return figure.layout[f"{letter}axis{reference[1:]}"]


def titles(figure: go.Figure) -> list[tuple[str, str]]:
    """(x title, y title) of each view, in order."""
    return [
        (axis_of(figure, step, "x").title.text, axis_of(figure, step, "y").title.text)
        for step in of_kind(figure, "step")
    ]


def hovers(figure: go.Figure, trace: go.Scatter) -> list[str]:
    found = [re.fullmatch(r"%\{meta\[(\d+)]\}<extra></extra>", t) for t in trace.hovertemplate]
    return [figure.layout.meta[int(match[1])] for match in found if match]


def best_reached(step: go.Scatter, x: float, x_sign: float, y_sign: float) -> float:
    """The y loss that an "hv" line claims for x losses up to `x_sign * x`; inf before its start.

    The line is walked as Plotly draws it, horizontally and then vertically, so that a wrong shape
    or order shows as a claim that no trial supports.
    """
    assert step.line.shape == "hv"
    corners = [(step.x[0], step.y[0])]
    for (_, y0), (x1, y1) in pairwise(zip(step.x, step.y, strict=True)):
        corners += [(x1, y0), (x1, y1)]
    # The first corner is the foot of the line at the edge of the view, where nothing is claimed.
    return min(
        (y_sign * cy for cx, cy in corners[1:] if x_sign * cx <= x_sign * x), default=math.inf
    )


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [("trial", "accuracy")]),
        (2, [("params", "accuracy")]),
        (
            3,
            [
                ("params", "accuracy"),
                ("FLOPs (operations)", "accuracy"),
                ("params", "FLOPs (operations)"),
            ],
        ),
    ],
)
def test_one_view_for_each_pair_with_a_maximised_objective_on_y(
    count: int, expected: list[tuple[str, str]]
) -> None:
    assert titles(pareto_figure(trials(20, AXES[:count]), AXES[:count], "study")) == expected


def test_a_maximised_objective_is_on_y_whatever_its_place_among_the_axes() -> None:
    points = [Point(0, (1e4, 0.9), WORDS)]
    assert titles(pareto_figure(points, (PARAMS, ACCURACY), "")) == [("params", "accuracy")]


def test_six_views_wrap_into_two_rows_of_three() -> None:
    figure = pareto_figure(trials(20, AXES[:4]), AXES[:4], "study")
    steps = of_kind(figure, "step")
    assert len(steps) == 6
    assert len({axis_of(figure, step, "x").domain for step in steps}) == 3
    assert len({axis_of(figure, step, "y").domain for step in steps}) == 2


def test_costs_are_logarithmic_with_si_labels_and_accuracy_is_in_percent() -> None:
    figure = pareto_figure(trials(50), AXES[:3], "study")
    for step in of_kind(figure, "step"):
        for axis in (axis_of(figure, step, "x"), axis_of(figure, step, "y")):
            if axis.title.text == "accuracy":
                assert (axis.type, axis.tickformat) == (None, "~%")
            else:
                assert (axis.type, axis.tickformat) == ("log", "~s")


def test_log_axes_below_one_are_not_labelled_in_milli() -> None:
    figure = pareto_figure([Point(0, (0.9, 0.02), WORDS)], (ACCURACY, LATENCY), "")
    assert figure.layout.xaxis.tickformat == "~g"


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_point_is_inside_its_view(count: int) -> None:
    figure = pareto_figure(trials(count), AXES[:3], "study")
    for trace in figure.data:
        for letter in "xy":
            axis = axis_of(figure, trace, letter)
            scaled = [math.log10(v) if axis.type == "log" else v for v in trace[letter]]
            low, high = axis.range
            assert all(low - 1e-9 <= value <= high + 1e-9 for value in scaled)


def test_the_legend_names_each_kind_of_mark_once() -> None:
    figure = pareto_figure(trials(50), AXES[:3], "study")
    assert [trace.name for trace in figure.data if trace.showlegend] == [
        "front of the two shown",
        "other trials",
        "front of all 3 objectives",
    ]


def test_the_staircase_of_a_drawn_case() -> None:
    values = [(0.8, 1e4), (0.9, 1e5), (0.7, 1e5), (0.85, 1e6), (0.9, 1e5)]
    points = [Point(n, value, WORDS) for n, value in enumerate(values)]
    figure = pareto_figure(points, AXES[:2], "")
    (step,) = of_kind(figure, "step")
    assert list(step.x[:-1]) == [1e4, 1e4, 1e5, 1e5]
    assert list(step.y[1:]) == [0.8, 0.9, 0.9, 0.9]
    assert step.y[0] == figure.layout.yaxis.range[0]
    assert math.log10(step.x[-1]) == pytest.approx(figure.layout.xaxis.range[1])
    (best,) = of_kind(figure, "front")
    assert sorted(zip(best.x, best.y, strict=True)) == [(1e4, 0.8), (1e5, 0.9), (1e5, 0.9)]


@given(
    st.sampled_from([AXES[:2], AXES[:3], (ACCURACY, SPEED), (PARAMS, FLOPS), (SPEED, PARAMS)]),
    st.lists(st.tuples(*[st.integers(1, 9)] * 3), min_size=1, max_size=15),
)
def test_staircases_claim_all_that_trials_reach_and_nothing_else(
    axes: tuple[Axis, ...], rows: list[tuple[int, int, int]]
) -> None:
    points = [Point(n, tuple(map(float, row[: len(axes)])), "") for n, row in enumerate(rows)]
    figure = pareto_figure(points, axes, "")
    by_title = {
        (a.name if a.unit in (a.name, "fraction") else f"{a.name} ({a.unit})"): a for a in axes
    }
    for step in of_kind(figure, "step"):
        signs = []
        for letter in "xy":
            axis = by_title[axis_of(figure, step, letter).title.text]
            signs.append(-1.0 if axis.maximize else 1.0)
        shown = [
            pair
            for trace in figure.data
            if trace.legendgroup != "step" and trace.xaxis == step.xaxis
            for pair in zip(trace.x, trace.y, strict=True)
        ]
        assert len(shown) == len(points)
        for x, _ in shown:
            reached = min(signs[1] * b for a, b in shown if signs[0] * a <= signs[0] * x)
            assert best_reached(step, x, *signs) == reached


def test_one_objective_is_shown_over_the_trials_with_the_best_so_far() -> None:
    values = [0.5, 0.4, 0.7, 0.6, 0.7]
    points = [Point(10 + n, (value,), WORDS) for n, value in enumerate(values)]
    figure = pareto_figure(points[::-1], [ACCURACY], "")
    (step,), (best,) = of_kind(figure, "step"), of_kind(figure, "front")
    assert step.line.shape == "hv"
    assert list(zip(step.x, step.y, strict=True)) == [(10, 0.5), (12, 0.7), (14, 0.7)]
    assert list(zip(best.x, best.y, strict=True)) == [(12, 0.7), (14, 0.7)]
    assert (step.name, best.name) == ("best so far", "best trial")


def test_hovers_tell_the_trial_its_values_with_units_and_its_architecture() -> None:
    points = [Point(12, (0.8812, 412330.0, 1.5e7), WORDS + "\nhead: pool", "GoogLeNet")]
    figure = pareto_figure([*trials(3), *points], AXES[:3], "")
    texts = [text for trace in of_kind(figure, "front") for text in hovers(figure, trace)]
    lines = next(text for text in texts if "trial 12" in text).split("<br>")
    assert lines[:4] == [
        "<b>trial 12: GoogLeNet</b>",
        "accuracy: 88.12 %",
        "params: 412,330",
        "FLOPs: 15,000,000 operations",
    ]
    assert " ".join(lines[4:-1]) == WORDS
    assert lines[-1] == "head: pool"
    assert max(map(len, lines)) <= 60


def test_each_hover_belongs_to_its_own_point() -> None:
    figure = pareto_figure(trials(40), AXES[:3], "")
    for trace in of_kind(figure, "front") + of_kind(figure, "other"):
        title = axis_of(figure, trace, "x").title.text
        texts = hovers(figure, trace)
        assert len(texts) == len(trace.x)
        for x, text in zip(trace.x, texts, strict=True):
            assert f"{title.split(' ')[0]}: {x:,.0f}" in text


def test_nothing_written_by_a_user_is_read_as_html() -> None:
    axis = Axis(HOSTILE, HOSTILE + "2", maximize=False, log=False, reference=1.0)
    points = [Point(0, (0.5, 2.0), HOSTILE, HOSTILE)]
    figure = pareto_figure(points, (ACCURACY, axis), HOSTILE)
    (trace,) = (trace for trace in of_kind(figure, "front"))
    shown = [figure.layout.title.text, figure.layout.xaxis.title.text, *trace.text]
    shown += re.sub("</?b>", "", figure.layout.meta[0], count=2).split("<br>")
    assert not any("<" in text for text in shown)
    # Plotly would show &quot; as it stands.
    assert figure.layout.title.text == (
        "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;x&lt;/b&gt; \"q\" 'r'"
    )
    assert "<script>alert(1)" not in page_html("study", [figure])


@pytest.mark.parametrize("points", [[], [Point(0, (math.nan, 1.0, 1.0), WORDS)]])
def test_a_study_without_finished_trials_says_so(points: list[Point]) -> None:
    figure = pareto_figure(points, AXES[:3], "study")
    assert [note.text for note in figure.layout.annotations] == ["no finished trials yet"]
    assert len(figure.data) == 0
    assert "no finished trials yet" in page_html("study", [figure])


def test_trials_with_nan_are_left_out() -> None:
    figure = pareto_figure([*trials(3), Point(9, (math.nan, 1.0, 1.0), WORDS)], AXES[:3], "")
    assert len(figure.layout.meta) == 3


def test_values_that_do_not_match_the_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="trial 4 has 2 values for 3 axes"):
        pareto_figure([Point(4, (0.9, 1e5), WORDS)], AXES[:3], "")
    with pytest.raises(ValueError, match=r"params is 0\.0"):
        pareto_figure([Point(4, (0.9, 0.0), WORDS)], AXES[:2], "")


def test_the_page_of_a_thousand_trials_is_hardly_larger_than_its_library() -> None:
    figure = pareto_figure(trials(1000), AXES[:3], "study")
    assert len(page_html("study", [figure]).encode()) < 6_000_000
