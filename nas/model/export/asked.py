"""An export as it is asked for: checked before work begins, then compared on the right images."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nas.files import check_file
from nas.model.export.formats import FORMATS, C, format_of

if TYPE_CHECKING:
    from nas.datasets import Found
    from nas.model.export.exporting import Exported, Sample
    from nas.model.images import Where
    from nas.model.metadata import Metadata
    from nas.model.model import Model

MOST_IMAGES = 10_000
"""Test images that a file is compared on."""


def check_export(format: str | None, out: Path, int8: bool) -> str:
    """The format that ``out`` will have, by its suffix if none is asked for.

    ValueError where it can't be had, or ``out`` can't be written.
    """
    name = format_of(format, out)
    if int8 and name not in ("onnx", C):
        raise ValueError(f"--int8 is for --format onnx alone, not for {name}; leave one of them")
    from nas.model.export.needed import need

    need(FORMATS[name].extra, *FORMATS[name].needs)
    check_file("--out", out)
    if name == C:
        check_file("--out", out.with_suffix(".h"))
        if not out.name.isprintable() or set(out.name) & set('"\\'):
            raise ValueError(
                f"--out is {out}, which C can't include; give a name without quotes and backslashes"
            )
    return name


def export_asked(model: "Model", name: str, out: Path, int8: bool, where: "Where") -> "Exported":
    """Export a model in the format ``name``; ValueError, and no file, where that fails."""
    from nas.model.export.exporting import Sample, export
    from nas.model.images import find_images, read_part

    known = model.metadata
    if not int8 and name != C:
        return export(model, name, out, _sample(known, where))
    found = find_images(known, where)
    sample, images = _tested(found, known), read_part(found, known, "train").images
    train = Sample(images.pixels.numpy(), images.labels.numpy())
    if name == C:
        from nas.model.export.c.writing import export_c

        return export_c(model, out, sample, train)
    return export(model, name, out, sample, train)


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
