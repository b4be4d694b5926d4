"""Tests of where things stand in the picture: all of the graph once, nothing on anything else."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise
from random import Random
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from search_space import graph
from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.catalog import CATALOG
from search_space.cost import graph_cost
from search_space.drawing.page import svg
from search_space.expand import expand
from search_space.graph import Node, Sequence, Shape

IMAGE, LARGE = (1, 28, 28), (3, 224, 224)
NAMESPACE = "{http://www.w3.org/2000/svg}"
KINDS = (["layer"], *2 * [["layer", "layer", "sequence", "concat", "add", "aside"]], ["sequence"])
STEP = re.compile(r"([hv])(-?\d+)")


class Area(NamedTuple):
    """A rectangle, and what it is or says."""

    x: float
    y: float
    width: float
    height: float
    text: str = ""

    def overlaps(self, other: "Area") -> bool:
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def inside(self, other: "Area") -> bool:
        return (
            other.x <= self.x
            and other.y <= self.y
            and self.x + self.width <= other.x + other.width
            and self.y + self.height <= other.y + other.height
        )


class Picture:
    """A drawing, parsed, and the graph that it is of."""

    def __init__(self, name: str, node: Sequence, shape: Shape) -> None:
        self.name, self.node, self.shape = name, node, shape
        self.root = ElementTree.fromstring(svg(node, shape, name))
        self.area = Area(*map(float, self.root.get("viewBox", "").split()))
        self.boxes = [_area(group) for group in self.of("box")]
        self.pluses = [_circle(group) for group in self.of("plus")]
        self.layers = [box.text for box in self.boxes[1:-1]]

    def of(self, role: str) -> list[ElementTree.Element]:
        groups = self.root.findall(f"{NAMESPACE}g")
        return [group for group in groups if group.get("class", "").split()[0] == role]

    def kinds(self, role: str) -> set[str]:
        return {group.get("class", "").partition(" ")[2] for group in self.of(role)}

    def strips(self) -> int:
        groups = [*self.of("box"), *self.of("plus")]
        return sum(len(group.findall(f".//{NAMESPACE}rect[@class='strip']")) for group in groups)

    def frames(self, role: str) -> list[Area]:
        return [_rect(rect) for rect in self.root.findall(f"{NAMESPACE}rect[@class='{role}']")]

    def words(self) -> list[Area]:
        """Where text stands that is in no box, by the average width of a letter."""
        return [_text(text) for text in self.root.findall(f"{NAMESPACE}text")]

    def lines(self) -> list[list[tuple[int, int]]]:
        """The corners of every line."""
        found = []
        for path in self.root.findall(f"{NAMESPACE}path"):
            start = path.get("d", "").partition("m")[0]
            x, y = map(int, re.findall(r"-?\d+", start)[:2])
            corners = [(x, y)]
            for way, length in STEP.findall(start):
                x, y = (x + int(length), y) if way == "h" else (x, y + int(length))
                corners.append((x, y))
            found.append(corners)
        return found


def _rect(rect: ElementTree.Element, text: str = "") -> Area:
    x, y, width, height = (float(rect.get(key, "nan")) for key in ("x", "y", "width", "height"))
    return Area(x, y, width, height, text)


def _area(group: ElementTree.Element) -> Area:
    return _rect(group[0], "".join(group.itertext()))


def _circle(group: ElementTree.Element) -> Area:
    x, y, radius = (float(group[0].get(key, "nan")) for key in ("cx", "cy", "r"))
    strips = group.findall(f"{NAMESPACE}rect")
    return Area(x - radius, y - radius, 2 * radius, 2 * radius + 4 * len(strips), "+")


def _text(text: ElementTree.Element) -> Area:
    size, words = float(text.get("font-size", "12")), "".join(text.itertext())
    width = 0.57 * size * len(words)
    x = float(text.get("x", "nan"))
    x -= {"start": 0, "middle": width / 2, "end": width}[text.get("text-anchor", "start")]
    return Area(x, float(text.get("y", "nan")) - 0.75 * size, width, size, words)


def _span(ends: tuple[tuple[int, int], tuple[int, int]]) -> Area:
    (x, y), (right, bottom) = ends
    return Area(min(x, right), min(y, bottom), abs(right - x), abs(bottom - y))


@pytest.fixture(scope="module")
def pictures(sampled: list[Candidate]) -> list[Picture]:
    """The whole catalog, 200 sampled candidates, and 200 graphs that no architecture has."""
    made = [Picture(name, entry.graph(224, 3, 9), LARGE) for name, entry in CATALOG.items()]
    for index, candidate in enumerate(sampled[:200]):
        made.append(Picture(f"candidate {index}", expand(candidate.architecture), IMAGE))
    for seed in range(200):
        node = Sequence((("a", _anything(Random(seed), 4, 3)[0]),))
        made.append(Picture(f"seed {seed}", node, (4, 14, 14)))
    return made


def _anything(random: Random, width: int, depth: int) -> tuple[Node, int]:
    """A graph of any layers and joins on ``width`` channels, and its output's channels."""
    kind = random.choice(KINDS[depth])
    if kind == "layer":
        out = random.choice([1, 1024])
        layers: list[tuple[Node, int]] = [
            (graph.conv(width, out, random.choice([(1, 1), (1, 7), (11, 11)])), out),
            (graph.batch_norm(width), width),
            (graph.relu(), width),
            (graph.scale(0.25), width),
            (graph.dropout(0.5), width),
            (graph.pool("avg", 1), width),
            (graph.IDENTITY, width),
        ]
        return random.choice(layers)
    if kind == "aside":
        head = (("pool", graph.global_pool(4)), ("linear", graph.linear(16 * width, 3)))
        return graph.Auxiliary(Sequence(head), 0.3), width
    children: list[tuple[str, Node]] = []
    total, first = 0, width
    for index in range(random.randint(1, 6)):
        child, out = _anything(random, first if kind == "sequence" else width, depth - 1)
        if kind == "add":
            child = Sequence((("x", child), ("to", graph.conv(out, width, (1, 1)))))
        children.append((f"{index}", child))
        total, first = total + out, out
    if kind == "sequence":
        return Sequence(tuple(children)), first
    if kind == "add":
        return graph.Add(tuple(children)), width
    return graph.Concat(tuple(children)), total


def walk(node: Node, shape: Shape) -> Iterator[tuple[Node, Shape]]:
    """Every node with its input's shape, those of auxiliary heads among them."""
    yield node, shape
    if isinstance(node, graph.Auxiliary):
        yield from walk(node.head, shape)
    elif not isinstance(node, graph.Layer):
        for _, child in node.children:
            yield from walk(child, shape)
            if isinstance(node, Sequence):
                shape = graph_cost(child, shape).output


def _expected(node: Node, shape: Shape) -> str:
    stride = f" /{node.stride}" if getattr(node, "stride", 1) > 1 else ""
    match node:
        case graph.Conv(kernel=(height, width)):
            return f"{height}x{width} conv {node.outputs}{stride}"
        case graph.Pool():
            return f"{node.kernel}x{node.kernel} {node.mode}-pool{stride}"
        case graph.Linear():
            return f"linear {node.outputs}"
        case graph.Dropout():
            return f"dropout {node.p:g}"
        case graph.Concat():
            return f"concat {graph_cost(node, shape).output[0]}"
        case graph.GlobalPool() | graph.Flatten():
            return node.kind
    return ""


def test_every_layer_and_concatenation_is_drawn_once(pictures: list[Picture]) -> None:
    for picture in pictures:
        expected = Counter(_expected(*pair) for pair in walk(picture.node, picture.shape))
        del expected[""]
        found = Counter(re.sub(r" \u00d7 .*", "", text) for text in picture.layers)
        extra = {text for text in found if text.split()[0] in ("batch", "relu", "scale")}
        assert not extra or picture.name.startswith("seed"), picture.name
        assert Counter({text: found[text] for text in found if text not in extra}) == expected


def test_every_norm_and_relu_is_a_strip_of_what_it_goes_with(pictures: list[Picture]) -> None:
    for picture in pictures:
        nodes = [node for node, _ in walk(picture.node, picture.shape)]
        expected = sum(isinstance(node, graph.BatchNorm | graph.ReLU) for node in nodes)
        boxes = sum(text in ("batch norm", "relu") for text in picture.layers)
        assert picture.strips() + boxes == expected, picture.name
        scales = sum(isinstance(node, graph.Scale) for node in nodes)
        texts = " ".join(picture.layers)
        assert texts.count("\u00d7") + texts.count("scale") == scales, picture.name


def test_a_line_ends_at_every_box_and_one_of_every_branch_at_a_join(
    pictures: list[Picture],
) -> None:
    for picture in pictures:
        ends = [line[-1] for line in picture.lines() if line[-1] != line[0]]
        boxes = [box for box in picture.boxes[1:] if not box.text.startswith("concat")]
        assert all(ends.count((box.x + box.width / 2, box.y)) == 1 for box in boxes), picture.name
        bars = [box for box in picture.boxes if box.text.startswith("concat")]
        found = Counter(
            sum(y == bar.y and bar.x <= x <= bar.x + bar.width for x, y in ends) for bar in bars
        )
        nodes = [node for node, _ in walk(picture.node, picture.shape)]
        assert found == Counter(len(n.children) for n in nodes if isinstance(n, graph.Concat))
        into = Counter(
            sum((x, y) in ((plus.x + 9, plus.y), (plus.x + 18, plus.y + 9)) for x, y in ends)
            for plus in picture.pluses
        )
        assert into == Counter(len(n.children) for n in nodes if isinstance(n, graph.Add))


def test_boxes_lie_in_the_picture_and_apart(pictures: list[Picture]) -> None:
    for picture in pictures:
        things = [*picture.boxes, *picture.pluses]
        assert all(thing.inside(picture.area) for thing in things), picture.name
        for one, other in combinations(things, 2):
            assert not one.overlaps(other), (picture.name, one, other)
        for box in picture.boxes[1:-1]:
            assert sum(box.inside(frame) for frame in picture.frames("part")) == 1


def test_no_line_crosses_a_box(pictures: list[Picture]) -> None:
    for picture in pictures:
        things = [*picture.boxes, *picture.pluses]
        for corners in picture.lines():
            for line in map(_span, pairwise(corners)):
                assert not any(line.overlaps(thing) for thing in things), (picture.name, line)


def test_no_line_begins_or_ends_in_the_air(pictures: list[Picture]) -> None:
    for picture in pictures[::6]:
        lines = picture.lines()
        things = [*picture.boxes, *picture.pluses]
        for index, line in enumerate(lines):
            others = (
                pair for at, other in enumerate(lines) if at != index for pair in pairwise(other)
            )
            spans = [_span(pair) for pair in others]
            for x, y in (line[0], line[-1]):
                assert any(Area(x, y, 0, 0).inside(area) for area in (*things, *spans)), line


def test_texts_fit_and_do_not_overlap(pictures: list[Picture]) -> None:
    for picture in pictures:
        for text in picture.root.iter(f"{NAMESPACE}text"):
            assert float(text.get("font-size", "12")) >= 11
        for box in picture.boxes:
            assert 0.6 * 12 * len(box.text) <= box.width - 8, (picture.name, box)
        words = picture.words()
        assert all(text.text and text.inside(picture.area) for text in words)
        for one, other in combinations([*words, *picture.boxes], 2):
            assert not one.overlaps(other) or one in picture.boxes, (picture.name, one, other)


def test_the_legend_has_what_is_drawn_and_nothing_else(pictures: list[Picture]) -> None:
    for picture in pictures:
        legend = picture.kinds("key") - {""}
        assert legend - {"other"} == picture.kinds("box") - {"end", "other"}, picture.name
        texts = [area.text for area in picture.words()]
        assert ("addition" in texts) == bool(picture.pluses)
        strips = [text for text in texts if text.endswith(("after it", "before it"))]
        assert bool(strips) == bool(picture.strips())


@pytest.mark.parametrize("norm", ["conv-bn-relu", "bn-relu-conv"])
def test_strips_are_below_or_above_as_the_order_is(norm: str) -> None:
    node = expand(Architecture(Stem(8), (Stage((Block(4, 4, 8, 4, 8, 4),)),), norm))
    picture = Picture(norm, node, IMAGE)
    for group in picture.of("box"):
        strips = [_rect(rect) for rect in group.iter(f"{NAMESPACE}rect")][1:]
        box = _area(group)
        above = [strip.y + strip.height / 2 < box.y + box.height / 2 for strip in strips]
        assert above == [norm == "bn-relu-conv"] * len(strips)
        assert all(strip.inside(box) for strip in strips)
    assert picture.strips() == 2 * 7


def test_text_stands_between_however_many_strips() -> None:
    norms = tuple((f"{index}", graph.batch_norm(4)) for index in range(6))
    node = Sequence((*norms, ("conv", graph.conv(4, 4, (1, 1))), *norms))
    picture = Picture("strips", Sequence((("a", node),)), (4, 2, 2))
    (group,) = (group for group in picture.of("box") if "conv" in "".join(group.itertext()))
    strips = [_rect(rect) for rect in group.iter(f"{NAMESPACE}rect")][1:]
    (text,) = map(_text, group.findall(f"{NAMESPACE}text"))
    assert len(strips) == 12
    assert strips[5].y + strips[5].height <= text.y
    assert text.y + text.height <= strips[6].y


def test_auxiliary_heads_stand_aside_and_are_for_training_only(pictures: list[Picture]) -> None:
    for picture in pictures[:-200]:
        frames = picture.frames("aside")
        nodes = walk(picture.node, picture.shape)
        assert len(frames) == sum(isinstance(node, graph.Auxiliary) for node, _ in nodes)
        for frame in frames:
            first, *inside = [box.text for box in picture.boxes if box.inside(frame)]
            assert first == "avg-pool to 4x4"
            assert inside == ["1x1 conv 128", "linear 1024", "dropout 0.7", "linear 9"]
            words = [area.text for area in picture.words() if area.inside(frame)]
            assert words[1:] == ["training only", "loss \u00d7 0.3"]
    assert sum(bool(picture.frames("aside")) for picture in pictures) > 1
