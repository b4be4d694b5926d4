"""The look of every table on the terminal."""

from rich import box
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
