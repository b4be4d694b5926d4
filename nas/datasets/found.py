"""What is known of images before they are loaded: Found, and the error where they aren't there."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from nas.datasets.membership import Membership

LISTED = 10
"""Names in a line, at most."""

HELD_OUT = 6
"""One in so many images of each class is held out, where a data set doesn't say which."""

PixelRange = tuple[float, float]
"""The values of black and white in images of more than 8 bits."""


def shown(name: object) -> str:
    """Return a name from outside in quotes, on one line whatever is in it."""
    return repr(str(name))


def listed(names: Iterable[str]) -> str:
    """Return names with commas between, the first few of many."""
    every = list(names)
    more = f" and {len(every) - LISTED:,} more" if len(every) > LISTED else ""
    return ", ".join(every[:LISTED]) + more


def told_apart(names: Iterable[str]) -> dict[str, str]:
    """Return each name as `shown`, with its code points where another one looks like it.

    The letter é is one code point (NFC), or an e and an accent (NFD): two names, and one look.
    """
    every = dict.fromkeys(names)
    looks = Counter(unicodedata.normalize("NFKC", name) for name in every)
    return {
        name: f"{shown(name)} ({' '.join(f'U+{ord(letter):04X}' for letter in name)})"
        if looks[unicodedata.normalize("NFKC", name)] > 1
        else shown(name)
        for name in every
    }


class DataError(ValueError):
    """Data files that are missing, altered or malformed, or that cannot be fetched or kept."""


@dataclass(frozen=True)
class Reading:
    """Which images are read, and how: what a network sees follows from this and their content.

    name: of the data set, as `--dataset` says it, a folder by its absolute path.
    directory: where the files are.
    resolution, channels: as what every image is read, square, in pixels; gray (1) or colour (3).
    pixel_range: the values of black and white in images of more than 8 bits that don't say it.

    Raises ValueError for a resolution below 1 or other channels.
    """

    name: str
    directory: str
    resolution: int
    channels: int
    pixel_range: PixelRange | None = None

    def __post_init__(self) -> None:
        if self.directory:  # the same wherever the process goes, and for the cache of what is read
            object.__setattr__(self, "directory", os.path.abspath(self.directory))
        if self.resolution < 1:
            raise ValueError(f"resolution is {self.resolution}, but must be at least 1")
        if self.channels not in (1, 3):
            raise ValueError(f"channels is {self.channels}, but must be 1 (gray) or 3 (colour)")


@dataclass(frozen=True)
class Found:
    """Images that are there, verified.

    name: as `--dataset` says it, a folder by its absolute path.
    directory: where `load` reads them.
    digest: 16 hex digits that identify the raw data and the rule of the split, not a resolution.
    channels: of the images as they are, 1 or 3.
    pixel_range: the values of black and white in images of more than 8 bits that don't say it.
    membership: which files are in which part, of a folder; of published data sets nothing is kept.
    train, validation: how many images there are for training, and for validation.
    held_out: whether the latter were held out here, and others may be as well.
    words: lines that say what was found, for whoever is about to work on it.
    """

    name: str
    directory: str
    digest: str
    classes: tuple[str, ...]
    channels: int
    pixel_range: PixelRange | None = None
    membership: Membership = field(default=Membership(), repr=False)
    train: int = 0
    validation: int = 0
    held_out: bool = True
    words: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def reading(self, resolution: int, channels: int) -> Reading:
        """How these images are read at a resolution and in so many channels."""
        return Reading(self.name, self.directory, resolution, channels, self.pixel_range)
