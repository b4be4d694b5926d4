"""`nas dashboard`: a study in Optuna Dashboard."""

from typing import Annotated

import typer

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    Storage,
    Study,
)


def dashboard(
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    port: Annotated[int, typer.Option(help="Port of this machine; 0 takes a free one.")] = 8080,
) -> None:
    """Show a study in Optuna Dashboard, with notes and the Pareto plot. Ctrl-C ends it."""
    from nas.reporting.dashboard import serve
    from studies.store import open_store

    serve(open_store(storage), study, port)
