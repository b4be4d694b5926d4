"""One file of arrays, each with its digest, so that damage is found whenever it is read."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from nas.datasets.found import DataError

Array = npt.NDArray[Any]

FILE = "images.safetensors"


def to_bytes(arrays: Mapping[str, Array], about: Mapping[str, str]) -> bytes:
    """Return the content of a file with these arrays, by name, and with words about them."""
    digests = {name: sha256(array) for name, array in arrays.items()}
    return bytes(save_arrays(dict(arrays), {**about, **digests}))


def read(path: Path, way_out: str) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays of a file, and the words about them.

    Raises DataError, which ends with the ``way_out``, if it isn't there or is damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}; {way_out}") from error
    try:
        arrays = load_arrays(content)
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}); {way_out}") from error
    wrong = [name for name, array in arrays.items() if metadata.get(name) != sha256(array)]
    if wrong or not arrays:
        raise DataError(f"{path} is damaged ({', '.join(wrong)}); {way_out}")
    return arrays, {name: words for name, words in metadata.items() if name not in arrays}


def sha256(array: Array) -> str:
    """Return the digest of an array's values in their order, as hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
