"""What tests of integer networks share: small random networks, and the same in integers."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.model.integer.floating import folded
from nas.model.integer.quantization import IntegerNetwork, choose_grids, integers
from search_space.architecture import Architecture
from search_space.device.operations import operations
from search_space.expand import expand
from search_space.network import module
from search_space.space import SearchSpace

SMALL = SearchSpace(
    {
        "stem.width": (4, 8),
        "stage.blocks": (1, 2),
        "stage.width_1x1": (0, 8),
        "stage.width_3x3": (0, 8),
        "stage.width_5x5": (0, 8),
        "stage.width_pool": (0, 8),
        "stage.pool": ("max", "avg"),
        "body.batch_norm": (True, False),
    }
)
"""Every form that a block can have, in few channels."""


class Integers(NamedTuple):
    """A network in evaluation mode, the same in integers, and images [N, C, R, R] for both."""

    network: nn.Module
    integers: IntegerNetwork
    images: "np.ndarray[Any, np.dtype[np.uint8]]"
    normalized: Tensor


@pytest.fixture(scope="session")
def small_architecture() -> Callable[[int], Architecture]:
    """An architecture by its seed."""

    def make(seed: int) -> Architecture:
        rng = Random(seed)
        return SMALL.sample(lambda _, options: rng.choice(options)).architecture

    return make


@pytest.fixture(scope="session")
def in_integers() -> Callable[..., Integers]:
    """Makes a network with random weights, and quantizes it on noise."""

    def make(architecture: Architecture, size: int, channels: int = 1, seed: int = 0) -> Integers:
        image = (channels, size, size)
        graph = expand(architecture, channels, 5)
        plan = operations(graph, image)
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            network = module(graph).eval()
            for norm in network.modules():
                if isinstance(norm, nn.BatchNorm2d):
                    nn.init.uniform_(norm.running_mean, -0.5, 0.5)
                    nn.init.uniform_(norm.running_var, 0.2, 1.5)
                    nn.init.uniform_(norm.weight, -1.0, 1.5)
                    nn.init.uniform_(norm.bias, -0.5, 0.5)
        images = np.random.default_rng(seed).integers(0, 256, (8, *image), np.uint8)
        mean, std = (0.3, 0.45, 0.5)[:channels], (0.35, 0.2, 0.3)[:channels]
        middle, spread = (torch.tensor(one)[:, None, None] for one in (mean, std))
        normalized = (torch.from_numpy(images) / 255 - middle) / spread
        weights = folded(plan, network)
        made = integers(plan, weights, choose_grids(plan, weights, [normalized]), mean, std)
        return Integers(network, made, images, normalized)

    return make
