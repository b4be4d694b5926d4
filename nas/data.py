"""What is made of the raw files: a fixed split, held in memory as uint8, batched by indexing."""

import functools
import hashlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nas.download import FILES, DataError

TRAIN, VALIDATION = 50_000, 10_000
"""Images in each split; together they are the published training set."""

CLASSES = (
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)

SPLIT_VERSION = 1
"""To be raised with every change of `_validation_mask`: two splits aren't comparable."""

CHUNK = 1 << 24
"""Pixels that are resized at once: small beside the result, large beside the overhead."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images and what they show.

    pixels: [N, C, H, W], 0..255; of 3 channels, all are views of one.
    labels: [N], indexes into the classes.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """The two splits of a search at one resolution.

    mean, std: of all training pixels at this resolution, on a scale of 0..1.
    digest: 16 hex digits that identify the raw files and the rule of the split, not the resolution.
    """

    train: Images
    validation: Images
    classes: tuple[str, ...]
    mean: float
    std: float
    digest: str


def load(directory: Path, resolution: int = 28, channels: int = 1) -> Dataset:
    """Return the data in a directory that `nas.download.find` returned.

    Reads the published training set only: its test set plays no part in a search. The last two
    results are kept. One takes 60,000 x resolution^2 bytes whatever the channels: 47 MB at 28,
    3.0 GB at 224; making it takes less than 0.5 GB more.

    Raises DataError if a file is missing or malformed, ValueError for a resolution below 1 or
    channels other than 1 and 3.
    """
    if resolution < 1:
        raise ValueError(f"resolution is {resolution}, but must be at least 1")
    if channels not in (1, 3):
        raise ValueError(f"channels is {channels}, but must be 1 (gray) or 3 (gray repeated)")
    return _load(directory.absolute(), resolution, channels)


@functools.lru_cache(maxsize=2)
def _load(directory: Path, resolution: int, channels: int) -> Dataset:
    """Do the work of `load`; apart, so that a default and its value are one key of the cache."""
    pixels, pixels_digest = _read_idx(directory, "train-images-idx3-ubyte", dimensions=3)
    labels, labels_digest = _read_idx(directory, "train-labels-idx1-ubyte", dimensions=1)
    count = TRAIN + VALIDATION
    if not len(pixels) == len(labels) == count:
        raise DataError(
            f"{directory} has {len(pixels)} training images and {len(labels)} labels, "
            f"but there must be {count} of each; {_WAY_OUT}"
        )
    validation = _validation_mask(labels)
    splits = []
    for chosen in (np.flatnonzero(~validation), np.flatnonzero(validation)):
        gray = _resized(pixels, chosen, resolution)
        splits.append(
            Images(
                gray.expand(-1, channels, -1, -1),
                torch.from_numpy(labels[chosen].astype(np.int64)),
            )
        )
    train, held_out = splits
    mean, std = _mean_std(train.pixels[:, 0])
    return Dataset(train, held_out, CLASSES, mean, std, _digest(pixels_digest, labels_digest))


def digest() -> str:
    """Return the digest of the data that `nas.download.find` verified, without reading it."""
    return _digest(FILES["train-images-idx3-ubyte"], FILES["train-labels-idx1-ubyte"])


def _digest(pixels: str, labels: str) -> str:
    return hashlib.sha256(f"{pixels} {labels} {SPLIT_VERSION}".encode()).hexdigest()[:16]


_WAY_OUT = "put the original there, or let nas.download.find choose the directory"


def _read_idx(directory: Path, name: str, dimensions: int) -> tuple[npt.NDArray[np.uint8], str]:
    """Return the array in an IDX file of unsigned bytes, read-only, and the file's SHA-256.

    The format: two zero bytes, 8 for unsigned bytes, the number of dimensions; each dimension's
    size as a big-endian 32-bit integer; the bytes, the last dimension running fastest.

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
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes((0, 0, 8, dimensions)):
        fault = f"doesn't begin as an IDX file of bytes in {dimensions} dimensions"
    else:
        shape = struct.unpack(f">{dimensions}I", content[4:header])
        size = header + math.prod(shape)
        if len(content) == size:
            return np.frombuffer(content, np.uint8, offset=header).reshape(shape), digest
        fault = f"has {len(content)} bytes where its header announces {size}"
    raise DataError(f"{path} {fault}: expected SHA-256 {FILES[name]}, found {digest}; {_WAY_OUT}")


def _validation_mask(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which images, [N], are held out for validation: equally many of each class.

    Each image gets the next 64-bit output of PCG64 seeded with 0, and those with the smallest in
    their class are held out. The raw outputs of a bit generator are fixed for good, while NumPy
    may change what its `Generator` makes of them (NEP 19).

    Raises DataError if a class has too few images, or a label names no class.
    """
    if labels.max() >= len(CLASSES):
        raise DataError(f"label {labels.max()} is none of the {len(CLASSES)} classes; {_WAY_OUT}")
    each = VALIDATION // len(CLASSES)
    ranks = np.random.PCG64(0).random_raw(len(labels))
    mask = np.zeros(len(labels), np.bool_)
    for label, name in enumerate(CLASSES):
        members = np.flatnonzero(labels == label)
        if len(members) < each:
            raise DataError(
                f"class {label} ({name}) has {len(members)} images, "
                f"but {each} are held out of each; {_WAY_OUT}"
            )
        mask[members[np.argsort(ranks[members], kind="stable")[:each]]] = True
    return mask


def _resized(
    pixels: npt.NDArray[np.uint8], chosen: npt.NDArray[np.intp], resolution: int
) -> Tensor:
    """Return the chosen images of [N, H, W] at a resolution, uint8 [len(chosen), 1, R, R]."""
    result = torch.empty((len(chosen), 1, resolution, resolution), dtype=torch.uint8)
    same = pixels.shape[1:] == (resolution, resolution)
    step = max(1, CHUNK // max(resolution**2, math.prod(pixels.shape[1:])))
    for start in range(0, len(chosen), step):
        part = torch.from_numpy(pixels[chosen[start : start + step]])[:, None]
        result[start : start + step] = part if same else _resize(part, resolution)
    return result


def _resize(pixels: Tensor, resolution: int) -> Tensor:
    """Return uint8 [N, C, H, W] as uint8 [N, C, R, R], bilinear and without aliasing."""
    # torchvision takes a second to import, and images at their own resolution don't need it
    from torchvision.transforms.v2.functional import resize

    resized: Tensor = resize(pixels, [resolution, resolution], antialias=True)
    return resized


def _mean_std(pixels: Tensor) -> tuple[float, float]:
    """Return mean and population standard deviation of uint8 [N, H, W], on a scale of 0..1.

    Sums are of integers, hence exact: the result doesn't depend on threads or machine.
    """
    counts = torch.bincount(pixels.flatten(), minlength=256)
    values = torch.arange(256)
    mean = int((counts * values).sum()) / pixels.numel()
    mean_square = int((counts * values**2).sum()) / pixels.numel()
    return mean / 255, math.sqrt(mean_square - mean**2) / 255


def order(count: int, budget: int, seed: int) -> Tensor:
    """Return the images that a run sees, in order: int64 [budget], indexes in 0..count-1.

    Epoch after epoch in a fresh permutation, cut at the budget; so the order of a smaller budget
    is the beginning of that of a larger one.

    Raises ValueError if there are no images or the budget is negative.
    """
    if count < 1:
        raise ValueError(f"count is {count}, but an order needs at least 1 image")
    if budget < 0:
        raise ValueError(f"budget is {budget} images, but can't be negative")
    generator = torch.Generator().manual_seed(seed)
    epochs = [torch.randperm(count, generator=generator) for _ in range(-(-budget // count))]
    return torch.cat([torch.empty(0, dtype=torch.int64), *epochs])[:budget]


@dataclass(frozen=True, eq=False)
class Batches:
    """Images in the order of `order`, int64 [M], as batches of (pixels [B, C, H, W], labels [B]).

    B is `batch_size`, less in the last batch if that doesn't divide M, unless `drop_last`.
    May be iterated any number of times; Lightning takes it for a data loader.

    Raises ValueError for a batch size below 1.
    """

    images: Images
    order: Tensor
    batch_size: int
    drop_last: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}, but must be at least 1")

    def __len__(self) -> int:
        """Return the number of batches."""
        spare = 0 if self.drop_last else self.batch_size - 1
        return (len(self.order) + spare) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches; their tensors are copies, pixels uint8 and labels int64."""
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            chosen = self.order[start : start + self.batch_size]
            yield (
                self.images.pixels.index_select(0, chosen),
                self.images.labels.index_select(0, chosen),
            )
