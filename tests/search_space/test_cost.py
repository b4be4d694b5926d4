"""Tests of parameters and FLOPs: torch's own counts as the oracle on sampled candidates."""

from contextlib import nullcontext
from random import Random

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from search_space import catalog
from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.cost import cost
from search_space.network import build
from search_space.space import SearchSpace


class Untracked(nullcontext[None]):
    """In place of torch's module tracker: it names table rows and takes most of the time."""

    parents = frozenset({"Global"})


def agrees(
    architecture: Architecture, resolution: int, channels: int = 1, classes: int = 10
) -> None:
    """Runs the network on two images and compares its cost with what torch counts."""
    network = build(architecture, channels, classes).eval()
    images = torch.randn(2, channels, resolution, resolution)
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = Untracked()
    with torch.inference_mode(), counter:
        logits = network(images)
    found = cost(architecture, resolution, channels, classes)
    assert logits.shape == (2, classes)
    assert logits.isfinite().all()
    assert found.output == (classes, 1, 1)
    assert found.params == sum(parameter.numel() for parameter in network.parameters())
    assert 2 * found.flops == counter.get_total_flops()


@pytest.mark.parametrize(
    "hundred", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 10))]
)
def test_a_thousand_sampled_candidates(sampled: list[Candidate], hundred: int) -> None:
    for candidate in sampled[100 * hundred : 100 * (hundred + 1)]:
        agrees(candidate.architecture, 28)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [8, 9, 32, 57])
def test_other_images(resolution: int, channels: int) -> None:
    random = Random(resolution)
    for _ in range(8):
        candidate = SearchSpace().sample(lambda _, options: random.choice(options), resolution)
        agrees(candidate.architecture, resolution, channels, random.choice([2, 10, 47]))


@pytest.mark.parametrize("channels", [1, 3])
def test_googlenet(googlenet: Architecture, channels: int) -> None:
    agrees(googlenet, 64, channels)
    agrees(googlenet, 1, channels)
    agrees(catalog.candidate("googlenet-28").architecture, 28, channels)


@pytest.mark.parametrize("norm", ["none", "conv-bn-relu", "bn-relu-conv"])
@pytest.mark.parametrize("residual", ["none", "block", "branch"])
def test_odd_widths(residual: str, norm: str) -> None:
    blocks = tuple(
        Block(3, 5, 7, 1, 5, 9, "avg", factorization, 7, residual, 0.3)
        for factorization in ("none", "stacked", "asymmetric", "expanded")
    )
    stages = (Stage(blocks), Stage(blocks, "inception"), Stage(blocks, "max-pool"))
    agrees(Architecture(Stem(5, 9, 3, True, (3, 7)), stages, norm, 0.5), 61, 3)


def test_the_plain_network_network_by_hand() -> None:
    # 3x3 convolution of 4 channels on 8x8, 1x1 of 6, linear of 10.
    found = cost(Architecture(Stem(4), (Stage((Block(6),)),)), 8)
    assert found.params == (4 * 9 + 4) + (6 * 4 + 6) + (10 * 6 + 10)
    assert found.macs == 64 * 4 * 9 + 64 * 6 * 4 + 10 * 6
    assert found.flops == 2 * found.macs


def test_counting_is_independent_of_what_was_counted_before(sampled: list[Candidate]) -> None:
    first = [cost(candidate.architecture) for candidate in sampled[:50]]
    for candidate in sampled[:50]:
        cost(candidate.architecture, 57, 3, 47)
    assert [cost(candidate.architecture) for candidate in reversed(sampled[:50])] == first[::-1]
