"""`nas export`: a trained model as one file that is known to say the same."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli import parsing
from nas.cli.options import (
    DataDir,
    Json,
    Model,
    OfModel,
    PixelRange,
    print_json,
)
from nas.files import check_file
from nas.model.export.formats import FORMATS, format_of
from studies.wording import counted

if TYPE_CHECKING:
    from nas.datasets import Found
    from nas.model.export.exporting import Exported, Sample
    from nas.model.images import Where
    from nas.model.metadata import Metadata

FORMAT_HELP = "; ".join(
    f"{name} ({known.suffixes[0]}): {known.words}" for name, known in FORMATS.items()
)

MOST_IMAGES = 10_000
"""Test images that a file is compared on."""


def export(
    model: Model,
    out: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[
        str | None, typer.Option(help=f"{FORMAT_HELP}. [default: by the suffix, or onnx]")
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="8-bit integers (onnx), calibrated on training images."),
    ] = False,
    dataset: OfModel = None,
    data_dir: DataDir = None,
    pixel_range: PixelRange = None,
    as_json: Json = False,
) -> None:
    """Write a trained model as one file that runs without this package.

    It takes uint8 images [N, channels, height, width] under the name "images" and gives float32
    "probabilities" [N, classes]; the names of the classes are in its metadata. The file is run on
    the test images and compared with the model, and kept only if it says the same.
    """
    from nas.model.images import Where

    where = Where(dataset, data_dir, parsing.pixel_range(pixel_range))
    exported = export_command(model, format, out, int8, where)
    if as_json:
        print_json(to_json(out, exported))
    else:
        print("\n".join(words(out, exported)))


def export_command(
    path: Path, format: str | None, out: Path, int8: bool, where: "Where"
) -> "Exported":
    """Export the model at ``path`` into ``out``; ValueError, and no file, where that fails."""
    name = format_of(format, out)
    if int8 and name != "onnx":
        raise ValueError(f"--int8 is for --format onnx alone, not for {name}; leave one of them")
    from nas.model.export.onnx_file import need

    need(*FORMATS[name].needs)
    check_file("--out", out)

    from nas.model.export.exporting import Sample
    from nas.model.export.exporting import export as write_export
    from nas.model.images import find_images, read_part
    from nas.model.model import load_model

    model = load_model(path)
    known = model.metadata
    if not int8:
        return write_export(model, name, out, _sample(known, where))
    found = find_images(known, where)
    sample, train = _tested(found, known), read_part(found, known, "train").images
    return write_export(
        model, name, out, sample, Sample(train.pixels.numpy(), train.labels.numpy())
    )


def _tested(found: "Found", known: "Metadata") -> "Sample":
    """Test images that the model was not trained on."""
    from nas.model.export.exporting import Sample
    from nas.model.images import read_part, say

    images, notes = read_part(found, known, "test")
    say(notes, quiet=False)
    return Sample(images.pixels.numpy()[:MOST_IMAGES], images.labels.numpy()[:MOST_IMAGES])


def _sample(known: "Metadata", where: "Where") -> "Sample":
    """Test images of the data set; where the model's own aren't there and none was named, noise."""
    from nas.model.export.exporting import Sample
    from nas.model.images import Where, find_images, random_images

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
    """The result of an export as JSON data."""
    return {"file": str(out), **asdict(exported)}
