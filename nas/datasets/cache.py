"""The cache: a directory of the user's own that keeps verified images, each file whole or not."""

import os
from pathlib import Path

import platformdirs

from nas.datasets.found import DataError
from studies.files import write_whole

CACHE_VARIABLE = "INCEPTION_NAS_CACHE"


def cache_directory(name: str) -> Path:
    """Return where the files of a data set are kept; it need not exist.

    The environment variable INCEPTION_NAS_CACHE replaces the user's own cache directory.
    """
    override = os.environ.get(CACHE_VARIABLE)
    root = Path(override) if override else platformdirs.user_cache_path("inception-nas")
    return root.absolute() / name


def write(cache: Path, name: str, content: bytes, room: str, keep: bool = True) -> None:
    """Write a file so that readers see its old content or all of the new, never a part.

    With `keep` false nothing stays: it shows that the cache can be written.
    Raises DataError, which says how much ``room`` it needs, if it can't.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # The umask decides who may read it: a cache may be shared.
        write_whole(cache / name, content, keep)
    except OSError as error:
        raise DataError(
            f"can't write the cache {cache}: {error.strerror or error}. "
            f"Set {CACHE_VARIABLE} to a writable directory with {room} free"
        ) from error
