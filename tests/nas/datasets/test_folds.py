"""Folds: every image is validated on at most once, and never in the run that trained on it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.datasets import Dataset, Images
from nas.datasets.arrays import mean_std
from nas.datasets.folds import fold_of, most_folds


def made(train: list[tuple[int, int]], validation: list[tuple[int, int]]) -> Dataset:
    """Images of one value each, by value and label; validation has values that train lacks."""

    def images(some: list[tuple[int, int]]) -> Images:
        pixels = torch.tensor([value for value, _ in some], dtype=torch.uint8)
        labels = torch.tensor([label for _, label in some])
        return Images(pixels[:, None, None, None].expand(-1, 1, 2, 2), labels)

    mean, std = mean_std(images(train).pixels)
    return Dataset(images(train), images(validation), ("a", "b", "c"), mean, std, "d")


def values(images: Images) -> list[tuple[int, int]]:
    return list(zip(images.pixels[:, 0, 0, 0].tolist(), images.labels.tolist(), strict=True))


LABEL = st.integers(0, 2)


@given(
    st.lists(st.tuples(st.integers(0, 99), LABEL), min_size=12, max_size=60),
    st.lists(st.tuples(st.integers(100, 120), LABEL), min_size=3, max_size=12),
)
def test_folds_are_apart_and_nothing_is_lost(
    train: list[tuple[int, int]], validation: list[tuple[int, int]]
) -> None:
    dataset = made(train, validation)
    folds = most_folds(len(train), len(validation))
    seen: set[int] = set()
    for fold in range(folds):
        found = fold_of(dataset, fold)
        held_out, rest = values(found.validation), values(found.train)
        assert sorted(held_out + rest) == sorted(train + validation)
        of_values = {value for value, _ in held_out}
        assert not of_values & {value for value, _ in rest}, "equal images stay together"
        assert not of_values & seen, "none is validated on twice"
        seen |= of_values
        if rest:
            assert (found.mean, found.std) == mean_std(found.train.pixels)
    assert seen == {value for value, _ in train + validation}, "all of them are validated on"


def test_each_fold_has_its_share_of_each_class() -> None:
    train = [(value, value % 3) for value in range(60)]
    dataset = made(train, [(100 + value, value % 3) for value in range(15)])
    assert most_folds(60, 15) == 5
    for fold in range(5):
        counts = np.bincount(fold_of(dataset, fold).validation.labels.numpy())
        assert counts.tolist() == [5, 5, 5]


def test_the_first_fold_is_the_split_itself_and_there_are_only_so_many() -> None:
    dataset = made([(value, value % 3) for value in range(60)], [(100, 0), (101, 1), (102, 2)] * 5)
    assert fold_of(dataset, 0) is dataset
    for fold in (-1, 5):
        with pytest.raises(ValueError, match=f"fold is {fold}"):
            fold_of(dataset, fold)
