"""Tests of fronts and hypervolumes: closed forms, drawn cases, properties and Optuna as oracle."""

import json
import math
import time
from dataclasses import asdict
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from optuna._hypervolume import compute_hypervolume

from studies.pareto import (
    Axis,
    front,
    front_mask,
    hypervolume,
    hypervolume_trace,
    losses,
    reference_point,
)

ACCURACY = Axis("accuracy", "fraction", maximize=True, log=False, reference=0.1)
PARAMS = Axis("params", "weights", maximize=False, log=True, reference=1e7)
FLOPS = Axis("FLOPs", "operations", maximize=False, log=True, reference=1e10)
AXES = (ACCURACY, PARAMS, FLOPS)
NAN = math.nan

Rows = NDArray[np.float64]


@st.composite
def grids(draw: st.DrawFn, most: int = 12, objectives: tuple[int, int] = (1, 4)) -> Rows:
    """Losses on a small integer grid, so that ties and equal rows are common and sums exact."""
    columns = draw(st.integers(*objectives))
    rows = draw(st.integers(0, most))
    return draw(arrays(np.float64, (rows, columns), elements=st.integers(-3, 6).map(float)))


def dominates(one: Rows, other: Rows) -> bool:
    return bool((one <= other).all() and (one < other).any())


def sphere(count: int, objectives: int) -> Rows:
    """Points that are all on the front."""
    points = -np.abs(np.random.default_rng(0).normal(size=(count, objectives)))
    rows: Rows = points / np.linalg.norm(points, axis=1, keepdims=True)
    return rows


def inclusion_exclusion(rows: Rows, corner: Rows) -> float:
    """The volume of the union of the rows' boxes, over all subsets: slow and plainly right."""
    inside = [row for row in rows if (row < corner).all()]
    return math.fsum(
        (1 if size % 2 else -1) * float(np.prod(corner - np.max(subset, axis=0)))
        for size in range(1, len(inside) + 1)
        for subset in combinations(inside, size)
    )


def test_losses_negate_what_is_maximised_and_take_log10_of_log_axes() -> None:
    assert losses([[0.9, 1e5, 1e8], [0.5, 1e3, 1e7]], AXES).tolist() == [
        [-0.9, 5.0, 8.0],
        [-0.5, 3.0, 7.0],
    ]
    speed = Axis("speed", "images per second", maximize=True, log=True, reference=1.0)
    assert losses([[100.0]], [speed]).tolist() == [[-2.0]]
    assert reference_point(AXES).tolist() == [-0.1, 7.0, 10.0]


def test_a_row_with_any_nan_is_nan_throughout_and_the_rest_of_it_is_not_judged() -> None:
    rows = losses([[0.9, NAN, -5.0], [0.8, 10.0, 100.0]], AXES)
    assert np.isnan(rows[0]).all()
    assert rows[1].tolist() == [-0.8, 1.0, 2.0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.9, 0.0, 1.0], r"params is 0\.0 in row 2: it is on a log axis, so it must be above 0"),
        ([0.9, 1.0, -1.0], r"FLOPs is -1\.0 in row 2: it is on a log axis"),
        ([-math.inf, 1.0, 1.0], r"accuracy is -inf in row 2: it must be a finite number"),
        ([0.9, math.inf, 1.0], r"params is inf in row 2: it must be a finite number"),
    ],
)
def test_values_without_a_loss_are_refused_by_name(row: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        losses([[NAN, NAN, NAN], [0.5, 1.0, 1.0], row], AXES)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 2\): give \[trials, 3\], one column for"):
        losses([[0.9, 1.0]], AXES)
    with pytest.raises(ValueError, match="axes is empty"):
        losses([[0.9]], [])
    with pytest.raises(ValueError, match=r"shape \(2,\): give \[trials, objectives >= 1\]"):
        front_mask([1.0, 2.0])
    with pytest.raises(ValueError, match=r"shape \(2, 0\)"):
        front_mask(np.empty((2, 0)))
    with pytest.raises(ValueError, match="the reference has 3 objectives"):
        hypervolume([[1.0, 2.0]], [3.0, 3.0, 3.0])
    with pytest.raises(ValueError, match=r"reference is \[inf\]"):
        hypervolume([[1.0]], [math.inf])
    with pytest.raises(ValueError, match="holds -inf"):
        hypervolume_trace([[-math.inf]], [1.0])


def test_a_reference_without_a_loss_is_refused() -> None:
    with pytest.raises(ValueError, match=r"params is 0 in the reference: it is on a log axis"):
        Axis("params", "weights", maximize=False, log=True, reference=0)
    with pytest.raises(ValueError, match=r"accuracy is nan in the reference"):
        Axis("accuracy", "fraction", maximize=True, log=False, reference=NAN)


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_an_axis_survives_json(axis: Axis) -> None:
    assert Axis(**json.loads(json.dumps(asdict(axis)))) == axis


def test_a_drawn_front() -> None:
    #  y 4 | a .
    #    3 | . . x
    #    2 | . b b
    #    1 | . . . c
    rows = [[0, 4], [2, 3], [1, 2], [2, 2], [3, 1], [1, 2]]
    assert front_mask(rows).tolist() == [True, False, True, False, True, True]


def test_fronts_of_one_objective_are_all_its_minima() -> None:
    assert front_mask([[2.0], [1.0], [3.0], [1.0]]).tolist() == [False, True, False, True]


def test_nothing_has_no_front_and_no_volume() -> None:
    assert front_mask(np.empty((0, 3))).tolist() == []
    assert front([], AXES) == []
    assert hypervolume([], [1.0, 1.0]) == 0.0
    assert hypervolume_trace([], [1.0, 1.0]).tolist() == []


def test_nan_rows_are_never_on_the_front_and_add_nothing() -> None:
    rows = [[NAN, -9.0], [1.0, 1.0], [-9.0, NAN], [NAN, NAN]]
    assert front_mask(rows).tolist() == [False, True, False, False]
    assert front_mask([[NAN, 1.0]]).tolist() == [False]
    assert hypervolume(rows, [2.0, 3.0]) == 2.0
    assert hypervolume_trace(rows, [2.0, 3.0]).tolist() == [0.0, 2.0, 2.0, 2.0]


def test_negative_zero_equals_zero() -> None:
    assert front_mask([[0.0, 1.0], [-0.0, 1.0], [-0.0, 2.0]]).tolist() == [True, True, False]


def test_the_front_is_listed_from_the_cheapest_and_keeps_equal_rows() -> None:
    values = [[0.9, 900, 10], [0.5, 100, 10], [0.4, 200, 20], [0.9, 900, 10], [0.7, NAN, 1]]
    assert front(values, AXES) == [1, 0, 3]
    assert front([[0.3], [0.7], [0.7]], [ACCURACY]) == [1, 2]


def test_hypervolumes_in_closed_form() -> None:
    assert hypervolume([[2.0]], [5.0]) == 3.0
    assert hypervolume([[1, 3], [2, 2], [3, 1]], [4, 4]) == 6.0
    assert hypervolume([[0, 0, 0]], [2, 3, 4]) == 24.0
    assert hypervolume([[0, 1, 1], [1, 0, 1], [1, 1, 0]], [2, 2, 2]) == 4.0
    assert hypervolume([[0, 1, 1, 1], [1, 0, 1, 1]], [2, 2, 2, 2]) == 3.0


def test_rows_at_or_beyond_the_reference_add_nothing() -> None:
    assert hypervolume([[4, 0], [0, 4], [5, 1], [1, 1]], [4, 4]) == 9.0
    assert hypervolume([[4, 0]], [4, 4]) == 0.0
    assert hypervolume_trace([[4, 0], [1, 1], [9, -9]], [4, 4]).tolist() == [0.0, 9.0, 9.0]


def test_a_reference_study_in_user_units() -> None:
    # Above the floor of 0.1 by 0.8, 2 decades below 1e7 params and 2 below 1e10 FLOPs.
    volume = hypervolume(losses([[0.9, 1e5, 1e8]], AXES), reference_point(AXES))
    assert volume == pytest.approx(0.8 * 2 * 2)


@given(grids(most=20))
def test_the_front_is_what_nothing_dominates(rows: Rows) -> None:
    mask = front_mask(rows)
    on_front = rows[mask]
    assert not any(dominates(one, other) for one in on_front for other in on_front)
    for row in rows[~mask]:
        assert any(dominates(one, row) for one in on_front)


@given(grids(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: Rows, random: Random) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    corner = np.full(rows.shape[1], 5.0)
    assert front_mask(rows[order]).tolist() == front_mask(rows)[order].tolist()
    assert hypervolume(rows[order], corner) == hypervolume(rows, corner)


@given(grids(most=7))
def test_hypervolume_equals_inclusion_and_exclusion(rows: Rows) -> None:
    corner = np.full(rows.shape[1], 5.0)
    assert hypervolume(rows, corner) == inclusion_exclusion(rows, corner)


@settings(max_examples=10 * settings().max_examples)
@given(st.integers(1, 5), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_hypervolume_equals_optunas(objectives: int, count: int, seed: int) -> None:
    rows = np.random.default_rng(seed).random((count, objectives))
    corner = np.full(objectives, 1.0)
    assert hypervolume(rows, corner) == pytest.approx(compute_hypervolume(rows, corner), rel=1e-9)


@given(grids())
def test_the_trace_is_the_hypervolume_after_each_row_and_never_falls(rows: Rows) -> None:
    corner = np.full(rows.shape[1], 5.0)
    trace = hypervolume_trace(rows, corner)
    assert trace.tolist() == [hypervolume(rows[: n + 1], corner) for n in range(len(rows))]
    assert (np.diff(trace, prepend=0.0) >= 0).all()


def test_a_trace_of_rounded_numbers_ends_at_the_hypervolume() -> None:
    rows, corner = sphere(200, 3), np.full(3, 0.1)
    trace = hypervolume_trace(rows, corner)
    assert trace[-1] == pytest.approx(hypervolume(rows, corner), rel=1e-12)
    assert (np.diff(trace) >= 0).all()


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_large_fronts_are_quick(objectives: int) -> None:
    rows, corner = sphere(10_000, objectives), np.full(objectives, 0.1)
    start = time.process_time()
    assert front_mask(rows).all()
    hypervolume(rows[:100], corner)
    # Measured at 0.1 s; the bound is only to catch a return to quadratic Python.
    assert time.process_time() - start < 1.0


def test_traces_of_large_fronts_are_quick() -> None:
    start = time.process_time()
    hypervolume_trace(sphere(1_000, 3), np.full(3, 0.1))
    # Measured at 0.25 s.
    assert time.process_time() - start < 3.0
