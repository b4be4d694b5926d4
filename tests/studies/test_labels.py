"""Tests of the sides on which names are written: free of names, markers, dots, texts and frame."""

import numpy as np
import pytest

from studies.labels import SIDES, Label, sides
from studies.pareto import Floats

NOTHING = np.empty((0, 2))


def box(name: str, x: float, y: float, side: str, size: tuple[int, int]) -> tuple[float, ...]:
    """Left, bottom, right and top in pixels of a name of 13 px letters beside a 12 px marker."""
    right, up = SIDES[side]
    width, height = 7.8 * len(name), 13.0
    middle_x = x * size[0] + right * (width / 2 + 8)
    middle_y = y * size[1] + up * (height / 2 + 8)
    return middle_x - width / 2, middle_y - height / 2, middle_x + width / 2, middle_y + height / 2


def meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def at(*places: tuple[float, float]) -> Floats:
    return np.array(places, dtype=np.float64)


def test_every_side_is_one_that_plotly_knows() -> None:
    known = {f"{v} {h}" for v in ("top", "middle", "bottom") for h in ("left", "center", "right")}
    assert set(SIDES) == known - {"middle center"}


def test_a_lone_name_is_written_above() -> None:
    assert sides(["googlenet"], at((0.5, 0.5)), 12, NOTHING) == ("top center",)


@pytest.mark.parametrize(
    ("place", "excluded"),
    [
        ((0.5, 0.999), "top"),
        ((0.001, 0.5), "left"),
        ((0.999, 0.5), "right"),
        ((0.001, 0.5), "center"),
    ],
)
def test_a_name_stays_inside_the_frame(place: tuple[float, float], excluded: str) -> None:
    (side,) = sides(["googlenet"], at(place), 12, NOTHING)
    assert excluded not in side


def test_a_name_avoids_dots() -> None:
    above = at(*[(x, 0.56) for x in np.linspace(0.3, 0.7, 200)])
    (side,) = sides(["googlenet"], at((0.5, 0.5)), 12, above)
    assert "top" not in side


def test_many_dots_in_one_place_count_as_one() -> None:
    """Else a pile of layers would push a name across many that lie side by side."""
    pile = at(*[(x, 0.55) for x in np.linspace(0.3, 0.7, 9)] * 1000)
    beside = at(*[(x, y) for x in np.linspace(0, 1, 300) for y in np.linspace(0.3, 0.51, 60)])
    (side,) = sides(["googlenet"], at((0.5, 0.5)), 12, np.concatenate([pile, beside]))
    assert "top" in side


def test_a_name_avoids_what_is_written() -> None:
    above = Label("two lines\nof text", 0.5, 0.5, "top center")
    (side,) = sides(["googlenet"], at((0.5, 0.5)), 12, NOTHING, [above])
    assert "top" not in side


def test_a_name_is_not_written_beside_another_marker() -> None:
    """Two points side by side: each name goes outwards, else it reads as its neighbour's."""
    chosen = sides(["nin", "googlenet"], at((0.5, 0.5), (0.512, 0.5)), 12, NOTHING)
    assert "left" in chosen[0]
    assert "right" in chosen[1]


@pytest.mark.parametrize("size", [(310, 280), (700, 400), (1400, 550)])
@pytest.mark.parametrize("gap", [0.0, 0.004, 0.02, 0.1, 0.4])
def test_two_names_never_meet(gap: float, size: tuple[int, int]) -> None:
    names = ["googlenet-residual", "nin"]
    for step in ((gap, 0.0), (0.0, gap), (-gap, gap)):
        places = at((0.45, 0.5), (0.45 + step[0], 0.5 + step[1]))
        chosen = sides(names, places, 12, NOTHING)
        first, second = (
            box(name, x, y, side, size)
            for name, (x, y), side in zip(names, places.tolist(), chosen, strict=True)
        )
        assert not meet(first, second)


def test_eight_names_at_one_place_take_eight_sides_at_most_twice() -> None:
    names = [f"n{index}" for index in range(8)]
    chosen = sides(names, np.full((8, 2), 0.5), 12, NOTHING)
    assert len(set(chosen)) >= 4


def test_the_choice_is_always_the_same() -> None:
    places = np.random.default_rng(0).uniform(0, 1, (20, 2))
    names = [f"network {index}" for index in range(20)]
    assert sides(names, places, 12, places) == sides(names, places, 12, places)


def test_no_names_have_no_sides() -> None:
    assert sides([], NOTHING, 12, NOTHING) == ()
