"""Where images come from, and what is made of them before a network sees them."""

from nas.datasets.found import DataError, Found
from nas.datasets.images import Batches, Dataset, Images, order
from nas.datasets.sources import DATASETS, Source, find, load, load_test

__all__ = [
    "DATASETS",
    "Batches",
    "DataError",
    "Dataset",
    "Found",
    "Images",
    "Source",
    "find",
    "load",
    "load_test",
    "order",
]
