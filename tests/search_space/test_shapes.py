"""Tests of the smallest resolutions: proven by running the networks at them and one below."""

from functools import partial

import pytest
import torch

from search_space.catalog import CATALOG
from search_space.graph import Sequence
from search_space.network import module
from search_space.shapes import AtResolution, check_runs, last_map, smallest


def at(name: str) -> AtResolution:
    return lambda resolution: CATALOG[name].graph(resolution, 3, 10)


@torch.inference_mode()
def runs(graph: Sequence, resolution: int) -> bool:
    try:
        module(graph).eval()(torch.rand(1, 3, resolution, resolution))
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "least"),
    [("googlenet", 1), ("googlenet-torchvision", 15), ("nin", 67), ("alexnet", 65), ("vgg11", 32)],
)
def test_the_smallest_that_runs(name: str, least: int) -> None:
    assert smallest(at(name), 3) == least
    # Linear layers are sized for the resolution, so one below has to have some: those of `least`.
    graph = CATALOG[name].graph(least, 3, 10)
    assert runs(graph, least)
    assert not runs(graph, least - 1)


@pytest.mark.parametrize(
    ("name", "extent", "least"),
    [
        ("googlenet", 2, 33),
        ("googlenet", 3, 65),
        ("googlenet-28", 4, 25),
        ("inception-28", 7, 25),
        ("googlenet-torchvision", 3, 79),
    ],
)
@torch.inference_mode()
def test_the_smallest_that_leaves_an_extent(name: str, extent: int, least: int) -> None:
    assert smallest(at(name), 3, extent) == least
    network = module(CATALOG[name].graph(224, 3, 10)).eval()
    body = torch.nn.Sequential(*list(network.children())[:-1])

    def left(resolution: int) -> int:
        shape = body(torch.rand(1, 3, resolution, resolution)).shape
        expected = last_map(at(name)(resolution), (3, resolution, resolution))
        assert tuple(shape[1:]) == expected
        return int(shape[-1])

    assert left(least) >= extent
    assert left(least - 1) < extent


def test_no_resolution_gives_an_endless_extent() -> None:
    assert smallest(at("googlenet"), 3, 64) is None


def test_the_last_map_is_what_enters_the_head() -> None:
    assert last_map(at("googlenet")(224), (3, 224, 224)) == (1024, 7, 7)
    assert last_map(at("alexnet")(224), (3, 224, 224)) == (256, 5, 5)
    assert last_map(at("nin")(224), (3, 224, 224)) == (10, 5, 5)


def test_what_cannot_run_is_named_with_the_way_out() -> None:
    check = partial(check_runs, at("googlenet-torchvision"), "googlenet-torchvision")
    check((3, 15, 15))
    with pytest.raises(ValueError, match="can't run at 14x14: layer reduction2") as caught:
        check((3, 14, 14))
    assert "smallest resolution that runs is 15" in str(caught.value)
