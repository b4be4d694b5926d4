"""The roofline figure: what memory and arithmetic let a network attain, and what it attains.

.. [Williams2009] Williams, Waterman and Patterson. Roofline: an insightful visual performance
   model for multicore architectures. Communications of the ACM 52(4), 2009.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from studies.labels import LABEL_MARKER_SIZE, Label, sides
from studies.pareto import Floats
from studies.style import FONT_SIZE, INK, SERIES, SYMBOLS, escaped, hover, log_axis, styled

MARKER_SIZE, LAYER_SIZE = 12, 8
PREFIXES = ("", "k", "M", "G", "T", "P", "E")
X_TITLE = "arithmetic intensity (FLOPs per byte)"
Y_TITLE = "FLOPs per second"


@dataclass(frozen=True)
class Spot:
    """A network on the roofline: its intensity in FLOPs per byte, and the FLOPs per second it has.

    `lines` are plain text that its hover tells below both. `layers` are (name, intensity, FLOPs
    per second) of those layers that have FLOPs at all.
    """

    name: str
    intensity: float
    flops_per_second: float
    lines: tuple[str, ...] = ()
    layers: tuple[tuple[str, float, float], ...] = ()

    def places(self) -> Iterator[tuple[str, float, float]]:
        """(name, intensity, FLOPs per second) of the network, then of its layers."""
        yield self.name, self.intensity, self.flops_per_second
        for name, intensity, rate in self.layers:
            yield f"{self.name}, {name}", intensity, rate


@dataclass(frozen=True)
class _Roof:
    """FLOPs per second at most, and bytes per second at most."""

    peak: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """The intensity from which on arithmetic is the limit, in FLOPs per byte."""
        return self.peak / self.bandwidth

    def at(self, intensity: float) -> float:
        """The attainable FLOPs per second."""
        return min(self.peak, self.bandwidth * intensity)

    def limit(self, intensity: float) -> str:
        """What limits a network of that intensity: memory or computation."""
        return "memory" if intensity < self.ridge else "compute"


@dataclass(frozen=True)
class _View:
    """What is drawn, as powers of ten: intensities across, FLOPs per second upwards."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def corners(self) -> tuple[Floats, Floats]:
        """The lower left and the upper right corner of the plot."""
        return np.array([self.left, self.bottom]), np.array([self.right, self.top])

    def fractions(self, points: Sequence[tuple[float, float]]) -> Floats:
        """Places [N, 2] of (intensity, FLOPs per second) in the view, 0..1 on both axes."""
        low, high = self.corners
        places: Floats = (np.log10(np.array(points)) - low) / (high - low)
        return places

    def values(self, places: Sequence[tuple[float, float]]) -> Floats:
        """Values at fractions of the axes: the inverse of `fractions`."""
        low, high = self.corners
        points: Floats = 10 ** (low + np.array(places) * (high - low))
        return points


def roofline_figure(
    networks: Sequence[Spot], peak: float, bandwidth: float, title: str
) -> go.Figure:
    """The roofline of [Williams2009]_ on logarithmic axes, with networks and their layers.

    `peak` is in FLOPs per second, `bandwidth` in bytes per second; the roof is the lower of
    `peak` and `bandwidth` x intensity, and the ridge point is where the two meet. A network is a
    point with its name. Its layers are small dots in its colour, which the legend hides and
    shows, network by network. A point above the roof is drawn where it is. Raises ValueError
    without a network, and on any number that is not above 0 and finite.
    """
    if not networks:
        raise ValueError("networks is empty: give at least one network for the roofline")
    _check("peak", peak)
    _check("bandwidth", bandwidth)
    for network in networks:
        for name, intensity, rate in network.places():
            _check(f"intensity of {name}", intensity, "; leave out layers without FLOPs")
            _check(f"FLOPs per second of {name}", rate, "; leave out layers without FLOPs")
    roof = _Roof(peak, bandwidth)
    view = _view(networks, roof)
    names = _roof_names(roof, view)
    figure = go.Figure()
    figure.add_trace(_roof_line(roof, view))
    figure.add_traces(
        [
            _layer_dots(network, place, roof)
            for place, network in enumerate(networks)
            if network.layers
        ]
    )
    figure.add_traces([_ridge_mark(roof, view), _written_labels(names, view)])
    figure.add_trace(_network_points(networks, roof, view, names))
    figure.update_xaxes(title_text=X_TITLE, **log_axis(view.left, view.right))
    figure.update_yaxes(title_text=Y_TITLE, **log_axis(view.bottom, view.top))
    styled(figure, title)
    dotted = any(network.layers for network in networks)
    figure.update_layout(
        showlegend=dotted, legend_title={"text": "layers of:", "font_size": FONT_SIZE}
    )
    return figure


def _check(what: str, value: float, way_out: str = "") -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(
            f"{what} is {value}: both axes are logarithmic, so it must be a finite number "
            f"above 0{way_out}"
        )


def _view(networks: Sequence[Spot], roof: _Roof) -> _View:
    """Everything, a decade or more on either side of the ridge, and room for text."""
    places = [place for network in networks for place in network.places()]
    across = [math.log10(intensity) for _, intensity, _ in places]
    ridge = math.log10(roof.ridge)
    last = math.log10(max(network.intensity for network in networks))
    right = max([*across, last + 0.6, ridge + 1])
    left = min([*across, ridge - max(1, 0.5 * (right - ridge))])
    pad = 0.04 * (right - left)
    left, right = left - pad, right + pad
    upwards = [rate for _, _, rate in places] + [roof.peak, roof.at(10**left)]
    bottom, top = math.log10(min(upwards)), math.log10(max(upwards))
    height = top - bottom
    return _View(left, right, bottom - 0.06 * height, top + 0.22 * height)


def _roof_line(roof: _Roof, view: _View) -> go.Scatter:
    ends = 10**view.left, 10**view.right
    return go.Scatter(
        name="roof",
        x=[ends[0], roof.ridge, ends[1]],
        y=[roof.at(ends[0]), roof.peak, roof.peak],
        mode="lines",
        line={"color": INK, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )


def _roof_names(roof: _Roof, view: _View) -> list[Label]:
    """The names of ridge point, slope and ceiling, with their values."""
    (ridge, peak), *_ = view.fractions([(roof.ridge, roof.peak)]).tolist()
    on_slope = 10 ** (view.left + 0.8 * (math.log10(roof.ridge) - view.left))
    (slope, height), *_ = view.fractions([(on_slope, roof.at(on_slope))]).tolist()
    roomy = "top right" if ridge < 0.5 else "top left"
    return [
        Label(f"ridge point:\n{_number(roof.ridge)} FLOPs per byte", ridge, 0.02, roomy),
        Label(f"memory:\n{_si(roof.bandwidth)}B/s", slope, height, "top left"),
        Label(f"compute:\n{_si(roof.peak)}FLOP/s", 1.0, peak, "top left"),
    ]


def _ridge_mark(roof: _Roof, view: _View) -> go.Scatter:
    """The ridge point, and its plumb line down to the name of it."""
    value = f"{_number(roof.ridge)} FLOPs per byte"
    return go.Scatter(
        name="ridge",
        showlegend=False,
        x=[roof.ridge, roof.ridge],
        y=[roof.peak, 10**view.bottom],
        mode="lines+markers",
        line={"color": INK, "width": 1, "dash": "dot"},
        # A ring: a layer at the ridge is seen through it.
        marker={"color": INK, "symbol": "circle-open", "size": [11, 0], "line": {"width": 2}},
        hovertext=[hover(["ridge point", value, "memory is the limit below, compute above"]), ""],
        hoverinfo="text",
    )


def _written_labels(labels: Sequence[Label], view: _View) -> go.Scatter:
    """The names of the roof's parts, as text."""
    points = view.values([(label.x, label.y) for label in labels])
    return go.Scatter(
        name="limits",
        showlegend=False,
        x=points[:, 0],
        y=points[:, 1],
        mode="markers+text",
        # Unseen, it keeps the text away from the line.
        marker={"size": LABEL_MARKER_SIZE, "opacity": 0},
        text=[escaped(label.text).replace("\n", "<br>") for label in labels],
        textposition=[label.side for label in labels],
        cliponaxis=False,
        hoverinfo="skip",
    )


def _layer_dots(network: Spot, place: int, roof: _Roof) -> go.Scatter:
    names, intensities, rates = zip(*network.layers, strict=True)
    return go.Scatter(
        name=escaped(network.name),
        # Nothing else has an entry or a group: a double click hides other layers, and them alone.
        showlegend=True,
        x=intensities,
        y=rates,
        mode="markers",
        marker={**_mark(place), "size": LAYER_SIZE, "opacity": 0.5},
        hovertext=[
            hover(
                [
                    f"{network.name}: {name}",
                    *_told(intensity, rate, roof),
                    f"bound by {roof.limit(intensity)}",
                ]
            )
            for name, intensity, rate in zip(names, intensities, rates, strict=True)
        ],
        hoverinfo="text",
    )


def _network_points(
    networks: Sequence[Spot], roof: _Roof, view: _View, written: Sequence[Label]
) -> go.Scatter:
    points = [(network.intensity, network.flops_per_second) for network in networks]
    names = [network.name for network in networks]
    marks = [_mark(place) for place in range(len(networks))]
    return go.Scatter(
        name="networks",
        showlegend=False,
        x=[intensity for intensity, _ in points],
        y=[rate for _, rate in points],
        mode="markers+text",
        marker={
            "color": [mark["color"] for mark in marks],
            "symbol": [mark["symbol"] for mark in marks],
            "size": MARKER_SIZE,
            "line": {"color": "white", "width": 1},
        },
        text=[escaped(name) for name in names],
        textposition=sides(
            names, view.fractions(points), MARKER_SIZE, _dots(networks, roof, view), written
        ),
        cliponaxis=False,
        hovertext=[
            hover([n.name, *_told(n.intensity, n.flops_per_second, roof), *n.lines])
            for n in networks
        ],
        hoverinfo="text",
    )


def _mark(place: int) -> dict[str, str]:
    """Colours change first, then symbols."""
    symbol = SYMBOLS[place // len(SERIES) % len(SYMBOLS)]
    return {"color": SERIES[place % len(SERIES)], "symbol": symbol}


def _dots(networks: Sequence[Spot], roof: _Roof, view: _View) -> Floats:
    """Places of what a name should not be written on: the roof, the plumb line, the layers."""
    across = 10 ** np.linspace(view.left, view.right, 300)
    down = 10 ** np.linspace(view.bottom, math.log10(roof.peak), 100)
    points = [(float(x), roof.at(float(x))) for x in across]
    points += [(roof.ridge, float(y)) for y in down]
    points += [(x, y) for network in networks for _, x, y in network.layers]
    return view.fractions(points)


def _told(intensity: float, rate: float, roof: _Roof) -> list[str]:
    return [
        f"{_number(intensity)} FLOPs per byte",
        f"{_si(rate)}FLOPs per second, {rate / roof.at(intensity):.0%} of the roof",
    ]


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def _si(value: float) -> str:
    """Three digits and a prefix, to be followed by a unit."""
    rounded = float(f"{value:.2e}")
    power = min(max(int(math.log10(rounded) // 3), 0), len(PREFIXES) - 1)
    return f"{_number(rounded / 1000**power)} {PREFIXES[power]}"
