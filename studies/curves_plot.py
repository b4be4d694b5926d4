"""The figure of a full training: loss and accuracy by epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from studies.style import BLUE, VERMILION, styled


@dataclass(frozen=True)
class CurvePoint:
    """An epoch: training loss and accuracy (0..1); accuracy on validation images, if measured."""

    epoch: int
    loss: float
    accuracy: float
    validation: float | None = None


def curves_figure(points: Sequence[CurvePoint], title: str = "") -> go.Figure:
    """Two views, loss and accuracy, against epochs.

    Raises ValueError without a point.
    """
    if not points:
        raise ValueError("points is empty: give at least one epoch to draw")
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    epochs = [point.epoch for point in points]
    lines = "lines" if len(points) > 1 else "markers"

    def add(values: list[float], at: list[int], name: str, color: str, view: int) -> None:
        figure.add_trace(
            go.Scatter(
                x=at,
                y=values,
                name=name,
                mode="lines+markers" if name == "validation" else lines,
                line={"color": color, "dash": "dot" if name == "validation" else "solid"},
                showlegend=view == 2,
                hovertemplate="epoch %{x}: %{y}<extra>" + name + "</extra>",
            ),
            row=1,
            col=view,
        )

    add([point.loss for point in points], epochs, "training, augmented", BLUE, 1)
    add([point.accuracy for point in points], epochs, "training, augmented", BLUE, 2)
    measured = [(p.validation, p.epoch) for p in points if p.validation is not None]
    if measured:
        values, at = zip(*measured, strict=True)
        add(list(values), list(at), "validation", VERMILION, 2)
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="loss", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="accuracy", tickformat=".1%", row=1, col=2)
    return styled(figure, title)
