"""A study brought to its trials by this process alone, through signals and storage outages."""

import sys
import time
from collections.abc import Callable

from nas.cluster.workers import ClusterError
from nas.interrupt import Stopped, stop_on_signals
from nas.progress import shown
from nas.running.workers import Chosen
from nas.search import (
    FailingError,
    Until,
    check_study,
    images_moved,
    open_study,
    remember_images,
    search,
)
from nas.settings import Settings
from studies.connection import ConnectionLostError, Patience
from studies.lock import only_driver
from studies.results import load_results
from studies.store import Store

OUTAGE_SECONDS = 300.0
"""How long a server that is away is waited for."""
OUTAGES = 100
"""Transactions that may break in a run; a server that breaks all of them is not waited for."""


def drive(
    settings: Settings, store: Store, name: str, until: Until, chosen: Chosen, quiet: bool
) -> int:
    """Bring the study to its trials; the number of the signal that stopped it, or 0.

    A server that goes away is waited for. Where that broke a transaction, of which nobody knows
    whether it was kept, the search begins again from what was, as after a kill. FailingError where
    the workers are lost for good, or evaluations keep failing.
    """

    def say(words: str) -> None:
        print(words, file=sys.stderr)

    begun = check_study(store, name, settings)
    if begun and _complete(store, name, until):
        if images_moved(store, name, settings):
            with only_driver(store, name):
                remember_images(store, name, settings)
        return 0
    store.check_writable()
    chosen.check()
    end = None if until.seconds is None else time.monotonic() + until.seconds
    with only_driver(store, name) as held:
        if chosen.found and not quiet:
            say("\n".join(chosen.found))
        store.patience = Patience(OUTAGE_SECONDS, say)
        for left in reversed(range(OUTAGES)):
            rest = None if end is None else max(0.0, end - time.monotonic())
            try:
                now = Until(until.trials, rest, until.failures)
                return _driven(settings, store, name, now, chosen, quiet, held)
            except ConnectionLostError:
                if not left:
                    raise
                say(f"storage {store.shown} broke off: going on from what is kept")
            except ClusterError as error:  # it was there before: not the command's fault
                raise FailingError(str(error)) from error
        raise AssertionError


def _complete(store: Store, name: str, until: Until) -> bool:
    """Whether the study has its trials, and all of them have ended."""
    states = load_results(store, name).states
    return sum(states.values()) >= until.trials and not states.get("running")


def _driven(
    settings: Settings,
    store: Store,
    name: str,
    until: Until,
    chosen: Chosen,
    quiet: bool,
    held: Callable[[], None],
) -> int:
    try:
        with (
            stop_on_signals() as asked_to_stop,
            shown(quiet) as report,
            chosen.workers() as workers,
        ):
            # Only now, so that nothing is written where workers don't start.
            study = open_study(store, name, settings)

            def check() -> None:
                asked_to_stop()
                held()

            search(settings, store, study, until, workers, chosen.directory, report, check)
    except Stopped as stopped:
        return stopped.number
    return 0
