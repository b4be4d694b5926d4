"""The front: accuracy against each cost, the same in 3D, references, and each trial in detail."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from studies.labels import sides
from studies.page import PageTable
from studies.plots import pairs, pareto_figure, within
from studies.report.content import Content, Reference, quantity
from studies.report.section import Block, Detail, Drawn, Section, Words
from studies.style import BLUE, GREEN, ORANGE, VERMILION, escaped, hover, log_axis, styled

TITLE = "The Pareto front"
ABOUT = "accuracy"
REACH = 0.7
"""Decades beyond the trials within which a reference is drawn; further away it is only listed."""

ACCURACY_REACH = 0.08
REFERENCE_SIZE = 10
ON_LINE = 200
"""Dots that stand for the line from which on a network counts, where names should not be."""
OTHER = "#8a96a3"


def section(content: Content) -> Section:
    """The figures, the panel of the trial that is chosen, and the references as a table."""
    points = content.results.points()
    if not points:
        return Section("front", TITLE, [Words("No trial has completed yet."), *_table(content)])
    figure = pareto_figure(points, content.axes, "", ABOUT)
    for trace in figure.data:
        if trace.legendgroup in ("front", "other"):
            trace.selected = {"marker": {"size": 15, "color": VERMILION, "opacity": 1}}
            trace.unselected = {"marker": {"opacity": trace.marker.opacity or 1}}
    drawn = _add_references(figure, content)
    names = [axis.name for axis in content.axes]
    are = "is" if len(content.front) == 1 else "are"
    words = (
        f"Every completed trial by {', '.join(names)}; {len(content.front)} of {len(points)} {are} "
        "on the front (large marks)."
        if len(names) > 1
        else f"{names[0]} of every completed trial, in order, and the best so far."
    )
    words += f" Diamonds are other networks: {_joined(drawn)}." if drawn else ""
    words += (
        " A click on a point, or the left and right arrow keys while the figure has the focus, "
        "show a trial below."
    )
    blocks: list[Block] = [Drawn("front-figure", figure, words, picks=True)]
    if len(content.axes) >= 3:
        three = " and ".join(axis.name for axis in content.axes[:3])
        words = f"The same trials by {three} at once; it can be turned."
        blocks.append(Drawn("space-figure", space_figure(content), words, picks=True))
    return Section("front", TITLE, [*blocks, Detail(), *_table(content)])


def _joined(references: Sequence[Reference]) -> str:
    kinds = {
        "published": [r.name for r in references if r.published],
        "measured by this tool": [r.name for r in references if not r.published],
    }
    return "; ".join(f"{', '.join(names)} ({kind})" for kind, names in kinds.items() if names)


ROOM = 0.12
"""Share of a range beyond a reference's point, for its name, which else would meet the legend."""


def _add_references(figure: go.Figure, content: Content) -> list[Reference]:
    """Draw the references that are near the trials, and give them room; those that were drawn."""
    used: dict[str, Reference] = {}
    values = [result.values for result in content.results.completed]
    views = pairs(content.axes, ABOUT)
    across = min(3, max(1, len(views)))
    for place, (x_axis, y_axis) in enumerate(views):
        if x_axis is None:
            continue
        x, y = content.axes[x_axis], content.axes[y_axis]
        where = {"row": place // across + 1, "col": place % across + 1}
        shown: list[tuple[tuple[float, float], Reference]] = []
        for reference in content.references:
            across_x, up_y = reference.value(x), reference.value(y)
            if across_x is None or up_y is None:
                continue
            near_x = _near(across_x, x.log, [row[x_axis] for row in values])
            if near_x and _near(up_y, y.log, [row[y_axis] for row in values]):
                shown.append(((across_x, up_y), reference))
        if not shown:
            continue
        to = []  # where a value is in the view, 0..1
        for axis, key, column in ((x, "xaxis", 0), (y, "yaxis", 1)):
            suffix = "" if place == 0 else str(place + 1)
            low, high = figure.layout[f"{key}{suffix}"].range
            scaled = [math.log10(t[column]) if axis.log else t[column] for t, _ in shown]
            pad = ROOM * (high - low)
            reach = min(low, *(v - pad for v in scaled)), max(high, *(v + pad for v in scaled))
            reach = within(axis, *reach)
            wider = log_axis(*reach) if axis.log else {"range": reach}
            figure.layout[f"{key}{suffix}"].update(wider)
            to.append(_Scale(axis.log, *reach))
        dots = [[to[0].place(row[x_axis]), to[1].place(row[y_axis])] for row in values]
        if y.least_error:
            dots += [[along, to[1].place(y.reference)] for along in np.linspace(0, 1, ON_LINE)]
        beside = sides(
            [reference.name for _, reference in shown],
            np.array([[scale.place(v) for scale, v in zip(to, t, strict=True)] for t, _ in shown]),
            REFERENCE_SIZE,
            np.array(dots),
        )
        for published in (False, True):
            kind = [
                _Mark(*one, side)
                for one, side in zip(shown, beside, strict=True)
                if one[1].published is published
            ]
            if kind:
                trace = _reference_dots(kind, published)
                trace.showlegend = trace.name not in {t.name for t in figure.data}
                figure.add_trace(trace, **where)
        used |= {reference.name: reference for _, reference in shown}
    return list(used.values())


class _Scale(NamedTuple):
    """An axis of a view, from its low to its high end, both logarithms where it has one."""

    log: bool
    low: float
    high: float

    def place(self, value: float) -> float:
        """Where a value is, 0 at the low end and 1 at the high one."""
        return ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)


def _near(value: float, log: bool, values: Sequence[float]) -> bool:
    if log:
        reach, value = REACH, math.log10(value)
        low, high = math.log10(min(values)), math.log10(max(values))
    else:
        reach, low, high = ACCURACY_REACH, min(values), max(values)
    return low - reach <= value <= high + reach


class _Mark(NamedTuple):
    """A reference at its values in a view, its name on a side of that."""

    values: tuple[float, float]
    reference: Reference
    side: str


def _reference_dots(marks: Sequence[_Mark], published: bool) -> go.Scatter:
    references = [mark.reference for mark in marks]
    return go.Scatter(
        x=[mark.values[0] for mark in marks],
        y=[mark.values[1] for mark in marks],
        mode="markers+text",
        name="published results" if published else "measured by this tool",
        legendgroup="published" if published else "catalog",
        text=[escaped(reference.name) for reference in references],
        textposition=[mark.side for mark in marks],
        marker={
            "symbol": "diamond-open" if published else "diamond",
            "size": REFERENCE_SIZE,
            "color": ORANGE if published else GREEN,
        },
        hovertext=[hover((reference.name, reference.source)) for reference in references],
        hoverinfo="text",
        cliponaxis=False,
    )


def space_figure(content: Content) -> go.Figure:
    """The first three objectives in space: the front as diamonds, others as circles."""
    front = {result.number for result in content.front}
    axes = content.axes[:3]
    figure = go.Figure()
    kinds: tuple[tuple[str, bool, dict[str, Any]], ...] = (
        ("other trials", False, {"size": 3, "color": OTHER, "opacity": 0.5}),
        ("front", True, {"size": 5, "color": BLUE, "symbol": "diamond"}),
    )
    # Costs first: they lie flat, and accuracy stands up.
    order = sorted(range(3), key=lambda place: axes[place].maximize)
    for name, member, marker in kinds:
        chosen = [r for r in content.results.completed if (r.number in front) is member]
        columns = [[r.values[place] for r in chosen] for place in order]
        figure.add_trace(
            go.Scatter3d(
                x=columns[0],
                y=columns[1],
                z=columns[2],
                mode="markers",
                name=name,
                marker=marker,
                customdata=[r.number for r in chosen],
                hovertemplate="trial %{customdata}<extra></extra>",
            )
        )
    mark = {"size": 9, "color": VERMILION, "symbol": "circle-open"}
    figure.add_trace(
        go.Scatter3d(x=[], y=[], z=[], mode="markers", name="chosen", marker=mark, hoverinfo="skip")
    )
    styled(figure, "")
    scene = {}
    for letter, place in zip("xyz", order, strict=True):
        axis = axes[place]
        style: dict[str, Any] = {"title": {"text": escaped(axis.name)}}
        style |= {"type": "log", "tickformat": "~s", "nticks": 4} if axis.log else {}
        style |= {"tickformat": "~%"} if axis.unit == "fraction" else {}
        scene[f"{letter}axis"] = style
    scene["camera"] = {"eye": {"x": -1.75, "y": -1.75, "z": 0.65}, "center": {"z": -0.15}}
    return figure.update_layout(scene=scene, height=520, margin={"l": 0, "r": 0, "t": 40, "b": 0})


def _table(content: Content) -> list[PageTable]:
    if not content.references:
        return []
    rows = tuple(
        (
            reference.name,
            "not known" if reference.params is None else f"{reference.params:,}",
            "not known" if reference.flops is None else f"{reference.flops:,}",
            "not known" if reference.accuracy is None else f"{reference.accuracy:.2%}",
            "published" if reference.published else "this tool",
            reference.source,
        )
        for reference in content.references
    )
    header = ("network", "params", "FLOPs", "accuracy", "according to", "source")
    return [PageTable("Other networks", header, rows)]


def details(content: Content) -> dict[str, Any]:
    """What the page shows of a chosen trial, by its number; and the front in order.

    Curves are of those with a drawing: the others' would make the page large.
    """
    trials = {trial.number: trial for trial in content.trials}
    shown = {}
    for result in content.results.completed:
        number = result.number
        rows = [
            (axis.name, quantity(axis, value))
            for axis, value in zip(content.axes, result.values, strict=True)
        ]
        known = {"params": result.params, "flops": result.flops, **trials[number].kept.costs}
        named = {axis.name for axis in content.axes}
        rows += [
            (name.replace("_", " "), f"{value:.3g} s" if name == "latency" else f"{value:,}")
            for name, value in known.items()
            if name not in named
        ]
        rungs = zip(content.budgets, trials[number].rungs, strict=False)
        rows += [(f"accuracy after {b:,} images", f"{accuracy:.2%}") for b, accuracy in rungs]
        rows.append(("seconds of evaluation", f"{result.seconds:,.1f}"))
        one: dict[str, Any] = {"text": result.text, "rows": rows}
        if number in content.drawings:
            one["svg"] = content.drawings[number]
            one["curves"] = [
                [
                    budget,
                    [[x, round(loss, 4), round(acc, 4)] for x, loss, acc in run.evaluation.curve],
                ]
                for budget in content.budgets
                if (run := content.by_run.get((result.key, budget))) and run.evaluation.curve
            ]
        shown[number] = one
    return {
        "trials": shown,
        "front": [result.number for result in content.front],
        "options": content.options(),
        "best": _best(content),
    }


def _best(content: Content) -> int | None:
    """The trial that is shown first: the most accurate of the front, or the front's last."""
    front = content.front
    names = [axis.name for axis in content.axes]
    if not front or ABOUT not in names:
        return front[-1].number if front else None
    place = names.index(ABOUT)
    return max(front, key=lambda result: result.values[place]).number
