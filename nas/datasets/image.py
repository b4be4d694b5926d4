"""One image file read as a network sees it: upright, square, gray or in colour, uint8."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from nas.datasets.found import DataError, shown

if TYPE_CHECKING:
    from torch import Tensor

EXTENSIONS = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm"),
)
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""What a file may hold, whatever its extension: Pillow knows others that run programs."""

MOST_PIXELS = 100_000_000
MOST_BYTES = 1 << 30
GRAY = ("1", "L", "LA", "La", "I")
"""Modes without colour, beside those of 16 bits."""


class _UnusableError(ValueError):
    """What is wrong with an image that Pillow has no objection to."""


def read_image(path: Path, resolution: int, channels: int) -> "Tensor":
    """Return the image in a file as uint8 [channels, resolution, resolution].

    It is turned as its EXIF data say, laid on white where it is transparent, and cut to the square
    in its middle; of several frames the first is taken. Gray is ITU-R 601's, 16 bits become 8.

    Raises DataError with the path if it is no image, is damaged, or has too many pixels.
    """
    with faults(path), quiet():
        return decode(content(path), resolution, channels)


def content(path: Path) -> bytes:
    """Return what is in a file; ValueError, as what follows its name, if it can't be an image."""
    if not path.is_file():
        raise ValueError("isn't a file" if path.exists() else "isn't there")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"has over {MOST_BYTES:,} bytes")
    found = path.read_bytes()
    if not found:
        raise ValueError("is empty")
    return found


def decode(content: bytes, resolution: int, channels: int) -> "Tensor":
    """Do the work of `read_image` on a file's content; ValueError says what is wrong with it."""
    import torch

    from nas.datasets.arrays import resize

    with _opened(content) as image:
        square = _in_channels(_square(image), channels)
        pixels = torch.from_numpy(np.array(square).reshape(*square.size, channels))
    pixels = pixels.permute(2, 0, 1)  # not contiguous: resizing is twice as fast so
    if pixels.shape[1] != resolution:
        pixels = resize(pixels[None], resolution)[0]
    return pixels.contiguous()


def is_gray(content: bytes) -> bool:
    """Return whether an image has a mode without colour; it is decoded to see that it can be.

    A palette counts as colour, and so does colour of which all is gray.
    """
    with _opened(content) as image:
        _in_channels(_square(image), 1)
        return image.mode in GRAY or image.mode.startswith("I;16")


@contextlib.contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """The first frame, decoded; its size is known from the header, before memory is taken."""
    most = f"{MOST_PIXELS:,} pixels are the most"
    Image.init()  # or the formats would not all be known
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _UnusableError(f"has {image.width:,} x {image.height:,} pixels; {most}")
            image.load()
            yield image
    except _UnusableError:
        raise
    except UnidentifiedImageError:
        raise ValueError("is no image") from None
    except Image.DecompressionBombError:
        raise ValueError(f"has too many pixels; {most}") from None
    except Exception as error:  # decoders raise whatever they stumble upon
        raise ValueError(f"can't be decoded: {error}") from error


def _square(image: Image.Image) -> Image.Image:
    """Return its middle, upright."""
    image = ImageOps.exif_transpose(image)
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side))


def _in_channels(image: Image.Image, channels: int) -> Image.Image:
    """Return it in mode L or RGB."""
    if image.mode == "F":
        raise _UnusableError(
            "has floating-point pixels, of unknown range; save it with 8 or 16 bits"
        )
    if image.mode.startswith("I"):
        high = np.clip(np.asarray(image), 0, 0xFFFF) >> 8
        image = Image.fromarray(high.astype(np.uint8))
    elif image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white.convert("RGB")
    return image.convert("L" if channels == 1 else "RGB")


@contextlib.contextmanager
def faults(path: Path) -> Iterator[None]:
    """Raise what is wrong with a file as DataError with its path."""
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{shown(path)} can't be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{shown(path)} {error}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's warnings: what it can't read is an error, the rest is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
