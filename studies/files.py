"""Files that are there whole or not at all, whatever happens while they are written."""

import contextlib
import os
import uuid
from pathlib import Path


def write_whole(path: Path, content: bytes, keep: bool = True) -> None:
    """Write a file so that readers, even after a crash, see its old content or all of the new.

    With ``keep`` false nothing stays: it shows whether the file could be written. OSError where
    that can't be done.
    """
    temporary = beside(path)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep:
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """A new name in the same directory, hidden."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}")
