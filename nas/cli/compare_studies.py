"""`nas compare-studies`: studies side by side, of this tool or of Optuna."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.options import DEFAULT_STORAGE, Json, Storage, print_json

if TYPE_CHECKING:
    from nas.reporting.joint import Compared


def compare_studies(
    studies: Annotated[
        list[str],
        typer.Argument(help="Names of studies; NAME@URL for one of another database."),
    ],
    storage: Storage = DEFAULT_STORAGE,
    html: Annotated[Path | None, typer.Option(help="Write plots and tables there.")] = None,
    as_json: Json = False,
) -> None:
    """Compare studies: best networks, hypervolume at equal effort, the front of all together.

    Studies that Optuna keeps and another tool made can be among them, if their objectives are named
    as ours are (set_metric_names).
    """
    from nas.files import PAGE, check_file
    from nas.reporting import joint

    if html is not None:
        check_file("--html", html, PAGE)
    compared = joint.read(studies, storage)
    if html is not None:
        joint.write_page(compared, html)
    if as_json:
        print_json(joint.to_json(compared))
    else:
        _print(compared)
    if html is not None:
        print(f"page: {html}", file=sys.stderr)


def _print(compared: "Compared") -> None:
    from rich.console import Console
    from rich.text import Text

    from nas.reporting.joint import tables
    from nas.reporting.tables import print_rows

    console = Console(highlight=False)
    for note in compared.notes:
        console.print(Text(note))
    for table in tables(compared):
        print_rows(console, table)
    console.print(Text("* the most accurate of a row; intervals hold 95 %."))
