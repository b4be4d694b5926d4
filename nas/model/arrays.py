"""Images that a caller has in memory, as a model takes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nas.model.classifier import Pixels
from nas.model.metadata import Metadata

RULE = (
    "give uint8 values 0 to 255 as [H, W], [H, W, C], [N, H, W], [N, H, W, C] or [N, C, H, W], "
    "where C is 1 or 3"
)


def pixels_of(images: Any, known: Metadata) -> Pixels:
    """Uint8 [N, C, R, R] of an array, a tensor or a PIL image, or of a list of them.

    As with image files, the square in the middle is taken and resized, and colour becomes gray
    where the model takes gray images. An axis that is 1 or 3 long holds channels, the last one if
    several might. ValueError where that can't be.
    """
    if isinstance(images, Sequence):
        parts = [pixels_of(one, known) for one in images]
        return np.concatenate([np.empty((0, *known.image), np.uint8), *parts])
    if isinstance(images, Image.Image) and images.mode not in ("L", "RGB"):
        images = images.convert("RGB")
    return _resized(_square(_in_order(np.asarray(images))), known)


def _in_order(found: npt.NDArray[Any]) -> Pixels:
    """The array as uint8 [N, C, H, W]; ValueError where it isn't one."""
    given = f"images are {found.dtype} {list(found.shape)}"
    if found.dtype != np.uint8:
        raise ValueError(f"{given}; {RULE}")
    if found.ndim == 2:
        found = found[None, None]
    elif found.ndim == 3:
        found = found.transpose(2, 0, 1)[None] if _channels(found, 2) else found[:, None]
    elif found.ndim == 4 and _channels(found, 3):
        found = found.transpose(0, 3, 1, 2)
    if found.ndim != 4 or not _channels(found, 1) or 0 in found.shape[2:]:
        raise ValueError(f"{given}; {RULE}")
    return found


def _channels(found: npt.NDArray[Any], axis: int) -> bool:
    return found.shape[axis] in (1, 3)


def _square(found: Pixels) -> Pixels:
    """The middle of images [N, C, H, W]."""
    height, width = found.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return found[:, :, top : top + side, left : left + side]


def _resized(found: Pixels, known: Metadata) -> Pixels:
    from nas.datasets.arrays import images
    from nas.datasets.formats import Arrays

    arrays = Arrays(np.ascontiguousarray(found), np.zeros(len(found), np.uint8))
    every = np.arange(len(found))
    read: Pixels = images(arrays, every, known.resolution, known.channels).pixels.numpy()
    return read
