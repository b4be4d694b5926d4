"""Tests of what implementations do differently: details, auxiliary heads, reduction widths."""

from dataclasses import replace
from typing import Any

import pytest

from search_space.architecture import (
    Architecture,
    Auxiliary,
    Block,
    Candidate,
    Details,
    Stage,
    Stem,
)


def test_what_changes_nothing_leaves_no_trace_in_a_network() -> None:
    stage = Stage((Block(8, width_pool=8),))
    plain = Architecture(Stem(8), (stage, Stage(stage.blocks, "inception")))
    usual = Stage(stage.blocks, "inception", (4, 8, 4, 8))
    assert Architecture(Stem(8), (stage, usual)) == plain
    other = Stage(stage.blocks, "inception", (4, 8, 4, 9))
    assert Architecture(Stem(8), (stage, other)) != plain
    unheard = Details(bias=True, pool_norm=True, norm_eps=1e-3, unpadded_pools=True)
    assert Architecture(Stem(8), plain.stages, details=unheard) == plain
    two = Architecture(Stem(8), (stage, Stage(stage.blocks, "max-pool-2x2")))
    assert Architecture(Stem(8), two.stages, details=Details(unpadded_pools=True)) == two
    before = Architecture(Stem(8), plain.stages, "bn-relu-conv")
    assert replace(before, details=Details(pool_norm=True)) == before
    assert Block(4, 2, 6, kernel_5x5=3) == Block(4, 2, 6)
    assert Block(4, 0, 0, 2, 6, kernel_5x5=3) == Block(4, 2, 6)


@pytest.mark.parametrize("field", ["weight", "scale", "dropout", "norm_eps", "label_smoothing"])
def test_a_whole_number_is_the_same_as_its_float(field: str) -> None:
    stages = (Stage((Block(4, residual="block", scale=0.5),)),)
    make = {
        "weight": lambda x: Auxiliary(1, 1, x),
        "scale": lambda x: Block(4, residual="block", scale=x),
        "dropout": lambda x: Architecture(Stem(4), stages, dropout=x - 1),
        "norm_eps": lambda x: Details(norm_eps=x),
        "label_smoothing": lambda x: Candidate(Architecture(Stem(4), stages), x - 1),
    }[field]
    assert make(1) == make(1.0)
    assert make(1).key == make(1.0).key


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"auxiliary": (Auxiliary(2, 1),)}, "auxiliary 1 stage is 2; it must be a whole number"),
        ({"auxiliary": (Auxiliary(1, 3),)}, "auxiliary 1 block is 3; it must be a whole number"),
        ({"auxiliary": (Auxiliary(1, 2), Auxiliary(1, 1))}, "in the order of their blocks"),
        ({"auxiliary": (Auxiliary(1, 1), Auxiliary(1, 1))}, "one a block"),
        ({"auxiliary": [Auxiliary(1, 1)]}, "it must be a list of heads"),
        ({"details": None}, "details is None; it must be one Details"),
    ],
)
def test_details_and_heads_that_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Architecture(Stem(4), (Stage((Block(4),) * 2),), **change)


@pytest.mark.parametrize(
    ("widths", "reduction", "words"),
    [
        ((1, 2, 3, 4), "max-pool", "only an inception reduction has widths"),
        ((1, 2, 3), "inception", "must be the 1x1 and 3x3 widths"),
        ((1, 2, 3, 0), "inception", "reduction_widths is 0"),
    ],
)
def test_reduction_widths_that_are_refused(widths: Any, reduction: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Stage((Block(4),), reduction, widths)
