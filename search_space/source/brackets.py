"""Python expressions as text, broken over lines as ruff breaks them."""

import keyword
import re
from typing import NamedTuple

LINE = 100
"""Columns of a line, at most."""


class Call(NamedTuple):
    """An expression in brackets: the text that opens it, what stands in it, what closes it."""

    head: str
    items: "tuple[Item, ...]"
    tail: str = ")"


class Item(NamedTuple):
    """One argument or entry: its keyword or key, its value, and an entry's comment."""

    label: str
    value: "Expression"
    comment: str = ""


Expression = str | Call
Entry = tuple[str, Expression, str]
"""Name, value and comment (or "") in a dict."""


def call(function: str, *arguments: Expression, **keywords: Expression) -> Call:
    """``function(argument, keyword=argument)``."""
    named = (Item(f"{name}=", value) for name, value in keywords.items())
    return Call(f"{function}(", (*(Item("", value) for value in arguments), *named))


def entries(items: list[Entry]) -> Call:
    """A dict, one entry a name."""
    return Call("{", tuple(Item(f"{quoted(n)}: ", value, note) for n, value, note in items), "}")


def lines(
    prefix: str, value: Expression, indent: int, suffix: str = "", comment: str = ""
) -> list[str]:
    """``prefix value suffix`` on one line where it fits, else one item a line, ``indent`` deep."""
    margin = " " * indent
    flat = f"{margin}{prefix}{_flat(value)}{suffix}"
    note = f"  # {comment}" if comment else ""
    whole = isinstance(value, str) or (len(flat) <= LINE and not _has_comment(value))
    if whole and len(flat + note) <= LINE:
        return [flat + note]
    above = [f"{margin}# {comment}"] if comment else []
    if whole:
        return [*above, flat]
    assert isinstance(value, Call)
    inner: list[str] = []
    # ruff leaves the comma after the last item out if it is the only argument
    only = value.tail == ")" and len(value.items) == 1
    for item in value.items:
        inner += lines(item.label, item.value, indent + 4, "" if only else ",", item.comment)
    return [*above, f"{margin}{prefix}{value.head}", *inner, f"{margin}{value.tail}{suffix}"]


def _flat(value: Expression) -> str:
    if isinstance(value, str):
        return value
    return value.head + ", ".join(i.label + _flat(i.value) for i in value.items) + value.tail


def _has_comment(value: Expression) -> bool:
    return isinstance(value, Call) and any(i.comment or _has_comment(i.value) for i in value.items)


def quoted(text: str) -> str:
    """``text`` as a string literal, in double quotes if it has none itself."""
    literal = repr(text)
    return literal if '"' in literal else f'"{literal[1:-1]}"'


def is_name(text: str) -> bool:
    """Whether ``text`` can be an attribute, and is one that Python does not mangle."""
    plain = re.fullmatch("[A-Za-z][A-Za-z0-9_]*", text) is not None
    return plain and not keyword.iskeyword(text)


def new_name(text: str, taken: set[str]) -> str:
    """A lower-case variable's name like ``text`` that isn't ``taken``; now it is."""
    base = re.sub("[^A-Za-z0-9]+", "_", text.lower()).strip("_")
    base = base if is_name(base) else f"part_{base}".rstrip("_")
    name, number = base, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    taken.add(name)
    return name
