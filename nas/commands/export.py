"""The command `nas export`: a trained model as one file that is known to say the same."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.commands.images import find_images, random_images, read_splits, read_test
from nas.export.formats import FORMATS, format_of
from nas.export.onnx_file import need
from nas.files import check_file
from studies.wording import counted

if TYPE_CHECKING:
    from nas.classifier import Facts
    from nas.export.exporting import Exported, Sample

MOST_IMAGES = 10_000
"""Test images that a file is compared on."""


def export_command(
    path: Path,
    format: str | None,
    out: Path,
    int8: bool,
    dataset: str | None,
    data_dir: Path | None,
) -> "Exported":
    """Export the model at ``path`` into ``out``; ValueError, and no file, where that fails."""
    name = format_of(format, out)
    if int8 and name != "onnx":
        raise ValueError(f"--int8 is for --format onnx alone, not for {name}; leave one of them")
    need(*FORMATS[name].needs)
    check_file("--out", out)

    from nas.classifier import facts
    from nas.export.exporting import Sample, export
    from nas.model import load_model

    model = load_model(path)
    known = facts(model)
    if not int8:
        return export(model, name, out, _sample(known, dataset, data_dir))
    found = find_images(known, dataset, data_dir)
    train, test = read_splits(found, known).train, read_test(found, known)
    sample = Sample(test.pixels.numpy()[:MOST_IMAGES], test.labels.numpy()[:MOST_IMAGES])
    return export(model, name, out, sample, Sample(train.pixels.numpy(), train.labels.numpy()))


def _sample(known: "Facts", dataset: str | None, data_dir: Path | None) -> "Sample":
    """Test images of the data set; where the model's own aren't there and none was named, noise."""
    from nas.export.exporting import Sample

    try:
        test = read_test(find_images(known, dataset, data_dir), known)
    except ValueError as error:
        if dataset is not None or data_dir is not None:
            raise
        print(
            f"note: compared on random images, since the test images of {known.dataset} aren't "
            f"there ({' '.join(str(error).split())}); --dataset says where they are",
            file=sys.stderr,
        )
        return Sample(random_images(known), None)
    return Sample(test.pixels.numpy()[:MOST_IMAGES], test.labels.numpy()[:MOST_IMAGES])


def words(out: Path, exported: "Exported") -> list[str]:
    """What was written, and how well it agrees, in lines."""
    images = counted(exported.images, f"{'test' if exported.tested else 'random'} image")
    lines = [
        f"{out}: {exported.format}, {exported.bytes:,} bytes, {exported.parameters:,} parameters",
        f"largest difference from PyTorch {exported.difference:.1e} in probability, "
        f"no class differs, on {images}",
    ]
    if exported.accuracies:
        before, after = exported.accuracies
        lines[1] = f"float32 before quantization: {lines[1]}"
        lines.append(
            f"accuracy {before:.2%} in float32, {after:.2%} in 8-bit integers "
            f"({100 * (after - before):+.2f} points), on {images}"
        )
    return lines


def to_json(out: Path, exported: "Exported") -> dict[str, Any]:
    """The same as JSON data."""
    return {"file": str(out), **asdict(exported)}
