"""The figures of studies beside each other: their fronts in one view, and how each grew."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from studies.joint import Beside
from studies.pareto import front_mask, losses
from studies.plots import pairs
from studies.style import SERIES, SYMBOLS, escaped, hover, log_axis, styled

DASHES = ("solid", "dash", "dot", "dashdot")


def fronts_figure(studies: Sequence[Beside]) -> go.Figure:
    """The front of each pair of objectives, a line a study, and a mark for each member."""
    axes = studies[0].results.axes
    views = pairs(axes, "accuracy")
    across = max(1, len(views))
    figure = make_subplots(rows=1, cols=across, horizontal_spacing=0.24 / across)
    for place, one in enumerate(studies):
        completed = one.results.distinct()
        values = np.array([result.values for result in completed]).reshape(-1, len(axes))
        rows = losses(values, axes)
        for view, (x, y) in enumerate(views, 1):
            if x is None or not len(values):
                continue
            members = np.flatnonzero(front_mask(rows[:, [x, y]]))
            members = members[np.argsort(values[members, x], kind="stable")]
            trace = go.Scatter(
                x=values[members, x].tolist(),
                y=values[members, y].tolist(),
                mode="lines+markers",
                name=escaped(one.name),
                legendgroup=str(place),
                showlegend=view == 1,
                line={"color": color(place), "shape": "hv", "dash": dash(place), "width": 2},
                marker={"symbol": symbol(place), "size": 8, "color": color(place)},
                text=[
                    hover([f"{one.name}, trial {completed[row].number}", completed[row].text])
                    for row in members
                ],
                hovertemplate="%{text}<extra></extra>",
            )
            figure.add_trace(trace, row=1, col=view)
    for view, (x, y) in enumerate(views, 1):
        if x is not None:
            figure.update_xaxes(title_text=f"{axes[x].name} ({axes[x].unit})", row=1, col=view)
            known = [r.values[x] for one in studies for r in one.results.completed]
            if axes[x].log and known:
                ends = np.log10([0.8 * min(known), 1.25 * max(known)])
                figure.update_xaxes(**log_axis(*ends.tolist()), row=1, col=view)
        percent = {"tickformat": ".1%"} if axes[y].unit == "fraction" else {}
        figure.update_yaxes(title_text=axes[y].name, **percent, row=1, col=view)
    return styled(figure, "Fronts of each two objectives")


def courses_figure(studies: Sequence[Beside]) -> go.Figure:
    """Hypervolume against trials and against core-seconds, a line a study."""
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    for place, one in enumerate(studies):
        course, (trials, seconds) = one.course, one.total()
        for view, (name, x, end) in enumerate(
            (("trials", course.trials, trials), ("core-seconds", course.seconds, seconds)), 1
        ):
            steps = [0.0, *x.tolist(), float(end)]
            volumes = [0.0, *course.volumes.tolist()]
            volumes.append(volumes[-1])
            trace = go.Scatter(
                x=steps,
                y=[round(volume, 6) for volume in volumes],
                mode="lines",
                name=escaped(one.name),
                legendgroup=str(place),
                showlegend=view == 1,
                line={"color": color(place), "shape": "hv", "dash": dash(place), "width": 2},
                hovertemplate=f"%{{y:.3f}} after %{{x:,.0f}} {name}"
                f"<extra>{escaped(one.name)}</extra>",
            )
            figure.add_trace(trace, row=1, col=view)
            figure.update_xaxes(title_text=f"{name} so far", rangemode="tozero", row=1, col=view)
            figure.update_yaxes(title_text="hypervolume", rangemode="tozero", row=1, col=view)
    return styled(figure, "How each front grew")


def color(place: int) -> str:
    """The colour of the study at a place; they come again after the last."""
    return SERIES[place % len(SERIES)]


def symbol(place: int) -> str:
    """The mark of the study at a place."""
    return SYMBOLS[place % len(SYMBOLS)]


def dash(place: int) -> str:
    """The kind of line of the study at a place: another one each time that colours come again."""
    return DASHES[place // len(SERIES) % len(DASHES)]
