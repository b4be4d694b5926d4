"""Learning curves: training loss and accuracy against images seen, of the longest short runs."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from studies.report.content import Content
from studies.report.section import Drawn, Section, Words
from studies.style import BLUE, styled
from studies.wording import counted

TITLE = "Learning curves"
MOST_OTHERS = 80
"""Curves beside the front's, of candidates spread evenly over the accuracies."""

Curve = Sequence[tuple[int, float, float]]


def section(content: Content) -> Section:
    """The front's curves in front of others'."""
    last = content.budgets[-1] if content.budgets else 0
    front = {result.key for result in content.front}
    runs = [
        one for one in content.evaluations if one.budget == last and len(one.evaluation.curve) > 1
    ]
    own = {trial.key for trial in content.trials}
    runs = [one for one in runs if one.key in own]
    if not runs:
        words = "No learning curve is stored: nothing was trained to the last rung"
        return Section("curves", TITLE, [Words(f"{words}, or its evaluations were replayed.")])
    members = [one.evaluation.curve for one in runs if one.key in front]
    rest = sorted(
        (o for o in runs if o.key not in front), key=lambda o: o.evaluation.accuracy or 0.0
    )
    step = max(1, -(-len(rest) // MOST_OTHERS))
    others = [one.evaluation.curve for one in rest[::step]]
    some = counted(len(rest), "other candidate")
    if len(others) < len(rest):
        some = f"{len(others)} of the {some}"
    words = (
        f"Training loss and accuracy of {counted(len(members), 'member')} of the front (blue, "
        f"thick) and of {some} with {last:,} images (gray, thin). "
        "They are measured while training, at a learning rate that falls to zero, with label "
        "smoothing in the loss; what decides is accuracy on validation images afterwards."
    )
    figure = learning_figure(members, others)
    return Section("curves", TITLE, [Drawn("curves-figure", figure, words)])


def learning_figure(front: Sequence[Curve], others: Sequence[Curve]) -> go.Figure:
    """Two views, loss and accuracy; a kind of curve is one trace with gaps."""
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    kinds = (
        ("other candidates", others, {"color": "#8a96a3", "width": 1}, 0.45),
        ("front", front, {"color": BLUE, "width": 2}, 0.9),
    )
    for name, curves, line, opacity in kinds:
        for view in (1, 2):
            x: list[int | None] = []
            y: list[float | None] = []
            for curve in curves:
                x += [*(point[0] for point in curve), None]
                y += [*(round(point[view], 4) for point in curve), None]
            trace = go.Scatter(x=x, y=y, name=name, legendgroup=name, mode="lines")
            trace.update(line=line, opacity=opacity, showlegend=view == 1 and bool(curves))
            trace.update(hoverinfo="skip")
            figure.add_trace(trace, row=1, col=view)
    figure.update_xaxes(title_text="images seen", tickformat="~s")
    figure.update_yaxes(title_text="training loss", row=1, col=1)
    figure.update_yaxes(title_text="training accuracy", tickformat="~%", row=1, col=2)
    return styled(figure, "")
