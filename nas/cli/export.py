"""`nas export`: a trained model as one file that is known to say the same."""

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
from nas.model.export.asked import check_export, export_asked
from nas.model.export.formats import FORMATS
from studies.wording import counted

if TYPE_CHECKING:
    from nas.model.export.exporting import Exported, OnDevice

FORMAT_HELP = "; ".join(
    f"{name} ({known.suffixes[0]}): {known.words}" for name, known in FORMATS.items()
)


def export(
    model: Model,
    out: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[
        str | None, typer.Option(help=f"{FORMAT_HELP}. [default: by the suffix, or onnx]")
    ] = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="8-bit integers (onnx; c always), calibrated on training images."
        ),
    ] = False,
    dataset: OfModel = None,
    data_dir: DataDir = None,
    pixel_range: PixelRange = None,
    as_json: Json = False,
) -> None:
    """Write a trained model as one file that runs without this package.

    It takes uint8 images [N, channels, height, width] under the name "images" and gives float32
    "probabilities" [N, classes]; the names of the classes are in its metadata. The file is run on
    the test images and compared with the model, and kept only if it says the same. As C it is a
    function of one image, which is compiled and run, and needs nothing but stdint.h.
    """
    from nas.model.images import Where

    where = Where(dataset, data_dir, parsing.pixel_range(pixel_range))
    name = check_export(format, out, int8)
    from nas.model.model import load_model

    exported = export_asked(load_model(model), name, out, int8, where)
    if as_json:
        print_json(to_json(exported))
    else:
        print("\n".join(words(exported)))


def words(exported: "Exported") -> list[str]:
    """What was written, and how well it agrees, in lines."""
    images = counted(exported.images, f"{'test' if exported.tested else 'random'} image")
    lines = [
        f"{exported.path}: {exported.format}, {exported.bytes:,} bytes, "
        f"{exported.parameters:,} parameters"
    ]
    if exported.device is None:
        same = (
            f"largest difference from PyTorch {exported.difference:.1e} in probability, "
            f"no class differs, on {images}"
        )
        lines.append(f"float32 before quantization: {same}" if exported.accuracies else same)
    else:
        lines += device_words(exported.device, images)
    if exported.accuracies:
        before, after = exported.accuracies
        lines.append(
            f"accuracy {before:.2%} in float32, {after:.2%} in 8-bit integers "
            f"({100 * (after - before):+.2f} points), on {images}"
        )
    return lines


def device_words(device: "OnDevice", images: str) -> list[str]:
    """What a C file takes, and how it was proved, in lines."""
    gaps = device.arena - device.least
    memory = f"memory {device.arena:,} bytes" + (
        f", of which {gaps:,} lie between buffers" if gaps else ", the least that any order takes"
    )
    if device.code is None:
        return [f"flash {device.constants:,} bytes of constants, and the code; {memory}"]
    return [
        f"flash {device.constants:,} bytes of constants and {device.code:,} of code (by "
        f"{Path(device.compiler or '').name} -Os for this machine); {memory}",
        f"compiled, and run on {images}: every output is what its arithmetic says",
    ]


def to_json(exported: "Exported") -> dict[str, Any]:
    """The result of an export as JSON data."""
    data = asdict(exported)
    return {"file": str(data.pop("path")), **data}
