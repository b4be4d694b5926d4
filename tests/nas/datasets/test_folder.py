"""A folder of one's own images: layouts, the split by content, the digest, and every bad image."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.datasets import DataError, find, folder, load, load_test, sources
from nas.datasets.found import Reading, shown


@pytest.fixture(autouse=True)
def _fresh(own_cache: Path) -> None:
    sources.load.cache_clear()


def picture(path: Path, level: int, mode: str = "L") -> None:
    """Write an image that is known by its level, 0..255."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8 + level % 5, 8), level).convert(mode).save(path)


def classes(root: Path, levels: dict[str, Iterable[int]], mode: str = "L") -> Path:
    for name, some in levels.items():
        for level in some:
            picture(root / name / f"{level}.png", level, mode)
    return root


def levels(root: Path) -> dict[str, list[list[int]]]:
    """What each part holds: of each class the levels, sorted."""
    found = find(f"folder:{root}")
    data = load(found.reading(8, 1))
    assert data.digest == found.digest
    assert data.classes == found.classes
    parts = {"train": data.train, "val": data.validation}
    parts["test"] = load_test(found.reading(8, 1))
    return {
        part: [
            sorted(images.pixels[images.labels == label, 0, 0, 0].tolist())
            for label in range(len(found.classes))
        ]
        for part, images in parts.items()
    }


CATS, DOGS = range(12), range(100, 118)


def test_a_sixth_of_each_class_is_held_out_twice(tmp_path: Path) -> None:
    root = classes(tmp_path / "my pets", {"dogs": DOGS, "cats": CATS})
    found = find(f"folder:{root}")
    assert (found.name, found.directory) == (f"folder:{root}", str(root))
    assert (found.classes, found.channels) == (("cats", "dogs"), 1)
    parts = levels(root)
    assert [[len(some) for some in parts[part]] for part in ("train", "val", "test")] == [
        [8, 12],
        [2, 3],
        [2, 3],
    ]
    for label, every in enumerate((CATS, DOGS)):
        held = [level for part in parts.values() for level in part[label]]
        assert sorted(held) == list(every)


def test_the_split_goes_by_content_alone(tmp_path: Path) -> None:
    first = classes(tmp_path / "a", {"cats": CATS, "dogs": DOGS})
    before, digest = levels(first), find(f"folder:{first}").digest
    second = shutil.copytree(first, tmp_path / "b")
    assert find(f"folder:{second}").digest == digest, "wherever it lies"
    (second / "cats" / "3.png").rename(second / "cats" / "renamed.PNG")
    assert levels(second) == before
    renamed = find(f"folder:{second}").digest
    picture(second / "cats" / "3.png", 50)
    assert len({digest, renamed, find(f"folder:{second}").digest}) == 3


def test_equal_images_stay_on_one_side(tmp_path: Path) -> None:
    root = classes(tmp_path, {"cats": CATS, "dogs": [*DOGS, *range(6)]})
    for level in CATS:
        shutil.copy(root / "cats" / f"{level}.png", root / "cats" / f"again {level}.png")
    parts = levels(root)
    sides = [{level for some in parts[part] for level in some} for part in parts]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 30
    assert all(Counter(parts[part][0])[level] in (0, 2) for part in parts for level in CATS)
    assert all(some for part in parts for some in parts[part])


@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_folders_of_the_parts_are_the_split(tmp_path: Path, validation: str) -> None:
    classes(tmp_path / "train", {"a": [1, 2], "b": [3]})
    classes(tmp_path / validation, {"a": [4], "b": [5, 6]})
    classes(tmp_path / "test", {"a": [7], "b": [8]})
    assert levels(tmp_path) == {
        "train": [[1, 2], [3]],
        "val": [[4], [5, 6]],
        "test": [[7], [8]],
    }


def test_a_part_without_a_folder_is_held_out_of_train(tmp_path: Path) -> None:
    classes(tmp_path / "train", {"a": range(12), "b": range(20, 32)})
    classes(tmp_path / "test", {"a": [40], "b": [41]})
    parts = levels(tmp_path)
    assert parts["test"] == [[40], [41]]
    assert [len(some) for some in parts["val"]] == [2, 2]
    assert [len(some) for some in parts["train"]] == [10, 10]


def test_trains_may_be_a_class(tmp_path: Path) -> None:
    root = classes(tmp_path, {"train": range(3), "test": range(10, 13), "bus": range(20, 23)})
    assert find(f"folder:{root}").classes == ("bus", "test", "train")


def test_files_beside_classes_and_hidden_ones_do_not_count(tmp_path: Path) -> None:
    root = classes(tmp_path, {"a": range(3), "b": range(10, 13), "a/deep/er": [3, 4]})
    digest = find(f"folder:{root}").digest
    for name in ("notes.txt", "x.png", ".hidden/1.png", "a/.ds.png", "a/readme.md"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("nothing")
    assert find(f"folder:{root}").digest == digest
    assert sum(len(some) for some in zip(*levels(root).values(), strict=True)) == 6
    assert sum(len(part[0]) for part in levels(root).values()) == 5


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("1", 1), ("LA", 1), ("RGB", 3), ("P", 3)]
)
def test_one_colour_image_makes_a_folder_colour(tmp_path: Path, mode: str, channels: int) -> None:
    root = classes(tmp_path, {"a": range(3), "b": range(10, 13)})
    picture(root / "a" / "x.png", 77, mode)
    for _ in range(2):  # once looked at, once remembered
        found = find(f"folder:{root}")
        assert found.channels == channels
    data = load(found.reading(8, 3))
    assert data.train.pixels.shape[1:] == (3, 8, 8)
    assert len(data.mean) == len(data.std) == 3


def test_mean_and_std_are_those_of_the_training_images(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(9):
            pixels = chance.integers(0, 256, (9, 9, 3), dtype=np.uint8)
            pixels[:, :, 2] = 7
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    data = load(Reading(f"folder:{tmp_path}", str(tmp_path), 9, 3))
    values = data.train.pixels.double() / 255
    assert data.mean == pytest.approx(values.mean((0, 2, 3)).tolist())
    std = values.std((0, 2, 3), correction=0).tolist()
    assert data.std == pytest.approx([*std[:2], 1 / 255]), "no channel is divided by nothing"


def test_images_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = classes(tmp_path, {"a": range(3), "b": range(10, 13)})
    found = find(f"folder:{root}")
    first = load(found.reading(8, 1))
    monkeypatch.setattr(folder, "examine", lambda *_: pytest.fail("again"))
    monkeypatch.setattr(folder, "look_at", lambda *_: pytest.fail("again"))
    assert load(Reading(found.name, str(root), 8, 1)) is first
    assert find(f"folder:{root}") == found


def test_images_that_change_after_they_were_looked_through_are_an_error(tmp_path: Path) -> None:
    root = classes(tmp_path, {"a": range(3), "b": range(10, 13)})
    found = find(f"folder:{root}")
    picture(root / "a" / "1.png", 200)
    with pytest.raises(DataError, match="have changed since they were looked through"):
        sources.load_found(found, 8, 1)
    with pytest.raises(DataError, match="its test may hold some that were trained on"):
        load_test(found.reading(8, 1), digest=found.digest)


def refused(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        find(f"folder:{root}")
    assert "\n" not in str(caught.value)
    return str(caught.value)


BAD = "a\nnew.png"


def test_all_bad_images_are_listed_at_once(tmp_path: Path) -> None:
    root = classes(tmp_path, {"a": range(3), "b é": range(10, 13)})
    (root / "a" / BAD).write_bytes(b"text")
    (root / "b é" / "empty.jpg").write_bytes(b"")
    whole = (root / "a" / "1.png").read_bytes()
    (root / "b é" / "cut.png").write_bytes(whole[:-20])
    (root / "a" / "gone.png").symlink_to("nowhere")
    os.mkfifo(root / "a" / "pipe.png")
    words = refused(root)
    assert words.startswith("5 of 11 images can't be used: ")
    assert f"{shown(root / 'a' / BAD)} is no image" in words
    assert f"{shown(root / 'b é' / 'empty.jpg')} is empty" in words
    assert "cut.png' can't be decoded" in words
    assert "gone.png' isn't there" in words
    assert "pipe.png' isn't a file" in words


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    root = classes(tmp_path, {"a": range(3), "b": range(10, 13)})
    for number in range(25):
        (root / "a" / f"bad {number:02}.png").write_bytes(b"")
    words = refused(root)
    assert words.startswith("25 of 31 images can't be used: ")
    assert words.count("is empty") == 10
    assert words.endswith(" and 15 more; repair or remove each of them")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda root: shutil.rmtree(root),
            "isn't there; give a folder that has one folder",
        ),
        (lambda root: (shutil.rmtree(root), root.touch()), "is a file; give a folder"),
        (lambda root: shutil.rmtree(root / "a"), "has one class alone, 'b'; it needs two"),
        (
            lambda root: [shutil.rmtree(root / name) for name in "ab"],
            "has no folders; it needs one for each class",
        ),
        (lambda root: [(root / name).mkdir() for name in ("c d", "e")], "/c d', '"),
        (
            lambda root: [(root / "c").mkdir(), (root / "c" / "x.txt").touch()],
            "there is no image (png, ",
        ),
        (
            lambda root: classes(root, {"c": [41, 42], "d": [51], "e": [30, 31, 32]}),
            "fewer than 3 different images of their own, one each for training, test, val: "
            "'c' (2), 'd' (1)",
        ),
        (
            lambda root: [picture(root / "c" / f"{number}.png", 9) for number in range(9)],
            "'c' (1)",
        ),
        (
            lambda root: [
                classes(root / "train", {"a": [1, 2], "b": [3, 4]}),
                classes(root / "val", {"a": [1], "c": [3]}),
            ],
            "must have the same classes; only one has 'b', 'c'",
        ),
        (
            lambda root: [
                classes(root / part, {"a": [1], "b": [3]}) for part in ("train", "val", "valid")
            ],
            "has both val and valid; leave one of them",
        ),
    ],
)
def test_what_is_no_folder_of_classes_says_so(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    root = classes(tmp_path / "x", {"a": range(3), "b": range(10, 13)})
    make(root)
    assert words in refused(root)


def test_all_empty_classes_are_listed(tmp_path: Path) -> None:
    root = classes(tmp_path, {"a": range(3)})
    for number in range(4):
        (root / f"e{number}").mkdir()
    words = refused(root)
    assert all(shown(root / f"e{number}") in words for number in range(4))


def test_circles_of_links_end(tmp_path: Path) -> None:
    root = classes(tmp_path / "x", {"a": range(3), "b": range(10, 13)})
    digest = find(f"folder:{root}").digest
    (root / "a" / "deep").mkdir()
    (root / "a" / "deep" / "up").symlink_to(root / "a", target_is_directory=True)
    (root / "a" / "self").symlink_to("self")
    (root / "a" / "here").symlink_to(".")
    assert find(f"folder:{root}").digest == digest
    (root / "a" / "deep" / "all").symlink_to(root, target_is_directory=True)
    assert "'b' (3, 3 of them in other classes too)" in refused(root)


def test_linked_classes_and_files_count(tmp_path: Path) -> None:
    away = classes(tmp_path / "away", {"a": range(3), "b": range(10, 13)})
    root = tmp_path / "x"
    root.mkdir()
    (root / "a").symlink_to(away / "a")
    (root / "b").mkdir()
    for file in (away / "b").iterdir():
        (root / "b" / file.name).symlink_to(file)
    assert find(f"folder:{root}").digest == find(f"folder:{away}").digest


def test_names_of_classes_may_be_anything(tmp_path: Path) -> None:
    names = ["with space", "двa", "new\nline", os.fsdecode(b"\xff"), "e\N{COMBINING ACUTE ACCENT}"]
    root = classes(tmp_path, {name: [9 * i, 9 * i + 1, 9 * i + 2] for i, name in enumerate(names)})
    found = find(f"folder:{root}")
    assert found.classes == tuple(sorted(names))
    assert load(found.reading(8, 1)).classes == found.classes
    (root / "new\nline" / "1.png").write_bytes(b"")
    assert "new\\nline/1.png" in refused(root)


def test_data_dir_is_for_the_others(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leave out --data-dir"):
        find(f"folder:{tmp_path}", tmp_path)


def test_an_unwritable_cache_only_costs_time(tmp_path: Path, own_cache: Path) -> None:
    own_cache.write_bytes(b"")
    root = classes(tmp_path / "x", {"a": range(3), "b": range(10, 13)})
    assert find(f"folder:{root}") == find(f"folder:{root}")


def test_labels_and_pixels_are_of_the_right_kind(tmp_path: Path) -> None:
    root = classes(tmp_path, {"a": range(3), "b": range(10, 13)})
    data = load(Reading(f"folder:{root}", str(root), 8, 1))
    assert (data.train.pixels.dtype, data.train.labels.dtype) == (torch.uint8, torch.int64)
