"""The command `nas predict`: what a model sees in image files."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.text import Text

from nas.classifier import Classifier, Pixels, Probabilities
from nas.commands.tables import new_table

BATCH = 64


class Prediction(NamedTuple):
    """The most probable classes of an image, with their probabilities, falling."""

    image: Path
    top: tuple[tuple[str, float], ...]


def predict(classifier: Classifier, paths: Sequence[Path], top: int) -> list[Prediction]:
    """The ``top`` classes of every image in files and folders, in this order.

    ValueError that lists all that can't be read, if any can't.
    """
    images = list(_images(paths))
    found = _probabilities(classifier, images)
    classes = classifier.facts.classes
    order = np.argsort(-found, axis=1, kind="stable")[:, :top]
    return [
        Prediction(image, tuple((classes[index], float(said[index])) for index in first))
        for image, said, first in zip(images, found, order, strict=True)
    ]


def _images(paths: Sequence[Path]) -> Iterator[Path]:
    """The files themselves, and those of folders with all that is below, sorted.

    In a folder an image has an image's extension; one that is named may be called anything.
    """
    from nas.datasets.image import EXTENSIONS

    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        inside = sorted(
            one for one in path.rglob("*") if one.suffix.lower() in EXTENSIONS and one.is_file()
        )
        if not inside:
            endings = ", ".join(sorted(EXTENSIONS))
            raise ValueError(
                f"the folder {shown(path)} has no images; their names end in {endings}"
            )
        yield from inside


def _probabilities(classifier: Classifier, images: Sequence[Path]) -> Probabilities:
    """Float32 [N, classes]; once an image can't be read, the others are read, but not looked at."""
    from nas.datasets import DataError
    from nas.datasets.image import read_image

    known = classifier.facts
    problems: list[str] = []
    parts: list[Probabilities] = []
    for start in range(0, len(images), BATCH):
        read: list[Pixels] = []
        for image in images[start : start + BATCH]:
            try:
                read.append(read_image(image, known.resolution, known.channels).numpy())
            except DataError as error:
                problems.append(str(error))
        if not problems:
            parts.append(classifier.probabilities(np.stack(read), BATCH))
    if problems:
        raise ValueError(
            f"{len(problems):,} of {len(images):,} images can't be read, so none was looked at: "
            f"{'; '.join(problems)}"
        )
    return np.concatenate(parts)


def print_predictions(predictions: Sequence[Prediction]) -> None:
    """One row an image."""
    table = new_table("Predictions")
    table.add_column("image", overflow="fold")
    for place in range(1, len(predictions[0].top) + 1):
        table.add_column(f"{place}", overflow="fold")
        table.add_column("", justify="right")
    for prediction in predictions:
        cells: list[Text] = []
        for name, probability in prediction.top:
            cells += [Text(name), Text(f"{probability:.1%}")]
        table.add_row(Text(shown(prediction.image)), *cells)
    Console().print(table)


def to_json(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """The same as JSON data."""
    return [
        {
            "image": str(prediction.image),
            "predictions": [
                {"class": name, "probability": probability} for name, probability in prediction.top
            ],
        }
        for prediction in predictions
    ]


def shown(path: Path) -> str:
    """A file's name as a terminal can show it: a name may have any bytes, escapes among them."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
