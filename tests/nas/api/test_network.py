"""Networks from Python: what stands for one, and all that is known of it untrained."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nas import CATALOG, network
from search_space.architecture import Candidate
from search_space.catalog import candidate
from search_space.cost import cost


@pytest.mark.parametrize("name", ["googlenet", "inception-28", "nin"])
def test_the_catalogs_networks_cost_what_torch_counts(name: str) -> None:
    found = network(name)
    module = found.module(resolution=96).eval()
    x = torch.rand(1, found.image[0], 96, 96)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        assert module(x).shape == (1, 10)
    total = found.cost(resolution=96)
    assert total.flops == counter.get_total_flops()
    assert found.image == CATALOG[name].image


@pytest.mark.parametrize("kind", ["architecture", "candidate", "file", "network", "name"])
def test_a_network_is_the_same_however_it_is_given(tmp_path: Path, kind: str) -> None:
    known = candidate("inception-28")
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(known.to_json()))
    ways = {
        "architecture": known.architecture,
        "candidate": known,
        "file": path,
        "network": network("inception-28"),
        "name": "inception-28",
    }
    found = network(ways[kind])  # type: ignore[arg-type]
    assert found.cost() == cost(known.architecture)
    assert found.cost(32, 3, 100) == cost(known.architecture, 32, 3, 100)
    assert found.candidate == (Candidate(known.architecture) if kind == "architecture" else known)
    assert "316,410 parameters, 60,166,144 FLOPs" in repr(found)
    assert str(found).count("\n") > 10
    assert found.code().startswith('"""')
    drawn = found.svg(tmp_path / "net.svg")
    assert drawn == (tmp_path / "net.svg").read_text()
    assert drawn in found._repr_html_()


def test_the_smallest_images_leave_the_map_that_is_asked_for() -> None:
    found = network("googlenet")
    assert found.smallest() == 1
    assert (found.smallest(3), network("alexnet").smallest()) == (65, 65)
    assert found.last_map(65)[1:] == (3, 3)
    assert found.last_map(64)[1:] == (2, 2)
    assert network("googlenet-torchvision").smallest() == 15


def test_a_network_is_called_as_one_likes() -> None:
    found = network("googlenet-28", name="mine")
    assert found.name == "mine"
    assert found.cost() == network("googlenet-28").cost()


def test_a_module_follows_torchs_seed() -> None:
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(network("googlenet-28").module().state_dict())
    same = [all(torch.equal(one[k], made[0][k]) for k in one) for one in made]
    assert same == [True, True, False]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("resnet", "'resnet' is not in the catalog; it has: googlenet"),
        (None, "network is None; give a name of the catalog"),
        (True, "network is True; give"),
        ([], "network is \\[\\]; give"),
        (7, "nas.db"),
    ],
)
def test_what_is_no_network_is_said(
    what: object, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words):
        network(what)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_too_small_images_are_said() -> None:
    with pytest.raises(ValueError, match="the smallest resolution that runs is 65"):
        network("alexnet").module(resolution=40)
