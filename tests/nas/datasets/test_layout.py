"""Which folders are splits, which are classes, and what looks like a split and can't be one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nas.datasets import DataError
from nas.datasets.layout import lay_out

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A folder with these folders in it, one image in each that is a class."""

    def made(*paths: str) -> Path:
        for path in paths:
            (tmp_path / path).mkdir(parents=True)
            (tmp_path / path / "1.png").touch()
        return tmp_path

    return made


def in_each(*splits: str) -> list[str]:
    return [f"{split}/{name}" for split in splits for name in "ab"]


@pytest.mark.parametrize(
    "splits",
    [
        {"train": "train"},
        {"train": "Training", "test": "Testing"},
        {"train": "Train", "val": "Val", "test": "Test"},
        {"train": "train", "test": "Test"},
        {"train": "TRAIN", "val": "Validation", "test": "TESTING"},
        {"train": "seg_train", "test": "seg_test"},
        {"train": "train1", "test": "test1"},
        {"train": "TrainingSet", "val": "valid-set", "test": "testset"},
        {"train": "training_data", "val": "dev", "test": "test_data"},
        {"train": "images (train)", "test": "images (test)"},
        {"train": "01 Train", "test": "01-test"},
    ],
    ids=lambda splits: " ".join(splits.values()),
)
def test_splits_are_known_by_their_usual_names(make: Make, splits: dict[str, str]) -> None:
    root = make(*in_each(*splits.values()))
    found = lay_out(root)
    assert found.classes == ("a", "b")
    assert found.places == {part: root / name for part, name in splits.items()}


@pytest.mark.parametrize(
    "classes",
    [
        ("bus", "train", "test"),
        ("train", "tram"),
        ("testudo", "trainer", "valley"),
        ("test tube/x", "beaker/y"),
        ("val d'or/x", "davos/y"),
    ],
)
def test_classes_may_be_called_so_too(make: Make, classes: tuple[str, ...]) -> None:
    root = make(*classes)
    found = lay_out(root)
    assert found.places == {"train": root}
    assert found.classes == tuple(sorted(name.split("/")[0] for name in classes))


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["train", "test"], "'test' (test), 'train' (train) of ROOT look like splits, but have no"),
        (["Training", "Validation"], "have no folders of classes; put one folder a class into"),
        (["train1", "test1"], "put one folder a class into each"),
        (in_each("Testing", "Validation"), "none with folders of classes is for training"),
        (in_each("val", "images"), "none with folders of classes is for training; name the one"),
        (
            in_each("train", "test1"),
            "their names are not made alike; rename them to train, val and",
        ),
        (in_each("train", "Train"), "has both Train and train; leave one of them"),
        (in_each("train", "val", "valid"), "has both val and valid; leave one of them"),
        (in_each("train", "train_val", "test"), "looks like the splits train and val at once"),
        (in_each("train", "trainval"), "looks like the splits train and val at once; rename"),
        (in_each("train", "test", "holdout"), "'ROOT/holdout' has classes of 'ROOT/train' ('a', "),
        (
            [*in_each("train"), "car", "bus"],
            "'ROOT/train' looks like the split for training, but 'bus', 'car' beside it is neither",
        ),
        ([*in_each("train"), "unlabeled"], "give folder:ROOT/train to use it alone, rename it if"),
        (["train/a", "train/b", "test/a", "test/c"], "only one has 'b', 'c'; rename, fill or rem"),
        ([*in_each("train"), "test"], "must have the same classes; only one has 'a', 'b'; rename"),
        (["data/train/a", "data/test/a"], "it needs two, or give the folder 'ROOT/data'"),
    ],
)
def test_what_looks_like_a_split_and_is_none_is_refused(
    make: Make, paths: list[str], words: str
) -> None:
    root = make(*paths)
    with pytest.raises(DataError) as caught:
        lay_out(root)
    said = str(caught.value).replace(str(root), "ROOT").replace("'ROOT'", "ROOT")
    assert words in said
    assert "\n" not in said


def test_what_lies_beside_splits_and_classes_is_named(make: Make) -> None:
    root = make(*in_each("train", "test"), "unlabeled", ".git")
    (root / "notes.txt").touch()
    (root / "train" / "labels.csv").touch()
    found = {str(path.relative_to(root)): reason for path, reason in lay_out(root).left_out}
    assert found == {
        ".git": "hidden",
        "unlabeled": "beside the splits",
        "notes.txt": "beside the folders of classes",
        "train/labels.csv": "beside the folders of classes",
    }


def test_names_that_look_alike_are_told_apart(make: Make) -> None:
    composed, decomposed = (
        "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
        "cafe\N{COMBINING ACUTE ACCENT}",
    )
    root = make(f"train/{composed}", "train/tea", f"test/{decomposed}", "test/tea")
    with pytest.raises(DataError) as caught:
        lay_out(root)
    assert f"'{composed}' (U+0063 U+0061 U+0066 U+00E9)" in str(caught.value)
    assert f"'{decomposed}' (U+0063 U+0061 U+0066 U+0065 U+0301)" in str(caught.value)
