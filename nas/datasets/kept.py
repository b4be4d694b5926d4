"""Images that somebody had in memory, kept as one file that every process reads.

The file lies in the cache, in a directory that is called after its content: the same images are
always in the same place. Its parts are split by content, as those of a folder are, so that equal
images stay together.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nas.datasets import array_file, cache
from nas.datasets.array_file import FILE, Array
from nas.datasets.formats import Arrays
from nas.datasets.found import HELD_OUT, DataError, Found, PixelRange, Reading
from nas.datasets.in_memory import Labelled, labelled
from nas.datasets.layout import PARTS
from nas.datasets.membership import Members, Membership, digest_of_file, membership, untouched
from nas.datasets.sources import KEPT
from nas.datasets.split import Bytes, by_content
from nas.datasets.summary import gray_in_colour, of_classes, uneven
from studies.wording import counted

if TYPE_CHECKING:
    from nas.datasets.images import Dataset, Images

VERSION = "1"
"""To be raised with every change of how images are split, or laid out in the file."""

WAY_OUT = "keep the same images again with nas.keep_images"


class _Kept(NamedTuple):
    """What a file has: arrays by part, the classes, whether the test was given, and its digest.

    ``left_out``: images that are in the test too, which keeps them.
    """

    parts: Mapping[str, Arrays]
    classes: tuple[str, ...]
    test_given: bool
    left_out: int
    digest: str


def keep(
    images: Any,
    labels: Any = None,
    *,
    classes: Sequence[str] | None = None,
    test: Any = None,
    size: int | None = None,
) -> str:
    """Write images into the cache, split into parts; return the name that `--dataset` takes.

    Arguments are as of `in_memory.labelled`; ``test`` is a pair of images and labels or a data set.
    Raises DataError where they can't be used or written.
    """
    given = labelled(images, labels, classes, size)
    tested = None if test is None else labelled(test, size=size, like=given)
    if tested is not None and tested.pixels.shape[2:] != given.pixels.shape[2:]:
        raise DataError(
            f"images are {given.pixels.shape[2]} pixels wide and high, and those of the test "
            f"{tested.pixels.shape[2]}; give the size that all are resized to"
        )
    parts, left_out = _split(given, tested)
    about = {
        "version": VERSION,
        "classes": json.dumps(given.classes),
        "test given": json.dumps(test is not None),
        "left out": json.dumps(left_out),
    }
    arrays: dict[str, Array] = {}
    for part, (pixels, shown) in parts.items():
        arrays |= {f"{part}.pixels": np.ascontiguousarray(pixels), f"{part}.labels": shown}
    content = array_file.to_bytes(arrays, about)
    digest = _digest(arrays, about)
    directory = cache.cache_directory(KEPT) / digest
    name = f"{KEPT}:{directory}"
    try:
        _read(directory)
    except DataError:  # it isn't there, or isn't whole
        cache.write(directory, FILE, content, f"{len(content) / 1e6:,.0f} MB")
    return name


def find(name: str, data_dir: Path | None, pixel_range: PixelRange | None) -> Found:
    """Return what is in a file that `keep` wrote, and what there is to say of it."""
    if data_dir is not None:
        raise DataError(f"{name} says itself where its images are; leave out --data-dir")
    del pixel_range
    directory = Path(name.partition(":")[2])
    kept = _read(directory)
    digests = {part: _digests(arrays.pixels) for part, arrays in kept.parts.items()}
    return Found(
        name,
        str(directory),
        kept.digest,
        kept.classes,
        kept.parts["train"].pixels.shape[1],
        membership=membership(digests),
        train=len(kept.parts["train"].labels),
        validation=len(kept.parts["val"].labels),
        words=tuple(_words(name, kept, digests)),
    )


def load(reading: Reading) -> "Dataset":
    """Return the images for training and for validation."""
    from nas.datasets.arrays import mean_std
    from nas.datasets.images import Dataset

    kept = _read(Path(reading.directory))
    train, validation = (_images(kept, part, reading) for part in ("train", "val"))
    return Dataset(train, validation, kept.classes, *mean_std(train.pixels), kept.digest)


def load_test(reading: Reading, digest: str) -> "Images":
    """Return the images of the test; with ``digest`` DataError if it is of another data set."""
    kept = _read(Path(reading.directory))
    if digest and digest != kept.digest:
        raise DataError(f"{reading.directory} holds other images than {digest}; {WAY_OUT}")
    return _images(kept, "test", reading)


def load_members(reading: Reading, known: Membership, part: str) -> Members:
    """Return the images of a part that a model with such a membership was not trained on."""
    from nas.datasets.arrays import images

    kept = _read(Path(reading.directory))
    digests = [
        (name, digest_of_file(digest))
        for name in PARTS
        for digest in _digests(kept.parts[name].pixels)
    ]
    chosen = untouched(known, part, digests, part == "test" and kept.test_given)
    every = Arrays(
        np.concatenate([kept.parts[name].pixels for name in PARTS]),
        np.concatenate([kept.parts[name].labels for name in PARTS]),
    )
    places = np.array(chosen.places, np.intp)
    found = images(every, places, reading.resolution, reading.channels)
    return Members(found, chosen.left, chosen.refused)


def _images(kept: _Kept, part: str, reading: Reading) -> "Images":
    from nas.datasets.arrays import images

    arrays = kept.parts[part]
    every = np.arange(len(arrays.labels))
    return images(arrays, every, reading.resolution, reading.channels)


def _split(given: Labelled, tested: Labelled | None) -> tuple[dict[str, Arrays], int]:
    """The images of each part, and how many were left out since they are in the test too."""
    digests = np.array(_digests(given.pixels))
    of_test = set() if tested is None else set(_digests(tested.pixels))
    kept = np.array([digest not in of_test for digest in digests], np.bool_)
    own: list[set[str]] = [set() for _ in given.classes]
    for digest, label in zip(digests[kept], given.labels[kept], strict=True):
        own[label].add(str(digest))
    missing = ["test", "val"] if tested is None else ["val"]
    part_of = by_content(given.classes, own, missing, "the data set")
    place = np.array([part_of.get(str(digest), "") for digest in digests])
    parts = {
        part: Arrays(given.pixels[place == part], given.labels[place == part]) for part in PARTS
    }
    if tested is not None:
        parts["test"] = Arrays(tested.pixels, tested.labels)
    channels = max(arrays.pixels.shape[1] for arrays in parts.values())
    return {
        part: Arrays(_widened(arrays.pixels, channels), arrays.labels)
        for part, arrays in parts.items()
    }, int((~kept).sum())


def _widened(pixels: Bytes, channels: int) -> Bytes:
    """Images [N, C, S, S] as of so many channels, gray ones in all of them."""
    return np.broadcast_to(pixels, (len(pixels), channels, *pixels.shape[2:]))


def _read(directory: Path) -> _Kept:
    """What is in the file of a directory; DataError where it isn't there or is damaged."""
    arrays, about = array_file.read(directory / FILE, WAY_OUT)
    if about.get("version") != VERSION:
        raise DataError(f"{directory / FILE} was written by another version; {WAY_OUT}")
    return _Kept(
        {part: Arrays(arrays[f"{part}.pixels"], arrays[f"{part}.labels"]) for part in PARTS},
        tuple(json.loads(about["classes"])),
        json.loads(about["test given"]),
        json.loads(about["left out"]),
        _digest(arrays, about),
    )


def _digest(arrays: Mapping[str, Array], about: Mapping[str, str]) -> str:
    told = [about["version"], about["classes"]]
    told += [f"{name} {array_file.sha256(arrays[name])}" for name in sorted(arrays)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _digests(pixels: Bytes) -> list[str]:
    """The SHA-256 of each image's pixels."""
    return [array_file.sha256(one) for one in pixels]


def _words(name: str, kept: _Kept, digests: Mapping[str, Sequence[str]]) -> Iterator[str]:
    counts = Counter(
        (int(label), part) for part, arrays in kept.parts.items() for label in arrays.labels
    )
    yield from of_classes(name, kept.classes, counts)
    share = f"held out of train, 1 in {HELD_OUT} of each class, chosen by content"
    yield (
        f"splits: test was given; val is {share}"
        if kept.test_given
        else (f"splits: val and test are {share}")
    )
    yield from uneven(kept.classes, counts)
    channels, side = kept.parts["train"].pixels.shape[1:3]
    yield f"size: {side}x{side}, {'gray' if channels == 1 else 'colour'}, 8 bits"
    if kept.left_out:
        yield f"left out: {counted(kept.left_out, 'image')} that the test has too, which keeps them"
    yield from _in_several_classes(kept, digests)
    pixels = [arrays.pixels for arrays in kept.parts.values()]
    if channels == 3 and all((part == part[:, :1]).all() for part in pixels):
        yield gray_in_colour("all")


def _in_several_classes(kept: _Kept, digests: Mapping[str, Sequence[str]]) -> Iterator[str]:
    labels = defaultdict(set)
    for part, arrays in kept.parts.items():
        for digest, label in zip(digests[part], arrays.labels, strict=True):
            labels[digest].add(int(label))
    if several := [found for found in labels.values() if len(found) > 1]:
        some = " and ".join(repr(kept.classes[label]) for label in sorted(several[0])[:2])
        yield (
            f"note: {counted(len(several), 'image is', 'images are')} in more than one class, such "
            f"as {some}; each keeps all of its labels, in one part of the split"
        )
