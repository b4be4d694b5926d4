"""What tests of data sets share: a cache of their own, and data sets that were never published."""

import gzip
import hashlib
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from nas.datasets import DATASETS, cache

Array = np.ndarray[Any, np.dtype[np.uint8]]
Publish = Callable[[str, Path], tuple[Array, Array, Array, Array]]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / ".cache"))
    return tmp_path / ".cache"


def idx(array: Array) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def pickled(data: Any) -> bytes:
    """Pickle as Python 2 did, whose strings were bytes; that is how CIFAR was made."""

    def save_string(pickler: Any, text: str | bytes) -> None:
        content = text if isinstance(text, bytes) else text.encode("latin1")
        pickler.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        pickler.memoize(text)

    buffer = io.BytesIO()
    pickler: Any = pickle._Pickler(buffer, protocol=2)  # type: ignore[attr-defined]
    pickler.dispatch = {**pickler.dispatch, str: save_string, bytes: save_string}
    pickler.dump(data)
    return buffer.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def written(name: str, parts: tuple[Array, Array, Array, Array]) -> dict[str, bytes]:
    """The files of a data set in its original form, by path: train and test pixels and labels."""
    pixels, labels, test_pixels, test_labels = parts
    paths = list(DATASETS[name].files)
    if name == "emnist":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for part, array in (
                ("train-images-idx3", pixels[:, 0].swapaxes(1, 2)),
                ("train-labels-idx1", labels),
                ("test-images-idx3", test_pixels[:, 0].swapaxes(1, 2)),
                ("test-labels-idx1", test_labels),
            ):
                file = f"gzip/emnist-balanced-{part}-ubyte.gz"
                archive.writestr(file, gzip.compress(idx(array)))
        return {paths[0]: buffer.getvalue()}
    if name == "svhn":
        out = {}
        for path, some, digits in zip(
            paths, (pixels, test_pixels), (labels, test_labels), strict=True
        ):
            buffer = io.BytesIO()
            numbers = np.where(digits == 0, 10, digits).astype(np.uint8)[:, None]
            savemat(buffer, {"X": some.transpose(2, 3, 1, 0), "y": numbers}, do_compression=True)
            out[path] = buffer.getvalue()
        return out
    if name.startswith("cifar"):
        key = "labels" if name == "cifar10" else "fine_labels"
        pieces = [
            *zip(
                *(np.array_split(array, len(paths) - 1) for array in (pixels, labels)), strict=True
            ),
            (test_pixels, test_labels),
        ]
        return {
            path: pickled({"data": some.reshape(len(some), -1), key: digits.tolist()})
            for path, (some, digits) in zip(paths, pieces, strict=True)
        }
    arrays = (pixels[:, 0], labels, test_pixels[:, 0], test_labels)
    return {path: gzip.compress(idx(array)) for path, array in zip(paths, arrays, strict=True)}


def put(root: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


@pytest.fixture
def publish(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Writes a small random data set in its original form, whose digests become the published."""

    def made(name: str, root: Path) -> tuple[Array, Array, Array, Array]:
        source = DATASETS[name]
        side = 28 if source.channels == 1 else 32
        count = len(source.classes)
        chance = np.random.default_rng(0)
        parts = []
        for each in (12, 1):
            shape = (each * count, source.channels, side, side)
            parts += [
                chance.integers(0, 256, shape, dtype=np.uint8),
                np.tile(np.arange(count, dtype=np.uint8), each),
            ]
        pixels, labels, test_pixels, test_labels = parts
        arrays = (pixels, labels, test_pixels, test_labels)
        files = written(name, arrays)
        digests = {path: hashlib.md5(content).hexdigest() for path, content in files.items()}
        monkeypatch.setitem(DATASETS, name, replace(source, files=digests))
        put(root, files)
        return arrays

    return made


@pytest.fixture
def network(tmp_path: Path) -> str:
    """A small network as a file for the command line."""
    candidate = {
        "architecture": {
            "stem": {"width": 4, "stride": 2},
            "stages": [{"blocks": [{"width_1x1": 8}]}],
        }
    }
    path = tmp_path / "network.json"
    path.write_text(json.dumps(candidate))
    return str(path)
