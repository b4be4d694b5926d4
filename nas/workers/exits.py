"""How a worker's process ended, as reported by its nanny, the process that watches over it."""

import contextlib
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import cloudpickle  # type: ignore[import-untyped]
from distributed.diagnostics.plugin import NannyPlugin

from nas.settings import Request

if TYPE_CHECKING:
    from distributed import Nanny

EXITS = "inception-nas-exits"
"""Topic of the events that say with which code a worker's process ended, or that it leaves."""

MEMORY = "worker-restart-memory"
"""Topic of a nanny's own events, of a worker that it ends because it holds too much memory."""

REASON_SECONDS = 2.0
"""How long a dead worker's nanny may take to say how it ended."""

UNKNOWN = "vanished: killed together with its nanny, or its machine or network is gone"

# By value: a nanny that has no such package, of whoever shares the cluster, must not stumble.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


class ExitReporter(NannyPlugin):
    """Has a nanny tell everyone how its worker's process ended, and that it is being closed."""

    name = EXITS

    def setup(self, nanny: "Nanny") -> None:
        """Put itself before what the nanny does at such an end. Dask has no public hook there."""
        known = nanny._on_worker_exit_sync
        if getattr(known, "tells", False):
            return

        def ended(exitcode: int) -> None:
            with contextlib.suppress(RuntimeError):  # a nanny that is closing
                nanny.log_event(EXITS, {"worker": nanny.worker_address, "exitcode": exitcode})
            known(exitcode)  # type: ignore[no-untyped-call]

        ended.tells = True  # type: ignore[attr-defined]
        nanny._on_worker_exit_sync = ended  # type: ignore[method-assign]
        if nanny.process is not None:
            nanny.process.on_exit = ended

    def teardown(self, nanny: "Nanny") -> None:
        """The nanny is closed in order, as by SIGTERM: what its worker does is not to blame."""
        with contextlib.suppress(RuntimeError):
            nanny.log_event(EXITS, {"worker": nanny.worker_address, "left": True})


class WorkerExit(NamedTuple):
    """A worker that is gone since a time of the monotonic clock, and what it was evaluating.

    ``place`` is where it ran: its nanny's address, which a new worker there has too.
    """

    request: Request
    address: str
    name: str
    place: str
    since: float


class WorkerExits:
    """Workers that ended during an evaluation, until it is known how."""

    def __init__(self) -> None:
        self._unexplained: list[WorkerExit] = []
        self._exits: dict[str, str] = {}
        self._left: set[str] = set()

    def hear(self, topic: str, event: dict[str, Any], memory: int) -> None:
        """Take in an event of a worker, which may hold ``memory`` bytes."""
        address = event.get("worker", "")
        if topic == EXITS and "exitcode" in event:
            self._exits.setdefault(address, exit_words(event["exitcode"]))
        elif topic == MEMORY:
            self._exits[address] = memory_words(event, memory)
        elif event.get("left") or event.get("expected"):
            self._left.add(address)
        elif event.get("action") == "add-worker":  # where another one was before
            self._exits.pop(address, None)
            self._left.discard(address)

    def add(self, request: Request, address: str, name: str, place: str) -> None:
        """Note that a worker is gone that was evaluating ``request``."""
        self._unexplained.append(WorkerExit(request, address, name, place, time.monotonic()))

    def explained(self) -> list[tuple[WorkerExit, str | None]]:
        """Workers whose end is explained by now, or never will be; None where it was in order."""
        due: list[tuple[WorkerExit, str | None]] = []
        for one in self._unexplained:
            if one.address in self._left:
                due.append((one, None))
            elif how := self._exits.get(one.address):
                due.append((one, f"worker {one.name} {how}"))
            elif time.monotonic() - one.since >= REASON_SECONDS:
                due.append((one, f"worker {one.name} {UNKNOWN}"))
        explained = {id(one) for one, _ in due}
        self._unexplained = [one for one in self._unexplained if id(one) not in explained]
        return due

    def drop(self) -> list[Request]:
        """Forget all workers that are gone, and return what they were evaluating."""
        requests = [one.request for one in self._unexplained]
        self._unexplained.clear()
        return requests


KILL = 9
"""The signal of a system that is out of memory; Windows has no name for it."""


def exit_words(exitcode: int) -> str:
    """An exit code as `multiprocessing` gives it: below zero, the signal that killed."""
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    try:
        name = f" ({signal.Signals(-exitcode).name})"
    except ValueError:
        name = ""
    often = ", as where the machine is out of memory" if -exitcode == KILL else ""
    return f"killed by signal {-exitcode}{name}{often}"


def memory_words(event: dict[str, Any], limit: int) -> str:
    """A nanny's event of a worker that held too much, in words."""
    return f"out of memory: it held {_gib(event['rss'])} of the {_gib(limit)} that a worker may"


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
