"""Fashion-MNIST: its four raw files from a directory, the cache, or one of SOURCES.

Whatever the source, a file counts only if its uncompressed content has the digest in FILES.
Torch is not imported before images are loaded.
"""

import gzip
import hashlib
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nas.datasets import cache, download
from nas.datasets.formats import Arrays, idx
from nas.datasets.found import DataError, Found, PixelRange
from nas.datasets.sources import DATASETS
from nas.datasets.split import Bytes, digest_of

if TYPE_CHECKING:
    from nas.datasets.images import Dataset, Images

NAME = "fashion-mnist"
TRAIN, TEST = 60_000, 10_000
"""Images published for training, from which those for validation are taken, and for the test."""

FILES: dict[str, str] = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""Name of each file -> SHA-256 of its uncompressed content."""

ROOM = "60 MB"
"""What the cache takes."""

_WAY_OUT = "put the original there, or let nas.datasets.find choose the directory"


def find(name: str, data_dir: Path | None, pixel_range: PixelRange | None) -> Found:
    """Return the images, in the cache; see `find_files`."""
    del pixel_range
    source = DATASETS[name]
    directory = str(find_files(data_dir))
    words = (source.summary(name, directory),)
    return Found(name, directory, digest(), source.classes, source.channels, words=words)


def digest() -> str:
    """Return the digest of the data that `find_files` verified, without reading it."""
    return digest_of(FILES["train-images-idx3-ubyte"], FILES["train-labels-idx1-ubyte"])


def load(
    name: str, directory: Path, resolution: int, channels: int, pixel_range: PixelRange | None
) -> "Dataset":
    """Return the published training set in its two splits; the digest is of what was read.

    Raises DataError if a file is missing or malformed.
    """
    from nas.datasets.arrays import dataset

    del pixel_range
    arrays, found = _read(directory, "train", TRAIN)
    try:
        return dataset(arrays, DATASETS[name].classes, found, resolution, channels)
    except DataError as error:
        raise DataError(f"{directory}: {error}; {_WAY_OUT}") from error


def load_test(
    name: str,
    directory: Path,
    resolution: int,
    channels: int,
    pixel_range: PixelRange | None,
    digest: str,
) -> "Images":
    """Return the published test set; DataError unless it is the original."""
    import numpy as np

    from nas.datasets.arrays import images

    del name, pixel_range, digest
    arrays, found = _read(directory, "t10k", TEST)
    if found != digest_of(FILES["t10k-images-idx3-ubyte"], FILES["t10k-labels-idx1-ubyte"]):
        raise DataError(f"{directory} has an altered test set; {_WAY_OUT}")
    return images(arrays, np.arange(len(arrays.labels)), resolution, channels)


def _read(directory: Path, part: str, count: int) -> tuple[Arrays, str]:
    """Return the images and labels of a part, and their digest."""

    pixels, pixels_digest = _read_idx(directory, f"{part}-images-idx3-ubyte", dimensions=3)
    labels, labels_digest = _read_idx(directory, f"{part}-labels-idx1-ubyte", dimensions=1)
    if not len(pixels) == len(labels) == count:
        raise DataError(
            f"{directory} has {len(pixels)} images and {len(labels)} labels of {part}, "
            f"but there must be {count} of each; {_WAY_OUT}"
        )
    return Arrays(pixels[:, None], labels), digest_of(pixels_digest, labels_digest)


def _read_idx(directory: Path, name: str, dimensions: int) -> tuple[Bytes, str]:
    """Return the array in an IDX file, and the file's SHA-256.

    Raises DataError if the file is missing, or isn't that.
    """
    path = directory / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} can't be read: {error.strerror or error} "
            f"(expected SHA-256 {FILES[name]}); {_WAY_OUT}"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    try:
        return idx(content, dimensions), digest
    except ValueError as fault:
        raise DataError(
            f"{path} {fault}: expected SHA-256 {FILES[name]}, found {digest}; {_WAY_OUT}"
        ) from fault


def find_files(data_dir: Path | None = None) -> Path:
    """Return a directory that holds the four files, uncompressed and verified: the cache.

    With `data_dir` the files are taken from there and from nowhere else. Without it, the first
    of the cache and SOURCES that has all four wins. A cache with a wrong file is filled anew.
    Any number of processes may call this at once.

    Raises DataError if `data_dir` lacks a file or holds a wrong one, if no source has them all
    (the message has the failure of each), or if the cache can't be written.
    """
    kept = cache.cache_directory(NAME)
    if data_dir is not None:
        try:
            contents = read(data_dir)
        except DataError as error:
            raise DataError(
                f"--data-dir: {error}. Put the original files there, "
                "or leave out --data-dir to have them fetched"
            ) from error
        return _enter(kept, contents)
    try:
        read(kept)
        return kept
    except DataError as error:
        failures = [f"the cache: {error}"]
    cache.write(kept, ".probe", b"", ROOM, keep=False)  # rather fail now than after a download
    for name, source in SOURCES.items():
        try:
            with tempfile.TemporaryDirectory(prefix="inception-nas-") as scratch:
                contents = read(source(Path(scratch)))
        except (DataError, OSError) as error:
            failures.append(f"{name}: {error}")
        else:
            return _enter(kept, contents)
    raise DataError(
        "no source has Fashion-MNIST:\n  "
        + "\n  ".join(failures)
        + f"\nFetch {', '.join(FILES)} by hand (.gz will do) and name their directory by --data-dir"
    )


def read(directory: Path) -> dict[str, bytes]:
    """Return name -> uncompressed content of the four files in a directory, all verified.

    Each file may be gzipped (`.gz`), and may lie in `FashionMNIST/raw/`, as torchvision keeps
    it. The first that is there counts, even if it is wrong and a good one lies beside it.

    Raises DataError that names every missing or wrong file with its digests.
    """
    if not directory.is_dir():
        raise DataError(f"there is no directory {directory}")
    contents, problems = {}, []
    for name, expected in FILES.items():
        places = [
            place / (name + suffix)
            for place in (directory, directory / "FashionMNIST" / "raw")
            for suffix in ("", ".gz")
        ]
        try:
            path = next((path for path in places if path.exists()), None)
            if path is None:
                problems.append(f"{directory / name} is missing (expected SHA-256 {expected})")
                continue
            content = _gunzip(path) if path.suffix == ".gz" else path.read_bytes()
        except OSError as error:
            problems.append(f"{directory / name} can't be read: {error.strerror or error}")
            continue
        found = hashlib.sha256(content).hexdigest()
        if found == expected:
            contents[name] = content
        else:
            problems.append(
                f"{path} is altered or truncated: expected SHA-256 {expected}, "
                f"found {found} in {len(content)} bytes"
            )
    if problems:
        raise DataError("; ".join(problems))
    return contents


def _gunzip(path: Path) -> bytes:
    """Return what can be unpacked of a gzip file; the digest judges whether that is all of it."""
    content = bytearray()
    with gzip.open(path) as file:
        try:
            while chunk := file.read(1 << 20):
                content += chunk
        except (EOFError, zlib.error, gzip.BadGzipFile):
            pass
    return bytes(content)


def _enter(kept: Path, contents: dict[str, bytes]) -> Path:
    """Put verified contents into the cache, and return it; a file already there is left alone.

    Raises DataError if the cache can't be written.
    """
    for name, content in contents.items():
        try:
            if (kept / name).read_bytes() == content:
                continue
        except OSError:
            pass  # absent or unreadable: replaced like a wrong one
        cache.write(kept, name, content, ROOM)
    return kept


SOURCES: dict[str, Callable[[Path], Path]] = {
    "Debian's installed package": lambda scratch: download.INSTALLED,
    "torchvision's download": lambda scratch: download.torchvision(scratch, DATASETS[NAME]),
    "Debian's package by apt-get": download.apt,
}
"""What is tried, in this order, when the cache lacks a file.

Each takes an empty directory to work in, which is deleted once the files are read, and returns
one for `read`. It raises DataError or OSError to say why it can't.
"""
