"""Tests of the table of layers: its rows add up to the exact cost, its lines are aligned."""

import re

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.cost import cost
from search_space.diagram import Row, rows, table
from search_space.expand import expand
from search_space.graph import ShapeError

IMAGE = (1, 28, 28)
WHOLE = 20

SMALL_TABLE = """\
layer         kind               output  params     MACs
stem                            8x14x14      80   56,448
  first                         8x28x28      80   56,448
  pool1       max-pool 3x3      8x14x14       0        0
stage1                         24x14x14   1,566  294,784
  block1      concat           24x14x14   1,248  238,336
  block2                       24x14x14     318   56,448
reduction2    concat             48x7x7   2,928  278,712
  3x3                            12x7x7     810   59,976
  double 3x3                     12x7x7   2,118  218,736
  pool        max-pool 3x3       24x7x7       0        0
stage2                            8x7x7     784   37,632
  block1      concat              8x7x7     784   37,632
head                             10x1x1      90       80
  pool        global avg-pool     8x1x1       0        0
  dropout     dropout             8x1x1       0        0
  linear      linear             10x1x1      90       80
total                            10x1x1   5,448  667,656"""


def adds_up(found: list[Row], level: int = 0) -> tuple[int, int]:
    """Sums of the rows at ``level``, each checked against the rows nested in it."""
    params = macs = 0
    for index, row in enumerate(found):
        if row.depth != level:
            continue
        nested = []
        for later in found[index + 1 :]:
            if later.depth <= level:
                break
            nested.append(later)
        if nested:
            assert adds_up(nested, level + 1) == (row.params, row.macs)
        params, macs = params + row.params, macs + row.macs
    return params, macs


def test_rows_add_up(sampled: list[Candidate]) -> None:
    for candidate in sampled[:200]:
        total = cost(candidate.architecture)
        for depth in (1, 2, 4, WHOLE):
            found = rows(expand(candidate.architecture), IMAGE, depth)
            assert max(row.depth for row in found) < depth
            assert adds_up(found) == (total.params, total.macs)
            assert found[-1].output == total.output


@given(st.from_type(Architecture), st.integers(1, 60), st.sampled_from([1, 3]))
def test_the_total_is_the_cost(architecture: Architecture, resolution: int, channels: int) -> None:
    shape = (channels, resolution, resolution)
    try:
        total = cost(architecture, resolution, channels)
    except ShapeError:
        reject()
    lines = table(expand(architecture, channels), shape).splitlines()
    assert lines[-1].split() == ["total", "10x1x1", f"{total.params:,}", f"{total.macs:,}"]


def test_a_small_table() -> None:
    stages = (
        Stage((Block(4, 4, 8, 4, 8, 4), Block(6, residual="block"))),
        Stage((Block(width_pool=8, pool="avg", residual="branch"),), "inception"),
    )
    graph = expand(Architecture(Stem(8, pool=True), stages, dropout=0.2))
    assert table(graph, IMAGE) == SMALL_TABLE


def test_lines_are_aligned_and_end_without_blanks(googlenet: Architecture) -> None:
    lines = table(expand(googlenet), (1, 224, 224), WHOLE).splitlines()
    assert len(lines) == len(rows(expand(googlenet), (1, 224, 224), WHOLE)) + 2
    assert len({len(line) for line in lines}) == 1
    assert lines == [line.rstrip() for line in lines]
    assert lines[0].split() == ["layer", "kind", "output", "params", "MACs"]
    assert re.fullmatch(r"total +10x1x1 +5,977,530 +1,502,982,144", lines[-1])


@pytest.mark.parametrize(
    ("block", "norm", "kinds"),
    [
        (Block(4, 4, 8), "none", {"concat", "conv 1x1", "conv 3x3", "relu"}),
        (Block(width_pool=4, pool="avg"), "none", {"avg-pool 3x3"}),
        (Block(width_pool=4), "conv-bn-relu", {"max-pool 3x3", "batch norm"}),
        (Block(8, residual="block", scale=0.3), "none", {"add", "scale", "identity"}),
        (Block(8, residual="branch"), "bn-relu-conv", {"add", "identity"}),
        (Block(4, 4, 8, factorization="asymmetric", n=7), "none", {"conv 1x7", "conv 7x1"}),
        (Block(4, 4, 8, factorization="expanded"), "none", {"conv 1x3", "conv 3x1", "concat"}),
    ],
)
def test_kinds_are_named(block: Block, norm: str, kinds: set[str]) -> None:
    graph = expand(Architecture(Stem(8), (Stage((block,)),), norm, 0.2))
    found = {row.kind for row in rows(graph, IMAGE, WHOLE)}
    assert kinds <= found
    assert {"global avg-pool", "dropout", "linear"} <= found
