"""STAND-IN until the branch `data` is merged: one image file as a network takes it."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nas.datasets import DataError


def read_image(path: Path, resolution: int, channels: int) -> Tensor:
    """The image as uint8 [C, R, R]; DataError for what can't be read."""
    try:
        with Image.open(path) as image:
            shown = image.convert("L" if channels == 1 else "RGB").resize((resolution, resolution))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is no image that can be read: {error}") from None
    pixels = np.asarray(shown).reshape(resolution, resolution, channels)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())
