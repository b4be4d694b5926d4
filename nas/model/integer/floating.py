"""The operations of a device with a trained network's weights, still in floating point."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, max_pool2d

from search_space.device.operations import (
    ADD,
    AFFINE,
    CONV,
    COPY,
    GLOBAL_POOL,
    IMAGE,
    MAX_POOL,
    Operation,
    Operations,
)
from search_space.graph import BatchNorm, Conv, GlobalPool, Linear, Pool, Scale


class Weights(NamedTuple):
    """Of a convolution [O, I, H, W] and [O]; of an affine operation gains [C] and shifts [C]."""

    weight: Tensor
    bias: Tensor


def folded(operations: Operations, network: nn.Module) -> dict[int, Weights]:
    """The weights of operations, by their outputs: float64, with what follows folded in.

    ``network`` is a module of the same layer graph, in evaluation mode.
    """
    return folded_state(operations, network.state_dict())


def folded_state(operations: Operations, state: Mapping[str, Tensor]) -> dict[int, Weights]:
    """The same of a module's parameters and buffers by their names; gradients reach these."""
    return {
        one.output: _folded(one, operations, state)
        for one in operations.operations
        if one.kind in (CONV, AFFINE)
    }


def _folded(one: Operation, operations: Operations, state: Mapping[str, Tensor]) -> Weights:
    rest = one.layers
    (source,) = one.inputs
    channels, height, width = operations.shapes[source]
    if one.kind == CONV:
        (name, layer), *rest = one.layers
        assert isinstance(layer, Conv | Linear), "a convolution begins with one"
        inside = f"{name}.1" if isinstance(layer, Linear) else name
        weight = state[f"{inside}.weight"].double()
        bias = state.get(f"{inside}.bias", torch.zeros(len(weight))).double()
        if isinstance(layer, Linear):
            weight = weight.reshape(-1, channels, height, width)
    else:
        weight, bias = torch.ones(channels).double(), torch.zeros(channels).double()
    for name, layer in rest:
        if isinstance(layer, Scale):
            weight, bias = weight * layer.factor, bias * layer.factor
        elif isinstance(layer, BatchNorm):
            mean, variance, gain, shift = (
                state[f"{name}.{part}"].double()
                for part in ("running_mean", "running_var", "weight", "bias")
            )
            gain = gain / (variance + layer.eps).sqrt()
            weight = weight * gain.reshape(-1, *[1] * (weight.dim() - 1))
            bias = (bias - mean) * gain + shift
    return Weights(weight, bias)


def run(
    operations: Operations,
    weights: Mapping[int, Weights],
    images: Tensor,
    after: Callable[[Operation, Tensor], Tensor] | None = None,
) -> dict[int, Tensor]:
    """Every tensor [N, C, H, W] that operations make of normalized images [N, C, H, W].

    What an operation makes goes through ``after`` where that is given.
    """
    found = {IMAGE: images}
    parts: dict[int, list[int]] = {}
    for one in operations.operations:
        if one.output in operations.wholes:
            parts.setdefault(operations.wholes[one.output], []).append(one.output)
    for whole in operations.wholes.values():
        if whole in operations.wholes and whole not in parts.setdefault(
            operations.wholes[whole], []
        ):
            parts[operations.wholes[whole]].append(whole)

    def tensor(number: int) -> Tensor:
        if number not in found:
            own = sorted(parts[number], key=lambda part: operations.places[part].channel)
            found[number] = torch.cat([tensor(part) for part in own], 1)
        return found[number]

    for one in operations.operations:
        made = _computed(one, [tensor(n) for n in one.inputs], weights)
        found[one.output] = made if after is None else after(one, made)
    tensor(operations.output)
    return found


def _computed(one: Operation, inputs: list[Tensor], weights: Mapping[int, Weights]) -> Tensor:
    x = inputs[0]
    if one.kind == CONV:
        layer = one.window
        weight, bias = (part.to(x.dtype) for part in weights[one.output])
        if isinstance(layer, Conv):
            x = conv2d(x, weight, bias, layer.stride, layer.padding)
        else:
            x = conv2d(x, weight, bias)
    elif one.kind == AFFINE:
        gain, shift = (part.to(x.dtype)[:, None, None] for part in weights[one.output])
        x = x * gain + shift
    elif one.kind == ADD:
        x = inputs[0] + inputs[1]
    elif one.kind == GLOBAL_POOL:
        assert isinstance(one.window, GlobalPool)
        x = adaptive_avg_pool2d(x, one.window.size)
    elif one.kind != COPY:
        pool = one.window
        assert isinstance(pool, Pool)
        if one.kind == MAX_POOL:
            x = max_pool2d(x, pool.kernel, pool.stride, pool.padding, ceil_mode=pool.ceil)
        else:
            x = avg_pool2d(x, pool.kernel, pool.stride, pool.padding, pool.ceil, False)
    return x.relu() if one.relu else x
