"""A folder of one's own images, one folder a class: looked through, split, and loaded.

Its parts are `train`, `val` and `test`, or are held out by content: equal files stay together.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from nas.datasets import cache
from nas.datasets.found import DataError, Found, shown
from nas.datasets.image import EXTENSIONS, content, decode, faults, is_gray, quiet
from nas.datasets.sources import FOLDER
from nas.datasets.split import HELD_OUT

if TYPE_CHECKING:
    from nas.datasets.images import Dataset, Images

SPLIT_VERSION = 1
"""To be raised with every change of `split`, or of what `image` makes of a file."""

PARTS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
"""What each part's folder may be called."""

LISTED = 10
"""Names in an error, at most."""

THREADS = 4


class File(NamedTuple):
    """An image: its path, and its class as a number."""

    path: Path
    label: int


class Folder(NamedTuple):
    """What is in a folder; ``parts`` has train, and those of val and test that have folders."""

    root: Path
    classes: tuple[str, ...]
    parts: dict[str, list[File]]


def find(name: str, data_dir: Path | None) -> Found:
    """Return a folder in which every image can be read.

    Images that were once decoded are not decoded again; the cache remembers that of their digest.

    Raises DataError that names all images that can't be read, or all classes with too few.
    """
    if data_dir is not None:
        raise DataError(f"{name} says itself where its images are; leave out --data-dir")
    folder = look(Path(name.removeprefix(f"{FOLDER}:")))
    contents, unreadable = _each(folder, _sha256)
    digest = _digest(folder, split(folder, contents), contents) if not unreadable else ""
    channels = _known_channels(digest)
    if channels is None:
        gray, damaged = _each(folder, lambda path: is_gray(content(path)))
        _refuse(folder, {**damaged, **unreadable})
        channels = 1 if all(gray.values()) else 3
        # only to be faster the next time
        with contextlib.suppress(DataError):
            cache.write(cache.cache_directory("folders"), digest, str(channels).encode(), "1 MB")
    return Found(name, str(folder.root), digest, folder.classes, channels)


def load(name: str, directory: Path, resolution: int, channels: int) -> "Dataset":
    """Return the images for training and for validation; the digest is of what was read."""
    from nas.datasets.arrays import mean_std
    from nas.datasets.images import Dataset

    del name
    folder = look(directory)
    contents = _hashed(folder)
    parts = split(folder, contents)
    train, validation = (
        _decoded(parts[part], contents, resolution, channels) for part in ("train", "val")
    )
    digest = _digest(folder, parts, contents)
    return Dataset(train, validation, folder.classes, *mean_std(train.pixels), digest)


def load_test(name: str, directory: Path, resolution: int, channels: int) -> "Images":
    """Return the images of the test."""
    del name
    folder = look(directory)
    contents = _hashed(folder)
    return _decoded(split(folder, contents)["test"], contents, resolution, channels)


def look(root: Path) -> Folder:
    """Return the classes and images of a folder, by name; files beside the classes don't count.

    Raises DataError if it isn't one, or if a class has no image.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else "isn't there"
        raise DataError(f"{shown(root)} {what}; give a folder that has one folder a class")
    places = _places(root)
    classes = tuple(_folders(places["train"]))
    if not classes:
        raise DataError(f"{shown(root)} has no folders; it needs one for each class of images")
    if len(classes) == 1:
        raise DataError(f"{shown(root)} has one class alone, {shown(classes[0])}; it needs two")
    parts: dict[str, list[File]] = {}
    empty = []
    for part, place in places.items():
        if unlike := set(classes) ^ set(_folders(place)):
            raise DataError(
                f"{shown(places['train'])} and {shown(place)} must have the same classes; "
                f"only one has {_listed(map(shown, sorted(unlike)))}"
            )
        found = [_images(place / name) for name in classes]
        empty += [shown(place / classes[label]) for label, paths in enumerate(found) if not paths]
        parts[part] = [File(path, label) for label, paths in enumerate(found) for path in paths]
    if empty:
        endings = ", ".join(ending[1:] for ending in EXTENSIONS)
        raise DataError(
            f"there is no image ({endings}) in {_listed(empty)}; fill or remove each of them"
        )
    return Folder(root, classes, parts)


def _places(root: Path) -> dict[str, Path]:
    """Return where each part's classes are; all in the root, unless its `train` has folders."""
    top = _folders(root)
    if "train" not in top or not _folders(root / "train"):
        return {"train": root}
    places = {}
    for part, names in PARTS.items():
        there = [name for name in names if name in top]
        if len(there) > 1:
            raise DataError(f"{shown(root)} has both {' and '.join(there)}; leave one of them")
        if there:
            places[part] = root / there[0]
    return places


def _folders(place: Path) -> list[str]:
    """Return the names of the folders in one, but for hidden ones, sorted."""
    with faults(place):
        return sorted(p.name for p in place.iterdir() if p.name[0] != "." and p.is_dir())


def _images(place: Path) -> list[Path]:
    """Return the image files anywhere below a folder, sorted; a circle of links is walked once."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    waiting = [place]
    while waiting:
        folder = waiting.pop()
        with faults(folder):
            known = folder.stat()
            if (known.st_dev, known.st_ino) in seen:
                continue
            seen.add((known.st_dev, known.st_ino))
            for path in folder.iterdir():
                if path.name[0] == ".":
                    continue
                if path.is_dir():
                    waiting.append(path)
                elif path.suffix.lower() in EXTENSIONS:
                    found.append(path)
    return sorted(found)


def split(folder: Folder, contents: Mapping[Path, str]) -> dict[str, list[File]]:
    """Return the images of each part; those without a folder are held out of train's.

    In each class the different contents with the smallest digests go to the test, the next to
    validation. A content that is in several classes, or several times in one, stays in one part.

    Raises DataError that names every class that hasn't an image of its own for each part.
    """
    missing = [part for part in ("test", "val") if part not in folder.parts]
    if not missing:
        return folder.parts
    own: list[set[str]] = [set() for _ in folder.classes]
    for file in folder.parts["train"]:
        own[file.label].add(contents[file.path])
    part_of: dict[str, str] = {}
    few = []
    for name, some in zip(folder.classes, own, strict=True):
        share = max(1, len(some) // HELD_OUT)
        shared = len(some & part_of.keys())
        for part in missing:
            free = sorted(some - part_of.keys())
            wanted = share - sum(part_of.get(one) == part for one in some)
            part_of |= dict.fromkeys(free[: max(0, wanted)], part)
        part_of |= dict.fromkeys(some - part_of.keys(), "train")
        if len({part_of[one] for one in some}) <= len(missing):
            also = f", {shared} of them in other classes too" if shared else ""
            few.append(f"{shown(name)} ({len(some)}{also})")
    if few:
        raise DataError(
            f"{shown(folder.root)} has classes with fewer than {1 + len(missing)} different images "
            f"of their own, one for {' and '.join(['training', *missing])} each: {_listed(few)}"
        )
    parts = {part: files for part, files in folder.parts.items() if part != "train"}
    for part in ("train", *missing):
        files = folder.parts["train"]
        parts[part] = [file for file in files if part_of[contents[file.path]] == part]
    return parts


def _digest(
    folder: Folder, parts: Mapping[str, Iterable[File]], contents: Mapping[Path, str]
) -> str:
    """Return the digest of names, contents and the split."""
    files = [
        (part, file.label, str(file.path.relative_to(folder.root)), contents[file.path])
        for part in sorted(parts)
        for file in parts[part]
    ]
    told = json.dumps([SPLIT_VERSION, folder.classes, files])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _hashed(folder: Folder) -> dict[Path, str]:
    """Return the SHA-256 of every image's file; DataError that names those that can't be read."""
    contents, problems = _each(folder, _sha256)
    _refuse(folder, problems)
    return contents


def _sha256(path: Path) -> str:
    return hashlib.sha256(content(path)).hexdigest()


def _refuse(folder: Folder, problems: Mapping[Path, str]) -> None:
    if problems:
        total = sum(len(files) for files in folder.parts.values())
        raise DataError(
            f"{len(problems)} of {total:,} images can't be used: "
            f"{_listed(problems[path] for path in sorted(problems))}; repair or remove each of them"
        )


T = TypeVar("T")


def _each(folder: Folder, function: Callable[[Path], T]) -> tuple[dict[Path, T], dict[Path, str]]:
    """Return what a function makes of every image's path, and what it says is wrong with others."""
    made: dict[Path, T] = {}
    problems: dict[Path, str] = {}

    def one(path: Path) -> None:
        try:
            with faults(path):
                made[path] = function(path)
        except DataError as error:
            problems[path] = str(error)

    paths = [file.path for files in folder.parts.values() for file in files]
    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))
    try:
        with quiet():
            list(pool.map(one, paths))
    finally:
        pool.shutdown(cancel_futures=True)
    return made, problems


def _decoded(
    files: Sequence[File], contents: Mapping[Path, str], resolution: int, channels: int
) -> "Images":
    """Return the images of files whose content is still the one that is known."""
    import torch

    from nas.datasets.images import Images

    pixels = torch.empty((len(files), channels, resolution, resolution), dtype=torch.uint8)
    with quiet():
        for number, file in enumerate(files):
            with faults(file.path):
                found = content(file.path)
                if hashlib.sha256(found).hexdigest() != contents[file.path]:
                    raise ValueError("has changed while it was read")
                pixels[number] = decode(found, resolution, channels)
    return Images(pixels, torch.tensor([file.label for file in files]))


def _known_channels(digest: str) -> int | None:
    """Return what is remembered of images that could all be read."""
    try:
        return {b"1": 1, b"3": 3}.get((cache.cache_directory("folders") / digest).read_bytes())
    except OSError:
        return None


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - LISTED:,} more" if len(every) > LISTED else ""
    return ", ".join(every[:LISTED]) + more
