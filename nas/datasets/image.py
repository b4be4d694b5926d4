"""One image file read as a network sees it: upright, square, gray or in colour, uint8."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from nas.datasets.depth import Depth, deep, unknown_range
from nas.datasets.found import DataError, PixelRange, shown

if TYPE_CHECKING:
    from torch import Tensor

EXTENSIONS = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".dib", ".gif", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".j2k", ".jpx", ".qoi"),
)
"""Of names that say that a file is an image; others are read too where their content is one."""

FORMATS = (
    *("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000", "QOI"),
    *("PCX", "SGI"),
)
"""What a file may hold, whatever its extension: Pillow knows others that run programs."""

RAW = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw")
"""A camera's own files: as TIFF they hold a small preview, which isn't the image."""

HEAD = 4096
"""Bytes by which a file is recognized."""

MOST_PIXELS = 100_000_000
MOST_BYTES = 1 << 30
GRAY = ("1", "L", "LA", "La", "I", "F")
"""Modes without colour, beside those of 16 bits."""


class _UnusableError(ValueError):
    """What is wrong with an image that Pillow has no objection to."""


class Look(NamedTuple):
    """What an image file is: Pillow's format and mode, its size, and its depth beyond 8 bits.

    ``gray``: its mode is one without colour. A palette counts as colour, and so does colour of
    which all is gray.
    """

    format: str
    mode: str
    width: int
    height: int
    gray: bool
    depth: Depth | None


def read_image(
    path: Path, resolution: int, channels: int, pixel_range: PixelRange | None = None
) -> "Tensor":
    """Return the image in a file as uint8 [channels, resolution, resolution].

    It is turned as its EXIF data say, laid on white where it is transparent, and cut to the square
    in its middle; of several frames the first is taken. Gray is ITU-R 601's. More than 8 bits
    become 8, from the range that is given, or that the file says.

    Raises DataError with the path if it is no image, is damaged, has too many pixels, or has values
    of unknown range.
    """
    return read_and_look(path, resolution, channels, pixel_range)[0]


def read_and_look(
    path: Path, resolution: int, channels: int, pixel_range: PixelRange | None = None
) -> "tuple[Tensor, Look]":
    """Return what `read_image` does, and what the image is."""
    with faults(path), quiet():
        found = content(path)
        if reason := why_not(path, found[:HEAD]):
            raise ValueError(f"is {reason}")
        look, pixels = examine(found, resolution, channels, pixel_range)
        if look.depth and (unknown := unknown_range([look.depth], pixel_range)):
            raise ValueError(f"has {unknown}")
        return pixels, look


def why_not(path: Path, head: bytes) -> str:
    """Return why a file that begins so isn't read as an image: what it is; "" where it is read."""
    way_out = "which isn't read; convert it to PNG or JPEG"
    if path.suffix.lower() in RAW:
        return f"a camera's raw file, {way_out}"
    if kind := next((kind for kind, known in OTHERS.items() if known(head)), ""):
        return f"{kind}, {way_out}"
    if path.suffix.lower() in EXTENSIONS or _known_to_pillow(head):
        return ""
    return "no image"


def _known_to_pillow(head: bytes) -> bool:
    accepting = (Image.OPEN[name][1] for name in _formats())
    return any(accept(head[:16].ljust(16, b"\0")) for accept in accepting if accept)


def _formats() -> list[str]:
    """Those of FORMATS that this version of Pillow has."""
    Image.init()  # or not all of them would be known
    return [name for name in FORMATS if name in Image.OPEN]


def _is_heic(head: bytes) -> bool:
    size = int.from_bytes(head[:4], "big")
    brands = {head[start : start + 4] for start in range(8, min(size, len(head)), 4)}
    heic = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"}
    return head[4:8] == b"ftyp" and bool(brands & heic) and not brands & {b"avif", b"avis"}


OTHERS: dict[str, Callable[[bytes], bool]] = {
    "HEIC": _is_heic,
    "JPEG XL": lambda head: head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")),
    "JPEG XR": lambda head: head.startswith(b"II\xbc\x01"),
    "SVG": lambda head: head.lstrip()[:1] == b"<" and b"<svg" in head,
    "PDF": lambda head: head.startswith(b"%PDF-"),
    "PostScript": lambda head: head.startswith((b"%!PS", b"\xc5\xd0\xd3\xc6")),
    "PSD": lambda head: head.startswith(b"8BPS"),
    "DICOM": lambda head: head[128:132] == b"DICM",
    "FITS": lambda head: head.startswith(b"SIMPLE  ="),
    "ICO": lambda head: head.startswith((b"\0\0\1\0", b"\0\0\2\0")),
}
"""Images that aren't read, and how their files begin."""


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


def examine(
    content: bytes, resolution: int, channels: int, pixel_range: PixelRange | None
) -> "tuple[Look, Tensor]":
    """Do the work of `read_image` on a file's content; ValueError says what is wrong with it.

    Whether the range of its values is known is left to who has all images that belong together.
    """
    import torch

    from nas.datasets.arrays import resize

    with _opened(content) as image:
        look, flat = _flat(image, content, pixel_range)
        square = _in_channels(_square(flat), channels)
        pixels = torch.from_numpy(np.array(square).reshape(*square.size, channels))
    pixels = pixels.permute(2, 0, 1)  # not contiguous: resizing is twice as fast so
    if pixels.shape[1] != resolution:
        pixels = resize(pixels[None], resolution)[0]
    return look, pixels.contiguous()


def look_at(content: bytes) -> Look:
    """Return what an image is; it is decoded to see that it can be."""
    with _opened(content) as image:
        look, flat = _flat(image, content, None)
        _in_channels(_square(flat), 1)
        return look


def _flat(
    image: Image.Image, content: bytes, pixel_range: PixelRange | None
) -> tuple[Look, Image.Image]:
    """Return what an image is, and itself in 8 bits."""
    found = deep(image, content)
    gray = image.mode in GRAY or image.mode.startswith("I;16")
    depth = found.depth if found else None
    look = Look(image.format or "", image.mode, image.width, image.height, gray, depth)
    return look, image if found is None else found.in_8_bits(pixel_range)


@contextlib.contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """The first frame, decoded; its size is known from the header, before memory is taken."""
    most = f"{MOST_PIXELS:,} pixels are the most"
    try:
        with Image.open(io.BytesIO(content), formats=_formats()) as image:
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
    """Return the middle square of an image, turned upright as its EXIF data says."""
    image = ImageOps.exif_transpose(image)
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side))


def _in_channels(image: Image.Image, channels: int) -> Image.Image:
    """Return an image in mode L (1 channel) or RGB (3 channels)."""
    if image.has_transparency_data:
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
