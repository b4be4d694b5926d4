"""The database: opening it, the one transaction seam, study settings, the evaluation store."""

import contextlib
import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import exc

from studies.pareto import Axis
from studies.schema import CANDIDATES, EARLIER, EVALUATIONS, METADATA, SCHEMA, STUDIES, VERSION

if TYPE_CHECKING:
    import optuna

    from studies.earlier import Earlier

BUSY_SECONDS = 60
"""How long a connection waits for another one's lock before it gives up."""

IDENTITY = ("key", "recipe", "resolution", "channels", "budget", "seed", "data")


class StoreError(ValueError):
    """The storage can't be opened, read or written; or it doesn't hold what was asked for."""


class Store:
    """One database, Optuna's tables and ours. Make it with ``open_store``.

    SQLite runs in WAL mode, so readers and the one writer never wait for each other; a commit
    survives the death of the process.
    """

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self.shown = _shown(url)
        self.engine = sa.create_engine(url, connect_args=_connect_args(url))
        _tune(self.engine)
        self._storage: optuna.storages.RDBStorage | None = None

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
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
            raise StoreError(
                f"storage {self.shown} failed: {_line(reason)}; everything finished before is "
                "kept: mend that and run the same command again"
            ) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """All or nothing; the only way that our tables are read or written."""
        with self.guard(), self.engine.begin() as connection:
            yield connection

    def create_tables(self) -> None:
        """Add our tables where they are missing, and turn SQLite's write-ahead log on, for ever.

        A database of an older version is of this one afterwards.
        """
        if self.url.get_backend_name() == "sqlite":
            with self.guard(), self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        with self.transaction() as connection:
            METADATA.create_all(connection)
            if connection.execute(sa.select(SCHEMA.c.version)).first() is None:
                connection.execute(sa.insert(SCHEMA).values(version=VERSION))
            older = SCHEMA.c.version < VERSION
            connection.execute(sa.update(SCHEMA).where(older).values(version=VERSION))

    def exists(self) -> bool:
        """Whether there is a database; SQLite would make an empty file if it were asked itself."""
        return self.url.get_backend_name() != "sqlite" or Path(self.url.database or "").exists()

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
            if not sa.inspect(connection).has_table("studies"):
                return False
            query = sa.text("SELECT 1 FROM studies WHERE study_name = :name")
            return connection.execute(query, {"name": name}).first() is not None

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

    def axes(self, name: str) -> tuple[Axis, ...]:
        """The study's objectives, in the order of its trials' values."""
        return tuple(Axis(**axis) for axis in self.study(name)["axes"])

    def add_study(
        self,
        name: str,
        settings: Mapping[str, Any],
        axes: Sequence[Axis],
        versions: Mapping[str, str],
        earlier: "Sequence[Earlier]" = (),
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
            import optuna

            with self.guard():
                try:
                    storage = optuna.storages.RDBStorage(
                        self.url.render_as_string(hide_password=False),
                        engine_kwargs={"connect_args": _connect_args(self.url)},
                    )
                except RuntimeError as error:  # its tables are of another version of Optuna
                    raise StoreError(f"storage {self.shown}: {_line(error)}") from None
                _tune(storage.engine)
                storage.engine.dispose()  # connections from before the tuning
            self._storage = storage
        return self._storage

    def add_candidate(self, key: str, candidate: Mapping[str, Any], text: str) -> None:
        """Remember a candidate; one that is known stays as it is."""
        self._insert_once(CANDIDATES, {"key": key, "candidate": dict(candidate), "text": text})

    def candidate(self, key: str) -> dict[str, Any]:
        """The canonical JSON of the candidate with that key."""
        with self.transaction() as connection:
            row = connection.execute(
                sa.select(CANDIDATES.c.candidate).where(CANDIDATES.c.key == key)
            ).first()
        if row is None:
            raise StoreError(f"candidate {key!r} is not in {self.shown}")
        return dict(row.candidate)

    def evaluation(self, identity: Mapping[str, Any]) -> dict[str, Any] | None:
        """The stored evaluation of that identity, with all its columns; None if there is none."""
        with self.transaction() as connection:
            row = connection.execute(
                sa.select(EVALUATIONS).where(EVALUATIONS.c.identity == _digest(identity))
            ).first()
        return None if row is None else dict(row._mapping)

    def add_evaluation(self, identity: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Store a result under its identity, for ever; a stored one stays as it is."""
        self._insert_once(EVALUATIONS, {"identity": _digest(identity), **identity, **result})

    def _insert_once(self, table: sa.Table, row: Mapping[str, Any]) -> None:
        with self.guard():
            try:
                with self.engine.begin() as connection:
                    connection.execute(sa.insert(table).values(row))
            except exc.IntegrityError:  # known, perhaps by another study that runs beside this one
                pass


def open_store(url: str, create: bool = False) -> Store:
    """Open a database by its SQLAlchemy URL; with ``create`` it need not be there yet.

    Nothing is written: that begins with ``Store.add_study``. StoreError where it can't be opened,
    isn't a database, is of a newer schema, or, without ``create``, holds no studies.
    """
    try:
        parsed = sa.make_url(url)
        parsed.get_dialect().import_dbapi()
    except (exc.ArgumentError, ValueError):
        raise StoreError(
            "storage is not a database URL; give one such as sqlite:///nas.db"
        ) from None
    except (exc.NoSuchModuleError, ImportError) as error:
        raise StoreError(
            f"storage {_shown(parsed)} needs a driver that is not "
            f"installed ({_line(error)}); install it, or use sqlite:///FILE"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed, create)
    store = Store(parsed)
    if create and not store.exists():
        return store
    version = store.schema_version()
    if version is not None and version > VERSION:
        raise StoreError(
            f"storage {store.shown} has schema version {version}, this program knows up to "
            f"{VERSION}; upgrade inception-nas, or give another --storage"
        )
    if version is None and not create:
        raise StoreError(f"storage {store.shown} holds no studies; `nas run` makes one")
    return store


def _check_file(url: sa.URL, create: bool) -> None:
    shown = _shown(url)
    if not url.database or url.database == ":memory:":
        raise StoreError(f"storage {shown} is in memory and would be lost; give sqlite:///FILE")
    path = Path(url.database)
    if path.is_dir():
        raise StoreError(f"storage {shown} is a directory; give the path of a file")
    if not path.exists():
        if not create:
            raise StoreError(f"storage {shown} does not exist; `nas run` makes it")
        if not path.parent.is_dir():
            raise StoreError(f"storage {shown}: {path.parent} is not a directory; make it first")
        try:  # whether a file can be made here is best asked by making one
            path.touch(exist_ok=False)
            path.unlink()
        except OSError as error:
            raise StoreError(
                f"storage {shown} can't be written: {error.strerror}; give another --storage"
            ) from None
        return
    try:
        with path.open("r+b" if create else "rb") as file:
            start = file.read(16)
    except OSError as error:
        doing = "written" if create else "read"
        raise StoreError(
            f"storage {shown} can't be {doing}: {error.strerror}; give another --storage"
        ) from None
    if start and start != b"SQLite format 3\0":
        raise StoreError(f"storage {shown} is not an SQLite database; give another --storage")


def _shown(url: sa.URL) -> str:
    """The URL without its secrets: the password, and whatever its query holds."""
    hidden = url.set(query=dict.fromkeys(url.query, "***"))
    return hidden.render_as_string(hide_password=True)


def _connect_args(url: sa.URL) -> dict[str, Any]:
    return {"timeout": BUSY_SECONDS} if url.get_backend_name() == "sqlite" else {}


def _tune(engine: sa.Engine) -> None:
    """SQLite: the write-ahead log is synchronised at checkpoints alone."""
    if engine.dialect.name != "sqlite":
        return

    def pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    sa.event.listen(engine, "connect", pragmas)


def _digest(identity: Mapping[str, Any]) -> str:
    assert tuple(identity) == IDENTITY, f"an identity has {IDENTITY}, got {tuple(identity)}"
    text = json.dumps(dict(identity), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _line(error: object) -> str:
    return str(error).strip().split("\n")[0]
