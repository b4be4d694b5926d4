"""Tests of the catalog: published widths and shapes, torchvision as an oracle, errors."""

import json
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from search_space.architecture import Architecture, Candidate
from search_space.catalog import CATALOG, candidate, entry
from search_space.cost import cost, graph_cost
from search_space.diagram import rows
from search_space.expand import expand
from search_space.factorization import FACTORIZATIONS
from search_space.network import Auxiliary, build, module
from search_space.weights import from_torchvision

CANDIDATES = [name for name, known in CATALOG.items() if known.candidate]


def architecture(name: str) -> Architecture:
    return candidate(name).architecture


@pytest.mark.parametrize("name", CANDIDATES)
def test_candidates_survive_json(name: str) -> None:
    one = candidate(name)
    assert Candidate.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_no_two_candidates_are_equal() -> None:
    assert len({candidate(name).key for name in CANDIDATES}) == len(CANDIDATES)


@pytest.mark.parametrize("name", CATALOG)
@torch.inference_mode()
def test_every_network_gives_logits(name: str) -> None:
    graph = CATALOG[name].graph(80, 3, 7)
    assert graph_cost(graph, (3, 80, 80)).output == (7, 1, 1)
    network = module(graph).eval()
    assert network(torch.rand(2, 3, 80, 80)).shape == (2, 7)
    parameters = sum(p.numel() for n, p in network.named_parameters() if "auxiliary" not in n)
    assert parameters == graph_cost(graph, (3, 80, 80)).params


def outputs(name: str) -> dict[str, tuple[int, int, int]]:
    found = rows(expand(architecture(name), 3), (3, 224, 224))
    stage = ""
    named = {}
    for row in found:
        stage = row.name if row.depth == 0 else stage
        named[row.name if row.depth == 0 else f"{stage}.{row.name}"] = row.output
    return named


def test_bn_inception_has_the_shapes_of_its_paper() -> None:
    """Figure 5 of Ioffe 2015: output sizes of 3a to 5b."""
    shapes = outputs("bn-inception")
    published = {
        "stem": (192, 28, 28),
        "stage1.block1": (256, 28, 28),
        "stage1.block2": (320, 28, 28),
        "reduction2": (576, 14, 14),
        "stage2.block1": (576, 14, 14),
        "stage2.block2": (576, 14, 14),
        "stage2.block3": (576, 14, 14),
        "stage2.block4": (576, 14, 14),
        "reduction3": (1024, 7, 7),
        "stage3.block1": (1024, 7, 7),
        "stage3.block2": (1024, 7, 7),
    }
    assert {name: shapes[name] for name in published} == published


def test_googlenet_bn_has_a_batch_norm_after_every_convolution_and_pool_branch() -> None:
    network = build(architecture("googlenet-bn"))
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(convolution.bias is not None for convolution in convolutions)
    assert len(norms) == len(convolutions) + 9
    branch = network.get_submodule("stage1.block1.pool")
    assert [name for name, _ in branch.named_children()] == ["pool", "bn", "1x1"]


@pytest.mark.parametrize("factorization", [name for name in FACTORIZATIONS if name != "none"])
def test_every_factorization_has_its_googlenet(factorization: str) -> None:
    found = {
        block.factorization
        for stage in architecture(f"googlenet-{factorization}").stages
        for block in stage.blocks
    }
    assert found - {"none"} == {factorization}


def test_asymmetric_sizes_follow_the_paper() -> None:
    stages = architecture("googlenet-asymmetric").stages
    sizes = [{(block.factorization, block.n) for block in stage.blocks} for stage in stages]
    assert sizes == [{("none", 3)}, {("asymmetric", 7)}, {("asymmetric", 3)}]


def test_auxiliary_heads_cost_nothing_and_are_heard_in_training_alone() -> None:
    with_heads = architecture("googlenet-aux")
    assert cost(with_heads, 64) == cost(architecture("googlenet"), 64)
    network = build(with_heads)
    heads = [part for part in network.modules() if isinstance(part, Auxiliary)]
    assert [head.weight for head in heads] == [0.3, 0.3]
    names = [name for name, part in network.named_modules() if isinstance(part, Auxiliary)]
    assert names == ["stage2.auxiliary1", "stage2.auxiliary4"]
    network(torch.rand(2, 1, 64, 64))
    for head in heads:
        assert head.logits is not None
        assert head.logits.shape == (2, 10)
    network.eval()(torch.rand(2, 1, 64, 64))
    assert all(head.logits is None for head in heads)
    # The paper's: 128 1x1 convolutions, 1024 units after a 4x4 map, the classes.
    first = sum(parameter.numel() for parameter in heads[0].parameters())
    assert first == 512 * 128 + 128 + (128 * 16 + 1) * 1024 + 1025 * 10


def test_the_residual_block_widens_at_reductions_and_scales() -> None:
    shapes = outputs("googlenet-residual-block")
    assert [shapes[f"stage{number}"][0] for number in (1, 2, 3)] == [192, 384, 768]
    stages = architecture("googlenet-residual-block").stages
    assert {block.scale for stage in stages for block in stage.blocks} == {0.2}


def test_inception_28_costs_a_tenth_of_googlenet_28() -> None:
    small, large = cost(architecture("inception-28")), cost(architecture("googlenet-28"))
    assert small.flops <= large.flops / 10
    assert outputs_at_28()["stage3"][1:] == (7, 7)


def outputs_at_28() -> dict[str, tuple[int, int, int]]:
    found = rows(expand(architecture("inception-28")), (1, 28, 28), 1)
    return {row.name: row.output for row in found}


@pytest.fixture(scope="module")
def torchvision_googlenet() -> Any:
    import torchvision

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of how it will be initialized one day
        network = torchvision.models.googlenet(
            weights=None, aux_logits=False, init_weights=False, dropout=0.0
        )
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):  # as if trained
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
    return network


def ours_with(weights: dict[str, Tensor]) -> nn.Module:
    network = build(architecture("googlenet-torchvision"), 3, 1000)
    network.load_state_dict(from_torchvision(weights))
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return network


@pytest.mark.parametrize("resolution", [224, 96, 65])
@torch.no_grad()
def test_torchvisions_weights_give_torchvisions_outputs(
    torchvision_googlenet: Any, resolution: int
) -> None:
    theirs = torchvision_googlenet
    mine = ours_with(theirs.state_dict())
    x = torch.rand(2, 3, resolution, resolution, generator=torch.Generator().manual_seed(1))
    expected = theirs.eval()(x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(mine.eval()(x), expected, rtol=1e-5, atol=1e-5)
    before = theirs.state_dict()
    expected = theirs.train()(x)
    torch.testing.assert_close(mine.train()(x), expected, rtol=1e-5, atol=1e-5)
    after = from_torchvision(theirs.state_dict())
    for name, tensor in mine.state_dict().items():
        torch.testing.assert_close(tensor, after[name], rtol=1e-4, atol=1e-5)
    assert before.keys() == theirs.state_dict().keys()


@torch.no_grad()
def test_pretrained_images_are_given_as_two_x_minus_one(torchvision_googlenet: Any) -> None:
    theirs = torchvision_googlenet.eval()
    mine = ours_with(theirs.state_dict()).eval()
    pixels = torch.rand(2, 3, 65, 65, generator=torch.Generator().manual_seed(2))
    mean, std = (
        torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    theirs.transform_input = True
    try:
        expected = theirs((pixels - mean) / std)
    finally:
        theirs.transform_input = False
    torch.testing.assert_close(mine(2 * pixels - 1), expected, rtol=1e-4, atol=1e-5)


def test_torchvisions_auxiliary_weights_are_left_out_and_others_refused() -> None:
    assert from_torchvision({"aux1.fc1.weight": 1, "fc.bias": 2}) == {"head.linear.1.bias": 2}
    with pytest.raises(ValueError, match=r"weight 'layer1\.0\.weight' is not of torchvision's"):
        from_torchvision({"layer1.0.weight": 1})


def test_an_unknown_name_lists_the_catalog() -> None:
    with pytest.raises(ValueError, match="did you mean googlenet\\?") as caught:
        entry("googlenett")
    assert all(name in str(caught.value) for name in CATALOG)
    with pytest.raises(ValueError, match="'resnet50' is not in the catalog; it has: googlenet, "):
        entry("resnet50")


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "nin"])
def test_graphs_are_no_candidates(name: str) -> None:
    with pytest.raises(ValueError, match=r"layer graph only, .*choose one of: googlenet, "):
        candidate(name)
