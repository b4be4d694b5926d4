"""A study brought to its trials by this process alone, through signals and storage outages."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

from nas.interrupt import stop_on_signals
from nas.progress import shown
from nas.settings import Settings
from nas.study.loop import FailingError, search
from nas.study.opened import open_study
from nas.study.stored import StoredStudy, read_study, remember_images
from nas.study.until import Until
from nas.study.workplace import Workplace
from nas.workers.protocol import ClusterError
from studies.connection import ConnectionLostError, Patience
from studies.lock import only_driver
from studies.results import Results, load_results
from studies.store import Store
from studies.trials import count_states

OUTAGE_SECONDS = 300.0
"""How long a server that is away is waited for."""
OUTAGES = 100
"""Transactions that may break in a run; a server that breaks all of them is not waited for."""


def drive(
    store: Store,
    name: str,
    stored: StoredStudy | None,
    settings: Settings,
    until: Until,
    workplace: Workplace,
    quiet: bool,
) -> Results:
    """Bring a study to its trials, and return its results; ``stored`` is its row if it has one.

    A server that goes away is waited for. Where that broke a transaction, of which nobody knows
    whether it was kept, the search begins again from what was, as after a kill. Raises Stopped
    where a signal stopped it, and FailingError where the workers are lost for good, or evaluations
    keep failing.
    """

    def say(words: str) -> None:
        print(words, file=sys.stderr)

    if stored is not None and _complete(store, name, until):
        if stored.moved(settings):
            with only_driver(store, name):
                remember_images(store, stored, settings)
        return load_results(store, name)
    store.check_writable()
    workplace.check()
    end = None if until.seconds is None else time.monotonic() + until.seconds
    with only_driver(store, name) as held:
        if workplace.found and not quiet:
            say("\n".join(workplace.found))
        store.patience = Patience(OUTAGE_SECONDS, say)
        for left in reversed(range(OUTAGES)):
            rest = None if end is None else max(0.0, end - time.monotonic())
            now = replace(until, seconds=rest)
            try:
                return _driven(store, name, stored, settings, now, workplace, quiet, held)
            except ConnectionLostError:
                if not left:
                    raise
                say(f"storage {store.shown} broke off: going on from what is kept")
                stored = read_study(store, name)
            except ClusterError as error:  # it was there before: not the command's fault
                raise FailingError(str(error)) from error
        raise AssertionError


def _complete(store: Store, name: str, until: Until) -> bool:
    """Whether the study has its trials, and all of them have ended."""
    states = count_states(store, name)
    begun = sum(count for state, count in states.items() if state != "waiting")
    return begun >= until.trials and not states.get("running")


def _driven(
    store: Store,
    name: str,
    stored: StoredStudy | None,
    settings: Settings,
    until: Until,
    workplace: Workplace,
    quiet: bool,
    held: Callable[[], None],
) -> Results:
    with (
        stop_on_signals() as asked_to_stop,
        shown(quiet) as report,
        workplace.workers() as workers,
    ):
        # Only now, so that nothing is written where workers don't start.
        opened = open_study(store, name, settings, stored)

        def check() -> None:
            asked_to_stop()
            held()

        return search(opened, until, workers, report, check, workplace.directory)
