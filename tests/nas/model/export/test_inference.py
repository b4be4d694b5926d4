"""Folded networks are the same functions with fewer layers."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from nas.model.export.inference import Inference, folded
from nas.model.model import Model
from search_space.architecture import (
    NORMS,
    RESIDUALS,
    Architecture,
    Auxiliary,
    Block,
    Stage,
    Stem,
)
from search_space.expand import expand
from search_space.factorization import FACTORIZATIONS
from search_space.network import Auxiliary as Head
from search_space.shapes import smallest
from search_space.space import SearchSpace

MakeModel = Callable[..., Model]
SEEDS = (1, 4, 8, 10, 18, 23)
"""Of samples that together have every order of batch norm, residual and factorization."""


def sampled(seed: int) -> Architecture:
    """Of the space of 0.1, with narrow blocks: widths don't matter here, and take time."""
    text = "[stem]\nwidth = [8, 16]\n[stage]\nwidth = [16, 32]\n"
    space = SearchSpace.from_toml(text).of_0_1()
    generator = torch.Generator().manual_seed(seed)
    return space.sample(
        lambda _, options: options[int(torch.randint(len(options), (), generator=generator))]
    ).architecture


def layers(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(layer, kind) for layer in network.modules())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_folded_network_is_the_same_function(
    make_model: MakeModel, seed: int, channels: int
) -> None:
    network = make_model(sampled(seed), 28, channels).network.double()
    images = torch.randn(3, channels, 28, 28, dtype=torch.float64)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.inference_mode():
        expected, found = network(images), folded(network)(images)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("seed", SEEDS)
def test_probabilities_are_the_models(make_model: MakeModel, seed: int) -> None:
    """In float32, from the bytes of images."""
    model = make_model(sampled(seed), 28, 3)
    images = torch.randint(0, 256, (5, 3, 28, 28), dtype=torch.uint8)
    with torch.inference_mode():
        found = Inference(model)(images)
    torch.testing.assert_close(found, model.probabilities(images), rtol=0, atol=1e-5)
    assert found.dtype == torch.float32


def test_the_samples_have_everything() -> None:
    found = [sampled(seed) for seed in SEEDS]
    blocks = [block for one in found for stage in one.stages for block in stage.blocks]
    assert {one.norm for one in found} == set(NORMS)
    assert {block.residual for block in blocks} == set(RESIDUALS)
    assert {block.factorization for block in blocks} == set(FACTORIZATIONS)


def test_after_a_convolution_none_stays(
    make_model: MakeModel, tiny_architecture: Architecture
) -> None:
    network = make_model(tiny_architecture, 28).network
    assert layers(network, nn.BatchNorm2d) > 10
    assert layers(folded(network), nn.BatchNorm2d) == 0
    assert layers(folded(network), nn.Conv2d) == layers(network, nn.Conv2d)


def test_one_that_comes_first_stays_unless_a_convolution_is_right_before_it(
    make_model: MakeModel,
) -> None:
    """Of stem, block and head: the 1x1 and the 3x3 branch begin with one, so does the head.

    Within the 3x3 branch, the second norm directly follows the first convolution.
    """
    architecture = Architecture(Stem(4), (Stage((Block(4, 2, 4),)),), "bn-relu-conv")
    network = make_model(architecture, 8).network
    assert layers(network, nn.BatchNorm2d) == 4
    assert layers(folded(network), nn.BatchNorm2d) == 3


def test_nothing_for_training_is_left(
    make_model: MakeModel, tiny_architecture: Architecture
) -> None:
    architecture = replace(tiny_architecture, auxiliary=(Auxiliary(1, 1),))
    network = make_model(architecture, 8).network
    assert layers(network, Head) == 1
    for kind in (Head, nn.Dropout):
        assert layers(folded(network), kind) == 0
    alone = make_model(tiny_architecture, 8).network
    parameters = [sum(p.numel() for p in folded(n).parameters()) for n in (network, alone)]
    assert parameters[0] == parameters[1]


def test_the_smallest_images_run(make_model: MakeModel, tiny_architecture: Architecture) -> None:
    side = smallest(lambda _: expand(tiny_architecture, 1, 10), 1)
    assert side == 1
    images = torch.zeros(2, 1, side, side, dtype=torch.uint8)
    assert Inference(make_model(tiny_architecture, side))(images).shape == (2, 10)
