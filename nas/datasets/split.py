"""Which images are held out: of a published training set by place, of one's own by content."""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.datasets.found import HELD_OUT, DataError, listed, shown

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer[Any]]

SPLIT_VERSION = 1
"""To be raised with every change of `validation_mask`: two splits aren't comparable."""


def digest_of(pixels: str, labels: str) -> str:
    """Return the digest of a data set whose training pixels and labels have these digests."""
    return hashlib.sha256(f"{pixels} {labels} {SPLIT_VERSION}".encode()).hexdigest()[:16]


def validation_mask(labels: Labels, classes: tuple[str, ...]) -> npt.NDArray[np.bool_]:
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


def by_content(
    classes: Sequence[str], own: Sequence[Collection[str]], missing: Sequence[str], where: str
) -> dict[str, str]:
    """Return the part of each content: train, or one of those that are ``missing``.

    ``own`` are the digests of the different images of each class. In each class the smallest
    digests go to the first of the missing parts, the next to the other one. A content that is in
    several classes stays in one part.

    Raises DataError that names every class of ``where`` that hasn't an image of its own for each
    part.
    """
    part_of: dict[str, str] = {}
    few = []
    for name, contents in zip(classes, own, strict=True):
        some = set(contents)
        share = max(1, len(some) // HELD_OUT)
        shared = len(some & part_of.keys())
        for part in missing:
            free = sorted(some - part_of.keys())
            wanted = share - sum(part_of.get(one) == part for one in some)
            part_of |= dict.fromkeys(free[: max(0, wanted)], part)
        part_of |= dict.fromkeys(some - part_of.keys(), "train")
        if len({part_of[one] for one in some}) <= len(missing):
            also = f", {shared} of them in other classes too" if shared else ""
            few.append(f"{shown(name)} ({len(some)}{also})")
    if few:
        raise DataError(
            f"{where} has classes with fewer than {1 + len(missing)} different images of their "
            f"own, one each for {', '.join(['training', *missing])}: {listed(few)}; add images to "
            "each of them, or leave it out"
        )
    return part_of
