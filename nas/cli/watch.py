"""`nas watch`: a study in the terminal while it runs."""

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    Storage,
    Study,
)


def watch(study: Study = DEFAULT_STUDY, storage: Storage = DEFAULT_STORAGE) -> None:
    """Show a study in the terminal while it runs: front, rungs, failures. Ctrl-C ends it."""
    from nas.reporting.watch import follow
    from studies.store import open_store

    follow(open_store(storage), study)
