"""One driver a study: a lock beside an SQLite file, which a process that dies lets go of."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from studies.store import Store, StoreError


@contextlib.contextmanager
def only_driver(store: Store, study: str) -> Iterator[None]:
    """Held while a driver runs that study; StoreError where another process does.

    Two drivers would train each other's trials. Only for SQLite, whose file is on this machine.
    """
    if store.url.get_backend_name() != "sqlite":
        yield
        return
    # Beside the database, not the database itself: SQLite would lose its own locks on it.
    digest = hashlib.sha256(study.encode()).hexdigest()[:8]
    path = Path(f"{store.url.database}-{digest}.lock")
    file = _locked(path)
    if file is None:
        raise StoreError(
            f"study {study!r} is being run by another process; wait for it, or give another --study"
        )
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _locked(path: Path) -> int | None:
    """The locked file's descriptor; None where another process holds the lock."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"lock {path} can't be written: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        # The holder before may have unlinked the file between our two calls.
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(file).st_ino == path.stat().st_ino:
                return file
        os.close(file)
