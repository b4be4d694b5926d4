"""`nas export` as a user runs it: what is kept has been compared, and nothing else is kept."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nas.datasets import find, load_test
from nas.model.export import asked, exporting
from nas.model.export.exporting import Sample, compare, in_8_bits
from nas.model.export.formats import FORMATS, RUNTIMES
from nas.model.export.int8 import calibration
from nas.model.loading import load_classifier
from nas.model.model import Model, save_model

Run = Callable[..., tuple[int, str, str]]
IMAGES = 1000
"""Of the test images that files are compared on here; users have all."""


@pytest.fixture(autouse=True)
def _fewer_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "MOST_IMAGES", IMAGES)


@pytest.mark.parametrize("name", ["torch-export", "torchscript"])
def test_a_file_is_compared_on_the_test_images(
    nas_in: Run, saved: Path, tiny_model: Model, name: str
) -> None:
    Path("model").write_text("what was there before")
    code, out, err = nas_in("export", str(saved), "--format", name, "--out", "model")
    assert (code, err) == (0, "")
    size = Path("model").stat().st_size
    convolutions = [part for part in tiny_model.network.modules() if isinstance(part, nn.Conv2d)]
    # of a batch norm after an unbiased convolution a bias is left
    norms = sum(c.out_channels for c in convolutions if c.bias is None)
    parameters = sum(part.numel() for part in tiny_model.network.parameters()) - norms
    said, agreed = out.splitlines()
    assert said == f"model: {name}, {size:,} bytes, {parameters:,} parameters"
    assert agreed.endswith("in probability, no class differs, on 1,000 test images")
    difference = re.search(r"from PyTorch (\S+) in", agreed)
    assert difference
    assert 0 <= float(difference[1]) < 1e-5
    assert [path.name for path in Path().iterdir()] == ["model"]


def test_int8_says_what_it_costs(nas_in: Run, saved: Path) -> None:
    arguments = ("export", str(saved), "--int8", "--out", "small.onnx", "--json")
    code, out, err = nas_in(*arguments)
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert data["difference"] < 1e-5
    found = find("fashion-mnist")
    test = load_test(found.reading(28, 1))
    accuracies = []
    for path in (saved, Path("small.onnx")):
        classifier = load_classifier(path)
        predicted = classifier.probabilities(test.pixels[:IMAGES].numpy(), 128).argmax(1)
        accuracies.append(float((predicted == test.labels[:IMAGES].numpy()).mean()))
    assert data["accuracies"] == accuracies
    import onnx

    proto = onnx.load("small.onnx")
    metadata = {prop.key: prop.value for prop in proto.metadata_props}
    assert [float(metadata[f"accuracy_{kind}"]) for kind in ("float32", "int8")] == accuracies
    assert metadata["accuracy_images"] == "1000"
    weights = [one for one in proto.graph.initializer if one.data_type == onnx.TensorProto.INT8]
    convolutions = sum(node.op_type == "Conv" for node in proto.graph.node)
    assert len(weights) >= convolutions > 10
    values = [np.abs(onnx.numpy_helper.to_array(one).astype(int)).max() for one in weights]
    assert max(values) <= 64


def test_int8_that_loses_much_is_refused(
    tiny_model: Model, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MOST_LOSS", -1.0)
    images = Sample(np.zeros((3, 1, 28, 28), np.uint8), np.array([0, 1, 2]))
    expected = tiny_model.probabilities(torch.from_numpy(images.pixels)).numpy()
    with pytest.raises(ValueError, match=r"8-bit integers bring the accuracy from .* 3 images"):
        in_8_bits(exported.read_bytes(), {}, images, images, expected, tmp_path / "file")


def test_what_says_something_else_is_not_kept(
    nas_in: Run, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A format that adds a little to one class's logit."""

    def write(network: nn.Module, *rest: object) -> bytes:
        (*_, linear) = (part for part in network.modules() if isinstance(part, nn.Linear))
        linear.bias.data[3] += 0.01
        return RUNTIMES["torchscript"].write(network, *rest)  # type: ignore[arg-type]

    off = replace(RUNTIMES["torchscript"], write=write)
    for table in (FORMATS, RUNTIMES):
        monkeypatch.setitem(table, "off", off)  # type: ignore[arg-type]
    Path("model").write_text("what was there before")
    code, out, err = nas_in("export", str(saved), "--format", "off", "--out", "model")
    assert (code, out) == (2, "")
    assert re.match(
        r"error: what was written says something else than the model: .* up to 0.0", err
    )
    assert err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["model"]
    assert Path("model").read_text() == "what was there before"


def test_without_the_models_images_random_ones_are_compared(nas_in: Run, tiny_model: Model) -> None:
    description = replace(tiny_model.metadata, dataset="folder:/nowhere")
    save_model(Model(description, tiny_model.network), Path())
    arguments = ("export", ".", "--format", "torchscript", "--out", "model.pt")
    code, out, err = nas_in(*arguments)
    assert code == 0
    assert err.startswith("note: compared on random images, since the test images of folder:/")
    assert "no class differs, on 512 random images" in out
    code, out, err = nas_in(*arguments, "--dataset", "fashion-mnist")
    assert (code, err) == (0, "")
    assert "on 1,000 test images" in out
    Path("model.pt").unlink()
    for where in (("--dataset", "folder:/elsewhere"), ("--data-dir", "/elsewhere")):
        code, _, err = nas_in(*arguments, *where)
        assert code == 2
        assert err.startswith("error: ")
    code, _, err = nas_in("export", ".", "--int8", "--out", "model.onnx")
    assert code == 2
    assert [path.name for path in Path().iterdir()] == ["model.safetensors"]


def test_other_classes_are_seen(nas_in: Run, tiny_model: Model) -> None:
    classes = tuple("abcdefghij")
    description = replace(tiny_model.metadata, classes=classes)
    save_model(Model(description, tiny_model.network), Path())
    arguments = ("export", ".", "--format", "torchscript", "--out", "model.pt")
    code, _, err = nas_in(*arguments, "--dataset", "fashion-mnist")
    assert code == 2
    assert "fashion-mnist shows 't-shirt/top', " in err
    assert "the model knows 'a', 'b', " in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "tfjs"), "format is 'tfjs'; choose one of: " + ", ".join(FORMATS)),
        (("--format", "torchscript", "--int8"), "--int8 is for --format onnx alone"),
        (("--out", "there"), "--out is there, a directory; give the name of a file"),
        (("--out", "missing/model"), "there is no directory missing; make it first"),
        (("--out", "/proc/model"), "/proc/model can't be written: "),
        (("--out", "/dev/null"), "--out is /dev/null, which is no ordinary file"),
        (("--out", "x" * 300), "can't be written: File name too long"),
    ],
)
def test_bad_options_are_one_line(
    nas_in: Run, saved: Path, options: tuple[str, ...], said: str
) -> None:
    Path("there").mkdir()
    code, out, err = nas_in("export", str(saved), "--out", "model", *options)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["there"]


@pytest.mark.parametrize("missing", FORMATS["onnx"].needs)
def test_a_missing_extra_is_named(
    nas_in: Run, saved: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    code, out, err = nas_in("export", str(saved), "--out", "model.onnx")
    assert (code, out) == (2, "")
    assert err == f"error: {missing} is not installed; run: pip install 'inception-nas[onnx]'\n"
    assert not list(Path().iterdir())


EXPECTED = np.array([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2]], np.float32)


def test_probabilities_may_differ_by_a_hair() -> None:
    assert compare(EXPECTED, EXPECTED) == 0
    shift = np.float32(9e-5)
    assert compare(EXPECTED, EXPECTED + shift) == pytest.approx(9e-5, abs=1e-7)
    with pytest.raises(ValueError, match=r"differ by up to 0.0002 .* the class of 0 of 2 images"):
        compare(EXPECTED, EXPECTED - np.float32(2e-4))
    with pytest.raises(ValueError, match="differ by up to nan"):
        compare(EXPECTED, EXPECTED * np.float32(np.nan))
    with pytest.raises(ValueError, match=r"the file says float32 \[1, 3\], the model"):
        compare(EXPECTED, EXPECTED[:1])
    with pytest.raises(ValueError, match=r"the file says float64"):
        compare(EXPECTED, EXPECTED.astype(np.float64))


def test_classes_may_differ_only_where_the_model_has_a_tie() -> None:
    found = EXPECTED.copy()
    found[1] += np.array([0, 5e-7, 0], np.float32)
    assert compare(EXPECTED, found) < 1e-6
    expected = EXPECTED.copy()
    expected[1] += np.array([2e-5, 0, 0], np.float32)
    with pytest.raises(ValueError, match="the class of 1 of 2 images"):
        compare(expected, found)


def test_calibration_takes_equally_many_of_each_class() -> None:
    labels = np.array([0] * 1000 + [1] * 5 + [2] * 300)
    chosen = calibration(labels, 105)
    assert np.bincount(labels[chosen]).tolist() == [50, 5, 50]
    assert len(set(chosen)) == 105
    assert calibration(labels, 105).tolist() == chosen.tolist()
    assert sorted(calibration(labels[:20])) == list(range(20))
