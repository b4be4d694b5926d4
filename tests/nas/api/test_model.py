"""Trained models from Python: images from files and from memory, measures, exported files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from nas import TrainedModel, load_model
from nas.datasets.image import read_image
from nas.model.arrays import pixels_of
from nas.model.model import Model


@pytest.fixture(scope="session")
def model(saved: Path) -> TrainedModel:
    return load_model(str(saved))


@pytest.fixture
def drawn(tmp_path: Path) -> list[Path]:
    """Three pictures of several sizes and modes."""
    generator = np.random.default_rng(0)
    paths = []
    for number, shape in enumerate(((28, 28), (40, 30, 3), (31, 64))):
        path = tmp_path / f"{number}.png"
        Image.fromarray(generator.integers(0, 256, shape, np.uint8)).save(path)
        paths.append(path)
    return paths


def test_files_arrays_tensors_and_pictures_are_told_the_same(
    model: TrainedModel, drawn: list[Path]
) -> None:
    known = model.predict(drawn)
    assert [one.image for one in known] == drawn
    pictures = [Image.open(path) for path in drawn]
    read = [np.asarray(picture) for picture in pictures]
    for ways in (pictures, read, [torch.from_numpy(one.copy()) for one in read]):
        found = model.predict(ways)
        assert [one.image for one in found] == [0, 1, 2]
        assert [one.top for one in found] == [one.top for one in known]
    (alone,) = model.predict(str(drawn[0]))
    assert [name for name, _ in alone.top] == [name for name, _ in known[0].top]
    folder = model.predict(drawn[0].parent, top=1)
    assert [one.top for one in folder] == [one.top[:1] for one in known]


@given(
    arrays.arrays(np.uint8, st.tuples(*[st.integers(4, 40)] * 2)),
    st.sampled_from((1, 3)),
    st.data(),
)
def test_an_array_is_read_as_its_file(
    model: TrainedModel, tmp_path_factory: Any, gray: Any, channels: int, data: Any
) -> None:
    shown = gray if channels == 1 else np.stack([gray, gray[::-1], gray // 2], 2)
    path = tmp_path_factory.mktemp("one") / "a.png"
    Image.fromarray(shown).save(path)
    expected = read_image(path, 28, 1).numpy()[None]
    rank = data.draw(st.sampled_from(("alone", "batch", "first")))
    if rank == "batch":
        shown = shown[None]
    elif rank == "first":
        shown = shown.reshape(*gray.shape, channels).transpose(2, 0, 1)[None]
    assert (pixels_of(shown, model.metadata) == expected).all()


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((2, 28, 28)), r"images are float64 \[2, 28, 28\]; give uint8 values 0 to 255"),
        (np.zeros((2, 2, 28, 28), np.uint8), r"uint8 \[2, 2, 28, 28\]; give"),
        (np.zeros(28, np.uint8), r"uint8 \[28\]; give"),
        (np.zeros((1, 0, 28), np.uint8), r"uint8 \[1, 0, 28\]; give"),
        (["a.png", np.zeros((28, 28), np.uint8)], "images are paths and others"),
        (["no.png"], "no.png"),
        (7, r"images are int64 \[\]; give"),
    ],
)
def test_what_is_no_image_is_said(model: TrainedModel, images: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        model.predict(images)


def test_no_image_has_no_prediction(model: TrainedModel) -> None:
    assert model.predict([]) == []
    assert model.probabilities(np.zeros((0, 28, 28), np.uint8)).shape == (0, 10)


def test_a_model_is_measured_and_exported(
    model: TrainedModel, tiny_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.model.export import asked

    monkeypatch.setattr(asked, "MOST_IMAGES", 200)
    scores = model.evaluate().scores
    assert scores.images == 10_000
    assert scores.interval[0] <= scores.accuracy <= scores.interval[1]
    path = tmp_path / "model.onnx"
    assert model.export(path).difference < 1e-4
    again = load_model(path)
    assert (again.classes, again.card) == (model.classes, None)
    pixels = np.random.default_rng(1).integers(0, 256, (5, 28, 28), np.uint8)
    assert np.allclose(again.probabilities(pixels), model.probabilities(pixels), atol=1e-4)
    with pytest.raises(ValueError, match="is exported already"):
        again.export(tmp_path / "twice.onnx")
    with pytest.raises(ValueError, match="tflite"):
        model.export(tmp_path / "a.tflite")
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert repr(model) in f"<{model._repr_html_()[3:-4]}>"


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no model at"):
        load_model(str(tmp_path))
