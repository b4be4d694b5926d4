"""Tests of search spaces as TOML and JSON: round trips, and the errors of a user's file."""

import json
import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.dimensions import (
    DEFAULTS_0_1,
    DIMENSIONS,
    DIVIDED,
    OF_ONE_STAGE,
    general,
)
from search_space.space import SearchSpace

NO_WIDTH = "[stage]\nwidth_1x1 = [0]\nwidth_3x3 = [0]\nwidth_5x5 = [0]\nwidth_pool = [0]"
ALL_ZERO = "[stage]\nshare_1x1 = [0]\nshare_3x3 = [0]\nshare_5x5 = [0]\nshare_pool = [0]"


@given(st.from_type(SearchSpace))
def test_toml_round_trip(space: SearchSpace) -> None:
    text = space.to_toml()
    assert SearchSpace.from_toml(text) == space
    assert SearchSpace.from_toml(text).to_toml() == text


@given(st.from_type(SearchSpace))
def test_json_round_trip(space: SearchSpace) -> None:
    data = json.loads(json.dumps(space.to_json()))
    assert SearchSpace.from_json(data) == space
    assert SearchSpace.from_json(data).to_json() == data


def test_the_default_space_lists_every_dimension_with_its_words() -> None:
    text = SearchSpace().to_toml()
    data = tomllib.loads(text)
    used = {
        name: d for name, d in DIMENSIONS.items() if name[:6] != "stage." or name[6:] not in DIVIDED
    }
    assert {f"{t}.{key}": tuple(data[t][key]) for t in data for key in data[t]} == {
        name: dimension.choices for name, dimension in used.items()
    } | OF_ONE_STAGE
    assert SearchSpace.from_toml(text) == SearchSpace() == SearchSpace.from_toml("")
    for name, dimension in used.items():
        key = name.split(".")[1]
        assert any(
            line.startswith(f"{key} = [") and line.endswith(f"]  # {dimension.words}")
            for line in text.splitlines()
        )


def test_a_narrowed_space() -> None:
    space = SearchSpace.from_toml("[stage]\nwidth = [16, 32]\n[stage2]\nwidth = [64]\nn = [3]\n")
    assert space.choices("stage1.width") == (16, 32)
    assert space.choices("stage2.width") == (64,)
    assert space.choices("stage2.n") == (3,)
    assert space.choices("stage2.blocks") == DIMENSIONS["stage.blocks"].choices
    assert space.to_toml().endswith("\n\n[stage2]\nn = [3]\nwidth = [64]\n")


def test_default_choices_written_out_are_the_default_space() -> None:
    width = DIMENSIONS["stem.width"].choices
    assert SearchSpace({"stem.width": width}) == SearchSpace()
    assert SearchSpace.from_toml("[head]\ndropout = [0]") == SearchSpace()
    assert SearchSpace({"stem.width": width[::-1]}) != SearchSpace()
    assert SearchSpace(OF_ONE_STAGE) == SearchSpace()
    everywhere = {"stage.width_5x5": DIMENSIONS["stage.width_5x5"].choices}
    assert SearchSpace(everywhere) != SearchSpace()
    own = {"stage1.width_5x5": OF_ONE_STAGE["stage1.width_5x5"]}
    assert SearchSpace(everywhere | own) == SearchSpace()
    divided = SearchSpace({"stage.width": DIMENSIONS["stage.width"].choices})
    assert divided == SearchSpace({"stage.share_5x5": (0, 1, 2)}) != SearchSpace()


@pytest.mark.parametrize("own", ["stage.width_3x3", "stage2.reduce_5x5"])
def test_shares_and_widths_of_branches_exclude_each_other(own: str) -> None:
    choices = DIMENSIONS[general(own)].choices
    with pytest.raises(ValueError, match=f"^stage3.share_pool and {own} exclude each other; a spa"):
        SearchSpace({"stage3.share_pool": (1,), own: choices})


def test_what_a_file_did_not_give_in_0_1() -> None:
    text = "[stem]\nwidth = [8]\n[stage]\nn = [5]"
    space = SearchSpace.from_toml(text).of_0_1()
    assert space == SearchSpace(DEFAULTS_0_1 | {"stem.width": (8,), "stage.n": (5,)})
    assert space.choices("stage.width") == (16, 32, 48, 64)
    assert "stem.second_1x1" not in space.to_json()
    assert "stage.width_3x3" not in space.to_json()


def test_whole_numbers_become_decimal_where_the_dimension_is() -> None:
    space = SearchSpace.from_toml("[stage]\nreduce = [1, 2]")
    assert json.dumps(space.to_json()["stage.reduce"]) == "[1.0, 2.0]"
    assert "reduce = [1.0, 2.0]  #" in space.to_toml()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[stem]\ncolour = [3]", "dimension 'stem.colour' is unknown; the dimensions are: stem.ke"),
        ("[stage7]\nn = [3]", "dimension 'stage7.n' is unknown; the dimensions are: stem.kernel, "),
        ("[tail]\nn = [3]", "dimension 'tail.n' is unknown; the dimensions are: stem.kernel, "),
        ("[stem]\nkernel = [9]", "stem.kernel is 9; choose one of: 3, 5, 7"),
        ("[stem]\nkernel = [3.0]", "stem.kernel is 3.0; choose one of: 3, 5, 7"),
        ("[stem]\nkernel = ['3']", "stem.kernel is '3'; choose one of: 3, 5, 7"),
        ("[stem]\nkernel = [[3]]", "stem.kernel is [3]; choose one of: 3, 5, 7"),
        ("[stem]\npool = [1]", "stem.pool is 1; choose one of: False, True"),
        ("[stem]\nstride = [true]", "stem.stride is True; choose one of: 1, 2"),
        (
            "[stage2]\npool = ['min']",
            "stage2.pool is 'min'; choose one of: max, avg",
        ),
        (
            "[stage]\nfactorization = ['split']",
            "stage.factorization is 'split'; choose one of: none, stacked, asymmetric, expanded",
        ),
        (
            "[stem]\nwidth = ['wide']",
            "stem.width is 'wide'; it must be a whole number from 4 to 512",
        ),
        ("[stem]\nwidth = [[8]]", "stem.width is [8]; it must be a whole number from 4 to 512"),
        ("[stem]\nwidth = [8.0]", "stem.width is 8.0; it must be a whole number from 4 to 512"),
        ("[stem]\nwidth = [nan]", "stem.width is nan; it must be a whole number from 4 to 512"),
        ("[stem]\nwidth = [0]", "stem.width is 0; it must be a whole number from 4 to 512"),
        ("[stem]\nwidth = [10]", "stem.width is 10; it must be a multiple of 4"),
        ("[stage3]\nwidth = [18]", "stage3.width is 18; it must be a multiple of 4"),
        ("[head]\ndropout = [1]", "head.dropout is 1; it must be a number from 0 to 0.9"),
        ("[body]\nstages = [7]", "body.stages is 7; it must be a whole number from 1 to 6"),
        ("[stem]\nwidth = []", "stem.width is (); give a list of at least one choice"),
        ("[stem]\nwidth = 8", "stem.width is 8; give a list of at least one choice"),
        ("[stem]\nwidth = 'all'", "stem.width is 'all'; give a list of at least one choice"),
        ("[stem.width]\nx = [8]", "stem.width is {'x': [8]}; give a list of at least one choice"),
        ("[stem]\nwidth = [8, 16, 8]", "stem.width is [8, 16, 8]; a choice is given twice"),
        ("[head]\ndropout = [0, 0.0]", "head.dropout is [0, 0.0]; a choice is given twice"),
        ("stages = [2]", "'stages' stands outside the tables [stem] [body] [stage] [head]"),
        ("[[stem]]\nwidth = [8]", "'stem' stands outside the tables [stem] [body] [stage] [head]"),
        (ALL_ZERO, "stage1: every share can only be 0; allow one above 0"),
        (
            ALL_ZERO.replace("[stage]", "[stage4]"),
            "stage4: every share can only be 0; allow one above 0",
        ),
        (NO_WIDTH, "stage1: every width can only be 0; allow one above 0"),
        ("width: [8]", "not TOML: "),
        ("[stem]\nwidth = [8]\nwidth = [16]", "not TOML: "),
    ],
)
def test_what_is_refused_and_how(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is compared
        SearchSpace.from_toml(text)
    assert type(error.value) is ValueError
    if message.endswith((": ", ", ", "stem.ke")):
        assert str(error.value).startswith(message)
    else:
        assert str(error.value) == message


def test_a_stage_with_a_share_above_zero_may_override_shares_that_are_all_zero() -> None:
    own = "".join(f"\n[stage{number}]\nshare_3x3 = [1]" for number in range(1, 7))
    assert SearchSpace.from_toml(ALL_ZERO + own).choices("stage4.share_3x3") == (1,)


TABLES = st.sampled_from(["stem", "body", "stage", "stage1", "stage9", "head", "x"])
KEYS = st.sampled_from([name.split(".")[1] for name in DIMENSIONS] + ["y"])
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=6,
)


def literal(value: object) -> str:
    """A TOML literal."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str) else str(value)


@settings(max_examples=2 * settings().max_examples)
@given(st.dictionaries(TABLES, st.dictionaries(KEYS, VALUES, max_size=2) | VALUES, max_size=3))
def test_any_toml_is_a_space_or_a_value_error(data: dict[str, object]) -> None:
    text = "\n".join(f"{key} = {literal(value)}" for key, value in data.items())
    try:
        space = SearchSpace.from_toml(text)
    except ValueError:
        return
    assert SearchSpace.from_toml(space.to_toml()) == space


@given(st.text())
def test_any_text_is_a_space_or_a_value_error(text: str) -> None:
    try:
        space = SearchSpace.from_toml(text)
    except ValueError:
        return
    assert space == SearchSpace()


def test_a_notebook_shows_every_dimension_with_its_choices() -> None:
    space = SearchSpace({"stem.width": (16, 24), "head.label_smoothing": (0.0, 0.1)})
    rows = dict(re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td></tr>", space._repr_html_()))
    assert rows["stem.width"] == "16, 24"
    assert list(rows) == [name for name, _ in space.items()]
