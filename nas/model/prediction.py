"""What a model sees in image files: found in folders, read, and each given its classes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nas.datasets.folder import files_below
from nas.datasets.found import DataError, PixelRange
from nas.datasets.image import Look, read_and_look
from nas.datasets.layout import LeftOut
from nas.datasets.summary import left_out_words, sizes_and_modes
from nas.model.classifier import Classifier, Pixels, Probabilities
from nas.model.images import say
from nas.model.metadata import Metadata
from nas.text import printable
from studies.wording import counted

BATCH = 64


class Prediction(NamedTuple):
    """The most probable classes of an image, with their probabilities, falling.

    ``image`` is its file, or its number among images that lie in memory.
    """

    image: Path | int
    top: tuple[tuple[str, float], ...]


def predict(
    classifier: Classifier,
    paths: Sequence[Path],
    top: int,
    pixel_range: PixelRange | None = None,
    quiet: bool = False,
) -> list[Prediction]:
    """The ``top`` classes of every image in files and folders, in this order.

    Images of more than 8 bits are read by ``pixel_range``, or as those were that the model was
    trained with. What was found is printed before on standard error, unless ``quiet``. ValueError
    that lists all that can't be read, if any can't.
    """
    known = classifier.metadata
    images, words = _find(paths)
    pixels, looks = _read(images, known, pixel_range or known.pixel_range)
    if words:  # there are folders
        say([*words, *sizes_and_modes(looks, pixel_range or known.pixel_range)], quiet)
    found = most_probable(classifier.probabilities(pixels, BATCH), known.classes, top)
    return [one._replace(image=image) for one, image in zip(found, images, strict=True)]


def most_probable(found: Probabilities, classes: Sequence[str], top: int) -> list[Prediction]:
    """The ``top`` classes of each row of probabilities [N, classes], by its number."""
    order = np.argsort(-found, axis=1, kind="stable")[:, :top]
    return [
        Prediction(number, tuple((classes[index], float(said[index])) for index in first))
        for number, (said, first) in enumerate(zip(found, order, strict=True))
    ]


def _find(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files themselves, and the images in folders with all that is below, sorted.

    With them lines on what was found in folders. There a file is an image by its content, or by
    its name; one that is named itself may be called anything.
    """
    images: list[Path] = []
    words: list[str] = []
    for path in paths:
        if not os.path.isdir(path):
            images.append(path)
            continue
        found = list(files_below(path))
        inside = [file for file, reason in found if not reason]
        if not inside:
            why = "; ".join(left_out_words(_left_out(found), path)) or "it is empty"
            raise ValueError(
                f"the folder {printable(path)} has no images ({why}); give one that has, or files"
            )
        words.append(f"{printable(path)}: {counted(len(inside), 'image')}")
        words += left_out_words(_left_out(found), path)
        images += inside
    return images, words


def _left_out(found: Sequence[tuple[Path, str]]) -> list[LeftOut]:
    return [LeftOut(path, reason) for path, reason in found if reason]


def _read(
    images: Sequence[Path], known: Metadata, pixel_range: PixelRange | None
) -> tuple[Pixels, list[Look]]:
    """Uint8 [N, C, R, R], and what each image is; ValueError with all that can't be read."""
    pixels = np.empty((len(images), *known.image), np.uint8)
    looks: list[Look] = []
    problems: list[str] = []
    for number, image in enumerate(images):
        try:
            read, look = read_and_look(image, known.resolution, known.channels, pixel_range)
        except DataError as error:
            problems.append(str(error))
        else:
            pixels[number] = read.numpy()
            looks.append(look)
    if problems:
        raise ValueError(
            f"{len(problems):,} of {len(images):,} images can't be read, so none was looked at: "
            f"{'; '.join(problems)}"
        )
    return pixels, looks
