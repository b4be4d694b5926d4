"""Tests of what the torch modules compute: plain torch functions on the same weights as oracle."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.factorization import FACTORIZATIONS
from search_space.network import build

INPUTS = 6
BN_ORDERS = ("conv-bn-relu", "bn-relu-conv")


def block_module(block: Block, norm: str = "none", inputs: int = INPUTS) -> Any:
    """The module of ``block`` on maps of ``inputs`` channels, in evaluation mode."""
    torch.manual_seed(0)
    network = build(Architecture(Stem(inputs), (Stage((block,)),), norm)).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):  # as if trained: not the identity
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
    return network.get_submodule("stage1.block1")


def images(channels: int = INPUTS) -> Tensor:
    return torch.randn(2, channels, 7, 7, generator=torch.Generator().manual_seed(1))


class Weights:
    """Convolutions by plain functions, on a module's layers in the order of their use."""

    def __init__(self, module: nn.Module) -> None:
        self.layers = iter(
            [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
        )

    def conv(self, x: Tensor, *kernel: int) -> Tensor:
        layer = next(self.layers)
        assert isinstance(layer, nn.Conv2d)
        assert layer.kernel_size == kernel
        height, width = kernel
        x = functional.pad(x, (width // 2, width // 2, height // 2, height // 2))
        return functional.conv2d(x, layer.weight, layer.bias)

    def relu(self, x: Tensor, *kernel: int) -> Tensor:
        return self.conv(x, *kernel).clamp(min=0)

    def norm(self, x: Tensor) -> Tensor:
        layer = next(self.layers)
        assert isinstance(layer, nn.BatchNorm2d)
        mean, variance = layer.running_mean, layer.running_var
        assert mean is not None
        assert variance is not None
        rows = [t[:, None, None] for t in (mean, variance, layer.weight, layer.bias)]
        return (x - rows[0]) / (rows[1] + layer.eps).sqrt() * rows[2] + rows[3]

    def done(self) -> bool:
        return next(self.layers, None) is None


def factorized(weights: Weights, x: Tensor, kernel: int, factorization: str, n: int) -> Tensor:
    match factorization, kernel:
        case ("none", _) | ("stacked", 3):
            return weights.relu(x, kernel, kernel)
        case "stacked", 5:
            return weights.relu(weights.relu(x, 3, 3), 3, 3)
        case "asymmetric", 3:
            return weights.relu(weights.relu(x, 1, n), n, 1)
        case "asymmetric", 5:
            x = weights.relu(weights.relu(x, 1, n), n, 1)
            return weights.relu(weights.relu(x, 1, n), n, 1)
        case "expanded", _:
            x = x if kernel == 3 else weights.relu(x, 3, 3)
            return torch.cat([weights.relu(x, 1, 3), weights.relu(x, 3, 1)], 1)
    raise AssertionError(f"no reference for {factorization}: write one")


@pytest.mark.parametrize("factorization", FACTORIZATIONS)
@pytest.mark.parametrize("n", [3, 7])
@torch.inference_mode()
def test_branches_are_side_by_side_on_the_input(factorization: str, n: int) -> None:
    module = block_module(Block(4, 3, 5, 2, 7, 3, "max", factorization, n))
    weights, x = Weights(module), images()
    expected = [weights.relu(x, 1, 1)]
    for kernel in (3, 5):
        reduced = weights.relu(x, 1, 1)
        expected.append(factorized(weights, reduced, kernel, factorization, n))
    windows = functional.pad(x, (1, 1, 1, 1), value=-torch.inf).unfold(2, 3, 1).unfold(3, 3, 1)
    expected.append(weights.relu(windows.amax((-2, -1)), 1, 1))
    assert weights.done()
    torch.testing.assert_close(module(x), torch.cat(expected, 1))


def test_expanded_splits_an_odd_width_with_the_larger_part_first() -> None:
    module = block_module(Block(reduce_3x3=3, width_3x3=5, factorization="expanded"))
    sides = [m for m in module.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)]
    assert [(side.kernel_size, side.out_channels) for side in sides] == [((1, 3), 3), ((3, 1), 2)]


@torch.inference_mode()
def test_batch_norm_between_convolution_and_relu() -> None:
    module = block_module(Block(reduce_3x3=4, width_3x3=5), "conv-bn-relu")
    weights, x = Weights(module), images()
    x = weights.norm(weights.conv(x, 1, 1)).clamp(min=0)
    expected = weights.norm(weights.conv(x, 3, 3)).clamp(min=0)
    assert weights.done()
    torch.testing.assert_close(module(images()), expected)


@torch.inference_mode()
def test_batch_norm_and_relu_before_convolution() -> None:
    module = block_module(Block(reduce_3x3=4, width_3x3=5), "bn-relu-conv")
    weights, x = Weights(module), images()
    x = weights.conv(weights.norm(x).clamp(min=0), 1, 1)
    expected = weights.conv(weights.norm(x).clamp(min=0), 3, 3)
    assert weights.done()
    torch.testing.assert_close(module(images()), expected)


@pytest.mark.parametrize("norm", BN_ORDERS)
def test_convolutions_beside_a_batch_norm_have_no_bias(norm: str) -> None:
    stages = (Stage((Block(4, 4, 8, 4, 8, 4),)), Stage((Block(4, width_pool=4),), "inception"))
    network = build(Architecture(Stem(4, second=(4, 8)), stages, norm))
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 16
    assert all(convolution.bias is None for convolution in convolutions)


@torch.inference_mode()
def test_a_bn_relu_conv_network_ends_in_bn_and_relu_and_begins_with_a_convolution() -> None:
    network: Any = build(Architecture(Stem(4), (Stage((Block(5),)),), "bn-relu-conv")).eval()
    assert isinstance(network.stem.first, nn.Conv2d)
    x = images(1)
    features = network.stage1(network.stem(x)).clamp(min=0).mean((2, 3))
    features = features / (1 + network.head.bn.eps) ** 0.5
    torch.testing.assert_close(network(x), network.head.linear(features[:, :, None, None]))


@pytest.mark.parametrize("norm", ["none", *BN_ORDERS])
@torch.inference_mode()
def test_a_block_whose_projection_is_zero_hands_its_input_on(norm: str) -> None:
    module = block_module(Block(4, 4, 8, residual="block", scale=0.3), norm)
    add = module if norm == "bn-relu-conv" else module.add
    nn.init.zeros_(add.path.project.weight)
    nn.init.zeros_(add.path.project.bias)
    x = images()
    expected = x if norm == "bn-relu-conv" else x.clamp(min=0)
    assert torch.equal(module(x), expected)


@pytest.mark.parametrize("norm", ["none", *BN_ORDERS])
@torch.inference_mode()
def test_a_block_residual_is_projected_linearly_scaled_and_added(norm: str) -> None:
    module = block_module(Block(4, 4, 8, residual="block", scale=0.3), norm)
    add = module if norm == "bn-relu-conv" else module.add
    x = images()
    joined = add.path.branches(x)
    assert joined.shape[1] == 12
    projected = functional.conv2d(joined, add.path.project.weight, add.path.project.bias)
    assert projected.shape == x.shape
    total = x + 0.3 * projected
    assert (total < 0).any()
    expected = total if norm == "bn-relu-conv" else total.clamp(min=0)
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("norm", ["none", *BN_ORDERS])
@torch.inference_mode()
def test_the_branch_residual_adds_the_input_to_every_branch(norm: str) -> None:
    widths = {"1x1": 4, "3x3": INPUTS, "5x5": 8, "pool": INPUTS}
    module = block_module(Block(4, 3, INPUTS, 3, 8, INPUTS, residual="branch"), norm)
    x = images()
    expected = []
    for name, width in widths.items():
        add = module[name] if norm == "bn-relu-conv" else module[name].add
        shortcut = add.shortcut
        if width == INPUTS:
            assert len(shortcut) == 0
            added = x
        else:
            added = functional.conv2d(x, shortcut.weight, shortcut.bias)
        path = add.path(x)
        assert (path < 0).any(), "no ReLU before the addition"
        total = path + added
        expected.append(total if norm == "bn-relu-conv" else total.clamp(min=0))
    torch.testing.assert_close(module(x), torch.cat(expected, 1))


@torch.inference_mode()
def test_the_block_residual_keeps_the_inputs_width_for_what_follows() -> None:
    blocks = (Block(4, residual="block"), Block(9, residual="block"), Block(3))
    network: Any = build(Architecture(Stem(INPUTS), (Stage(blocks),))).eval()
    shapes = [images().shape[1]]
    x = images()
    for block in network.stage1:
        x = block(x)
        shapes.append(x.shape[1])
    assert shapes == [INPUTS, INPUTS, INPUTS, 3]


@torch.inference_mode()
def test_average_pooling_leaves_the_padding_out_and_max_pooling_too() -> None:
    average = block_module(Block(width_pool=3, pool="avg")).pool.pool
    assert torch.allclose(average(torch.ones(1, INPUTS, 5, 5)), torch.ones(1))
    corner = average(torch.arange(25.0).reshape(1, 1, 5, 5))[0, 0, 0, 0]
    assert corner == (0 + 1 + 5 + 6) / 4
    largest = block_module(Block(width_pool=3, pool="max")).pool.pool
    assert torch.equal(largest(-torch.ones(1, INPUTS, 5, 5)), -torch.ones(1, INPUTS, 5, 5))


@torch.inference_mode()
def test_reductions_halve_and_the_inception_reduction_doubles_the_width() -> None:
    for reduction, width in (("max-pool", 6), ("inception", 12)):
        stages = (Stage((Block(6),)), Stage((Block(5),), reduction))
        network: Any = build(Architecture(Stem(4), stages)).eval()
        assert network.reduction2(images()).shape == (2, width, 4, 4)
    strided = functional.max_pool2d(images(), 3, 2, 1)
    assert torch.equal(network.reduction2(images())[:, 6:], strided)
    names = ["3x3", "double 3x3", "pool"]
    assert [name for name, _ in network.reduction2.named_children()] == names


@torch.inference_mode()
def test_dropout_only_in_training() -> None:
    stages = (Stage((Block(32),)),)
    network = build(Architecture(Stem(4), stages, dropout=0.5))
    x = images(1)
    evaluated = network.eval()(x)
    assert torch.equal(evaluated, network(x))
    without = build(Architecture(Stem(4), stages)).eval()
    without.load_state_dict(network.state_dict())
    assert torch.equal(without(x), evaluated)
    network.train()
    assert not torch.equal(network(x), network(x))


def test_gradients_reach_every_parameter(sampled: list[Candidate]) -> None:
    x = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for candidate in sampled[:100]:
        network = build(candidate.architecture).train()
        functional.cross_entropy(network(x), torch.arange(4)).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, f"{name} of {candidate}"
            assert parameter.grad.isfinite().all(), f"{name} of {candidate}"
