"""The commands that show what a study has found: pareto, report, watch, dashboard."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import DEFAULT_STORAGE, DEFAULT_STUDY, Json, Storage, Study, print_json


def pareto(
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option(help="Write the interactive plot there.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the front as a table there.")] = None,
    png: Annotated[
        Path | None, typer.Option(help="Write the plot as a picture there; needs kaleido.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(help="The same as vectors; needs kaleido too.")
    ] = None,
) -> None:
    """Print the Pareto front of a study, and write its plot."""
    from nas.commands import front, tables
    from studies.results import load_results
    from studies.store import open_store

    store = open_store(storage)
    results = load_results(store, study)
    front.check({"--html": html, "--csv": csv, "--png": png, "--svg": svg})
    if html is not None:
        from nas.commands.report import write_front

        write_front(store, study, html)
    if csv is not None:
        front.write_csv(results, csv)
    for path, kind in ((png, "png"), (svg, "svg")):
        if path is not None:
            front.write_picture(results, path, kind)
    if as_json:
        print_json(tables.front_json(results))
    else:
        tables.print_front(results)
    for line in results.why_empty():
        print(f"no result: {line}", file=sys.stderr)
    for name, path in (("plot", html), ("table", csv), ("picture", png), ("picture", svg)):
        if path is not None:
            print(f"{name}: {path}", file=sys.stderr)


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
    from nas.commands.report import watch_report, write_report
    from studies.store import open_store

    store = open_store(storage)
    path = Path(f"{study}-report.html") if out is None else out
    (watch_report if watch else write_report)(store, study, path)
    print(f"report: {path}", file=sys.stderr)


def watch(study: Study = DEFAULT_STUDY, storage: Storage = DEFAULT_STORAGE) -> None:
    """Show a study in the terminal while it runs: front, rungs, failures. Ctrl-C ends it."""
    from nas.commands.watch import watch
    from studies.store import open_store

    watch(open_store(storage), study)


def dashboard(
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    port: Annotated[int, typer.Option(help="Port of this machine; 0 takes a free one.")] = 8080,
) -> None:
    """Show a study in Optuna Dashboard, with notes and the Pareto plot. Ctrl-C ends it."""
    from nas.commands.dashboard import serve
    from studies.store import open_store

    serve(open_store(storage), study, port)


COMMANDS = (pareto, report, watch, dashboard)
