"""What the images of a folder are, kept in the cache, so that none is decoded twice to be known."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from nas.datasets import cache
from nas.datasets.depth import Depth
from nas.datasets.found import DataError
from nas.datasets.image import Look

VERSION = 1
"""To be raised with every change of `nas.datasets.image.Look`, or of how one is made."""


def kept_looks(root: Path) -> dict[str, Look]:
    """What is remembered of a folder's images, by the SHA-256 of their content."""
    try:
        kept = json.loads((_directory() / _name(root)).read_bytes())
        if kept["version"] != VERSION:
            return {}
        return {
            sha256: Look(*values)._replace(depth=_depth(values[-1]))
            for sha256, values in kept["looks"].items()
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def keep_looks(root: Path, looks: Mapping[str, Look]) -> None:
    """Remember them, where that isn't known yet; a cache that can't be written only costs time."""
    if kept_looks(root).keys() == looks.keys():
        return
    text = json.dumps({"version": VERSION, "looks": looks})
    with contextlib.suppress(DataError):
        cache.write(_directory(), _name(root), text.encode(), "100 MB")


def _directory() -> Path:
    return cache.cache_directory("folders")


def _name(root: Path) -> str:
    return f"{hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:16]}.json"


def _depth(values: list[object] | None) -> Depth | None:
    if values is None:
        return None
    kind, least, most, declared, *rest = values
    known = tuple(declared) if isinstance(declared, list) else None
    return Depth(kind, least, most, known, *rest)  # type: ignore[arg-type]
