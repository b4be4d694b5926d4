"""The Pareto figure of a study's trials: every pair of objectives, the fronts, hovers.

It is returned, never shown or saved. Every text that comes from a trial or a user is escaped,
because Plotly reads a subset of HTML in hovers and titles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from studies.axis import Axis
from studies.pareto import Floats, front_mask, losses
from studies.style import BLUE, GREEN, VERMILION, escaped, hover, log_axis, styled
from studies.wording import counted

FRONT_MARKER = {"color": BLUE, "size": 9, "line": {"color": "white", "width": 1}}
OTHER_MARKER = {"color": "#8a96a3", "size": 5, "opacity": 0.5}
STEP_COLOR = VERMILION
MOST_COLUMNS = 3


@dataclass(frozen=True)
class Point:
    """A finished trial: its number, its values in the axes' order, its architecture in words.

    Values are in user units. `label`, where given, is a short name written beside the point.
    """

    number: int
    values: tuple[float, ...]
    text: str
    label: str = ""


@dataclass(frozen=True)
class _Column:
    """One axis of one view: the points' values, their losses, and the drawn range."""

    axis: Axis
    values: Floats
    losses: Floats

    def drawn_range(self) -> tuple[float, float]:
        """The drawn range in the axis's own scale: log10 on a log axis."""
        scaled = np.log10(self.values) if self.axis.log else self.values
        if self.axis.least_error:  # the line from which on a network counts is in sight
            scaled = np.append(scaled, self.axis.reference)
        low, high = float(scaled.min()), float(scaled.max())
        # One point, or points of equal value, still need an axis of some width around them.
        pad = 0.05 * (high - low) or (0.3 if self.axis.log else 0.1 * abs(high) or 1.0)
        return within(self.axis, low - pad, high + pad)

    def ends(self) -> Floats:
        """The two ends of the drawn range, in user units."""
        ends = np.array(self.drawn_range())
        return 10.0**ends if self.axis.log else ends

    def worst_edge(self) -> float:
        """The value at the worse end of the range, in user units."""
        low, high = self.drawn_range()
        edge = low if self.axis.maximize else high
        return 10.0**edge if self.axis.log else edge


def within(axis: Axis, low: float, high: float) -> tuple[float, float]:
    """A range in the axis's own scale, no further than its values can go: a share ends at 100 %."""
    return (max(low, 0.0), min(high, 1.0)) if axis.unit == "fraction" else (low, high)


def pareto_figure(
    points: Sequence[Point], axes: Sequence[Axis], title: str, about: str | None = None
) -> go.Figure:
    """The trials, one view per pair of objectives, with the front of each pair as a staircase.

    Filled points are on the front over all objectives; the staircase bounds what has been
    attained in that pair alone. A maximised objective is on the y axis, against a cost on the x
    axis. Of the pairs only those with the objective `about` are drawn, if there are any. One
    objective gives one view: value against trial number, and the best so far. Each point's
    `customdata` is its trial's number. Trials with NaN are left out. Raises ValueError as `losses`
    does, and on points whose values do not match the axes.
    """
    for point in points:
        if len(point.values) != len(axes):
            raise ValueError(
                f"trial {point.number} has {counted(len(point.values), 'value')} for "
                f"{counted(len(axes), 'axis', 'axes')}: give one value per axis"
            )
    finite = [point for point in points if not any(map(math.isnan, point.values))]
    shown = sorted(finite, key=lambda point: point.number)
    values = np.array([point.values for point in shown], dtype=np.float64)
    minimised = losses(values, axes)
    if not shown:
        return _empty_figure(title)
    on_front = front_mask(minimised)
    labels = [escaped(point.label) for point in shown]
    columns = [
        _Column(axis, values[:, place], minimised[:, place]) for place, axis in enumerate(axes)
    ]
    views = pairs(axes, about) or [(None, 0)]
    single = len(axes) == 1
    step_name = "best so far" if single else "front of the two shown"
    front_name = "best trial" if single else f"front of all {len(axes)} objectives"
    across = min(MOST_COLUMNS, len(views))
    down = math.ceil(len(views) / across)
    gaps = {"horizontal_spacing": 0.24 / across, "vertical_spacing": 0.3 / down}
    figure = make_subplots(rows=down, cols=across, **gaps)
    for place, (x_axis, y_axis) in enumerate(views):
        where = {"row": place // across + 1, "col": place % across + 1}
        y = columns[y_axis]
        if x_axis is None:
            numbers = np.array([point.number for point in shown], dtype=np.float64)
            x_values, step = numbers, _best_so_far(numbers, y)
            figure.update_xaxes(title_text="trial", tickformat=",~d", **where)
        else:
            x = columns[x_axis]
            x_values, step = x.values, _staircase(x, y)
            figure.update_xaxes(**_axis_style(x), **where)
        figure.update_yaxes(**_axis_style(y), **where)
        line = {"color": STEP_COLOR, "width": 2, "shape": "hv"}
        stairs = go.Scatter(x=step[0], y=step[1], mode="lines", line=line, hoverinfo="skip")
        stairs.update(name=step_name, legendgroup="step", legendrank=2)
        figure.add_trace(stairs, **where)
        if y.axis.least_error:
            trace = _floor(y.axis, x_values if x_axis is None else columns[x_axis].ends())
            figure.add_trace(trace, **where)
        for mask, trace in (
            (~on_front, _dots("other trials", "other", 3, OTHER_MARKER)),
            (on_front, _dots(front_name, "front", 1, FRONT_MARKER)),
        ):
            chosen = np.flatnonzero(mask)
            trace.x, trace.y = x_values[chosen], y.values[chosen]
            trace.customdata = [shown[index].number for index in chosen]
            trace.hovertemplate = [f"%{{meta[{index}]}}<extra></extra>" for index in chosen]
            if any(labels):
                trace.mode, trace.text = "markers+text", [labels[index] for index in chosen]
            figure.add_trace(trace, **where)
        # The legend names each kind of mark once; a click on it hides the kind in every view.
        figure.update_traces(showlegend=place == 0, **where)
    # A hover is written once and looked up by each view: it is most of the page's size.
    figure.update_layout(meta=[_hover(point, axes) for point in shown])
    return styled(figure, title)


def pairs(axes: Sequence[Axis], about: str | None = None) -> list[tuple[int | None, int]]:
    """(x, y) of each pair of objectives: a maximised one on y if only one of them is.

    Those with the objective `about` alone, where there are any.
    """
    every: list[tuple[int | None, int]] = [
        (second, first) if axes[first].maximize and not axes[second].maximize else (first, second)
        for first, second in combinations(range(len(axes)), 2)
    ]
    return [p for p in every if about in {axes[i].name for i in p if i is not None}] or every


def _staircase(x: _Column, y: _Column) -> tuple[list[float], list[float]]:
    """The corners of what two objectives attain, from the best x to the worst, for shape "hv".

    Walked in that order the line keeps the last y until the next point's x is reached, and only
    then takes the better y: it never claims a value that no trial has. Both ends run on to the
    worse edges of the view.
    """
    pair = np.column_stack([x.losses, y.losses])
    # Equal rows would only repeat a corner.
    corners = np.flatnonzero(front_mask(pair))
    corners = corners[np.argsort(pair[corners, 0], kind="stable")]
    xs, ys = x.values[corners].tolist(), y.values[corners].tolist()
    return [xs[0], *xs, x.worst_edge()], [y.worst_edge(), *ys, ys[-1]]


def _best_so_far(numbers: Floats, y: _Column) -> tuple[list[float], list[float]]:
    """The best value up to each trial, for shape "hv"; trials in the order of their numbers."""
    best = np.minimum.accumulate(y.losses)
    improved = np.flatnonzero(np.diff(best, prepend=np.inf) < 0)
    xs, ys = numbers[improved].tolist(), y.values[improved].tolist()
    return [*xs, float(numbers[-1])], [*ys, ys[-1]]


def _quantity(value: float, axis: Axis) -> str:
    if axis.unit == "fraction":
        return f"{100 * value:.2f} %"
    number = f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"
    return number if axis.unit in ("", axis.name) else f"{number} {axis.unit}"


def _hover(point: Point, axes: Sequence[Axis]) -> str:
    lines = [f"trial {point.number}" + (f": {point.label}" if point.label else "")]
    lines += [
        f"{axis.name}: {_quantity(float(value), axis)}"
        for axis, value in zip(axes, point.values, strict=True)
    ]
    return hover([*lines, *point.text.splitlines()])


def _dots(name: str, kind: str, rank: int, marker: dict[str, object]) -> go.Scatter:
    return go.Scatter(
        name=name,
        legendgroup=kind,
        legendrank=rank,
        mode="markers",
        marker=marker,
        textposition="top center",
        # A label at the edge of a view would lose its letters.
        cliponaxis=False,
    )


def _floor(axis: Axis, across: Floats) -> go.Scatter:
    """The line from which on a network counts, from end to end of a view."""
    return go.Scatter(
        x=[float(across.min()), float(across.max())],
        y=[axis.reference] * 2,
        mode="lines",
        line={"color": GREEN, "width": 1.5, "dash": "dash"},
        name=f"counts from {_quantity(axis.reference, axis)}",
        legendgroup="floor",
        legendrank=4,
        hoverinfo="skip",
    )


def _axis_style(column: _Column) -> dict[str, object]:
    axis, (low, high) = column.axis, column.drawn_range()
    percent = axis.unit == "fraction"
    unit = "" if percent or axis.unit in ("", axis.name) else f" ({axis.unit})"
    style: dict[str, object] = {"title_text": escaped(axis.name + unit), "range": (low, high)}
    if percent:
        style["tickformat"] = "~%"
    return style | log_axis(low, high) if axis.log else style


def _empty_figure(title: str) -> go.Figure:
    figure = styled(go.Figure(), title)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    middle = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    figure.add_annotation(text="no finished trials yet", font_size=16, **middle)
    return figure
