"""The original files of published data sets: found in one of several places, and verified.

Nothing of an original file is interpreted unless its digest is the published one.
"""

import gzip
import hashlib
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from nas.datasets import cache, download
from nas.datasets.found import DataError
from nas.datasets.sources import DATASETS, Source

Made = TypeVar("Made")


def find(
    name: str,
    data_dir: Path | None,
    cached: Callable[[], Made],
    enter: Callable[[Mapping[str, bytes]], Made],
) -> Made:
    """Return what is ``cached``, or else what ``enter`` makes of the verified files in the cache.

    With `data_dir` the files are taken from there and from nowhere else. Without it, the first of
    the source's routes that has all of them wins. Any number of processes may call this at once.

    Raises DataError if `data_dir` lacks a file or holds a wrong one, if no route has them all (the
    message has the failure of each), or if the cache can't be written.
    """
    source = DATASETS[name]
    if data_dir is not None:
        try:
            contents = read(source, data_dir)
        except DataError as error:
            raise DataError(
                f"--data-dir: {error}. Put the original files there, "
                "or leave out --data-dir to have them fetched"
            ) from error
        return enter(contents)
    try:
        return cached()
    except DataError as error:
        failures = [f"the cache: {error}"]
    # Rather fail now than after a download.
    cache.write(cache.cache_directory(name), ".probe", b"", source.room, keep=False)
    for route in source.routes:
        try:
            with tempfile.TemporaryDirectory(prefix="inception-nas-") as scratch:
                contents = read(source, download.ROUTES[route](Path(scratch), source))
        except (DataError, OSError) as error:
            failures.append(f"{route}: {error}")
        else:
            return enter(contents)
    files = ", ".join(Path(path).name if source.unpacked else path for path in source.files)
    raise DataError(
        f"no source has {name}:\n  "
        + "\n  ".join(failures)
        + f"\nFetch {files} by hand{' (.gz will do)' if source.unpacked else ''} "
        "and name their directory by --data-dir"
    )


def read(source: Source, directory: Path) -> dict[str, bytes]:
    """Return the content of a source's files in a directory, by their paths, all verified.

    They may lie in it by their paths in torchvision's layout, or by their names alone; where the
    digests are of unpacked files, gzipped (`.gz`) too, and are unpacked. The first that is there
    counts, even if it is wrong and a good one lies beside it.

    Raises DataError that names every missing or wrong file with its digests.
    """
    if not directory.is_dir():
        raise DataError(f"there is no directory {directory}")
    contents, problems = {}, []
    kind = "SHA-256" if source.unpacked else "MD5"
    for path, expected in source.files.items():
        names = (Path(path).name, path) if source.unpacked else (path, Path(path).name)
        endings = ("", ".gz") if source.unpacked else ("",)
        places = [directory / f"{name}{ending}" for name in names for ending in endings]
        try:
            file = next((place for place in places if place.exists()), None)
            if file is None:
                problems.append(f"{places[0]} is missing (expected {kind} {expected})")
                continue
            unpack = source.unpacked and file.suffix == ".gz"
            content = _gunzip(file) if unpack else file.read_bytes()
        except OSError as error:
            problems.append(f"{places[0]} can't be read: {error.strerror or error}")
            continue
        found = digest(source, content)
        if found == expected:
            contents[path] = content
        else:
            problems.append(
                f"{file} is altered or truncated: expected {kind} {expected}, "
                f"found {found} in {len(content)} bytes"
            )
    if problems:
        raise DataError("; ".join(problems))
    return contents


def digest(source: Source, content: bytes) -> str:
    """Return what the content of a file is verified by: SHA-256 of unpacked ones, else MD5."""
    if source.unpacked:
        return hashlib.sha256(content).hexdigest()
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _gunzip(path: Path) -> bytes:
    """Return what can be unpacked of a gzip file; the digest judges whether that is all of it."""
    content = bytearray()
    with gzip.open(path) as file:
        try:
            while chunk := file.read(1 << 20):
                content += chunk
        except (EOFError, zlib.error, gzip.BadGzipFile):
            pass
    return bytes(content)
