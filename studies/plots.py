"""Plotly figures of a study's trials, and the page that shows one without a network.

The functions return figures and strings; they never show or save. Every text that comes from a
trial or a user is escaped, because Plotly reads a subset of HTML in hovers and titles.
"""

import html
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from studies.pareto import Axis, Floats, front_mask, losses

# Okabe and Ito's colours, which stay apart for colour-blind readers (jfly.uni-koeln.de/color).
FRONT_MARKER = {"color": "#0072B2", "size": 9, "line": {"color": "white", "width": 1}}
OTHER_MARKER = {"color": "#8a96a3", "size": 5, "opacity": 0.5}
STEP_COLOR = "#D55E00"
INK, GRID, FAINT_GRID = "#24313d", "#dfe4e8", "#f0f2f4"
HOVER_WIDTH = 56
MOST_COLUMNS = 3
CONFIG = {
    "responsive": True,
    "displaylogo": False,
    # Plotly 7 has a button that sends the data to its cloud, unless told otherwise.
    "showSendToCloud": False,
    # What remains fits beside the title on a narrow page.
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
}


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
        low, high = float(scaled.min()), float(scaled.max())
        # One point, or points of equal value, still need an axis of some width around them.
        pad = 0.05 * (high - low) or (0.3 if self.axis.log else 0.1 * abs(high) or 1.0)
        return low - pad, high + pad

    def worst_edge(self) -> float:
        """The value at the worse end of the range, in user units."""
        low, high = self.drawn_range()
        edge = low if self.axis.maximize else high
        return 10.0**edge if self.axis.log else edge


def pareto_figure(points: Sequence[Point], axes: Sequence[Axis], title: str) -> go.Figure:
    """The trials, one view per pair of objectives, with the front of each pair as a staircase.

    Filled points are on the front over all objectives; the staircase bounds what has been
    attained in that pair alone. A maximised objective is on the y axis, against a cost on the x
    axis. One objective gives one view: value against trial number, and the best so far. Trials
    with NaN are left out. Raises ValueError as `losses` does, and on points whose values do not
    match the axes.
    """
    for point in points:
        if len(point.values) != len(axes):
            raise ValueError(
                f"trial {point.number} has {len(point.values)} values and there are "
                f"{len(axes)} axes: give one value per axis"
            )
    finite = [point for point in points if not any(map(math.isnan, point.values))]
    shown = sorted(finite, key=lambda point: point.number)
    values = np.array([point.values for point in shown], dtype=np.float64)
    minimised = losses(values, axes)
    if not shown:
        return _empty_figure(title)
    on_front = front_mask(minimised)
    labels = [html.escape(point.label, quote=False) for point in shown]
    columns = [
        _Column(axis, values[:, place], minimised[:, place]) for place, axis in enumerate(axes)
    ]
    views = _pairs(axes) or [(None, 0)]
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
        for mask, trace in (
            (~on_front, _dots("other trials", "other", 3, OTHER_MARKER)),
            (on_front, _dots(front_name, "front", 1, FRONT_MARKER)),
        ):
            chosen = np.flatnonzero(mask)
            trace.x, trace.y = x_values[chosen], y.values[chosen]
            trace.hovertemplate = [f"%{{meta[{index}]}}<extra></extra>" for index in chosen]
            if any(labels):
                trace.mode, trace.text = "markers+text", [labels[index] for index in chosen]
            figure.add_trace(trace, **where)
        # The legend names each kind of mark once; a click on it hides the kind in every view.
        figure.update_traces(showlegend=place == 0, **where)
    # A hover is written once and looked up by each view: it is most of the page's size.
    figure.update_layout(meta=[_hover(point, axes) for point in shown])
    return _styled(figure, title)


def figure_html(figure: go.Figure, element: str, with_library: bool) -> str:
    """A figure as an HTML fragment that lays its views out anew when the width changes.

    `element` is the id of its div. `with_library` puts plotly.js inside: once a page, first.
    """
    fragment: str = figure.to_html(
        full_html=False,
        include_plotlyjs=with_library,
        div_id=element,
        config=CONFIG,
        post_script=ARRANGE,
    )
    return fragment


def pareto_page(figure: go.Figure, heading: str, note: str = "") -> str:
    """A self-contained HTML document of one figure; plotly.js is inside (about 5 MB).

    Heading and note are escaped. The page's own policy forbids it to load anything at all, so
    that it works, and stays private, on a computer without a network.
    """
    return PAGE.format(
        heading=html.escape(heading),
        note=f"<p>{html.escape(note)}</p>" if note else "",
        figure=figure_html(figure, "pareto", with_library=True),
    )


def _pairs(axes: Sequence[Axis]) -> list[tuple[int | None, int]]:
    """(x, y) of each pair of objectives: a maximised one on y if only one of them is."""
    return [
        (second, first) if axes[first].maximize and not axes[second].maximize else (first, second)
        for first, second in combinations(range(len(axes)), 2)
    ]


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
    for line in point.text.splitlines():
        lines += textwrap.wrap(line, HOVER_WIDTH)
    # Plotly knows &lt; &gt; and &amp;, but would show &quot; as it stands.
    first, *rest = (html.escape(line, quote=False) for line in lines)
    return "<br>".join([f"<b>{first}</b>", *rest])


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


def _axis_style(column: _Column) -> dict[str, object]:
    axis, (low, high) = column.axis, column.drawn_range()
    percent = axis.unit == "fraction"
    unit = "" if percent or axis.unit in ("", axis.name) else f" ({axis.unit})"
    style: dict[str, object] = {
        "title_text": html.escape(axis.name + unit, quote=False),
        "range": (low, high),
    }
    if percent:
        style["tickformat"] = "~%"
    if axis.log:
        # Plotly labels whole decades where span / nticks is above 0.7, and 1, 2 and 5 below it;
        # by itself it chooses more labels than a narrow view has room for.
        nticks = max(3, math.ceil((high - low) / 0.97))
        style |= {"type": "log", "tickformat": "~s" if low >= 0 else "~g", "nticks": nticks}
        style["minor"] = {"dtick": "D1", "showgrid": True, "gridcolor": FAINT_GRID}
    return style


def _styled(figure: go.Figure, title: str) -> go.Figure:
    figure.update_layout(
        template="plotly_white",
        title={
            "text": html.escape(title, quote=False),
            "x": 0.01,
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 34},
        },
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        hoverlabel={"align": "left", "bgcolor": "white", "font": {"color": INK}},
        hovermode="closest",
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.0,
            "yanchor": "bottom",
            "itemsizing": "constant",
        },
        margin={"l": 70, "r": 20, "t": 112 if title else 64, "b": 60},
    )
    frame = {"showline": True, "linecolor": INK, "gridcolor": GRID, "zeroline": False}
    figure.update_xaxes(ticks="outside", title_standoff=8, **frame)
    figure.update_yaxes(ticks="outside", title_standoff=8, **frame)
    return figure


def _empty_figure(title: str) -> go.Figure:
    figure = _styled(go.Figure(), title)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    middle = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    figure.add_annotation(text="no finished trials yet", font_size=16, **middle)
    return figure


# Views stay side by side while each has the width for it, else they wrap; Plotly itself would
# only squeeze them. Gaps are in pixels because the labels that they hold do not shrink.
ARRANGE = """
const plot = document.getElementById('{plot_id}');
const views = Object.keys(plot.layout).filter(k => /^xaxis[0-9]*$/.test(k)).map(k => k.slice(5));
const edge = plot.layout.margin, gap = {x: 85, y: 75};
const margin = {x: edge.l + edge.r, y: edge.t + edge.b};
let last = '';
function arrange() {
  const across = Math.max(1, Math.min(views.length, 3, Math.floor(plot.clientWidth / 340)));
  const down = Math.ceil(views.length / across);
  const least = margin.y + down * 280 + (down - 1) * gap.y;
  plot.style.minHeight = least + 'px';
  const width = plot.clientWidth - margin.x;
  const height = Math.max(plot.clientHeight, least) - margin.y;
  const now = [across, width, height].join();
  if (now === last || width <= 0) return;
  last = now;
  const place = (index, count, size, space) => {
    const part = (1 - (count - 1) * space / size) / count;
    const start = index * (part + space / size);
    return [Math.max(0, start), Math.min(1, start + part)];
  };
  const change = {};
  views.forEach((view, index) => {
    change['xaxis' + view + '.domain'] = place(index % across, across, width, gap.x);
    change['yaxis' + view + '.domain'] =
      place(down - 1 - Math.floor(index / across), down, height, gap.y);
  });
  Plotly.relayout(plot, change).then(() => Plotly.Plots.resize(plot));
}
arrange();
new ResizeObserver(arrange).observe(plot);
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
 script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>{heading}</title>
<style>
html, body {{ height: 100%; margin: 0; }}
body {{ display: flex; flex-direction: column; font: 15px system-ui, sans-serif;
  color: #24313d; background: white; }}
h1 {{ font-size: 1.3rem; margin: 0.8rem 1rem 0; }}
p {{ margin: 0.3rem 1rem 0; }}
body > div {{ flex: 1; }}
</style>
</head>
<body>
<h1>{heading}</h1>
{note}
{figure}
</body>
</html>
"""
