"""keep_images(): images in memory as a data set that studies, trainings and commands take."""

from collections.abc import Sequence
from typing import Any


def keep_images(
    images: Any,
    labels: Any = None,
    *,
    classes: Sequence[str] | None = None,
    test: Any = None,
    size: int | None = None,
) -> str:
    """Keep images that are in memory, and return the name that ``dataset`` takes everywhere.

    They are written as one file into the user's cache, since workers are other processes and a
    study goes on tomorrow. Its name has the digest of all bytes: the same images have the same
    name, and other images another one. `nas run --dataset` takes it too.

    images: uint8 or fractions of 0 to 1, an array or tensor [N, H, W], [N, H, W, C] or [N, C, H, W]
        of 1 or 3 channels, or a list of such images or PIL images, of which the square in the
        middle is taken. Without ``labels`` a pair of both, or a data set as torchvision and Hugging
        Face have them: with a length, its items an image and its label, or a dictionary of both.
    labels: [N], whole numbers or names.
    classes: the names that whole numbers count from 0; by default the data set's own, or the labels
        themselves.
    test: images for the test, a pair or a data set likewise; by default a sixth of each class is
        held out for it. A sixth is held out for validation. Equal images are in one part.
    size: the side, in pixels, to which images of different sizes are resized.

    Raises ValueError that says what can't be used; nothing is written then.
    """
    from nas.datasets.kept import keep

    return keep(images, labels, classes=classes, test=test, size=size)
