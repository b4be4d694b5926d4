"""Tests of what a study is measured against: the floor, the limits, the largest candidate."""

import math
from dataclasses import replace

import pytest

from nas.axes import axes_of, floor_of, room_above
from nas.settings import Reference, Settings
from studies.pareto import hypervolume, losses, reference_point

KNOWN = Reference(0.86, 7850, 15680, 10_000)
SETTINGS = Settings(reference=KNOWN, largest={"params": 2_000_000, "flops": 500_000_000})


def test_accuracy_enters_as_the_logarithm_of_the_error_from_the_reference_on() -> None:
    accuracy, params, flops = axes_of(SETTINGS)
    assert (accuracy.reference, accuracy.least_error) == (0.86, 0.5 / 10_000)
    rows = losses([[0.9, 1e4, 1e6], [1.0, 1e4, 1e6]], (accuracy, params, flops))
    assert rows[0].tolist() == pytest.approx([-1.0, 4.0, 6.0])
    assert rows[1][0] == pytest.approx(math.log10(0.5 / 10_000))
    assert reference_point((accuracy,))[0] == pytest.approx(math.log10(0.14))


def test_costs_count_up_to_the_limits_or_the_largest_candidate() -> None:
    _, params, flops = axes_of(replace(SETTINGS, max_params=100_000))
    assert params.reference == pytest.approx(100_000, rel=0.02)
    assert params.reference > 100_000  # what is at the limit counts
    assert flops.reference == pytest.approx(500_000_000, rel=0.02)


def test_a_tiny_network_that_is_of_no_use_is_worth_nothing() -> None:
    """Before, 400 parameters at 67 % were worth more than a point at the accurate end."""
    axes = axes_of(SETTINGS)
    corner = reference_point(axes)
    front = [[0.88, 40_000, 6e6], [0.90, 100_000, 3e7]]

    def worth(*more: list[float]) -> float:
        return hypervolume(losses([*front, *more], axes), corner)

    assert worth([0.67, 400, 3e4]) == worth()
    assert worth([0.91, 200_000, 4e7]) > worth([0.885, 40_000, 6e6]) > worth()


def test_the_floor_is_raised_and_replaced_where_the_reference_leaves_no_room() -> None:
    assert floor_of(SETTINGS) == 0.86
    assert floor_of(replace(SETTINGS, min_accuracy=0.9)) == 0.9
    assert floor_of(replace(SETTINGS, min_accuracy=0.5)) == 0.86
    assert floor_of(replace(SETTINGS, reference=None)) == 0.1
    perfect = replace(KNOWN, accuracy=1.0)
    assert room_above(KNOWN)
    assert not room_above(perfect)
    assert floor_of(replace(SETTINGS, reference=perfect)) == 0.1
    assert floor_of(replace(SETTINGS, reference=perfect, min_accuracy=0.95)) == 0.95


def test_a_study_of_the_first_edition_is_measured_as_it_was() -> None:
    axes = axes_of(replace(SETTINGS, edition=1))
    assert [axis.reference for axis in axes] == [0.1, 1e7, 1e10]
    assert axes[0].least_error == 0.0


def test_settings_are_stored_whole_and_those_of_0_1_are_of_the_first_edition() -> None:
    data = SETTINGS.to_json()
    assert Settings.from_json(data) == SETTINGS
    for name in ("edition", "reference", "largest", "min_accuracy"):
        del data[name]
    before = Settings.from_json(data)
    assert (before.edition, before.reference, before.largest) == (1, None, {})
