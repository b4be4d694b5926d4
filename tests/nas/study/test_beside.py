"""`nas try`: networks by name after equal short runs, looked up where they were made before."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas import network, try_networks
from nas.study.beside import Tried, _with_intervals
from search_space.analysis.measures import Measures
from search_space.architecture import Candidate

Run = Callable[..., tuple[int, str, str]]

TRY = ("try", "--budget", "256", "--workers", "0", "--precision", "float32")


@pytest.fixture
def files(nas_in: Run, tmp_path: Path) -> tuple[str, str]:
    code, out, _ = nas_in("show", "inception-28", "--json")
    assert code == 0
    candidate = json.loads(out)["candidate"]
    names = []
    for width in (8, 16):
        candidate["architecture"]["stem"]["width"] = width
        for stage in candidate["architecture"]["stages"]:
            del stage["blocks"][1:]
        path = tmp_path / f"w{width}.json"
        path.write_text(json.dumps(candidate))
        names.append(path.name)
    return names[0], names[1]


def test_each_is_trained_once_and_looked_up_after(nas_in: Run, files: tuple[str, str]) -> None:
    first, other = files
    command = (*TRY, "--resolution", "8", "--seeds", "2", "--json")
    code, out, _ = nas_in(*command, first)
    assert code == 0
    before = json.loads(out)["networks"][0]
    assert len(set(before["accuracies"])) == 2
    assert before["low"] < before["accuracy"] < before["high"]
    code, out, said = nas_in(*TRY, "--resolution", "8", "--seeds", "2", first, other)
    assert code == 0
    assert "2 runs known already" in said
    assert "After 256 training images as 1x8x8" in out
    code, again, said = nas_in(*command, other, first)
    rows = {row["name"]: row for row in json.loads(again)["networks"]}
    assert rows[first]["accuracies"] == before["accuracies"]
    assert rows[first]["seconds"] == before["seconds"], "it is looked up"
    means = [row["accuracy"] for row in json.loads(again)["networks"]]
    assert means == sorted(means, reverse=True)
    code, out, _ = nas_in(*TRY, "--resolution", "8", "--seeds", "3", "--json", first)
    assert json.loads(out)["networks"][0]["accuracies"][:2] == before["accuracies"]


def test_a_study_and_a_try_know_of_each_other(nas_in: Run, tiny_toml: Path) -> None:
    study = (
        "--budgets",
        "256",
        "--rungs",
        "1",
        "--space",
        str(tiny_toml),
        "--precision",
        "float32",
    )
    options = ("--resolution", "8", "--workers", "0", "--quiet")
    assert nas_in("run", "--trials", "1", *study, *options)[0] == 0
    code, out, _ = nas_in("show", "0", "--json")
    measured = json.loads(out)["values"]["accuracy"]
    code, out, said = nas_in(*TRY, "0", "--resolution", "8", "--seeds", "1")
    assert (code, "1 run known already" in said) == (0, True)
    assert f"{measured:.2%}" in out
    code, out, _ = nas_in("studies", "--json")
    assert [one["study"] for one in json.loads(out)] == ["inception"]


def test_layer_graphs_are_tried_too(nas_in: Run) -> None:
    """NiN is no Inception architecture; images are the smallest that it can work with."""
    code, out, errors = nas_in(
        *TRY[:1], "--budget", "128", *TRY[3:], "nin", "--seeds", "1", "--json"
    )
    assert code == 0, errors
    found = json.loads(out)
    assert found["networks"][0]["params"] == 1_992_166
    assert 28 < found["resolution"] < 100
    called = network("nin", name="network in network")
    options = {"budget": 128, "seeds": 1, "workers": 0, "precision": "float32", "progress": False}
    (row,) = try_networks(called, **options).rows  # type: ignore[arg-type]
    assert row["name"] == "network in network"
    assert row["accuracies"] == found["networks"][0]["accuracies"]


def test_from_python_with_a_drawing_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = network("inception-28").candidate
    assert known is not None
    drawn = replace(known.architecture, stages=known.architecture.stages[:1])
    small = {"budget": 128, "seeds": 1, "workers": 0, "resolution": 8, "progress": False}
    found = try_networks(drawn, "inception-28", **small)  # type: ignore[arg-type]
    names = {row["name"] for row in found.rows}
    assert names == {"inception-28", Candidate(drawn).key}
    assert all(row["low"] < row["accuracy"] < row["high"] for row in found.rows)
    assert "After 128 training images as 1x8x8" in repr(found)
    assert "316,410" in found._repr_html_()
    (again,) = try_networks(drawn, **small).rows  # type: ignore[arg-type]
    assert again["accuracies"] in [row["accuracies"] for row in found.rows]
    with pytest.raises(ValueError, match="networks is empty"):
        try_networks()


def test_intervals_count_images_and_seeds() -> None:
    shown = Measures(1, 1, 1, 1, 1, 1, 1.0, {}, (1, 1), 1, 1)

    def known(*accuracies: float, images: int = 10_000) -> float:
        (one,) = _with_intervals([Tried("n", shown, accuracies, 1.0)], images)
        assert one.low is not None
        assert one.high is not None
        assert one.low < sum(accuracies) / len(accuracies) < one.high
        return one.high - one.low

    # By hand: an error of 0.1 on 100 images and one seed of the recorded noise, 0.04.
    away = 1.96 * math.sqrt(0.9 / (0.1 * 100) + 0.04**2)
    assert math.isclose(known(0.9, images=100), 0.1 * (math.exp(away) - math.exp(-away)))
    assert known(0.9, 0.9, 0.9) < known(0.9)
    assert known(0.8, 0.95, 0.9) > known(0.88, 0.883, 0.887)
    (none,) = _with_intervals([Tried("n", shown, (), 1.0, failure="diverged")], 100)
    assert none.low is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("resnet",), "'resnet' is not in the catalog"),
        (("nin", "nin"), "nin is given twice"),
        (("nin", "--resolution", "20"), "nin can't run at 20x20"),
        (("inception-28", "--budget", "many"), "--budget is 'many'; give a whole number"),
        (("inception-28", "--budget", "5"), "budget is 5; it must be a whole number from 128"),
        (("inception-28", "--seeds", "0"), "seeds is 0; it must be a whole number from 1 to 100"),
        (("inception-28", "--channels", "2"), "channels is 2; choose one of: 1, 3"),
        (("inception-28", "--dataset", "clothes"), "dataset is 'clothes'; choose one of"),
    ],
)
def test_what_cannot_be_tried_is_one_line(
    nas_in: Run, arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    code, out, errors = nas_in("try", *arguments, "--workers", "0")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: .*\n", errors)
    assert words in errors
    assert not list(tmp_path.iterdir())
