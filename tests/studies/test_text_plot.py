"""Tests of plots in characters: where dots, ticks and labels lie."""

import math

import pytest

from studies.text_plot import ASCII, Dot, Ruler, percent, short, text_plot

X, Y = Ruler(True, short), Ruler(False, percent)


def test_a_drawn_case() -> None:
    dots = [Dot(1e3, 0.5, True), Dot(1e4, 0.7, False), Dot(1e5, 0.9, True)]
    assert text_plot(dots, X, Y, 26, 7) == [
        "    │                    ●",
        "80% ┤",
        "    │          ·",
        "60% ┤",
        "    │●",
        "    └┬─────────┬─────────┬",
        "     1k       10k     100k",
    ]


def test_the_front_hides_others_in_its_cell() -> None:
    lines = text_plot([Dot(10, 0.5, True), Dot(10, 0.5, False)], X, Y, 40, 8)
    assert "".join(lines).count("●") == 1
    assert "·" not in "".join(lines)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 1.05), (390, 1e9), (5e5, 5.00001e5)])
@pytest.mark.parametrize(("width", "height"), [(10, 4), (80, 24), (200, 60)])
def test_any_window_is_kept_to_and_every_extreme_is_drawn(
    count: int, low: float, high: float, width: int, height: int
) -> None:
    values = [(low, 0.1), (high, 0.1 + 0.8 * (high > low)), (low, 0.1)][:count]
    lines = text_plot([Dot(x, y, False) for x, y in values], X, Y, width, height)
    assert len(lines) == height
    assert "".join(lines).count("·") == len(set(values))
    if width >= 80:
        assert max(map(len, lines)) <= width


def test_what_has_no_place_is_left_out() -> None:
    dots = [Dot(0, 0.5, True), Dot(10, math.nan, True), Dot(math.inf, 0.5, True)]
    assert text_plot(dots, X, Y, 40, 10) == []
    assert "●" in "".join(text_plot([*dots, Dot(10, 0.5, True)], X, Y, 40, 10))


@pytest.mark.parametrize(
    ("low", "high", "most", "wanted"),
    [
        (3, 5, 9, [1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5]),
        (3, 5, 5, [1e3, 3e3, 1e4, 3e4, 1e5]),
        (3, 5, 3, [1e3, 1e4, 1e5]),
        (math.log10(2_100), math.log10(2_900), 4, [2_200, 2_400, 2_600, 2_800]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_round(
    low: float, high: float, most: int, wanted: list[float]
) -> None:
    assert X.ticks(low, high, most) == pytest.approx(wanted)


def test_words() -> None:
    assert [short(v) for v in (0.5, 12, 1_234, 2e6, 3.5e9)] == ["0.5", "12", "1.23k", "2M", "3.5G"]
    assert [percent(v) for v in (0.8, 0.8525, 1.0)] == ["80%", "85.25%", "100%"]


def test_ascii_alone() -> None:
    lines = text_plot([Dot(10, 0.5, True), Dot(100, 0.7, False)], X, Y, 40, 10)
    assert "\n".join(lines).translate(ASCII).isascii()
