"""Static quantization by ONNX Runtime: weights and activations of an ONNX file as 8-bit integers.

.. [Jacob2018] B. Jacob et al., Quantization and Training of Neural Networks for Efficient
   Integer-Arithmetic-Only Inference, CVPR 2018.
"""

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nas.model.classifier import Pixels
from nas.model.metadata import INPUT
from nas.seeds import derive

IMAGES = 512
"""Training images that show the range of activations, equally many of each class if there are."""

BATCH = 64

QUANTIZED = ("Conv", "Gemm", "MatMul", "Relu", "MaxPool", "AveragePool", "Concat", "Add", "Mul")
"""Operators on 8-bit integers. Normalization of the image and probabilities stay float32."""


def calibration(labels: npt.NDArray[np.int64], count: int = IMAGES) -> npt.NDArray[np.intp]:
    """Indexes of ``count`` images or all, int64 [count], seeded: of every class in turn."""
    shuffled = np.random.default_rng(derive(0, "calibration")).permutation(len(labels))
    turns = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        turns[members] = np.arange(len(members))
    return np.lexsort((shuffled.argsort(), turns))[:count]


def quantized(content: bytes, images: Pixels) -> bytes:
    """An ONNX file's bytes with 8-bit operators, weights by output channel [Jacob2018]_.

    ``images`` [N, C, R, R] show the range of activations. Weights have 7 bits: x86 processors
    without VNNI add products of 8 bits in 16, which 8-bit weights overflow, so the accuracy
    would depend on the machine. (On one of them inception-28 lost 0.1 points instead of 0.5.)
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quant_pre_process,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            starts = range(0, len(images), BATCH)
            self.batches = iter([images[start : start + BATCH] for start in starts])

        def get_next(self) -> dict[str, Pixels] | None:
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: np.ascontiguousarray(batch)}

    with tempfile.TemporaryDirectory() as scratch, _quiet():
        given, prepared, made = (Path(scratch, f"{name}.onnx") for name in ("given", "as", "made"))
        given.write_bytes(content)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            made,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return made.read_bytes()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice that the quantizer gives its developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
