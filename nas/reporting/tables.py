"""Tables of plain text: what is in one, and the look of every table on the terminal."""

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from studies.page import PageTable

HEADING = 11
"""Characters of a heading's line, where columns don't break."""


class Rows(NamedTuple):
    """A table of plain text, whatever shows it: caption, one heading a column, rows of cells.

    ``firm``: on a narrow terminal only the first column breaks, no number does.
    """

    caption: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    firm: bool = False


def new_table(title: str) -> Table:
    """An empty table in the look that all of them have."""
    return Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )


def print_rows(console: Console, shown: Rows) -> None:
    """Print a table, the first column flush left, the others right."""
    table = new_table(shown.caption)
    for place, name in enumerate(shown.header):
        heading = (
            "\n".join(wrap(name, HEADING, break_long_words=False, break_on_hyphens=False))
            if shown.firm
            else name
        )
        table.add_column(
            Text(heading),
            justify="right" if place else "left",
            overflow="fold",
            no_wrap=shown.firm and place > 0,
        )
    for row in shown.rows:
        table.add_row(*map(Text, row))
    console.print(table)


def page_tables(shown: Iterable[Rows]) -> "list[PageTable]":
    """The same tables for a page."""
    from studies.page import PageTable

    return [PageTable(one.caption, one.header, tuple(one.rows)) for one in shown]


def tables_html(shown: Iterable[Rows]) -> str:
    """The same tables as an HTML fragment, for a notebook."""
    from studies.page import table_html

    return "\n".join(map(table_html, page_tables(shown)))


def _in_lines(heading: str) -> str:
    """A heading in lines of whole words."""
    return "\n".join(wrap(heading, HEADING, break_long_words=False, break_on_hyphens=False))
