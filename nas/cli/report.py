"""`nas report`: one page that explains a study."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    Storage,
    Study,
)


def report(
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page. [default: STUDY-report.html]")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Renew the page while the study runs.")
    ] = False,
) -> None:
    """Write one page that explains a study: front, networks, what mattered, rungs, facts."""
    from nas.reporting.report import watch_report, write_report
    from studies.store import open_store

    store = open_store(storage)
    path = Path(f"{study}-report.html") if out is None else out
    (watch_report if watch else write_report)(store, study, path)
    print(f"report: {path}", file=sys.stderr)
