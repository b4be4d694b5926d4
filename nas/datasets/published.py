"""Data sets that torchvision can download: their files verified, and converted once for all.

The cache has one safetensors file for each, whose arrays are checked whenever they are read.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.datasets import array_file, cache, originals
from nas.datasets.array_file import FILE, Array, sha256
from nas.datasets.formats import FORMATS, Arrays
from nas.datasets.found import HELD_OUT, DataError, Found, PixelRange, Reading
from nas.datasets.sources import DATASETS, Source
from nas.datasets.split import digest_of

if TYPE_CHECKING:
    from nas.datasets.images import Dataset, Images

VERSION = 1
"""To be raised with every change of what `FORMATS` make of the files."""

WAY_OUT = "let nas.datasets.find make it anew"


def find(name: str, data_dir: Path | None, pixel_range: PixelRange | None) -> Found:
    """Return the images, in the cache, made of the files in `data_dir` or of fetched ones.

    Raises DataError as `originals.find` does.
    """
    del pixel_range
    kept = cache.cache_directory(name)
    return originals.find(
        name,
        data_dir,
        cached=lambda: _found(name, _read(name, kept)),
        enter=lambda contents: _enter(name, contents),
    )


def load(reading: Reading) -> "Dataset":
    """Return the published training set in its two splits, from the cache."""
    from nas.datasets.arrays import dataset

    arrays = _read(reading.name, Path(reading.directory))
    train = Arrays(arrays["train.pixels"], arrays["train.labels"])
    classes = DATASETS[reading.name].classes
    return dataset(train, classes, _digest(arrays), reading.resolution, reading.channels)


def load_test(reading: Reading, digest: str) -> "Images":
    """Return the published test set, from the cache."""
    from nas.datasets.arrays import images

    del digest  # the file in the cache has been verified
    arrays = _read(reading.name, Path(reading.directory))
    test = Arrays(arrays["test.pixels"], arrays["test.labels"])
    every = np.arange(len(test.labels))
    return images(test, every, reading.resolution, reading.channels)


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
    content = array_file.to_bytes(arrays, {"made": _made(source)})
    cache.write(kept, FILE, content, source.room)
    return _found(name, arrays)


def _read(name: str, directory: Path) -> dict[str, Array]:
    """Return the arrays of a file that `_enter` wrote.

    Raises DataError if it isn't there, is damaged, or was made of other files or otherwise.
    """
    path = directory / FILE
    arrays, about = array_file.read(path, WAY_OUT)
    if about.get("made") != _made(DATASETS[name]):
        raise DataError(f"{path} was made of other files, or by another version; {WAY_OUT}")
    return arrays


def _made(source: Source) -> str:
    """Return what tells conversions apart: their version, and the files that they are of."""
    return json.dumps([VERSION, sorted(source.files.items())])


def _found(name: str, arrays: Mapping[str, Array]) -> Found:
    source = DATASETS[name]
    directory = str(cache.cache_directory(name))
    labels = arrays["train.labels"]
    held_out = int((np.bincount(labels) // HELD_OUT).sum())
    return Found(
        name,
        directory,
        _digest(arrays),
        source.classes,
        source.channels,
        train=len(labels) - held_out,
        validation=held_out,
        words=(source.summary(name, directory),),
    )


def _digest(arrays: Mapping[str, Array]) -> str:
    return digest_of(sha256(arrays["train.pixels"]), sha256(arrays["train.labels"]))
