"""Integer networks: folding against torch, arithmetic against loops, error against float."""

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.model.integer import simulated
from nas.model.integer.arithmetic import computed, logits, probabilities
from nas.model.integer.aware import aware_logits
from nas.model.integer.floating import Weights, folded, run
from nas.model.integer.quantization import (
    Grid,
    _convolution,
    choose_grids,
    fixed_point,
    grid_of,
)
from search_space.architecture import Architecture, Block, Stage, Stem
from search_space.catalog import candidate
from search_space.device.operations import CONV, IMAGE, Operation, operations
from search_space.expand import expand
from search_space.graph import Conv
from search_space.network import module


@given(st.integers(0, 2**32))
def test_folded_operations_are_the_network(small_architecture: Any, seed: int) -> None:
    graph = expand(small_architecture(seed), 3, 5)
    plan = operations(graph, (3, 11, 11))
    with torch.random.fork_rng([]), torch.no_grad():
        torch.manual_seed(seed)
        network = module(graph).eval().double()
        for part in network.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(part.running_mean, -0.5, 0.5)
                torch.nn.init.uniform_(part.running_var, 0.5, 1.5)
                torch.nn.init.uniform_(part.weight, -1.5, 1.5)
                torch.nn.init.uniform_(part.bias, -0.5, 0.5)
        images = torch.randn(2, 3, 11, 11, dtype=torch.float64)
        expected = network(images)
        found = run(plan, folded(plan, network), images)[plan.output].flatten(1)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@given(st.floats(1e-12, 0.9))
def test_a_factor_is_as_exact_as_31_bits(factor: float) -> None:
    found = fixed_point(np.array([factor]))
    multiplier, shift = int(found.multipliers[0]), int(found.shifts[0])
    assert 0 <= multiplier < 2**31
    assert 1 <= shift <= 62
    error = abs(Fraction(multiplier, 2**shift) - Fraction(factor))
    assert error <= Fraction(factor) / 2**30 or (multiplier == 0 and factor < 2**-31)


def test_sums_that_32_bits_cannot_hold_are_refused() -> None:
    one = Operation(CONV, "stem", (1,), 2)
    for count, fits in ((20_000, True), (40_000, False)):
        weights = Weights(torch.ones(1, count, 1, 1).double(), torch.tensor([1e9]).double())
        zeros = (np.array([0]),)
        if fits:
            made = _convolution(one, weights, 1.0, zeros, Grid(1e6, 0), 0)
            assert int(made.bias[0]) + 2 * 255 * 127 * count == 2**31 - 1, "it is cut to what fits"
        else:
            with pytest.raises(ValueError, match="stem adds too many products for 32 bits"):
                _convolution(one, weights, 1.0, zeros, Grid(1e6, 0), 0)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=50), st.booleans())
def test_a_grid_has_zero_on_it_and_is_hardly_coarser_than_it_must_be(
    values: list[float], rectified: bool
) -> None:
    given_values = np.array([max(value, 0.0) if rectified else value for value in values])
    grid = grid_of(given_values, rectified)
    assert 0 <= grid.zero <= 255
    assert grid.zero == 0 or not rectified
    steps = np.clip(np.rint(given_values / grid.scale) + grid.zero, 0, 255)
    error = np.abs((steps - grid.zero) * grid.scale - given_values)
    span = max(given_values.max(), 0) - min(given_values.min(), 0)
    assert (error**2).sum() <= len(values) * (span / 255) ** 2 + 1e-12


def convolved_by_hand(one: Any, x: Any) -> Any:
    """One image [H, W, C], in Python's integers."""
    layer = one.operation.window
    assert isinstance(layer, Conv)
    height, width, channels = x.shape
    outputs = len(one.weights)
    _, rows, columns = layer.output((channels, height, width))
    found = np.zeros((rows, columns, outputs), np.int64)
    for row in range(rows):
        for column in range(columns):
            for output in range(outputs):
                acc = int(one.bias[output])
                for i in range(layer.kernel[0]):
                    for j in range(layer.kernel[1]):
                        y = row * layer.stride - layer.padding[0] + i
                        z = column * layer.stride - layer.padding[1] + j
                        if 0 <= y < height and 0 <= z < width:
                            for c in range(channels):
                                zero = int(one.zeros[0][c % len(one.zeros[0])])
                                acc += int(one.weights[output, i, j, c]) * (int(x[y, z, c]) - zero)
                factor = Fraction(
                    int(one.factors.multipliers[output]), 2 ** int(one.factors.shifts[output])
                )
                value = math.floor(acc * factor + Fraction(1, 2)) + one.zero
                found[row, column, output] = min(255, max(one.low, value))
    return found


@pytest.mark.parametrize("norm", ["conv-bn-relu", "bn-relu-conv", "none"])
def test_convolutions_are_what_is_written_down(in_integers: Any, norm: str) -> None:
    architecture = replace(candidate("inception-28").architecture, norm=norm)
    small = replace(architecture, stages=architecture.stages[:1])
    _, made, images, _ = in_integers(small, 7, 3)
    rng = np.random.default_rng(0)
    checked = 0
    for one in made.integers:
        if one.operation.kind != CONV or not isinstance(one.operation.window, Conv):
            continue
        channels, height, width = made.operations.shapes[one.operation.inputs[0]]
        x = rng.integers(0, 256, (1, height, width, channels))
        if one.operation.inputs == (IMAGE,):
            x = images[:1].transpose(0, 2, 3, 1).astype(np.int64)
        if one.weights.size * height * width < 40_000:
            assert (computed(one, [x])[0] == convolved_by_hand(one, x[0])).all()
            checked += 1
    assert checked >= 3


@given(st.integers(0, 2**32), st.sampled_from([1, 3]))
def test_integers_say_nearly_what_the_network_says(
    small_architecture: Any, in_integers: Any, seed: int, channels: int
) -> None:
    made = in_integers(small_architecture(seed), 12, channels, seed)
    with torch.no_grad():
        expected = made.network(made.normalized).softmax(1).numpy()
    found = probabilities(made.integers, made.images)
    assert (found.astype(int).sum(1) >= 255 - len(found[0])).all()
    assert np.abs(found / 255 - expected).mean() < 0.05
    first = logits(made.integers, made.images).argmax(1)
    assert (found[range(len(found)), first] == found.max(1)).all()


@given(seed=st.integers(0, 2**32), size=st.integers(4, 13), channels=st.sampled_from([1, 3]))
def test_floats_say_what_integers_say(
    small_architecture: Any, in_integers: Any, seed: int, size: int, channels: int
) -> None:
    made = in_integers(small_architecture(seed), size, channels, seed)
    found = simulated.logits(made.integers, torch.from_numpy(made.images)).numpy()
    assert (found == logits(made.integers, made.images)).all()


@given(seed=st.integers(0, 2**32))
def test_training_sees_what_integers_say(
    small_architecture: Any, in_integers: Any, seed: int
) -> None:
    """To a step or two of the logits', which rounding in another order may turn."""
    made = in_integers(small_architecture(seed), 9, 1, seed)
    plan = made.integers.operations
    grids = choose_grids(plan, folded(plan, made.network), [made.normalized])
    found = aware_logits(plan, made.network, grids, made.normalized)
    grid = grids[plan.output]
    expected = (logits(made.integers, made.images) - grid.zero) * grid.scale
    off = np.abs(found.detach().numpy() - expected) / grid.scale
    assert off.max() <= 6
    assert off.mean() <= 1
    found.square().mean().backward()
    weights = [part.weight for part in made.network.modules() if hasattr(part, "weight")]
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in weights)
    assert any(weight.grad.abs().max() > 0 for weight in weights)


def test_long_sums_are_exact_too(in_integers: Any) -> None:
    """A 5x5 kernel on 48 channels adds more than float32 can count."""
    block = Block(reduce_5x5=48, width_5x5=16, factorization="none")
    made = in_integers(Architecture(Stem(16), (Stage((block,)),), norm="none"), 9)
    found = simulated.logits(made.integers, torch.from_numpy(made.images)).numpy()
    assert (found == logits(made.integers, made.images)).all()
