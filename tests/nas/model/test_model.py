"""A model's file: what is saved is loaded, and nothing else is taken for a model."""

import json
import pickle
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from nas.model.model import FILE, METADATA, Model, load_model, save_model
from search_space.architecture import Architecture, Auxiliary

Run = Callable[..., tuple[int, str, str]]
MakeModel = Callable[..., Model]
Break = Callable[[Path, dict[str, Any], dict[str, torch.Tensor]], None]


def test_what_was_saved_is_loaded(
    make_model: MakeModel, tiny_architecture: Architecture, tmp_path: Path
) -> None:
    heads = replace(tiny_architecture, auxiliary=(Auxiliary(1, 1),))
    model = make_model(heads, 9, 3)
    state = torch.get_rng_state()
    save_model(model, tmp_path)
    images = torch.randint(0, 256, (3, 3, 9, 9), dtype=torch.uint8)
    for path in (tmp_path, tmp_path / FILE):
        loaded = load_model(path)
        assert loaded.metadata == model.metadata
        assert not any(part.training for part in loaded.network.modules())
        found = loaded.probabilities(images)
        torch.testing.assert_close(found, model.probabilities(images), rtol=0, atol=1e-6)
    assert found.shape == (3, 10)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.sum(1), torch.ones(3))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    loaded = load_model(tmp_path)
    torch.set_rng_state(state)
    first = torch.rand(1)
    torch.set_rng_state(state)
    load_model(tmp_path)
    assert torch.equal(torch.rand(1), first)
    save_model(loaded, tmp_path)
    assert load_model(tmp_path).metadata == model.metadata


def test_equal_models_have_equal_bytes(tiny_model: Model, saved: Path, tmp_path: Path) -> None:
    save_model(load_model(saved), tmp_path)
    assert (tmp_path / FILE).read_bytes() == (saved / FILE).read_bytes()


class Payload:
    """Unpickled, it makes a file in the working directory."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("pwned"),)


def saver(**changes: Any) -> Break:
    """The same weights with another metadata."""

    def write(path: Path, metadata: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
        data = {k: v for k, v in (metadata | changes).items() if v is not None}
        save_file(weights, path, {METADATA: json.dumps(data)})

    return write


def reshaped(path: Path, metadata: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
    name = next(iter(weights))
    saver()(path, metadata, weights | {name: torch.zeros(3)})


def other_type(path: Path, metadata: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
    saver()(path, metadata, {name: value.to(torch.float16) for name, value in weights.items()})


def diverged(path: Path, metadata: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
    weights["head.linear.1.bias"][3] = torch.nan
    saver()(path, metadata, weights)


def huge(path: Path, metadata: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
    """A network of 10^11 parameters: weights as described would not fit into any memory."""
    block = dict.fromkeys(("width_1x1", "reduce_3x3", "width_3x3"), 4096)
    stage = {"blocks": [block] * 200}
    architecture = {"stem": {"width": 4096}, "stages": [stage]}
    saver(candidate={"architecture": architecture})(path, metadata, weights)


BROKEN: dict[str, tuple[Break, str]] = {
    "text": (lambda path, *_: path.write_text("no model\n") and None, "is no model"),
    "empty": (lambda path, *_: path.touch(), "is no model, or is truncated"),
    "pickle": (lambda path, *_: path.write_bytes(pickle.dumps(Payload())) and None, "is no model"),
    "torch.save": (lambda path, *_: torch.save({"a": Payload()}, path), "is no model"),
    "header of exabytes": (
        lambda path, *_: path.write_bytes(struct.pack("<Q", 2**62) + b"{}") and None,
        "is no model, or is truncated",
    ),
    "no metadata": (
        lambda path, _, weights: save_file(weights, path),
        "has weights, but no metadata by `nas train`",
    ),
    "metadata of text": (
        lambda path, _, weights: save_file(weights, path, {METADATA: "no JSON"}),
        "has metadata of no model",
    ),
    "deep metadata": (
        lambda path, _, weights: save_file(weights, path, {METADATA: "[" * 10**6}),
        "has metadata of no model",
    ),
    "channels": (saver(channels=10**9), r"channels is 1000000000; choose one of: 1, 3"),
    "no candidate": (saver(candidate=None), "ModelMetadata has no 'candidate'"),
    "candidates": (saver(candidate=[]), r"candidate is \(\); it must be one Candidate"),
    "an unknown field": (saver(size=3), "field of ModelMetadata is 'size'"),
    "resolution": (saver(resolution=10**9), "resolution is 1000000000; .* 1 to 1024"),
    "one class": (saver(classes=["a"]), "classes is 1; .* 2 to 100000"),
    "classes of numbers": (saver(classes=[1, 2]), "it must be one str"),
    "std of 0": (saver(std=[0.0]), "std is 0.0"),
    "a mean a colour": (saver(mean=[0.5] * 3), "length of mean is 3"),
    "a later format": (saver(format=2), "format is 2; choose one of: 1"),
    "more classes": (saver(classes=list("abcdefghijk")), "weights of another network"),
    "another shape": (reshaped, "weights of another network"),
    "another type": (other_type, "weights of another network"),
    "a huge network": (huge, "weights of another network"),
    "NaN": (diverged, "has NaN or infinity among its weights, first in head.linear.1.bias"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_model_is_refused_in_one_line(saved: Path, nas_in: Run, name: str) -> None:
    metadata = load_model(saved).metadata.to_json()
    path = Path("broken")
    path.mkdir()
    make, said = BROKEN[name]
    make(path / FILE, metadata, load_file(saved / FILE))
    code, out, err = nas_in("predict", "broken", "image.png")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert re.search(said, err), err
    assert "broken/model.safetensors" in err
    assert [one.name for one in Path().iterdir()] == ["broken"]


@pytest.mark.parametrize("part", [4, 100, 0.5, 0.999])
def test_a_truncated_model_is_refused(saved: Path, tmp_path: Path, part: float) -> None:
    content = (saved / FILE).read_bytes()
    cut = int(part if part > 1 else part * len(content))
    (tmp_path / FILE).write_bytes(content[:cut])
    with pytest.raises(ValueError, match="is no model, or is truncated"):
        load_model(tmp_path)


@pytest.mark.parametrize("path", ["missing", "missing.safetensors", ".", "/dev/null", "x" * 1000])
def test_where_there_is_no_model_that_is_said(nas_in: Run, path: str) -> None:
    code, out, err = nas_in("export", path, "--out", "model.onnx")
    assert (code, out) == (2, "")
    assert err.startswith("error: there is no model at ")
    assert err.endswith("give the directory that `nas train --out` wrote\n")
    assert not list(Path().iterdir())


def test_images_that_the_network_cannot_take_are_seen(saved: Path, tmp_path: Path) -> None:
    """Without padding its pools need more than one pixel."""
    model = load_model(saved)
    architecture = replace(
        model.metadata.candidate.architecture,
        stem=replace(model.metadata.candidate.architecture.stem, pool=True, kernel=7),
    )
    data = model.metadata.to_json() | {"resolution": 1}
    data["candidate"] = {
        "architecture": replace(
            architecture, details=replace(architecture.details, unpadded_pools=True)
        ).to_json()
    }
    saver(**data)(tmp_path / FILE, data, load_file(saved / FILE))
    with pytest.raises(ValueError, match="can't run at 1x1"):
        load_model(tmp_path)
