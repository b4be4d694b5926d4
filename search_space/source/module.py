"""The layer graph as the text of a PyTorch module that needs nothing but torch."""

import builtins
import textwrap
from typing import NamedTuple

from search_space.cost import graph_cost
from search_space.graph import (
    Add,
    Auxiliary,
    Concat,
    Conv,
    Flatten,
    Layer,
    Linear,
    Node,
    Pool,
    ReLU,
    Sequence,
    Shape,
    passes,
)
from search_space.source.brackets import (
    LINE,
    Call,
    Expression,
    call,
    entries,
    is_name,
    lines,
    new_name,
    quoted,
)
from search_space.source.bricks import (
    HELPERS,
    UNITS,
    Used,
    definitions,
    is_unit,
    layer,
    unit,
    using,
)

RESERVED = {*UNITS, *HELPERS, "Network", "torch", "nn", *dir(builtins)}

PATHS = ("path", "shortcut")

Size = tuple[int, ...]
"""(channels, height, width), or (channels,) once a map is flat; without the batch."""


class Module(NamedTuple):
    """What is written so far: the helpers in use by name, and functions that make parts."""

    helpers: Used
    functions: list[str]
    names: set[str]


class Before(NamedTuple):
    """Statements that stand before an expression, and the variables that they take."""

    lines: list[str]
    names: set[str]


def source(graph: Sequence, shape: Shape, title: str) -> str:
    """A module whose class ``Network`` computes what ``graph`` does on inputs of ``shape``.

    Its state dict has the names of that of ``search_space.network.module(graph)``. ``title``, any
    text, goes into the docstring. ShapeError names a layer that can't run on ``shape``.
    """
    cost = graph_cost(graph, shape)
    module = Module({}, [], set(RESERVED))
    made: list[str] = []
    run: list[str] = []
    size: Size = shape
    owned = False
    for name, child in graph.children:
        part = _part(module, name, child, size, owned)
        size = _after(child, size)
        if is_name(name):
            made += lines(f"self.{name} = ", part, 8)
            run.append(f"        x = self.{name}(x)  # {_text(size)}")
        else:
            made += lines("", call("self.add_module", quoted(name), part), 8)
            run.append(f"        x = self.get_submodule({quoted(name)})(x)  # {_text(size)}")
        owned = owned or not passes(child)
    init = ["    def __init__(self):", "        super().__init__()", *made, ""] if made else []
    network = [
        "class Network(nn.Module):",
        f'    """{_text(shape)} to {_text(size)}."""',
        "",
        *init,
    ]
    network += ["    def forward(self, x):", *run, "        return x", ""]
    ends = f"Input [N, {_text(shape, ', ')}], output [N, {_text(size, ', ')}]"
    facts = [
        f"{ends}; sizes below are without N.",
        f"{cost.params:,} parameters, {cost.macs:,} multiply-adds (MACs) an image.",
    ]
    if "Auxiliary" in module.helpers:
        facts.append("Auxiliary heads, which serve training alone, are not counted.")
    start = f'"""{_inert(title)}\n\n' + "\n".join([*facts, '"""', "", *_imports(module), ""])
    return "\n\n".join([start, "\n".join(network), *module.functions, *definitions(module.helpers)])


def _inert(title: str) -> str:
    """``title`` as lines of a docstring that it can't end: in one paragraph, escaped."""
    printable = "".join(c for c in title if c.isprintable() or c.isspace())
    wrapped = textwrap.wrap(" ".join(printable.split()), LINE - 3) or ["Network"]
    # after wrapping, which could part a backslash from what it escapes
    return "\n".join(wrapped).replace("\\", "\\\\").replace('"', '\\"')


def _imports(module: Module) -> list[str]:
    torch = ["import torch"] if "Concat" in module.helpers else []
    return [*torch, "from torch import nn"]


def _text(size: Size, between: str = "x") -> str:
    return between.join(map(str, size))


def _after(node: Node, size: Size) -> Size:
    """The size of what ``node`` makes of a map of ``size``."""
    channels, height, width = (*size, 1, 1)[:3]
    output = graph_cost(node, (channels, height, width)).output
    return output[:1] if _is_flat(node, len(size) == 1) else output


def _is_flat(node: Node, flat: bool) -> bool:
    """Whether ``node`` makes vectors, of vectors if ``flat``, else of maps."""
    if isinstance(node, Sequence):
        for _, child in node.children:
            flat = _is_flat(child, flat)
        return flat
    if isinstance(node, Concat | Add):
        return _is_flat(node.children[0][1], flat)
    return isinstance(node, Flatten | Linear) or (flat and not isinstance(node, Conv | Pool))


def _part(module: Module, name: str, node: Node, size: Size, owned: bool) -> Expression:
    """A part of the network: a layer or unit itself, of all else a function that makes it."""
    if _is_short(node):
        return _expression(module, node, owned)
    function = new_name(name, module.names)
    before = Before([], set(RESERVED))
    if isinstance(node, Sequence):
        value: Expression = _blocks(module, node, size, owned, before)
    else:
        value = _expression(module, node, owned, before, "branches")
    start = [f"def {function}():", f'    """{_text(size)} to {_text(_after(node, size))}."""']
    module.functions.append("\n".join([*start, *before.lines, *lines("return ", value, 4), ""]))
    return f"{function}()"


def _is_short(node: Node) -> bool:
    if isinstance(node, Sequence):
        return not node.children or is_unit(node)
    return isinstance(node, Layer) and not isinstance(node, Auxiliary)


def _blocks(module: Module, node: Sequence, size: Size, owned: bool, before: Before) -> Call:
    """The sequence of a part; a child with branches is made before it, in its own paragraph."""
    found: list[tuple[str, Expression, str]] = []
    for name, child in node.children:
        after = _after(child, size)
        if _has_branches(child):
            variable = new_name(name, before.names)
            own = Before([], before.names - {variable})
            value = _expression(module, child, owned, own, variable)
            rest = [] if value == variable else lines(f"{variable} = ", value, 4)
            aside = isinstance(child, Auxiliary)
            note = f"aside, on {_text(size)}" if aside else f"{_text(size)} to {_text(after)}"
            before.lines.extend([f"    # {note}", *own.lines, *rest, ""])
            found.append((name, variable, ""))
        else:
            note = "" if after == size else _text(after)
            found.append((name, _expression(module, child, owned), note))
        size, owned = after, owned or not passes(child)
    return using(module.helpers, "sequence", entries(found))


def _has_branches(node: Node) -> bool:
    if isinstance(node, Sequence):
        return any(_has_branches(child) for _, child in node.children)
    return isinstance(node, Concat | Add | Auxiliary)


def _expression(
    module: Module, node: Node, owned: bool, before: Before | None = None, name: str = ""
) -> Expression:
    """The expression that makes ``node``; if ``owned``, a ReLU may overwrite the input.

    With ``before``, branches are gathered in a variable ahead of the expression, like ``name``.
    """
    if isinstance(node, Auxiliary):
        head = _expression(module, node.head, False, before, "head")
        return using(module.helpers, "Auxiliary", head, weight=repr(node.weight))
    if isinstance(node, Layer):
        return layer(node, owned, module.helpers)
    if isinstance(node, Concat):
        branches = [(key, _expression(module, child, False), "") for key, child in node.children]
        if before is None:
            return using(module.helpers, "Concat", entries(branches))
        variable = new_name(name, before.names)
        before.lines.extend(lines(f"{variable} = ", using(module.helpers, "Concat"), 4))
        for key, value, _ in branches:
            before.lines.extend(lines(f"{variable}[{quoted(key)}] = ", value, 4))
        return variable
    if isinstance(node, Sequence) and is_unit(node) and (one := unit(node, module.helpers)):
        return one
    if isinstance(node, Sequence) and (added := _added(node)):
        both = [_expression(module, child, False, before, key) for key, child in added.children]
        using(module.helpers, "sequence")
        using(module.helpers, "Add")
        return using(module.helpers, "add_relu", *both)
    names = tuple(key for key, _ in node.children)
    values: list[Expression] = []
    for key, child in node.children:
        values.append(_expression(module, child, owned, before, key))
        owned = isinstance(node, Sequence) and (owned or not passes(child))
    if isinstance(node, Add) and names == PATHS:
        return using(module.helpers, "Add", *values)
    made = entries([(key, value, "") for key, value in zip(names, values, strict=True)])
    if isinstance(node, Add):
        return using(module.helpers, "Sum", made)
    return using(module.helpers, "sequence", made) if values else "nn.Identity()"


def _added(node: Sequence) -> Add | None:
    """The addition of a path and a shortcut, if ``node`` is one and a ReLU after it."""
    match node.children:
        case (("add", Add(children) as added), ("relu", ReLU())):
            return added if tuple(name for name, _ in children) == PATHS else None
    return None
