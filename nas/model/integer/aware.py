"""A network as it will be in 8-bit integers, with gradients: quantization-aware, [Jacob2018]_.

Weights and activations are rounded as the integers will be, batch norm folded in with the mean and
variance that it has learned; gradients pass the rounding unchanged, and end where a value is cut.

.. [Jacob2018] B. Jacob et al., Quantization and Training of Neural Networks for Efficient
   Integer-Arithmetic-Only Inference, CVPR 2018.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nas.model.integer.floating import Weights, folded_state, run
from nas.model.integer.quantization import MOST, MOST_WEIGHT, Grid
from search_space.device.operations import CONV, Operation, Operations


def aware_logits(
    plan: Operations, network: nn.Module, grids: Mapping[int, Grid], images: Tensor
) -> Tensor:
    """The logits [N, classes] of normalized images [N, C, R, R]; ``network`` is the plan's."""
    state = dict(network.named_parameters()) | dict(network.named_buffers())
    weights = folded_state(plan, state)
    kinds = {one.output: one.kind for one in plan.operations}
    rounded = {
        output: Weights(_rounded_weight(one.weight), one.bias) if kinds[output] == CONV else one
        for output, one in weights.items()
    }

    def cut(one: Operation, values: Tensor) -> Tensor:
        return _rounded(values, grids[one.output])

    return run(plan, rounded, images, cut)[plan.output].flatten(1)


def _rounded_weight(weight: Tensor) -> Tensor:
    """A weight [O, I, H, W] in steps of an output channel's own."""
    with torch.no_grad():
        steps = weight.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-30) / MOST_WEIGHT
        off = (weight / steps).round() * steps - weight
    return weight + off


def _rounded(values: Tensor, grid: Grid) -> Tensor:
    low, high = -grid.zero * grid.scale, (MOST - grid.zero) * grid.scale
    inside = values.clamp(low, high)
    with torch.no_grad():
        off = (inside / grid.scale).round() * grid.scale - inside
    return inside + off
