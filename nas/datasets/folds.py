"""Cross-validation: the images of a search split anew, so that others are validated on."""

import functools
import hashlib

import numpy as np
import numpy.typing as npt

from nas.datasets.images import Dataset, Images


@functools.lru_cache(maxsize=8)
def fold_of(dataset: Dataset, fold: int) -> Dataset:
    """Return the images split for a fold: the first, 0, is the data set's own split.

    In each other one as large a part of the training images of each class is validated on, and what
    was validated on before is trained on. No image is in two folds' validation, and equal images
    are in one.

    Raises ValueError where there is no such fold.
    """
    import torch

    from nas.datasets.arrays import mean_std

    if not 0 <= fold < most_folds(len(dataset.train), len(dataset.validation)):
        raise ValueError(f"fold is {fold}, and there are not as many images")
    if fold == 0:
        return dataset
    parts = most_folds(len(dataset.train), len(dataset.validation)) - 1
    held_out = torch.from_numpy(_part_of(dataset.train, parts) == fold - 1)
    train = Images(
        torch.cat([dataset.train.pixels[~held_out], dataset.validation.pixels]),
        torch.cat([dataset.train.labels[~held_out], dataset.validation.labels]),
    )
    validation = Images(dataset.train.pixels[held_out], dataset.train.labels[held_out])
    mean, std = mean_std(train.pixels)
    return Dataset(train, validation, dataset.classes, mean, std, dataset.digest)


def most_folds(train: int, validation: int) -> int:
    """How many folds there can be, of so many images for training and for validation."""
    return 1 + round(train / validation)


def _part_of(images: Images, parts: int) -> npt.NDArray[np.int64]:
    """Which of so many equal parts each image is in, [N]: by content, evenly in each class."""
    digests = [hashlib.sha256(one.numpy().tobytes()).hexdigest() for one in images.pixels]
    labels = images.labels.tolist()
    place: dict[str, int] = {}
    for label in sorted(set(labels)):
        own = {digest for digest, shown in zip(digests, labels, strict=True) if shown == label}
        free = sorted(own - place.keys())
        place |= {digest: number * parts // len(free) for number, digest in enumerate(free)}
    return np.array([place[digest] for digest in digests], np.int64)
