"""A folder of one's own images, one folder a class: looked through, split, and loaded.

Its parts are `train`, `val` and `test`, or are held out by content: equal files stay together.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nas.datasets.depth import unknown_range
from nas.datasets.found import DataError, Found, PixelRange, Reading, listed, shown
from nas.datasets.image import (
    EXTENSIONS,
    HEAD,
    Look,
    content,
    examine,
    faults,
    look_at,
    quiet,
    read_image,
    why_not,
)
from nas.datasets.layout import PARTS, File, Folder, Layout, LeftOut, Parts, lay_out
from nas.datasets.looks import keep_looks, kept_looks
from nas.datasets.membership import Members, Membership, digest_of_file, membership, untouched
from nas.datasets.sources import FOLDER
from nas.datasets.split import by_content
from nas.datasets.summary import gray_in_colour, summary

if TYPE_CHECKING:
    from torch import Tensor

    from nas.datasets.images import Dataset, Images

SPLIT_VERSION = 1
"""To be raised with every change of `split`, or of what `image` makes of every file."""

THREADS = 4

TRIED, SMALL = 24, 16
"""Images that are looked at to see whether they are gray, and their side in pixels then."""


class _Read(NamedTuple):
    """What was read of one file: its digest, what kind of image it is, and its pixels."""

    sha256: str
    look: Look
    pixels: "Tensor | None"


def find(name: str, data_dir: Path | None, pixel_range: PixelRange | None) -> Found:
    """Return a folder in which every image can be read, and what there is to say of it.

    Images that were once decoded are not decoded again; the cache remembers what they are.

    Raises DataError that names all images that can't be read, or all classes with too few.
    """
    if data_dir is not None:
        raise DataError(f"{name} says itself where its images are; leave out --data-dir")
    root = Path(name.removeprefix(f"{FOLDER}:"))
    folder = _look_through(root)
    keep_looks(root, folder.looks)
    looks = _looks(folder)
    if unknown := _unknown_range(folder, pixel_range):
        raise DataError(unknown)
    parts = split(folder)
    return Found(
        name,
        str(root),
        _digest(folder, parts, pixel_range),
        folder.layout.classes,
        1 if all(look.gray for look in looks) else 3,
        _effective(looks, pixel_range),
        membership({part: [file.sha256 for file in parts[part]] for part in parts}),
        len(parts["train"]),
        len(parts["val"]),
        "val" not in folder.given,
        (*summary(name, folder, parts, pixel_range), *_gray_in_colour(folder, parts)),
    )


def _gray_in_colour(folder: Folder, parts: Parts) -> list[str]:
    """Return a line where images in colour modes, as far as some are looked at, are all gray."""
    files = [file for part in PARTS for file in parts[part]]
    coloured = [file for file in files if not folder.looks[file.sha256].gray]
    if not coloured or any(folder.looks[file.sha256].depth for file in coloured):
        return []
    some = coloured[:: max(1, len(coloured) // TRIED)][:TRIED]
    for file in some:
        pixels = read_image(file.path, SMALL, 3)
        if (pixels != pixels[:1]).any():
            return []
    return [gray_in_colour("all" if len(some) == len(files) else f"{len(some):,}")]


def load(reading: Reading) -> "Dataset":
    """Return the images for training and for validation; the digest is of what was read."""
    from nas.datasets.arrays import mean_std
    from nas.datasets.images import Dataset

    folder, parts = _loaded(reading, ("train", "val"))
    train, validation = (_images(folder, parts[part]) for part in ("train", "val"))
    digest = _digest(folder, parts, reading.pixel_range)
    return Dataset(train, validation, folder.layout.classes, *mean_std(train.pixels), digest)


def load_test(reading: Reading, digest: str) -> "Images":
    """Return the images of the test; with ``digest`` DataError if that isn't what was read."""
    folder, parts = _loaded(reading, ("test",))
    if digest and digest != _digest(folder, parts, reading.pixel_range):
        raise DataError(
            f"the images in {shown(reading.directory)} have changed, so that its test may hold "
            f"some that were trained on; bring the original files back (their digest was {digest})"
        )
    return _images(folder, parts["test"])


def load_members(reading: Reading, known: Membership, part: str) -> Members:
    """Return the images of a part that a model with such a membership was not trained on.

    These are those of the folder for that part, or else what is held out now and what was held out
    for the model, wherever it lies now. No file that was in another part of the model's is among
    them. There may be none.
    """
    folder, parts = _loaded(reading, tuple(PARTS))
    every = [(name, file) for name in PARTS for file in parts[name]]
    digests = [(name, digest_of_file(file.sha256)) for name, file in every]
    chosen = untouched(known, part, digests, part in folder.given)
    images = _images(folder, [every[place][1] for place in chosen.places])
    return Members(images, chosen.left, chosen.refused)


def _loaded(reading: Reading, wanted: Sequence[str]) -> tuple[Folder, Parts]:
    """Return a folder with the pixels of these parts, and its images split into all three."""

    def decode(found: bytes) -> "tuple[Look, Tensor]":
        return examine(found, reading.resolution, reading.channels, reading.pixel_range)

    folder = _look_through(Path(reading.directory), decode, wanted)
    if unknown := _unknown_range(folder, reading.pixel_range):
        raise DataError(unknown)
    return folder, split(folder)


def _look_through(
    root: Path,
    decode: "Callable[[bytes], tuple[Look, Tensor]] | None" = None,
    wanted: Sequence[str] = (),
) -> Folder:
    """Return what is in a folder; each file is read once.

    With ``decode`` there are the pixels of the ``wanted`` parts, and of all of which they may be.
    """
    layout = lay_out(root)
    known = kept_looks(root)
    left_out = list(layout.left_out)
    candidates: dict[str, list[tuple[Path, int]]] = {}
    for part, place in layout.places.items():
        candidates[part] = []
        for label, name in enumerate(layout.classes):
            for path, reason in _files(place / name):
                if reason:
                    left_out.append(LeftOut(path, reason))
                else:
                    candidates[part].append((path, label))
    decoded = {part for part in candidates if part in wanted}
    if any(part not in candidates for part in wanted):
        decoded.add("train")

    def read(path: Path, part: str) -> _Read:
        found = content(path)
        sha256 = hashlib.sha256(found).hexdigest()
        if decode is not None and part in decoded:
            return _Read(sha256, *decode(found))
        return _Read(sha256, known.get(sha256) or look_at(found), None)

    every = [(path, part) for part, files in candidates.items() for path, _ in files]
    made, reasons, problems = _each(every, read)
    left_out += [LeftOut(path, reason) for path, reason in reasons.items()]
    _refuse(len(every) - len(reasons), problems)
    given = {
        part: [File(path, label, made[path].sha256) for path, label in files if path in made]
        for part, files in candidates.items()
    }
    given, twice = _apart(layout, given)
    _check_filled(layout, given)
    return Folder(
        layout,
        given,
        {one.sha256: one.look for one in made.values()},
        {one.sha256: one.pixels for one in made.values() if one.pixels is not None},
        (*left_out, *twice),
    )


def _files(place: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files anywhere below a folder, sorted, with "" beside them.

    What is hidden, or was there before in a circle of links, comes with the reason beside it.
    """
    found: list[tuple[Path, str]] = []
    seen: set[tuple[int, int]] = set()
    waiting = [place]
    while waiting:
        folder = waiting.pop()
        with faults(folder):
            known = folder.stat()
            if (known.st_dev, known.st_ino) in seen:
                found.append((folder, "a link to a folder that is there already"))
                continue
            seen.add((known.st_dev, known.st_ino))
            for path in folder.iterdir():
                if path.name[0] == ".":
                    found.append((path, "hidden"))
                elif path.is_dir():
                    waiting.append(path)
                else:
                    found.append((path, ""))
    yield from sorted(found)


def files_below(place: Path) -> Iterator[tuple[Path, str]]:
    """Yield what is below a folder at any depth, sorted, with why it is no image; "" if it is."""
    for path, reason in _files(place):
        yield path, reason or _why_not(path)


def _why_not(path: Path) -> str:
    """Return why a file isn't read as an image, from its name and its beginning; else ""."""
    if not path.is_file():
        return "" if path.suffix.lower() in EXTENSIONS else "no image"
    with faults(path), path.open("rb") as file:
        return why_not(path, file.read(HEAD))


def _each(
    files: Sequence[tuple[Path, str]], read: Callable[[Path, str], _Read]
) -> tuple[dict[Path, _Read], dict[Path, str], dict[Path, str]]:
    """Return what is in files, why others are left out, and what is wrong with yet others.

    A file that is damaged is wrong if its name says that it is an image, else it is left out.
    """
    made: dict[Path, _Read] = {}
    reasons: dict[Path, str] = {}
    problems: dict[Path, str] = {}

    def one(path: Path, part: str) -> None:
        try:
            if reason := _why_not(path):
                reasons[path] = reason
                return
            with faults(path):
                made[path] = read(path, part)
        except DataError as error:
            if path.suffix.lower() in EXTENSIONS or isinstance(error.__cause__, OSError):
                problems[path] = str(error)
            else:
                reasons[path] = "no image, though it begins like one"

    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))
    try:
        with quiet():
            list(pool.map(one, *zip(*files, strict=True)) if files else ())
    finally:
        pool.shutdown(cancel_futures=True)
    return made, reasons, problems


def _refuse(total: int, problems: Mapping[Path, str]) -> None:
    if problems:
        raise DataError(
            f"{len(problems)} of {total:,} images can't be used: "
            f"{listed(problems[path] for path in sorted(problems))}; repair or remove each of them"
        )


def _apart(layout: Layout, given: Parts) -> tuple[dict[str, list[File]], list[LeftOut]]:
    """Return parts without what is in another one too: the test keeps it, else validation."""
    parts: dict[str, list[File]] = {}
    left_out = []
    place_of: dict[str, str] = {}
    for part in reversed(PARTS):  # the test first
        if part not in given:
            continue
        for file in given[part]:
            if file.sha256 in place_of:
                where = f"in {shown(place_of[file.sha256])} too, which keeps it"
                left_out.append(LeftOut(file.path, where))
        parts[part] = [file for file in given[part] if file.sha256 not in place_of]
        place_of |= {file.sha256: layout.places[part].name for file in parts[part]}
    return parts, left_out


def _check_filled(layout: Layout, given: Parts) -> None:
    empty = [
        shown(layout.places[part] / name)
        for part, files in given.items()
        for label, name in enumerate(layout.classes)
        if not any(file.label == label for file in files)
    ]
    if empty:
        endings = ", ".join(ending[1:] for ending in EXTENSIONS)
        raise DataError(
            f"there is no image ({endings}) of its own in {listed(empty)}; "
            "fill or remove each of them"
        )


def split(folder: Folder) -> Parts:
    """Return the images of each part; those without a folder are held out of train's.

    In each class the different contents with the smallest digests go to the test, the next to
    validation. A content that is in several classes, or several times in one, stays in one part.

    Raises DataError that names every class that hasn't an image of its own for each part.
    """
    missing = [part for part in ("test", "val") if part not in folder.given]
    if not missing:
        return folder.given
    own: list[set[str]] = [set() for _ in folder.layout.classes]
    for file in folder.given["train"]:
        own[file.label].add(file.sha256)
    layout = folder.layout
    part_of = by_content(layout.classes, own, missing, shown(layout.root))
    parts = {part: files for part, files in folder.given.items() if part != "train"}
    for part in ("train", *missing):
        parts[part] = [file for file in folder.given["train"] if part_of[file.sha256] == part]
    return parts


def _digest(folder: Folder, parts: Parts, pixel_range: PixelRange | None) -> str:
    """Return the digest of names, contents and the split, and of how values become 8 bits."""
    root = folder.layout.root
    files = [
        (part, file.label, str(file.path.relative_to(root)), file.sha256)
        for part in sorted(parts)
        for file in parts[part]
    ]
    told: list[object] = [SPLIT_VERSION, folder.layout.classes, files]
    readings = {
        file.sha256: reading
        for some in parts.values()
        for file in some
        if (depth := folder.looks[file.sha256].depth) and (reading := depth.reading(pixel_range))
    }
    if readings:
        told.append(sorted(readings.items()))
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _looks(folder: Folder) -> list[Look]:
    """What the images of all parts are, each content once."""
    used = {file.sha256 for files in folder.given.values() for file in files}
    return [look for sha256, look in folder.looks.items() if sha256 in used]


def _unknown_range(folder: Folder, pixel_range: PixelRange | None) -> str:
    """Why images of more than 8 bits can't be read, as one sentence; "" if they can."""
    deep = {sha256 for sha256, look in folder.looks.items() if look.depth is not None}
    depths = [look.depth for look in _looks(folder) if look.depth is not None]
    if not (why := unknown_range(depths, pixel_range)):
        return ""
    files = [file for some in folder.given.values() for file in some if file.sha256 in deep]
    total = sum(len(some) for some in folder.given.values())
    first = min(file.path for file in files)
    return f"{len(files)} of {total:,} images, such as {shown(first)}, have {why}"


def _effective(looks: Iterable[Look], asked: PixelRange | None) -> PixelRange | None:
    """The range by which images of more than 8 bits are read that don't say it, if any."""
    unsaid = [look.depth for look in looks if look.depth and look.depth.declared is None]
    return asked or (unsaid[0].range(None) if unsaid else None)


def _images(folder: Folder, files: Sequence[File]) -> "Images":
    """Return the pixels of files, which were read with the folder."""
    import torch

    from nas.datasets.images import Images

    pixels = [folder.pixels[file.sha256] for file in files]
    labels = torch.tensor([file.label for file in files], dtype=torch.int64)
    return Images(torch.stack(pixels) if pixels else torch.empty(0, dtype=torch.uint8), labels)
