"""`nas pareto`: the front of a study, printed and written."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    Json,
    Storage,
    Study,
    UpTo,
    needed,
    print_json,
)


def pareto(
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    up_to: UpTo = None,
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
    """Print the Pareto front of a study, and write it as a page, a table or a picture."""
    from nas.cli import parsing
    from nas.reporting import front
    from studies.results import load_results
    from studies.store import open_store

    sizes = front.Sizes(*parsing.sizes(up_to)) if up_to else front.Sizes()
    store = open_store(storage)
    results = load_results(store, study)
    front.check({"--html": html, "--csv": csv, "--png": png, "--svg": svg})
    if html is not None:
        from nas.reporting.report import write_front

        write_front(store, study, html)
    if csv is not None:
        front.write_csv(results, csv)
    for path, kind in ((png, "png"), (svg, "svg")):
        if path is not None:
            front.write_picture(results, path, kind)
    if as_json:
        print_json(front.front_json(results, sizes))
    else:
        front.print_results(results, needed(study, store.shown), sizes)
    for line in results.why_empty():
        print(f"no result: {line}", file=sys.stderr)
    for name, path in (("plot", html), ("table", csv), ("picture", png), ("picture", svg)):
        if path is not None:
            print(f"{name}: {path}", file=sys.stderr)
