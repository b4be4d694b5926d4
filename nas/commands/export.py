"""The command `nas export`: a trained model as one file that is known to say the same."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.commands.images import Where, find_images, random_images, read_part, say
from nas.export.formats import FORMATS, format_of
from nas.export.onnx_file import need
from nas.files import check_file
from studies.wording import counted

if TYPE_CHECKING:
    from nas.classifier import Facts
    from nas.datasets import Found
    from nas.export.exporting import Exported, Sample

MOST_IMAGES = 10_000
"""Test images that a file is compared on."""


def export_command(
    path: Path, format: str | None, out: Path, int8: bool, where: Where
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
        return export(model, name, out, _sample(known, where))
    found = find_images(known, where)
    sample, train = _tested(found, known), read_part(found, known, "train").images
    return export(model, name, out, sample, Sample(train.pixels.numpy(), train.labels.numpy()))


def _tested(found: "Found", known: "Facts") -> "Sample":
    """Test images that the model was not trained on."""
    from nas.export.exporting import Sample

    images, notes = read_part(found, known, "test")
    say(notes, quiet=False)
    return Sample(images.pixels.numpy()[:MOST_IMAGES], images.labels.numpy()[:MOST_IMAGES])


def _sample(known: "Facts", where: Where) -> "Sample":
    """Test images of the data set; where the model's own aren't there and none was named, noise."""
    from nas.export.exporting import Sample

    try:
        return _tested(find_images(known, where), known)
    except ValueError as error:
        if where != Where():
            raise
        print(
            f"note: compared on random images, since the test images of {known.dataset} aren't "
            f"there ({' '.join(str(error).split())}); --dataset says where they are",
            file=sys.stderr,
        )
        return Sample(random_images(known), None)


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
