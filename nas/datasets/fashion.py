"""Fashion-MNIST: its four raw files as they are in the cache, of which a search opens two.

So the test set is never read before the end. Torch is not imported before images are loaded.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nas.datasets import cache, originals
from nas.datasets.formats import Arrays, idx
from nas.datasets.found import HELD_OUT, DataError, Found, PixelRange, Reading
from nas.datasets.sources import DATASETS
from nas.datasets.split import Bytes, digest_of

if TYPE_CHECKING:
    from nas.datasets.images import Dataset, Images

NAME = "fashion-mnist"

_WAY_OUT = "put the original there, or let nas.datasets.find choose the directory"


def find(name: str, data_dir: Path | None, pixel_range: PixelRange | None) -> Found:
    """Return the images, in the cache; see `find_files`."""
    del pixel_range
    source = DATASETS[name]
    directory = str(find_files(data_dir))
    return Found(
        name,
        directory,
        digest(),
        source.classes,
        source.channels,
        train=source.sizes[0] - source.sizes[0] // HELD_OUT,  # each class has as many
        validation=source.sizes[0] // HELD_OUT,
        words=(source.summary(name, directory),),
    )


def find_files(data_dir: Path | None = None) -> Path:
    """Return the cache with the four files, uncompressed and verified; filled if need be.

    Raises DataError as `originals.find` does.
    """
    kept = cache.cache_directory(NAME)

    def cached() -> Path:
        originals.read(DATASETS[NAME], kept)
        return kept

    return originals.find(NAME, data_dir, cached, lambda contents: _enter(kept, contents))


def digest() -> str:
    """Return the digest of the data that `find_files` verified, without reading it."""
    images, labels, *_ = DATASETS[NAME].files.values()
    return digest_of(images, labels)


def load(reading: Reading) -> "Dataset":
    """Return the published training set in its two splits; the digest is of what was read.

    Raises DataError if a file is missing or malformed.
    """
    from nas.datasets.arrays import dataset

    source = DATASETS[NAME]
    arrays, found = _read(Path(reading.directory), 0, source.sizes[0])
    try:
        return dataset(arrays, source.classes, found, reading.resolution, reading.channels)
    except DataError as error:
        raise DataError(f"{reading.directory}: {error}; {_WAY_OUT}") from error


def load_test(reading: Reading, digest: str) -> "Images":
    """Return the published test set; DataError unless it is the original."""
    import numpy as np

    from nas.datasets.arrays import images

    del digest  # of the training images
    source = DATASETS[NAME]
    arrays, found = _read(Path(reading.directory), 2, source.sizes[1])
    if found != digest_of(*list(source.files.values())[2:]):
        raise DataError(f"{reading.directory} has an altered test set; {_WAY_OUT}")
    every = np.arange(len(arrays.labels))
    return images(arrays, every, reading.resolution, reading.channels)


def _read(directory: Path, first: int, count: int) -> tuple[Arrays, str]:
    """Return the images and labels of the ``first`` file and the next one, and their digest."""
    images, labels = list(DATASETS[NAME].files)[first : first + 2]
    pixels, pixels_digest = _read_idx(directory, images, dimensions=3)
    numbers, labels_digest = _read_idx(directory, labels, dimensions=1)
    if not len(pixels) == len(numbers) == count:
        part = Path(images).name.partition("-")[0]
        raise DataError(
            f"{directory} has {len(pixels)} images and {len(numbers)} labels of {part}, "
            f"but there must be {count} of each; {_WAY_OUT}"
        )
    return Arrays(pixels[:, None], numbers), digest_of(pixels_digest, labels_digest)


def _read_idx(directory: Path, name: str, dimensions: int) -> tuple[Bytes, str]:
    """Return the array in an IDX file, and the file's SHA-256.

    Raises DataError if the file is missing, or isn't that.
    """
    path, expected = directory / Path(name).name, DATASETS[NAME].files[name]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} can't be read: {error.strerror or error} "
            f"(expected SHA-256 {expected}); {_WAY_OUT}"
        ) from error
    found = originals.digest(DATASETS[NAME], content)
    try:
        return idx(content, dimensions), found
    except ValueError as fault:
        raise DataError(
            f"{path} {fault}: expected SHA-256 {expected}, found {found}; {_WAY_OUT}"
        ) from fault


def _enter(kept: Path, contents: Mapping[str, bytes]) -> Path:
    """Put verified contents into the cache, and return it; a file already there is left alone.

    Raises DataError if the cache can't be written.
    """
    for path, content in contents.items():
        name = Path(path).name
        try:
            if (kept / name).read_bytes() == content:
                continue
        except OSError:
            pass  # absent or unreadable: replaced like a wrong one
        cache.write(kept, name, content, DATASETS[NAME].room)
    return kept
