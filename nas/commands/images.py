"""The images of a model's data set, or of another one with its classes, for the commands."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.classifier import Facts, Pixels
from nas.seeds import derive

if TYPE_CHECKING:
    from nas.datasets import Dataset, Found, Images

RANDOM = 512
"""Images that stand in where a model's own aren't there."""


def find_images(known: Facts, dataset: str | None, data_dir: Path | None) -> "Found":
    """Where the images are; ValueError if they aren't there, or show other classes."""
    from nas.datasets import find

    found = find(known.dataset if dataset is None else dataset, data_dir)
    if found.classes != known.classes:
        raise ValueError(
            f"the data set {found.name} shows {_listed(found.classes)}, the model knows "
            f"{_listed(known.classes)}; name a --dataset with the model's classes, in their order"
        )
    return found


def read_test(found: "Found", known: Facts) -> "Images":
    """The test images as the model takes them."""
    from nas.datasets import load_test

    return load_test(found.name, found.directory, known.resolution, known.channels)


def read_splits(found: "Found", known: Facts) -> "Dataset":
    """The training and validation images as the model takes them.

    Where they aren't the ones that the model was trained with, that is said on standard error.
    """
    from nas.datasets import load

    if found.digest != known.data:
        print(
            f"note: the images of {found.name} or their split aren't those that the model was "
            "trained with",
            file=sys.stderr,
        )
    return load(found.name, found.directory, known.resolution, known.channels)


def random_images(known: Facts) -> Pixels:
    """Noise, uint8 [RANDOM, C, R, R], always the same."""
    generator = np.random.default_rng(derive(0, "random images"))
    return generator.integers(0, 256, (RANDOM, *known.image), np.uint8)


def _listed(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:20]) + (f" and {len(classes) - 20} more" if classes[20:] else "")
