"""One image file as a network sees it: modes, sizes, orientation, and files that are no images."""

import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional  # type: ignore[import-untyped]

from nas.datasets import DataError, image
from nas.datasets.arrays import gray
from nas.datasets.image import EXTENSIONS, read_image


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def tensor(picture: Image.Image) -> torch.Tensor:
    pixels: torch.Tensor = functional.pil_to_tensor(picture)
    return pixels


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "box"), [((9, 9), None), ((40, 9), (15, 0, 24, 9)), ((9, 14), (0, 2, 9, 11))]
)
@pytest.mark.parametrize("resolution", [5, 9, 20])
def test_the_square_in_the_middle_is_resized(
    tmp_path: Path,
    size: tuple[int, int],
    box: tuple[int, ...] | None,
    resolution: int,
    channels: int,
) -> None:
    picture = noise(*size)
    picture.save(tmp_path / "x.png")
    found = read_image(tmp_path / "x.png", resolution, channels)
    square = tensor(picture.convert("L" if channels == 1 else "RGB").crop(box or (0, 0, 9, 9)))
    expected = functional.resize(square, [resolution, resolution], antialias=True)
    assert found.dtype == torch.uint8
    assert torch.equal(found, expected)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_extension_is_read_in_colour_and_gray(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"x{extension}"
    picture = Image.new("L" if extension == ".pgm" else "RGB", (8, 8), "white")
    picture.paste(0, (0, 0, 8, 4))
    picture.save(path)
    for channels in (1, 3):
        found = read_image(path, 8, channels).float().mean((0, 2))
        assert found[:3].max() < 20
        assert found[5:].min() > 235


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "LA", "RGBA"])
def test_opaque_modes_are_what_pillow_makes_of_them(tmp_path: Path, mode: str) -> None:
    picture = noise(8, 8, mode)
    picture.save(tmp_path / "x.tif")
    for channels, kind in ((1, "L"), (3, "RGB")):
        assert torch.equal(
            read_image(tmp_path / "x.tif", 8, channels), tensor(picture.convert(kind))
        )


@pytest.mark.parametrize("alpha", [0, 128, 255])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_on_white(tmp_path: Path, mode: str, alpha: int) -> None:
    picture = Image.new("RGBA", (8, 8), (40, 40, 40, alpha))
    if mode == "P":
        picture = picture.convert("RGB").quantize(4)
        picture.save(tmp_path / "x.png", transparency=bytes([alpha] * 4))
    else:
        picture.convert(mode).save(tmp_path / "x.png")
    expected = 255 + (40 - 255) * alpha / 255
    for channels in (1, 3):
        found = read_image(tmp_path / "x.png", 8, channels)
        assert found.shape == (channels, 8, 8)
        assert (found - expected).abs().max() <= 1


@pytest.mark.parametrize("extension", ["png", "tif", "pgm"])
def test_sixteen_bits_become_their_upper_eight(tmp_path: Path, extension: str) -> None:
    values = (np.arange(64, dtype=np.uint16) * 1024).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / f"x.{extension}")
    found = read_image(tmp_path / f"x.{extension}", 8, 1)
    assert found.flatten().tolist() == [4 * number for number in range(64)]
    assert image.look_at((tmp_path / f"x.{extension}").read_bytes()).gray


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_camera_was(tmp_path: Path, orientation: int) -> None:
    upright = noise(8, 8, "L")
    # how a camera in that position stores it: the inverse of what EXIF asks for
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(inverse[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "x.png", exif=exif)
    assert torch.equal(read_image(tmp_path / "x.png", 8, 1), tensor(upright))


def test_of_several_frames_the_first_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), level) for level in (10, 200)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "x.gif", 8, 1).unique().tolist() == [10]


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_thin_pictures_take_no_memory(tmp_path: Path, size: tuple[int, int]) -> None:
    noise(*size).save(tmp_path / "x.png")
    assert read_image(tmp_path / "x.png", 32, 3).shape == (3, 32, 32)


def test_gray_is_pillows_in_every_bit() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    pixels[:, :100] = pixels[:, :100, :1]
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    found = gray(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    assert np.array_equal(found[0, 0].numpy(), expected)


def chunk(kind: bytes, content: bytes) -> bytes:
    whole = kind + content
    return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))


def png(width: int, height: int) -> bytes:
    """A PNG file that claims that size, with a few bytes of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((100_000, 100_000), "has too many pixels; 100,000,000 pixels are the most"),
        ((12_000, 12_000), "has 12,000 x 12,000 pixels; 100,000,000 pixels are the most"),
    ],
)
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int], words: str) -> None:
    (tmp_path / "x.png").write_bytes(png(*size))
    tracemalloc.start()
    with pytest.raises(DataError, match=words):
        read_image(tmp_path / "x.png", 28, 1)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\0", "is no image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is PostScript, which isn't read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is SVG, which isn't read; convert"),
        (png(500, 500), "can't be decoded"),
        (png(0, 5), "can't be decoded|is no image"),
    ],
)
def test_what_is_no_image_says_so(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a\nb.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_image(path, 28, 1)
    assert str(caught.value).startswith(repr(str(path)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("extension", ["png", "jpg", "gif", "webp", "tif", "bmp", "ppm"])
def test_a_file_that_was_cut_off_anywhere_is_refused(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"x.{extension}"
    noise(64, 64).save(path)
    whole = path.read_bytes()
    for share in (0.05, 0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataError, match=r"x\.\w+' (is no image|can't be decoded)"):
            read_image(path, 28, 3)


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match=r"x\.tif' has floating-point pixels, of unknown"):
        read_image(tmp_path / "x.tif", 4, 1)


def test_what_is_no_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png' isn't there"):
        read_image(tmp_path / "none.png", 28, 1)
    with pytest.raises(DataError, match="isn't a file"):
        read_image(tmp_path, 28, 1)
