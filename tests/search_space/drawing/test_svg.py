"""Tests of SVG text: it is valid XML whatever the words are, inert, readable and exactly placed."""

from itertools import combinations
from xml.etree import ElementTree

import pytest

from search_space.drawing.svg import (
    KINDS,
    STRIPS,
    Box,
    Frame,
    Line,
    Mark,
    Plus,
    Words,
    document,
    moved,
    text_width,
)

NAMESPACE = "{http://www.w3.org/2000/svg}"
MARKS: list[Mark] = [
    Words(10, 10, "words"),
    Plus(50, 50, ("relu",)),
    Box(0, 20, 80, 28, "1x1", "1x1 conv", "4", ("batch norm", "relu")),
    Line(40, 0, "v20", "v"),
    Frame(0, 0, 90, 90),
]


@pytest.mark.parametrize(
    "text",
    [
        "</title></text><script>alert('1')</script>",
        "&amp; & \"double\" 'single' ]]> <!-- -->",
        '" onload="alert(1)',
        "<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'b'>]>&a;",
        "",
    ],
)
def test_text_is_inert_wherever_it_stands(text: str) -> None:
    marks: list[Mark] = [Words(0, 0, text), Box(0, 0, 9, 9, "pool", f"x{text}", f"y{text}")]
    root = ElementTree.fromstring(document(99, 99, text, text, marks))
    assert [element.tag.removeprefix(NAMESPACE) for element in root] == (
        ["title", "desc", "rect", "g", "text"]
    )
    assert root[0].text == root[1].text == root[4].text == (text or None)
    assert "".join(root[3].itertext()) == f"x{text} y{text}"
    plain = ElementTree.fromstring(document(99, 99, "", "", marks))
    assert {key for element in plain.iter() for key in element.attrib} == (
        {key for element in root.iter() for key in element.attrib}
    )


def test_what_xml_can_not_say_is_replaced() -> None:
    text = "a\x00\x0b\x1b\ud800\ufffe\uffffb\U0001f600\t"
    root = ElementTree.fromstring(document(9, 9, text, "", []).encode())
    assert root[0].text == "a" + 6 * "\ufffd" + "b\U0001f600\t"


def test_a_document_is_an_image_of_its_size_on_white() -> None:
    root = ElementTree.fromstring(document(120, 80, "title", "words", []))
    assert root.tag == f"{NAMESPACE}svg"
    assert (root.get("role"), root.get("viewBox")) == ("img", "0 0 120 80")
    assert (root.get("width"), root.get("height")) == ("120", "80")
    assert root.get("font-family") == "system-ui, sans-serif"
    assert root[2].attrib == {"width": "120", "height": "80", "fill": "#ffffff"}


def test_frames_lie_behind_lines_and_lines_behind_boxes() -> None:
    root = ElementTree.fromstring(document(99, 99, "", "", MARKS))
    tags = [element.tag.removeprefix(NAMESPACE) for element in root][3:]
    assert tags == ["rect", "path", "g", "g", "text"]


def test_moving_a_mark_moves_all_of_it_and_changes_nothing_else() -> None:
    def places(marks: list[Mark]) -> list[tuple[float, float]]:
        root = ElementTree.fromstring(document(99, 99, "", "", marks))
        found = []
        for element in list(root.iter())[4:]:
            x, y = element.get("x", element.get("cx")), element.get("y", element.get("cy"))
            if x and y:
                found.append((float(x), float(y)))
            if path := element.get("d"):
                x, y = path[1:].replace("v", " ").replace("h", " ").split()[:2]
                found.append((float(x), float(y)))
        return found

    before, after = places(MARKS), places(moved(MARKS, 7, 10**6))
    assert len(before) == 10
    assert after == [(x + 7, pytest.approx(y + 10**6, abs=1e-3)) for x, y in before]
    assert moved(moved(MARKS, 7, 9), -7, -9) == MARKS


@pytest.mark.parametrize("kind", KINDS)
def test_texts_stand_out_from_their_boxes(kind: str) -> None:
    """WCAG 2, level AA: 4.5 to 1."""
    dark, light = sorted(map(_luminance, (KINDS[kind].fill, KINDS[kind].ink)))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_kinds_differ_in_look_and_words() -> None:
    looks = [(kind.fill, kind.dashes) for kind in KINDS.values() if kind.fill != "#ffffff"]
    assert all(one != other for one, other in combinations(looks, 2))
    words = [kind.words for kind in (*KINDS.values(), *STRIPS.values())]
    assert len(set(words)) == len(words)


def test_the_width_of_text_grows_with_its_length_and_size() -> None:
    assert text_width("") == 0
    for text in ("1", "3x3 conv 128", "x" * 99):
        assert text_width(text) % 2 == 0
        assert 0.6 * 12 * len(text) <= text_width(text) <= 0.65 * 12 * len(text) + 2
        assert text_width(text, 17) > text_width(text, 11)
