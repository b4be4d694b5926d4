"""What is made of Fashion-MNIST's raw files: split, digest, resolution, channels."""

import hashlib
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional  # type: ignore[import-untyped]

from nas.datasets import DATASETS, DataError, Dataset, arrays, find, sources, split
from nas.datasets.found import Reading

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
DIGESTS = {Path(path).name: one for path, one in DATASETS["fashion-mnist"].files.items()}

EACH = 6
"""Images of each class in the tiny data: 5 to train, 1 to validate."""


def load(directory: Path, resolution: int = 28, channels: int = 1) -> Dataset:
    return sources.load(Reading("fashion-mnist", str(directory), resolution, channels))


def write(
    directory: Path, name: str, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    (directory / name).write_bytes(header + array.tobytes())


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """60 random training images in a directory, the first pixel of each its index; no test set."""
    source = DATASETS["fashion-mnist"]
    monkeypatch.setitem(DATASETS, "fashion-mnist", replace(source, sizes=(60, 0)))
    pixels = np.random.PCG64(1).random_raw(10 * EACH * 28 * 28).astype(np.uint8)
    pixels = pixels.reshape(-1, 28, 28)
    pixels[:, 0, 0] = np.arange(10 * EACH)
    write(tmp_path, IMAGES, pixels)
    write(tmp_path, LABELS, np.tile(np.arange(10, dtype=np.uint8), EACH))
    return tmp_path


@pytest.fixture(scope="module")
def real() -> Path:
    """The real data, fetched if this machine hasn't got it yet."""
    return Path(find("fashion-mnist").directory)


def test_the_real_split(real: Path, tmp_path: Path) -> None:
    for name in (IMAGES, LABELS):
        (tmp_path / name).symlink_to(real / name)
    dataset = load(tmp_path)  # which shows, too, that the test set isn't opened: it isn't there

    train, validation = dataset.train, dataset.validation
    assert (len(train), len(validation)) == (50_000, 10_000)
    assert train.labels.bincount().tolist() == [5_000] * 10
    assert validation.labels.bincount().tolist() == [1_000] * 10
    raw = np.frombuffer((real / IMAGES).read_bytes(), np.uint8, offset=16).reshape(-1, 784)
    parts = [part.pixels.numpy().reshape(-1, 784) for part in (train, validation)]
    published = Counter(image.tobytes() for image in raw)
    assert (
        sum((Counter(image.tobytes() for image in part) for part in parts), Counter()) == published
    )

    (mean,), (std,) = dataset.mean, dataset.std
    assert mean == pytest.approx(raw.mean() / 255, abs=1e-3)
    assert std == pytest.approx(raw.std() / 255, abs=1e-3)
    assert mean == pytest.approx(parts[0].mean() / 255, abs=1e-12)
    assert std == pytest.approx(parts[0].std() / 255, abs=1e-9)
    # fixed for good: results of other versions are compared with those of this one
    assert dataset.digest == "e15bf406d24f3c05"
    assert hashlib.sha256(parts[1].tobytes()).hexdigest()[:16] == "6e2722970765484d"


def test_the_split_is_stratified_and_keeps_the_order(tiny: Path) -> None:
    dataset = load(tiny)
    indexes = [part.pixels[:, 0, 0, 0].tolist() for part in (dataset.train, dataset.validation)]
    assert sorted(indexes[0] + indexes[1]) == list(range(60))
    assert indexes == [sorted(part) for part in indexes]
    assert dataset.validation.labels.bincount().tolist() == [1] * 10
    for part, own in zip((dataset.train, dataset.validation), indexes, strict=True):
        assert part.labels.tolist() == [index % 10 for index in own]
        assert (part.pixels.dtype, part.labels.dtype) == (torch.uint8, torch.int64)


def test_loading_is_done_once_and_again_the_same(tiny: Path) -> None:
    first = load(tiny)
    assert load(tiny, 28) is sources.load(Reading("fashion-mnist", str(tiny), 28, 1)) is first
    sources.load.cache_clear()
    again = load(tiny)
    assert torch.equal(first.train.pixels, again.train.pixels)
    assert torch.equal(first.validation.labels, again.validation.labels)
    assert (first.mean, first.std, first.digest) == (again.mean, again.std, again.digest)


def test_the_digest_tells_data_and_rules_apart(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(tiny)
    assert load(tiny, 8).digest == first.digest, "one split, whatever the resolution"
    monkeypatch.setattr(split, "SPLIT_VERSION", 2)
    sources.load.cache_clear()
    second = load(tiny)
    content = (tiny / IMAGES).read_bytes()
    (tiny / IMAGES).write_bytes(content[:-1] + bytes((content[-1] ^ 1,)))
    sources.load.cache_clear()
    assert len({first.digest, second.digest, load(tiny).digest}) == 3


@pytest.mark.parametrize("chunk", [1, 5 * 28 * 28, 1 << 24])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [1, 8, 28, 40])
def test_resizing(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, resolution: int, channels: int, chunk: int
) -> None:
    monkeypatch.setattr(arrays, "CHUNK", chunk)
    plain, resized = load(tiny), load(tiny, resolution, channels)
    for before, after in zip(
        (plain.train, plain.validation), (resized.train, resized.validation), strict=True
    ):
        expected = functional.resize(before.pixels, [resolution, resolution], antialias=True)
        assert torch.equal(after.pixels, expected.expand(-1, channels, -1, -1))
        assert after.pixels.dtype == torch.uint8
        assert after.pixels.untyped_storage().nbytes() == len(after) * resolution**2
        assert torch.equal(after.labels, before.labels)
    mean = resized.train.pixels.double().mean().item() / 255
    spread = resized.train.pixels.double().std(correction=0).item() / 255
    assert resized.mean == (pytest.approx(mean),) * channels
    assert resized.std == (pytest.approx(spread),) * channels


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "resolution is 0, but must be at least 1"),
        ((28, 2), "channels is 2, but must be 1"),
    ],
)
def test_impossible_forms_are_refused(tiny: Path, arguments: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(tiny, *arguments)


def test_a_missing_file_is_named(tiny: Path) -> None:
    (tiny / LABELS).unlink()
    with pytest.raises(DataError) as caught:
        load(tiny)
    assert str(caught.value) == (
        f"{tiny / LABELS} can't be read: No such file or directory "
        f"(expected SHA-256 {DIGESTS[LABELS]}); "
        "put the original there, or let nas.datasets.find choose the directory"
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "doesn't begin as an IDX file of bytes in 1 dimensions"),
        (b"\0\0\x08\x01\0\0", "doesn't begin as an IDX file of bytes in 1 dimensions"),
        (b"\0\0\x0d\x01\0\0\0\0", "doesn't begin as an IDX file of bytes in 1 dimensions"),
        (b"\0\0\x08\x03" + bytes(12), "doesn't begin as an IDX file of bytes in 1 dimensions"),
        (b"\0\0\x08\x01\0\0\0\x3c" + bytes(59), "has 67 bytes where its header announces 68"),
        (b"\0\0\x08\x01\0\0\0\x3c" + bytes(61), "has 69 bytes where its header announces 68"),
    ],
)
def test_a_malformed_file_is_named_with_both_digests(
    tiny: Path, content: bytes, fault: str
) -> None:
    (tiny / LABELS).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(tiny)
    found = hashlib.sha256(content).hexdigest()
    assert str(caught.value).startswith(
        f"{tiny / LABELS} {fault}: expected SHA-256 {DIGESTS[LABELS]}, found {found}; "
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0] * 59, "has 60 images and 59 labels of train, but there must be 60 of each"),
        ([9] * 59 + [10], "label 10 is none of the 10 classes"),
        ([0] * 60, r"class 1 \(trouser\) has 0 images, but one in 6 is held out of each"),
    ],
)
def test_labels_that_cannot_be_split_are_refused(
    tiny: Path, labels: list[int], message: str
) -> None:
    write(tiny, LABELS, np.array(labels, np.uint8))
    with pytest.raises(DataError, match=message):
        load(tiny)
