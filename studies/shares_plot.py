"""The figure of where a network's parameters and FLOPs lie, by kind of layer."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from studies.style import SERIES, escaped, hover, styled

COLORS = (*SERIES, "#8a96a3", "#5b4a8a", "#a0522d")
LEAST = 0.005
"""Kinds below this share of everything are left to the table."""

Shares = Mapping[str, tuple[float, float]]
"""Kind of layer to its share of the parameters and of the FLOPs, 0 to 1."""


def shares_figure(networks: Mapping[str, Shares], title: str = "") -> go.Figure:
    """A bar a network, stacked by kind of layer: parameters in one view, FLOPs in the other.

    Raises ValueError without a network.
    """
    if not networks:
        raise ValueError("networks is empty: give at least one network to draw")
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    names = [escaped(name) for name in networks]
    for place, kind in enumerate(_kinds(networks)):
        for view, what in enumerate(("parameters", "FLOPs")):
            shares = [shares.get(kind, (0.0, 0.0))[view] for shares in networks.values()]
            figure.add_trace(
                go.Bar(
                    y=names,
                    x=shares,
                    orientation="h",
                    name=escaped(kind),
                    legendgroup=kind,
                    showlegend=view == 0,
                    marker_color=COLORS[place % len(COLORS)],
                    hovertemplate=[
                        hover([f"{name}: {kind}", f"{share:.1%} of its {what}"]) + "<extra></extra>"
                        for name, share in zip(networks, shares, strict=True)
                    ],
                ),
                row=1,
                col=view + 1,
            )
            figure.update_xaxes(
                title_text=f"share of {what}", tickformat="~%", range=(0, 1), row=1, col=view + 1
            )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_yaxes(showticklabels=False, col=2)
    figure.update_layout(barmode="stack")
    return styled(figure, title)


def _kinds(networks: Mapping[str, Shares]) -> Sequence[str]:
    """Kinds that matter somewhere, the largest share first."""
    largest: dict[str, float] = {}
    for shares in networks.values():
        for kind, both in shares.items():
            largest[kind] = max(largest.get(kind, 0.0), *both)
    return sorted((k for k, share in largest.items() if share >= LEAST), key=lambda k: -largest[k])
