"""Tests of architectures in words: one line, and different words for what is different."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.architecture import (
    Architecture,
    Auxiliary,
    Block,
    Candidate,
    Details,
    Stage,
    Stem,
)
from search_space.words import describe

PLAIN = Architecture(Stem(8), (Stage((Block(4),)),))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (PLAIN, "stem 3x3/1 8; 1 x [1x1 4]; no batch norm"),
        (Candidate(PLAIN), "stem 3x3/1 8; 1 x [1x1 4]; no batch norm"),
        (
            Candidate(replace(PLAIN, norm="bn-relu-conv", dropout=0.2), 0.05),
            "stem 3x3/1 8; 1 x [1x1 4]; bn-relu-conv; dropout 0.2; label smoothing 0.05",
        ),
        (
            replace(PLAIN, stem=Stem(64, 7, 2, True, (64, 192))),
            "stem 7x7/2 64 pool 1x1 64 3x3 192 pool; 1 x [1x1 4]; no batch norm",
        ),
        (
            Architecture(
                Stem(8),
                (
                    Stage((Block(4, 8, 12, 16, 20, 24, "avg", "asymmetric", 7),) * 2),
                    Stage((Block(4), Block(4, residual="block", scale=0.3)), "max-pool"),
                    Stage((Block(0, 4, 8, factorization="expanded"),), "inception"),
                    Stage((Block(width_pool=4, residual="branch"),), "max-pool"),
                ),
            ),
            "stem 3x3/1 8; "
            "2 x [1x1 4 | 3x3 8>12 | 5x5 16>20 | avg-pool 24] asymmetric n=7; "
            "max-pool then 1 x [1x1 4] + 1 x [1x1 4] residual block x0.3; "
            "inception then 1 x [3x3 4>8] expanded; "
            "max-pool then 1 x [max-pool 4] residual branch; "
            "no batch norm",
        ),
    ],
)
def test_words(value: Architecture | Candidate, words: str) -> None:
    assert describe(value) == words


def test_different_sampled_candidates_have_different_words(sampled: list[Candidate]) -> None:
    distinct = set(sampled)
    assert len(distinct) > 900
    assert len({describe(candidate) for candidate in distinct}) == len(distinct)
    architectures = {candidate.architecture for candidate in sampled}
    assert len({describe(architecture) for architecture in architectures}) == len(architectures)


@given(st.from_type(Candidate))
def test_words_are_one_line(candidate: Candidate) -> None:
    assert len(describe(candidate).splitlines()) == 1
    assert describe(candidate) == describe(candidate).strip()


FULL = Candidate(
    Architecture(
        Stem(8, 5, 1, False, (8, 16)),
        (
            Stage((Block(4),)),
            Stage(
                (
                    Block(4, 8, 12, 16, 20, 24, "max", "asymmetric", 3, "block", 0.3),
                    Block(4, 8, 12, 16, 20, 24),
                ),
                "max-pool",
            ),
        ),
        "conv-bn-relu",
        0.2,
        auxiliary=(Auxiliary(2, 1),),
    ),
    0.1,
)
OTHERS: dict[str, dict[str, Any]] = {
    "Stem": {"width": 12, "kernel": 7, "stride": 2, "pool": True, "second": None},
    "Block": dict.fromkeys(("width_1x1", "width_3x3", "width_5x5", "width_pool"), 40)
    | {"reduce_3x3": 40, "reduce_5x5": 40, "pool": "avg", "factorization": "expanded"}
    | {"n": 5, "residual": "none", "scale": 0.1}
    | {"kernel_5x5": 3},
    "Stage": {"blocks": FULL.architecture.stages[1].blocks * 2}
    | {"reduction": "inception", "reduction_widths": (3, 4, 5, 6)},
    "Architecture": {
        "stem": Stem(12),
        "stages": FULL.architecture.stages[:1] + FULL.architecture.stages[1:] * 2,
        "norm": "bn-relu-conv",
        "dropout": 0.3,
        "details": Details(bias=True),
        "auxiliary": (Auxiliary(1, 1),),
    },
    "Details": {"bias": True, "pool_norm": True, "norm_eps": 1e-3, "unpadded_pools": True},
    "Auxiliary": {"stage": 1, "block": 2, "weight": 0.5},
    "Candidate": {"architecture": PLAIN, "label_smoothing": 0.2},
}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, field.name)
        for kind in (Stem, Block, Stage, Details, Auxiliary, Architecture, Candidate)
        for field in fields(kind)
    ],
)
def test_words_mention_every_field(kind: type, field: str) -> None:
    """A field that is new needs another value above, and words of its own."""
    change = {field: OTHERS[kind.__name__][field]}
    if field == "reduction_widths":
        change["reduction"] = "inception"
    architecture = FULL.architecture
    first, stage = architecture.stages
    if kind is Block:
        change = {"blocks": (replace(stage.blocks[0], **change), *stage.blocks[1:])}
    if kind in (Block, Stage):
        change = {"stages": (first, replace(stage, **change))}
    if kind is Stem:
        change = {"stem": replace(architecture.stem, **change)}
    if kind is Details:
        change = {"details": replace(architecture.details, **change)}
    if kind is Auxiliary:
        change = {"auxiliary": (replace(architecture.auxiliary[0], **change),)}
    if kind is not Candidate:
        change = {"architecture": replace(architecture, **change)}
    changed = replace(FULL, **change)
    assert changed.key != FULL.key
    assert describe(changed) != describe(FULL)
