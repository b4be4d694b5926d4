"""Files that are there whole or not at all, whatever happens while they are written."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that readers, even after a crash, see its old content or all of the new.

    ValueError where that can't be done.
    """
    with replacing(path) as temporary, _said(path), temporary.open("xb") as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new name beside ``path``: what is written there takes its place, unless an error is raised.

    ValueError where that can't be done.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        with _said(path):
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_file(name: str, path: Path) -> None:
    """ValueError where a file can't be written, before work begins; ``name`` is the option's."""
    if os.path.isdir(path):
        raise ValueError(f"{name} is {path}, a directory; give the name of a file")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f"{name} is {path}, which is no ordinary file; give another name")
    if not os.path.isdir(path.parent):
        raise ValueError(f"{name} is {path}: there is no directory {path.parent}; make it first")
    probe = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with _said(path):
        probe.touch(exist_ok=False)
        probe.unlink()


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(f"{path} can't be written: {error.strerror or error}") from None
