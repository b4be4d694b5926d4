"""Tests of the roofline figure: roof and ridge, networks and layers, names, hovers, refusals."""

import math
from dataclasses import replace
from itertools import combinations

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.labels import SIDES
from studies.page import page_html
from studies.roofline_plot import Spot, roofline_figure

PEAK, BANDWIDTH = 1e12, 80e9
RIDGE = 12.5
HOSTILE = "<script>alert(1)</script> & <b>x</b> \"q\" 'r' %{x}"
LAYERS = (("conv1", 4.0, 3.2e11), ("conv2", 12.5, 1e12), ("conv3", 90.0, 1e12))
FOUR = (
    Spot("alexnet", 13.4, 5.1e11, ("1,429,000 FLOPs", "106,000 bytes"), LAYERS),
    Spot("vgg11", 32.1, 8.9e11, (), LAYERS[:2]),
    Spot("nin", 55.0, 9.6e11, (), LAYERS[1:]),
    Spot("googlenet", 51.0, 8.2e11),
)
positive = st.floats(1e-12, 1e18)


def drawn(networks: tuple[Spot, ...] = FOUR, title: str = "") -> go.Figure:
    return roofline_figure(networks, PEAK, BANDWIDTH, title)


def trace(figure: go.Figure, name: str) -> go.Scatter:
    (found,) = (trace for trace in figure.data if trace.name == name)
    return found


def layers(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.showlegend]


def pairs(trace: go.Scatter) -> list[tuple[float, float]]:
    return list(zip(trace.x, trace.y, strict=True))


def test_networks_are_drawn_where_they_were_measured_with_their_names() -> None:
    networks = trace(drawn(), "networks")
    assert pairs(networks) == [(n.intensity, n.flops_per_second) for n in FOUR]
    assert list(networks.text) == ["alexnet", "vgg11", "nin", "googlenet"]
    assert set(networks.textposition) <= set(SIDES)


def test_layers_are_small_faint_dots_of_their_networks_look() -> None:
    figure = drawn()
    networks = trace(figure, "networks")
    assert [dots.name for dots in layers(figure)] == ["alexnet", "vgg11", "nin"]
    for place, dots in enumerate(layers(figure)):
        assert pairs(dots) == [(x, y) for _, x, y in FOUR[place].layers]
        assert dots.marker.color == networks.marker.color[place]
        assert dots.marker.symbol == networks.marker.symbol[place]
        assert dots.marker.size < networks.marker.size
        assert dots.marker.opacity < 1


def test_a_network_without_layers_keeps_its_own_colour() -> None:
    """A colour belongs to the place in the list, not to the layers that happen to be there."""
    bare = [replace(network, layers=()) for network in FOUR[:2]]
    figure = drawn((*bare, FOUR[2]))
    (dots,) = layers(figure)
    assert dots.marker.color == trace(figure, "networks").marker.color[2]


def test_the_legend_hides_layers_network_by_network_and_nothing_else() -> None:
    figure = drawn()
    assert figure.layout.showlegend is True
    assert figure.layout.legend.title.text == "layers of:"
    # In a group, the roof would vanish where a double click isolates one network's layers.
    assert [trace.legendgroup for trace in figure.data] == [None] * len(figure.data)
    others = [trace.name for trace in figure.data if trace.showlegend is False]
    assert sorted(others) == ["limits", "networks", "ridge", "roof"]


def test_without_layers_there_is_no_legend() -> None:
    assert drawn((FOUR[3],)).layout.showlegend is False


def test_both_axes_are_logarithmic_and_say_their_units() -> None:
    layout = drawn().layout
    assert (layout.xaxis.type, layout.yaxis.type) == ("log", "log")
    assert layout.xaxis.title.text == "arithmetic intensity (FLOPs per byte)"
    assert layout.yaxis.title.text == "FLOPs per second"


def test_the_roof_rises_with_the_bandwidth_to_the_ridge_and_is_level_from_there() -> None:
    figure = drawn()
    (x0, y0), ridge, (x2, y2) = pairs(trace(figure, "roof"))
    assert ridge == (RIDGE, PEAK)
    assert (x0 < RIDGE, y0) == (True, pytest.approx(BANDWIDTH * x0))
    assert (x2 > RIDGE, y2) == (True, PEAK)
    # It ends at the edges of the view.
    assert [math.log10(x0), math.log10(x2)] == pytest.approx(figure.layout.xaxis.range)


def test_the_ridge_point_is_marked_and_its_value_written() -> None:
    figure = drawn()
    mark, texts = trace(figure, "ridge"), trace(figure, "limits")
    assert pairs(mark)[0] == (RIDGE, PEAK)
    assert mark.marker.size[0] > 0
    assert set(mark.x) == {RIDGE}
    assert texts.text[0] == "ridge point:<br>12.5 FLOPs per byte"
    assert texts.x[0] == pytest.approx(RIDGE)
    assert list(texts.text[1:]) == ["memory:<br>80 GB/s", "compute:<br>1 TFLOP/s"]
    assert "<b>ridge point</b><br>12.5 FLOPs per byte" in mark.hovertext[0]


def test_slope_and_ceiling_are_named_on_the_roof() -> None:
    texts = trace(drawn(), "limits")
    for x, y in pairs(texts)[1:]:
        assert y == pytest.approx(min(PEAK, BANDWIDTH * x))


@pytest.mark.parametrize(
    ("peak", "bandwidth", "written"),
    [
        (4e12, 500e6, "8,000 FLOPs per byte"),
        (999.7, 1.0, "1,000 FLOPs per byte"),
        (1.0, 3.0, "0.333 FLOPs per byte"),
        (312e12, 2039e9, "153 FLOPs per byte"),
    ],
)
def test_the_ridge_is_written_in_three_digits(peak: float, bandwidth: float, written: str) -> None:
    figure = roofline_figure(FOUR, peak, bandwidth, "")
    assert trace(figure, "limits").text[0].endswith(f"<br>{written}")


@pytest.mark.parametrize(
    ("bandwidth", "written"),
    [
        (0.25, "0.25 B/s"),
        (999.4, "999 B/s"),
        (999.6, "1 kB/s"),
        (38.4e9, "38.4 GB/s"),
        (999.6e9, "1 TB/s"),
        (2e21, "2,000 EB/s"),
    ],
)
def test_rates_are_written_with_a_prefix(bandwidth: float, written: str) -> None:
    texts = trace(roofline_figure(FOUR, PEAK, bandwidth, ""), "limits").text
    assert texts[1] == f"memory:<br>{written}"


@given(
    st.lists(st.tuples(positive, positive, positive, positive), min_size=1, max_size=20),
    positive,
    positive,
)
def test_all_that_is_drawn_is_in_view(
    numbers: list[tuple[float, float, float, float]], peak: float, bandwidth: float
) -> None:
    networks = [Spot(f"n{i}", a, b, (), (("l", c, d),)) for i, (a, b, c, d) in enumerate(numbers)]
    figure = roofline_figure(networks, peak, bandwidth, "")
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    assert len(trace(figure, "networks").x) == len(layers(figure)) == len(networks)
    for shown in figure.data:
        for x, y in pairs(shown):
            assert left - 1e-6 <= math.log10(x) <= right + 1e-6
            assert bottom - 1e-6 <= math.log10(y) <= top + 1e-6
    # A decade of roof at least on either side of the ridge.
    ridge = math.log10(peak / bandwidth)
    assert left < ridge - 1 < ridge + 1 < right


def test_a_point_above_the_roof_is_drawn_and_told() -> None:
    figure = drawn((Spot("measured", 1.0, 2 * BANDWIDTH),))
    networks = trace(figure, "networks")
    assert pairs(networks) == [(1.0, 2 * BANDWIDTH)]
    assert "200% of the roof" in networks.hovertext[0]


def test_twenty_networks_can_be_told_apart() -> None:
    twenty = tuple(Spot(f"n{i}", 10.0 + i, 1e11, (), LAYERS) for i in range(20))
    figure = drawn(twenty)
    marker = trace(figure, "networks").marker
    assert len(set(zip(marker.color, marker.symbol, strict=True))) == 20
    assert [dots.name for dots in layers(figure)] == [network.name for network in twenty]


def boxes(
    figure: go.Figure, name: str, away: float, size: tuple[int, int]
) -> list[tuple[str, list[float], list[float]]]:
    """Texts of a trace with left bottom and right top in pixels, each `away` from its point."""
    found = []
    ranges = figure.layout.xaxis.range, figure.layout.yaxis.range
    texts = trace(figure, name)
    for x, y, text, side in zip(texts.x, texts.y, texts.text, texts.textposition, strict=True):
        lines = text.split("<br>")
        extent = 7.0 * max(map(len, lines)), 15.0 * len(lines)
        middle = [
            (math.log10(value) - low) / (high - low) * pixels + sign * (part / 2 + away)
            for value, (low, high), pixels, sign, part in zip(
                (x, y), ranges, size, SIDES[side], extent, strict=True
            )
        ]
        ends = [[m + sign * e / 2 for m, e in zip(middle, extent, strict=True)] for sign in (-1, 1)]
        found.append((text, *ends))
    return found


@pytest.mark.parametrize("size", [(310, 280), (600, 350), (1400, 550)])
@pytest.mark.parametrize(("peak", "bandwidth"), [(PEAK, BANDWIDTH), (2e11, 4e10), (3e12, 2e10)])
def test_the_usual_four_names_stay_apart(
    peak: float, bandwidth: float, size: tuple[int, int]
) -> None:
    """On a telephone and on a desk, and clear of the texts of the roof."""

    def roof(intensity: float) -> float:
        return min(peak, bandwidth * intensity)

    on_roof = tuple((f"conv{x}", x, roof(x)) for x in (0.5, 6.0, 14.0, 20.0, 40.0, 90.0, 300.0))
    networks = [
        replace(network, flops_per_second=roof(network.intensity) * share, layers=on_roof)
        for network, share in zip(FOUR, (0.62, 0.9, 0.99, 0.97), strict=True)
    ]
    figure = roofline_figure(networks, peak, bandwidth, "")
    written = boxes(figure, "networks", 8.0, size) + boxes(figure, "limits", 4.0, size)
    assert len(written) == 7
    for (text, low, high), (other, low2, high2) in combinations(written, 2):
        apart = [a >= d or c >= b for a, b, c, d in zip(low, high, low2, high2, strict=True)]
        assert any(apart), (text, other)


@pytest.mark.parametrize("size", [(310, 280), (1400, 550)])
@pytest.mark.parametrize("bandwidth", [125e6, 20e9, 80e9, 400e9, 2e12])
def test_the_texts_of_the_roof_stay_inside_the_plot(
    bandwidth: float, size: tuple[int, int]
) -> None:
    """Whether the ridge is left or right of most layers."""
    for _, low, high in boxes(roofline_figure(FOUR, PEAK, bandwidth, ""), "limits", 4.0, size):
        assert min(low) >= 0
        assert all(end <= pixels for end, pixels in zip(high, size, strict=True))


def test_a_networks_hover_tells_its_place_its_share_of_the_roof_and_its_lines() -> None:
    assert trace(drawn(), "networks").hovertext[0].split("<br>") == [
        "<b>alexnet</b>",
        "13.4 FLOPs per byte",
        "510 GFLOPs per second, 51% of the roof",
        "1,429,000 FLOPs",
        "106,000 bytes",
    ]


def test_a_layers_hover_tells_what_it_is_bound_by() -> None:
    texts = [text.split("<br>") for text in layers(drawn())[0].hovertext]
    assert [text[0] for text in texts] == [f"<b>alexnet: conv{n}</b>" for n in (1, 2, 3)]
    # A layer at the ridge needs as long for its FLOPs as for its bytes.
    assert [text[-1] for text in texts] == [
        "bound by memory",
        "bound by compute",
        "bound by compute",
    ]
    assert texts[0][1:3] == ["4 FLOPs per byte", "320 GFLOPs per second, 100% of the roof"]


def test_nothing_written_by_a_user_is_read_as_html() -> None:
    hostile = Spot(HOSTILE, 20.0, 1e11, (HOSTILE,), ((HOSTILE, 20.0, 1e12),))
    figure = drawn((hostile,), HOSTILE)
    networks, (dots,) = trace(figure, "networks"), layers(figure)
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;x&lt;/b&gt; \"q\" 'r' %{x}"
    assert figure.layout.title.text == dots.name == networks.text[0] == escaped
    for shown, times in ((networks, 2), (dots, 2)):
        # A template would read %{x} as the point's x.
        assert (shown.hovertemplate, shown.texttemplate) == (None, None)
        (text,) = shown.hovertext
        plain = text.replace("<b>", "", 1).replace("</b>", "", 1).replace("<br>", "")
        assert "<" not in plain
        assert plain.count("&lt;script&gt;") == times
    assert "<script>alert(1)" not in page_html("h", [figure])


def test_a_roofline_without_networks_is_refused() -> None:
    with pytest.raises(ValueError, match="networks is empty: give at least one network"):
        roofline_figure([], PEAK, BANDWIDTH, "")


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_numbers_that_a_logarithmic_axis_cant_show_are_refused(value: float) -> None:
    one = FOUR[3]
    rule = f" is {value}: both axes are logarithmic, so it must be a finite number above 0"
    with pytest.raises(ValueError, match=f"^peak{rule}$"):
        roofline_figure(FOUR, value, BANDWIDTH, "")
    with pytest.raises(ValueError, match=f"^bandwidth{rule}$"):
        roofline_figure(FOUR, PEAK, value, "")
    way_out = "; leave out layers without FLOPs"
    with pytest.raises(ValueError, match=f"^intensity of googlenet{rule}{way_out}$"):
        drawn((*FOUR[:3], replace(one, intensity=value)))
    with pytest.raises(ValueError, match=f"^FLOPs per second of googlenet{rule}{way_out}$"):
        drawn((*FOUR[:3], replace(one, flops_per_second=value)))
    with pytest.raises(ValueError, match=f"^intensity of googlenet, pool1{rule}{way_out}$"):
        drawn((replace(one, layers=(*LAYERS, ("pool1", value, 1e9))),))
    with pytest.raises(ValueError, match=f"^FLOPs per second of googlenet, pool1{rule}"):
        drawn((replace(one, layers=(("pool1", 1.0, value),)),))
