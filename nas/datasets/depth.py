"""Images of more than 8 bits: the range of their values, and what they are in 8 bits.

A sample of 16 or 32 bits may hold 8, 12 or 16 bits, or a fraction of one; some files say so, most
don't. Read with the wrong range an image is black, or has 16 levels, and nothing would tell.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from nas.datasets.found import PixelRange

PLAIN: PixelRange = (0, 0xFFFF)
"""Of 16 bits that are all in use; the upper 8 are taken then."""

TOP_BIT = 0x8000
"""Where no value is as large, 16 bits were not needed, and what is white is not known."""

BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT, LEAST_SAMPLE, MOST_SAMPLE = 258, 262, 339, 340, 341
"""Tags of TIFF 6.0, sections 8 and 19."""

ORIENTATION = 274
"""Tag of EXIF."""

FLOATING = "floating-point"


class Depth(NamedTuple):
    """What is known of the values of an image of more than 8 bits.

    ``kind`` is 16, 32 or floating-point; ``least`` and ``most`` are the values that it holds;
    ``declared`` its range, where the file says it. ``halved``: of colour in 16 bits, of which only
    the upper 8 could be read. ``transparent``: it says which of its values is transparent;
    ``inverted``: its smallest value is white.
    """

    kind: str
    least: float
    most: float
    declared: PixelRange | None = None
    halved: bool = False
    transparent: bool = False
    inverted: bool = False

    def range(self, asked: PixelRange | None) -> PixelRange:
        """Black and white: as asked, as the file says, or those of all 16 bits."""
        return asked or self.declared or PLAIN

    def reading(self, asked: PixelRange | None) -> str:
        """How its values become 8 bits, where that isn't the plain way; a part of the digest."""
        low, high = self.range(asked)
        words = [f"{low:.17g}:{high:.17g}"] if (low, high) != PLAIN else []
        words += ["transparent"] if self.transparent else []
        return " ".join([*words, *(["inverted"] if self.inverted else [])])


class Deep(NamedTuple):
    """An image of more than 8 bits: its values [H, W] or [H, W, channels], and what is known.

    ``see_through`` [H, W] is where it says that it is transparent, None where it doesn't.
    """

    image: Image.Image
    values: npt.NDArray[Any]
    depth: Depth
    see_through: npt.NDArray[np.bool_] | None = None

    def in_8_bits(self, asked: PixelRange | None) -> Image.Image:
        """The image in a mode of 8 bits, what is transparent laid on white, turned as it was."""
        if self.depth.halved:
            return self.image
        colour = self.values[:, :, :3] if self.values.ndim == 3 else self.values
        made = _scaled(colour, self.depth.range(asked))
        if self.depth.inverted:
            made = 255 - made
        if self.see_through is not None:
            made[self.see_through] = 255
        if self.values.ndim == 3 and self.values.shape[2] == 4:
            made = np.dstack([made, _scaled(self.values[:, :, 3], PLAIN)])
        flat = Image.fromarray(made)
        flat.getexif()[ORIENTATION] = self.image.getexif().get(ORIENTATION, 1)
        return flat


def _scaled(values: npt.NDArray[Any], range: PixelRange) -> npt.NDArray[np.uint8]:
    """Values between black and white as 0..255; of all 16 bits the upper 8, as PNG has it."""
    low, high = range
    if range == PLAIN and values.dtype.kind in "iu":
        upper: npt.NDArray[np.uint8] = (np.clip(values, *PLAIN).astype(np.int64) >> 8).astype(
            np.uint8
        )
        return upper
    known = np.clip(np.nan_to_num(values.astype(np.float64), nan=low), low, high)
    scaled: npt.NDArray[np.uint8] = np.rint((known - low) * (255 / (high - low))).astype(np.uint8)
    return scaled


def deep(image: Image.Image, content: bytes) -> Deep | None:
    """Return a decoded image's values, if they have more than 8 bits; None for all others."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _one_channel(image, content)
    if image.format == "PNG" and content[24] == 16:
        return _colour_png(image, content)
    if image.mode in ("RGB", "RGBA", "RGBX", "CMYK") and _bits(image, content) == 16:
        values = np.asarray(image).astype(np.uint16) << 8
        depth = Depth("16", float(values.min()), float(values.max()) + 255, halved=True)
        return Deep(image, values, depth)
    return None


def _one_channel(image: Any, content: bytes) -> Deep:
    values = np.asarray(image)
    declared, kind = None, "16" if image.mode.startswith("I;16") else "32"
    if image.mode == "F":
        kind = FLOATING
    if image.format == "TIFF":
        declared = _tiff_range(image)
    elif image.format == "PPM" and image.mode == "I":
        # Pillow has scaled the values to 16 bits, from the largest that the header names.
        kind, declared = "16", None if _largest(content) == PLAIN[1] else PLAIN
    elif image.format == "JPEG2000" and _bits(image, content) < 16:
        declared = PLAIN  # likewise
    finite = values[np.isfinite(values)] if image.mode == "F" else values
    least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if declared and not declared[0] <= least <= most <= declared[1]:
        declared = None
    see_through = image.info.get("transparency")
    there = values == see_through if isinstance(see_through, int) else None
    white_is_zero = image.format == "TIFF" and _first(image.tag_v2.get(PHOTOMETRIC, 1)) == 0
    depth = Depth(kind, least, most, declared, False, there is not None, white_is_zero)
    return Deep(image, values, depth, there)


def _colour_png(image: Image.Image, content: bytes) -> Deep:
    """Values of a PNG of 16 bits in several channels, of which Pillow has the upper 8 alone."""
    import torch
    from torchvision.io import ImageReadMode, decode_png

    data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    values = decode_png(data, ImageReadMode.UNCHANGED).permute(1, 2, 0).numpy()
    if values.shape[2] == 2:  # gray with alpha, which Pillow makes a colour of
        values = values[:, :, [0, 0, 0, 1]]
    see_through = image.info.get("transparency")
    there = (values == see_through).all(2) if isinstance(see_through, tuple) else None
    colour = values[:, :, :3]
    depth = Depth("16", float(colour.min()), float(colour.max()), transparent=there is not None)
    return Deep(image, values, depth, there)


def _tiff_range(image: Any) -> PixelRange | None:
    """What a TIFF says of its range: least and most sample, or bits that are fewer than 16."""
    tags = image.tag_v2
    if MOST_SAMPLE in tags:
        low, high = (_first(tags.get(tag, 0)) for tag in (LEAST_SAMPLE, MOST_SAMPLE))
        return (low, high) if low < high else None
    bits = _first(tags.get(BITS_PER_SAMPLE, 1))
    unsigned = _first(tags.get(SAMPLE_FORMAT, 1)) == 1
    return (0, 2**bits - 1) if 8 < bits < 16 and unsigned else None


def _first(value: Any) -> float:
    number = value[0] if isinstance(value, tuple) else value
    return int(number) if number == int(number) else float(number)


def _bits(image: Any, content: bytes) -> int:
    """Bits of a channel, of a TIFF or a JPEG 2000; 8 of all others."""
    if image.format == "TIFF":
        return int(_first(image.tag_v2.get(BITS_PER_SAMPLE, 1)))
    if image.format == "JPEG2000" and (marker := content.find(b"\xff\x4f\xff\x51")) >= 0:
        return int(content[marker + 42] & 0x7F) + 1  # SIZ: Ssiz of the first component
    return 8


def _largest(content: bytes) -> int:
    """The largest value that the header of a PGM or PPM names."""
    header = re.sub(rb"#[^\n]*\n", b" ", content[:1024])
    found = re.match(rb"P\d\s+\d+\s+\d+\s+(\d+)", header)
    return int(found[1]) if found else 255


def unknown_range(depths: Iterable[Depth], asked: PixelRange | None) -> str:
    """Return what images that belong together have that can't be read; "" if they can.

    These are values of unknown range: of 16 bits, the uppermost of which no image uses, of 32 bits,
    or floating-point.
    """
    unsaid = [depth for depth in depths if depth.declared is None]
    if asked not in (None, PLAIN) and any(depth.halved for depth in depths):
        return (
            "colour of 16 bits, of which only the upper 8 can be read, so that no --pixel-range "
            "can be; convert to 8 bits"
        )
    if asked is not None or not unsaid:
        return ""
    least, most = min(one.least for one in unsaid), max(one.most for one in unsaid)
    kinds = {one.kind for one in unsaid}
    if kinds == {"16"} and least >= 0 and most >= TOP_BIT:
        return ""
    what = f"{FLOATING} pixels" if FLOATING in kinds else f"pixels of {max(kinds)} bits"
    return (
        f"{what}, of unknown range, which hold {least:g} to {most:g}: say which values are black "
        "and white, such as --pixel-range 0:4095 for 12 bits, or convert to 8 bits"
    )
