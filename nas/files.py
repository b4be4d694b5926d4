"""Files that are what they are called, and there whole or not at all, whatever happens."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from studies.files import beside, write_whole


class Kind(NamedTuple):
    """What an option writes, in words, and the suffixes that a file of it may have."""

    words: str
    suffixes: tuple[str, ...]


PAGE = Kind("a page", (".html", ".htm"))
CSV = Kind("a table as CSV", (".csv",))
PNG = Kind("a PNG picture", (".png",))
SVG = Kind("an SVG drawing", (".svg",))
EVALUATIONS = Kind("a table of evaluations", (".jsonl", ".ndjson"))


def suffix(path: Path) -> str:
    """What a file's name says that it is, in lower case, such as .html; empty if it says nothing.

    A name may end in a date or a version: a suffix without a letter says nothing.
    """
    found = path.suffix.lower()
    return found if any(map(str.isalpha, found)) else ""


def check_suffix(name: str, path: Path, kind: Kind) -> None:
    """ValueError where a file would be called something that it isn't; ``name`` is the option's.

    A name without a suffix is taken as it is.
    """
    if suffix(path) and suffix(path) not in kind.suffixes:
        raise ValueError(
            f"{name} is {path}, but what it writes is {kind.words}, {' or '.join(kind.suffixes)}; "
            f"give {path.with_suffix(kind.suffixes[0])}"
        )


def write_text(path: Path, text: str, what: str) -> None:
    """Write a file; ValueError where that can't be done."""
    content = text.encode("utf-8", "replace")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ValueError(f"{what} {path} can't be written: {error.strerror}") from None


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that readers, even after a crash, see its old content or all of the new.

    ValueError where that can't be done.
    """
    with _said(path):
        write_whole(path, content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new name beside ``path``: what is written there takes its place, unless an error is raised.

    ValueError where that can't be done.
    """
    temporary = beside(path)
    try:
        yield temporary
        with _said(path):
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_file(name: str, path: Path, kind: Kind | None = None) -> None:
    """ValueError where a file can't be written, before work begins; ``name`` is the option's.

    Likewise where its name is that of another ``kind``.
    """
    if kind is not None:
        check_suffix(name, path, kind)
    if os.path.isdir(path):
        raise ValueError(f"{name} is {path}, a directory; give the name of a file")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f"{name} is {path}, which is no ordinary file; give another name")
    if not os.path.isdir(path.parent):
        raise ValueError(f"{name} is {path}: there is no directory {path.parent}; make it first")
    probe = beside(path)
    with _said(path):
        probe.touch(exist_ok=False)
        probe.unlink()


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(f"{path} can't be written: {error.strerror or error}") from None
