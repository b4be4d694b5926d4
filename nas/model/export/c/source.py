"""The C source and header of a network in 8-bit integers: its constants, and the fixed kernels."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import NamedTuple

from nas.model.integer.quantization import (
    Int,
    IntegerNetwork,
    IntegerOperation,
    constants_of,
)
from search_space.device.arena import Arena
from search_space.device.operations import (
    ADD,
    AFFINE,
    AVG_POOL,
    CONV,
    COPY,
    GLOBAL_POOL,
    IMAGE,
    MAX_POOL,
)
from search_space.graph import Conv, Pool

NAMES = {
    CONV: "CONVOLUTION",
    AFFINE: "AFFINE",
    MAX_POOL: "MAX_POOL",
    AVG_POOL: "AVG_POOL",
    GLOBAL_POOL: "GLOBAL_POOL",
    ADD: "ADD",
    COPY: "MAX_POOL",  # of one value
}
"""Kinds of operations in C."""

FIELDS = (
    ("uint32_t", ("in", "other", "out", "weights", "biases", "factors")),
    ("uint16_t", ("c_in", "h_in", "w_in", "c_out", "h_out", "w_out")),
    ("uint16_t", ("step_in", "step_other", "step_out")),
    ("uint8_t", ("kind", "kh", "kw", "stride", "pad_h", "pad_w")),
    ("uint8_t", ("zero_in", "zero_other", "zero_out", "low", "from_image")),
)
"""Fields of an operation: the largest first, so that there are no gaps before the end."""

WIDTH = 96
"""Characters of a line of numbers."""


class Source(NamedTuple):
    """The text of both files, by their endings; ``name`` is what the header is called."""

    name: str
    c: str
    h: str


class _Pool:
    """Constants of all operations in one array: where each operation's begin."""

    def __init__(self) -> None:
        self.values: list[int] = []

    def add(self, values: Iterable[int]) -> int:
        begin = len(self.values)
        self.values += values
        return begin


class _Constants:
    """The arrays of constants."""

    def __init__(self) -> None:
        self.weights, self.gains, self.biases = _Pool(), _Pool(), _Pool()
        self.multipliers, self.shifts = _Pool(), _Pool()


def source(
    network: IntegerNetwork,
    placed: Arena,
    classes: Sequence[str],
    name: str,
    about: str,
    end: str = "",
) -> Source:
    """The files of a network, whose header is called ``name``.h.

    ``about`` says what it is, in a comment; ``end`` is a comment that is added as it is.
    """
    plan = network.operations
    by_output = {one.operation.output: one for one in network.integers}
    made = _Constants()
    rows = [_row(network, placed, by_output[one.output], made) for one in placed.order]
    zeros = next(one.zeros[0] for one in network.integers if one.operation.inputs[0] == IMAGE)
    logits = plan.places[plan.output]
    channels, height, width = plan.shapes[IMAGE]
    comment = _comment(about)
    header = f"""{comment}
#ifndef NAS_NETWORK_H
#define NAS_NETWORK_H

#include <stdint.h>

#define NAS_HEIGHT {height}
#define NAS_WIDTH {width}
#define NAS_CHANNELS {channels}
#define NAS_CLASSES {len(classes)}
#define NAS_ARENA_BYTES {placed.bytes}

/* Classes, by number:
{_lines(f"{number}: {one}" for number, one in enumerate(classes))}
*/

/*
 * The class of an image, 0 to NAS_CLASSES - 1. The image is uint8, NAS_HEIGHT rows of NAS_WIDTH
 * pixels of NAS_CHANNELS values each, as it is read from a file: nothing is to be normalized. The
 * NAS_CLASSES probabilities are 0 to 255. Memory is static: one call at a time.
 */
int nas_predict(const uint8_t *image, uint8_t *probabilities);

#endif
"""
    parts = [
        comment,
        f'#include "{name}.h"',
        "enum { " + ", ".join(dict.fromkeys(NAMES.values())) + " };",
        _struct(),
        f"#define OPERATIONS {len(rows)}",
        f"#define LOGITS {placed.offsets[logits.buffer] + logits.channel}",
        "static const struct operation operations[OPERATIONS] = {\n" + ",\n".join(rows) + "\n};",
        _array("int8_t", "weights", made.weights.values),
        _array("int32_t", "gains", made.gains.values),
        _array("int32_t", "biases", made.biases.values),
        _array("int32_t", "multipliers", made.multipliers.values),
        _array("uint8_t", "shifts", made.shifts.values),
        _array("uint8_t", "image_zeros", zeros.tolist()),
        _array("uint16_t", "exponentials", network.exponentials.tolist()),
        files("nas.model.export.c").joinpath("kernels.c").read_text("utf-8").rstrip("\n"),
        *([end] if end else []),
    ]
    return Source(name, "\n\n".join(parts) + "\n", header)


def _row(network: IntegerNetwork, placed: Arena, one: IntegerOperation, made: _Constants) -> str:
    """The initializer of an operation, whose constants are added to those that were made."""
    plan, operation = network.operations, one.operation

    def offset(tensor: int) -> int:
        place = plan.places[tensor]
        return 0 if place.buffer == IMAGE else placed.offsets[place.buffer] + place.channel

    def step(tensor: int) -> int:
        return plan.buffers[plan.places[tensor].buffer][0]

    source, *others = operation.inputs
    other = others[0] if others else source
    (c_in, h_in, w_in), (c_out, h_out, w_out) = plan.shapes[source], plan.shapes[operation.output]
    kernel, stride, padding = _window(operation.window) if _moves(operation.kind) else PIXEL
    if kernel == WHOLE:
        kernel = (h_in, w_in)
    weights = biases = 0
    if operation.kind == CONV:
        assert step(source) == c_in, "a convolution's input is a tensor of its own"
        values, bias = _with_zeros(one)
        weights, biases = made.weights.add(values.ravel().tolist()), made.biases.add(bias.tolist())
    elif operation.kind == AFFINE:
        gains, bias = constants_of(one)
        weights, biases = made.gains.add(gains.tolist()), made.biases.add(bias.tolist())
    factors = made.multipliers.add(one.factors.multipliers.tolist())
    shifts = one.factors.shifts.tolist()
    made.shifts.add(shifts * (len(one.factors.multipliers) // len(shifts)))
    from_image = operation.inputs == (IMAGE,)
    values_of = {
        "in": offset(source),
        "other": offset(other),
        "out": offset(operation.output),
        "weights": weights,
        "biases": biases,
        "factors": factors,
        "c_in": c_in,
        "h_in": h_in,
        "w_in": w_in,
        "c_out": c_out,
        "h_out": h_out,
        "w_out": w_out,
        "step_in": step(source),
        "step_other": step(other),
        "step_out": step(operation.output),
        "kind": NAMES[operation.kind],
        "kh": kernel[0],
        "kw": kernel[1],
        "stride": stride,
        "pad_h": padding[0],
        "pad_w": padding[1],
        "zero_in": 0 if from_image else int(one.zeros[0][0]),
        "zero_other": int(one.zeros[-1][0]),
        "zero_out": one.zero,
        "low": one.low,
        "from_image": int(from_image),
    }
    named = [str(values_of[field]) for _, fields in FIELDS for field in fields]
    return f"    /* {_safe(operation.name)} */\n    {{{', '.join(named)}}}"


WHOLE = (0, 0)
"""Stands for a kernel as large as its map."""

PIXEL = ((1, 1), 1, (0, 0))
"""The window of operations that have none."""


def _moves(kind: str) -> bool:
    return kind in (CONV, MAX_POOL, AVG_POOL, GLOBAL_POOL)


def _window(layer: object) -> tuple[tuple[int, int], int, tuple[int, int]]:
    """Kernel, stride and padding of what moves over a map."""
    if isinstance(layer, Conv):
        return layer.kernel, layer.stride, layer.padding
    if isinstance(layer, Pool):
        return (layer.kernel,) * 2, layer.stride, (layer.padding,) * 2
    return WHOLE, 1, (0, 0)


def _with_zeros(one: IntegerOperation) -> tuple[Int, Int]:
    """Weights and biases, from which is taken what the zeros of the input add to every sum."""
    weights, bias = constants_of(one)
    return weights, bias - (weights * one.zeros[0]).sum((1, 2, 3))


def _struct() -> str:
    lines = (f"    {kind} {', '.join(fields)};" for kind, fields in FIELDS)
    return "struct operation {\n" + "\n".join(lines) + "\n};"


def _array(kind: str, name: str, values: Sequence[int]) -> str:
    """A constant array; C has none of length 0."""
    shown = [str(value) for value in values] or ["0"]
    lines, line = [], "   "
    for one in shown:
        if len(line) + len(one) + 2 > WIDTH:
            lines.append(line)
            line = "   "
        line += f" {one},"
    lines.append(line.rstrip(","))
    return f"static const {kind} {name}[{len(shown)}] = {{\n" + "\n".join(lines) + "\n};"


def _comment(text: str) -> str:
    return f"/*\n{_lines(text.splitlines())}\n */"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(f" * {_safe(line)}".rstrip() for line in lines)


def _safe(text: str) -> str:
    """A text that can't end a comment, nor begin another one, nor continue a line."""
    shown = "".join(one if one.isprintable() and one not in "\\?" else "_" for one in text)
    return shown.replace("*/", "* /").replace("/*", "/ *")
