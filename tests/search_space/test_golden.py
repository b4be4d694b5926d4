"""Tests that GoogLeNet and its blocks have exactly the published counts and shapes."""

import json
from pathlib import Path
from typing import Any

import pytest

from search_space.architecture import Architecture, Block, Stage, Stem
from search_space.cost import cost
from search_space.diagram import rows
from search_space.expand import expand

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())


@pytest.fixture
def networks(googlenet: Architecture, googlenet_28: Architecture) -> dict[str, Architecture]:
    return {"googlenet": googlenet, "googlenet-28": googlenet_28}


@pytest.mark.parametrize("counts", GOLDEN["networks"], ids=lambda n: f"{n['name']}-{n['channels']}")
def test_networks(networks: dict[str, Architecture], counts: dict[str, Any]) -> None:
    found = cost(networks[counts["name"]], counts["resolution"], counts["channels"])
    assert (found.params, found.macs) == (counts["params"], counts["macs"])
    assert found.flops == 2 * counts["macs"]
    assert found.output == (10, 1, 1)


@pytest.mark.parametrize("counts", GOLDEN["blocks"], ids=lambda block: block["factorization"])
def test_one_block_of_each_factorization(counts: dict[str, Any]) -> None:
    block = Block(64, 96, 128, 16, 32, 32, factorization=counts["factorization"])
    assert block.n == counts.get("n", 3)
    network = expand(Architecture(Stem(192), (Stage((block,)),)))
    (row,) = [row for row in rows(network, (1, 28, 28)) if row.name == "block1"]
    assert row.output == (counts["out_channels"], 28, 28)
    assert (row.params, row.macs) == (counts["params"], counts["macs"])


@pytest.mark.parametrize("title", GOLDEN["shapes"])
def test_shapes(networks: dict[str, Architecture], title: str) -> None:
    name, size = title.split(" at ")
    resolution = int(size.split("x")[0])
    network = networks[name]
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
