"""A client of a Dask cluster that may lose it and join it again, and the events that it hears."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from nas.workers.exits import EXITS, MEMORY, ExitReporter

if TYPE_CHECKING:
    import distributed

ANSWER_SECONDS = 10.0
"""How long the scheduler may take to answer before it counts as away."""

MOST_WISHES = 1000
"""Tasks that wait for a worker more."""

TOPICS = ("all", EXITS, MEMORY)

Event = tuple[str, dict[str, Any]]


class Connection:
    """``connect`` gives a client, or raises OSError; ``wake`` is called where there is an event."""

    def __init__(
        self, connect: "Callable[[], distributed.Client]", wake: Callable[[], None]
    ) -> None:
        self._connect, self._wake = connect, wake
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.client: distributed.Client | None = None
        self._wanted = 0
        self._wishes: list[distributed.Future[None]] = []

    def open(self) -> None:
        """Join the cluster. OSError where it is away."""
        client = self._connect()
        for topic in TOPICS:

            def hear(event: tuple[float, dict[str, Any]], topic: str = topic) -> None:
                self._events.put((topic, event[1]))
                self._wake()

            client.subscribe_topic(topic, hear)
        # Not waited for: a nanny that hangs would hold everything up.
        threading.Thread(target=_plug_in, args=(client,), daemon=True).start()
        self.client = client
        self.want(self._wanted)

    def want(self, more: int) -> None:
        """Let the cluster know how many workers more would have something to do.

        These are tasks that no worker has the resource for, by which an adaptive cluster grows.
        """
        self._wanted = more
        if self.client is None or self.client.status != "running":
            return
        while len(self._wishes) < min(more, MOST_WISHES):
            wish = self.client.submit(_nothing, pure=False, resources={"another worker": 1})
            self._wishes.append(wish)
        del self._wishes[more:]  # which takes them back

    def workers(self) -> dict[str, dict[str, Any]]:
        """What the scheduler knows of its workers, by address. OSError where it is away."""
        if self.client is None or self.client.status != "running":
            raise OSError("the cluster is away")
        ask: Any = self.client.scheduler
        found: dict[str, Any] = self.client.sync(
            ask.identity, n_workers=-1, callback_timeout=ANSWER_SECONDS
        )
        workers: dict[str, dict[str, Any]] = found["workers"]
        return workers

    def events(self) -> Iterator[Event]:
        """(topic, event) of each that was heard since the last time."""
        while not self._events.empty():
            yield self._events.get()

    def close(self, seconds: float = ANSWER_SECONDS) -> None:
        """Leave the cluster, whatever state it is in."""
        client, self.client = self.client, None
        self._wishes.clear()
        if client is None:
            return
        with contextlib.suppress(Exception):  # a client that is closed by now
            for topic in TOPICS:  # or the scheduler would tell it of its own end
                client.unsubscribe_topic(topic)
        with contextlib.suppress(Exception):
            client.close(timeout=seconds)


def _nothing() -> None:
    """The task of a wish: no worker has the resource that it asks for, so it never runs."""


def _plug_in(client: "distributed.Client") -> None:
    """Have the nannies report how their workers end."""
    with contextlib.suppress(Exception):  # only reasons would be missing
        client.register_plugin(ExitReporter())
