"""Tests of logistic regression as the classifier that a network must beat."""

import json
from pathlib import Path

import pytest
import torch

from nas.datasets import Dataset, Images, find
from nas.datasets.cache import CACHE_VARIABLE
from nas.settings import Settings
from nas.short_run import reference as module
from nas.short_run.reference import fitted, reference


def made(classes: int, count: int, noise: float, side: int = 6, seed: int = 0) -> Dataset:
    """Images whose class is the bright pixel among noise."""
    generator = torch.Generator().manual_seed(seed)

    def images(number: int) -> Images:
        labels = torch.arange(number) % classes
        pixels = noise * 255 * torch.rand(number, side * side, generator=generator)
        pixels[torch.arange(number), labels % (side * side)] += 128 * (1 - noise)
        pixels[torch.arange(number), -1 - labels // (side * side)] += 60 * (1 - noise)
        return Images(pixels.clamp(0, 255).to(torch.uint8).reshape(-1, 1, side, side), labels)

    names = tuple(f"c{number}" for number in range(classes))
    return Dataset(images(count), images(200), names, (0.5,), (0.5,), "d")


def test_images_that_it_tells_apart() -> None:
    found = fitted(made(2, 100, 0.0))
    assert (found.accuracy, found.images) == (1.0, 200)
    assert (found.params, found.flops) == (2 * 36 + 2, 2 * 2 * 36)


def test_images_that_nobody_can_tell_apart() -> None:
    assert fitted(made(2, 400, 1.0)).accuracy == pytest.approx(0.5, abs=0.12)


def test_a_hundred_classes() -> None:
    found = fitted(made(100, 2_000, 0.2, side=10))
    assert found.params == 100 * 100 + 100
    assert 0.2 < found.accuracy <= 1.0


def test_one_class_among_the_images_that_are_looked_at() -> None:
    one = made(2, 100, 0.0)
    only = Images(one.train.pixels[::2], one.train.labels[::2])
    found = fitted(Dataset(only, one.validation, one.classes, (0.5,), (0.5,), "d"))
    assert found.accuracy == 0.0


def test_it_is_fitted_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = find("fashion-mnist")
    reading = Settings(resolution=8).reading(images.directory)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    first = reference(reading, images.digest)
    assert first.accuracy == pytest.approx(0.78, abs=0.04)
    assert (first.params, first.images) == (650, 10_000)
    monkeypatch.setattr(module, "load", None)
    assert reference(reading, images.digest) == first
    (kept,) = (tmp_path / "references").iterdir()
    assert json.loads(kept.read_text())["accuracy"] == first.accuracy
    kept.write_text("{")  # not whole: fitted again
    with pytest.raises(TypeError):
        reference(reading, images.digest)
