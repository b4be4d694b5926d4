"""How the front grew: hypervolume against trials, and against seconds of evaluation."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from studies.pareto import Floats, hypervolume_trace, losses, reference_point
from studies.report.content import Content
from studies.report.section import Drawn, Section, Words
from studies.style import BLUE, styled
from studies.wording import counted

TITLE = "How the front grew"


def section(content: Content) -> Section:
    """Two views of one curve, and in words how late the last of it came."""
    results = content.results
    if not results.completed:
        return Section("volume", TITLE, [Words("No trial has completed yet.")])
    values = [result.values for result in results.completed]
    minimised = losses(values, content.axes)
    trace = hypervolume_trace(minimised, reference_point(content.axes))
    numbers = np.array([result.number for result in results.completed])
    spent = np.cumsum([trial.seconds for trial in content.trials])
    place = {trial.number: index for index, trial in enumerate(content.trials)}
    seconds = spent[[place[number] for number in numbers]]
    begun = numbers + 1
    words = _words(trace, begun, seconds)
    reference = ", ".join(f"{axis.name} {axis.reference:,.15g}" for axis in content.axes)
    whole = "of the error" if any(a.least_error for a in content.axes) else "a whole of accuracy"
    note = (
        f"The reference point is {reference}; a decade of a cost and {whole} count one each. "
        "Seconds are those of all evaluations so far, of stopped trials too, as on one worker."
    )
    figure = volume_figure(begun.tolist(), seconds.tolist(), trace.tolist())
    return Section("volume", TITLE, [Drawn("volume-figure", figure, words), Words(note)])


def _words(trace: Floats, begun: NDArray[np.int_], seconds: Floats) -> str:
    end = float(trace[-1])
    if end <= 0:
        return "No trial is better than the reference point in every objective: hypervolume 0."
    reached = []
    for share in (0.9, 0.99):
        first = int(np.argmax(trace >= share * end))
        reached.append(
            f"{share:.0%} of it was there after {counted(int(begun[first]), 'trial')} and "
            f"{seconds[first]:,.0f} s of evaluation"
        )
    return f"The hypervolume ends at {end:.3f}: {', '.join(reached)}."


def volume_figure(trials: list[int], seconds: list[float], volumes: list[float]) -> go.Figure:
    """Hypervolume as steps, against trials begun and against seconds spent."""
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    rounded = [round(volume, 6) for volume in volumes]
    kinds: tuple[tuple[str, Sequence[float]], ...] = (("trials", trials), ("seconds", seconds))
    for view, (name, x) in enumerate(kinds, 1):
        steps = _steps(x, rounded)
        line = {"color": BLUE, "width": 2, "shape": "hv"}
        mode = "lines" if len(steps[0]) > 1 else "markers"
        hover = f"%{{y:.3f}} after %{{x:,.0f}} {name}<extra></extra>"
        figure.add_trace(
            go.Scatter(
                x=steps[0],
                y=steps[1],
                mode=mode,
                line=line,
                showlegend=False,
                hovertemplate=hover,
            ),
            row=1,
            col=view,
        )
        figure.update_xaxes(title_text=f"{name} so far", rangemode="tozero", row=1, col=view)
        figure.update_yaxes(title_text="hypervolume", rangemode="tozero", row=1, col=view)
    return styled(figure, "").update_layout(margin_t=20)


def _steps(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """The points where y changes, and the last one."""
    kept = [i for i in range(len(y)) if i in (0, len(y) - 1) or y[i] != y[i - 1]]
    return [round(float(x[i]), 1) for i in kept], [y[i] for i in kept]
