"""The layer graph as the text of a PyTorch module that needs nothing but torch."""

import builtins
import keyword
import re
import textwrap
from typing import NamedTuple

from search_space.cost import graph_cost
from search_space.graph import (
    Add,
    Auxiliary,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    Linear,
    Node,
    Pool,
    ReLU,
    Scale,
    Sequence,
    Shape,
    passes,
)

LINE = 100
"""Columns of a line, at most."""

UNITS: dict[str, tuple[type[Layer], ...]] = {
    "conv": (Conv,),
    "conv_relu": (Conv, ReLU),
    "conv_bn": (Conv, BatchNorm),
    "conv_bn_relu": (Conv, BatchNorm, ReLU),
    "bn_relu_conv": (BatchNorm, ReLU, Conv),
}
"""Sequences that are written as one call: the names of their layers, joined, and their kinds."""

WORDS = {"conv": "convolution", "bn": "batch norm", "relu": "ReLU"}

HELPERS = {
    "add_relu": '''\
def add_relu(path, shortcut):
    """path(x) + shortcut(x), then ReLU."""
    return sequence({"add": Add(path, shortcut), "relu": nn.ReLU(inplace=True)})
''',
    "sequence": '''\
def sequence(layers):
    """The layers one after the other, under their names."""
    return nn.Sequential(OrderedDict(layers))
''',
    "Concat": '''\
class Concat(nn.ModuleDict):
    """Branches side by side on one input, their outputs joined along the channels."""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.values()], 1)
''',
    "Add": '''\
class Add(nn.Module):
    """path(x) + shortcut(x)."""

    def __init__(self, path, shortcut):
        super().__init__()
        self.path = path
        self.shortcut = shortcut

    def forward(self, x):
        return self.path(x) + self.shortcut(x)
''',
    "Sum": '''\
class Sum(nn.ModuleDict):
    """Branches side by side on one input, their outputs added."""

    def forward(self, x):
        first, *others = self.values()
        total = first(x)
        for branch in others:
            total = total + branch(x)
        return total
''',
    "Scale": '''\
class Scale(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor
''',
    "Auxiliary": '''\
class Auxiliary(nn.Module):
    """A second head: hands its input on; in training, ``logits`` is what the head says of it.

    Their loss, times ``weight``, is to be added to the loss of the network's own logits.
    """

    def __init__(self, head, weight):
        super().__init__()
        self.head = head
        self.weight = weight
        self.logits = None

    def forward(self, x):
        self.logits = self.head(x) if self.training else None
        return x
''',
}
"""What a written module may define besides the network and its parts, in order after ``UNITS``."""

RESERVED = {*UNITS, *HELPERS, "Network", "OrderedDict", "torch", "nn", "x", *dir(builtins)}

Written = dict[str, str]
"""Name to text of the helpers that a module uses, filled as its layers are written."""


class _Call(NamedTuple):
    """An expression in brackets: the text that opens it, what stands in it, what closes it."""

    head: str
    items: "tuple[_Item, ...]"
    tail: str = ")"


class _Item(NamedTuple):
    """One argument or entry; ``label`` is its keyword or key."""

    label: str
    value: "str | _Call"
    comment: str = ""


class _Before(NamedTuple):
    """Statements that must stand before an expression, and the names that are taken by then."""

    lines: list[str]
    taken: set[str]


def source(graph: Sequence, shape: Shape, title: str) -> str:
    """The text of a module with a class ``Network``, which is ``graph`` for inputs of ``shape``.

    Its state dict has the names of that of ``search_space.network.module(graph)``. ``title`` is
    any text, and goes into the docstring. ShapeError names a layer that can't run on ``shape``.
    """
    used: Written = {}
    functions: list[str] = []
    taken = set(RESERVED)
    init: list[str] = []
    calls: list[tuple[str, str]] = []
    now: tuple[int, ...] = shape
    owned = False
    for name, child in graph.children:
        before, now = now, _after(child, now)
        value: str | _Call
        if _is_short(child):
            value = _expression(child, owned, used)
        else:
            function = _identifier(name, taken)
            taken.add(function)
            functions.append(_function(function, child, before, owned, used))
            value = f"{function}()"
        if re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) and not keyword.iskeyword(name):
            init += _lines(f"self.{name} = ", value, "", 8)
            calls.append((f"self.{name}(x)", _text(now)))
        else:
            added = _call("self.add_module", _quoted(name), value)
            init += _lines("", added, "", 8)
            calls.append((f"self.get_submodule({_quoted(name)})(x)", _text(now)))
        owned = owned or not passes(child)
    network = ["class Network(nn.Module):", f'    """{_text(shape)} to {_text(now)}."""', ""]
    if init:
        network += ["    def __init__(self):", "        super().__init__()", *init, ""]
    network += ["    def forward(self, x):"]
    network += [f"        x = {call}  # {output}" for call, output in calls]
    network += ["        return x", ""]
    helpers = [used[name] for name in (*UNITS, *HELPERS) if name in used]
    docstring = _docstring(graph, shape, now, title, "Auxiliary" in used)
    return "\n\n".join([docstring + _imports(used), "\n".join(network), *functions, *helpers])


def _docstring(
    graph: Sequence, shape: Shape, output: tuple[int, ...], title: str, auxiliary: bool
) -> str:
    cost = graph_cost(graph, shape)
    printable = "".join(c for c in title if c.isprintable() or c.isspace())
    # escaped once the lines are made, lest one ends in half an escape
    lines = textwrap.wrap(" ".join(printable.split()), LINE - 3) or ["Network"]
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    first, last = (", ".join(map(str, size)) for size in (shape, output))
    facts = [
        f"Input [N, {first}], output [N, {last}].",
        f"{cost.params:,} parameters, {cost.macs:,} multiply-adds an image.",
    ]
    if auxiliary:
        facts.append("The auxiliary heads serve training alone, and are not counted.")
    return '"""' + "\n".join([*escaped, "", *facts, '"""', "", ""])


def _imports(used: Written) -> str:
    lines = ["from collections import OrderedDict", ""] if "sequence" in used else []
    lines += ["import torch"] if "Concat" in used else []
    return "\n".join([*lines, "from torch import nn", ""])


def _function(name: str, node: Node, shape: tuple[int, ...], owned: bool, used: Written) -> str:
    """The function that makes one part of the network, ``node`` on a map of ``shape``."""
    lines = [f"def {name}():", f'    """{_text(shape)} to {_text(_after(node, shape))}."""']
    before = _Before([], set(RESERVED))
    if isinstance(node, Sequence):
        value: str | _Call = _paragraphs(node, shape, owned, used, before)
    else:
        value = _expression(node, owned, used, before, "branches")
    return "\n".join([*lines, *before.lines, *_lines("return ", value, "", 4), ""])


def _paragraphs(
    node: Sequence, shape: tuple[int, ...], owned: bool, used: Written, before: _Before
) -> _Call:
    """The sequence of a part: its blocks are made before, in a paragraph each."""
    names = [_identifier(name, before.taken) for name, _ in node.children]
    items = []
    for (name, child), variable in zip(node.children, names, strict=True):
        output = _after(child, shape)
        comment = "" if output == shape else _text(output)
        value: str | _Call
        if _has_branches(child):
            hoisted = _Before([], before.taken | set(names))
            value = _expression(child, owned, used, hoisted, variable)
            if value != variable:
                hoisted.lines.extend(_lines(f"{variable} = ", value, "", 4))
            before.lines.append(f"    # {_text(shape)} to {_text(output)}")
            before.lines.extend([*hoisted.lines, ""])
            items.append(_Item(f"{_quoted(name)}: ", variable))
        else:
            value = _expression(child, owned, used)
            items.append(_Item(f"{_quoted(name)}: ", value, comment))
        owned = owned or not passes(child)
        shape = output
    used["sequence"] = HELPERS["sequence"]
    return _Call("sequence(", (_Item("", _Call("{", tuple(items), "}")),))
