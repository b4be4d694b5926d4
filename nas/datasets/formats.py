"""FORMATS: the files that data sets are published in, read from verified bytes into arrays."""

import gzip
import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nas.datasets.split import Bytes, Labels


class Arrays(NamedTuple):
    """Images as published, uint8 [N, C, H, W] of 1 or 3 channels, and their labels [N]."""

    pixels: Bytes
    labels: Labels


Contents = Mapping[str, bytes]
"""Content of each file of a data set, by its path in torchvision's layout, in order."""

Parts = tuple[Arrays, Arrays]
"""What is published for training, and for the test."""


def idx(content: bytes, dimensions: int) -> Bytes:
    """Return the array in an IDX file of unsigned bytes, read-only.

    The format: two zero bytes, 8 for unsigned bytes, the number of dimensions; each dimension's
    size as a big-endian 32-bit integer; the bytes, the last dimension running fastest.

    Raises ValueError that says what is wrong, as what follows a file's name.
    """
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes((0, 0, 8, dimensions)):
        raise ValueError(f"doesn't begin as an IDX file of bytes in {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    size = header + math.prod(shape)
    if len(content) != size:
        raise ValueError(f"has {len(content)} bytes where its header announces {size}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def mnist(contents: Contents) -> Parts:
    """Four gzipped IDX files: images and labels for training, images and labels for the test."""
    return _idx_parts([gzip.decompress(content) for content in contents.values()])


def emnist(contents: Contents) -> Parts:
    """Four such files in a zip file, their images transposed (as in MATLAB): turned upright."""
    (archive,) = contents.values()
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        train, test = _idx_parts(
            [
                gzip.decompress(opened.read(f"gzip/emnist-balanced-{part}-ubyte.gz"))
                for part in (
                    "train-images-idx3",
                    "train-labels-idx1",
                    "test-images-idx3",
                    "test-labels-idx1",
                )
            ]
        )
    return _transposed(train), _transposed(test)


def _transposed(arrays: Arrays) -> Arrays:
    return Arrays(np.ascontiguousarray(arrays.pixels.swapaxes(2, 3)), arrays.labels)


def _idx_parts(files: Sequence[bytes]) -> Parts:
    images, labels, test_images, test_labels = files
    return (
        Arrays(idx(images, 3)[:, None], idx(labels, 1)),
        Arrays(idx(test_images, 3)[:, None], idx(test_labels, 1)),
    )


def cifar(contents: Contents) -> Parts:
    """Pickled batches of colour planes, the last of them the test."""
    *train, test = (_cifar_batch(content) for content in contents.values())
    return Arrays(*(np.concatenate(parts) for parts in zip(*train, strict=True))), test


def _cifar_batch(content: bytes) -> Arrays:
    batch = _ArraysAlone(io.BytesIO(content), encoding="latin1").load()
    labels = batch["labels"] if "labels" in batch else batch["fine_labels"]
    return Arrays(batch["data"].reshape(-1, 3, 32, 32), np.array(labels, np.uint8))


class _ArraysAlone(pickle.Unpickler):
    """Unpickles NumPy's arrays, and nothing that could run anything else.

    The digest alone should keep other files away; but it is an MD5, and this costs nothing.
    """

    def find_class(self, module: str, name: str) -> Any:
        known = {
            "_reconstruct": np.empty(0).__reduce__()[0],
            "ndarray": np.ndarray,
            "dtype": np.dtype,
        }
        if module.partition(".")[0] == "numpy" and name in known:
            return known[name]
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a batch of images")


def svhn(contents: Contents) -> Parts:
    """Two MATLAB files, images [H, W, C, N] and labels [N, 1], of which 10 is the digit 0."""
    from scipy.io import loadmat

    parts = []
    for content in contents.values():
        found = loadmat(io.BytesIO(content), variable_names=("X", "y"))
        labels = (found["y"].ravel() % 10).astype(np.uint8)
        parts.append(Arrays(np.ascontiguousarray(found["X"].transpose(3, 2, 0, 1)), labels))
    train, test = parts
    return train, test


FORMATS: dict[str, Callable[[Contents], Parts]] = {
    "mnist": mnist,
    "emnist": emnist,
    "cifar": cifar,
    "svhn": svhn,
}
"""By name; each raises any exception for contents that aren't so, which a digest rules out."""
