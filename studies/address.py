"""The URL of a database, read and checked: its file is the one that was typed, secrets unseen."""

import errno
import os
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

NAME = re.compile(r"(?:sqlite:/{0,2})?(?P<path>[^@:=]+)")
"""A file's name or path where a URL should be, whole or with too few slashes."""

DAMAGED = "the file is damaged: restore a copy of it, or give another --storage"


class StoreError(ValueError):
    """The storage can't be opened, read or written; or it doesn't hold what was asked for."""


def shown(url: sa.URL) -> str:
    """The URL without its secrets, the password and whatever its query holds; a file as typed."""
    if url.get_backend_name() == "sqlite":
        return f"{url.drivername}://{'' if url.database is None else f'/{url.database}'}"
    hidden = url.set(query=dict.fromkeys(url.query, "***"))
    return hidden.render_as_string(hide_password=True).replace("%2A", "*")


def line(error: object) -> str:
    """An error's words as one line of reasonable length."""
    return " ".join(str(error).split())[:400]


def parse(url: str) -> sa.URL:
    """The URL of a database whose driver is installed; StoreError, without its secrets, if not."""
    try:
        parsed = sa.make_url(url)
        if "@" in (parsed.host or ""):  # and before it is a part of the password
            raise ValueError
        dialect = parsed.get_dialect()
    except (exc.ArgumentError, ValueError):
        raise StoreError(_no_url(url)) from None
    except exc.NoSuchModuleError as error:
        raise StoreError(_no_driver(parsed, error)) from None
    try:
        dialect.import_dbapi()
    except ImportError as error:
        raise StoreError(_no_driver(parsed, error)) from None
    if dialect.is_async:
        raise StoreError(_no_driver(parsed, "asynchronous ones can't be used"))
    if parsed.get_backend_name() == "sqlite":
        return parsed.set(database=_file(url, parsed), query={})
    return parsed


def _no_url(text: str) -> str:
    """What to say of a storage that is no URL; a path is shown as the URL that it would be."""
    if (found := NAME.fullmatch(text)) and text.isprintable():
        url = f"sqlite:///{os.path.expanduser(found['path'])}"
        return f"storage is not a database URL: {text}; for that file give {url}"
    return (
        "storage is not a database URL; give one such as sqlite:///nas.db, "
        "with %40 for an @ in a password"
    )


def _no_driver(url: sa.URL, error: object) -> str:
    if url.get_backend_name() == "postgresql":
        return (
            f"storage {shown(url)} needs psycopg: pip install 'inception-nas[postgres]', "
            "and give postgresql+psycopg://..."
        )
    return (
        f"storage {shown(url)} needs a driver that is not installed ({line(error)}); "
        "install it, or use sqlite:///FILE"
    )


def _file(text: str, url: sa.URL) -> str:
    """The path in an SQLite URL, as it was typed; StoreError where others read it otherwise.

    A study's URL is for Optuna and its dashboard too. What SQLAlchemy makes of ``%`` depends on
    its version, Optuna fills braces in, and neither a shell nor SQLite knows a ``~`` in there.
    """
    path = text.partition("://")[2].removeprefix("/")
    if url.host or url.username is not None:
        if url.username is not None or not text.isprintable():
            raise StoreError(_no_url("@"))
        raise StoreError(
            f"storage {text} has two slashes before its path, where three belong; "
            f"give sqlite:///{path}"
        )
    if not path or path == ":memory:":
        raise StoreError(f"storage {text} is in memory and would be lost; give sqlite:///FILE")
    if not path.isprintable():
        raise StoreError(f"storage {text!r} has a character that can't be shown; give another path")
    if path.startswith("~") and "/" in path:
        raise StoreError(
            f"storage {text} has a ~, which is no directory here; "
            f"give sqlite:///{os.path.expanduser(path)}"
        )
    if path.startswith("file:"):
        raise StoreError(
            f"storage {text} has a URI in it, which isn't read here; give sqlite:///FILE"
        )
    if found := [character for character in "%?{}" if character in path]:
        raise StoreError(
            f"storage {text} has a {found[0]}, with which its URL would mean another file to other "
            "programs; give a path without, a relative one if a directory is called so"
        )
    if path.endswith("/"):
        raise StoreError(f"storage {text} is a directory; give the path of a file")
    return path


def place(url: sa.URL) -> Path:
    """The absolute path of an SQLite file."""
    return Path(url.database or "").absolute()


def located(url: sa.URL, only_read: bool) -> sa.URL:
    """The URL with an absolute path; with ``only_read`` SQLite writes nothing, nor beside the file.

    SQLite needs files beside it otherwise. Only where there is none, so that all is in the one
    file; where there is one, a driver may be writing.
    """
    if url.get_backend_name() != "sqlite":
        return url
    path = place(url)
    if not only_read or path.with_name(f"{path.name}-wal").exists():
        return url.set(database=str(path))
    query = {"mode": "ro", "immutable": "1", "uri": "true"}
    return url.set(database=path.as_uri(), query=query)


def as_text(url: sa.URL) -> str:
    """The URL as text with all its secrets, for Optuna, which fills in what stands in braces."""
    return url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")


def why_unwritable(url: sa.URL) -> str:
    """Why a database that is there can't be written, as the system says it; empty if it can.

    A file in a directory where none can be made can't either: SQLite needs others beside it.
    """
    if url.get_backend_name() != "sqlite":
        return ""
    path = place(url)
    effective = os.access in os.supports_effective_ids
    for one in (path, path.parent):
        if path.exists() and not os.access(one, os.W_OK, effective_ids=effective):
            mounted = hasattr(os, "statvfs") and os.statvfs(one).f_flag & os.ST_RDONLY
            return os.strerror(errno.EROFS if mounted else errno.EACCES)
    return ""


def check_file(url: sa.URL, create: bool) -> None:
    """StoreError where that can't be an SQLite file to read, or, with ``create``, a new one.

    Nothing here opens a file that is there but SQLite: once this process closed it, all locks of
    its connections on it would be gone, and other processes would take away what it has written.
    """
    said, path = shown(url), place(url)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        _check_new(url, create)
        return
    except OSError as error:
        raise _unreadable(said, error.strerror) from None
    if stat.S_ISDIR(mode):
        raise StoreError(f"storage {said} is a directory; give the path of a file")
    if not stat.S_ISREG(mode):
        raise StoreError(f"storage {said} is no ordinary file; give another --storage")
    if not os.access(path, os.R_OK, effective_ids=True):
        raise _unreadable(said, os.strerror(errno.EACCES))
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
            opened.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        # What is wrong further inside is said by whoever reads that.
        if "not a database" in str(error):
            raise StoreError(f"storage {said} is not an SQLite database, or {DAMAGED}") from None


def _check_new(url: sa.URL, create: bool) -> None:
    """StoreError where there is no such file, unless it is to be made and can be."""
    said, path = shown(url), place(url)
    if not create:
        raise StoreError(f"storage {said} does not exist; `nas run` makes it")
    if not path.parent.is_dir():
        parent = Path(url.database or "").parent
        raise StoreError(f"storage {said}: {parent} is not a directory; make it first")
    try:  # whether a file can be made here is best asked by making one
        path.touch(exist_ok=False)
        path.unlink()
    except OSError as error:
        raise unwritable(said, error.strerror, "") from None


def _unreadable(said: str, why: str | None) -> StoreError:
    return StoreError(f"storage {said} can't be read: {why}; give another --storage")


def unwritable(
    said: str, why: str | None, copy: str = ", such as a copy of it elsewhere"
) -> StoreError:
    """What to say of a storage that can't be written."""
    return StoreError(f"storage {said} can't be written: {why}; give another --storage{copy}")
