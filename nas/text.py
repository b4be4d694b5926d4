"""Text from outside: files in any encoding of Unicode, and names that hold any bytes."""

import json
import os
from pathlib import Path


def read_text(path: Path, what: str) -> str:
    """The text of a file: UTF-8, UTF-16 or UTF-32, with a byte-order mark or without.

    ``what`` the file should be begins the error. ValueError where it can't be read, or is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{what} {path} can't be read: {error.strerror or error}") from None
    encoding = json.detect_encoding(content)  # by its mark, or by where its zeros are
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{what} {path} is no text in Unicode (as {encoding}: byte {error.start:,} "
            f"{error.reason}); save it as UTF-8"
        ) from None


def printable(path: Path) -> str:
    """A file's name as a terminal can show it: a name may have any bytes, escapes among them."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
