"""One driver a study: a row in the database with a heartbeat, taken over from a dead driver."""

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from studies.process import alive, machine, start
from studies.schema import DRIVERS, VERSION
from studies.store import Store, StoreError

BEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
"""A driver of another machine that has been silent for so long may be dead."""
WATCH_SECONDS = 15.0
"""How long it must go on being silent, watched: clocks may have been set."""


class Holder(NamedTuple):
    """The driver that a study's lock names; times in UTC, ``silent`` seconds since its heartbeat.

    The clock is the database's; ``silent`` is negative where that was set back.
    """

    token: str
    host: str
    machine: str
    pid: int
    started: int
    since: datetime
    beat: datetime
    beats: int
    silent: float

    def here(self) -> bool:
        """Whether its process can be looked for from this one."""
        return bool(self.machine) and (self.host, self.machine) == (socket.gethostname(), machine())

    def gone(self) -> bool:
        """Whether its process can be seen to be gone."""
        return self.here() and not alive(self.pid, self.started)

    def runs(self) -> bool:
        """Whether it may be running, as far as is known without watching it."""
        if self.here():
            return alive(self.pid, self.started)
        return abs(self.silent) <= STALE_SECONDS

    def who(self) -> str:
        """Who it is, and since when."""
        return f"process {self.pid} on {self.host} since {self.since:%Y-%m-%d %H:%M:%S} UTC"

    def words(self) -> str:
        """Who it is, since when, and when its last heartbeat was."""
        return f"{self.who()} (last heartbeat {max(0.0, self.silent):.0f} s ago)"

    def to_json(self) -> dict[str, str | int]:
        """The driver as JSON data."""
        since, beat = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (self.since, self.beat))
        return {"host": self.host, "pid": self.pid, "since": since, "heartbeat": beat}


def find_holder(store: Store, study: str) -> Holder | None:
    """Who holds that study's lock, dead or alive."""
    return holders(store).get(study)


def holders(store: Store) -> dict[str, Holder]:
    """Who holds the locks of a database's studies, dead or alive; none before version 3."""
    with store.transaction() as connection:
        if not sa.inspect(connection).has_table(DRIVERS.name):
            return {}
        found = {}
        for row in connection.execute(sa.select(DRIVERS, sa.func.now().label("now"))):
            study, *fields, now = row
            silent = now.replace(tzinfo=None) - row.beat
            found[study] = Holder._make([*fields, silent.total_seconds()])
        return found


@contextlib.contextmanager
def only_driver(store: Store, study: str) -> Iterator[Callable[[], None]]:
    """Held while a driver runs that study; StoreError where another one does.

    Two drivers would train each other's trials. Gives a function that raises StoreError once the
    lock is lost, as it may be while the machine sleeps. From then on, whoever asks, no statement
    on this store is kept: each transaction that writes looks at the lock before it ends.
    """
    store.check_writable()
    own = Store(store.url)  # whose connections don't wait for a server that is away
    lost, stop = threading.Event(), threading.Event()
    try:
        if own.schema_version() != VERSION:
            own.create_tables()
        token = _taken(own, study)

        query = sa.select(DRIVERS.c.token, DRIVERS.c.pid, DRIVERS.c.host)
        # Shared, so that on a server nobody takes the lock over before the transaction ends.
        query = query.where(DRIVERS.c.study == study).with_for_update(read=True)

        def fence(connection: sa.Connection) -> None:
            row = connection.execute(query).first()
            if row is None or row.token != token:
                raise _lost(study, None if row is None else f"process {row.pid} on {row.host}")

        def check() -> None:
            if lost.is_set():
                with store.transaction() as connection:
                    fence(connection)

        heart = threading.Thread(
            target=_beat, args=(own, study, token, stop, lost), name="heartbeat", daemon=True
        )
        store.fence = fence
        heart.start()
        try:
            yield check
        finally:
            store.fence = None
            stop.set()
            heart.join(1)
            with contextlib.suppress(StoreError), own.transaction() as connection:
                mine = (DRIVERS.c.study == study) & (DRIVERS.c.token == token)
                connection.execute(sa.delete(DRIVERS).where(mine))
    finally:
        own.engine.dispose()


def _lost(study: str, to: str | None) -> StoreError:
    taken = f"was taken over by {to}" if to else "has lost its lock in the database"
    return StoreError(
        f"study {study!r} {taken} while this process was silent; this one stops and writes "
        "nothing more: when the other has ended, the same command continues"
    )


def _taken(store: Store, study: str) -> str:
    """The token of the lock, which is this process's now; StoreError where it is another's."""
    token = secrets.token_hex(16)
    mine = {
        "token": token,
        "host": socket.gethostname(),
        "machine": machine(),
        "pid": os.getpid(),
        "started": start(os.getpid()) or 0,
        "since": sa.func.now(),
        "beat": sa.func.now(),
        "beats": 0,
    }
    watched: tuple[str, int] | None = None
    while True:
        holder = find_holder(store, study)
        if holder is None:
            # Whose row it is then is looked at: a connection that broke hides whether it was kept.
            store.insert_once(sa.insert(DRIVERS).values(study=study, **mine))
        elif holder.token == token:
            return token
        elif holder.gone() or (holder.token, holder.beats) == watched:
            # Compare and swap: of several that see the same dead holder, one replaces it.
            with store.transaction() as connection:
                same = (DRIVERS.c.token == holder.token) & (DRIVERS.c.beats == holder.beats)
                query = sa.update(DRIVERS).where((DRIVERS.c.study == study) & same)
                if connection.execute(query.values(mine)).rowcount:
                    return token
        elif watched is None and not holder.runs():
            time.sleep(WATCH_SECONDS)
            watched = holder.token, holder.beats
        else:
            raise StoreError(
                f"study {study!r} is being run by {holder.words()}; wait for it or stop it, or "
                f"give another --study (a dead driver is replaced: at once on its own machine, "
                f"elsewhere {STALE_SECONDS:.0f} s after its last heartbeat)"
            )


def _beat(
    store: Store, study: str, token: str, stop: threading.Event, lost: threading.Event
) -> None:
    """The heartbeat, until ``stop``; ``lost`` is set once the lock is somebody else's."""
    mine = (DRIVERS.c.study == study) & (DRIVERS.c.token == token)
    query = sa.update(DRIVERS).where(mine)
    while not stop.wait(BEAT_SECONDS):
        # Where the storage fails the driver will say so itself; here it is tried again.
        with contextlib.suppress(Exception), store.transaction() as connection:
            values = {"beat": sa.func.now(), "beats": DRIVERS.c.beats + 1}
            if not connection.execute(query.values(values)).rowcount:
                lost.set()
                return
