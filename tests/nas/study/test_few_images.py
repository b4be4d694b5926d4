"""Few images: budgets in epochs of what there is, and what is said before work begins."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from nas import Settings, run_study
from nas.settings import BUDGET, DEFAULT_BUDGETS, check_budgets
from nas.study.few_images import MOST_EPOCHS, following

Run = Callable[..., tuple[int, str, str]]


def write(root: Path, counts: dict[int, int], mode: str = "L") -> Path:
    """Real handwritten digits, so many of each class."""
    known = load_digits()
    pixels = (known.images * 15.9).astype(np.uint8)
    for label, count in counts.items():
        (root / f"d{label}").mkdir(parents=True)
        for number in np.flatnonzero(known.target == label)[:count]:
            Image.fromarray(pixels[number]).convert(mode).save(root / f"d{label}/{number}.png")
    return root


@given(st.integers(1, 10**6))
def test_default_budgets_are_never_more_epochs_than_that(train: int) -> None:
    found = following(DEFAULT_BUDGETS, None, 4.0, train)
    check_budgets(found)
    assert found[-1] <= max(MOST_EPOCHS * train, BUDGET[0])
    assert found == DEFAULT_BUDGETS or found[-1] == max(MOST_EPOCHS * train, BUDGET[0])
    assert len(found) <= len(DEFAULT_BUDGETS)


def test_what_was_asked_for_or_begun_stays() -> None:
    assert following((128, 10_000), None, 4.0, 12) == (128, 10_000)
    assert following(DEFAULT_BUDGETS, Settings(), 4.0, 12) == DEFAULT_BUDGETS


SAID = [
    (
        {0: 6, 1: 6, 2: 6},
        "L",
        [
            "2 rungs of 150, 600 images: 12, 50 epochs of the 12 for training",
            "cross-validation: each network is trained 5 times, and each time validated on others "
            "of the images, about 15 in all (--folds)",
            "note: there are about 15 validation images, so few that 14 of them right mean an "
            "accuracy of 70% to 99%",
            "note: 3 classes have fewer than 10 images for training: 'd0' (4), 'd1' (4), 'd2' (4)",
        ],
    ),
    (
        {0: 120, 1: 110, 2: 3},
        "RGB",
        [
            "note: 1 class has fewer than 10 images for training: 'd2' (1)",
            "note: 'd0' has 80 images for training and 'd2' 1: accuracy counts images",
            "note: images are stored in colour, and the 24 that were looked at show gray",
        ],
    ),
]


@pytest.mark.parametrize(("counts", "mode", "lines"), SAID)
def test_what_few_images_mean_is_said(
    nas_in: Run, tmp_path: Path, counts: dict[int, int], mode: str, lines: list[str]
) -> None:
    write(tmp_path / "few", counts, mode)
    command = ("run", "--dataset", "folder:few", "--trials", "1", "--workers", "0")
    code, _, said = nas_in(*command, "--resolution", "8", "--max-params", "1k")
    assert code == 0, said
    for line in lines:
        assert line in said
    code, out, said = nas_in("pareto", "--json")
    best = json.loads(out)["best_up_to"][0]
    assert best["high"] - best["low"] > 0.03  # as little as is known
    # The same command goes on with the same budgets.
    code, _, said = nas_in(
        *command[:4], "2", *command[5:], "--resolution", "8", "--max-params", "1k"
    )
    assert code == 0, said


def test_from_python_too_and_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "few", {0: 9, 1: 9})
    monkeypatch.chdir(tmp_path)
    settings = Settings(dataset=f"folder:{root}", resolution=8, max_params=1_000)
    for trials in (1, 2):
        result = run_study(settings, trials=trials, workers=0, progress=False)
    from studies.store import open_store

    store = open_store(result.storage)
    assert store.study(result.name)["settings"]["budgets"] == [175, 700]
    store.close()


def test_many_images_in_true_colour_have_no_notes(nas_in: Run, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for label in range(2):
        (tmp_path / f"many/{label}").mkdir(parents=True)
        for number in range(40):
            pixels = generator.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"many/{label}/{number}.png")
    command = ("run", "--dataset", "folder:many", "--trials", "1", "--workers", "0")
    code, _, said = nas_in(*command, "--resolution", "8", "--budgets", "256", "--rungs", "1")
    assert code == 0
    notes = re.findall("^note: (.*)$", said, re.MULTILINE)
    assert [note[:9] for note in notes] == ["there are"]


def test_a_folder_is_named_as_one(nas_in: Run, tmp_path: Path) -> None:
    write(tmp_path / "digits", {0: 3})
    for name in ("./digits", "digits"):
        code, _, said = nas_in("run", "--dataset", name, "--trials", "1")
        wanted = f"error: dataset is {name!r}; give a folder of images as folder:{name}\n"
        assert (code, said) == (2, wanted)
