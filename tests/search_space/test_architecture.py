"""Tests of architectures as data: validation messages, JSON round trip, canonical keys."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space import catalog
from search_space.architecture import (
    N_SIZES,
    NORMS,
    POOLS,
    REDUCTIONS,
    RESIDUALS,
    Architecture,
    Block,
    Candidate,
    Stage,
    Stem,
)
from search_space.cost import cost
from search_space.factorization import FACTORIZATIONS
from search_space.words import describe

Data = type[Stem | Block | Stage | Architecture | Candidate]
DATA: list[Data] = [Stem, Block, Stage, Architecture, Candidate]

STEM, BLOCK = Stem(8), Block(4)
STAGE = Stage((BLOCK,))
PLAIN = Architecture(STEM, (STAGE,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stem(0), "stem width is 0; it must be a whole number from 1 to 4096"),
        (lambda: Stem(5000), "stem width is 5000; it must be a whole number from 1 to 4096"),
        (lambda: Stem(8.0), "stem width is 8.0; it must be a whole number from 1 to 4096"),
        (lambda: Stem(True), "stem width is True; it must be a whole number from 1 to 4096"),
        (lambda: Stem(8, 4), "stem kernel is 4; choose one of: 1, 3, 5, 7, 9, 11"),
        (lambda: Stem(8, 3.0), "stem kernel is 3.0; choose one of: 1, 3, 5, 7, 9, 11"),
        (lambda: Stem(8, 3, 5), "stem stride is 5; it must be a whole number from 1 to 4"),
        (lambda: Stem(8, 3, 1, 1), "stem pool is 1; choose one of: False, True"),
        (
            lambda: Stem(8, second=[8, 16]),
            "stem second is [8, 16]; it must be the widths of its 1x1 and its 3x3",
        ),
        (
            lambda: Stem(8, second=(8,)),
            "stem second is (8,); it must be the widths of its 1x1 and its 3x3",
        ),
        (
            lambda: Stem(8, second=(8, 0)),
            "stem second width is 0; it must be a whole number from 1 to 4096",
        ),
        (lambda: Block(), "block width is 0; give at least one branch a width above 0"),
        (lambda: Block(-1), "block width_1x1 is -1; it must be a whole number from 0 to 4096"),
        (
            lambda: Block(width_3x3=8),
            "block reduce_3x3 is 0; it must be a whole number from 1 to 4096",
        ),
        (
            lambda: Block(reduce_5x5=-1, width_5x5=8),
            "block reduce_5x5 is -1; it must be a whole number from 1 to 4096",
        ),
        (
            lambda: Block(4, reduce_3x3="wide"),
            "block reduce_3x3 is 'wide'; it must be a whole number from 0 to 4096",
        ),
        (lambda: Block(reduce_3x3=4, width_3x3=1), "block width_3x3 is 1; at least 2"),
        (lambda: Block(4, pool="min"), "block pool is 'min'; choose one of: max, avg"),
        (
            lambda: Block(4, factorization="split"),
            "block factorization is 'split'; choose one of: none, stacked, asymmetric, expanded",
        ),
        (lambda: Block(4, n=4), "block n is 4; choose one of: 3, 5, 7"),
        (
            lambda: Block(4, residual=None),
            "block residual is None; choose one of: none, block, branch",
        ),
        (lambda: Block(4, scale=0), "block scale is 0; it must be a number from 0.01 to 1"),
        (
            lambda: Block(4, scale=float("nan")),
            "block scale is nan; it must be a number from 0.01 to 1",
        ),
        (lambda: Stage(()), "stage blocks is (); a stage has at least one block"),
        (lambda: Stage([]), "stage blocks is []; a stage has at least one block"),
        (lambda: Stage((BLOCK, 3)), "block 2 of a stage is 3; it must be one Block"),
        (
            lambda: Stage((BLOCK,), "stride"),
            "stage reduction is 'stride'; choose one of: none, max-pool, max-pool-2x2, inception",
        ),
        (lambda: Architecture(3, (STAGE,)), "stem is 3; it must be one Stem"),
        (lambda: Architecture(STEM, ()), "stages is (); an architecture has at least one stage"),
        (lambda: Architecture(STEM, (STAGE, None)), "stage 2 is None; it must be one Stage"),
        (
            lambda: replace(PLAIN, norm="bn"),
            "norm is 'bn'; choose one of: none, conv-bn-relu, bn-relu-conv",
        ),
        (lambda: replace(PLAIN, dropout=1), "dropout is 1; it must be a number from 0 to 0.9"),
        (lambda: Candidate("x"), "architecture is 'x'; it must be one Architecture"),
        (
            lambda: Candidate(PLAIN, 0.6),
            "label smoothing is 0.6; it must be a number from 0 to 0.5",
        ),
        (
            lambda: Stem.from_json({"width": 8, "with": 8}),
            "field of Stem is 'with'; choose one of: width, kernel, stride, pool, second",
        ),
        (lambda: Stem.from_json({"kernel": 3}), "Stem has no 'width'; it must be given"),
        (lambda: Stem.from_json([8]), "Stem is [8]; it must be a JSON object"),
        (
            lambda: Candidate.from_json({"architecture": {"stem": {"width": 8}, "stages": [[]]}}),
            "Stage is []; it must be a JSON object",
        ),
    ],
)
def test_what_is_refused_and_how(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        make()
    assert str(error.value) == message


@pytest.mark.parametrize("kind", DATA, ids=lambda kind: kind.__name__)
@given(st.data())
def test_json_round_trip(kind: Data, data: st.DataObject) -> None:
    value = data.draw(st.from_type(kind))
    text = json.dumps(value.to_json(), allow_nan=False)
    again = kind.from_json(json.loads(text))
    assert again == value
    assert hash(again) == hash(value)
    assert json.dumps(again.to_json()) == text
    if isinstance(value, Architecture | Candidate):
        assert isinstance(again, Architecture | Candidate)
        assert again.key == value.key


def test_json_leaves_defaults_out() -> None:
    assert Candidate(PLAIN).to_json() == {
        "architecture": {"stem": {"width": 8}, "stages": [{"blocks": [{"width_1x1": 4}]}]}
    }


FIELDS = st.sampled_from(
    [name for kind in DATA for name in kind.__dataclass_fields__] + ["no such field"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([*POOLS, *RESIDUALS, *REDUCTIONS, *NORMS, *FACTORIZATIONS, *N_SIZES])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=10,
)


@st.composite
def nearly_valid(draw: st.DrawFn) -> Any:
    """A candidate's JSON in which one value, at any depth, is replaced, wrapped or renamed."""
    value = draw(st.from_type(Candidate)).to_json()
    place: Any = value
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        change = draw(st.sampled_from(["replace", "wrap", "float", "rename"]))
        if change == "rename" and isinstance(place, dict):
            place[draw(FIELDS)] = place.pop(key)
        elif change == "float" and isinstance(place[key], int):
            place[key] = float(place[key])
        else:
            place[key] = [place[key]] if change == "wrap" else draw(JSON)
        return value


@settings(max_examples=4 * settings().max_examples)
@given(JSON | nearly_valid())
def test_any_json_is_a_candidate_or_a_value_error(data: Any) -> None:
    data = json.loads(json.dumps(data))
    for kind in DATA:
        try:
            value = kind.from_json(data)
        except ValueError:
            continue
        assert kind.from_json(json.loads(json.dumps(value.to_json()))) == value
        if isinstance(value, Candidate):
            assert describe(value)
            assert cost(value.architecture).params > 0
            assert len(value.key) == 16


def key(block: Block) -> str:
    return Architecture(STEM, (Stage((block,)),)).key


SAME = {
    "n without asymmetric": (Block(4, 4, 8, n=3), Block(4, 4, 8, n=7)),
    "n of expanded": (
        Block(4, 4, 8, 4, 8, factorization="expanded", n=3),
        Block(4, 4, 8, 4, 8, factorization="expanded", n=5),
    ),
    "stacked without 5x5": (Block(4, 4, 8), Block(4, 4, 8, factorization="stacked")),
    "asymmetric with only 1x1 and pool": (
        Block(4, width_pool=4),
        Block(4, width_pool=4, factorization="asymmetric", n=7),
    ),
    "expanded with only 1x1": (Block(4), Block(4, factorization="expanded")),
    "pool kind without pool branch": (Block(4), Block(4, pool="avg")),
    "scale without residual": (Block(4), Block(4, scale=0.1)),
    "scale of the branch residual": (
        Block(4, residual="branch"),
        Block(4, residual="branch", scale=0.3),
    ),
    "reduce of an absent 3x3": (Block(4, 0), Block(4, 12)),
    "reduce of an absent 5x5": (Block(4, 4, 8, 0), Block(4, 4, 8, 12)),
    "whole and decimal scale": (Block(4, residual="block", scale=1), Block(4, residual="block")),
}


@pytest.mark.parametrize("name", SAME)
def test_equal_networks_have_equal_keys(name: str) -> None:
    one, other = SAME[name]
    assert one == other
    assert hash(one) == hash(other)
    assert key(one) == key(other)
    assert one.to_json() == other.to_json()


DIFFERENT = {
    "n of asymmetric": (
        Block(4, 4, 8, factorization="asymmetric", n=3),
        Block(4, 4, 8, factorization="asymmetric", n=7),
    ),
    "stacked with 5x5": (Block(4, 0, 0, 4, 8), Block(4, 0, 0, 4, 8, factorization="stacked")),
    "asymmetric 3x3": (Block(4, 4, 8), Block(4, 4, 8, factorization="asymmetric")),
    "expanded 3x3": (Block(4, 4, 8), Block(4, 4, 8, factorization="expanded")),
    "pool kind": (Block(width_pool=4), Block(width_pool=4, pool="avg")),
    "scale": (Block(4, residual="block", scale=0.1), Block(4, residual="block", scale=0.3)),
    "residual": (Block(4, residual="block"), Block(4, residual="branch")),
    "reduce": (Block(4, 4, 8), Block(4, 8, 8)),
    "branch": (Block(4, 4, 8), Block(4, 0, 0, 4, 8)),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_networks_have_different_keys(name: str) -> None:
    one, other = DIFFERENT[name]
    assert one != other
    assert key(one) != key(other)


def test_the_keys_of_sampled_candidates_tell_them_apart(sampled: list[Candidate]) -> None:
    for values in (sampled, [candidate.architecture for candidate in sampled]):
        distinct = set(values)
        assert len(distinct) > 900
        assert len({value.key for value in distinct}) == len(distinct)
        assert len({json.dumps(value.to_json()) for value in distinct}) == len(distinct)


@given(st.from_type(Architecture), st.from_type(Architecture))
def test_keys_are_equal_where_architectures_are(one: Architecture, other: Architecture) -> None:
    assert (one.key == other.key) is (one == other)


def test_keys_stay_what_they_were(
    googlenet: Architecture,
    golden: dict[str, dict[str, str]],
) -> None:
    """Stored evaluations are found by key: a change here orphans every database."""
    full = Block(4, 8, 12, 16, 20, 24, "avg", "asymmetric", 7, "block", 0.3)
    values = {
        "plain": PLAIN,
        "every field": Architecture(
            Stem(8, 7, 2, True, (8, 16)), (STAGE, Stage((full,), "inception")), "bn-relu-conv", 0.2
        ),
        "googlenet": googlenet,
        "googlenet-28": catalog.candidate("googlenet-28").architecture,
        "plain candidate": Candidate(PLAIN),
        "smoothed candidate": Candidate(PLAIN, 0.1),
    }
    assert {name: value.key for name, value in values.items()} == golden["keys"]
