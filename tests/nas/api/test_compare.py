"""Networks side by side from Python: rows for a data frame, sentences, a page."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from nas import Comparison, compare, network
from nas.reporting.comparison import tables
from nas.reporting.tables import print_rows


def test_each_is_compared_on_the_images_that_it_is_for() -> None:
    found = compare("googlenet-28", "inception-28", "googlenet")
    sides = {row["name"]: (row["channels"], row["resolution"]) for row in found.rows}
    assert sides == {"googlenet-28": (1, 28), "inception-28": (1, 28), "googlenet": (3, 224)}
    assert found.sentences[0].startswith("Each network takes the images that it is for: ")
    for row in found.rows:
        alone = network(row["name"]).cost()
        assert (row["params"], row["flops"]) == (alone.params, alone.flops)


def test_or_all_at_one_resolution() -> None:
    found = compare("googlenet-28", "googlenet", resolution=64)
    assert {(row["channels"], row["resolution"]) for row in found.rows} == {(3, 64)}
    assert not any("that it is for" in sentence for sentence in found.sentences)


def test_rows_hold_plain_values_and_html_all_tables(tmp_path: Path) -> None:
    found = compare("googlenet-28", network("inception-28"), hardware="edge-tpu", latency=True)
    for row in found.rows:
        json.dumps(row)
        assert row["latency_1"] < row["latency_32"]
        assert row["least_seconds"] > 0
    shown = found._repr_html_()
    assert shown.count("<table>") == 7
    assert "316,410" in shown
    found.save(tmp_path / "page.html")
    assert "Edge TPU" in (tmp_path / "page.html").read_text()
    assert repr(found) == "<Comparison of googlenet-28, inception-28>"


@pytest.fixture(scope="module")
def compared() -> list[Comparison]:
    """Networks of long names and large figures; and two with their times."""
    names = ("googlenet-torchvision", "googlenet-asymmetric", "alexnet", "vgg11", "inception-28")
    timed = compare("googlenet-28", "inception-28", latency=True)
    return [compare(*names, hardware="a100"), timed]


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("which", [0, 1], ids=["large", "timed"])
def test_nothing_breaks_inside_a_number_or_a_name(
    compared: list[Comparison], which: int, width: int
) -> None:
    found = compared[which]
    console = Console(width=width, record=True, file=io.StringIO())
    for table in tables(found.networks, found.hardware):
        print_rows(console, table)
        words = console.export_text(clear=True).split()
        for row in table.rows:
            for cell in row:
                assert set(cell.split()) <= set(words), cell


@pytest.mark.parametrize(
    ("networks", "options", "words"),
    [
        ((), {}, "networks is empty"),
        (("googlenet", "googlenet"), {}, "googlenet is given twice"),
        (("googlenet",), {"hardware": "cray"}, "choose one of: laptop-core"),
        (("alexnet",), {"resolution": 40}, "the smallest resolution that runs is 65"),
    ],
)
def test_what_cannot_be_compared_is_said(
    networks: tuple[str, ...], options: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        compare(*networks, **options)  # type: ignore[arg-type]
