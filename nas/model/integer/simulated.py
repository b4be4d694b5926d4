"""The arithmetic of a network in 8-bit integers by torch's floats, for many images at once.

Whole numbers are added exactly, in float32 where the largest sum of products allows it; scaling is
in float64, which has all but the last bits of the 64 that the arithmetic has. So it says what
`arithmetic` says, but for a value that lies on the edge of two to one part in 10^15, and takes a
tenth of the time.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d

from nas.model.integer.quantization import (
    MOST,
    MOST_WEIGHT,
    IntegerNetwork,
    IntegerOperation,
    constants_of,
)
from search_space.device.operations import ADD, AFFINE, AVG_POOL, CONV, COPY, GLOBAL_POOL, IMAGE
from search_space.graph import Conv, Pool

EXACT = 2**24
"""Whole numbers below this are exact in float32."""

BATCH = 64
"""Images at once: what is computed of so few stays in the processor's cache."""


def classes(network: IntegerNetwork, images: Tensor) -> Tensor:
    """The predicted class [N] of images uint8 [N, C, R, R], in batches."""
    return torch.cat([logits(network, batch).argmax(1) for batch in torch.split(images, BATCH)])


@torch.inference_mode()
def logits(network: IntegerNetwork, images: Tensor) -> Tensor:
    """The logits [N, classes], 0..255 in float32, of images uint8 [N, C, R, R]."""
    plan = network.operations
    buffers = {number: torch.empty((len(images), *shape)) for number, shape in plan.buffers.items()}
    buffers[IMAGE] = images.float()

    def view(tensor: int) -> Tensor:
        place, channels = plan.places[tensor], plan.shapes[tensor][0]
        return buffers[place.buffer][:, place.channel : place.channel + channels]

    for one in network.integers:
        inputs = [view(tensor) for tensor in one.operation.inputs]
        view(one.operation.output).copy_(_computed(one, inputs))
    return view(plan.output).flatten(1)


def _computed(one: IntegerOperation, inputs: list[Tensor]) -> Tensor:
    """The output [N, C, H, W] of an operation, of its inputs likewise."""
    kind = one.operation.kind
    factors = np.ldexp(one.factors.multipliers.astype(np.float64), -one.factors.shifts)
    x, *others = (value - _of_channel(zero) for value, zero in zip(inputs, one.zeros, strict=True))
    if kind == ADD:
        (other,) = others
        return _scaled(one, x.double() * factors[0] + other.double() * factors[1])
    if kind == AFFINE:
        weights, bias = constants_of(one)
        total = x.double() * _of_channel(weights) + _of_channel(bias)
        return _scaled(one, total * factors[0])
    if kind == CONV:
        return _scaled(one, _convolved(one, x) * _of_channel(factors))
    if kind == AVG_POOL:
        pool = one.operation.window
        assert isinstance(pool, Pool)
        window = (pool.kernel, pool.stride, pool.padding, pool.ceil, True, 1)  # sums, not means
        inside, sums = (avg_pool2d(of, *window) for of in (torch.ones_like(x[:1, :1]), x))
        of_count = torch.from_numpy(factors)[(inside - 1).long()]
        return _scaled(one, sums.double() * of_count)
    if kind == GLOBAL_POOL:
        return _scaled(one, x.sum((2, 3), keepdim=True).double() * factors[0])
    if kind != COPY:
        pool = one.operation.window
        assert isinstance(pool, Pool)
        x = max_pool2d(x, pool.kernel, pool.stride, pool.padding, ceil_mode=pool.ceil)
    return _scaled(one, x.double() * factors[0])


def _of_channel(values: object) -> Tensor:
    """One for each channel, [C, 1, 1]."""
    return torch.from_numpy(np.asarray(values)).reshape(-1, 1, 1)


def _scaled(one: IntegerOperation, values: Tensor) -> Tensor:
    return values.add_(0.5).floor_().add_(one.zero).clamp_(one.low, MOST)


def _convolved(one: IntegerOperation, x: Tensor) -> Tensor:
    """The accumulators [N, O, H, W] in float64."""
    weights, bias = constants_of(one)
    taps = torch.from_numpy(weights.transpose(0, 3, 1, 2).astype(np.float64))
    exact = taps[0].numel() * MOST * MOST_WEIGHT < EXACT
    kind = torch.float32 if exact else torch.float64
    layer = one.operation.window
    how = (layer.stride, layer.padding) if isinstance(layer, Conv) else (1, 0)
    found = conv2d(x.to(kind), taps.to(kind), None, *how)
    return found.double() + _of_channel(bias)
