"""DATASETS: the data sets by name, and finding and loading the images of one."""

import functools
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from nas.datasets.found import Found
from nas.datasets.images import Dataset, Images
from search_space.checks import check_choice


class Reader(Protocol):
    """What a source's module has; see the functions here of the same names."""

    def find(self, name: str, data_dir: Path | None) -> Found: ...

    def load(self, name: str, directory: Path, resolution: int, channels: int) -> Dataset: ...

    def load_test(self, name: str, directory: Path, resolution: int, channels: int) -> Images: ...


@dataclass(frozen=True)
class Source:
    """A data set: its words for the help text, and the module that finds and reads it.

    classes, channels: of its images; none where only the images can say.
    """

    words: str
    module: str
    classes: tuple[str, ...] = ()
    channels: int = 0

    @property
    def reader(self) -> Reader:
        """Its module, imported when it is needed."""
        return cast(Reader, importlib.import_module(self.module))


DATASETS: dict[str, Source] = {
    "fashion-mnist": Source(
        "10 kinds of clothes, gray",
        "nas.datasets.fashion",
        (
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
        ),
        1,
    ),
}


def source(name: str) -> Source:
    """Return the source of a data set as `--dataset` names it; ValueError if there is none."""
    check_choice("dataset", name, tuple(DATASETS))
    return DATASETS[name]


def find(name: str, data_dir: Path | None = None) -> Found:
    """Return the images of that data set, verified; fetched, and kept in the cache, if need be.

    With `data_dir` the original files are taken from there and from nowhere else. Any number of
    processes may call this at once. Raises DataError where that can't be done.
    """
    return source(name).reader.find(name, data_dir)


def load(name: str, directory: str | Path, resolution: int, channels: int) -> Dataset:
    """Return the training and validation images that `find` found, square and in so many channels.

    The test images play no part in a search, and are not read. The last two results are kept.

    Raises DataError if a file is missing or malformed, ValueError for a resolution below 1 or
    channels other than 1 and 3.
    """
    _check(resolution, channels)
    return _load(name, Path(directory).absolute(), resolution, channels)


@functools.lru_cache(maxsize=2)
def _load(name: str, directory: Path, resolution: int, channels: int) -> Dataset:
    """Do the work of `load`; apart, so that equal directories are one key of the cache."""
    return source(name).reader.load(name, directory, resolution, channels)


def load_test(name: str, directory: str | Path, resolution: int, channels: int) -> Images:
    """Return the test images likewise, for the figure that ends a project; no search reads them."""
    _check(resolution, channels)
    return source(name).reader.load_test(name, Path(directory).absolute(), resolution, channels)


def _check(resolution: int, channels: int) -> None:
    if resolution < 1:
        raise ValueError(f"resolution is {resolution}, but must be at least 1")
    if channels not in (1, 3):
        raise ValueError(f"channels is {channels}, but must be 1 (gray) or 3 (colour)")
