"""`nas studies`: the studies of a database, and the evaluations in it as a table."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from nas.cli.options import (
    DEFAULT_STORAGE,
    Json,
    Storage,
    print_json,
)
from nas.reporting.tables import new_table
from studies.wording import counted

if TYPE_CHECKING:
    from studies.lock import Holder
    from studies.results import Results


def studies(
    storage: Storage = DEFAULT_STORAGE,
    export: Annotated[
        Path | None,
        typer.Option(help="Add all evaluations to this table, which `nas run --replay` reads."),
    ] = None,
    timed: Annotated[
        bool,
        typer.Option(help="Export seconds; not so where the machine was busy with other work."),
    ] = True,
    as_json: Json = False,
) -> None:
    """List the studies of a database, and who runs them now."""
    from studies.lock import holders
    from studies.results import load_results
    from studies.store import open_store

    store = open_store(storage)
    if export is not None:
        from nas.files import EVALUATIONS, check_suffix
        from studies.table import export_table

        check_suffix("--export", export, EVALUATIONS)
        table, new = export_table(store, export, timed)
        candidates = counted(len(table.candidates), "candidate")
        total = f"{counted(len(table.outcomes), 'evaluation')} of {candidates}"
        print(f"table: {export} with {total}, {new:,} of them new", file=sys.stderr)
    drivers = {name: holder for name, holder in holders(store).items() if holder.runs()}
    found = [
        (load_results(store, name), store.study(name), drivers.get(name))
        for name in store.study_names()
    ]
    if as_json:
        print_json([study_json(*one) for one in found])
    else:
        print_studies(store.shown, found)


def print_studies(
    shown: str, studies: Sequence["tuple[Results, dict[str, Any], Holder | None]"]
) -> None:
    """One row a study: how many trials ended how, the front, when it was begun, who runs it."""
    table = new_table(f"Studies in {shown}")
    table.add_column("study", overflow="fold")
    table.add_column("sampler", overflow="fold")
    for name in ("done", "pruned", "failed", "left", "front", "hypervolume"):
        table.add_column(name, justify="right")
    table.add_column("begun")
    again = any(results.repeats for results, *_ in studies)
    if again:
        table.add_column("repeats", justify="right")
    lost = any(results.lost for results, *_ in studies)
    if lost:
        table.add_column("lost workers", justify="right")
    run = any(driver for *_, driver in studies)
    if run:
        table.add_column("run by", overflow="fold")
    for results, row, driver in studies:
        states = [results.states.get(s, 0) for s in ("complete", "pruned", "fail", "running")]
        table.add_row(
            Text(results.study),
            row["settings"]["sampler"],
            *map(str, states),
            str(len(results.front())),
            f"{results.hypervolume():.3f}",
            f"{row['created']:%Y-%m-%d}",
            *([str(results.repeats)] if again else []),
            *([str(results.lost)] if lost else []),
            *([Text(f"{driver.pid} on {driver.host}" if driver else "")] if run else []),
        )
    console = Console()
    console.print(table)
    for results, *_ in studies:
        if results.failures:
            often = max(results.failures, key=results.failures.__getitem__)
            failed = counted(sum(results.failures.values()), "failure")
            count = f"{results.failures[often]} of {failed}"
            console.print(Text(f"{results.study}: {count}: {often}"))


def study_json(
    results: "Results", row: dict[str, Any], driver: "Holder | None" = None
) -> dict[str, Any]:
    """A study's state and settings, and who runs it, as JSON data."""
    return {
        "study": results.study,
        "created": f"{row['created']:%Y-%m-%dT%H:%M:%SZ}",
        "trials": results.states,
        "failures": results.failures,
        "repeats": results.repeats,
        "lost_workers": results.lost,
        "front": len(results.front()),
        "hypervolume": results.hypervolume(),
        "driver": driver and driver.to_json(),
        "settings": row["settings"],
        "versions": row["versions"],
    }
