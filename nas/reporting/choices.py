"""FACTORS: what a candidate chose, as a report compares it: shares of levels, or a number."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from search_space.architecture import Block, Candidate

Levels = dict[str, float]


class Factor(NamedTuple):
    """How much of a candidate has which level of a choice.

    ``levels`` are shares that add up to 1, or one number by an empty name; empty where the
    candidate has no part that it is about. ``step`` is the change that an effect is told of, and
    ``unit`` that step in words.
    """

    levels: Callable[[Candidate], Levels]
    step: float = 1.0
    unit: str = ""


def _one(value: object) -> Levels:
    return {str(value): 1.0}


def _shares(values: Iterable[object]) -> Levels:
    counts = Counter(map(str, values))
    return {level: count / counts.total() for level, count in counts.items()}


def _blocks(candidate: Candidate) -> list[Block]:
    return [block for stage in candidate.architecture.stages for block in stage.blocks]


def _large(candidate: Candidate) -> list[Block]:
    return [block for block in _blocks(candidate) if block.width_3x3 or block.width_5x5]


def _branches(candidate: Candidate) -> Levels:
    blocks = _blocks(candidate)
    widths = ("1x1", "3x3", "5x5", "pool")
    return {
        name: sum(getattr(block, f"width_{name}") / block.width for block in blocks) / len(blocks)
        for name in widths
    }


def _reduced(candidate: Candidate) -> Levels:
    ratios = [
        reduce / width
        for block in _large(candidate)
        for _, _, reduce, width in block.large
        if width
    ]
    return {"": sum(ratios) / len(ratios)} if ratios else {}


FACTORS: dict[str, Factor] = {
    "batch norm": Factor(lambda one: _one(one.architecture.norm)),
    "factorization": Factor(lambda one: _shares(b.factorization for b in _large(one))),
    "1xn size": Factor(
        lambda one: _shares(b.n for b in _large(one) if b.factorization == "asymmetric")
    ),
    "residual": Factor(lambda one: _shares(b.residual for b in _blocks(one))),
    "residual scale": Factor(
        lambda one: _shares(f"{b.scale:g}" for b in _blocks(one) if b.residual == "block")
    ),
    "label smoothing": Factor(lambda one: _one(f"{one.label_smoothing:g}")),
    "branch": Factor(_branches, 0.1, "a tenth more"),
    "1x1 before a kernel": Factor(_reduced, 0.1, "a tenth more"),
    "pooling": Factor(lambda one: _shares(b.pool for b in _blocks(one) if b.width_pool)),
    "reduction": Factor(lambda one: _shares(s.reduction for s in one.architecture.stages[1:])),
    "stages": Factor(lambda one: _one(len(one.architecture.stages))),
    "blocks": Factor(lambda one: {"": float(len(_blocks(one)))}, unit="one more"),
    "stem kernel": Factor(lambda one: _one(one.architecture.stem.kernel)),
    "stem stride": Factor(lambda one: _one(one.architecture.stem.stride)),
    "stem pool": Factor(lambda one: _one("yes" if one.architecture.stem.pool else "no")),
    "stem second part": Factor(lambda one: _one("yes" if one.architecture.stem.second else "no")),
    "stem width": Factor(lambda one: _one(one.architecture.stem.width)),
    "dropout": Factor(lambda one: _one(f"{one.architecture.dropout:g}")),
}
"""Name to factor: of the whole network, or shares of its blocks where these may differ."""


def choices(candidate: Candidate) -> Mapping[str, Levels]:
    """What the candidate chose, by factor."""
    return {name: factor.levels(candidate) for name, factor in FACTORS.items()}
