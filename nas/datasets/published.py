"""Data sets that torchvision can download: their files verified, and converted once for all.

The cache has one safetensors file for each, whose arrays are checked whenever they are read.
Nothing of an original file is interpreted unless its digest is the published one.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from nas.datasets import cache, download
from nas.datasets.formats import FORMATS, Arrays
from nas.datasets.found import DataError, Found, PixelRange
from nas.datasets.sources import DATASETS, Source
from nas.datasets.split import Bytes, digest_of

if TYPE_CHECKING:
    from nas.datasets.images import Dataset, Images

FILE = "images.safetensors"
VERSION = 1
"""To be raised with every change of what `FORMATS` make of the files."""

ROOM = "600 MB"
"""What the cache takes at most."""

TIMEOUT = 1800.0
"""Seconds that a download may take: EMNIST has 562 MB, 450 s at 10 Mbit/s."""

WAY_OUT = "let nas.datasets.find make it anew"


def find(name: str, data_dir: Path | None, pixel_range: PixelRange | None) -> Found:
    """Return the images, in the cache, made from `data_dir` or from torchvision's download.

    Raises DataError if `data_dir` lacks a file or holds a wrong one, if the download fails, or if
    the cache can't be written.
    """
    del pixel_range
    source, kept = DATASETS[name], cache.cache_directory(name)
    if data_dir is not None:
        try:
            contents = read(source, data_dir)
        except DataError as error:
            raise DataError(
                f"--data-dir: {error}. Put the original files there as torchvision keeps them, "
                "or leave out --data-dir to have them fetched"
            ) from error
        return _enter(name, contents)
    try:
        return _found(name, _read(name, kept))
    except DataError as error:
        failure = str(error)
    cache.write(kept, ".probe", b"", ROOM, keep=False)  # rather fail now than after a download
    try:
        with tempfile.TemporaryDirectory(prefix="inception-nas-") as scratch:
            contents = read(source, download.torchvision(Path(scratch), source, TIMEOUT))
    except (DataError, OSError) as error:
        raise DataError(
            f"there is no {name}: the cache: {failure}; torchvision's download: {error}. Fetch "
            f"{', '.join(source.files)} by hand and name their directory by --data-dir"
        ) from error
    return _enter(name, contents)


def load(
    name: str, directory: Path, resolution: int, channels: int, pixel_range: PixelRange | None
) -> "Dataset":
    """Return the published training set in its two splits, from the cache."""
    from nas.datasets.arrays import dataset

    del pixel_range
    arrays = _read(name, directory)
    train = Arrays(arrays["train.pixels"], arrays["train.labels"])
    return dataset(train, DATASETS[name].classes, _digest(arrays), resolution, channels)


def load_test(
    name: str,
    directory: Path,
    resolution: int,
    channels: int,
    pixel_range: PixelRange | None,
    digest: str,
) -> "Images":
    """Return the published test set, from the cache."""
    from nas.datasets.arrays import images

    del pixel_range, digest
    arrays = _read(name, directory)
    test = Arrays(arrays["test.pixels"], arrays["test.labels"])
    return images(test, np.arange(len(test.labels)), resolution, channels)


def read(source: Source, directory: Path) -> dict[str, bytes]:
    """Return the content of a source's files in a directory, all verified.

    They may lie in it by their paths in torchvision's layout, or by their names alone.

    Raises DataError that names every missing or wrong file with its digests.
    """
    if not directory.is_dir():
        raise DataError(f"there is no directory {directory}")
    contents, problems = {}, []
    for path, expected in source.files.items():
        places = (directory / path, directory / Path(path).name)
        file = next((place for place in places if place.exists()), None)
        if file is None:
            problems.append(f"{places[0]} is missing (expected MD5 {expected})")
            continue
        try:
            content = file.read_bytes()
        except OSError as error:
            problems.append(f"{file} can't be read: {error.strerror or error}")
            continue
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found == expected:
            contents[path] = content
        else:
            problems.append(
                f"{file} is altered or truncated: expected MD5 {expected}, "
                f"found {found} in {len(content)} bytes"
            )
    if problems:
        raise DataError("; ".join(problems))
    return contents


def _enter(name: str, contents: Mapping[str, bytes]) -> Found:
    """Convert verified files into the cache; a file that is there and equal is left alone."""
    source, kept = DATASETS[name], cache.cache_directory(name)
    train, test = FORMATS[source.form](contents)
    arrays = {
        "train.pixels": train.pixels,
        "train.labels": train.labels,
        "test.pixels": test.pixels,
        "test.labels": test.labels,
    }
    try:
        before = _read(name, kept)
        if all(np.array_equal(before[part], array) for part, array in arrays.items()):
            return _found(name, before)
    except DataError:
        pass  # absent or wrong: replaced
    metadata = {"made": _made(source), **{part: _sha256(array) for part, array in arrays.items()}}
    cache.write(kept, FILE, save_arrays(arrays, metadata), ROOM)
    return _found(name, arrays)


def _read(name: str, directory: Path) -> dict[str, Bytes]:
    """Return the arrays of a file that `_enter` wrote.

    Raises DataError if it isn't there, is damaged, or was made of other files or otherwise.
    """
    path = directory / FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}; {WAY_OUT}") from error
    try:
        arrays = load_arrays(content)
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}); {WAY_OUT}") from error
    wrong = [part for part, array in arrays.items() if metadata.get(part) != _sha256(array)]
    if wrong or not arrays:
        raise DataError(f"{path} is damaged ({', '.join(wrong)}); {WAY_OUT}")
    if metadata.get("made") != _made(DATASETS[name]):
        raise DataError(f"{path} was made of other files, or by another version; {WAY_OUT}")
    return arrays


def _made(source: Source) -> str:
    """Return what tells conversions apart: their version, and the files that they are of."""
    return json.dumps([VERSION, sorted(source.files.items())])


def _found(name: str, arrays: Mapping[str, Bytes]) -> Found:
    source = DATASETS[name]
    directory = str(cache.cache_directory(name))
    words = (source.summary(name, directory),)
    return Found(name, directory, _digest(arrays), source.classes, source.channels, words=words)


def _digest(arrays: Mapping[str, Bytes]) -> str:
    return digest_of(_sha256(arrays["train.pixels"]), _sha256(arrays["train.labels"]))


def _sha256(array: Bytes) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
