"""The arithmetic of a network in 8-bit integers, written with NumPy: what every file must say.

All is integer, in this order, for every output value:

- convolution: ``acc = bias[o] + sum(w[o, i, j, c] * (x[i, j, c] - zero[c]))`` over the taps inside
  the map, in 32 bits; then ``y = rounded(acc * multiplier[o], shift[o]) + zero_out``.
- mean: ``acc = sum(x - zero)`` over the values inside the map, and the factor of their number.
- max-pool and copy: ``acc = x - zero`` of the largest x, and one factor.
- affine: ``y = rounded((x - zero) * weight[c] + bias[c], shift) + zero_out``.
- sum: ``y = rounded((a - zero_a) * multiplier_a + (b - zero_b) * multiplier_b, shift) + zero_out``.

Products are of 64 bits. ``rounded(t, s)`` is the floor of ``(t + 2^(s-1)) / 2^s``: halves go up.
Every y is then cut to ``low..255``. Probabilities are of the logits q:
``e[k] = exponentials[max(q) - q[k]]``, and
``p[k] = (255 e[k] + sum / 2) / sum`` in whole numbers; the class is the first of the largest q.
"""

import numpy as np
import numpy.typing as npt

from nas.model.classifier import Pixels
from nas.model.integer.quantization import MOST, Int, IntegerNetwork, IntegerOperation, constants_of
from search_space.device.operations import (
    ADD,
    AFFINE,
    AVG_POOL,
    CONV,
    GLOBAL_POOL,
    IMAGE,
    MAX_POOL,
)
from search_space.graph import Conv, Pool

Bytes = npt.NDArray[np.uint8]


def logits(network: IntegerNetwork, images: Pixels) -> Int:
    """The logits [N, classes], 0..255, of images uint8 [N, C, R, R]."""
    plan = network.operations
    shape = len(images)
    buffers = {
        number: np.zeros((shape, height, width, channels), np.int64)
        for number, (channels, height, width) in plan.buffers.items()
    }
    buffers[IMAGE] = images.transpose(0, 2, 3, 1).astype(np.int64)

    def view(tensor: int) -> Int:
        place, channels = plan.places[tensor], plan.shapes[tensor][0]
        return buffers[place.buffer][..., place.channel : place.channel + channels]

    for one in network.integers:
        inputs = [view(tensor) for tensor in one.operation.inputs]
        view(one.operation.output)[...] = computed(one, inputs)
    return view(plan.output).reshape(shape, -1)


def probabilities(network: IntegerNetwork, images: Pixels) -> Bytes:
    """The probabilities [N, classes], 0..255, of images uint8 [N, C, R, R]."""
    return softmax(network, logits(network, images))


def softmax(network: IntegerNetwork, found: Int) -> Bytes:
    """The probabilities [N, classes], 0..255, of logits [N, classes]."""
    below = found.max(1, keepdims=True) - found
    of_class = network.exponentials[below]
    total = of_class.sum(1, keepdims=True)
    shares: Bytes = ((255 * of_class + total // 2) // total).astype(np.uint8)
    return shares


def computed(one: IntegerOperation, inputs: list[Int]) -> Int:
    """The output [N, H, W, C] of an operation, of its inputs likewise."""
    kind, factors = one.operation.kind, one.factors
    x = inputs[0] - one.zeros[0]
    if kind == ADD:
        total = sum(
            (value - zero) * factor
            for value, zero, factor in zip(inputs, one.zeros, factors.multipliers, strict=True)
        )
        return _cut(one, _rounded(np.asarray(total), factors.shifts[0]))
    if kind == AFFINE:
        weights, bias = constants_of(one)
        return _cut(one, _rounded(x * weights + bias, factors.shifts[0]))
    if kind == CONV:
        acc = _convolved(one, x)
        return _cut(one, _rounded(acc * factors.multipliers, factors.shifts))
    if kind == GLOBAL_POOL:
        acc, place = x.sum((1, 2), keepdims=True), np.array(0)
    elif kind == AVG_POOL:
        acc = _windows(one, x, 0).sum((-2, -1))
        place = _windows(one, np.ones_like(x[:1, :, :, :1]), 0).sum((-2, -1)) - 1
    elif kind == MAX_POOL:
        acc, place = _windows(one, x, -(10**9)).max((-2, -1)), np.array(0)
    else:
        acc, place = x, np.array(0)
    return _cut(one, _rounded(acc * factors.multipliers[place], factors.shifts[place]))


def _rounded(values: Int, shifts: Int) -> Int:
    found: Int = (values + (np.int64(1) << (shifts - 1))) >> shifts
    return found


def _cut(one: IntegerOperation, values: Int) -> Int:
    return np.clip(values + one.zero, one.low, MOST)


def _windows(one: IntegerOperation, x: Int, beyond: int) -> Int:
    """The windows [N, H, W, C, KH, KW] of a pooling layer; ``beyond`` lies around the map."""
    pool = one.operation.window
    assert isinstance(pool, Pool)
    _, height, width = pool.output((1, *x.shape[1:3]))
    after = [
        max(0, (size - 1) * pool.stride + pool.kernel - pool.padding - extent)
        for size, extent in zip((height, width), x.shape[1:3], strict=True)
    ]
    around = [(0, 0), (pool.padding, after[0]), (pool.padding, after[1]), (0, 0)]
    padded = np.pad(x, around, constant_values=beyond)
    kernel = (pool.kernel, pool.kernel)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, (1, 2))
    found: Int = windows[:, :: pool.stride, :: pool.stride][:, :height, :width]
    return found


def _convolved(one: IntegerOperation, x: Int) -> Int:
    """The accumulators [N, H, W, O]; float64 adds such integers exactly."""
    weights, bias = constants_of(one)
    _, height, width, _ = weights.shape
    layer, stride, padding = one.operation.window, 1, (0, 0)
    if isinstance(layer, Conv):
        stride, padding = layer.stride, layer.padding
    padded = np.pad(x, [(0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)]).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), (1, 2))
    chosen = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    rows = chosen.reshape(-1, weights[0].size)
    acc = rows @ weights.reshape(len(weights), -1).T.astype(np.float64)
    found: Int = acc.reshape(*chosen.shape[:3], -1).astype(np.int64) + bias
    return found
