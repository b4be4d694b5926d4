"""Tests of graphs as steps: run one by one they give torch's logits; fused by hand and in sum."""

import pytest
import torch
from hypothesis import given, reject
from hypothesis import strategies as st
from torch import Tensor, nn

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
from search_space.steps import Program, fuse, steps

IMAGE = (1, 4, 4)


def one(outputs: int, inputs: int = 1) -> Layer:
    return conv(inputs, outputs, (3, 3))


def sequence(*nodes: Node) -> Sequence:
    return Sequence(tuple((str(index), node) for index, node in enumerate(nodes)))


def concat(*nodes: Node) -> Concat:
    return Concat(sequence(*nodes).children)


def add(*nodes: Node) -> Add:
    return Add(sequence(*nodes).children)


def interpreted(graph: Sequence, network: nn.Module, images: Tensor) -> Tensor:
    """What the steps compute, each by the module of its name, every tensor kept."""
    made = steps(graph, tuple(images.shape[1:]))  # type: ignore[arg-type]
    tensors = {0: images}
    for step in made.steps:
        inputs = [tensors[tensor].clone() for tensor in step.inputs]
        if isinstance(step.node, Concat):
            output = torch.cat(inputs, 1)
        elif isinstance(step.node, Add):
            output = sum(inputs[1:], inputs[0])
        else:
            (source,) = inputs
            output = network.get_submodule(step.name)(source)
        assert tuple(output.shape[1:]) in (made.shapes[step.output], made.shapes[step.output][:1])
        tensors[step.output] = output
    assert list(tensors) == list(range(len(made.shapes)))
    return tensors[made.steps[-1].output].flatten(1)


def agrees(graph: Sequence, shape: Shape) -> None:
    network = module(graph).eval()
    images = torch.randn(2, *shape)
    with torch.inference_mode():
        assert torch.equal(interpreted(graph, network, images.clone()), network(images).flatten(1))


def test_sampled_candidates_step_by_step(sampled: list[Candidate]) -> None:
    for candidate in sampled[:100]:
        agrees(expand(candidate.architecture), (1, 28, 28))


@pytest.mark.parametrize("name", CATALOG)
def test_the_catalog_step_by_step(name: str) -> None:
    agrees(CATALOG[name].graph(67, 3, 10), (3, 67, 67))


def test_layers_that_hand_on_make_no_step_but_change_what_is_seen() -> None:
    graph = sequence(one(2), dropout(0.5), IDENTITY, flatten(), linear(32, 3))
    made = steps(graph, IMAGE)
    assert [(s.name, s.inputs, s.output) for s in made.steps] == [("0", (0,), 1), ("4", (1,), 2)]
    assert made.shapes == [(1, 4, 4), (2, 4, 4), (3, 1, 1)]


def test_branches_read_the_same_tensor_in_order() -> None:
    graph = sequence(one(2), concat(one(3, 2), sequence(one(1, 2), relu())), add(IDENTITY, relu()))
    made = steps(graph, IMAGE)
    assert [(s.name, s.inputs, s.output) for s in made.steps] == [
        ("0", (0,), 1),
        ("1.0", (1,), 2),
        ("1.1.0", (1,), 3),
        ("1.1.1", (3,), 4),
        ("1", (2, 4), 5),
        ("2.1", (5,), 6),
        ("2", (5, 6), 7),
    ]
    assert made.shapes[5] == made.shapes[7] == (4, 4, 4)


def test_nothing_but_the_image() -> None:
    assert steps(IDENTITY, IMAGE) == ([], [IMAGE])
    assert fuse(steps(IDENTITY, IMAGE)) == ([], [IMAGE], [0], 0)


def test_a_layer_that_cannot_run_is_named() -> None:
    graph = sequence(one(2), concat(one(1, 2), sequence(relu(), pool("max", 1, 5, 0))))
    with pytest.raises(ShapeError, match=r"layer 1\.1\.1 \(max-pool 5x5\) can't run on a 2x4x4"):
        steps(graph, IMAGE)


def outline(program: Program) -> list[tuple[str, str, tuple[int, ...], int]]:
    return [(step.name, step.kind, step.reads, step.writes) for step in program.steps]


def fused(*nodes: Node) -> Program:
    return fuse(steps(sequence(*nodes), IMAGE))


def test_element_wise_layers_join_the_step_before() -> None:
    program = fused(one(2), batch_norm(2), relu(), one(3, 2), scale(0.1))
    assert outline(program) == [("0", "conv 3x3", (0,), 1), ("3", "conv 3x3", (1,), 4)]
    assert [step.params for step in program.steps] == [2 * 9 + 2 + 4, 3 * 18 + 3]
    assert program.buffers == [0, 1, 1, 1, 4, 4]
    assert program.result == 4


def test_what_stands_first_on_a_concatenation_is_computed_when_read() -> None:
    program = fused(concat(one(2), one(1)), batch_norm(3), relu(), concat(one(1, 3), one(2, 3)))
    assert outline(program) == [
        ("0.0", "conv 3x3", (0,), 1),
        ("0.1", "conv 3x3", (0,), 2),
        ("3.0", "conv 3x3", (3,), 6),
        ("3.1", "conv 3x3", (3,), 7),
    ]
    assert [step.params for step in program.steps] == [20, 10, 28 + 6, 56]
    assert program.buffers == [0, 3, 3, 3, 3, 3, 8, 8, 8]
    assert program.result == 8


def test_what_stands_first_on_a_shared_tensor_is_computed_when_read() -> None:
    path = sequence(batch_norm(2), relu(), one(2, 2))
    program = fused(one(2), add(path, IDENTITY), relu())
    assert outline(program) == [
        ("0", "conv 3x3", (0,), 1),
        ("1.0.2", "conv 3x3", (1,), 4),
        ("1", "add", (4, 1), 5),
    ]
    assert [step.params for step in program.steps] == [20, 38 + 4, 0]


def test_branches_write_into_the_outermost_concatenation() -> None:
    inner = sequence(concat(one(1), sequence(one(1), relu())))
    program = fused(concat(one(2), inner), pool("max", 2))
    assert outline(program)[-1] == ("1", "max-pool 3x3", (6,), 7)
    assert len(program.steps) == 4
    assert program.buffers == [0, 6, 6, 6, 6, 6, 6, 7]


@pytest.mark.parametrize(
    ("nodes", "copied"),
    [
        ((relu(),), [0]),
        ((concat(IDENTITY),), [0]),
        ((concat(IDENTITY, one(1)),), [0]),
        ((concat(relu(), batch_norm(1)),), [0, 0]),
        ((one(2), concat(IDENTITY, one(1, 2))), [1]),
        ((one(2), concat(IDENTITY, IDENTITY)), [1, 1]),
        ((one(2), concat(relu(), one(1, 2))), [1]),
        ((concat(one(1), one(1)), relu()), [3]),
        ((concat(sequence(concat(one(1), one(1)), relu()), one(1)),), [3]),
    ],
)
def test_what_cannot_be_written_in_place_is_copied(
    nodes: tuple[Node, ...], copied: list[int]
) -> None:
    program = fused(*nodes)
    copies = [step for step in program.steps if step.kind == "copy"]
    assert [step.reads for step in copies] == [(tensor,) for tensor in copied]
    for step in copies:
        assert program.values(step.writes) == program.values(step.reads[0])
        assert program.buffers[step.writes] == program.result
    assert sum(step.params for step in program.steps) == graph_cost(sequence(*nodes), IMAGE).params


def test_parameters_of_what_several_compute_when_they_read_count_once() -> None:
    twice = [sequence(relu(), batch_norm(3), one(1, 3)) for _ in range(2)]
    program = fused(concat(one(2), one(1)), batch_norm(3), concat(*twice))
    assert [step.params for step in program.steps] == [20, 10, 6 + 6 + 28, 6 + 28]
    assert [step.reads for step in program.steps] == [(0,), (0,), (3,), (3,)]


def test_a_tensor_that_is_added_to_itself_is_read_once() -> None:
    assert outline(fused(one(2), add(relu(), IDENTITY)))[-1] == ("1", "add", (1,), 3)


@given(st.from_type(Architecture), st.integers(1, 40))
def test_fused_steps_add_up_and_no_architecture_copies(
    architecture: Architecture, resolution: int
) -> None:
    graph, shape = expand(architecture), (1, resolution, resolution)
    try:
        program, total = fuse(steps(graph, shape)), graph_cost(graph, shape)
    except ShapeError:
        reject()
    assert sum(step.params for step in program.steps) == total.params
    assert sum(step.flops for step in program.steps) == total.flops
    assert all(step.kind != "copy" for step in program.steps)
    written = {0}
    for step in program.steps:
        assert {program.buffers[tensor] for tensor in step.reads} <= written
        written.add(program.buffers[step.writes])
    assert program.shapes[program.result] == (10, 1, 1)


def test_a_head_after_a_concatenation() -> None:
    program = fused(concat(one(2), one(2)), batch_norm(4), relu(), global_pool(), linear(4, 10))
    assert outline(program)[2:] == [("3", "global avg-pool", (3,), 6), ("4", "linear", (6,), 7)]
