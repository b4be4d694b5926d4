"""Tests of numbers in words."""

import pytest

from studies.wording import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 trials"), (1, "1 trial"), (2, "2 trials"), (2000, "2,000 trials")]
)
def test_only_one_is_singular(number: int, words: str) -> None:
    assert counted(number, "trial") == words


def test_an_odd_plural_is_given() -> None:
    assert counted(1, "class", "classes") == "1 class"
    assert counted(10, "class", "classes") == "10 classes"
