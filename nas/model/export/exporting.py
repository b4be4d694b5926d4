"""From a trained model to a file: written beside its place, run, compared, and only then kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas.files import replacing
from nas.model.classifier import Pixels, Probabilities, Run, model_classifier
from nas.model.export.formats import RUNTIMES
from nas.model.export.inference import Inference
from nas.model.export.int8 import calibration, quantized
from nas.model.export.onnx_file import open_session, session_run, with_metadata
from nas.model.model import Model

Labels = npt.NDArray[np.int64]

MOST_DIFFERENCE = 1e-4
"""Of any probability, between the model and the file."""

TIE = 1e-6
"""Classes of which the model says so nearly the same that float32's rounding decides."""

MOST_LOSS = 0.05
"""Of accuracy, by 8-bit integers: more is a quantization that has failed."""

BATCH = 128


class Sample(NamedTuple):
    """Images uint8 [N, C, R, R] that a file is compared on; of random ones there are no labels."""

    pixels: Pixels
    labels: Labels | None


@dataclass(frozen=True)
class OnDevice:
    """What a C file takes on a device, in bytes; ``arena`` of memory, the others of flash.

    ``least`` is what buffers held at once take together; ``code`` is as the compiler named made it
    on this machine for small code. Both are None where there is none.
    """

    arena: int
    least: int
    constants: int
    code: int | None
    compiler: str | None


@dataclass(frozen=True)
class Exported:
    """A file that was kept, and how far the probabilities of its float32 weights were off.

    It is at ``path``. ``tested`` where the images were real ones. ``accuracies`` are those of
    float32 and of 8-bit integers, where that was asked for. ``device`` is of a C file, whose
    ``difference`` is 0 where it was proved and None where no compiler could.
    """

    path: Path
    format: str
    bytes: int
    parameters: int
    difference: float | None
    images: int
    tested: bool
    accuracies: tuple[float, float] | None = None
    device: OnDevice | None = None


def export(
    model: Model, name: str, out: Path, sample: Sample, train: Sample | None = None
) -> Exported:
    """Write a model in the format ``name``; with ``train`` images, in 8-bit integers.

    ValueError, and no file, where what was written doesn't say the same as the model.
    """
    chosen, known, network = RUNTIMES[name], model.metadata.for_export(), Inference(model)
    metadata = known.to_text()
    expected = model_classifier(model).probabilities(sample.pixels, BATCH)
    accuracies = None
    with replacing(out) as temporary:
        content = chosen.write(network, known.image, metadata)
        temporary.write_bytes(content)
        found = _outputs(chosen.read(temporary, metadata)[1], sample.pixels)
        difference = compare(expected, found)
        if train is not None:
            content, accuracies = in_8_bits(content, metadata, sample, train, expected, temporary)
    return Exported(
        out,
        name,
        len(content),
        sum(part.numel() for part in network.parameters()),
        difference,
        len(sample.pixels),
        sample.labels is not None,
        accuracies,
    )


def compare(expected: Probabilities, found: Probabilities) -> float:
    """The largest difference of two arrays [N, classes]; ValueError where it is too large.

    That is, over MOST_DIFFERENCE anywhere, or another predicted class, unless the model's is a TIE.
    """
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise ValueError(
            f"the file says {found.dtype} {list(found.shape)}, the model {expected.dtype} "
            f"{list(expected.shape)}; nothing was written"
        )
    difference = float(np.abs(expected - found).max(initial=0))
    rows, predicted = np.arange(len(expected)), found.argmax(1)
    others = int((expected[rows, predicted] < expected.max(1) - TIE).sum())
    if not difference <= MOST_DIFFERENCE or others:
        raise ValueError(
            f"what was written says something else than the model: probabilities differ by up to "
            f"{difference:.2g} (at most {MOST_DIFFERENCE:g}), the class of {others:,} of "
            f"{len(expected):,} images; nothing was kept, try another --format"
        )
    return difference


def in_8_bits(
    content: bytes,
    metadata: dict[str, str],
    sample: Sample,
    train: Sample,
    expected: Probabilities,
    temporary: Path,
) -> tuple[bytes, tuple[float, float]]:
    """An ONNX file's content in 8-bit integers, also in ``temporary``, and the accuracies.

    Those are of float32, as ``expected``, and of the integers; its metadata has them too.
    ValueError where the integers lose over MOST_LOSS.
    """
    assert sample.labels is not None, "asked for before work begins"
    assert train.labels is not None, "training images have labels"
    content = quantized(content, train.pixels[calibration(train.labels)])
    temporary.write_bytes(content)
    found = _outputs(session_run(open_session(temporary)), sample.pixels)
    before, after = (float((said.argmax(1) == sample.labels).mean()) for said in (expected, found))
    if before - after > MOST_LOSS:
        raise ValueError(
            f"8-bit integers bring the accuracy from {before:.2%} to {after:.2%} on "
            f"{len(found):,} images, over {MOST_LOSS:.0%} less; nothing was kept, leave --int8 out"
        )
    measured = measured_text((before, after), len(found))
    content = with_metadata(content, metadata | measured)
    temporary.write_bytes(content)
    return content, (before, after)


def measured_text(accuracies: tuple[float, float], images: int) -> dict[str, str]:
    """The accuracies of float32 and of 8-bit integers on so many images, as metadata."""
    before, after = accuracies
    return {
        "accuracy_float32": f"{before}",
        "accuracy_int8": f"{after}",
        "accuracy_images": f"{images}",
    }


def _outputs(run: Run, pixels: Pixels) -> Probabilities:
    starts = range(0, len(pixels), BATCH)
    return np.concatenate([run(pixels[start : start + BATCH]) for start in starts])
