"""How a database is connected to: options by its kind, a server that is away, failures in words."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from studies.address import DAMAGED, StoreError, line, shown

T = TypeVar("T")

BUSY_SECONDS = 60
"""How long a connection waits for another one's lock before it gives up."""

CONNECT_SECONDS = 10
"""How long a server may take to answer at all."""

RETRY_SECONDS = 1.0

TRIES = 3
"""Of what may be done again where a connection broke."""

KEPT = "everything finished before is kept: mend that and run the same command again"
WAYS_OUT = {
    "malformed": DAMAGED,
    "file is not a database": DAMAGED,
    "is locked": f"another program has locked it for {BUSY_SECONDS} s and more; {KEPT}",
    "authentication failed": "give the right password in the URL, PGPASSWORD or ~/.pgpass",
    "no password supplied": "give the password in the URL, PGPASSWORD or ~/.pgpass",
    "does not exist": "make it first, with createdb or createuser",
    "too many clients": "close some of its connections",
    "connection failed": "start that server, or mend the URL",
    "failed to resolve host": "mend the URL",
}
"""What to do about a failure, by a part of its words; ``KEPT`` where there is no more to say."""


class ConnectionLostError(StoreError):
    """The server went away in the middle of a transaction: whether that was kept is not known."""


def again(work: Callable[[], T]) -> T:
    """What ``work`` returns, run again where the server broke off, so it must be idempotent."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(ConnectionLostError):
            return work()
    return work()


def engine_options(url: sa.URL) -> dict[str, Any]:
    """What every engine on this database is made with, ours and Optuna's."""
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_SECONDS}}
    arguments: dict[str, Any] = {}
    if url.get_driver_name() in ("psycopg", "psycopg2"):
        # A machine that is gone says nothing; without these libpq would wait for hours.
        silence = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
        arguments = {"connect_timeout": CONNECT_SECONDS, **silence}
    asked = {name: value for name, value in arguments.items() if name not in url.query}
    return {"connect_args": asked, "pool_pre_ping": True}


@contextlib.contextmanager
def in_words(url: sa.URL) -> Iterator[None]:
    """Turn a failure of the database, ours or inside Optuna, into one StoreError."""
    try:
        yield
    except Exception as error:
        # Optuna's is recognised by its name, so that reading needs no Optuna.
        if not isinstance(error, exc.SQLAlchemyError) and (
            type(error).__name__ != "StorageInternalError"
        ):
            raise
        cause: BaseException = error
        while not isinstance(cause, exc.DBAPIError) and cause.__cause__ is not None:
            cause = cause.__cause__
        reason = cause.orig if isinstance(cause, exc.DBAPIError) else cause
        raise StoreError(failure(url, reason)) from error


def failure(url: sa.URL, reason: object) -> str:
    """One line: which storage failed, why, and what to do."""
    why = line(reason)
    if url.password:  # no driver is known to say it; this makes sure
        why = why.replace(str(url.password), "***")
    way = next((way for part, way in WAYS_OUT.items() if part in why), KEPT)
    return f"storage {shown(url)} failed: {why}; {way}"


class Patience:
    """Waits for a server that is away, ``seconds`` at most, and ``tell``s it once an outage."""

    def __init__(self, seconds: float, tell: Callable[[str], None]) -> None:
        self.seconds, self.tell = seconds, tell

    def connect(self, url: sa.URL, make: Callable[[], Any]) -> Any:
        """What ``make`` gives once it succeeds. Safe: nothing has been sent to the server yet."""
        began = time.monotonic()
        told = False
        while True:
            try:
                made = make()
            except Exception as error:
                if time.monotonic() - began >= self.seconds:
                    raise StoreError(
                        f"storage {shown(url)} has been away for {self.seconds:.0f} s "
                        f"({line(error)}); {KEPT}"
                    ) from None
                if not told:
                    self.tell(f"storage {shown(url)} is away: waiting for it ({line(error)})")
                    told = True
                time.sleep(RETRY_SECONDS)
            else:
                if told:
                    self.tell(f"storage {shown(url)} is back")
                return made


def tune(
    engine: sa.Engine,
    patience: Callable[[], Patience | None],
    written: Callable[[sa.Connection], None],
) -> None:
    """Set an engine up: sessions in UTC, a server waited for, broken transactions told apart.

    ``written`` is called after every statement that changes rows, in its transaction, and may
    raise, so that nothing of it is kept.
    """
    url = engine.url

    def connect(dialect: sa.Dialect, _record: Any, args: Any, options: Any) -> Any:
        waiting = patience()

        def make() -> Any:
            return dialect.connect(*args, **options)

        return make() if waiting is None else waiting.connect(url, make)

    def connected(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(SETTINGS[url.get_backend_name()])
        cursor.close()
        connection.commit()

    def failed(context: Any) -> None:
        if context.is_pre_ping:
            return
        error = context.original_exception
        # A server that is going down says so before the connection is seen to be closed.
        context.is_disconnect |= str(getattr(error, "sqlstate", None)).startswith(("57P", "08"))
        if context.is_disconnect or context.connection is None:
            raise ConnectionLostError(failure(url, error))

    def executed(connection: sa.Connection, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            written(connection)

    sa.event.listen(engine, "after_cursor_execute", executed)
    if url.get_backend_name() in SETTINGS:
        sa.event.listen(engine, "connect", connected)
    if url.get_backend_name() != "sqlite":
        sa.event.listen(engine, "do_connect", connect)
        sa.event.listen(engine, "handle_error", failed)


SETTINGS = {
    # The write-ahead log is synchronised at checkpoints alone.
    "sqlite": "PRAGMA synchronous=NORMAL",
    # What func.now() stores.
    "postgresql": "SET TIME ZONE 'UTC'",
}
"""What a connection is told first, by the kind of its database."""
