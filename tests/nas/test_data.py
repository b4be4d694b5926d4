"""Tests of what is made of the raw files: split, resizing, order and batches."""

import hashlib
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional  # type: ignore[import-untyped]

from nas import data, download
from nas.data import Batches, Images, load, order
from nas.download import FILES, DataError

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"

EACH = 4
"""Images of each class in the tiny data: 3 to train, 1 to validate."""


def write(
    directory: Path, name: str, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    (directory / name).write_bytes(header + array.tobytes())


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """40 random training images in a directory, the first pixel of each its index; no test set."""
    monkeypatch.setattr(data, "TRAIN", 30)
    monkeypatch.setattr(data, "VALIDATION", 10)
    pixels = np.random.PCG64(1).random_raw(10 * EACH * 28 * 28).astype(np.uint8)
    pixels = pixels.reshape(-1, 28, 28)
    pixels[:, 0, 0] = np.arange(10 * EACH)
    write(tmp_path, IMAGES, pixels)
    write(tmp_path, LABELS, np.tile(np.arange(10, dtype=np.uint8), EACH))
    return tmp_path


@pytest.fixture(scope="module")
def real() -> Path:
    """The real data, fetched if this machine hasn't got it yet."""
    return download.find()


def test_the_real_split(real: Path, tmp_path: Path) -> None:
    for name in (IMAGES, LABELS):
        (tmp_path / name).symlink_to(real / name)
    dataset = load(tmp_path)  # which shows, too, that the test set isn't opened: it isn't there

    train, validation = dataset.train, dataset.validation
    assert (len(train), len(validation)) == (data.TRAIN, data.VALIDATION) == (50_000, 10_000)
    assert train.labels.bincount().tolist() == [5_000] * 10
    assert validation.labels.bincount().tolist() == [1_000] * 10
    raw = np.frombuffer((real / IMAGES).read_bytes(), np.uint8, offset=16).reshape(-1, 784)
    parts = [part.pixels.numpy().reshape(-1, 784) for part in (train, validation)]
    published = Counter(image.tobytes() for image in raw)
    assert (
        sum((Counter(image.tobytes() for image in part) for part in parts), Counter()) == published
    )

    assert dataset.mean == pytest.approx(raw.mean() / 255, abs=1e-3)
    assert dataset.std == pytest.approx(raw.std() / 255, abs=1e-3)
    assert dataset.mean == pytest.approx(parts[0].mean() / 255, abs=1e-12)
    assert dataset.std == pytest.approx(parts[0].std() / 255, abs=1e-9)
    # fixed for good: results of other versions are compared with those of this one
    assert dataset.digest == "e15bf406d24f3c05"
    assert hashlib.sha256(parts[1].tobytes()).hexdigest()[:16] == "6e2722970765484d"


def test_the_split_is_stratified_and_keeps_the_order(tiny: Path) -> None:
    dataset = load(tiny)
    indexes = [part.pixels[:, 0, 0, 0].tolist() for part in (dataset.train, dataset.validation)]
    assert sorted(indexes[0] + indexes[1]) == list(range(40))
    assert indexes == [sorted(part) for part in indexes]
    assert dataset.validation.labels.bincount().tolist() == [1] * 10
    for part, own in zip((dataset.train, dataset.validation), indexes, strict=True):
        assert part.labels.tolist() == [index % 10 for index in own]
        assert (part.pixels.dtype, part.labels.dtype) == (torch.uint8, torch.int64)


def test_loading_is_done_once_and_again_the_same(tiny: Path) -> None:
    first = load(tiny)
    assert load(tiny, 28) is load(tiny, resolution=28, channels=1) is first
    data._load.cache_clear()
    again = load(tiny)
    assert torch.equal(first.train.pixels, again.train.pixels)
    assert torch.equal(first.validation.labels, again.validation.labels)
    assert (first.mean, first.std, first.digest) == (again.mean, again.std, again.digest)


def test_the_digest_tells_data_and_rules_apart(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(tiny)
    assert load(tiny, 8).digest == first.digest, "one split, whatever the resolution"
    monkeypatch.setattr(data, "SPLIT_VERSION", 2)
    data._load.cache_clear()
    second = load(tiny)
    content = (tiny / IMAGES).read_bytes()
    (tiny / IMAGES).write_bytes(content[:-1] + bytes((content[-1] ^ 1,)))
    data._load.cache_clear()
    assert len({first.digest, second.digest, load(tiny).digest}) == 3


@pytest.mark.parametrize("chunk", [1, 5 * 28 * 28, 1 << 24])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [1, 8, 28, 40])
def test_resizing(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, resolution: int, channels: int, chunk: int
) -> None:
    monkeypatch.setattr(data, "CHUNK", chunk)
    plain, resized = load(tiny), load(tiny, resolution, channels)
    for before, after in zip(
        (plain.train, plain.validation), (resized.train, resized.validation), strict=True
    ):
        expected = functional.resize(before.pixels, [resolution, resolution], antialias=True)
        assert torch.equal(after.pixels, expected.expand(-1, channels, -1, -1))
        assert after.pixels.dtype == torch.uint8
        assert after.pixels.untyped_storage().nbytes() == len(after) * resolution**2
        assert torch.equal(after.labels, before.labels)
    assert resized.mean == pytest.approx(resized.train.pixels.double().mean().item() / 255)
    spread = resized.train.pixels.double().std(correction=0).item() / 255
    assert resized.std == pytest.approx(spread)


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
        f"(expected SHA-256 {FILES[LABELS]}); "
        "put the original there, or let nas.download.find choose the directory"
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "doesn't begin as an IDX file of bytes in 1 dimensions"),
        (b"\0\0\x08\x01\0\0", "doesn't begin as an IDX file of bytes in 1 dimensions"),
        (b"\0\0\x0d\x01\0\0\0\0", "doesn't begin as an IDX file of bytes in 1 dimensions"),
        (b"\0\0\x08\x03" + bytes(12), "doesn't begin as an IDX file of bytes in 1 dimensions"),
        (b"\0\0\x08\x01\0\0\0\x28" + bytes(39), "has 47 bytes where its header announces 48"),
        (b"\0\0\x08\x01\0\0\0\x28" + bytes(41), "has 49 bytes where its header announces 48"),
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
        f"{tiny / LABELS} {fault}: expected SHA-256 {FILES[LABELS]}, found {found}; "
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0] * 39, "has 40 training images and 39 labels, but there must be 40 of each"),
        ([9] * 39 + [10], "label 10 is none of the 10 classes"),
        ([0] * 40, r"class 1 \(trouser\) has 0 images, but 1 are held out of each"),
    ],
)
def test_labels_that_cannot_be_split_are_refused(
    tiny: Path, labels: list[int], message: str
) -> None:
    write(tiny, LABELS, np.array(labels, np.uint8))
    with pytest.raises(DataError, match=message):
        load(tiny)


counts = st.integers(1, 50)
budgets = st.integers(0, 200)
seeds = st.integers(0, 2**63 - 1)


@given(counts, budgets, budgets, seeds)
def test_a_smaller_budget_sees_the_beginning(count: int, one: int, two: int, seed: int) -> None:
    small, large = sorted((one, two))
    assert torch.equal(order(count, small, seed), order(count, large, seed)[:small])


@given(counts, budgets, seeds)
def test_an_epoch_sees_every_image_once(count: int, budget: int, seed: int) -> None:
    indexes = order(count, budget, seed)
    assert (indexes.dtype, indexes.shape) == (torch.int64, (budget,))
    for start in range(0, budget, count):
        epoch = indexes[start : start + count]
        assert len(set(epoch.tolist())) == len(epoch)
        assert epoch.min() >= 0
        assert epoch.max() < count


def test_orders_differ_by_seed_and_by_epoch() -> None:
    first, second = order(100, 200, seed=1).reshape(2, 100)
    assert not torch.equal(first, second)
    assert not torch.equal(first, order(100, 100, seed=2))


def test_drawing_an_order_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    order(10, 10, seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_impossible_orders_are_refused() -> None:
    with pytest.raises(ValueError, match="count is 0, but an order needs at least 1 image"):
        order(0, 5, seed=0)
    with pytest.raises(ValueError, match="budget is -1 images, but can't be negative"):
        order(5, -1, seed=0)


@given(budgets, st.integers(1, 60), st.booleans())
def test_batches_are_consecutive_pieces_of_the_order(
    budget: int, batch_size: int, drop_last: bool
) -> None:
    pixels = torch.arange(20, dtype=torch.uint8).reshape(20, 1, 1, 1).expand(-1, 3, 2, 2)
    images = Images(pixels, torch.arange(20) + 100)
    indexes = order(20, budget, seed=3)
    batches = Batches(images, indexes, batch_size, drop_last)
    seen = list(batches)
    assert len(seen) == len(batches) == len(list(batches))
    whole = budget - budget % batch_size if drop_last else budget
    assert [index for _, labels in seen for index in (labels - 100).tolist()] == (
        indexes[:whole].tolist()
    )
    for position, (chosen, labels) in enumerate(seen):
        assert len(labels) == min(batch_size, whole - position * batch_size) > 0
        assert torch.equal(chosen, images.pixels[labels - 100])
        assert (chosen.dtype, labels.dtype) == (torch.uint8, torch.int64)


def test_a_batch_size_below_one_is_refused() -> None:
    images = Images(torch.zeros(1, 1, 1, 1, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(ValueError, match="batch_size is 0, but must be at least 1"):
        Batches(images, order(1, 1, seed=0), 0)
