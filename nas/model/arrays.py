"""Images that a caller has in memory, as a model takes them."""

from typing import Any

import numpy as np

from nas.datasets.in_memory import every_image, resized
from nas.model.classifier import Pixels
from nas.model.metadata import Metadata


def pixels_of(images: Any, known: Metadata) -> Pixels:
    """Uint8 [N, C, R, R] of an array, a tensor or a PIL image, or of a list of them.

    As with image files, the square in the middle is taken and resized, and colour becomes gray
    where the model takes gray images. An axis that is 1 or 3 long holds channels, the last one if
    several might. ValueError where that can't be.
    """
    size, channels = known.resolution, known.channels
    parts = [resized(one, size, channels) for one in every_image(images)]
    return np.concatenate([np.empty((0, *known.image), np.uint8), *parts])
