"""Where images come from, how they are split, what was left out, and how they are read.

Entered through ``find``, which says what there is, and ``load``. Test images are read by
``load_test`` alone, which no search calls.
"""

from nas.datasets.found import DataError, Found
from nas.datasets.images import Batches, Dataset, Images, order
from nas.datasets.sources import DATASETS, Source, find, load, load_members, load_test

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
    "load_members",
    "load_test",
    "order",
]
