"""Tests of the text of written modules: what a title can do, what is refused, how it reads."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from search_space import graph
from search_space.architecture import Architecture, Block, Stage, Stem
from search_space.catalog import CATALOG
from search_space.expand import expand
from search_space.graph import Concat, Node, Sequence
from search_space.source.module import source

ROOT = Path(__file__).parents[3]
IMAGE = (1, 28, 28)
GOLDEN = Path(__file__).parent / "written.py"


@dataclass(frozen=True)
class Unknown(graph.Layer):
    kind = "unknown"


def of_the_catalog(name: str) -> str:
    """The text of a network of the catalog, for 3x32x32 images and 10 classes."""
    return source(CATALOG[name].graph(32, 3, 10), (3, 32, 32), name)


def test_a_written_file_runs_where_nothing_of_ours_is(tmp_path: Path) -> None:
    text = of_the_catalog("googlenet-residual-block")
    check = """
import sys
network = Network().eval()
print(*network(torch.zeros(2, 3, 32, 32)).shape, sum(p.numel() for p in network.parameters()))
print(*sorted({name.split(".")[0] for name in sys.modules} & {"nas", "search_space", "studies"}))
"""
    (tmp_path / "written.py").write_text(text + check, encoding="utf-8")
    command = [sys.executable, "-I", "-W", "error", "written.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    params = re.search(r"^([\d,]+) parameters", text, re.MULTILINE)
    assert params
    assert done.stdout == f"2 10 {params[1].replace(',', '')}\n\n"


TITLES = [
    '"""',
    '"',
    "\\",
    '\\"""',
    "ends in a backslash\\",
    'ends in a quote"',
    "'''",
    '"""\nimport os\nos.abort()\n"""',
    "first\r\nsecond\x0bthird\x85fourth\u2028fifth",
    "\\N{BULLET} \\x41 \\u0041 \\0 \\q {braces} %s",
    "# -*- coding: utf-7 -*-",
    "null \x00, right to left \u202e, half a pair \ud800, bell \a",
    "größe 大 😀",
    "\\" * 500,
    '"' * 500,
    ("x" * 96 + "\\") * 3,
    "word " * 100,
    "",
    " \n ",
]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_words_and_nothing_else(title: str) -> None:
    node = expand(Architecture(Stem(4), (Stage((Block(4),)),)))
    written, plain = (ast.parse(source(node, IMAGE, words)) for words in (title, "plain"))
    docstring = ast.get_docstring(written)
    assert docstring
    visible = "".join(c for c in title if c.isprintable() or c.isspace())
    said = docstring.split("\n\n")[0]
    assert re.sub(r"\s", "", said) == (re.sub(r"\s", "", visible) or "Network")
    assert docstring.split("\n\n")[1:] == str(ast.get_docstring(plain)).split("\n\n")[1:]
    assert [ast.dump(s) for s in written.body[1:]] == [ast.dump(s) for s in plain.body[1:]]
    source(node, IMAGE, title).encode("utf-8")


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Unknown(), "no source for Unknown()"),
        (graph.pool("min", 1), "no source for Pool(mode='min'"),
    ],
)
@pytest.mark.parametrize("around", [lambda n: n, lambda n: Concat((("a", Sequence((("b", n),))),))])
def test_an_unknown_layer_is_refused(
    layer: graph.Layer, words: str, around: Callable[[Node], Node]
) -> None:
    with pytest.raises(AssertionError, match=re.escape(words)):
        source(Sequence((("part", around(layer)),)), IMAGE, "test")


def test_an_image_that_is_too_small_names_the_layer() -> None:
    node = Sequence((("stem", Sequence((("pool", graph.pool("max", 2, 3, 0)),))),))
    with pytest.raises(ValueError, match=r"stem\.pool \(max-pool 3x3\) can't run on a 1x2x2 map"):
        source(node, (1, 2, 2), "test")


def test_the_text_is_the_same_every_time() -> None:
    program = (
        "import hashlib; from search_space.catalog import CATALOG;"
        "from search_space.source.module import source;"
        "print([hashlib.sha256(source(CATALOG[n].graph(32, 3, 10), (3, 32, 32), n).encode())"
        ".hexdigest() for n in ('googlenet-residual-block', 'googlenet-expanded', 'vgg11')])"
    )
    found = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", program]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1


def test_googlenet_has_one_line_a_branch() -> None:
    text = of_the_catalog("googlenet")
    line = r'^    block\d\["(1x1|3x3|5x5|pool)"\] = (conv_relu|sequence)\(.*\)$'
    assert (
        re.findall(line, text, re.MULTILINE)
        == [
            ("1x1", "conv_relu"),
            ("3x3", "sequence"),
            ("5x5", "sequence"),
            ("pool", "sequence"),
        ]
        * 9
    )
    helpers = re.findall(r"^(?:class|def) (\w+)", text, re.MULTILINE)
    parts = ["Network", "stem", "stage1", "stage2", "stage3", "head"]
    assert helpers == [*parts, "conv_relu", "sequence", "Concat"]


def test_a_small_network_to_the_letter() -> None:
    first = Block(4, 2, 4, 2, 4, 4, "avg", "expanded")
    second = Block(4, 2, 4, factorization="asymmetric", residual="block", scale=0.2)
    stages = (Stage((first, second)), Stage((Block(4, 2, 6, residual="branch"),), "inception"))
    architecture = Architecture(Stem(8, second=(8, 16)), stages, "conv-bn-relu", 0.2)
    title = "A small network with most kinds of blocks, as it must be written."
    assert source(expand(architecture, 1, 3), (1, 16, 16), title) == GOLDEN.read_text()
