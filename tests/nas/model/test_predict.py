"""`nas predict` on files and folders, by a model and by the file exported from it."""

import json
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.datasets.image import read_image
from nas.model.model import FILE, Model, save_model
from nas.model.prediction import BATCH
from nas.text import printable

Run = Callable[..., tuple[int, str, str]]
GENERATOR = np.random.default_rng(0)


def draw(path: Path, size: tuple[int, int] = (28, 28), colours: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if not colours else (*size, colours)
    Image.fromarray(GENERATOR.integers(0, 256, shape, np.uint8)).save(path)
    return path


def bomb(path: Path) -> Path:
    """A PNG of 100,000 x 100,000 pixels in some hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(999))), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def test_every_kind_of_image_is_seen_as_the_model_sees_it(
    nas_in: Run, saved: Path, exported: Path, tiny_model: Model
) -> None:
    paths = [
        draw(Path("b.png")),
        draw(Path("folder/z.jpg"), (200, 90), 3),
        draw(Path("folder/a/wide.webp"), (10, 300), 3),
        draw(Path("folder/a/clear.PNG"), (40, 40), 4),
    ]
    Path("folder/notes.txt").write_text("no image")
    order = [paths[0], paths[3], paths[2], paths[1]]
    pixels = torch.stack([read_image(path, 28, 1) for path in order])
    expected = tiny_model.probabilities(pixels)
    for model in (saved, saved / FILE, exported):
        code, out, err = nas_in("predict", str(model), "b.png", "folder", "--json")
        assert (code, err) == (0, "")
        found = json.loads(out)
        assert [one["image"] for one in found] == [str(path) for path in order]
        for one, said in zip(found, expected, strict=True):
            values, places = said.topk(3)
            assert [top["class"] for top in one["predictions"]] == [
                tiny_model.metadata.classes[place] for place in places
            ]
            probabilities = [top["probability"] for top in one["predictions"]]
            assert probabilities == pytest.approx(values.tolist(), abs=1e-6)


def test_the_table_shows_the_same(nas_in: Run, saved: Path) -> None:
    draw(Path("[bold]name.png"))
    _, out, _ = nas_in("predict", str(saved), "[bold]name.png", "--json", "--top", "1")
    (top,) = json.loads(out)[0]["predictions"]
    code, out, err = nas_in("predict", str(saved), "[bold]name.png")
    assert (code, err) == (0, "")
    assert re.search(rf"\[bold\]name\.png\s+{top['class']}\s+{top['probability']:.1%}", out)


def test_top_is_at_most_the_classes(nas_in: Run, saved: Path) -> None:
    draw(Path("a.png"))
    _, out, _ = nas_in("predict", str(saved), "a.png", "--json", "--top", "99")
    probabilities = [top["probability"] for top in json.loads(out)[0]["predictions"]]
    assert len(probabilities) == 10
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)


def test_batches_do_not_show(nas_in: Run, saved: Path) -> None:
    count = BATCH + 3
    for number in range(count):
        draw(Path(f"many/{number:03}.png"))
    _, out, _ = nas_in("predict", str(saved), "many", "--json")
    together = json.loads(out)
    assert len(together) == count
    _, out, _ = nas_in("predict", str(saved), f"many/{count - 1:03}.png", "--json")
    (alone,) = json.loads(out)
    assert alone["image"] == together[-1]["image"]
    for one, other in zip(alone["predictions"], together[-1]["predictions"], strict=True):
        assert one["class"] == other["class"]
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-6)


def test_all_that_cannot_be_read_is_listed_before_anything_is_said(
    nas_in: Run, saved: Path
) -> None:
    draw(Path("images/good.png"))
    Path("images/empty.png").touch()
    Path("images/text.jpg").write_text("text")
    content = draw(Path("images/cut.png"), (90, 90)).read_bytes()
    Path("images/cut.png").write_bytes(content[:2000])
    bomb(Path("images/bomb.png"))
    code, out, err = nas_in("predict", str(saved), "missing.png", "images")
    assert (code, out) == (2, "")
    assert err.startswith("error: 5 of 6 images can't be read")
    assert err.count("\n") == 1
    for name in ("missing.png", "images/empty.png", "images/text.jpg", "images/cut.png"):
        assert name in err
    assert "images/bomb.png" in err
    assert "good.png" not in err


def test_a_folder_without_images_is_said(nas_in: Run, saved: Path) -> None:
    Path("folder").mkdir()
    Path("folder/notes.txt").touch()
    code, out, err = nas_in("predict", str(saved), "folder")
    assert (code, out) == (2, "")
    assert err == (
        "error: the folder folder has no images (left out: 1 no image: 'notes.txt'); give one that "
        "has, or files\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.png", "--top", "0"), "Invalid value for '--top': "),
        ((), "Missing argument 'images'"),
    ],
)
def test_bad_options_are_one_line(
    nas_in: Run, saved: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = nas_in("predict", str(saved), *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_what_is_no_onnx_of_ours_is_refused(nas_in: Run, exported: Path) -> None:
    import onnx

    proto = onnx.load(exported)
    metadata = {prop.key: prop.value for prop in proto.metadata_props}

    def changed(**changes: str | None) -> bytes:
        values = {k: v for k, v in (metadata | changes).items() if v is not None}
        onnx.helper.set_model_props(proto, values)
        return proto.SerializeToString()

    cases = {
        b"garbage": "is no ONNX file that can be run",
        b"": "is no ONNX file that can be run",
        exported.read_bytes()[:5000]: "is no ONNX file that can be run",
        changed(classes=None): "not of `nas export`: its metadata has no 'classes'",
        changed(classes="["): "not of `nas export`",
        changed(classes="3"): "not of `nas export`",
        changed(classes='{"a": 1}'): "not of `nas export`",
        changed(resolution="1000000000"): "resolution is 1000000000",
        changed(resolution="32"): "has another network than its metadata says",
        changed(classes='["a", "b"]'): "has another network than its metadata says",
    }
    draw(Path("a.png"))
    for content, said in cases.items():
        Path("other.onnx").write_bytes(content)
        code, out, err = nas_in("predict", "other.onnx", "a.png")
        assert (code, out) == (2, ""), said
        assert err.startswith("error: other.onnx ")
        assert err.count("\n") == 1
        assert said in err
    code, out, err = nas_in("predict", "missing.onnx", "a.png")
    assert (code, out) == (2, "")
    assert err == "error: there is no ONNX file missing.onnx; `nas export` writes one\n"


def test_weights_that_overflow_are_said_not_printed(nas_in: Run, tiny_model: Model) -> None:
    """All finite, and still the network says NaN."""
    save_model(tiny_model, Path())
    from safetensors.torch import load_file

    weights = load_file(FILE)
    huge = {name: value * 1e38 if value.ndim == 4 else value for name, value in weights.items()}
    from search_space.network import build

    network = build(tiny_model.metadata.candidate.architecture).eval()
    network.load_state_dict(huge)
    save_model(Model(replace(tiny_model.metadata), network), Path())
    draw(Path("a.png"))
    code, out, err = nas_in("predict", ".", "a.png")
    assert (code, out) == (2, "")
    assert "NaN where probabilities should be" in err


def test_any_name_can_be_shown() -> None:
    assert printable(Path("a\x1b[2Jb\udcff\n.png")) == "a\ufffd[2Jb\ufffd\ufffd.png"
    assert printable(Path("größer.png")) == "größer.png"
