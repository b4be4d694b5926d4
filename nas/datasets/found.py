"""What is known of images before they are loaded: Found, and the error where they aren't there."""

from dataclasses import dataclass


def shown(name: object) -> str:
    """Return a name from outside in quotes, on one line whatever is in it."""
    return repr(str(name))


class DataError(ValueError):
    """Data files that are missing, altered or malformed, or that cannot be fetched or kept."""


@dataclass(frozen=True)
class Found:
    """Images that are there, verified.

    name: as `--dataset` says it, a folder by its absolute path.
    directory: where `load` reads them.
    digest: 16 hex digits that identify the raw data and the rule of the split, not a resolution.
    channels: of the images as they are, 1 or 3.
    """

    name: str
    directory: str
    digest: str
    classes: tuple[str, ...]
    channels: int
