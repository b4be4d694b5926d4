"""How a folder of images is laid out: its splits, its classes, and the files that are in them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nas.datasets.found import DataError, listed, shown, told_apart
from nas.datasets.image import EXTENSIONS, Look, faults

if TYPE_CHECKING:
    from torch import Tensor

PARTS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "validate", "dev", "development"),
    "test": ("test", "testing", "tst"),
}
"""What the folder of each part may be called, in letters of any size."""

FILLING = ("set", "data", "dataset", "images", "image", "imgs", "img", "split", "part", "files")
"""Words of a folder's name that say nothing of what is in it."""


class LeftOut(NamedTuple):
    """A file that is not used, or a folder with all that is in it, and the reason."""

    path: Path
    reason: str


class Layout(NamedTuple):
    """Where the classes of each part are: ``places`` has train, and val and test if they are there.

    ``left_out`` are the folders and files that lie beside the splits or beside the classes.
    """

    root: Path
    classes: tuple[str, ...]
    places: Mapping[str, Path]
    left_out: tuple[LeftOut, ...]


class File(NamedTuple):
    """An image: its path, its class as a number, and the SHA-256 of its content."""

    path: Path
    label: int
    sha256: str


Parts = Mapping[str, Sequence[File]]
"""The images of train, val and test."""


class Folder(NamedTuple):
    """What is in a folder: ``given`` are the images of the parts that it has folders for.

    ``looks`` is what each image is, by its SHA-256; ``pixels`` those that were asked for, likewise.
    """

    layout: Layout
    given: Parts
    looks: Mapping[str, Look]
    pixels: "Mapping[str, Tensor]"
    left_out: tuple[LeftOut, ...]


class _Named(NamedTuple):
    """What a folder's name says: the parts that it names, and its other words."""

    parts: tuple[str, ...]
    rest: tuple[str, ...]


def lay_out(root: Path) -> Layout:
    """Return where the parts and classes of a folder are.

    Raises DataError if it isn't a folder, if there aren't two classes, if parts have different
    classes, or if a folder looks like a split and can't be one.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else "isn't there"
        raise DataError(
            f"{shown(root)} {what}; give a folder that has one folder a class, "
            "or, if it was moved, its new place"
        )
    places = _places(root)
    classes = tuple(folders(places["train"]))
    if not classes:
        raise DataError(f"{shown(root)} has no folders; it needs one for each class of images")
    if len(classes) == 1:
        inside = folders(places["train"] / classes[0])
        hint = f", or give the folder {shown(places['train'] / classes[0])}" if inside else ""
        raise DataError(
            f"{shown(root)} has one class alone, {shown(classes[0])}; it needs two{hint}"
        )
    for place in places.values():
        there = folders(place)
        if unlike := sorted(set(classes) ^ set(there)):
            names = told_apart([*classes, *there])
            raise DataError(
                f"{shown(places['train'])} and {shown(place)} must have the same classes; only one "
                f"has {listed(names[name] for name in unlike)}; rename, fill or remove these "
                "folders until both have all of them"
            )
    return Layout(root, classes, places, tuple(_beside(root, places)))


def folders(place: Path) -> list[str]:
    """Return the names of the folders in one, but for hidden ones, sorted."""
    with faults(place):
        return sorted(p.name for p in place.iterdir() if p.name[0] != "." and p.is_dir())


def _beside(root: Path, places: Mapping[str, Path]) -> Iterable[LeftOut]:
    """What lies beside the splits, and in a split beside its classes."""
    used = set(places.values())
    above = {root, *used}
    for folder in sorted(above):
        with faults(folder):
            inside = sorted(folder.iterdir())
        for path in inside:
            if path in used or (folder in used and path.name[0] != "." and path.is_dir()):
                continue
            if path.name[0] == ".":
                yield LeftOut(path, "hidden")
            elif path.is_dir():
                yield LeftOut(path, "beside the splits")
            else:
                yield LeftOut(path, "beside the folders of classes")


def _places(root: Path) -> dict[str, Path]:
    """Return where each part's classes are; all in the root, unless its folders are splits."""
    top = folders(root)
    named = {name: found for name in top if (found := _named(name)).parts}
    inside = {name: folders(root / name) for name in top}
    nested = [name for name in named if inside[name]]
    if not nested:
        if len(named) == len(top) > 1:
            raise DataError(
                f"the folders {_taken(named)} of {shown(root)} look like splits, but have no "
                "folders of classes; put one folder a class into each"
            )
        return {"train": root}
    if not any("train" in named[name].parts for name in nested):
        return _without_training(root, named, inside)
    places = _parts(root, named)
    others = [name for name in top if root / name not in places.values()]
    if len(places) == 1 and any(inside[name] or _has_images(root / name) for name in others):
        raise DataError(
            f"{shown(places['train'])} looks like the split for training, but {_names(others)} "
            f"beside it is neither val nor test; give folder:{places['train']} to use it alone, "
            "rename it if it is a class, or move the others away"
        )
    for name in set(top) - set(named):
        if common := sorted(set(inside[name]) & set(folders(places["train"]))):
            raise DataError(
                f"{shown(root / name)} has classes of {shown(places['train'])} "
                f"({_names(common)}), but its name is that of no split; rename it to train, val or "
                "test, or move it away"
            )
    return places


def _without_training(
    root: Path, named: Mapping[str, _Named], inside: Mapping[str, list[str]]
) -> dict[str, Path]:
    """Return the root where its folders are classes all the same, one of them called test, say."""
    for name in named:
        alike = [
            other for other in inside if other != name and set(inside[other]) & set(inside[name])
        ]
        if alike or len(named) == len(inside):
            raise DataError(
                f"the folders {_taken(named)} of {shown(root)} look like splits, but none with "
                "folders of classes is for training; name the one with the training images train"
            )
    return {"train": root}


def _parts(root: Path, named: Mapping[str, _Named]) -> dict[str, Path]:
    """Return the folder of each part; DataError where two want to be one, or one to be two."""
    for name, found in named.items():
        if len(found.parts) > 1:
            raise DataError(
                f"{shown(root / name)} looks like the splits {' and '.join(found.parts)} at once; "
                "rename it to one of train, val and test, or move it away"
            )
    places: dict[str, Path] = {}
    for part in PARTS:
        there = [name for name, found in named.items() if found.parts == (part,)]
        if len(there) > 1:
            raise DataError(
                f"{shown(root)} has both {' and '.join(there)}; leave one of them, the {part} part"
            )
        if there:
            places[part] = root / there[0]
    rests = {named[place.name].rest for place in places.values()}
    if len(rests) > 1:
        raise DataError(
            f"the folders {_taken(named)} of {shown(root)} look like splits, but their names are "
            "not made alike; rename them to train, val and test, or move away what isn't one"
        )
    return places


def _named(name: str) -> _Named:
    """What the name of a folder says of a split: ``seg_Train-set`` is train, with the word seg."""
    plain = unicodedata.normalize("NFKC", name)
    words = re.findall(r"\d+|[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain))
    parts, rest = [], []
    for word in map(str.casefold, words):
        part = next((part for part, names in PARTS.items() if _is_one(word, names)), None)
        if part is not None:
            parts.append(part)
        elif word not in FILLING:
            rest.append(word)
    if not parts and (both := re.fullmatch(r"train(val|test)", plain.casefold())):
        parts = ["train", both[1]]
    return _Named(tuple(dict.fromkeys(parts)), tuple(rest))


def _is_one(word: str, names: Iterable[str]) -> bool:
    return any(
        word == name or (word[: len(name)] == name and word[len(name) :] in FILLING)
        for name in names
    )


def _has_images(folder: Path) -> bool:
    with faults(folder):
        return any(path.suffix.lower() in EXTENSIONS for path in folder.iterdir())


def _taken(named: Mapping[str, _Named]) -> str:
    return ", ".join(f"{shown(name)} ({' and '.join(one.parts)})" for name, one in named.items())


def _names(names: Iterable[str]) -> str:
    return listed(map(shown, names))
