"""STAND-IN until the branch `data` is merged: Fashion-MNIST by the interface of its package."""

from dataclasses import dataclass
from pathlib import Path

from nas import data, download
from nas.data import Images
from nas.download import DataError

__all__ = ["DataError", "Dataset", "Found", "Images", "find", "load", "load_test"]


@dataclass(frozen=True)
class Found:
    """Images that are there, verified."""

    name: str
    directory: str
    digest: str
    classes: tuple[str, ...]
    channels: int


@dataclass(frozen=True, eq=False)
class Dataset:
    """The two splits of a search at one resolution."""

    train: Images
    validation: Images
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str


def find(name: str, data_dir: Path | None = None) -> Found:
    """Fashion-MNIST alone."""
    if name != "fashion-mnist":
        raise ValueError(f"dataset is {name!r}; choose one of: fashion-mnist")
    return Found(name, str(download.find(data_dir)), data.digest(), data.CLASSES, 1)


def load(name: str, directory: str | Path, resolution: int, channels: int) -> Dataset:
    """Training and validation images."""
    del name
    loaded = data.load(Path(directory), resolution, channels)
    return Dataset(
        loaded.train,
        loaded.validation,
        loaded.classes,
        (loaded.mean,) * channels,
        (loaded.std,) * channels,
        loaded.digest,
    )


def load_test(name: str, directory: str | Path, resolution: int, channels: int) -> Images:
    """The test images."""
    import numpy as np
    import torch

    del name
    pixels, _ = data._read_idx(Path(directory), "t10k-images-idx3-ubyte", 3)
    labels, _ = data._read_idx(Path(directory), "t10k-labels-idx1-ubyte", 1)
    gray = data._resized(pixels, np.arange(len(pixels)), resolution)
    return Images(gray.expand(-1, channels, -1, -1), torch.from_numpy(labels.astype(np.int64)))
