"""Every format: what it writes says what the model says, alone, and the same every time."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.datasets import find, load_test
from nas.model.export.formats import RUNTIMES
from nas.model.export.inference import Inference
from nas.model.export.needed import quiet
from nas.model.export.onnx_file import IR, OPSET
from nas.model.loading import load_classifier
from nas.model.metadata import Metadata
from nas.model.model import Model
from search_space.catalog import candidate

MakeModel = Callable[..., Model]

ALONE = """
import json, sys
import numpy, onnxruntime
images = numpy.load(sys.argv[2])
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
(found,) = session.run(["probabilities"], {"images": images})
metadata = session.get_modelmeta().custom_metadata_map
print(json.dumps([found.tolist(), metadata]))
assert not {name.split(".")[0] for name in sys.modules} & {"nas", "search_space", "torch"}
"""


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 1, 28, 28), np.uint8)


def _installed(name: str) -> None:
    """Skip a format of an extra that isn't there: some of them are large."""
    for module in RUNTIMES[name].needs:
        with quiet():
            pytest.importorskip(module)


@pytest.mark.parametrize("name", RUNTIMES)
def test_what_is_written_says_what_the_model_says(
    tiny_model: Model, exported: Path, images: np.ndarray, tmp_path: Path, name: str
) -> None:
    _installed(name)
    known = tiny_model.metadata.for_export()
    metadata = known.to_text()
    network = Inference(tiny_model)
    content = RUNTIMES[name].write(network, known.image, metadata)
    path = tmp_path / "of.any.name"
    path.write_bytes(content)
    said, run = RUNTIMES[name].read(path, metadata)
    assert Metadata.from_text(said) == known
    assert json.loads(said["classes"]) == list(known.classes)
    expected = tiny_model.probabilities(torch.from_numpy(images)).numpy()
    for count in (1, 2, 7):
        found = run(images[:count])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[:count], rtol=0, atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["of.any.name"]
    assert str(Path(__file__).parents[4]).encode() not in content
    if name == "onnx":
        assert content == exported.read_bytes(), "it is the same every time"


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("network", ["googlenet-28", "inception-28"])
def test_the_catalogs_networks_in_every_format(
    make_model: MakeModel, images: np.ndarray, tmp_path: Path, network: str, name: str
) -> None:
    _installed(name)
    model = make_model(candidate(network).architecture, 28)
    known, path = model.metadata.for_export(), tmp_path / "file"
    metadata = known.to_text()
    path.write_bytes(RUNTIMES[name].write(Inference(model), known.image, metadata))
    found = RUNTIMES[name].read(path, metadata)[1](images)
    expected = model.probabilities(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_onnx_runs_without_our_packages_on_all_test_images(
    tiny_model: Model, exported: Path, tmp_path: Path
) -> None:
    found_images = find("fashion-mnist")
    images = load_test(found_images.reading(28, 1)).pixels.numpy()
    assert len(images) == 10_000
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-I", "-c", ALONE, str(exported), str(tmp_path / "images.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found, metadata = json.loads(done.stdout)
    expected = tiny_model.probabilities(torch.from_numpy(images)).numpy()
    assert np.argmax(found, 1).tolist() == expected.argmax(1).tolist()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert metadata["classes"] == json.dumps(tiny_model.metadata.classes)
    assert (metadata["resolution"], metadata["channels"]) == ("28", "1")
    assert metadata["dataset"] == "fashion-mnist"


def test_onnx_is_conservative_and_whole(exported: Path) -> None:
    import onnx

    proto = onnx.load(exported, load_external_data=False)
    assert [(opset.domain, opset.version) for opset in proto.opset_import] == [("", OPSET)]
    assert proto.ir_version == IR
    assert not any(tensor.external_data for tensor in proto.graph.initializer)
    kinds = {node.op_type for node in proto.graph.node}
    assert "BatchNormalization" not in kinds
    assert {"Conv", "Softmax", "Concat"} <= kinds


def test_onnx_is_a_classifier_like_the_model(
    saved: Path, exported: Path, images: np.ndarray
) -> None:
    of_model, of_file = load_classifier(saved), load_classifier(exported)
    assert of_model.metadata == of_file.metadata
    assert of_file.runtime.startswith("ONNX Runtime ")
    found = of_file.probabilities(images, 3)
    np.testing.assert_allclose(found, of_model.probabilities(images, 3), rtol=0, atol=1e-6)
    with of_file.on_threads(1) as run:
        np.testing.assert_allclose(run(images), found, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_file_is_a_classifier_like_the_model(
    tiny_model: Model, images: np.ndarray, tmp_path: Path, name: str
) -> None:
    _installed(name)
    known = tiny_model.metadata.for_export()
    path = tmp_path / f"file{RUNTIMES[name].suffixes[0]}"
    path.write_bytes(RUNTIMES[name].write(Inference(tiny_model), known.image, known.to_text()))
    found = load_classifier(path)
    assert found.metadata == known
    expected = tiny_model.probabilities(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found.probabilities(images, 3), expected, rtol=0, atol=1e-6)
    with found.on_threads(1) as run:
        np.testing.assert_allclose(run(images), expected, rtol=0, atol=1e-6)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"is no .* file") as error:
        load_classifier(path)
    assert "\n" not in str(error.value)


def test_what_is_printed_meanwhile_is_lost_and_after_it_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet():
        print("python")
        subprocess.run(["echo", "another program"], check=True)
    print("after")
    assert capfd.readouterr().out == "after\n"
