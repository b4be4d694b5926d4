"""From a trained network to one in 8-bit integers: scales, zero points, weights, multipliers.

A tensor's value is ``scale * (q - zero)`` with q in 0..255; ``zero`` is 0 after a ReLU. Parts of a
concatenation have its scale. Weights are symmetric, -127..127, with a scale for each output channel
([Jacob2018]_; per channel after [Krishnamoorthi2018]_), biases 32-bit integers in units of the
product of both scales. An activation's range is the one, of RANGES times the largest that
calibration images show, that quantizes them with the least squared error.

.. [Jacob2018] B. Jacob et al., Quantization and Training of Neural Networks for Efficient
   Integer-Arithmetic-Only Inference, CVPR 2018.
.. [Krishnamoorthi2018] R. Krishnamoorthi, Quantizing deep convolutional networks for efficient
   inference, arXiv:1806.08342.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nas.datasets.normalization import Normalization
from nas.model.classifier import Pixels
from nas.model.integer.floating import Weights, folded, run
from nas.model.model import Model
from search_space.device.operations import (
    ADD,
    AFFINE,
    AVG_POOL,
    CONV,
    COPY,
    GLOBAL_POOL,
    IMAGE,
    MAX_POOL,
    Operation,
    Operations,
    operations,
)
from search_space.expand import expand
from search_space.graph import Node, Pool

Int = npt.NDArray[np.int64]

MOST = 255
MOST_WEIGHT = 127
BITS = 20
"""Binary places of the factors of sums and affine operations, fewer where these are large."""

SEEN = 4_096
"""Values of each tensor and batch, evenly spaced, of which the range is chosen."""

RANGES = tuple(1 - step / 40 for step in range(21))
"""Shares of the largest value that are tried as the range."""

BATCH = 64


class Grid(NamedTuple):
    """What the integers of a tensor mean."""

    scale: float
    zero: int


class Factors(NamedTuple):
    """Real factors as integers: ``multipliers`` / 2 ^ ``shifts``, int32 and 0..62, [K] each."""

    multipliers: Int
    shifts: Int


@dataclass(frozen=True, eq=False)
class IntegerOperation:
    """An operation with its constants.

    ``zeros`` are those of its inputs, for the image one a channel; results below ``low`` are that.
    ``weights`` are int8 [O, KH, KW, I], of an affine operation int32 [C]; ``bias`` int32 [O].
    ``factors`` bring the accumulator to the grid of the output: one for each output channel of a
    convolution, for each number of values of a mean, for each input of a sum; one of others.
    """

    operation: Operation
    zeros: tuple[Int, ...]
    zero: int
    low: int
    weights: Int | None
    bias: Int | None
    factors: Factors


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """Operations on 8-bit integers; the image is taken as it is, uint8.

    ``exponentials`` [256] are 65535 times that of minus 0, 1, ... steps of a logit.
    """

    operations: Operations
    integers: tuple[IntegerOperation, ...]
    exponentials: Int


def quantize(model: Model, images: Pixels) -> IntegerNetwork:
    """The model in 8-bit integers; ``images`` [N, C, R, R] show the range of activations."""
    known = model.metadata
    graph = expand(known.candidate.architecture, known.channels, len(known.classes))
    pixels = torch.from_numpy(images)
    return quantize_network(graph, model.network, pixels, known.mean, known.std)


def quantize_network(
    graph: Node,
    network: nn.Module,
    images: Tensor,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> IntegerNetwork:
    """The module of a layer graph, in evaluation mode on the CPU, in 8-bit integers.

    ``images`` uint8 [N, C, R, R] show the range of activations; ``mean`` and ``std`` of each
    channel, of pixels of 0..1, normalize them as in training.
    """
    _, channels, height, width = images.shape
    plan = operations(graph, (channels, height, width))
    weights = folded(plan, network)
    normalization = Normalization(mean, std)
    batches = (normalization(batch) for batch in torch.split(images, BATCH))
    return integers(plan, weights, choose_grids(plan, weights, batches), mean, std)


@torch.inference_mode()
def choose_grids(
    plan: Operations, weights: Mapping[int, Weights], batches: Iterable[Tensor]
) -> dict[int, Grid]:
    """The grid of every tensor but the image, by what normalized images make of it."""
    roots = {one.output: plan.root(one.output) for one in plan.operations}
    rectified = plan.rectified()
    seen: dict[int, list[Tensor]] = {}
    for batch in batches:
        found = run(plan, weights, batch)
        for tensor, root in roots.items():
            values = found[tensor].flatten()
            step = max(1, len(values) // SEEN)
            low, high = values.aminmax()
            seen.setdefault(root, []).append(torch.cat([values[::step], low[None], high[None]]))
    grids: dict[int, Grid] = {}
    # A max-pool, and a copy, have their input's grid unless they write into a concatenation.
    for one in plan.operations:
        root = roots[one.output]
        (source, *_) = one.inputs
        if one.kind in (MAX_POOL, COPY) and root == one.output and source != IMAGE:
            grids[root] = grids[plan.root(source)]
        elif root not in grids:
            grids[root] = grid_of(torch.cat(seen[root]).numpy(), rectified[root])
    return {tensor: grids[plan.root(tensor)] for tensor in _tensors(plan)}


def _tensors(plan: Operations) -> set[int]:
    every = {tensor for one in plan.operations for tensor in (*one.inputs, one.output)}
    return every - {IMAGE}


def grid_of(values: npt.NDArray[Any], rectified: bool) -> Grid:
    """The grid that holds values with the least squared error; 0 is one of its values."""
    least, most = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if rectified:
        least = 0.0
    if most - least < 1e-12:
        return Grid(1.0, 0)
    tried = (_grid(least * share, most * share) for share in RANGES)
    return min(tried, key=lambda grid: _error(values, grid))


def _grid(least: float, most: float) -> Grid:
    scale = (most - least) / MOST
    return Grid(scale, round(-least / scale))


def _error(values: npt.NDArray[Any], grid: Grid) -> float:
    steps = np.clip(np.rint(values / grid.scale) + grid.zero, 0, MOST)
    return float((((steps - grid.zero) * grid.scale - values) ** 2).sum())


def integers(
    plan: Operations,
    weights: Mapping[int, Weights],
    grids: Mapping[int, Grid],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> IntegerNetwork:
    """The operations with integer constants."""
    made = tuple(_integer(plan, one, weights, grids, mean, std) for one in plan.operations)
    return IntegerNetwork(plan, made, _exponentials(grids[plan.output].scale))


def _integer(
    plan: Operations,
    one: Operation,
    weights: Mapping[int, Weights],
    grids: Mapping[int, Grid],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> IntegerOperation:
    out = grids[one.output]
    low = out.zero if one.relu else 0
    if one.inputs == (IMAGE,):
        if one.kind != CONV:
            raise ValueError(f"{one.name} is a {one.kind} of the image itself; begin with a stem")
        return _of_the_image(one, weights[one.output], out, low, mean, std)
    sources = [grids[tensor] for tensor in one.inputs]
    zeros = tuple(np.array([grid.zero]) for grid in sources)
    scale = sources[0].scale / out.scale
    if one.kind == CONV:
        return _convolution(one, weights[one.output], sources[0].scale, zeros, out, low)
    if one.kind == AFFINE:
        gain, shift = (part.numpy() for part in weights[one.output])
        gains, shifts = gain * scale, shift / out.scale
        bits = _places(float(max(np.abs(gains).max(), np.abs(shifts).max())))
        bias = np.rint(shifts * 2.0**bits).astype(np.int64)
        factors = Factors(np.array([1]), np.array([bits]))
        whole = np.rint(gains * 2.0**bits).astype(np.int64)
        return IntegerOperation(one, zeros, out.zero, low, whole, bias, factors)
    if one.kind == ADD:
        ratios = np.array([grid.scale / out.scale for grid in sources])
        bits = _places(float(ratios.max()))
        whole = np.rint(ratios * 2.0**bits).astype(np.int64)
        return IntegerOperation(
            one, zeros, out.zero, low, None, None, Factors(whole, np.array([bits]))
        )
    counts = np.array([1])
    if one.kind == AVG_POOL:
        assert isinstance(one.window, Pool)
        counts = np.arange(1, one.window.kernel**2 + 1)
    if one.kind == GLOBAL_POOL:
        _, height, width = plan.shapes[one.inputs[0]]
        counts = np.array([height * width])
    factors = fixed_point(scale / counts)
    return IntegerOperation(one, zeros, out.zero, low, None, None, factors)


def _of_the_image(
    one: Operation,
    weights: Weights,
    out: Grid,
    low: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> IntegerOperation:
    """The first convolution takes pixels as they are: what normalizes them goes into its weights.

    Beyond the border lies the nearest pixel to the mean; inside, nothing is lost by that.
    """
    exact = 255 * np.array(mean)
    zeros = np.rint(exact)
    of_channel = torch.tensor([1 / (255 * deviation) for deviation in std], dtype=torch.float64)
    weight = weights.weight * of_channel[None, :, None, None]
    moved = torch.from_numpy(zeros - exact)[None, :, None, None]
    bias = weights.bias + (weight * moved).sum((1, 2, 3))
    return _convolution(one, Weights(weight, bias), 1.0, (zeros.astype(np.int64),), out, low)


def _convolution(
    one: Operation, weights: Weights, scale: float, zeros: tuple[Int, ...], out: Grid, low: int
) -> IntegerOperation:
    weight, bias = (part.numpy() for part in weights)
    steps = np.maximum(np.abs(weight).reshape(len(weight), -1).max(1), 1e-30) / MOST_WEIGHT
    whole = np.rint(weight / steps[:, None, None, None]).astype(np.int64)
    units = steps * scale
    # What is left of 32 bits beside the largest sum, and what the zeros may add to it.
    room = 2**31 - 1 - 2 * MOST * np.abs(whole).sum((1, 2, 3))
    if (room < 0).any():
        raise ValueError(f"{one.name} adds too many products for 32 bits; make it narrower")
    added = np.clip(np.rint(bias / units), -room, room).astype(np.int64)
    factors = fixed_point(units / out.scale)
    return IntegerOperation(one, zeros, out.zero, low, whole.transpose(0, 2, 3, 1), added, factors)


def _places(largest: float) -> int:
    """Binary places with which a factor, and 255 times it, fits into 31 bits."""
    if largest <= 0:
        return BITS
    return max(1, min(BITS, 30 - 1 - math.ceil(math.log2(largest))))


def fixed_point(factors: npt.NDArray[np.float64]) -> Factors:
    """Positive factors as 31-bit integers over powers of two; what is too small is 0."""
    multipliers, shifts = [], []
    for factor in factors.tolist():
        mantissa, exponent = math.frexp(factor)  # 0.5 <= mantissa < 1
        multiplier, shift = round(mantissa * 2**31), 31 - exponent
        if multiplier == 2**31:
            multiplier, shift = 2**30, shift - 1
        if shift > 62:
            multiplier, shift = 0, 62
        if shift < 1:
            raise ValueError(f"a factor is {factor:g}; no output has so fine a grid")
        multipliers.append(multiplier)
        shifts.append(shift)
    return Factors(np.array(multipliers), np.array(shifts))


def _exponentials(scale: float) -> Int:
    """65535 times exp(-k scale) for each difference k of two logits, 0 to 255."""
    found: Int = np.rint(65535 * np.exp(-scale * np.arange(MOST + 1))).astype(np.int64)
    return found


def constants_of(one: IntegerOperation) -> tuple[Int, Int]:
    """The weights and the biases of an operation that has them."""
    assert one.weights is not None, "it has weights"
    assert one.bias is not None, "what has weights has biases"
    return one.weights, one.bias
