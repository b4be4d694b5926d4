"""Images of more than 8 bits: their range is what the file says, what is asked for, or unknown."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nas.datasets import DataError, find, load, sources
from nas.datasets.found import Reading
from nas.datasets.image import read_image

Array = np.ndarray[Any, Any]
LEVELS = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


@pytest.fixture(autouse=True)
def _fresh(own_cache: Path) -> None:
    sources.load.cache_clear()


def png(values: Array, kind: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of 16 bits [H, W, channels], of a colour type; Pillow writes gray ones alone."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def saved(values: Array, format: str, **options: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(values).save(content, format, **options)
    return content.getvalue()


def colour_tiff(values: Array) -> bytes:
    """A TIFF of 16 bits in three channels, which Pillow reads and can't write."""
    pixels = np.repeat(values[:, :, None], 3, 2).astype("<u2").tobytes()
    height, width = values.shape
    bits = 8 + 2 + 9 * 12 + 4
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 3, bits),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, bits + 6),
        (277, 3, 1, 3),
        (278, 3, 1, height),
        (279, 4, 1, len(pixels)),
    ]
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4)
    return head + struct.pack("<HHH", 16, 16, 16) + pixels


GRAY16: dict[str, Callable[[Array], bytes]] = {
    "tif": lambda values: saved(values.astype(np.uint16), "TIFF"),
    "png": lambda values: saved(values.astype(np.uint16), "PNG"),
    "jp2": lambda values: saved(values.astype(np.uint16), "JPEG2000"),
    "pgm": lambda values: saved(values.astype(np.uint16), "PPM"),
    "tiff": lambda values: saved(values.astype(np.int32), "TIFF"),
}
DEEP = GRAY16 | {
    "rgb.png": lambda values: png(np.repeat(values[:, :, None], 3, 2), 2),
    "la.png": lambda values: png(np.dstack([values, np.full_like(values, 0xFFFF)]), 4),
    "rgb.tif": colour_tiff,
    "float.tif": lambda values: saved(values.astype(np.float32), "TIFF"),
}


def folder(root: Path, make: Callable[[Array], bytes], ending: str, scale: int = 1) -> Path:
    """Two classes of six images, of values 0..252 times ``scale``."""
    for label, name in enumerate(("dark", "light")):
        (root / name).mkdir(parents=True)
        for number in range(6):
            values = np.roll(LEVELS.astype(np.uint16), 8 * number + 4 * label) * scale
            (root / name / f"{number}.{ending}").write_bytes(make(values))
    return root


@pytest.mark.parametrize("kind", DEEP)
def test_values_of_unknown_range_are_refused(tmp_path: Path, kind: str) -> None:
    root = folder(tmp_path / "x", DEEP[kind], kind)
    with pytest.raises(DataError) as caught:
        find(f"folder:{root}")
    said = str(caught.value)
    assert said.startswith("12 of 12 images, such as ")
    assert "of unknown range, which hold 0 to " in said
    assert "--pixel-range 0:4095" in said
    assert "\n" not in said
    with pytest.raises(DataError, match="of unknown range"):
        load(Reading(f"folder:{root}", str(root), 8, 1))
    with pytest.raises(DataError, match=r"has (pixels of|floating-point pixels)"):
        read_image(root / "dark" / f"0.{kind}", 8, 1)


@pytest.mark.parametrize("kind", [kind for kind in DEEP if kind != "rgb.tif"])
def test_the_range_that_is_given_makes_them_what_8_bits_are(tmp_path: Path, kind: str) -> None:
    plain = folder(tmp_path / "plain", lambda values: saved(values.astype(np.uint8), "PNG"), "png")
    deep = folder(tmp_path / "deep", DEEP[kind], kind)
    expected = {
        tuple(image.flatten().tolist())
        for image in load(Reading(f"folder:{plain}", str(plain), 8, 1)).train.pixels
    }
    found = find(f"folder:{deep}", pixel_range=(0, 255))
    assert found.pixel_range == (0, 255)
    assert found.digest != find(f"folder:{deep}", pixel_range=(0, 4095)).digest
    read = load(Reading(found.name, str(deep), 8, 1, (0, 255)))
    assert read.digest == found.digest
    every = {tuple(read_image(path, 8, 1).flatten().tolist()) for path in plain.rglob("*.png")}
    assert {tuple(image.flatten().tolist()) for image in read.train.pixels} <= every
    assert expected <= every


def test_colour_of_which_half_is_lost_takes_no_range(tmp_path: Path) -> None:
    root = folder(tmp_path / "x", colour_tiff, "tif")
    with pytest.raises(DataError, match="colour of 16 bits, of which only the upper 8 can be read"):
        find(f"folder:{root}", pixel_range=(0, 255))


@pytest.mark.parametrize("kind", [kind for kind in DEEP if kind not in ("tiff", "float.tif")])
def test_16_bits_that_are_all_in_use_are_read_as_they_always_were(
    tmp_path: Path, kind: str
) -> None:
    root = folder(tmp_path / "x", DEEP[kind], kind, scale=257)
    found = find(f"folder:{root}")
    assert found.pixel_range == (0, 65535)
    read = load(Reading(found.name, str(root), 8, 1)).train.pixels
    assert set(read.unique().tolist()) == set(LEVELS.flatten().tolist())
    assert find(f"folder:{root}", pixel_range=(0, 65535)).digest == found.digest
    # a dark one among bright ones is read as they are
    dark = read_image(root / "dark" / f"0.{kind}", 8, 1)
    assert torch.equal(dark[0], torch.from_numpy(LEVELS))


@pytest.mark.parametrize("tags", [{341: 255}, {340: 0, 341: 255}])
def test_a_tiff_says_its_range(tmp_path: Path, tags: dict[int, int]) -> None:
    made = saved(LEVELS.astype(np.uint16), "TIFF", tiffinfo=tags)
    (tmp_path / "x.tif").write_bytes(made)
    assert torch.equal(read_image(tmp_path / "x.tif", 8, 1)[0], torch.from_numpy(LEVELS))


def test_a_tiff_that_says_a_wrong_range_is_not_believed(tmp_path: Path) -> None:
    made = saved(LEVELS.astype(np.uint16), "TIFF", tiffinfo={341: 100})
    (tmp_path / "x.tif").write_bytes(made)
    with pytest.raises(DataError, match="of unknown range, which hold 0 to 252"):
        read_image(tmp_path / "x.tif", 8, 1)


def twelve_bits(values: Array) -> bytes:
    """A TIFF of 12 bits a pixel, two in three bytes."""
    pairs = values.flatten().reshape(-1, 2).astype(np.uint32)
    packed = b"".join(struct.pack(">I", (a << 12) | b)[1:] for a, b in pairs.tolist())
    height, width = values.shape
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 1, 12),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1, 1),
        (278, 3, 1, height),
        (279, 4, 1, len(packed)),
    ]
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + packed


def test_12_bits_have_all_their_levels(tmp_path: Path) -> None:
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65
    (tmp_path / "x.tif").write_bytes(twelve_bits(values))
    found = read_image(tmp_path / "x.tif", 8, 1)[0].numpy()
    assert np.array_equal(found, np.rint(values * (255 / 4095)).astype(np.uint8))
    assert len(np.unique(found)) == 64


def test_a_pgm_of_12_bits_says_its_range(tmp_path: Path) -> None:
    values = (np.arange(64, dtype=np.uint16).reshape(8, 8) * 65).astype(">u2")
    (tmp_path / "x.pgm").write_bytes(b"P5\n# a camera's\n8 8\n4095\n" + values.tobytes())
    found = read_image(tmp_path / "x.pgm", 8, 1)[0].numpy()
    assert np.abs(found - values * (255 / 4095)).max() <= 1


def test_white_may_be_zero(tmp_path: Path) -> None:
    values = LEVELS.astype(np.uint16) * 257
    made = saved(values, "TIFF", tiffinfo={262: 0})
    (tmp_path / "x.tif").write_bytes(made)
    assert torch.equal(read_image(tmp_path / "x.tif", 8, 1)[0], 255 - torch.from_numpy(LEVELS))


def test_transparent_values_of_16_bits_lie_on_white(tmp_path: Path) -> None:
    values = LEVELS.astype(np.uint16) * 257
    there = values == values[3, 3]
    expected = np.where(there, 255, LEVELS)
    (tmp_path / "gray.png").write_bytes(saved(values, "PNG", transparency=int(values[3, 3])))
    colour = np.repeat(values[:, :, None], 3, 2)
    tRNS = struct.pack(">3H", *colour[3, 3])  # noqa: N806
    (tmp_path / "rgb.png").write_bytes(png(colour, 2, (b"tRNS", tRNS)))
    for name in ("gray.png", "rgb.png"):
        found = read_image(tmp_path / name, 8, 1)[0].numpy()
        assert np.array_equal(found, expected)


def test_alpha_keeps_its_own_range(tmp_path: Path) -> None:
    values = np.dstack([np.repeat(LEVELS.astype(np.uint16)[:, :, None], 3, 2), LEVELS * 0])
    values[:, :, 3] = 0xFFFF
    values[0, 0, 3] = 0
    (tmp_path / "x.png").write_bytes(png(values, 6))
    found = read_image(tmp_path / "x.png", 8, 1, (0, 255))[0].numpy()
    assert found[0, 0] == 255
    assert np.array_equal(found.flatten()[1:], LEVELS.flatten()[1:])


@pytest.mark.parametrize("orientation", [3, 6])
def test_deep_images_are_turned_too(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name, values in (("deep", LEVELS.astype(np.uint16) * 257), ("flat", LEVELS)):
        (tmp_path / f"{name}.png").write_bytes(saved(values, "PNG", exif=exif))
    deep, flat = (read_image(tmp_path / f"{name}.png", 8, 1) for name in ("deep", "flat"))
    assert torch.equal(deep, flat)
    assert not torch.equal(flat[0], torch.from_numpy(LEVELS))


def test_values_beyond_the_range_are_counted(tmp_path: Path) -> None:
    root = folder(tmp_path / "x", GRAY16["tif"], "tif", scale=16)
    words = "\n".join(find(f"folder:{root}", pixel_range=(0, 2047)).words)
    assert "depth: 12 images have more than 8 bits, with values 0 to 4032, read as 0:2047" in words
    assert "note: 12 of them have values beyond that range, which are cut off" in words


@pytest.mark.parametrize("text", ["", "5", "5:5", "9:1", "a:b", "0:1:2", "nan:1", "0x1:9"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    from nas.cli.parsing import pixel_range

    with pytest.raises(ValueError, match=r"--pixel-range is .*the smaller first, such as 0:4095"):
        pixel_range(text)


def test_published_images_take_no_range() -> None:
    with pytest.raises(DataError, match="leave it out"):
        find("mnist", pixel_range=(0, 4095))
