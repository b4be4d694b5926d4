"""`nas show`, `nas shapes` and `nas compare` as a user runs them, on names, files and trials."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from search_space.analysis.hardware import ENTRIES as HARDWARE_ENTRIES
from search_space.analysis.hardware import PRESETS
from search_space.catalog import CATALOG, candidate
from search_space.device.cores import CORES, ENTRIES
from search_space.network import build

GOLDEN = json.loads((Path(__file__).parents[2] / "search_space" / "golden.json").read_text())

Run = Callable[..., tuple[int, str, str]]


def test_compare_has_the_golden_counts(nas_in: Run) -> None:
    names = ("alexnet", "vgg11", "nin", "googlenet")
    options = ("--channels", "3", "--resolution", "224", "--json")
    code, out, _ = nas_in("compare", *names, *options)
    assert code == 0
    found = {network["name"]: network for network in json.loads(out)["networks"]}
    golden = [n for n in GOLDEN["networks"] if n["channels"] == 3 and n["resolution"] == 224]
    assert {n["name"] for n in golden} == set(names)
    for counts in golden:
        assert found[counts["name"]]["params"] == counts["params"]
        assert found[counts["name"]]["macs"] == counts["macs"]
        assert found[counts["name"]]["flops"] == 2 * counts["macs"]
        assert found[counts["name"]]["weight_bytes"] == 4 * counts["params"]


def test_compare_answers_the_textbook_question(nas_in: Run) -> None:
    code, out, _ = nas_in("compare", "alexnet", "googlenet")
    text = " ".join(out.split())
    assert code == 0
    assert "alexnet has 7.8 times the parameters of googlenet, yet googlenet does 1.6 times" in text
    assert "depthwise" in text
    assert "3x224x224 images" in text


def test_compare_says_what_the_figures_mean_for_a_chip(nas_in: Run) -> None:
    code, out, _ = nas_in("compare", "alexnet", "googlenet", "--hardware", "a100")
    text = " ".join(out.split())
    assert code == 0
    assert "alexnet's 93.6 MB of weights and 861 kB of activations do not fit into 41.9 MB" in text
    assert "googlenet's 12 MB of weights" in text
    assert "84 % of googlenet's multiply-adds are in its 3x3 convolutions and 1x1" in text
    _, out, _ = nas_in("compare", "googlenet", "--hardware", "a100")
    assert "of its least latency waits for memory" in " ".join(out.split())


def test_compare_says_what_a_microcontroller_makes_of_it(nas_in: Run, tmp_path: Path) -> None:
    code, out, _ = nas_in("compare", "inception-28", "googlenet-28", "--device", "cortex-m7")
    assert code == 0
    text = " ".join(out.split())
    assert "bytes are exact, cycles an estimate" in text
    assert "inception-28 330,164 100,352 100,352" in text
    assert "none measured on this chip" in text
    _, out, _ = nas_in("compare", "inception-28", "--device", "cortex-m7", "--json")
    found = json.loads(out)["networks"][0]["device"]
    assert found["seconds"] == found["cycles"] / 280e6
    own = tmp_path / "own.toml"
    core = replace(CORES["cortex-m7"], name="one at twice the clock", hertz=560e6)
    own.write_text(ENTRIES.to_toml(core))
    _, out, _ = nas_in("compare", "inception-28", "--device", str(own), "--json")
    twice = json.loads(out)["networks"][0]["device"]
    assert twice == found | {"name": core.name, "seconds": found["seconds"] / 2}
    own.write_text('name = "nothing more"')
    code, _, err = nas_in("compare", "inception-28", "--device", str(own))
    assert (code, err.count("\n")) == (2, 1)
    assert f"error: device {own}: no source, hertz, " in err


def test_compare_with_hardware_writes_one_page(nas_in: Run) -> None:
    arguments = ("googlenet-28", "inception-28", "--hardware", "edge-tpu", "--html", "page.html")
    code, out, err = nas_in("compare", *arguments)
    assert code == 0
    assert "least latency" in out
    assert "page: page.html" in err
    page = Path("page.html").read_text()
    assert "stage1.block1.1x1.conv" in page
    assert "Edge TPU" in page


def test_one_network_on_a_file_of_hardware_is_shown_layer_by_layer(nas_in: Run) -> None:
    Path("my.toml").write_text(HARDWARE_ENTRIES.to_toml(PRESETS["a100"]))
    code, out, _ = nas_in("compare", "googlenet-28", "--hardware", "my.toml", "--json")
    assert code == 0
    roofline = json.loads(out)["networks"][0]["roofline"]
    assert sum(layer["seconds"] for layer in roofline["layers"]) == pytest.approx(
        roofline["seconds"]
    )
    assert {layer["bound"] for layer in roofline["layers"]} == {"compute", "memory"}
    code, out, _ = nas_in("compare", "googlenet-28", "--hardware", "my.toml")
    assert "Layer by layer" in out


def test_latency_is_measured(nas_in: Run) -> None:
    code, out, _ = nas_in("compare", "inception-28", "--latency", "--json")
    assert code == 0
    one, batch = json.loads(out)["networks"][0]["latency"]
    assert (one["batch"], batch["batch"]) == (1, 32)
    assert 0 < one["low"] <= one["median"] <= one["high"]
    assert one["median"] < batch["median"]
    assert one["runs"] >= 3


BAD = [
    (("compare", "resnet"), "'resnet' is not in the catalog; it has: googlenet, "),
    (("compare", "googlenet", "googlenet"), "googlenet is given twice"),
    (("compare", "alexnet", "--resolution", "40"), "the smallest resolution that runs is 65"),
    (("compare", "googlenet", "--hardware", "cray"), "choose one of: laptop-core, edge-tpu, a100"),
    (("compare", "googlenet", "--hardware", "no.toml"), "hardware no.toml can't be read"),
    (("compare", "googlenet", "--hardware", "half.toml"), "no bandwidth"),
    (("compare", "googlenet", "--hardware", "zero.toml"), "bandwidth is 0"),
    (("compare", "googlenet", "--classes", "0"), "classes is 0"),
    (
        ("compare", "googlenet", "--html", "no/where.html"),
        "--html is no/where.html: there is no directory no",
    ),
    (("show", "googlenett"), "did you mean googlenet?"),
    (("show", "no.json"), "no.json can't be read: No such file"),
    (("show", "text.json"), "text.json is not JSON"),
    (("show", "other.json"), "other.json: field of Candidate is 'width'"),
    (("show", "deep.json"), "deep.json is not JSON"),
    (("show", "x" * 5000), "is not in the catalog"),
    (("show", "."), ". can't be read: Is a directory"),
    (("show", "graph.json"), "its network is a layer graph only"),
    (("show", "image.json"), "resolution is 'big'"),
    (("show", "googlenet", "--json", "--code"), "--code and --json exclude each other"),
    (("compare", "googlenet", "--hardware", ""), "'' is no known hardware"),
    (
        ("show", "googlenet", "--svg", "no/where.svg"),
        "--svg is no/where.svg: there is no directory no",
    ),
    (("show", "3"), "nas.db"),
    (("shapes", "googlenet", "--resolution", "0"), "resolution is 0"),
    (("shapes", "vgg11", "--resolution", "31"), "the smallest resolution that runs is 32"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda value: " ".join(value)[:60])
def test_bad_input_is_one_line(nas_in: Run, arguments: tuple[str, ...], words: str) -> None:
    entries = HARDWARE_ENTRIES.to_toml(PRESETS["a100"]).splitlines(keepends=True)
    kept = [line for line in entries if not line.startswith("bandwidth")]
    Path("half.toml").write_text("".join(kept))
    Path("zero.toml").write_text("".join([*kept, "bandwidth = 0\n"]))
    Path("text.json").write_text("{")
    Path("other.json").write_text('{"width": 3}')
    Path("deep.json").write_text("[" * 100_000 + "]" * 100_000)
    Path("graph.json").write_text('{"candidate": null}')
    image = {"candidate": candidate("googlenet").to_json(), "resolution": "big"}
    Path("image.json").write_text(json.dumps(image))
    before = sorted(Path().iterdir())
    code, out, err = nas_in(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err
    assert sorted(Path().iterdir()) == before


def test_shapes_say_both_resolutions(nas_in: Run) -> None:
    code, out, _ = nas_in("shapes", "googlenet", "--resolution", "28", "--channels", "1")
    assert code == 0
    assert "smallest resolution that runs: 1\n" in out
    assert "smallest that leaves the last map at least 3x3: 65\n" in out
    rows = dict(line.split() for line in out.splitlines() if len(line.split()) == 2)
    assert rows["pool1"] == "64x7x7"
    assert rows["stem"] == "192x4x4"
    assert rows["reduction3"] == "832x1x1"
    code, out, _ = nas_in("shapes", "googlenet-28", "--extent", "4", "--json")
    data = json.loads(out)
    assert (data["smallest"], data["smallest_with_extent"]) == (1, 25)
    assert data["last_map"] == [1024, 4, 4]


def test_a_candidate_goes_through_a_file(nas_in: Run) -> None:
    code, out, _ = nas_in("show", "googlenet-lsr", "--json")
    assert code == 0
    Path("mine.json").write_text(out)
    Path("bare.json").write_text(json.dumps(candidate("googlenet-28").architecture.to_json()))
    assert json.loads(out)["params"] == 5983802
    _, out, _ = nas_in("show", "mine.json")
    assert "mine.json for 3x224x224 images" in out
    assert f"key: {candidate('googlenet-lsr').key}" in out
    _, out, _ = nas_in("show", "bare.json", "--depth", "1")
    assert "total  " in out
    assert "376,492,800" in out


def test_every_network_is_drawn_and_written_as_code(nas_in: Run) -> None:
    code, out, err = nas_in("show", "inception-28", "--svg", "net.svg", "--code")
    assert code == 0
    assert "drawing: net.svg" in err
    assert Path("net.svg").read_text().startswith("<")
    namespace: dict[str, Any] = {"__name__": "net"}
    exec(compile(out, "net.py", "exec"), namespace)
    network = namespace["Network"]().eval()
    ours = build(candidate("inception-28").architecture).eval()
    network.load_state_dict(ours.state_dict())
    x = torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(network(x), ours(x))


def test_trials_are_shown_and_compared_at_their_studys_resolution(
    nas_in: Run, tiny_toml: Path
) -> None:
    command = ["run", "--trials", "2", "--objectives", "params,flops", "--sampler", "random"]
    command += ["--resolution", "20", "--space", str(tiny_toml), "--quiet"]
    command += ["--start-from", "inception-28"]
    assert nas_in(*command)[0] == 0
    study = ("--study", "inception")
    code, out, _ = nas_in("compare", "0", "1", "googlenet-28", *study, "--json")
    assert code == 0
    data = json.loads(out)
    assert (data["channels"], data["resolution"]) == (1, 20)
    assert [n["name"] for n in data["networks"]] == ["trial 0", "trial 1", "googlenet-28"]
    code, out, _ = nas_in("show", "0", *study, "--json")
    shown = json.loads(out)
    assert shown["catalog"] == "inception-28"
    assert shown["values"]["params"] == data["networks"][0]["params"] == 316410
    code, out, err = nas_in("show", "7", *study)
    assert code == 2
    assert "trial 7 is not in study 'inception'; the nearest are: 1, 0" in err


def test_the_catalogs_words_are_shown(nas_in: Run) -> None:
    for name in ("googlenet-aux", "nin"):
        _, out, _ = nas_in("show", name, "--depth", "1")
        assert CATALOG[name].words in out
