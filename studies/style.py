"""What every figure shares: colours, fonts, frame, logarithmic axes, and escaped hovers."""

import html
import math
import textwrap
from collections.abc import Sequence

import plotly.graph_objects as go

# Okabe and Ito's colours, which stay apart for colour-blind readers (jfly.uni-koeln.de/color);
# without their black, which is the ink's, and their yellow, which is too pale on white.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
SYMBOLS = ("circle", "square", "diamond", "triangle-up")
"""Six colours by four symbols tell 24 things apart."""
INK, GRID, FAINT_GRID = "#24313d", "#dfe4e8", "#f0f2f4"
FONT_SIZE = 13
HOVER_WIDTH = 56


def escaped(text: str) -> str:
    """Text as Plotly shows it literally: it knows &lt; &gt; and &amp;, but not &quot;."""
    return html.escape(text, quote=False)


def hover(lines: Sequence[str]) -> str:
    """Lines of plain text as a hover: the first in bold, the others wrapped."""
    first, *rest = lines
    wrapped = [part for line in rest for part in textwrap.wrap(line, HOVER_WIDTH)]
    return "<br>".join([f"<b>{escaped(first)}</b>", *map(escaped, wrapped)])


def log_axis(low: float, high: float) -> dict[str, object]:
    """Settings of a logarithmic axis drawn from 10**low to 10**high, with SI prefixes above 1."""
    return {
        "type": "log",
        "range": (low, high),
        "tickformat": "~s" if low >= 0 else "~g",
        # Plotly labels whole decades where span / nticks is above 0.7, and 1, 2 and 5 below it;
        # by itself it chooses more labels than a narrow view has room for.
        "nticks": max(3, math.ceil((high - low) / 0.97)),
        "minor": {"dtick": "D1", "showgrid": True, "gridcolor": FAINT_GRID},
    }


def styled(figure: go.Figure, title: str) -> go.Figure:
    """Give a figure its title, escaped, and the look that all figures have."""
    figure.update_layout(
        template="plotly_white",
        title={
            "text": escaped(title),
            "x": 0.01,
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 34},
        },
        font={"family": "system-ui, sans-serif", "size": FONT_SIZE, "color": INK},
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
