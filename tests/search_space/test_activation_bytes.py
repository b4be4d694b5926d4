"""Tests of the peak of activation memory: by hand, and against what a real forward pass holds."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

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
    dropout,
    flatten,
    global_pool,
    linear,
    pool,
    relu,
    scale,
)
from search_space.network import module

IMAGE = (1, 4, 4)  # 64 bytes; each convolution below names its channels


def one(outputs: int, inputs: int = 1) -> Layer:
    return conv(inputs, outputs, (3, 3))


def sequence(*nodes: Node) -> Sequence:
    return Sequence(tuple((str(index), node) for index, node in enumerate(nodes)))


def concat(*nodes: Node) -> Concat:
    return Concat(sequence(*nodes).children)


def add(*nodes: Node) -> Add:
    return Add(sequence(*nodes).children)


WIDE = sequence(one(9), one(9, 9), one(1, 9))
GRAPHS: dict[str, tuple[Node, int]] = {
    "a layer: input and output": (one(2), 64 + 128),
    "relu: a copy, the image is the caller's": (relu(), 64 + 64),
    "batch norm: a copy, then relu in place": (sequence(batch_norm(1), relu()), 64 + 64),
    "sequence: the image and the larger pair": (
        sequence(one(2), one(3, 2), one(1, 3)),
        64 + 128 + 192,
    ),
    "sequence: relu in place": (sequence(one(4), relu(), one(1, 4)), 64 + 256 + 64),
    "sequence: scale copies": (sequence(one(4), scale(0.5)), 64 + 256 + 256),
    "sequence: dropout hands on": (sequence(dropout(0.5), one(2)), 64 + 128),
    "relu after dropout may not overwrite the image": (sequence(dropout(0.5), relu()), 64 + 64),
    "sequence in a sequence: its input waits": (
        sequence(one(3), sequence(one(1, 3), one(9), one(1, 9))),
        64 + 192 + 64 + 576,
    ),
    "pooling: small output": (sequence(pool("avg", 2), one(2)), 64 + 16 + 32),
    "max-pooling: its indices for a moment": (sequence(pool("max", 2), one(2)), 64 + 16 + 32),
    "max-pooling: its indices at the peak": (pool("max", 1), 64 + 64 + 128),
    "flatten: no copy": (sequence(flatten(), linear(16, 2)), 64 + 8),
    "head": (sequence(global_pool(), linear(1, 10)), 64 + 4 + 40),
    "concat: branches and a copy of them": (concat(one(2), one(2)), 64 + 128 + 128 + 256),
    "concat: a finished branch waits": (concat(one(3), WIDE), 64 + 192 + 576 + 576),
    "concat: relu copies while the input is needed": (concat(relu(), relu()), 64 + 128 + 128),
    "concat: of the input itself": (concat(IDENTITY, one(1)), 64 + 64 + 128),
    "add: a new tensor": (add(one(1), IDENTITY), 64 + 64 + 64),
    "add: then relu in place": (sequence(add(one(1), IDENTITY), relu()), 64 + 64 + 64),
    "add: three, each sum a new tensor": (add(one(1), one(1), one(1)), 64 + 64 + 64 + 64),
    "add: the path waits": (add(one(1), sequence(one(4), one(1, 4))), 64 + 64 + 256 + 64),
    "residual over a concat": (
        add(sequence(concat(one(2), one(2)), one(1, 4)), IDENTITY),
        64 + 128 + 128 + 256,
    ),
}


class Alive(TorchDispatchMode):
    """The most bytes that tensors hold at once, besides those of ``network`` itself."""

    def __init__(self, network: torch.nn.Module, image: torch.Tensor) -> None:
        super().__init__()
        own = [*network.parameters(), *network.buffers()]
        self.own = {StorageWeakRef(tensor.untyped_storage()).cdata for tensor in own}
        self.storages: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0
        self._seen(image)

    def _seen(self, tensors: Any) -> None:
        for tensor in tree_leaves(tensors):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                weak = StorageWeakRef(storage)
                if weak.cdata not in self.own:
                    self.storages[weak.cdata] = weak, storage.nbytes()
        gone = [key for key, (weak, _) in self.storages.items() if weak.expired()]
        for key in gone:
            del self.storages[key]
        self.peak = max(self.peak, sum(size for _, size in self.storages.values()))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._seen(result)
        return result


def measured(graph: Node, shape: Shape) -> int:
    """Bytes that a forward pass of one image holds at its worst moment, the image among them."""
    network = module(graph).eval()
    image = torch.rand(1, *shape)
    with torch.no_grad(), Alive(network, image) as alive:
        network(image)
    return alive.peak


@pytest.mark.parametrize("name", GRAPHS)
def test_by_hand(name: str) -> None:
    graph, expected = GRAPHS[name]
    assert graph_cost(graph, IMAGE).activation_bytes == expected
    assert measured(graph, IMAGE) == expected


@pytest.mark.parametrize("name", CATALOG)
def test_the_catalog_as_measured(name: str) -> None:
    resolution = 28 if "28" in name else 128
    shape = (3, resolution, resolution)
    graph = CATALOG[name].graph(resolution, 3, 10)
    assert graph_cost(graph, shape).activation_bytes == measured(graph, shape)


def test_sampled_candidates_as_measured(sampled: list[Candidate]) -> None:
    for candidate in sampled[:150]:
        graph = expand(candidate.architecture)
        assert graph_cost(graph, (1, 28, 28)).activation_bytes == measured(graph, (1, 28, 28))


@given(st.from_type(Architecture), st.integers(1, 40), st.sampled_from([1, 3]))
def test_any_architecture_as_measured(
    architecture: Architecture, resolution: int, channels: int
) -> None:
    graph, shape = expand(architecture, channels), (channels, resolution, resolution)
    try:
        expected = graph_cost(graph, shape).activation_bytes
    except ShapeError:
        with pytest.raises(RuntimeError, match="too small"):
            measured(graph, shape)
        return
    assert measured(graph, shape) == expected


def test_googlenet_peaks_at_its_first_pooling(googlenet: Architecture) -> None:
    # The image, the first convolution's output, and what is pooled of it, with its indices.
    expected = 4 * (3 * 224 * 224 + 64 * 112 * 112 + 3 * 64 * 56 * 56)
    assert graph_cost(expand(googlenet, 3), (3, 224, 224)).activation_bytes == expected
