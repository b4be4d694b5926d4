"""Tests of rooflines: by hand, by what must hold of any, and by facts of the literature."""

import json
from dataclasses import replace
from math import prod
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from search_space.analysis.hardware import PRESETS, Hardware
from search_space.analysis.measures import measure
from search_space.analysis.roofline import Roofline, roofline
from search_space.architecture import Architecture, Candidate
from search_space.catalog import CATALOG
from search_space.cost import graph_cost
from search_space.expand import expand
from search_space.graph import (
    IDENTITY,
    Add,
    Concat,
    Layer,
    Node,
    Sequence,
    Shape,
    ShapeError,
    batch_norm,
    conv,
    global_pool,
    linear,
    pool,
    relu,
)
from search_space.steps import steps

IMAGE = (1, 4, 4)
PLAIN = Hardware("plain", "made up", 100.0, 10.0, 1000, 1, 2.0, 3.0)


def one(outputs: int, inputs: int = 1) -> Layer:
    return conv(inputs, outputs, (3, 3))


def sequence(*nodes: Node) -> Sequence:
    return Sequence(tuple((str(index), node) for index, node in enumerate(nodes)))


def concat(*nodes: Node) -> Concat:
    return Concat(sequence(*nodes).children)


def add(*nodes: Node) -> Add:
    return Add(sequence(*nodes).children)


def test_a_small_graph_by_hand() -> None:
    found = roofline(sequence(one(2), relu(), global_pool(), linear(2, 3)), IMAGE, PLAIN)
    # 1x4x4 -> 2x4x4, 20 parameters; -> 2; -> 3, 9 parameters
    flops, moved = [576, 0, 12], [16 + 20 + 32, 32 + 2, 2 + 9 + 3]
    assert [layer.name for layer in found.layers] == ["0", "2", "3"]
    assert [layer.kind for layer in found.layers] == ["conv 3x3", "global avg-pool", "linear"]
    assert [layer.flops for layer in found.layers] == flops
    assert [layer.bytes for layer in found.layers] == moved
    assert [layer.seconds for layer in found.layers] == pytest.approx([6.8, 3.4, 1.4])
    assert [layer.bound for layer in found.layers] == ["memory", "memory", "memory"]
    assert found.seconds == pytest.approx(11.6)
    assert found.memory_share == 1
    assert found.energy == pytest.approx(588 * 2 + 116 * 3)
    assert found.intensity == pytest.approx(588 / 116)
    assert found.ridge == 10
    assert (found.on_chip_activations, found.on_chip_total) == (48, 48 + 29)
    # only the image, the weights and the three logits move; the pool takes no time at all
    assert found.on_chip_seconds == pytest.approx(5.76 + 1.2)
    assert found.on_chip_energy == pytest.approx(588 * 2 + (16 + 20 + 9 + 3) * 3)


def test_the_bound_changes_at_the_ridge() -> None:
    graph = sequence(one(2))  # 576 FLOPs, 68 bytes: 8.47 FLOPs per byte
    for ridge, bound in ((8, "compute"), (576 / 68, "compute"), (9, "memory")):
        found = roofline(graph, IMAGE, replace(PLAIN, peak_flops=ridge, bandwidth=1.0))
        assert found.layers[0].bound == bound
        assert found.memory_share == (bound == "memory")
        assert found.layers[0].seconds == pytest.approx(max(576 / ridge, 68))


WIDE = sequence(one(9), one(9, 9), one(1, 9))
PEAKS: dict[str, tuple[Node, int]] = {
    "a layer: input and output": (one(2), 1 + 2),
    "the image is gone after the first layer": (sequence(one(2), one(3, 2), one(1, 3)), 2 + 3),
    "element-wise layers in place": (sequence(one(4), batch_norm(4), relu(), one(1, 4)), 1 + 4),
    "branches write into the concatenation": (concat(one(2), one(2)), 1 + 4),
    "its memory is alive from the first branch": (concat(one(3), WIDE), 1 + 4 + 9 + 8),
    "and not before": (sequence(WIDE, concat(one(1), one(1))), 9 + 9),
    "the input waits for the last branch": (concat(WIDE, one(3)), 1 + 9 + 9),
    "nested concatenations are one": (concat(one(1), concat(one(1), one(1))), 1 + 3),
    "a sum has memory of its own": (add(one(2), one(2)), 2 + 2 + 2),
    "the shortcut waits": (add(sequence(one(4), one(1, 4)), IDENTITY), 1 + 4 + 1),
    "computed when read": (add(sequence(relu(), one(1)), IDENTITY), 1 + 1 + 1),
    "an image in a concatenation is copied": (concat(IDENTITY, one(2)), 1 + 3),
}


@pytest.mark.parametrize("name", PEAKS)
def test_on_chip_activations_by_hand(name: str) -> None:
    graph, maps = PEAKS[name]
    assert roofline(sequence(graph), IMAGE, PLAIN).on_chip_activations == maps * 16


class Walk:
    """Buffers and when they are alive, walking from the top: whoever wants a result says where."""

    def __init__(self, graph: Node, shape: Shape) -> None:
        self.sizes, self.spans, self.moment = [prod(shape)], {0: (0, 0)}, -1
        self.emit(graph, 0, shape, None)

    def touch(self, *buffers: int) -> None:
        self.moment += 1
        for buffer in buffers:
            first, _ = self.spans.get(buffer, (self.moment, 0))
            self.spans[buffer] = first, self.moment

    def emit(self, node: Node, source: int, shape: Shape, into: int | None) -> int:
        if isinstance(node, Sequence):
            children = [child for _, child in node.children]
            heavy = [i for i, c in enumerate(children) if not self.light(c)]
            for index, child in enumerate(children):
                last = index == heavy[-1] if heavy else False
                source = self.emit(child, source, shape, into if last else None)
                shape = graph_cost(child, shape).output
            return source
        if self.light(node):
            return source
        output = self.new(graph_cost(node, shape).output) if into is None else into
        if isinstance(node, Layer):
            self.touch(source, output)
        elif isinstance(node, Concat):
            for _, child in node.children:
                self.emit(child, source, shape, output)
        else:
            parts = [self.emit(child, source, shape, None) for _, child in node.children]
            self.touch(*parts, output)
        return output

    def light(self, node: Node) -> bool:
        return isinstance(node, Layer) and (node.elementwise or node.passes)

    def new(self, shape: Shape) -> int:
        self.sizes.append(prod(shape))
        return len(self.sizes) - 1

    def peak(self) -> int:
        moments = range(self.moment + 1)
        alive = [[b for b, (a, z) in self.spans.items() if a <= m <= z] for m in moments]
        return max(sum(self.sizes[buffer] for buffer in buffers) for buffers in alive)


def holds(graph: Sequence, shape: Shape, hardware: Hardware, batch: int) -> Roofline:
    """What is true of every roofline of an architecture."""
    found, total = roofline(graph, shape, hardware, batch), measure(graph, shape)
    size = hardware.bytes_per_value
    assert found.flops == batch * total.flops == sum(layer.flops for layer in found.layers)
    activations = total.moved_bytes // 4 - total.params
    assert found.bytes == size * (total.params + batch * activations)
    assert found.on_chip_activations == size * batch * Walk(graph, shape).peak()
    tensors = [prod(tensor) for tensor in steps(graph, shape).shapes]
    assert max(tensors) <= found.on_chip_activations / size / batch <= sum(tensors)
    assert found.on_chip_total == found.on_chip_activations + size * total.params
    for layer in found.layers:
        compute, memory = layer.flops / hardware.peak_flops, layer.bytes / hardware.bandwidth
        assert layer.seconds == max(compute, memory) > 0
        assert (layer.bound == "memory") == (layer.intensity < found.ridge)
    by_energy = found.flops * hardware.flop_energy + found.bytes * hardware.byte_energy
    assert found.energy == pytest.approx(by_energy)
    ends = size * (total.params + batch * (prod(shape) + 10))
    rest = found.flops * hardware.flop_energy + ends * hardware.byte_energy
    assert found.on_chip_energy == pytest.approx(rest)
    assert found.on_chip_energy < found.energy
    assert found.on_chip_seconds <= found.seconds
    slowest = max(found.flops / hardware.peak_flops, ends / hardware.bandwidth)
    assert slowest <= found.on_chip_seconds * (1 + 1e-9)
    assert 0 <= found.memory_share <= 1
    return found


@pytest.mark.parametrize("name", PRESETS)
def test_sampled_candidates(sampled: list[Candidate], name: str) -> None:
    for index, candidate in enumerate(sampled[:100]):
        holds(expand(candidate.architecture), (1, 28, 28), PRESETS[name], 1 + index % 3)


@given(st.from_type(Architecture), st.integers(1, 40), st.sampled_from(sorted(PRESETS)))
def test_any_architecture(architecture: Architecture, resolution: int, name: str) -> None:
    graph, shape = expand(architecture), (1, resolution, resolution)
    try:
        graph_cost(graph, shape)
    except ShapeError:
        reject()
    holds(graph, shape, PRESETS[name], 2)


@pytest.mark.parametrize("name", CATALOG)
def test_the_catalog(name: str) -> None:
    holds(CATALOG[name].graph(224, 3, 10), (3, 224, 224), PRESETS["a100"], 8)


def test_twice_the_machine_takes_half_the_time(googlenet: Architecture) -> None:
    graph, shape, core = expand(googlenet), (1, 96, 96), PRESETS["laptop-core"]
    slow = roofline(graph, shape, core)
    twice = replace(core, peak_flops=2 * core.peak_flops, bandwidth=2 * core.bandwidth)
    fast = roofline(graph, shape, twice)
    assert fast.seconds == pytest.approx(slow.seconds / 2)
    assert fast.on_chip_seconds == pytest.approx(slow.on_chip_seconds / 2)
    assert (fast.ridge, fast.energy, fast.bytes) == (slow.ridge, slow.energy, slow.bytes)
    assert [layer.bound for layer in fast.layers] == [layer.bound for layer in slow.layers]


def test_a_batch_reads_its_weights_once(googlenet: Architecture) -> None:
    graph, shape, gpu = expand(googlenet), (1, 96, 96), PRESETS["a100"]
    weights = 2 * graph_cost(graph, shape).params
    alone = roofline(graph, shape, gpu)
    previous = alone
    for batch in (2, 16, 256):
        found = roofline(graph, shape, gpu, batch)
        assert found.bytes - weights == batch * (alone.bytes - weights)
        assert found.on_chip_activations == batch * alone.on_chip_activations
        assert found.on_chip_total - weights == found.on_chip_activations
        assert found.intensity > previous.intensity
        assert found.seconds < batch * alone.seconds
        previous = found


def test_what_just_fits_fits(googlenet: Architecture) -> None:
    graph, shape = expand(googlenet), (1, 28, 28)
    need = roofline(graph, shape, PLAIN)
    for spare, fits in ((0, True), (-1, False)):
        room = replace(PLAIN, on_chip_bytes=need.on_chip_activations + spare)
        assert roofline(graph, shape, room).activations_fit == fits
        assert not roofline(graph, shape, room).total_fits
        room = replace(PLAIN, on_chip_bytes=need.on_chip_total + spare)
        assert roofline(graph, shape, room).activations_fit
        assert roofline(graph, shape, room).total_fits == fits


@pytest.mark.parametrize("name", PRESETS)
def test_alexnets_linear_layers_wait_for_memory(name: str) -> None:
    graph, shape = CATALOG["alexnet"].graph(224, 3, 10), (3, 224, 224)
    found = roofline(graph, shape, PRESETS[name])
    layers = [layer for layer in found.layers if layer.kind == "linear"]
    assert [layer.bound for layer in layers] == ["memory"] * 3
    # They have nearly all of the weights, each used once; so most of what moves is theirs.
    assert sum(layer.bytes for layer in layers) > 0.8 * found.bytes
    assert sum(layer.flops for layer in layers) < 0.1 * found.flops


@pytest.mark.parametrize("name", ["laptop-core", "a100"])
def test_alexnets_linear_layers_compute_in_large_batches(name: str) -> None:
    graph, shape = CATALOG["alexnet"].graph(224, 3, 1000), (3, 224, 224)
    layers = roofline(graph, shape, PRESETS[name], 4096).layers
    assert {layer.bound for layer in layers if layer.kind == "linear"} == {"compute"}


def test_googlenet_has_fewer_parameters_than_alexnet_and_computes_more(golden: Any) -> None:
    counts = {
        n["name"]: n for n in golden["networks"] if (n["channels"], n["resolution"]) == (3, 224)
    }
    found = {
        n: measure(CATALOG[n].graph(224, 3, 10), (3, 224, 224)) for n in counts if n in CATALOG
    }
    for name in ("alexnet", "googlenet"):
        assert (found[name].params, found[name].macs) == (
            counts[name]["params"],
            counts[name]["macs"],
        )
    alexnet, googlenet = found["alexnet"], found["googlenet"]
    assert alexnet.params / googlenet.params == pytest.approx(8, abs=0.3)
    assert googlenet.macs / alexnet.macs == pytest.approx(1.6, abs=0.05)


def test_networks_of_nothing_take_no_time() -> None:
    found = roofline(IDENTITY, IMAGE, PLAIN)
    assert (found.layers, found.seconds, found.energy, found.memory_share) == ((), 0, 0, 0)
    assert (found.on_chip_activations, found.intensity) == (16, 0)


def test_a_lone_activation_is_a_copy() -> None:
    (layer,) = roofline(sequence(relu()), IMAGE, PLAIN).layers
    assert (layer.kind, layer.bytes, layer.flops, layer.bound) == ("copy", 32, 0, "memory")


def test_an_image_that_branches_read_is_moved_once() -> None:
    graph = sequence(concat(one(1), one(1), pool("max", 1)))
    found = roofline(graph, IMAGE, replace(PLAIN, peak_flops=1e9))
    assert found.bytes == 3 * 32 + 20
    assert found.on_chip_seconds == pytest.approx((16 + 3 * 16 + 20) / 10)


def test_rooflines_are_plain_data() -> None:
    found = roofline(sequence(one(2)), IMAGE, PLAIN)
    assert json.loads(json.dumps(found._asdict()))["layers"][0][:3] == ["0", "conv 3x3", 576]


@pytest.mark.parametrize("batch", [0, -1, 1.5, True])
def test_an_impossible_batch_is_refused(batch: int) -> None:
    with pytest.raises(ValueError, match=f"batch is {batch}; it must be a whole number from 1"):
        roofline(sequence(one(2)), IMAGE, PLAIN, batch)


def test_a_layer_that_cannot_run_is_named() -> None:
    with pytest.raises(ShapeError, match=r"layer 0 \(max-pool 5x5\)"):
        roofline(sequence(pool("max", 1, 5, 0)), IMAGE, PLAIN)
