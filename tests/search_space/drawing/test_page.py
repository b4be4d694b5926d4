"""Tests of the page around the picture: its title, names, figures, legend, and what it refuses."""

import os
import subprocess
import sys
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from search_space import graph
from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.catalog import CATALOG
from search_space.cost import graph_cost
from search_space.diagram import rows
from search_space.drawing.page import short, svg
from search_space.expand import expand
from search_space.graph import Sequence, Shape

NAMESPACE = "{http://www.w3.org/2000/svg}"
DRAWN = {"svg", "title", "desc", "rect", "g", "text", "tspan", "path", "circle"}
LARGE = (3, 224, 224)


class Text(NamedTuple):
    """Words of the page, where their anchor is, and whether they are bold."""

    x: float
    y: float
    words: str
    bold: bool


def read(drawing: str) -> list[Text]:
    """The texts of the page, without those in boxes."""
    return [
        Text(
            float(text.get("x", "nan")),
            float(text.get("y", "nan")),
            "".join(text.itertext()),
            text.get("font-weight") == "600",
        )
        for text in ElementTree.fromstring(drawing).findall(f"{NAMESPACE}text")
    ]


def column(texts: list[Text], header: str) -> list[str]:
    """What stands below ``header``, from top to bottom."""
    (top,) = (text for text in texts if text.words == header)
    return [text.words for text in texts if text.x == top.x and text.y > top.y]


@pytest.mark.parametrize("title", ["</title><script>alert('1')</script>&amp;\"", "]]>", "a\x00"])
def test_titles_are_inert(title: str) -> None:
    text = svg(CATALOG["nin"].graph(224, 3, 10), LARGE, title)
    root = ElementTree.fromstring(text)
    assert root[0].text == read(text)[0].words == title.replace("\x00", "\ufffd")
    assert {element.tag.removeprefix(NAMESPACE) for element in root.iter()} <= DRAWN


@pytest.mark.parametrize("name", CATALOG)
def test_nothing_is_live_and_nothing_is_fetched(name: str) -> None:
    text = svg(CATALOG[name].graph(224, 3, 10), LARGE, name)
    assert text.count("http") == 1
    for element in ElementTree.fromstring(text).iter():
        assert element.tag.removeprefix(NAMESPACE) in DRAWN
        assert not {"href", "style", "id"} & set(element.attrib)
        assert not any(key.startswith("on") for key in element.attrib)
        assert not any("url(" in value for value in element.attrib.values())


def test_a_long_title_is_shortened_on_the_page_alone() -> None:
    title = "Q" * 500
    text = svg(CATALOG["alexnet"].graph(224, 3, 10), LARGE, title)
    assert ElementTree.fromstring(text)[0].text == title
    shown = read(text)[0].words
    assert shown.endswith("Q\u2026")
    assert 40 < len(shown) < 80


def test_names_and_figures_of_googlenet() -> None:
    text = svg(CATALOG["googlenet"].graph(224, 3, 1000), LARGE, "GoogLeNet")
    texts = read(text)
    parts = "stem stage1 reduction2 stage2 reduction3 stage3 head"
    assert [text.words for text in texts if text.bold] == ["GoogLeNet", *parts.split()]
    assert texts[1].words == "7.00 M parameters, 1.58 G MACs"
    (y, *others) = [text.y for text in texts if text.words == "block1"]
    assert len(others) == 2
    first = [text.words for text in texts if text.y == y]
    assert first == ["block1", "256x28x28", "164 k", "128 M"]
    described = ElementTree.fromstring(text)[1].text
    assert described is not None
    assert described.startswith("Layers from top to bottom: image 3x224x224; stem first 64x112x112")
    assert described.endswith("head linear 1000x1x1; logits 1000. 7.00 M parameters, 1.58 G MACs.")


def test_every_block_has_the_shape_that_the_table_gives_it(sampled: list[Candidate]) -> None:
    graphs: list[tuple[Sequence, Shape]] = [
        (entry.graph(224, 3, 10), LARGE) for entry in CATALOG.values()
    ]
    graphs += [(expand(candidate.architecture), (1, 28, 28)) for candidate in sampled[:100]]
    for node, shape in graphs:
        texts = read(svg(node, shape, ""))
        # An auxiliary head has its name in its own frame; norms and ReLUs are no rows.
        silent = {"batch norm", "relu", "auxiliary head"}
        blocks = [row for row in _leaves(node, shape) if row[1] not in silent]
        assert column(texts, "output") == [output for _, _, output in blocks]
        found = [text.words for text in texts if text.words.startswith("block")]
        assert found == [name for name, _, _ in blocks if name.startswith("block")]


def _leaves(node: Sequence, shape: Shape) -> list[tuple[str, str, str]]:
    """Name, kind and output of every block: two levels deep, or a part that is a block itself."""
    found = []
    parts = dict(node.children)
    part = ""
    for row in rows(node, shape):
        part = row.name if row.depth == 0 else part
        opened = isinstance(parts[part], graph.Sequence)
        if (row.depth == 1) is opened:
            found.append((row.name, row.kind, "x".join(map(str, row.output))))
    return found


def test_figures_add_up() -> None:
    """With all counts below 1,000 they are exact: norms count where they are drawn."""
    stages = (Stage((Block(4, residual="block"), Block(width_pool=4, residual="branch"))),)
    for norm in ("none", "conv-bn-relu", "bn-relu-conv"):
        node = expand(Architecture(Stem(4, 1), stages, norm))
        texts = read(svg(node, (1, 2, 2), norm))
        cost = graph_cost(node, (1, 2, 2))
        assert texts[1].words == f"{cost.params} parameters, {cost.macs} MACs"
        assert sum(map(int, column(texts, "params"))) == cost.params
        assert sum(map(int, column(texts, "MACs"))) == cost.macs


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *((0, "0"), (999, "999"), (1000, "1.00 k"), (9_994, "9.99 k"), (9_995, "10.0 k")),
        *((99_949, "99.9 k"), (99_950, "100 k"), (999_499, "999 k"), (999_500, "1.00 M")),
        *((163_696, "164 k"), (1_582_671_872, "1.58 G"), (2 * 10**12, "2.00 T")),
        *((10**18, "1000 P"),),
    ],
)
def test_short_numbers_have_three_digits(count: int, text: str) -> None:
    assert short(count) == text


def test_an_image_that_is_too_small_is_refused_with_the_layer() -> None:
    node = CATALOG["alexnet"].graph(224, 3, 10)
    with pytest.raises(
        ValueError, match=r"^layer pool2 \(max-pool 3x3\) can't run on a 256x2x2 map"
    ):
        svg(node, (3, 30, 30), "small")


def test_a_graph_of_nothing_hands_the_image_on() -> None:
    root = ElementTree.fromstring(svg(graph.IDENTITY, (1, 28, 28), "identity"))
    boxes = root.findall(f"{NAMESPACE}g[@class='box end']")
    assert ["".join(box.itertext()) for box in boxes] == ["image 1x28x28", "logits 1x28x28"]


def test_equal_graphs_have_equal_drawings_in_every_process() -> None:
    """Legends come from sets, whose order changes with the hash seed."""
    code = """
from search_space.drawing.page import svg
from search_space.graph import Sequence, batch_norm, conv, relu
strips = [batch_norm(4)], [relu()], [batch_norm(4), relu()], [relu(), batch_norm(4)]
layers = [[*some, conv(4, 4, (1, 1))] for some in strips]
layers += [part[::-1] for part in layers]
units = [Sequence(tuple((str(at), x) for at, x in enumerate(unit))) for unit in layers]
graph = Sequence(tuple((f"unit {at}", unit) for at, unit in enumerate(units)))
print(ascii(svg(graph, (4, 2, 2), "title")))
"""
    found = set()
    for seed in range(4):
        env = {**os.environ, "PYTHONHASHSEED": str(seed)}
        found.add(subprocess.check_output([sys.executable, "-c", code], env=env, text=True))
    (drawing,) = found
    assert drawing.count("before it") == drawing.count("after it") == 4
