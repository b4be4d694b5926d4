"""Data sets of torchvision: digests, formats, the cache; small files stand in for the originals.

What is read is compared with what torchvision reads from the same files.
"""

import gzip
import hashlib
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import datasets as theirs  # type: ignore[import-untyped]

from nas.datasets import (
    DATASETS,
    DataError,
    cache,
    download,
    find,
    load,
    load_test,
    published,
    sources,
)
from nas.datasets.found import Reading
from nas.datasets.sources import FOLDER, TORCHVISION, full_name

NAMES = [name for name, source in DATASETS.items() if source.form]
Publish = Callable[[str, Path], tuple[Any, Any, Any, Any]]


@pytest.mark.parametrize("name", NAMES)
def test_images_are_split_kept_and_found_again(name: str, publish: Publish, tmp_path: Path) -> None:
    pixels, labels, test_pixels, test_labels = publish(name, tmp_path / "raw")
    source = DATASETS[name]
    found = find(name, tmp_path / "raw")
    assert (found.name, found.classes, found.channels) == (name, source.classes, source.channels)
    assert find(name) == found, "from the cache, since nothing can be fetched"

    side, count = pixels.shape[2], len(source.classes)
    data = load(Reading(name, found.directory, side, source.channels))
    assert data.digest == found.digest
    assert data.classes == found.classes
    assert len(data.mean) == len(data.std) == source.channels
    assert data.train.labels.bincount().tolist() == [10] * count
    assert data.validation.labels.bincount().tolist() == [2] * count
    both = torch.cat([data.train.pixels, data.validation.pixels]).numpy()
    assert sorted(map(bytes, both)) == sorted(map(bytes, pixels))
    for part in (data.train, data.validation):
        known = {bytes(image): label for image, label in zip(pixels, labels, strict=True)}
        assert [known[bytes(image)] for image in part.pixels.numpy()] == part.labels.tolist()

    test = load_test(Reading(name, found.directory, side, source.channels))
    assert np.array_equal(test.pixels.numpy(), test_pixels)
    assert test.labels.tolist() == test_labels.tolist()


def test_colour_has_a_mean_for_each_channel_and_may_be_gray(
    publish: Publish, tmp_path: Path
) -> None:
    publish("cifar10", tmp_path)
    directory = find("cifar10", tmp_path).directory
    data = load(Reading("cifar10", directory, 16, 3))
    for channel in range(3):
        values = data.train.pixels[:, channel].double() / 255
        assert data.mean[channel] == pytest.approx(values.mean().item())
        assert data.std[channel] == pytest.approx(values.std(correction=0).item())
    assert len(set(data.mean)) == 3
    gray = load(Reading("cifar10", directory, 32, 1))
    assert gray.train.pixels.shape[1:] == (1, 32, 32)
    assert len(gray.mean) == 1
    assert gray.digest == data.digest


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_or_missing_file_is_named_with_its_digests(
    name: str, publish: Publish, tmp_path: Path
) -> None:
    publish(name, tmp_path / "raw")
    path, expected = list(DATASETS[name].files.items())[-1]
    file = tmp_path / "raw" / path
    altered = file.read_bytes()[:-1] + b"!"
    file.write_bytes(altered)
    with pytest.raises(DataError) as caught:
        find(name, tmp_path / "raw")
    found = hashlib.md5(altered).hexdigest()
    assert (
        f"--data-dir: {file} is altered or truncated: expected MD5 {expected}, found {found}"
        in (str(caught.value))
    )
    file.unlink()
    with pytest.raises(DataError, match=f"{file} is missing .expected MD5 {expected}"):
        find(name, tmp_path / "raw")


class Planted:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_planted_pickle_is_never_run(
    trusted: bool, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("cifar10", tmp_path / "raw")
    content = pickle.dumps({"data": Planted(tmp_path / "run"), "labels": []})
    path = "cifar-10-batches-py/data_batch_3"
    (tmp_path / "raw" / path).write_bytes(content)
    if trusted:  # as if someone had found another file of the same MD5
        source = DATASETS["cifar10"]
        files = {**source.files, path: hashlib.md5(content).hexdigest()}
        monkeypatch.setitem(DATASETS, "cifar10", replace(source, files=files))
    with pytest.raises(pickle.UnpicklingError if trusted else DataError):
        find("cifar10", tmp_path / "raw")
    assert not (tmp_path / "run").exists()
    pickle.loads(content)
    assert (tmp_path / "run").exists(), "the pickle would have done it"


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100"])
def test_torchvision_itself_unpickles_nothing_of_another_digest(name: str, tmp_path: Path) -> None:
    made = getattr(theirs, name)
    folder = tmp_path / made.base_folder
    folder.mkdir()
    for file, _ in made.train_list + made.test_list:
        (folder / file).write_bytes(pickle.dumps(Planted(tmp_path / "run")))
    with pytest.raises(RuntimeError, match="corrupted"):
        made(str(tmp_path))
    assert not (tmp_path / "run").exists()


def test_the_tables_digests_and_classes_are_torchvisions() -> None:
    for name in ("mnist", "kmnist"):
        made = getattr(theirs, DATASETS[name].torchvision[0])
        assert list(DATASETS[name].files.values()) == [digest for _, digest in made.resources]
        assert [Path(path).name for path in DATASETS[name].files] == [f for f, _ in made.resources]
    assert list(DATASETS["emnist"].files.values()) == [theirs.EMNIST.md5]
    assert list(DATASETS["emnist"].classes) == theirs.EMNIST.classes_split_dict["balanced"]
    assert list(DATASETS["kmnist"].classes) == theirs.KMNIST.classes
    for name in ("cifar10", "cifar100"):
        made = getattr(theirs, DATASETS[name].torchvision[0])
        listed = {
            f"{made.base_folder}/{f}": digest for f, digest in made.train_list + made.test_list
        }
        assert DATASETS[name].files == listed
    svhn = theirs.SVHN.split_list
    assert DATASETS["svhn"].files == {svhn[part][1]: svhn[part][2] for part in ("train", "test")}
    assert len(set(DATASETS["cifar100"].classes)) == 100
    assert sorted(DATASETS["cifar100"].classes) == list(DATASETS["cifar100"].classes)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn"])
def test_torchvision_reads_the_same(
    name: str, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(name, tmp_path)
    made = getattr(theirs, DATASETS[name].torchvision[0])
    monkeypatch.setattr(made, "_check_integrity", lambda self: True)
    monkeypatch.setattr(made, "_load_meta", lambda self: None, raising=False)
    directory = find(name, tmp_path).directory
    options = {"split": "test"} if name == "svhn" else {"train": False}
    read = made(str(tmp_path), **options)
    test = load_test(Reading(name, directory, 32, 3))
    pixels = read.data if name == "svhn" else read.data.transpose(0, 3, 1, 2)
    labels = read.labels if name == "svhn" else read.targets
    assert np.array_equal(test.pixels.numpy(), pixels)
    assert test.labels.tolist() == list(labels)


def test_torchvision_reads_emnist_transposed_and_downloads_where_it_is_looked_for(
    publish: Publish, tmp_path: Path
) -> None:
    _, _, upright, labels = publish("emnist", tmp_path)
    # torchvision downloads nothing if its files are there: all runs but its connection
    raw = tmp_path / "EMNIST" / "raw"
    with zipfile.ZipFile(raw / "gzip.zip") as archive:
        for file in archive.namelist():
            content = gzip.decompress(archive.read(file))
            (raw / Path(file).stem).write_bytes(content)
    assert download.torchvision(tmp_path, DATASETS["emnist"]) == tmp_path
    read = theirs.EMNIST(str(tmp_path), "balanced", train=False)
    assert np.array_equal(read.data.numpy().swapaxes(1, 2), upright[:, 0])
    assert read.targets.tolist() == labels.tolist()


def test_a_damaged_cache_is_refused_by_workers_and_made_anew(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("mnist", tmp_path / "raw")
    found = find("mnist", tmp_path / "raw")
    file = Path(found.directory) / published.FILE
    good = file.read_bytes()
    for content in (b"", good[:-1], good[:-1] + bytes((good[-1] ^ 1,)), b"{}" * 100):
        file.write_bytes(content)
        with pytest.raises(DataError, match="is damaged"):
            load(Reading("mnist", found.directory, 9, 1))
        monkeypatch.setitem(download.ROUTES, TORCHVISION, lambda *_: tmp_path / "raw")
        assert find("mnist") == found
        load(Reading("mnist", found.directory, 9, 1))
        sources.load.cache_clear()
    before = file.stat().st_ino
    find("mnist", tmp_path / "raw")
    assert file.stat().st_ino == before, "a good file is left alone"


def test_a_cache_of_other_files_is_made_anew(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("mnist", tmp_path / "raw")
    first = find("mnist", tmp_path / "raw")
    path = "MNIST/raw/train-labels-idx1-ubyte.gz"
    content = gzip.compress(gzip.decompress((tmp_path / "raw" / path).read_bytes()), 1)
    (tmp_path / "raw" / path).write_bytes(content)
    files = {**DATASETS["mnist"].files, path: hashlib.md5(content).hexdigest()}
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], files=files))
    with pytest.raises(DataError, match="was made of other files"):
        load(Reading("mnist", first.directory, 10, 1))
    assert find("mnist", tmp_path / "raw") == first, "the same images"


def test_what_cannot_be_fetched_says_how_to_do_it_by_hand(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> Path:
        raise DataError("torchvision failed: the line is dead")

    monkeypatch.setitem(download.ROUTES, TORCHVISION, failing)
    with pytest.raises(DataError) as caught:
        find("svhn")
    assert "no source has svhn:\n  the cache: " in str(caught.value)
    assert "the line is dead" in str(caught.value)
    assert "Fetch train_32x32.mat, test_32x32.mat by hand" in str(caught.value)


def test_an_unwritable_cache_is_known_before_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_bytes(b"")
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setitem(download.ROUTES, TORCHVISION, lambda *_: pytest.fail("fetched in vain"))
    with pytest.raises(DataError, match=r"can't write the cache .*Not a directory\. Set INCEPTION"):
        find("cifar100")


@pytest.mark.parametrize("name", ["imagenet", "folder", "folder:", "mnist:x", ""])
def test_an_unknown_name_lists_the_data_sets(name: str) -> None:
    with pytest.raises(ValueError, match=r"choose one of: fashion-mnist, mnist, .*, folder:PATH"):
        find(name)


def test_a_folder_is_named_by_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert full_name("folder:a/../b:c") == f"{FOLDER}:{tmp_path}/b:c"
    assert full_name("mnist") == "mnist"
