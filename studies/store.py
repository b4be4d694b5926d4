"""The database: opening it, the one transaction seam, study settings, the evaluation store."""

import contextlib
import difflib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import exc

from studies.address import StoreError as StoreError
from studies.address import (
    as_text,
    check_file,
    line,
    located,
    parse,
    place,
    shown,
    unwritable,
    why_unwritable,
)
from studies.axis import Axis
from studies.connection import BUSY_SECONDS, Patience, again, engine_options, in_words, tune
from studies.evaluation import Earlier, Evaluation, Identity
from studies.optuna_parts import tables
from studies.schema import CANDIDATES, EARLIER, EVALUATIONS, METADATA, SCHEMA, STUDIES, VERSION

if TYPE_CHECKING:
    import optuna

    from studies.optuna_parts.write_behind import WriteBehindStorage


class Store:
    """One database, Optuna's tables and ours. Make it with ``open_store``.

    SQLite runs in WAL mode, so readers and the one writer never wait for each other; a commit
    survives the death of the process.
    """

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self.unwritable = why_unwritable(url)
        """Why it can only be read; empty where it can be written."""
        self._opened = located(url, bool(self.unwritable))
        self.shown = shown(url)
        self.patience: Patience | None = None
        """Set while a driver runs: a server that is away is waited for."""
        self.fence: Callable[[sa.Connection], None] | None = None
        """Set while a driver runs: raises in a transaction that has written without the lock."""
        self.engine = sa.create_engine(self._opened, **engine_options(url))
        self._tune(self.engine)
        self._storage: optuna.storages.RDBStorage | None = None
        self._write_behind: WriteBehindStorage | None = None

    def _tune(self, engine: sa.Engine) -> None:
        def written(connection: sa.Connection) -> None:
            if self.fence is not None:
                self.fence(connection)

        tune(engine, lambda: self.patience, written)

    def close(self) -> None:
        """Let go of every connection; of an SQLite database one file is left then."""
        self.engine.dispose()
        if self._storage is not None:
            self._storage.engine.dispose()

    def guard(self) -> contextlib.AbstractContextManager[None]:
        """Turn a failure of the database, ours or inside Optuna, into one StoreError."""
        return in_words(self.url)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """All or nothing; the only way that our tables are read or written."""
        with self.guard(), self.engine.begin() as connection:
            yield connection

    def check_writable(self) -> None:
        """StoreError where it can only be read."""
        if self.unwritable:
            raise unwritable(self.shown, self.unwritable)

    def create_tables(self) -> None:
        """Add our tables where they are missing, and turn SQLite's write-ahead log on, for ever.

        A database of an older version is of this one afterwards.
        """
        self.check_writable()
        if self.url.get_backend_name() == "sqlite":
            self._log_ahead()
        with self.transaction() as connection:
            # One process at a time: both would find a table missing, and one of them fail.
            if lock := EXCLUSIVELY.get(self.url.get_backend_name()):
                connection.exec_driver_sql(lock)
            METADATA.create_all(connection)
            if connection.execute(sa.select(SCHEMA.c.version)).first() is None:
                connection.execute(sa.insert(SCHEMA).values(version=VERSION))
            older = SCHEMA.c.version < VERSION
            connection.execute(sa.update(SCHEMA).where(older).values(version=VERSION))

    def _log_ahead(self) -> None:
        """SQLite answers at once, instead of waiting, where another process does this as well."""
        until = time.monotonic() + BUSY_SECONDS
        with self.guard(), self.engine.connect() as connection:
            while True:
                try:
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                    return
                except exc.OperationalError as error:
                    if "locked" not in str(error.orig) or time.monotonic() > until:
                        raise
                    time.sleep(0.05)

    def exists(self) -> bool:
        """Whether there is a database; SQLite would make an empty file if it were asked itself."""
        return self.url.get_backend_name() != "sqlite" or place(self.url).exists()

    def schema_version(self) -> int | None:
        """The version of our tables in this database; None where there are none."""
        with self.transaction() as connection:
            if not sa.inspect(connection).has_table(SCHEMA.name):
                return None
            return connection.execute(sa.select(sa.func.max(SCHEMA.c.version))).scalar()

    def study_names(self) -> list[str]:
        """Names of the studies that this tool made here, oldest first."""
        if not self.exists():
            return []
        with self.transaction() as connection:
            if not sa.inspect(connection).has_table(STUDIES.name):
                return []
            rows = connection.execute(
                sa.select(STUDIES.c.name).order_by(STUDIES.c.created, STUDIES.c.name)
            )
            return [row.name for row in rows]

    def has_foreign_study(self, name: str) -> bool:
        """Whether Optuna's tables, if they are there, hold a study of that name."""
        with self.transaction() as connection:
            return tables.has_study(connection, name)

    def study(self, name: str) -> dict[str, Any]:
        """Settings, axes, versions, time of creation; StoreError that lists the nearest names."""
        with self.transaction() as connection:
            row = connection.execute(sa.select(STUDIES).where(STUDIES.c.name == name)).first()
        if row is not None:
            return dict(row._mapping)
        names = self.study_names()
        near = difflib.get_close_matches(name, names, 3, 0.3) or names[-3:]
        known = f"the nearest are: {', '.join(near)}" if near else "it holds no study yet"
        raise StoreError(f"study {name!r} is not in {self.shown}; {known}")

    def update_settings(self, name: str, settings: Mapping[str, Any]) -> None:
        """Replace a study's settings, where they say the same in other words."""
        with self.transaction() as connection:
            row = sa.update(STUDIES).where(STUDIES.c.name == name)
            connection.execute(row.values(settings=dict(settings)))

    def axes(self, name: str) -> tuple[Axis, ...]:
        """The study's objectives, in the order of its trials' values."""
        return tuple(Axis(**axis) for axis in self.study(name)["axes"])

    def add_study(
        self,
        name: str,
        settings: Mapping[str, Any],
        axes: Sequence[Axis],
        versions: Mapping[str, str],
        earlier: Sequence[Earlier] = (),
    ) -> None:
        """Remember what a study is about, before its first trial; this makes our tables.

        ``earlier`` is what it knows of earlier studies, now and whenever it continues.
        """
        self.create_tables()
        with self.transaction() as connection:
            connection.execute(
                sa.insert(STUDIES).values(
                    name=name,
                    settings=dict(settings),
                    axes=[asdict(axis) for axis in axes],
                    versions=dict(versions),
                )
            )
            rows = [
                {"study": name, "key": key, "budget": budget, "accuracy": accuracy}
                for key, budget, accuracy, _ in earlier
            ]
            if rows:
                connection.execute(sa.insert(EARLIER), rows)

    def storage(self) -> "optuna.storages.RDBStorage":
        """Optuna's storage on this database."""
        if self._storage is None:
            with self.guard():
                storage = self._optuna_storage()
                self._tune(storage.engine)
                storage.engine.dispose()  # connections from before the tuning
            self._storage = storage
        return self._storage

    def driver_storage(self) -> "optuna.storages.BaseStorage":
        """Optuna's storage likewise, which writes what is set of running trials at `flush`.

        Where Optuna lacks the private parts that this needs it is Optuna's plain one, which writes
        everything at once: slower, and the same study.
        """
        try:
            from studies.optuna_parts.write_behind import WriteBehindStorage
        except ImportError:
            return self.storage()
        self._write_behind = WriteBehindStorage(self.storage())
        return self._write_behind

    def flush(self) -> None:
        """Write what the driver's storage holds back."""
        if self._write_behind is not None:
            self._write_behind.flush()

    def _optuna_storage(self) -> "optuna.storages.RDBStorage":
        """Made again where another process was making its tables at the same time."""
        import optuna

        for left in reversed(range(3)):
            try:
                return optuna.storages.RDBStorage(
                    as_text(self._opened),
                    engine_kwargs=engine_options(self.url),
                )
            except RuntimeError as error:  # its tables are of another version of Optuna
                raise StoreError(f"storage {self.shown}: {line(error)}") from None
            except (exc.IntegrityError, exc.OperationalError, exc.ProgrammingError) as error:
                if not left or "already exists" not in str(error.orig):
                    raise
        raise AssertionError

    def add_candidate(self, key: str, candidate: Mapping[str, Any], text: str) -> None:
        """Remember a candidate; one that is known stays as it is."""
        self.insert_once(
            sa.insert(CANDIDATES), {"key": key, "candidate": dict(candidate), "text": text}
        )

    def candidate(self, key: str) -> dict[str, Any]:
        """The canonical JSON of the candidate with that key."""
        with self.transaction() as connection:
            row = connection.execute(
                sa.select(CANDIDATES.c.candidate).where(CANDIDATES.c.key == key)
            ).first()
        if row is None:
            raise StoreError(f"candidate {key!r} is not in {self.shown}")
        return dict(row.candidate)

    def evaluation(self, identity: Identity) -> Evaluation | None:
        """The stored evaluation of that identity; None if there is none."""
        with self.transaction() as connection:
            row = connection.execute(
                sa.select(EVALUATIONS).where(EVALUATIONS.c.identity == identity.digest())
            ).first()
        return None if row is None else Evaluation.from_row(dict(row._mapping))

    def add_evaluation(self, identity: Identity, evaluation: Evaluation) -> None:
        """Store a result under its identity, for ever; a stored one stays as it is."""
        self.insert_once(sa.insert(EVALUATIONS), evaluation.to_row(identity))

    def insert_once(self, statement: sa.Insert, row: dict[str, Any] | None = None) -> None:
        """Add a row; where there is one with its key, that stays as it is."""

        def insert() -> None:
            with self.transaction() as connection:
                connection.execute(statement, row)

        try:
            again(insert)
        except StoreError as error:
            # known, perhaps by another study that runs beside this one
            if not isinstance(error.__cause__, exc.IntegrityError):
                raise


EXCLUSIVELY = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(743294)",  # any number that is ours
}
"""What keeps other processes from making tables until the transaction ends, by kind."""


def open_store(url: str, create: bool = False) -> Store:
    """Open a database by its SQLAlchemy URL; with ``create`` it need not be there yet.

    Nothing is written: that begins with ``Store.add_study``. One that can't be written is opened to
    be read. StoreError where it can't be opened, isn't a database, is of a newer schema, or,
    without ``create``, holds no studies.
    """
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        check_file(parsed, create)
    store = Store(parsed)
    if create and not store.exists():
        return store
    try:
        version = store.schema_version()
        if version is not None and version > VERSION:
            raise StoreError(
                f"storage {store.shown} has schema version {version}, this program knows up to "
                f"{VERSION}; upgrade inception-nas, or give another --storage"
            )
        if version is None and not create:
            raise StoreError(f"storage {store.shown} holds no studies; `nas run` makes one")
    except StoreError:
        store.close()
        raise
    return store
