"""Tests of measures: by hand, against an independent walk, and against torch's gradients."""

import json
from math import prod

import pytest
import torch
from hypothesis import given, reject
from hypothesis import strategies as st
from torch import Tensor, nn

from search_space.analysis.measures import Measures, measure
from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.catalog import CATALOG
from search_space.cost import graph_cost
from search_space.expand import expand
from search_space.graph import (
    IDENTITY,
    Add,
    Concat,
    Conv,
    Layer,
    Linear,
    Node,
    Sequence,
    Shape,
    ShapeError,
    conv,
    flatten,
    global_pool,
    linear,
    pool,
    relu,
)
from search_space.network import module

SMALL = Sequence(
    (
        ("conv", conv(1, 2, (3, 3), 2)),
        ("relu", relu()),
        ("pool", pool("max", 2)),
        ("global", global_pool()),
        ("linear", linear(2, 3)),
    )
)


def test_a_small_graph_by_hand() -> None:
    # 1x8x8 -> conv 2x4x4 -> pool 2x2x2 -> 2 -> 3
    assert measure(SMALL, (1, 8, 8)) == Measures(
        params=20 + 9,
        macs=16 * 2 * 9 + 6,
        flops=2 * (288 + 6),
        weight_bytes=4 * 29,
        activation_bytes=4 * (64 + 32 + 8) + 8 * 8,  # the max-pool with its indices
        moved_bytes=4 * ((64 + 20 + 32) + (32 + 8) + (8 + 2) + (2 + 9 + 3)),
        intensity=588 / 720,
        shares={"conv 3x3": (20 / 29, 288 / 294), "linear": (9 / 29, 6 / 294)},
        receptive_field=(3 + 2 * 2, 3 + 2 * 2),
        depth=2,
        branches=1,
    )


def test_measures_are_plain_data() -> None:
    found = measure(SMALL, (1, 8, 8))._asdict()
    assert json.loads(json.dumps(found)) == found | {
        "shares": {kind: list(pair) for kind, pair in found["shares"].items()},
        "receptive_field": [7, 7],
    }


def test_a_graph_without_weights() -> None:
    found = measure(Sequence((("pool", pool("avg", 2)),)), (1, 4, 4))
    assert (found.params, found.flops, found.depth, found.shares) == (0, 0, 0, {})
    assert (found.moved_bytes, found.intensity) == (4 * (16 + 4), 0.0)


def test_nothing_at_all() -> None:
    found = measure(IDENTITY, (3, 4, 4))
    assert (found.moved_bytes, found.intensity, found.receptive_field) == (0, 0.0, (1, 1))


def walked(node: Node, shape: Shape) -> int:
    """Values moved by ``node``: every convolution, linear layer, pooling and sum in full."""
    if isinstance(node, Sequence):
        total = 0
        for _, child in node.children:
            total += walked(child, shape)
            shape = graph_cost(child, shape).output
        return total
    if isinstance(node, Concat):
        return sum(walked(child, shape) for _, child in node.children)
    output = graph_cost(node, shape).output
    if isinstance(node, Add):
        inside = sum(walked(child, shape) for _, child in node.children)
        return inside + (len(node.children) + 1) * prod(output)
    if node.elementwise or node.passes:
        return node.params
    return prod(shape) + node.params + prod(output)


def longest(node: Node) -> int:
    """The longest chain of weighted layers in ``node``, by recursion."""
    if isinstance(node, Layer):
        return isinstance(node, Conv | Linear)
    depths = [longest(child) for _, child in node.children]
    return sum(depths) if isinstance(node, Sequence) else max(depths)


def holds(graph: Sequence, shape: Shape) -> None:
    found, total = measure(graph, shape), graph_cost(graph, shape)
    assert found.params == total.params
    assert found.flops == 2 * found.macs == total.flops
    assert found.activation_bytes == total.activation_bytes
    assert found.weight_bytes == 4 * total.params
    assert found.moved_bytes == 4 * walked(graph, shape)
    assert found.intensity == found.flops / found.moved_bytes
    assert found.depth == longest(graph)
    params, flops = zip(*found.shares.values(), strict=True)
    assert sum(params) == pytest.approx(1)
    assert sum(flops) == pytest.approx(1)
    assert list(params) == sorted(params, reverse=True)


def test_sampled_candidates(sampled: list[Candidate]) -> None:
    for candidate in sampled[:300]:
        holds(expand(candidate.architecture), (1, 28, 28))


@given(st.from_type(Architecture), st.integers(1, 40), st.sampled_from([1, 3]))
def test_any_architecture(architecture: Architecture, resolution: int, channels: int) -> None:
    graph, shape = expand(architecture, channels), (channels, resolution, resolution)
    try:
        measure(graph, shape)
    except ShapeError:
        reject()
    holds(graph, shape)


@pytest.mark.parametrize("name", CATALOG)
def test_the_catalog(name: str) -> None:
    holds(CATALOG[name].graph(224, 3, 1000), (3, 224, 224))


@pytest.mark.parametrize(
    ("name", "depth", "branches"),
    [
        ("googlenet", 22, 4),
        ("googlenet-expanded", 31, 4),
        ("alexnet", 8, 1),
        ("vgg11", 11, 1),
        ("nin", 12, 1),
    ],
)
def test_depths_of_the_literature(name: str, depth: int, branches: int) -> None:
    found = measure(CATALOG[name].graph(224, 3, 1000), (3, 224, 224))
    assert (found.depth, found.branches) == (depth, branches)


@pytest.mark.parametrize(
    ("name", "pixels"),
    # The first two as [Araujo2019] has them; GoogLeNet by hand: 27 after the stem, then
    # 2 blocks x 4 x 8, a pool 16, 5 x 4 x 16, a pool 32, 2 x 4 x 32.
    [("alexnet", 195), ("bn-inception", 699), ("googlenet", 27 + 64 + 16 + 320 + 32 + 256)],
)
def test_receptive_fields_of_the_literature(name: str, pixels: int) -> None:
    found = measure(CATALOG[name].graph(224, 3, 1000), (3, 224, 224))
    assert found.receptive_field == (pixels, pixels)


def test_the_receptive_field_does_not_depend_on_the_image(googlenet: Architecture) -> None:
    fields = {measure(expand(googlenet), (1, n, n)).receptive_field for n in (1, 28, 224)}
    assert fields == {(715, 715)}


def seen(graph: Sequence, size: tuple[int, int], channels: int = 1) -> tuple[int, int]:
    """Extent of the pixels that the centre of the last map before the head has a gradient for.

    Weights are positive and max-pools average, so that every pixel that can count does.
    """
    network = module(graph).double().eval()
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.MaxPool2d):
            parent, _, child = name.rpartition(".")
            network.get_submodule(parent)._modules[child] = nn.AvgPool2d(
                layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode, False
            )
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    last: list[Tensor] = []
    for layer in network.modules():
        if isinstance(layer, nn.AdaptiveAvgPool2d):
            layer.register_forward_pre_hook(lambda _, inputs: last.append(inputs[0]))
    images = torch.ones(1, channels, *size, dtype=torch.double, requires_grad=True)
    output = network(images)
    maps = last[0] if last else output
    centre = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2]
    (gradient,) = torch.autograd.grad(centre.sum(), images)
    rows, columns = (gradient[0].abs().sum((0, axis)).nonzero() for axis in (2, 1))
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def sees(graph: Sequence, channels: int = 1, across: int = 1) -> None:
    """Height and width one at a time, on images ``across`` pixels in the other direction."""
    height, width = measure(graph, (channels, 28, 28)).receptive_field
    assert seen(graph, (2 * height + 99, across), channels)[0] == height
    assert seen(graph, (across, 2 * width + 99), channels)[1] == width


def test_receptive_fields_of_sampled_candidates(sampled: list[Candidate]) -> None:
    for candidate in sampled[:50]:
        sees(expand(candidate.architecture))


@pytest.mark.parametrize("name", [n for n, e in CATALOG.items() if e.candidate])
def test_receptive_fields_of_the_catalog(name: str) -> None:
    sees(CATALOG[name].graph(224, 1, 10), across=33 if name == "googlenet-torchvision" else 1)


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "nin"])
def test_receptive_fields_without_a_head(name: str) -> None:
    whole = CATALOG[name].graph(224, 1, 10)
    ends = [n for n, layer in whole.children].index("flatten")
    features = Sequence(tuple(c for c in whole.children[:ends] if c[1] is not global_pool()))
    expected = measure(whole, (1, 224, 224)).receptive_field
    assert measure(features, (1, 224, 224)).receptive_field == expected
    size = 2 * expected[0] + 50
    assert seen(features, (size, size)) == expected


@pytest.mark.parametrize("factorization", ["none", "stacked", "asymmetric", "expanded"])
@pytest.mark.parametrize("residual", ["none", "block", "branch"])
def test_receptive_fields_in_both_directions_at_once(factorization: str, residual: str) -> None:
    blocks = tuple(Block(2, 2, 2, 2, 2, 2, "avg", factorization, 5, residual) for _ in range(2))
    stages = (Stage(blocks), Stage(blocks, "inception"))
    graph = expand(Architecture(Stem(8, 5, 2, True), stages, "bn-relu-conv"))
    field = measure(graph, (1, 28, 28)).receptive_field
    assert seen(graph, (2 * field[0] + 50, 2 * field[1] + 50)) == field


def test_height_and_width_differ() -> None:
    tall = conv(1, 1, (7, 1))
    flat = Sequence((("a", conv(1, 1, (1, 3), 2)), ("b", conv(1, 1, (1, 3)))))
    graph = Sequence((("both", Concat((("tall", tall), ("flat", flat.children[1][1])))),))
    assert measure(graph, (1, 9, 9)).receptive_field == (7, 3)
    assert measure(flat, (1, 9, 9)).receptive_field == (1, 3 + 2 * 2)


@pytest.mark.parametrize("end", [global_pool(), global_pool(2), linear(32, 2)])
def test_what_comes_after_the_head_sees_no_more(end: Layer) -> None:
    after = conv(2, 2, (3, 3))
    parts = (("conv", conv(1, 2, (3, 3))), ("end", end), ("after", after))
    assert measure(Sequence(parts), (1, 4, 4)).receptive_field == (3, 3)


def test_a_flattened_map_ends_the_receptive_field() -> None:
    graph = Sequence((("conv", conv(1, 2, (3, 3))), ("flat", flatten()), ("out", linear(32, 5))))
    assert measure(graph, (1, 4, 4)).receptive_field == (3, 3)


def test_paths_of_different_strides_count_as_the_largest() -> None:
    halved = Add((("halved", conv(1, 1, (3, 3), 2)), ("same", IDENTITY)))
    graph = Sequence((("add", halved), ("conv", conv(1, 1, (3, 3)))))
    assert measure(graph, (1, 1, 1)).receptive_field == (3 + 2 * 2, 3 + 2 * 2)
