"""Which images of a published training set are held out for validation: the same ones for good."""

import hashlib

import numpy as np
import numpy.typing as npt

from nas.datasets.found import HELD_OUT, DataError

Bytes = npt.NDArray[np.uint8]

SPLIT_VERSION = 1
"""To be raised with every change of `validation_mask`: two splits aren't comparable."""


def digest_of(pixels: str, labels: str) -> str:
    """Return the digest of a data set whose training pixels and labels have these digests."""
    return hashlib.sha256(f"{pixels} {labels} {SPLIT_VERSION}".encode()).hexdigest()[:16]


def validation_mask(labels: Bytes, classes: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Return which images, [N], are held out for validation: an equal share of each class.

    Each image gets the next 64-bit output of PCG64 seeded with 0, and those with the smallest in
    their class are held out. The raw outputs of a bit generator are fixed for good, while NumPy
    may change what its `Generator` makes of them (NEP 19).

    Raises DataError if a class has too few images, or a label names no class.
    """
    if labels.max(initial=0) >= len(classes):
        raise DataError(f"label {labels.max()} is none of the {len(classes)} classes")
    ranks = np.random.PCG64(0).random_raw(len(labels))
    mask = np.zeros(len(labels), np.bool_)
    for label, name in enumerate(classes):
        members = np.flatnonzero(labels == label)
        if len(members) < HELD_OUT:
            raise DataError(
                f"class {label} ({name}) has {len(members)} images, "
                f"but one in {HELD_OUT} is held out of each"
            )
        held_out = len(members) // HELD_OUT
        mask[members[np.argsort(ranks[members], kind="stable")[:held_out]]] = True
    return mask
