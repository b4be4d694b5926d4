"""`nas evaluate`: the test images' scores, by a model and by the file exported from it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.datasets import find, load, load_test
from nas.model.model import Model, save_model
from nas.model.scores import score
from nas.short_run import latency

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _short_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SECONDS", 0.01)


@pytest.mark.parametrize("kind", ["model", "onnx"])
def test_scores_are_of_the_test_images(
    nas_in: Run, saved: Path, exported: Path, tiny_model: Model, kind: str
) -> None:
    path = {"model": saved, "onnx": exported}[kind]
    code, out, err = nas_in("evaluate", str(path), "--json", "--batch-size", "999")
    assert (code, err) == (0, "")
    data = json.loads(out)
    found = find("fashion-mnist")
    test = load_test(found.reading(28, 1))
    probabilities = tiny_model.probabilities(test.pixels).numpy()
    expected = score(probabilities, test.labels.numpy(), found.classes).to_json()
    assert (data["dataset"], data["split"], data["images"]) == ("fashion-mnist", "test", 10_000)
    assert data["confusion"] == expected["confusion"]
    assert data["accuracy"] == expected["accuracy"] == np.trace(data["confusion"]) / 10_000
    assert data["per_class"] == expected["per_class"]
    for name in ("loss", "calibration_error"):
        assert data[name] == pytest.approx(expected[name], abs=1e-5)
    times = data["latency"]
    kinds = [(time["batch"], time["threads"]) for time in times]
    assert kinds == [(1, "one"), (64, "one"), (64, "all")]
    for time in times:
        assert 0 < time["low"] <= time["median"] <= time["high"]
        assert time["runs"] >= 3
        assert time["images_per_second"] == pytest.approx(time["batch"] / time["median"])


def test_validation_images_are_another_split(nas_in: Run, saved: Path, tiny_model: Model) -> None:
    code, out, err = nas_in("evaluate", str(saved), "--validation", "--json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    found = find("fashion-mnist")
    images = load(found.reading(28, 1)).validation
    predicted = tiny_model.probabilities(images.pixels).argmax(1)
    assert data["split"] == "validation"
    assert data["accuracy"] == float((predicted == images.labels).double().mean())


def test_tables_show_intervals_classes_and_times(nas_in: Run, saved: Path) -> None:
    code, out, err = nas_in("evaluate", str(saved))
    assert code == 0
    assert err.startswith("fashion-mnist: 10 classes (t-shirt/top, trouser, ")
    assert "60,000 images for training" in err
    assert err.count("\n") == 1
    assert out.startswith("10,000 test images of fashion-mnist, PyTorch ")
    for said in ("95 % interval", "expected calibration error", "ankle boot", "images/s"):
        assert said in out
    assert "nan" not in out


def test_a_split_that_the_model_was_not_trained_with_is_said(
    nas_in: Run, tiny_model: Model
) -> None:
    description = replace(tiny_model.metadata, data="0" * 16)
    save_model(Model(description, tiny_model.network), Path())
    code, _, err = nas_in("evaluate", ".", "--validation", "--json")
    assert code == 2
    assert err.startswith("error: the validation images of fashion-mnist are others than when the ")
    code, out, err = nas_in("evaluate", ".", "--json")
    assert code == 0, "the published test images were held out from every training"
    assert err.startswith("note: the images of fashion-mnist or their split aren't those ")
    assert json.loads(out)["notes"] == err.splitlines()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing",), "there is no model at missing"),
        (("MODEL", "--dataset", "unknown"), "unknown"),
        (("MODEL", "--data-dir", "/nowhere"), "/nowhere"),
        (("MODEL", "--batch-size", "0"), "Invalid value for '--batch-size': "),
    ],
)
def test_bad_input_is_one_line(
    nas_in: Run, saved: Path, arguments: tuple[str, ...], said: str
) -> None:
    given = [str(saved) if one == "MODEL" else one for one in arguments]
    code, out, err = nas_in("evaluate", *given)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1
