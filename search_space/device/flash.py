"""Bytes of flash that a network takes as the C file that `nas export` writes.

Weights have 8 bits, biases 32; each output channel has a factor of 31 bits and a shift beside. An
operation's row in the table and the code of the kernels come to that.
"""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from search_space.device.operations import (
    ADD,
    AFFINE,
    AVG_POOL,
    CONV,
    IMAGE,
    Operation,
    Operations,
)
from search_space.graph import Pool

BIAS_BYTES = GAIN_BYTES = 4
FACTOR_BYTES = 4 + 1
"""A multiplier and a shift."""

ROW_BYTES = 56
"""An operation's row in the table."""

EXPONENTIAL_BYTES = 2 * 256
"""Of the softmax."""


class Flash(NamedTuple):
    """Bytes of flash: ``weights`` and gains, ``biases`` and factors, ``table``, ``code``."""

    weights: int
    biases: int
    table: int
    code: int

    @property
    def constants(self) -> int:
        """All but the code."""
        return self.weights + self.biases + self.table

    @property
    def total(self) -> int:
        """All together."""
        return self.constants + self.code


def flash(given: Operations, code: int) -> Flash:
    """The flash of operations, with kernels of so many bytes of ``code``."""
    weights = biases = 0
    for one in given.operations:
        own, beside = _constants(given, one)
        weights += own
        biases += beside
    channels = given.shapes[IMAGE][0]
    zeros = channels if channels > 1 else 0  # a compiler knows what a single one is
    return Flash(
        weights,
        biases,
        ROW_BYTES * len(given.operations) + EXPONENTIAL_BYTES + zeros,
        code,
    )


def _constants(given: Operations, one: Operation) -> tuple[int, int]:
    """Bytes of weights, and of what is beside them."""
    outputs = given.shapes[one.output][0]
    if one.kind == CONV:
        return outputs * prod(_taps(given, one)), outputs * (BIAS_BYTES + FACTOR_BYTES)
    if one.kind == AFFINE:
        return outputs * GAIN_BYTES, outputs * BIAS_BYTES + FACTOR_BYTES
    if one.kind == ADD:
        return 0, 2 * FACTOR_BYTES
    factors = 1
    if one.kind == AVG_POOL:
        assert isinstance(one.window, Pool)
        factors = one.window.kernel**2
    return 0, factors * FACTOR_BYTES


def _taps(given: Operations, one: Operation) -> Sequence[int]:
    """Inputs, height and width of a convolution's kernel; a linear layer's is all of its map."""
    channels, height, width = given.shapes[one.inputs[0]]
    kernel = getattr(one.window, "kernel", (height, width))
    return channels, *kernel
