"""Tests of studies beside each other: common axes, the joint front, growth at equal effort."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.axis import Axis
from studies.joint import Beside, common_axes, joint_front, on_axes, volume_at
from studies.joint_plot import courses_figure, fronts_figure
from studies.pareto import front, hypervolume, losses, reference_point
from studies.results import Result, Results

ACCURACY = Axis("accuracy", "fraction", True, False, 0.8, least_error=0.001)
PARAMS = Axis("params", "parameters", False, True, 1e6)
AXES = (ACCURACY, PARAMS)


def study(name: str, rows: list[tuple[float, float]], pruned: tuple[int, ...] = ()) -> Beside:
    """A study whose trials take ten seconds each; ``pruned`` are further ones, by their numbers."""
    numbers = [n for n in range(len(rows) + len(pruned)) if n not in pruned]
    completed = tuple(
        Result(n, values, f"{name}{n}", "net", int(values[1]), 10 * int(values[1]), 10.0)
        for n, values in zip(numbers, rows, strict=True)
    )
    seconds = dict.fromkeys(range(len(rows) + len(pruned)), 10.0)
    return Beside(name, Results(name, AXES, completed, {"complete": len(rows)}), seconds)


ROWS = st.lists(
    st.tuples(st.floats(0.5, 0.99), st.floats(1e3, 9e5)).map(lambda r: (r[0], float(int(r[1])))),
    min_size=1,
    max_size=20,
)


@given(ROWS, ROWS)
def test_the_joint_front_is_that_of_all_trials(
    first: list[tuple[float, float]], second: list[tuple[float, float]]
) -> None:
    one, other = study("a", first), study("b", second)
    found = joint_front([one, other])
    everything = [*first, *second]
    expected = [everything[place] for place in front(everything, AXES)]
    assert sorted(result.values for _, result in found) == sorted(expected)
    sizes = [result.values[1] for _, result in found]
    assert sizes == sorted(sizes)
    for place, result in found:
        assert result in (one, other)[place].results.completed


@given(ROWS)
def test_a_course_ends_at_the_hypervolume_and_never_falls(rows: list[tuple[float, float]]) -> None:
    course = study("a", rows).course
    assert np.all(np.diff(course.volumes) >= -1e-12)
    whole = hypervolume(losses(rows, AXES), reference_point(AXES))
    assert course.volumes[-1] == pytest.approx(whole)
    assert volume_at(course.trials, course.volumes, len(rows)) == course.volumes[-1]
    assert volume_at(course.trials, course.volumes, 0) == 0.0


def test_effort_counts_the_trials_that_were_stopped() -> None:
    course = study("a", [(0.9, 1e4), (0.95, 1e5)], pruned=(0, 2)).course
    assert course.trials.tolist() == [2, 4]
    assert course.seconds.tolist() == [20, 40]


def test_axes_are_joined_by_the_least_demanding_that_was_measured() -> None:
    strict = (replace(ACCURACY, reference=0.86), replace(PARAMS, reference=1e5))
    unmeasured = (PARAMS, replace(ACCURACY, reference=0.1, least_error=0.0))
    accuracy, params = common_axes([AXES, strict, unmeasured])
    assert (accuracy.reference, params.reference) == (0.8, 1e6)
    assert accuracy.least_error == 0.001
    assert common_axes([unmeasured, unmeasured]) == unmeasured
    with pytest.raises(ValueError, match="objectives differ"):
        common_axes([AXES, (ACCURACY,)])
    with pytest.raises(ValueError, match="maximized in one"):
        common_axes([AXES, (ACCURACY, replace(PARAMS, maximize=True))])


def test_values_follow_their_axes() -> None:
    turned = on_axes(study("a", [(0.9, 1e4)]).results, (PARAMS, ACCURACY))
    assert turned.completed[0].values == (1e4, 0.9)
    assert turned.front() == [turned.completed[0]]


def test_of_another_tools_accuracies_no_interval_is_known() -> None:
    ours = study("a", [(0.9, 1e4)] * 3)
    assert ours.estimates.known
    assert not replace(ours, ours=False).estimates.known


def test_figures_have_a_line_for_each_study() -> None:
    both = [study("a<b>", [(0.9, 1e4), (0.95, 1e5)]), study("b", [(0.85, 1e3)]), study("c", [])]
    fronts, courses = fronts_figure(both), courses_figure(both)
    assert {trace.name for trace in fronts.data} == {"a&lt;b&gt;", "b"}
    assert [trace.name for trace in courses.data].count("c") == 2
    assert max(courses.data[0].y) == pytest.approx(both[0].results.hypervolume(), abs=1e-6)
