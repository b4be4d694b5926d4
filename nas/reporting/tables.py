"""The look of every table on the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


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


def print_rows(
    console: Console, title: str, header: Sequence[str], rows: Sequence[tuple[str, ...]]
) -> None:
    """Print rows of plain text, the first column flush left, the others right."""
    table = new_table(title)
    for place, name in enumerate(header):
        table.add_column(Text(name), justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
