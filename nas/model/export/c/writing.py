"""A trained model as a C file: quantized, written, compiled, run on the test images, then kept."""

import sys
from pathlib import Path

import numpy as np

from nas.files import replace_file
from nas.model.classifier import model_classifier
from nas.model.export.c.proof import Said, compiled, compiler
from nas.model.export.c.reading import metadata_comment
from nas.model.export.c.source import Source, source
from nas.model.export.exporting import (
    BATCH,
    MOST_LOSS,
    Exported,
    OnDevice,
    Sample,
    measured_text,
)
from nas.model.export.formats import C
from nas.model.export.int8 import calibration
from nas.model.integer.arithmetic import logits, softmax
from nas.model.integer.quantization import IntegerNetwork, quantize
from nas.model.metadata import ModelMetadata
from nas.model.model import Model
from search_space.device.arena import Arena, arena
from search_space.device.flash import Flash, flash
from search_space.words import describe

SMALL = ("-Os",)
"""For what size the code is compiled that is kept count of."""


def export_c(model: Model, out: Path, sample: Sample, train: Sample) -> Exported:
    """Write a model as C99 source and header, kept only if it says what its arithmetic says.

    ``train`` images show the range of activations, ``sample`` are those that it is run on. Where
    there is no compiler the file is named after that, and a line on standard error says so.
    ValueError, and no file, where anything differs or 8-bit integers lose over MOST_LOSS.
    """
    assert sample.labels is not None, "test images have labels"
    assert train.labels is not None, "training images have labels"
    network = quantize(model, train.pixels[calibration(train.labels)])
    expected = _in_batches(network, sample)
    said = model_classifier(model).probabilities(sample.pixels, BATCH).argmax(1)
    accuracies = tuple(float((found == sample.labels).mean()) for found in (said, expected.classes))
    before, after = accuracies
    if before - after > MOST_LOSS:
        raise ValueError(
            f"8-bit integers bring the accuracy from {before:.2%} to {after:.2%} on "
            f"{len(said):,} images, over {MOST_LOSS:.0%} less; nothing was kept"
        )
    path = compiler()
    if path is None:
        out = out.with_name(f"{out.stem}-unproved{out.suffix}")
        print(
            f"note: there is no C compiler here (gcc or clang), so that {out} was never run: "
            "compile it, and compare it, before you trust it",
            file=sys.stderr,
        )
    placed, kept = arena(network.operations), flash(network.operations, 0)
    about = _about(model.metadata, placed, kept)
    measured = measured_text((before, after), len(said))
    end = metadata_comment(model.metadata.for_export().to_text() | measured)
    written = source(network, placed, model.metadata.classes, out.stem, about, end)
    code = None if path is None else _proved(written, path, sample, expected)
    for file, text in ((out.with_suffix(".h"), written.h), (out, written.c)):
        replace_file(file, text.encode("utf-8"))
    return Exported(
        out,
        C,
        len(written.c.encode("utf-8")),
        sum(part.numel() for part in model.network.parameters()),
        None if code is None else 0.0,
        len(sample.pixels),
        True,
        (before, after),
        OnDevice(placed.bytes, placed.least, kept.constants, code, path),
    )


def _in_batches(network: IntegerNetwork, sample: Sample) -> Said:
    """What the arithmetic says of the images."""
    starts = range(0, len(sample.pixels), BATCH)
    found = [logits(network, sample.pixels[start : start + BATCH]) for start in starts]
    every = np.concatenate(found)
    return Said(every.argmax(1), softmax(network, every))


def _proved(text: Source, path: str, sample: Sample, expected: Said) -> int:
    """The bytes of its code; ValueError where the compiled program says anything else."""
    try:
        with compiled(text, path, ("-O2",)) as program:
            found = program.predict(sample.pixels)
        with compiled(text, path, SMALL) as program:
            code = program.sizes().code
    except RuntimeError as error:
        raise ValueError(f"the C source could not be proved, nothing was kept: {error}") from error
    differ = (found.probabilities != expected.probabilities).any(1)
    differ |= found.classes != expected.classes
    if differ.any():
        raise ValueError(
            f"the compiled C says something else than its arithmetic of {differ.sum():,} of "
            f"{len(differ):,} images; nothing was kept"
        )
    return code


def _about(known: ModelMetadata, placed: Arena, kept: Flash) -> str:
    """What the file is, for whoever opens it."""
    image = "x".join(map(str, known.image))
    return (
        f"{describe(known.candidate)}\n"
        f"Trained on {known.dataset} (digest {known.data}), {image}, "
        f"{len(known.classes)} classes.\n"
        "\n"
        "8-bit integers: weights symmetric by output channel, activations with a scale and a\n"
        "zero for each tensor, biases of 32 bits, factors of 31 bits; batch norm is folded in.\n"
        f"Constants {kept.constants} bytes, memory {placed.bytes} bytes, static.\n"
        "Written by nas export --format c."
    )
