"""The images of a model's data set, or of another one with its classes, for the commands."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nas.datasets.found import DataError, PixelRange, listed, shown, told_apart
from nas.datasets.membership import Membership
from nas.model.classifier import Pixels
from nas.model.metadata import Metadata
from nas.seeds import derive

if TYPE_CHECKING:
    from nas.datasets import Found, Images

RANDOM = 512
"""Images that stand in where a model's own aren't there."""

WORDS = {"train": "training", "val": "validation", "test": "test"}
"""What the parts are called: a model is calibrated on the first and measured on the others."""


class Where(NamedTuple):
    """Where a model's images are, as it was asked for; None is as the model says."""

    dataset: str | None = None
    data_dir: Path | None = None
    pixel_range: PixelRange | None = None


class Measured(NamedTuple):
    """Images that a model was not trained on, and lines on those that it is not measured on."""

    images: "Images"
    notes: tuple[str, ...]


def find_images(known: Metadata, where: Where) -> "Found":
    """Where the images are; ValueError if they aren't there, or show other classes."""
    from nas.datasets import find
    from nas.datasets.sources import is_folder

    name = known.dataset if where.dataset is None else where.dataset
    of_model = known.pixel_range if is_folder(name) else None
    try:
        found = find(name, where.data_dir, where.pixel_range or of_model)
    except DataError as error:
        if where.dataset is None and is_folder(name):
            raise DataError(f"{error}; --dataset folder:PATH says where they are now") from None
        raise
    if found.classes != known.classes:
        names = told_apart([*found.classes, *known.classes])
        raise ValueError(
            f"the data set {found.name} shows {listed(names[name] for name in found.classes)}, the "
            f"model knows {listed(names[name] for name in known.classes)}; name a --dataset with "
            "the model's classes, in their order"
        )
    return found


def say(lines: Iterable[str], quiet: bool) -> None:
    """Print what was found, on standard error, before work on it begins."""
    if not quiet:
        for line in lines:
            print(line, file=sys.stderr)


def read_part(found: "Found", known: Metadata, part: str) -> Measured:
    """The images of the part train, val or test as the model takes them, none of another part.

    Which files a model was trained on is kept with it, so that what is held out now, after files
    have come or gone, is not taken for what was held out then. ValueError where nothing is left.
    """
    from nas.datasets.sources import is_own

    if part == "val":
        _check_held_out(found, known)
    if found.digest == known.data:
        return Measured(_whole_part(found, known, part), ())
    if not is_own(found.name):
        if found.name == known.dataset and part == "val":
            raise ValueError(
                f"the validation images of {found.name} are others than when the model was "
                "trained, which may have seen them; leave out --validation"
            )
        return Measured(_whole_part(found, known, part), _other(found, known))
    kept = Membership.from_text(known.membership)
    if kept:
        return _own_part(found, known, kept, part)
    if found.name == known.dataset:
        raise ValueError(
            f"the images in {shown(found.directory)} have changed since the model was trained, and "
            f"which of them it was trained on isn't kept with it, so that its {WORDS[part]} "
            "accuracy can't be known; bring the original files back, or name other images with "
            "--dataset"
        )
    note = (
        "note: which files this model was trained on isn't kept with it, as it was made by an "
        "older version; if any of them are among these images, the accuracy is too high"
    )
    return Measured(_whole_part(found, known, part), (*_other(found, known), note))


def _check_held_out(found: "Found", known: Metadata) -> None:
    """ValueError where the model was trained on its validation images, and they are asked for."""
    kept = Membership.from_text(known.membership)
    own = kept.part("val") & found.membership.part("val")
    if not known.held_out and (found.digest == known.data or found.name == known.dataset or own):
        raise ValueError(
            "--validation: the model was trained on its validation images too, so they say nothing "
            "of it; train with --validate, or leave out --validation"
        )


def _whole_part(found: "Found", known: Metadata, part: str) -> "Images":
    from nas.datasets import load, load_test

    reading = found.reading(known.resolution, known.channels)
    if part == "test":
        return load_test(reading, found.digest)
    return load(reading).validation if part == "val" else load(reading).train


def _own_part(found: "Found", known: Metadata, kept: Membership, part: str) -> Measured:
    """The images of a folder that has changed, or is another one, that were not trained on."""
    from nas.datasets import load_members

    images, left, refused = load_members(
        found.reading(known.resolution, known.channels), kept, part
    )
    before, words = len(kept.part(part)), WORDS[part]
    not_used = f"{refused:,} images in its {words} part were in another one then, and aren't used"
    if not len(images):
        raise ValueError(
            f"{shown(found.directory)} has no {words} image that the model was not trained on: "
            f"none of its {before:,} is left, and {not_used}; bring them back, or name images "
            "that it has not seen with --dataset"
        )
    notes = [*_other(found, known)]
    new = len(images) - left
    notes.append(
        f"note: {left:,} of the model's {before:,} {words} images are left, {new:,} are new to it"
    )
    return Measured(images, (*notes, f"note: {not_used}") if refused else tuple(notes))


def _other(found: "Found", known: Metadata) -> tuple[str, ...]:
    if found.digest == known.data:
        return ()
    return (
        f"note: the images of {found.name} or their split aren't those that the model was "
        "trained with",
    )


def random_images(known: Metadata) -> Pixels:
    """Noise, uint8 [RANDOM, C, R, R], always the same."""
    generator = np.random.default_rng(derive(0, "random images"))
    return generator.integers(0, 256, (RANDOM, *known.image), np.uint8)
