"""Tests that GoogLeNet and its blocks have exactly the published counts and shapes."""

import json
from pathlib import Path
from typing import Any

import pytest

from search_space.architecture import Architecture, Block, Stage, Stem
from search_space.catalog import CATALOG, candidate
from search_space.cost import cost, graph_cost
from search_space.diagram import rows
from search_space.expand import expand

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())


def words_of(counts: dict[str, Any]) -> str:
    return f"{counts['name']}-{counts['channels']}-{counts['resolution']}"


@pytest.mark.parametrize("counts", GOLDEN["networks"], ids=words_of)
def test_networks(counts: dict[str, Any]) -> None:
    resolution, channels = counts["resolution"], counts["channels"]
    graph = CATALOG[counts["name"]].graph(resolution, channels, 10)
    found = graph_cost(graph, (channels, resolution, resolution))
    assert found.params == counts["params"]
    assert found.macs == counts.get("macs", found.macs)
    assert found.flops == 2 * found.macs
    assert found.output == (10, 1, 1)


@pytest.mark.parametrize("counts", GOLDEN["torchvision"], ids=words_of)
def test_torchvision(counts: dict[str, Any]) -> None:
    assert not counts["aux"]
    name = f"{counts['name']}-torchvision"
    resolution, classes = counts["resolution"], counts["classes"]
    found = cost(candidate(name).architecture, resolution, counts["channels"], classes)
    assert (found.params, found.macs) == (counts["params"], counts["macs"])


@pytest.mark.parametrize("counts", GOLDEN["blocks"], ids=lambda block: block["factorization"])
def test_one_block_of_each_factorization(counts: dict[str, Any]) -> None:
    block = Block(64, 96, 128, 16, 32, 32, factorization=counts["factorization"])
    assert block.n == counts.get("n", 3)
    network = expand(Architecture(Stem(192), (Stage((block,)),)))
    (row,) = [row for row in rows(network, (1, 28, 28)) if row.name == "block1"]
    assert row.output == (counts["out_channels"], 28, 28)
    assert (row.params, row.macs) == (counts["params"], counts["macs"])


@pytest.mark.parametrize("title", GOLDEN["shapes"])
def test_shapes(title: str) -> None:
    name, size = title.split(" at ")
    resolution = int(size.split("x")[0])
    network = candidate(name).architecture
    outputs = {r.name: r.output for r in rows(expand(network), (1, resolution, resolution))}
    before = "pool1" if network.stem.pool else "first"
    found = [outputs[part] for part in (before, "stem", "reduction2", "reduction3")]
    words = ["x".join(map(str, shape)) for shape in found]
    words += [str(outputs[part][0]) for part in ("pool", "linear")]
    assert words == GOLDEN["shapes"][title]
    assert outputs["reduction3"][0] == 832
    assert outputs["stage3"] == (1024, *outputs["reduction3"][1:])


def test_a_thousand_classes_cost_a_wider_last_layer(googlenet: Architecture) -> None:
    ten, thousand = cost(googlenet, 224, 3), cost(googlenet, 224, 3, 1000)
    assert thousand.params - ten.params == 990 * 1025
    assert thousand.macs - ten.macs == 990 * 1024
